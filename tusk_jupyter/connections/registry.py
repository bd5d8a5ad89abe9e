"""The connections of this kernel by name, and which one is current.

Only ``%tusk_connect`` and ``%tusk use`` change the current one. A name stands for one target: connecting again under a
taken name is refused unless it is to the same place, because cells elsewhere in the notebook rely on that name.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter import interrupts
from tusk_jupyter.errors import ConnectionNotFound, InvalidInput, NoActiveConnection

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.credentials import Credentials
    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.events import Events
    from tusk_jupyter.secret import Secret


class Connections:
    """Connect, find, use, disconnect."""

    def __init__(
        self,
        *,
        credentials: Credentials,
        events: Events,
        on_disconnect: Callable[[Connection], object],
        on_session: Callable[[Connection], object] | None = None,
    ) -> None:
        self._credentials = credentials
        self._on_disconnect = on_disconnect
        self._on_session = on_session
        self._events = events
        self._lock = threading.RLock()
        self._by_name: dict[str, Connection] = {}
        self._current: str | None = None

    def __len__(self) -> int:
        return len(self._by_name)

    @property
    def current(self) -> Connection | None:
        """The connection that cells without a name run on."""
        with self._lock:
            return self._by_name.get(self._current) if self._current is not None else None

    def active(self) -> list[Connection]:
        """Return the connections, in the order in which they were made."""
        with self._lock:
            return list(self._by_name.values())

    def names(self) -> list[str]:
        """Return their names."""
        return [connection.name for connection in self.active()]

    def connect(
        self,
        name: str | None,
        target: Target,
        *,
        ask: Callable[[str], Secret | None] | None = None,
        current: bool = True,
    ) -> Connection:
        """Open a connection, make it the current one and return it; one that is open to the same target goes on.

        :param current: ``False`` leaves the current one as it is, unless there is none.
        :param name: ``None`` takes ``database@host`` from what the server says.
        :raises InvalidInput: when the name stands for another target.
        :raises TuskError: when the server cannot be reached or refuses; nothing is kept then.
        """
        from tusk_jupyter.connections.connection import Connection
        from tusk_jupyter.connections.tls_paths import resolved

        target = replace(target, conninfo=resolved(target.conninfo))
        known = self._known(name, target)
        if name is not None and known is not None and not _same(known.target, target):
            raise _taken(name, known)
        connection = known or Connection(
            name or target.conninfo.redacted(),
            target,
            credentials=self._credentials,
            events=self._events,
            on_session=self._on_session,
        )
        connection.session(ask)
        if known is None and name is None:
            self._name(connection)
        with self._lock:
            # the manager connects on threads of its own: whoever was first has the name
            first = self._by_name.setdefault(connection.name, connection)
            if current or self._current is None:
                self._current = connection.name
        if first is not connection:
            connection.close()
        return first

    def _known(self, name: str | None, target: Target) -> Connection | None:
        with self._lock:
            if name is not None:
                return self._by_name.get(name)
            return next((c for c in self._by_name.values() if _same(c.target, target)), None)

    def _name(self, connection: Connection) -> None:

        server = connection.server
        found = default_name(dbname=server.dbname if server else None, host=server.host if server else None)
        with self._lock:
            taken = self._by_name.get(found)
        if taken is not None:
            connection.close()
            raise _taken(found, taken)
        connection.rename(found)

    def get(self, name: str | None = None) -> Connection:
        """Return the connection of that name, or the current one.

        :raises ConnectionNotFound: with the near names.
        :raises NoActiveConnection: when there is none at all.
        """
        with self._lock:
            if name is None:
                if (current := self.current) is None:
                    raise NoActiveConnection("no connection yet")
                return current
            if name in self._by_name:
                return self._by_name[name]
            names = list(self._by_name)
        from difflib import get_close_matches

        near = get_close_matches(name, names, n=3)
        known = f"Did you mean {' or '.join(map(repr, near))}? " if near else ""
        there = f"Connected are: {', '.join(names)}." if names else "Nothing is connected yet."
        raise ConnectionNotFound(f"there is no connection named {name!r}", name=name, advice=f"{known}{there}")

    def rename(self, name: str, new: str) -> None:
        """Give an open connection another name; :raises InvalidInput: when that one is taken."""
        connection = self.get(name)
        with self._lock:
            if new in self._by_name:
                raise _taken(new, self._by_name[new])
            # in its place, so that the order stays that of connecting
            self._by_name = {new if key == name else key: value for key, value in self._by_name.items()}
            if self._current == name:
                self._current = new
            connection.rename(new)

    def use(self, name: str) -> Connection:
        """Make a connection the current one."""
        connection = self.get(name)
        with self._lock:
            self._current = connection.name
        return connection

    def disconnect(self, name: str | None = None) -> Connection:
        """Close a connection and forget it; the last one made before it becomes current."""
        connection = self.get(name)
        with self._lock:
            self._by_name.pop(connection.name, None)
            if self._current == connection.name:
                self._current = next(reversed(self._by_name), None)
        connection.close()
        self._on_disconnect(connection)
        return connection

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            connections, self._by_name, self._current = list(self._by_name.values()), {}, None
        _close_all(connections)


def _close_all(connections: list[Connection]) -> None:
    """Close them side by side: one whose server does not answer takes four seconds."""
    interrupts.side_by_side([connection.close for connection in connections], name="disconnect")


def _same(one: Target, other: Target) -> bool:
    return _place(one) == _place(other)


def _place(target: Target) -> Target:
    return replace(target, conninfo=target.conninfo.public(), notes=(), ask=False, saved_id=None)


def _taken(name: str, known: Connection) -> InvalidInput:
    return InvalidInput(
        f"{name!r} is connected to {known.target.conninfo.redacted()} already",
        advice=f"Choose another name with --name, or end that one first: %tusk disconnect {name}",
    )


def default_name(*, dbname: str | None, host: str | None) -> str:
    """Return ``database@host`` for a connection that was given no name; a socket directory is ``localhost``."""
    first = (host or "").split(",")[0]
    return f"{dbname or 'postgres'}@{'localhost' if not first or first[0] in '/@' else first}"
