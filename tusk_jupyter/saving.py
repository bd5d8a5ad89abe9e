"""What a user keeps of connections, as one: the row in ``tusk.db`` and its passwords in the keychain.

They are in two places that no transaction spans, so the order decides what a failure leaves: a row is written before
its secrets (a row without its password asks for it once; a password without a row would be an orphan nobody finds),
and deleted before them, since a file that cannot be written must not cost the passwords; a keychain that then refuses
is told. Secrets hang on the record's id: a rename moves none.

Where ``tusk.db`` is in memory only, so is what is saved: the keychain is left alone, because the file's connections
are back with the next kernel and need their passwords, and nobody would ever find those of the others.
"""

from __future__ import annotations

import difflib
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from tusk_jupyter.connections.credentials import KINDS
from tusk_jupyter.errors import ConnectionNotFound, InvalidInput
from tusk_jupyter.queries.classify import STATEMENT_KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.credentials import Credentials, Kind
    from tusk_jupyter.connections.saved import Group, SavedConnection
    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.storage.files import Files

# a class with a method ``list`` cannot say ``list[…]``
Records: TypeAlias = "list[SavedConnection]"
GroupRecords: TypeAlias = "list[Group]"
Names: TypeAlias = "list[str]"
FLEETING = "tusk.db is in memory only, so this is gone when the kernel ends: %tusk health says why"


@dataclass(frozen=True, slots=True)
class Kept:
    """A record as it was written, where each of its passwords went, and what the user should know of that."""

    saved: SavedConnection
    warnings: tuple[str, ...] = ()
    where: Mapping[Kind, Literal["keychain", "memory"]] = field(default_factory=dict)


