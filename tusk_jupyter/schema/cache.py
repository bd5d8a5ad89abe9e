"""What is known of one connection's database: a Catalog, read in the background and kept as long as the connection.

The reader is a thread that is there while there is something to read. It borrows a connection of the pool as the watch
does, after everybody else: only where one is free or fits in, and it goes back when somebody waits for one
(:mod:`~tusk_jupyter.schema.reading`). What was read until then stays; the read begins again later.

A pool of one has only the session, which is the user's: nothing is read in the background there, completion knows no
names of the database, and ``%tusk refresh`` reads on the session, because then the user has asked for it.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
import weakref
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from tusk_jupyter.errors import ConnectionFailed, PoolTimeout, TuskError
from tusk_jupyter.events import SchemaEvent
from tusk_jupyter.schema import search_path
from tusk_jupyter.schema.catalog import Catalog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.pool import ConnectionPool
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.events import Events
    from tusk_jupyter.schema.introspect import Ask, Found

log = logging.getLogger("tusk_jupyter.schema")

PAUSE_S: Final = 0.25
BORROW_S: Final = 5.0
JOIN_S: Final = 2.0
EMPTY: Final = Catalog()


@dataclass(frozen=True, slots=True)
class Looked:
    """Where a session looks for names: its ``search_path``, its user, the schema of its temporary tables."""

    path: str
    user: str
    temp: str | None = None


class SchemaCache:
    """The Catalog of one connection; ``close()`` ends its reading."""

    def __init__(self, connection: Connection, events: Events) -> None:
        self._connection = weakref.ref(connection)
        self._id = connection.id
        self._name = connection.name
        self._events = events
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._wanted: Future[Catalog] | None = None
        self._stopped = False
        self._catalog = EMPTY
        self._found: Found | None = None
        self._seen_by: weakref.WeakKeyDictionary[Session, Looked] = weakref.WeakKeyDictionary()
        self._given: tuple[Catalog, tuple[str, ...], Catalog] = (EMPTY, (), EMPTY)

    # -- what is known --------------------------------------------------------------------------------------------

    def catalog(self, session: Session | None) -> Catalog:
        """Return what is known now, as a session sees it."""
        known, found = self._catalog, self._found
        if found is None:
            return known
        looked = self._seen_by.get(session) if session is not None else None
        looked = looked or Looked(found.place.path, found.place.user)
        reported = session.parameter("search_path") if session is not None else None
        setting = looked.path if reported is None else reported
        path = search_path.resolve(setting, user=looked.user, schemas=known.schemas, temp=looked.temp)
        of, seen, given = self._given
        if of is not known or seen != path:
            given = known.with_search_path(path)
            self._given = (known, path, given)
        return given

    # -- reading --------------------------------------------------------------------------------------------------

    def read(self) -> Future[Catalog]:
        """Have it read in the background; return a future of what it came to."""
        with self._lock:
            if self._wanted is None:
                self._wanted = Future()
            wanted = self._wanted
            if self._stopped:
                wanted.cancel()
            elif self._thread is None:
                self._start()
        return wanted

    def _start(self) -> None:
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._work,), name=f"tusk-schema-{self._name}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # no more threads, or the interpreter is shutting down
            self._thread = None

    def close(self) -> None:
        """End the reading, and know nothing any more; closing twice is fine."""
        self.cancel_at_exit()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(JOIN_S)

    def cancel_at_exit(self) -> None:
        """Ask for the end of the reading and return at once."""
        self._stopped = True
        self._wake.set()
        self._catalog, self._found, self._given = EMPTY, None, (EMPTY, (), EMPTY)

    # -- on its own thread ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        connection = self._connection()
        try:
            pool = connection.adopt(self) if connection is not None else None
        except ConnectionFailed:
            pool = None
        try:
            while pool is not None and self._goes_on(pool):
                if not self._fits(pool) or not self._borrow(pool):
                    self._wake.wait(PAUSE_S)
        except Exception:  # whatever it is, it is nothing that a cell should show
            log.exception("reading the schema of %s failed", self._name)
        finally:
            if connection is not None:
                connection.dismiss(self)
            self._let_go()

    def _goes_on(self, pool: ConnectionPool) -> bool:
        with self._lock:
            if self._wanted is None or self._stopped or pool.is_closed:
                self._thread = None
                return False
            return True

    def _let_go(self) -> None:
        with self._lock:
            wanted, self._wanted, self._thread = self._wanted, None, None
        if wanted is not None:
            wanted.cancel()

    def _fits(self, pool: ConnectionPool) -> bool:
        status = pool.status()
        return not status.waiting and (status.available > 0 or status.size < status.max_size)

    def _borrow(self, pool: ConnectionPool) -> bool:
        """Read on a connection of the pool; return whether it was read to its end."""
        import psycopg

        from tusk_jupyter.schema.reading import Asking, GaveWayError

        def leaves() -> bool:
            return self._stopped or pool.is_closed or pool.waiting() > 0

        try:
            with pool.borrow(BORROW_S, until=lambda: self._stopped or pool.is_closed or pool.waiting() > 1) as conn:
                try:
                    self.read_with(Asking(conn, leaves=leaves))
                except (psycopg.Error, OSError) as error:
                    log.debug("reading the schema of %s failed: %s", self._name, error)
                    conn.close()
                    self._fail(error)
        except GaveWayError:
            return False
        except PoolTimeout as timeout:
            if pool.waiting() or leaves():
                return False
            self._fail(timeout)
        except TuskError as refused:
            log.debug("reading the schema of %s gets no connection: %s", self._name, refused)
            self._fail(refused)
        return True

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted.set_exception(error)

    def read_with(self, ask: Ask) -> Catalog:
        """Read it all with ``ask``; what is known grows part by part."""
        with self._lock:
            wanted = self._wanted
        self._tell("refresh_started")
        began = time.monotonic()
        for catalog, found in self._parts(ask):
            if not self._stopped:
                self._catalog, self._found = catalog, found
        log.debug("the schema of %s was read in %.2f s", self._name, time.monotonic() - began)
        with self._lock:
            if self._wanted is wanted:
                self._wanted = None
        self._tell("refresh_completed")
        if wanted is not None and wanted.set_running_or_notify_cancel():
            with suppress(Exception):
                wanted.set_result(self._catalog)
        return self._catalog

    def _parts(self, ask: Ask) -> Iterator[tuple[Catalog, Found]]:
        from tusk_jupyter.schema import introspect

        before = self._catalog
        for catalog, found in introspect.read(ask):
            # what was known stays known until its part is read again
            stale = {name: getattr(before, name) for part in before.loaded - catalog.loaded for name in _FIELDS[part]}
            yield replace(catalog, loaded=catalog.loaded | before.loaded, **stale), found

    def _tell(self, status: Any) -> None:
        if self._events.are_heard:
            self._events.emit(SchemaEvent(status, self._id))


_FIELDS: Final = {
    "schemas": ("schemas",),
    "relations": ("by_schema",),
    "columns": (),
    "keys": ("keys",),
    "types": ("types", "casts"),
    "functions": ("functions_by_name",),
    "names": ("names", "settings", "keywords"),
}
