"""Asking a statement of ours on a connection that is borrowed: within a time, and only as long as nobody else wants it.

Each statement travels in a transaction of its own that is read-only and has its settings with it, in one message: so
nothing is left in the connection, which behind a pooler may be anybody's a moment later. Who wants the connection has
it within :data:`GRACE_S`: a statement that is not over by then is cancelled, and its connection thrown away, because a
cancel that a pooler still carries could hit the next borrower.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, overload

import psycopg
from psycopg import generators, pq, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from psycopg.pq.abc import PGresult

TIMEOUT_S: Final = 60.0
GRACE_S: Final = 0.3
SLICE_S: Final = 0.05
CANCEL_S: Final = 1.0
_BEGIN: Final = (
    b"begin transaction read only; set local statement_timeout = '60s'; set local lock_timeout = '2s'; "
    b"set local jit = off; set local max_parallel_workers_per_gather = 0; set local extra_float_digits = 1; "
    b"set local client_min_messages = error; "
)
_ANSWER: Final = 7  # the result that follows those of _BEGIN
_FAILED: Final = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE)


class GaveWayError(Exception):
    """Somebody else wants the connection, or nobody wants the answer any more."""


class Rows(Sequence[list[str | None]]):
    """The rows of a result, each made when it is asked for: thousands at once would wake the garbage collector."""

    def __init__(self, result: PGresult) -> None:
        self._result = result
        self._cells = range(result.nfields)

    def __len__(self) -> int:
        return self._result.ntuples

    @overload
    def __getitem__(self, at: int) -> list[str | None]: ...
    @overload
    def __getitem__(self, at: slice) -> list[list[str | None]]: ...
    def __getitem__(self, at: int | slice) -> Any:
        if isinstance(at, slice):
            return [self[row] for row in range(*at.indices(len(self)))]
        if at >= len(self):
            raise IndexError(at)
        cells = (self._result.get_value(at, cell) for cell in self._cells)
        return [value.decode(errors="replace") if value is not None else None for value in cells]


class Asking:
    """Runs statements on a borrowed connection, as :class:`~tusk_jupyter.schema.introspect.Ask`."""

    def __init__(self, conn: psycopg.Connection[Any], *, leaves: Callable[[], bool]) -> None:
        self._conn = conn
        self._leaves = leaves

    def __call__(self, statement: str, /) -> Rows:
        """Return the rows of one statement.

        :raises GaveWayError: when the connection is to go; :raises psycopg.Error: when the statement fails.
        """
        if self._leaves():
            raise GaveWayError
        pgconn = self._conn.pgconn
        pgconn.send_query(_BEGIN + statement.encode() + b"; commit")
        try:
            results = waiting.wait(self._patient(generators.execute(pgconn)), pgconn.socket, interval=SLICE_S)
        except GaveWayError:
            self._conn.cancel_safe(timeout=CANCEL_S)
            self._conn.close()
            raise
        failed = next((one for one in results if one.status in _FAILED), None)
        if failed is not None:
            error = psycopg.errors.error_from_result(failed)
            pgconn.exec_(b"rollback")
            raise error
        return Rows(results[_ANSWER])

    def _patient(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        """Go on with ``gen`` until the time is over, or somebody has waited long enough."""
        ready, deadline, wanted_at = None, time.monotonic() + TIMEOUT_S, None
        try:
            while True:
                wanted = gen.send(ready)
                now = time.monotonic()
                if wanted_at is None and self._leaves():
                    wanted_at = now
                if now >= deadline or (wanted_at is not None and now - wanted_at >= GRACE_S):
                    raise GaveWayError
                ready = yield wanted
        except StopIteration as end:
            return end.value
