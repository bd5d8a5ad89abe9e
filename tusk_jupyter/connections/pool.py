"""The connections of a pool besides the session: lent for a moment, reset, checked, given back.

The leased session is the one connection that is always there. It is opened directly, so that its failure is classified,
and never given back; it counts all the same: ``status()`` and ``--pool-size`` speak of both together.

Why not psycopg_pool (3.3.3): between dead connections and failed attempts it waits 1, 2, 4, 8, 16 s, so a borrower
times out on a server that is well again (measured: 8 dead ones, 30 s); its time-out bounds neither the check (measured:
3 s asked for, still waiting after 12) nor the reset; it counts dead connections as available (measured: 3 of 3), and
those that it is still trying to open; and its failures are lines of a log. Draining at the first failure mends the
first of these only. Here the borrower's thread checks, what takes longer (opening, resetting) has a daemon thread of
its own as long as it takes, and the numbers are counted under the lock that changes them.

A connection that lay idle is asked before it is lent, within the borrower's time (one round trip); one that
fails takes the others that lie idle with it, because what ended one has ended them all as a rule. What comes back is
reset within its own time, which is a check as well. A failure to open is tried again, as long as somebody waits and it
is of a kind that passes; another kind, a refused password say, is the borrower's at once: a server may lock the role.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import psycopg

from tusk_jupyter import interrupts
from tusk_jupyter.connections import forking, liveness
from tusk_jupyter.errors import ConnectionFailed, PoolTimeout
from tusk_jupyter.translate import translate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tusk_jupyter.errors import TuskError

    Opened = psycopg.Connection[Any]

CHECK_TIMEOUT_S: Final = 3.0
RESET_TIMEOUT_S: Final = 3.0
SLICE_S: Final = 0.05
RETRY_S: Final = 0.3
MOST_RETRY_S: Final = 2.0
IDLE_S: Final = 600.0


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """How many connections there are, how many of them are idle, and how many borrowers wait."""

    size: int
    available: int
    waiting: int
    max_size: int


class _Waiter:
    """A borrower in the queue, and what it gets: a connection, or why there is none."""

    __slots__ = ("conn", "error", "served")

    def __init__(self) -> None:
        self.served = threading.Event()
        self.conn: Opened | None = None
        self.error: TuskError | None = None


class ConnectionPool:
    """Up to ``max_size`` connections including the leased session; ``borrow()`` and give back.

    :param open_one: opens a connection, or returns why not.
    :param reset: what a connection runs when it comes back.
    :param leased: tells whether the session is there.
    """

    def __init__(
        self,
        open_one: Callable[[], Opened | TuskError],
        *,
        reset: Callable[[], tuple[bytes, ...]],
        leased: Callable[[], bool],
        max_size: int,
        timeout_s: float,
        name: str,
    ) -> None:
        self._open_one = open_one
        self._reset = reset
        self._leased = leased
        self._changed = threading.Condition()
        self._idle: deque[tuple[Opened, float]] = deque()  # the longest idle first
        self._lent: set[Opened] = set()
        self._returning: set[Opened] = set()
        self._waiting: deque[_Waiter] = deque()
        self._opening = 0
        self._reaping = False
        self._closed = self._inherited = False
        self._refused: str | None = None
        self.is_direct = True  # no pooler in between
        self.on_wanted: Callable[[], object] | None = None  # see tell_when_wanted
        self.max_size = max_size
        self.timeout_s = timeout_s
        self.name = name
        forking.watch(self)

    @contextmanager
    def borrow(
        self, timeout_s: float | None = None, *, until: Callable[[], bool] | None = None
    ) -> Iterator[psycopg.Connection[Any]]:
        """Lend a connection in autocommit.

        :param until: asked now and then while there is none; ``True`` ends the wait.
        :raises PoolTimeout: when none is free in time.
        :raises TuskError: when one cannot be opened for a reason that does not pass.
        """
        limit = self.timeout_s if timeout_s is None else timeout_s
        conn = self._take(limit, until) if self.max_size > 1 else None
        if conn is None:
            raise self._exhausted(limit)
        try:
            yield conn
        finally:
            self._give_back(conn)

    def status(self) -> PoolStatus:
        """Return numbers that are right at this moment, the leased session included; what is dead is in none."""
        with self._changed:
            gone = self._drop_gone()
            there = sum(not liveness.is_gone(conn.pgconn) for conn in (*self._lent, *self._returning))
            found = PoolStatus(
                size=there + len(self._idle) + self._leased(),
                available=len(self._idle),
                waiting=len(self._waiting),
                max_size=self.max_size,
            )
        _close(gone)
        return found

    @contextmanager
    def borrow_spare(self, timeout_s: float) -> Iterator[psycopg.Connection[Any]]:
        """Lend a connection that nobody else wants: one that is idle or on its way back, or another that fits.

        :raises PoolTimeout: at once when there is none, or the server takes no more; else after ``timeout_s``.
        """
        with self._changed:
            spare = self.max_size - 1 - len(self._lent) - len(self._waiting)
        if spare <= 0:
            raise self._exhausted(0)
        with self.borrow(timeout_s, until=lambda: self._refused is not None) as conn:
            yield conn

    @property
    def is_closed(self) -> bool:
        """Whether it lends no more."""
        return self._closed

    def tell_when_wanted(self, call: Callable[[], object]) -> None:
        """Have ``call()`` called when somebody waits, and when it is closed: by who can do without the one it has."""
        with self._changed:
            self.on_wanted = call

    def tell_no_more(self, call: Callable[[], object]) -> None:
        """Forget ``call``, unless another has come in its place already."""
        with self._changed:
            if self.on_wanted == call:
                self.on_wanted = None

    def waiting(self) -> int:
        """Return how many borrowers wait, without a look at anything else."""
        return len(self._waiting)

    def close(self) -> None:
        """Close every connection, a borrowed one when it comes back; closing twice is fine."""
        with self._changed:
            self._closed = True
            idle, waiting = [conn for conn, _ in self._idle], list(self._waiting)
            self._idle.clear()
            self._waiting.clear()
            self._changed.notify_all()
        _serve(waiting, self._closed_error())
        _close(idle)
        self._tell()

    def forget(self) -> list[Any]:
        """Drop, in a forked child, what is the parent's, and return it: it is neither closed nor used there."""
        inherited = [*(conn for conn, _ in self._idle), *self._lent, *self._returning]
        self._changed = threading.Condition()
        for each in (self._idle, self._lent, self._returning, self._waiting):
            each.clear()
        self._opening, self._reaping = 0, False
        self._closed = self._inherited = True
        return inherited

    # -- borrowing ------------------------------------------------------------------------------------------------

    def _take(self, limit: float, until: Callable[[], bool] | None) -> Opened | None:
        deadline = time.monotonic() + limit
        while True:
            with self._changed:
                if self._closed:
                    raise self._closed_error()
                gone, idle, waiter = self._drop_gone(), None, _Waiter()
                if self._idle:
                    idle, _ = self._idle.pop()
                    self._lent.add(idle)
                else:
                    self._waiting.append(waiter)
                    self._grow()
            _close(gone)
            if idle is None:
                self._tell()
                return self._wait(waiter, deadline, until)
            if self._is_sound(idle, deadline):
                return idle
            if time.monotonic() >= deadline or (until is not None and until()):
                return None

    def _tell(self) -> None:
        if (call := self.on_wanted) is not None:
            call()

    def _is_sound(self, conn: Opened, deadline: float) -> bool:
        left = max(deadline - time.monotonic(), 0.001)
        try:
            liveness.run_within(conn, min(CHECK_TIMEOUT_S, left), b"")
        except (psycopg.Error, OSError) as error:
            # one that was only not given the time says nothing of the others
            is_cut_short = isinstance(error, psycopg.errors.ConnectionTimeout) and left < CHECK_TIMEOUT_S
            self._drop(conn, others=not is_cut_short)
            return False
        except BaseException:  # an interrupt: the answer is still under way
            self._discard(conn)
            raise
        return True

    def _drop(self, conn: Opened, *, others: bool) -> None:
        with self._changed:
            self._lent.discard(conn)
            gone = [conn, *(other for other, _ in self._idle if others)]
            if others:
                self._idle.clear()
            self._grow()
        _close(gone)

    def _wait(self, waiter: _Waiter, deadline: float, until: Callable[[], bool] | None) -> Opened | None:
        try:
            while not (until is not None and until()):
                left = deadline - time.monotonic()
                if waiter.served.wait(max(left, 0.0) if until is None else max(min(left, SLICE_S), 0.0)) or left <= 0:
                    break
        except BaseException:  # an interrupt: what came for it meanwhile goes back
            self._leave(waiter)
            if waiter.conn is not None:
                self._give_back(waiter.conn)
            raise
        self._leave(waiter)
        if waiter.error is not None:
            raise waiter.error
        return waiter.conn

    def _leave(self, waiter: _Waiter) -> None:
        with self._changed:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
                self._changed.notify_all()

    def _exhausted(self, limit: float) -> PoolTimeout:
        status, refused = self.status(), self._refused
        message = (
            f"no connection of {self.name!r} became free within {limit:g} s "
            f"({status.size} of {status.max_size} open, {status.waiting} waiting)"
        )
        if refused is None:
            return PoolTimeout(message, duration_s=limit)
        return PoolTimeout(
            f"{message}; the last attempt to open another one failed: {refused}",
            advice="Do with fewer connections, wait for those that are open (%tusk status), or mend what it failed of.",
            duration_s=limit,
        )

    def _closed_error(self) -> ConnectionFailed:
        return ConnectionFailed(f"the pool of {self.name!r} is closed", advice="Connect again.")

    # -- with the lock held ---------------------------------------------------------------------------------------

    def _drop_gone(self) -> list[Opened]:
        """Take out those that lie idle and whose server has hung up; return them."""
        gone = [conn for conn, _ in self._idle if liveness.is_gone(conn.pgconn)]
        if gone:
            self._idle = deque(each for each in self._idle if each[0] not in gone)
        return gone

    def _grow(self) -> None:
        """Begin to open as many as are waited for and fit in."""
        open_now = len(self._idle) + len(self._lent) + len(self._returning)
        room = self.max_size - 1 - open_now - self._opening
        for _ in range(min(room, len(self._waiting) - self._opening)):
            try:
                interrupts.spawn("pool-open", self._open)
            except RuntimeError:  # no more threads: who waits has its time-out, and the next borrower tries again
                return
            self._opening += 1

    def _hand_over(self, conn: Opened) -> None:
        """Lend a connection that is known to be sound to whoever waits longest, or lay it aside."""
        if self._waiting:
            waiter = self._waiting.popleft()
            self._lent.add(conn)
            waiter.conn = conn
            waiter.served.set()
            return
        self._idle.append((conn, time.monotonic()))
        if not self._reaping:
            with contextlib.suppress(RuntimeError):  # no more threads: it stays open until it is needed or closed
                interrupts.spawn("pool-idle", self._reap)
                self._reaping = True

    # -- on threads of their own ----------------------------------------------------------------------------------

    def _open(self) -> None:
        pause = RETRY_S
        while True:
            outcome = self._attempt()
            with self._changed:
                if isinstance(outcome, psycopg.Connection):
                    self._opening -= 1
                    self._refused = None
                    if not self._closed:
                        self._hand_over(outcome)
                        return
                    break
                self._refused = outcome.message
                if not isinstance(outcome, ConnectionFailed):
                    waiting = list(self._waiting)
                    self._waiting.clear()
                    _serve(waiting, outcome)
                if not self._waiting or self._changed.wait_for(lambda: not self._waiting, pause):
                    self._opening -= 1
                    return
            pause = min(pause * 2, MOST_RETRY_S)
        outcome.close()

    def _attempt(self) -> Opened | TuskError:
        try:
            return self._open_one()
        except Exception as crash:  # noqa: BLE001 - whoever waits is to hear of it
            return translate(crash, doing="opening a connection")

    def _give_back(self, conn: Opened) -> None:
        with self._changed:
            usable = not self._closed and conn in self._lent and conn.pgconn.status == psycopg.pq.ConnStatus.OK
            if usable:
                self._lent.discard(conn)
                self._returning.add(conn)
        if not usable:
            self._discard(conn)
            return
        try:
            interrupts.spawn("pool-return", lambda: self._renew(conn))
        except RuntimeError:  # the interpreter is shutting down
            self._discard(conn)

    def _renew(self, conn: Opened) -> None:
        idle = conn.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE
        try:
            liveness.run_within(conn, RESET_TIMEOUT_S, *(() if idle else (b"rollback",)), *self._reset())
        except (psycopg.Error, OSError):
            self._discard(conn)
            return
        with self._changed:
            self._returning.discard(conn)
            if not self._closed:
                self._hand_over(conn)
                return
        conn.close()

    def _discard(self, conn: Opened) -> None:
        if self._inherited:  # lent before the fork
            return
        with self._changed:
            self._lent.discard(conn)
            self._returning.discard(conn)
            if not self._closed:
                self._grow()
        conn.close()

    def _reap(self) -> None:
        """Close what nobody needed for ten minutes."""
        while True:
            with self._changed:
                if not self._idle or self._closed:
                    self._reaping = False
                    return
                conn, since = self._idle[0]
                if (left := since + IDLE_S - time.monotonic()) > 0:
                    self._changed.wait(left)
                    continue
                self._idle.popleft()
            conn.close()


def _serve(waiting: list[_Waiter], error: TuskError) -> None:
    for waiter in waiting:
        waiter.error = error
        waiter.served.set()


def _close(connections: list[Opened]) -> None:
    for conn in connections:
        conn.close()
