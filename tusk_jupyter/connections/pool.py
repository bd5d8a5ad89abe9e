"""The connections of a pool besides the session: lent for a moment, reset, checked, given back.

psycopg_pool does the pooling; it starts (five threads) with the first loan, because most notebooks never need one.
The leased session is not taken from it: it is opened directly, so that its failure is classified (the pool's workers
only log theirs, and the user would get a ``PoolTimeout`` after 30 s), and it is never given back. It counts all the
same: ``status()`` and ``--pool-size`` speak of both together.

psycopg_pool's own check loop backs off 1, 2, 4, 8, 16 s between dead connections and times out on a healthy server
after a restart; ours drains the pool at its first failure and bounds the check in time. ``DISCARD ALL`` on return,
because ``search_path``, temp tables and advisory locks would leak to the next borrower.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from tusk_jupyter.errors import ConnectionFailed, PoolTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg_pool

CHECK_TIMEOUT_S = 3.0
SLICE_S = 0.05


@dataclass(frozen=True, slots=True)
class PoolStatus:
    """How many connections there are, how many of them are idle, and how many borrowers wait."""

    size: int
    available: int
    waiting: int
    max_size: int


class _Opened(psycopg.Connection[Any]):
    """Hands the pool connections that we opened, so that it never holds a password."""

    @classmethod
    def connect(cls, conninfo: str = "", **kwargs: Any) -> _Opened:
        del conninfo
        opener: Callable[[], _Opened] = kwargs["opener"]
        return opener()


class ConnectionPool:
    """Up to ``max_size`` connections including the leased session; ``borrow()`` and give back."""

    def __init__(self, open_one: Callable[[], Any], *, max_size: int, timeout_s: float, name: str) -> None:
        self._open_one = open_one
        self._lock = threading.Lock()
        self._pool: psycopg_pool.ConnectionPool[_Opened] | None = None
        self._closed = False
        self._refused: str | None = None
        self.leased = 0
        self.max_size = max_size
        self.timeout_s = timeout_s
        self.name = name

    @contextmanager
    def borrow(
        self, timeout_s: float | None = None, *, until: Callable[[], bool] | None = None
    ) -> Iterator[psycopg.Connection[Any]]:
        """Lend a connection in autocommit.

        :param until: asked now and then while there is none; ``True`` ends the wait.
        :raises PoolTimeout: when none is free in time.
        """
        limit = self.timeout_s if timeout_s is None else timeout_s
        if self.max_size <= 1:
            raise self._exhausted(limit)
        pool = self._started()
        conn = self._take(pool, limit, until)
        if conn is None:
            raise self._exhausted(limit)
        try:
            yield conn
        finally:
            pool.putconn(conn)

    def _take(
        self, pool: psycopg_pool.ConnectionPool[_Opened], limit: float, until: Callable[[], bool] | None
    ) -> _Opened | None:
        import psycopg_pool

        deadline = time.monotonic() + limit
        while not (until is not None and until()):
            left = deadline - time.monotonic()
            try:
                return pool.getconn(timeout=left if until is None else max(min(left, SLICE_S), 0.001))
            except psycopg_pool.PoolTimeout:
                if left <= SLICE_S or until is None:
                    return None
            except psycopg_pool.PoolClosed:
                raise ConnectionFailed(f"the pool of {self.name!r} is closed", advice="Connect again.") from None
        return None

    def status(self) -> PoolStatus:
        """Return numbers that are right at this moment, the leased session included."""
        stats = self._pool.get_stats() if self._pool is not None else {}
        return PoolStatus(
            size=stats.get("pool_size", 0) + self.leased,
            available=stats.get("pool_available", 0),
            waiting=stats.get("requests_waiting", 0),
            max_size=self.max_size,
        )

    def close(self) -> None:
        """Close every connection; a borrowed one when it comes back."""
        with self._lock:
            pool, self._pool, self._closed = self._pool, None, True
        if pool is not None:
            pool.close(timeout=1.0)

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

    def _open(self) -> Any:
        # psycopg_pool tries again by itself, and tells nobody but its log
        try:
            conn = self._open_one()
        except psycopg.Error as error:
            self._refused = str(error)
            raise
        self._refused = None
        return conn

    def _started(self) -> psycopg_pool.ConnectionPool[_Opened]:
        import psycopg_pool

        with self._lock:
            if self._closed:
                raise ConnectionFailed(f"the pool of {self.name!r} is closed", advice="Connect again.")
            if self._pool is None:
                self._pool = psycopg_pool.ConnectionPool(
                    connection_class=_Opened,
                    kwargs={"opener": self._open},
                    min_size=0,
                    max_size=self.max_size - 1,
                    timeout=self.timeout_s,
                    check=self._check,
                    reset=_reset,
                    name=f"tusk-{self.name}",
                    open=True,
                )
                if hasattr(os, "register_at_fork"):
                    os.register_at_fork(after_in_child=self._forget)
            return self._pool

    def _forget(self) -> None:
        # a forked child shares our sockets: closing them here would end the parent's sessions
        self._pool, self._closed = None, True

    def _check(self, conn: _Opened) -> None:
        fileno = conn.pgconn.socket
        timer = threading.Timer(CHECK_TIMEOUT_S, _shut, args=(fileno,))
        timer.daemon = True
        timer.start()
        try:
            conn.execute("")
        except psycopg.Error:
            if self._pool is not None:
                self._pool.drain()
            raise
        finally:
            timer.cancel()


def _reset(conn: psycopg.Connection[Any]) -> None:
    conn.execute("discard all")


def _shut(fileno: int) -> None:
    handle = socket.socket(fileno=fileno)
    try:
        handle.shutdown(socket.SHUT_RDWR)
    except OSError:  # closed already
        return
    finally:
        handle.detach()
