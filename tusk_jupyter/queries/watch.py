"""The watch over one connection: its thread, the connection that it borrows, and when it looks.

It is there as long as it follows something: it ends by itself, and :class:`~tusk_jupyter.queries.watching.Watching`
begins another. Borrowing comes after everybody else's: only where a connection is free or fits in, never from a queue,
and what it has goes back as soon as the pool says that somebody waits (``on_wanted``), not at the next look. It ends
with its pool as well, which a disconnect closes: a thread that nobody can give a connection to would stay for good.

What was seen is believed as long as somebody looks. When the connection goes, so does what a statement does and waits
for: of a lock that it has got meanwhile nobody would know. What an error says is no older than two looks.
"""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import psycopg

from tusk_jupyter.connections import liveness
from tusk_jupyter.errors import PoolTimeout, TuskError
from tusk_jupyter.queries import estimates, looks, relief, sights
from tusk_jupyter.queries.progress import Seen

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.opening import ServerInfo
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.progress import Holder

    Opened = psycopg.Connection[Any]
    Request = Callable[["Opened"], Any]

    class Owner(Protocol):
        """Who begins and ends watches."""

        def names(self, started: str) -> dict[int, str]: ...

        def end(self, watch: Watch) -> bool: ...


log = logging.getLogger("tusk_jupyter.watching")

LOOK_S: Final = 0.25
SHARE: Final = 10  # a look may take a tenth of the time
FRESH_S: Final = 2.5
SLOWER: Final = ((300.0, 2.0), (30.0, 1.0))
TIMEOUT_S: Final = 2.0
BORROW_S: Final = 5.0
RETRY_S: Final = 1.0
REFUSED_S: Final = 60.0
_SETTINGS: Final = (
    b"set statement_timeout = '1s'; set lock_timeout = '100ms'; set default_transaction_read_only = on; "
    b"set datestyle = 'ISO'; set timezone = 'UTC'; set client_encoding = 'UTF8'; set client_min_messages = error"
)


