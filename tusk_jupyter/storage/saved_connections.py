"""The rows of ``connections``: records of :class:`SavedConnection`, never with a secret.

A name is checked in the transaction that takes it: of two kernels that save the same name at once, one is told so, by
the same refusal that a form shows beside the field. What is read is checked again, because another version or a
salvage may have written it: a row that would lead elsewhere than it was meant to (a port, an ``sslmode``, a tunnel
that cannot be read) is left out and logged, never guessed; one whose colour or group makes no sense goes without it.
"""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections.saved import COLORS, SavedConnection, check, problems, tunnel_from_dict
from tusk_jupyter.errors import InvalidInput

if TYPE_CHECKING:
    import builtins
    import sqlite3
    from collections.abc import Callable

    from tusk_jupyter.storage.database import Database

logger = logging.getLogger("tusk_jupyter.storage")
_NAMES = tuple(f.name for f in fields(SavedConnection))
_UPDATED = ", ".join(f"{name} = excluded.{name}" for name in _NAMES if name not in {"id", "created_at"})
_UPSERT = (
    f"insert into connections ({', '.join(_NAMES)}) values ({', '.join('?' for _ in _NAMES)}) "
    f"on conflict (id) do update set {_UPDATED}"
)
# a group that another kernel has deleted is none
_GROUP = "(select g.id from connection_groups g where g.id = connections.group_id)"
_SELECT = f"select {', '.join(_GROUP if name == 'group_id' else name for name in _NAMES)} from connections"


class SavedConnections:
    """Reads and writes the rows of whatever database is open now."""

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database

    def list(self) -> builtins.list[SavedConnection]:
        """Return them all by name, upper and lower case alike; :raises TuskError: where the file cannot be read."""
        found = self._select("")
        return sorted(found, key=lambda saved: (saved.name.casefold(), saved.name))

    def get(self, name_or_id: str) -> SavedConnection | None:
        """Return one by name, else by id, else ``None``."""
        return self.by_name(name_or_id) or self.by_id(name_or_id)

    def by_name(self, name: str) -> SavedConnection | None:
        """Return the one of that name, ``None`` where there is none."""
        return next(iter(self._select(" where name = ?", name)), None)

    def by_id(self, connection_id: str) -> SavedConnection | None:
        """Return the one with that id, ``None`` where there is none."""
        return next(iter(self._select(" where id = ?", connection_id)), None)

    def save(self, saved: SavedConnection) -> SavedConnection:
        """Insert or update by id (an empty one is made), and return it with its times.

        :raises InvalidInput: that names each field that is wrong, a taken name and a lost group among them.
        :raises TuskError: where it cannot be written.
        """
        saved = replace(saved, id=saved.id or str(uuid.uuid4()))
        written = self._database().write(lambda conn: _save(conn, saved)).result()
        if isinstance(written, InvalidInput):
            raise written
        return written

    def change(self, connection_id: str, alter: Callable[[SavedConnection], SavedConnection]) -> SavedConnection | None:
        """Change one in the transaction that reads it, so that no other kernel's change of another field is lost.

        :returns: what is saved now; ``None`` where there is none with that id.
        :raises InvalidInput: as :meth:`save`.
        """

        def change(conn: sqlite3.Connection) -> SavedConnection | InvalidInput | None:
            row = conn.execute(f"{_SELECT} where id = ?", (connection_id,)).fetchone()
            found = _record(row) if row is not None else None
            return _save(conn, alter(found)) if found is not None else None

        written = self._database().write(change).result()
        if isinstance(written, InvalidInput):
            raise written
        return written

    def delete(self, connection_id: str) -> bool:
        """Delete the one with that id and return whether there was one; its history stays."""

        def delete(conn: sqlite3.Connection) -> bool:
            return conn.execute("delete from connections where id = ?", (connection_id,)).rowcount > 0

        return self._database().write(delete).result()

    def unusable(self) -> dict[str, tuple[str, str]]:
        """Return name → (id, why) of the rows that are left out: written by another version, by hand, or damaged."""
        rows = self._database().read(lambda conn: conn.execute(_SELECT).fetchall())
        read = [(dict(zip(_NAMES, row, strict=True)), _read(row)) for row in rows]
        return {str(values["name"]): (str(values["id"]), why) for values, why in read if isinstance(why, str)}

    def _select(self, where: str, *values: str) -> builtins.list[SavedConnection]:
        if not all(map(_encodable, values)):
            return []
        rows = self._database().read(lambda conn: conn.execute(_SELECT + where, values).fetchall())
        return [saved for row in rows if (saved := _record(row)) is not None]


def _save(conn: sqlite3.Connection, saved: SavedConnection) -> SavedConnection | InvalidInput:
    """Write the record; a refusal is returned, not raised: it is no failure of the file."""
    others = {name for (name,) in conn.execute("select name from connections where id <> ?", (saved.id,))}
    try:
        check(saved, taken=others)
    except InvalidInput as refusal:
        return refusal
    if saved.group_id is not None and not _exists(conn, "connection_groups", saved.group_id):
        return InvalidInput(
            "the connection cannot be saved: its group is not there any more",
            advice="Choose another group, or none.",
            facts=(("group_id", "the group is not there any more"),),
        )
    now = datetime.now(UTC).isoformat()
    before = conn.execute("select created_at from connections where id = ?", (saved.id,)).fetchone()
    saved = replace(saved, created_at=before[0] if before else now, updated_at=now)
    conn.execute(_UPSERT, _row(saved))
    return saved


def _exists(conn: sqlite3.Connection, table: str, row_id: str) -> bool:
    return conn.execute(f"select 1 from {table} where id = ?", (row_id,)).fetchone() is not None


def _row(saved: SavedConnection) -> builtins.list[Any]:
    tunnel = json.dumps(asdict(saved.ssh_tunnel)) if saved.ssh_tunnel is not None else None
    as_json = {"ssh_tunnel": tunnel, "parameters": json.dumps(dict(saved.parameters))}
    return [as_json[name] if name in as_json else getattr(saved, name) for name in _NAMES]


def _record(row: tuple[Any, ...]) -> SavedConnection | None:
    """Return the record of a row, ``None`` where it is none that could be connected with."""
    read = _read(row)
    if isinstance(read, SavedConnection):
        return read
    logger.warning("the saved connection %r is left out: %s", row[_NAMES.index("name")], read)
    return None


def _read(row: tuple[Any, ...]) -> SavedConnection | str:
    """Return the record of a row, or why it is none."""
    values = dict(zip(_NAMES, row, strict=True))
    try:
        tunnel = tunnel_from_dict(json.loads(values["ssh_tunnel"]) if values["ssh_tunnel"] is not None else None)
        parameters = json.loads(values["parameters"])
    except (TypeError, ValueError, RecursionError, InvalidInput) as error:
        return str(error)
    flags = {name: bool(values[name]) if values[name] in {0, 1} else values[name] for name in ("read_only", "history")}
    saved = SavedConnection(**values | flags | {"ssh_tunnel": tunnel, "parameters": parameters} | _harmless(values))
    found = problems(saved)
    return found[0].message if found else saved


def _harmless(values: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that lead nowhere, without what makes no sense in them."""
    return {
        "color": values["color"] if values["color"] in COLORS else None,
        "created_at": values["created_at"] if isinstance(values["created_at"], str) else "",
        "updated_at": values["updated_at"] if isinstance(values["updated_at"], str) else "",
    }


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
