"""What is known of one connection's database: a Catalog, read in the background and kept as long as the connection.

The reader is a thread that is there while there is something to read. It borrows a connection of the pool as the watch
does, after everybody else: only where one is free or fits in, and it goes back when somebody waits for one
(:mod:`~tusk_jupyter.schema.reading`). What was read until then stays; the read begins again later.

After the first read only what may have changed is read again (:mod:`~tusk_jupyter.schema.sweep`): after a statement of
this kernel that may have changed something, when its transaction is over, because nobody else sees it before; and when
what is known is asked for and a minute old, because of what others do.

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
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tusk_jupyter.errors import ConnectionFailed, PoolTimeout, TuskError
from tusk_jupyter.schema import changes, news
from tusk_jupyter.schema.catalog import PARTS, Catalog
from tusk_jupyter.schema.session_paths import SessionPaths

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.pool import ConnectionPool
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.events import Events
    from tusk_jupyter.schema.changes import Changes
    from tusk_jupyter.schema.introspect import Ask, Found

log = logging.getLogger("tusk_jupyter.schema")

PAUSE_S: Final = 0.25
BORROW_S: Final = 5.0
JOIN_S: Final = 2.0
EXPIRY_S: Final = 60.0
EMPTY: Final = Catalog()
_FIELDS: Final = {
    "schemas": ("schemas",),
    "relations": ("by_schema",),
    "columns": (),
    "keys": ("keys",),
    "types": ("types", "casts"),
    "functions": ("functions_by_name",),
    "names": ("names", "settings", "keywords"),
}


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
        self._due = changes.NOTHING
        self._stopped = False
        self._paths = SessionPaths()
        self._pending: weakref.WeakKeyDictionary[Session, Changes] = weakref.WeakKeyDictionary()
        self._tried_at = time.monotonic()
        self._known: tuple[Catalog, Found | None] = (EMPTY, None)
        self._given: tuple[Catalog, tuple[str, ...], Catalog] = (EMPTY, (), EMPTY)

    # -- what is known --------------------------------------------------------------------------------------------

    def catalog(self, session: Session | None) -> Catalog:
        """Return what is known now, as a session sees it."""
        known, found = self._known
        if found is None:
            return known
        path = self._paths.of(session, found.place, known)
        of, seen, given = self._given
        if of is not known or seen != path:
            given = known.with_search_path(path)
            self._given = (known, path, given)
        return given

    def doubtful(self, session: Session) -> frozenset[str]:
        """Return the names in statements of a session's open transaction that may have changed what they name."""
        found = self._pending.get(session)
        return found.names if found is not None and found.parts else frozenset()

    def user(self, session: Session) -> str | None:
        """Return who a session is by now, if it may be somebody else than its login."""
        return self._paths.user(session)

    @property
    def is_old(self) -> bool:
        """Whether it is time to see what others have changed, or to try again what has failed."""
        return self._wanted is None and time.monotonic() - self._tried_at > EXPIRY_S

    def follow(self, session: Session, found: Changes, *, is_open: bool, looks: bool) -> None:
        """Keep up with a statement that has run on a session.

        :param is_open: a transaction is open now; :param looks: it is a session to ask where it looks for names.
        """
        if session in self._pending:
            found |= self._pending.pop(session)
        if looks:
            changed = found.looks or (found.temp and self._paths.temp(session) is None)
            self._paths.follow(session, changed=changed, is_open=is_open, then=lambda: self._find_temp(session))
        if is_open:
            self._pending[session] = found
        elif found.parts:
            self.read(found)

    def _find_temp(self, session: Session) -> None:
        _, found = self._known
        if found is not None and found.temp != self._paths.temp(session):
            self.read(changes.Changes(changes.RELATIONS))

    # -- reading --------------------------------------------------------------------------------------------------

    def read(self, due: Changes = changes.ALL) -> Future[Catalog]:
        """Have it read in the background; return a future of what it came to."""
        with self._lock:
            self._due |= due
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
        self._known, self._given = (EMPTY, None), (EMPTY, (), EMPTY)

    # -- on its own thread ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        connection = self._connection()
        try:
            pool = connection.adopt(self) if connection is not None else None
        except ConnectionFailed:
            pool = None
        try:
            while pool is not None and self._goes_on(pool):
                if not _fits(pool) or not self._borrow(pool):
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
            if self._thread is not threading.current_thread() and self._thread is not None:
                return  # another has begun in the meantime
            wanted, self._wanted, self._thread = self._wanted, None, None
        if wanted is not None:
            wanted.cancel()

    def _borrow(self, pool: ConnectionPool) -> bool:
        """Read on a connection of the pool; return whether it was read to its end, or failed for good."""
        import psycopg

        from tusk_jupyter.schema.reading import Asking, GaveWayError

        def leaves() -> bool:
            return self._stopped or pool.is_closed or pool.waiting() > 0

        try:
            with pool.borrow(BORROW_S, until=lambda: self._stopped or pool.is_closed or pool.waiting() > 1) as conn:
                try:
                    self.read_with(Asking(conn, leaves=leaves))
                except (psycopg.Error, OSError) as error:
                    conn.close()
                    self._fail(error)
        except GaveWayError:
            return False
        except PoolTimeout as timeout:
            if leaves():
                return False
            self._fail(timeout)
        except TuskError as refused:
            self._fail(refused)
        return True

    def _fail(self, error: BaseException) -> None:
        log.debug("the schema of %s was not read: %s", self._name, error)
        self._tried_at = time.monotonic()
        with self._lock:
            wanted, self._wanted = self._wanted, None
        if wanted is not None:
            wanted.set_exception(error)

    def read_with(self, ask: Ask) -> Catalog:
        """Read what is due with ``ask``; what is known grows part by part."""
        from tusk_jupyter.schema.finding import prepare

        with self._lock:
            wanted, due, self._due = self._wanted, self._due, changes.NOTHING
        before = self._known[0]
        news.refresh_started(self._events, self._id)
        began = time.monotonic()
        try:
            for catalog, found in self._parts(ask, due):
                prepare(catalog)  # here, where no key press waits for it
                if not self._stopped:
                    self._known = (catalog, found)
        except BaseException:  # whatever ends it, an interrupt too: what was due still is
            with self._lock:
                self._due |= due
            raise
        self._tried_at = time.monotonic()
        log.debug("the schema of %s was read in %.2f s", self._name, self._tried_at - began)
        after = self._known[0]
        news.refresh_completed(self._events, self._id, before, after)
        with self._lock:
            # what has become due meanwhile is for the same future
            if self._wanted is not wanted or self._due != changes.NOTHING:
                return after
            self._wanted = None
        if wanted is not None:
            wanted.set_result(after)
        return after

    def _parts(self, ask: Ask, due: Changes) -> Iterator[tuple[Catalog, Found]]:
        from tusk_jupyter.schema import introspect, update

        connection = self._connection()
        temp = self._paths.temp(connection.live_session if connection is not None else None)
        before, found = self._known
        if found is not None and before.loaded == frozenset(PARTS) and not due.whole:
            updated = update.update(ask, before, found, due, temp=temp)
            if updated is not None:
                yield updated
                return
        for catalog, found in introspect.read(ask, temp=temp):
            # what was known stays known until its part is read again
            stale = {name: getattr(before, name) for part in before.loaded - catalog.loaded for name in _FIELDS[part]}
            yield replace(catalog, loaded=catalog.loaded | before.loaded, **stale), found


def _fits(pool: ConnectionPool) -> bool:
    status = pool.status()
    return not status.waiting and (status.available > 0 or status.size < status.max_size)