class Saved:
    """List, get, save, delete: connections with their secrets, and their groups."""

    def __init__(self, *, files: Files, credentials: Credentials) -> None:
        from tusk_jupyter.storage.groups import Groups
        from tusk_jupyter.storage.saved_connections import SavedConnections

        self._files = files
        self._credentials = credentials
        self._rows = SavedConnections(lambda: files.database)
        self._groups = Groups(lambda: files.database)

    @property
    def lasting(self) -> bool:
        """Whether what is saved is there for the next kernel, too."""
        return not self._files.database.in_memory

    def _tell_unless_lasting(self) -> None:
        if not self.lasting:
            self._files.database.tell(FLEETING)

    # -- connections ----------------------------------------------------------------------------------------------

    def list(self) -> Records:
        """Return them all by name."""
        return self._rows.list()

    def names(self) -> Names:
        """Return their names."""
        return [saved.name for saved in self.list()]

    def find(self, name_or_id: str) -> SavedConnection | None:
        """Return one by name, else by id, else ``None``."""
        return self._rows.get(name_or_id)

    def get(self, name_or_id: str) -> SavedConnection:
        """Return one by name or id; :raises ConnectionNotFound: with the near names."""
        if (found := self.find(name_or_id)) is not None:
            return found
        raise self._missing(name_or_id)

    def unusable(self) -> dict[str, tuple[str, str]]:
        """Return name → (id, why) of what is kept and cannot be connected with."""
        return self._rows.unusable()

    def _missing(self, name: str) -> ConnectionNotFound:
        if (found := self.unusable().get(name)) is not None:
            return ConnectionNotFound(
                f"the saved connection {name!r} cannot be used: {found[1]}",
                name=name,
                advice=f"%tusk connections delete {name} removes it; then save it anew.",
            )
        names = self.names()
        near = difflib.get_close_matches(name, names, n=3)
        offer = f"Did you mean {' or '.join(map(repr, near))}?" if near else _there(names)
        return ConnectionNotFound(f"no saved connection is named {name!r}", name=name, advice=offer)

    def save(self, saved: SavedConnection, secrets: Mapping[Kind, Secret | None] | None = None) -> Kept:
        """Insert or update by id (an empty one is made) and keep the secrets; a ``None`` among them is deleted.

        :raises InvalidInput: that names each field that is wrong.
        """
        _check_name(saved.name)
        written = self._rows.save(saved if saved.id else replace(saved, id=str(uuid.uuid4())))
        lasting = self.lasting
        warnings: Names = [] if lasting else [FLEETING]
        where: dict[Kind, Literal["keychain", "memory"]] = {}
        for kind, secret in (secrets or {}).items():
            if secret is None:
                self._credentials.delete(written.id, kind, lasting=lasting)
                continue
            kept = self._credentials.store(written.id, kind, secret, lasting=lasting)
            where[kind] = kept.where
            warnings += [kept.warning] if kept.warning else []
        return Kept(written, tuple(warnings), where)

    def check(self, name: str | None, *, group: str | None = None) -> None:
        """Refuse now what :meth:`keep` would refuse later; :raises InvalidInput: that names what is wrong."""
        from tusk_jupyter.connections.saved import Group as Made
        from tusk_jupyter.storage.groups import refused

        _check_name(name or "")
        for part in _parts(group) if group is not None else ():
            if (refusal := refused(Made("", part), {})) is not None:
                raise refusal

    def keep(self, connection: Connection, *, group: str | None = None, color: str | None = None) -> Kept:
        """Save an open connection under its name, with the password that opened it.

        :param group: the name or path (``Production/EU``) of a group; made where there is none.
        :raises InvalidInput: when the name stands for another place already.
        """
        from tusk_jupyter.connections.keeping import saved_of

        known = self._rows.get(connection.name)
        group_id = self.group_at(group).id if group else (known.group_id if known is not None else None)
        color = color or (known.color if known is not None else None)
        saved = saved_of(connection, name=connection.name, group_id=group_id, color=color)
        if known is not None and known.id != saved.id:
            if place_of(known) != place_of(saved):
                raise InvalidInput(
                    f"{saved.name!r} is saved for {known.username}@{known.host}:{known.port}/{known.database} already",
                    advice=f"It is connected, and not saved: %tusk connections delete {saved.name}, or another --name.",
                )
            saved = replace(saved, id=known.id)
        return self.save(saved, self._typed(connection))

    def _typed(self, connection: Connection) -> dict[Kind, Secret | None]:
        """Return the passwords that opened a connection, from this kernel's memory; never an embedded server's."""
        if connection.target.embedded is not None:
            return {}
        keys: dict[Kind, tuple[str, ...]] = {kind: (connection.id, kind) for kind in KINDS}
        keys["db"] = connection.target.password_key
        return {kind: secret for kind, key in keys.items() if (secret := self._credentials.recall(key)) is not None}

    def replace_password(self, connection: Connection, password: Secret) -> tuple[str, ...]:
        """Keep a database password in place of the one that is kept for a connection; return what to say, if one is."""
        from tusk_jupyter.connections.keeping import saved_of

        known = self._rows.get(connection.id) or self._rows.get(connection.name)
        if known is None or not self._credentials.has(known.id, "db"):
            return ()
        if known.id != connection.id and place_of(known) != place_of(saved_of(connection, name=known.name)):
            return ()
        kept = self._credentials.store(known.id, "db", password, lasting=self.lasting)
        where = "the keychain" if kept.where == "keychain" else "this kernel's memory"
        said = f"the password that is kept for {known.name} in {where} is the new one"
        return (said, *([kept.warning] if kept.warning else []))

    def change(self, name_or_id: str, **fields: Any) -> SavedConnection:
        """Change some fields of a connection and leave the others as they are now; :raises InvalidInput: as save."""
        _check_name(fields.get("name", ""))
        changed = self._rows.change(self.get(name_or_id).id, lambda saved: replace(saved, **fields))
        self._tell_unless_lasting()
        return changed if changed is not None else self.get(name_or_id)

    def rename(self, name_or_id: str, new: str) -> SavedConnection:
        """Give a connection another name; its passwords stay where they are."""
        return self.change(name_or_id, name=new)

    def duplicate(self, name_or_id: str, name: str | None = None) -> SavedConnection:
        """Save a copy without the passwords, as ``NAME-2`` where no name is given."""
        first = self.get(name_or_id)
        taken = set(self.names())
        numbered = (f"{first.name}-{number}" for number in range(2, len(taken) + 3))
        chosen = name or next(candidate for candidate in numbered if candidate not in taken)
        return self.save(replace(first, id="", name=chosen, created_at="")).saved

    def delete(self, name_or_id: str) -> SavedConnection | None:
        """Delete a connection with its passwords and return what it was; ``None`` for a row that could not be used."""
        saved = self.find(name_or_id)
        if saved is not None:
            row_id = saved.id
        elif (unusable := self.unusable().get(name_or_id)) is not None:
            row_id = unusable[0]
        else:
            raise self._missing(name_or_id)
        self._rows.delete(row_id)
        self._credentials.delete(row_id, lasting=self.lasting)
        self._tell_unless_lasting()
        return saved

    def has_secret(self, connection_id: str, kind: Kind) -> bool:
        """Return whether a password of that kind is kept, without giving it away."""
        return self._credentials.has(connection_id, kind)

    def target(self, saved: SavedConnection) -> Target:
        """Return what to connect to; starts the embedded server of a record that is one's."""
        from tusk_jupyter.connections.keeping import embedded_conninfo, target_of

        if saved.embedded is None:
            return target_of(saved)
        from tusk_jupyter.connections import embedded

        server = embedded.start(saved.embedded, self._directory() / "embedded")
        return target_of(saved, embedded=embedded_conninfo(server))

    def _directory(self) -> Path:
        if self._files.directory is None:
            raise InvalidInput("there is no data directory to keep an embedded server in")
        return self._files.directory

    # -- groups ---------------------------------------------------------------------------------------------------

    def groups(self) -> GroupRecords:
        """Return the groups, parents before their children, each level in its order."""
        return self._groups.list()

    def save_group(self, group: Group) -> Group:
        """Insert or update a group by id (an empty one is made); :raises InvalidInput: that names the field."""
        return self._groups.save(group if group.id else replace(group, id=str(uuid.uuid4())))

    def delete_group(self, group_id: str) -> None:
        """Delete a group; what is in it moves up."""
        self._groups.delete(group_id)

    def group_at(self, path: str, *, create: bool = True) -> Group:
        """Return the group of a path (``Production/EU``), making what is missing; :raises InvalidInput: if not to."""
        first, *rest = _parts(path)
        group = self._child(None, first, create=create)
        for name in rest:
            group = self._child(group, name, create=create)
        return group

    def _child(self, parent: Group | None, name: str, *, create: bool) -> Group:
        from tusk_jupyter.connections.saved import Group as Made

        parent_id = parent.id if parent is not None else None
        among = [group for group in self.groups() if group.parent_id == parent_id]
        found = next((group for group in among if group.name == name), None)
        if found is None and not create:
            raise InvalidInput(f"there is no group {name!r}", advice="%tusk connections groups lists them.")
        return found or self.save_group(Made("", name, parent_id, len(among)))

    def group_paths(self) -> dict[str, str]:
        """Return group id → its path (``Production/EU``)."""
        paths: dict[str, str] = {}
        for group in self.groups():
            above = paths.get(group.parent_id or "")
            paths[group.id] = f"{above}/{group.name}" if above else group.name
        return paths


def _check_name(name: str) -> None:
    if name.upper() in STATEMENT_KEYWORDS:
        raise InvalidInput(
            f"{name!r} cannot name a connection: a statement begins with it",
            advice="Choose another name.",
            facts=(("name", "a statement begins with it"),),
        )


def _parts(path: str) -> list[str]:
    parts = [part.strip() for part in path.split("/") if part.strip()]
    if not parts:
        raise InvalidInput("a group needs a name", advice="Write it as NAME, or PARENT/NAME.")
    return parts


def place_of(saved: SavedConnection) -> tuple[object, ...]:
    """Return what decides whether two records lead to the same database."""
    return (saved.host, saved.port, saved.database, saved.username, saved.ssh_tunnel, saved.embedded)


def _there(names: list[str]) -> str:
    return f"Saved are: {', '.join(names)}." if names else "Nothing is saved yet: %tusk_connect … --save keeps one."
