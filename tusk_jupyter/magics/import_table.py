"""What an import comes to, or came to: a row for each connection of the file, also for those that cannot be used.

A table and not notes below a line: of 20 servers each has a note or two, and a note that was cut away is the one that
mattered. A row that is refused says why in its ``what``; ``from`` is what the file calls the connection.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.magics.wide_tables import WideTable
from tusk_jupyter.widgets.markup import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tusk_jupyter.connections.credentials import Kind
    from tusk_jupyter.connections.importing import Draft
    from tusk_jupyter.connections.importing_entries import Skipped
    from tusk_jupyter.connections.saved import SavedConnection

COLUMNS = (
    "name", "from", "host", "port", "database", "user", "sslmode", "ssh", "what", "password", "notes",
)  # fmt: skip
_LABELS = {"ssh": "SSH password", "sshkey": "passphrase of the SSH key", "sslkey": "passphrase of the TLS key"}
_LONGEST = 10_000


def import_table(rows: Iterable[dict[str, Any]]) -> WideTable:
    """Return the rows of :func:`row` as a table that shows them whole."""
    found = list(rows)
    table = WideTable(found, columns=COLUMNS)
    return WideTable(table.astype({"port": "Int64"}).astype(dict.fromkeys(set(COLUMNS) - {"port"}, "str")))


def refused(entry: Skipped) -> dict[str, Any]:
    """Return the row of a connection that cannot be saved: it has no name here."""
    why = f"refused: {visible(entry.why, _LONGEST)}"
    return dict.fromkeys(COLUMNS, "") | {"from": visible(entry.name, _LONGEST), "port": None, "what": why}


def row(draft: Draft, what: str, where: Mapping[Kind, str]) -> dict[str, Any]:
    """Return the row of a connection.

    :param what: becomes of it.
    :param where: each of its passwords goes.
    """
    saved = draft.saved
    ssh = saved.ssh_tunnel
    return {
        "name": saved.name,
        "from": visible(draft.given, _LONGEST),
        "host": saved.host,
        "port": saved.port,
        "database": saved.database,
        "user": saved.username,
        "sslmode": saved.ssl_mode,
        "ssh": (ssh.config_alias or ssh.host) if ssh is not None else "",
        "what": what,
        "password": _passwords(where),
        "notes": visible("; ".join(draft.notes), _LONGEST),
    }


def becomes(draft: Draft, existing: SavedConnection | None) -> str:
    """Return what becomes of a draft, by the connection that it would replace."""
    if existing is None:
        return "new" if draft.saved.name == draft.given else "renamed"
    unchanged = replace(
        existing, id="", created_at="", updated_at="", group_id=draft.saved.group_id,
        parameters=dict(existing.parameters),
    )  # fmt: skip
    same = not draft.secrets and unchanged == replace(draft.saved, parameters=dict(draft.saved.parameters))
    return "same" if same else "replaced"


def _passwords(where: Mapping[Kind, str]) -> str:
    """Return where they go; the database's needs no name."""
    said = [place if kind == "db" else f"{_LABELS[kind]}: {place}" for kind, place in where.items()]
    return "; ".join(said) or "none"