class Watch:
    """The watch over one connection: its thread, the connection it borrows, and what it follows."""

    def __init__(self, connection: Connection, server: ServerInfo, owner: Owner) -> None:
        self.connection = connection
        self._server = server
        self.is_over = False
        self._owner = owner
        self._pool = connection.pool
        self._followed: dict[str, tuple[Execution, sights.Follower]] = {}
        self._requests: list[tuple[Request, Future[Any]]] = []
        self._wake = threading.Event()
        self._stopped = False
        self._pause = LOOK_S
        self._started = threading.Lock()
        run = contextvars.copy_context().run
        self._thread = threading.Thread(
            target=run, args=(self._work,), name=f"tusk-watch-{connection.name}", daemon=True
        )

    def has(self, execution: Execution) -> bool:
        """Whether it follows an execution."""
        return execution.id in self._followed

    @property
    def pids(self) -> set[int]:
        """The backends of all that it follows."""
        return {pid for execution, _ in list(self._followed.values()) for pid in execution.backend_pids}

    def add(self, execution: Execution) -> None:
        """Follow an execution to its end (under the owner's lock)."""
        if execution.id not in self._followed:
            self._followed[execution.id] = execution, sights.Follower(execution.statement.text)
            execution.when_done(self._wake.set)

    def start(self) -> None:
        """Begin; more than once is fine."""
        if self._started.acquire(blocking=False):
            try:
                self._thread.start()
            except RuntimeError:  # no more threads, or the interpreter is shutting down: counts only
                self.is_over = True

    def ask(self, request: Request, limit_s: float) -> Any:
        """Have something done on the borrowed connection, and return what came of it; ``None`` if nothing in time."""
        answer: Future[Any] = Future()
        self._requests.append((request, answer))
        self._wake.set()
        with suppress(Exception):
            return answer.result(limit_s)
        # nobody waits for it any more: to do it later would surprise, and what has something left to do never ends
        answer.cancel()
        with suppress(ValueError):
            self._requests.remove((request, answer))
        self._wake.set()
        return None

    def close(self) -> None:
        """End it; the connection goes back, or is closed with its pool."""
        self._stopped = True
        self._wake.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(TIMEOUT_S)

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing left to do."""
        return self._stopped or self._pool.is_closed or not (self._followed or self._requests)

    # -- on its own thread ----------------------------------------------------------------------------------------

    def _work(self) -> None:
        self._pool.tell_when_wanted(self._wake.set)
        pause = LOOK_S
        try:
            while not self._is_done():
                pause = self._borrow() if self._fits() else LOOK_S
                self._wake.wait(pause)
                self._wake.clear()
        except Exception:  # whatever it is, it is nothing that a cell should show
            log.exception("the watch over %s failed", self.connection.name)
        finally:
            self.is_over = True
            self._pool.tell_no_more(self._wake.set)
            self._refuse()

    def _is_done(self) -> bool:
        over = [
            key for key, (execution, _) in list(self._followed.items()) if execution.state not in {"waiting", "running"}
        ]
        for key in over:
            del self._followed[key]
        return self._owner.end(self)

    def _fits(self) -> bool:
        status = self._pool.status()
        return not status.waiting and (status.available > 0 or status.size < status.max_size)

    def _leaves(self) -> bool:
        return self.is_idle or self._pool.waiting() > 1

    def _borrow(self) -> float:
        """Look for as long as there is something to see and nobody else wants the connection; return when to go on."""
        try:
            with self._pool.borrow(BORROW_S, until=self._leaves) as conn:
                try:
                    liveness.run_within(conn, TIMEOUT_S, _SETTINGS, looks.prepare(self._server.version_num).encode())
                    try:
                        self._look_on(conn)
                    finally:
                        self._forget()
                except (psycopg.Error, OSError) as error:
                    log.debug("the watch over %s lost its connection: %s", self.connection.name, error)
                    conn.close()
                    return RETRY_S
        except PoolTimeout:
            return LOOK_S
        except TuskError as refused:
            log.debug("the watch over %s gets no connection: %s", self.connection.name, refused)
            return REFUSED_S
        return 0.0 if self.is_idle else LOOK_S

    def _look_on(self, conn: Opened) -> None:
        due = 0.0
        while not self._is_done() and not self._pool.waiting():
            self._answer(conn)
            if (began := time.monotonic()) >= due:
                self.look(conn)
                due = began + self._pause
            self._wake.wait(max(0.0, due - time.monotonic()))
            self._wake.clear()

    def _interval(self) -> float:
        age = min((execution.elapsed_ms / 1000 for execution, _ in list(self._followed.values())), default=0.0)
        return next((slower for after, slower in SLOWER if age >= after), LOOK_S)

    def look(self, conn: Opened) -> bool:
        """Look once; :raises psycopg.Error: when the connection is lost."""
        followed, began = list(self._followed.values()), time.monotonic()
        try:
            rows = liveness.ask(conn, TIMEOUT_S, looks.execute(self.pids).encode())
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            log.debug("a look at %s failed: %s", self.connection.name, error)
            return False
        finally:
            self._pause = max(self._interval(), (time.monotonic() - began) * SHARE)
        until = began + max(FRESH_S, 2 * self._pause)
        found = looks.found(rows)
        own = self._owner.names(self._server.started)
        for execution, follower in followed:
            seen = follower.seen(found, execution.backend_pids, own)
            if seen is not None and execution.state == "running":
                execution.seen = replace(seen, until=until)
            self._estimate(conn, execution, follower)
        return True

    def _forget(self) -> None:
        """Leave nothing that only a look could take back; how many rows are expected stays true."""
        for execution, _ in list(self._followed.values()):
            if execution.state == "running":
                execution.seen = Seen(expected_rows=execution.seen.expected_rows)

    def _estimate(self, conn: Opened, execution: Execution, follower: sights.Follower) -> None:
        """Ask once, when rows have begun to come, how many there will be."""
        if follower.is_estimated or (command := execution.planned) is None:
            return
        follower.is_estimated = True
        pids = execution.backend_pids
        follower.expected_rows = estimates.expected_rows(conn, execution.statement, command, pids)

    def relieve(self, conn: Opened, execution: Execution, holder: Holder) -> str:
        """Stop who stands in the way of an execution; :raises psycopg.Error: when the connection is lost."""
        version_num = self._server.version_num
        return relief.relieve(conn, execution.backend_pids, holder, version_num=version_num, limit_s=TIMEOUT_S)

    def _answer(self, conn: Opened) -> None:
        while self._requests:
            request, answer = self._requests.pop(0)
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(request(conn))
            except psycopg.Error as error:
                answer.set_exception(error)
                if error.sqlstate is None:
                    raise
            except Exception as error:  # noqa: BLE001 - it is whoever asked that hears of it
                answer.set_exception(error)

    def _refuse(self) -> None:
        while self._requests:
            self._requests.pop(0)[1].cancel()
