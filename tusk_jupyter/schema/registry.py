"""What is known of the databases of this kernel's connections: ``Tusk.schemas``.

``catalog(connection)`` never waits and never fails: what is not known yet is not in it. Reading begins when a session
is opened. In a forked child nothing is known: neither the readers' threads nor their connections are there.
"""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections import forking
from tusk_jupyter.schema import changes
from tusk_jupyter.schema.cache import EMPTY, SchemaCache

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.events import Events
    from tusk_jupyter.schema.catalog import Catalog
    from tusk_jupyter.schema.changes import Changes

_LEAST = 2


class Schemas:
    """The caches of all connections; ``close()`` ends them."""

    def __init__(self, *, events: Events) -> None:
        self._events = events
        self._lock = threading.Lock()
        self._closed = False
        self.in_background = True
        self._caches: weakref.WeakKeyDictionary[Connection, SchemaCache] = weakref.WeakKeyDictionary()
        forking.watch(self)

    def catalog(self, connection: Connection) -> Catalog:
        """Return what is known of a connection's database now, as its session sees it; from any thread."""
        cache = self._caches.get(connection)
        if cache is None:
            return EMPTY
        if cache.is_old and self._may_read(connection):
            cache.read(changes.BY_OTHERS)
        return cache.catalog(connection.live_session)

    def doubtful(self, session: Session, connection: Connection) -> frozenset[str]:
        """Return the names that a session's open transaction has to do with, which only it sees as they are now."""
        cache = self._caches.get(connection)
        return cache.doubtful(session) if cache is not None else frozenset()

    def user(self, session: Session, connection: Connection) -> str | None:
        """Return who a session is by now, if it may be somebody else than its login, and that is known."""
        cache = self._caches.get(connection)
        return cache.user(session) if cache is not None else None

    def cache(self, connection: Connection) -> SchemaCache:
        """Return the cache of a connection, made where there is none."""
        with self._lock:
            cache = self._caches.get(connection)
            if cache is None:
                cache = self._caches[connection] = SchemaCache(connection, self._events)
            return cache

    def begin(self, connection: Connection) -> None:
        """Read in the background what a connection's database has; at once, and nothing here fails."""
        if self._may_read(connection):
            self.cache(connection).read()

    def refresh(self, connection: Connection) -> Future[Catalog]:
        """Have everything read again, because the user has asked for it; return a future of what it came to."""
        return self.cache(connection).read()

    def _may_read(self, connection: Connection) -> bool:
        return self.in_background and not self._closed and connection.target.limits.pool_size >= _LEAST

    def follow(self, connection: Connection, session: Session, found: Changes, *, is_open: bool, of_job: bool) -> None:
        """Keep up with a statement that has run on a session: what it may have changed is read again."""
        cache = self._caches.get(connection)
        if cache is not None and self._may_read(connection):
            server = connection.server
            looks = not of_job and server is not None and server.keeps_sessions and session.lost is None
            cache.follow(session, found, is_open=is_open, looks=looks)

    def settle(self, connection: Connection) -> None:
        """Keep up with the end of a transaction that no statement of a cell has ended."""
        if (session := connection.live_session) is not None:
            is_open = session.transaction is not None
            self.follow(connection, session, changes.NOTHING, is_open=is_open, of_job=False)

    def drop(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        with self._lock:
            cache = self._caches.pop(connection, None)
        if cache is not None:
            cache.close()

    def close(self) -> None:
        """End the reading of all; closing twice is fine."""
        with self._lock:
            self._closed = True
            caches = list(self._caches.values())
            self._caches.clear()
        for cache in caches:
            cache.close()

    def forget(self) -> list[Any]:
        """Know nothing, in a forked child."""
        self._lock = threading.Lock()
        self._caches = weakref.WeakKeyDictionary()
        return []
