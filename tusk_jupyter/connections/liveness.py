"""Whether a connection still has its server: as far as the socket knows at once, or asked, within a time limit.

The limit is kept by the thread that waits, between two slices of its waiting. A timer that shuts the socket down from
another thread costs a thread for each check, and can fire when the connection was closed a moment ago and its file
descriptor is somebody else's already.
"""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import generators, pq, waiting

if TYPE_CHECKING:
    from collections.abc import Generator

    from psycopg.pq.abc import PGconn, PGresult

    from tusk_jupyter.connections.wire import Command

_HUNG_UP: Final = sum(getattr(select, name, 0) for name in ("POLLRDHUP", "POLLHUP", "POLLERR"))
_FAILED: Final = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE)
SLICE_S: Final = 0.1


def is_gone(pgconn: PGconn) -> bool:
    """Tell whether the other end has hung up, from any thread: nothing is read, and the server is not asked.

    A network that swallows everything is not seen, nor, on Windows, anything before the connection is used.
    """
    try:
        if pgconn.status != pq.ConnStatus.OK:
            return True
        fileno = pgconn.socket
    except psycopg.OperationalError:  # closed meanwhile
        return True
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(fileno, getattr(select, "POLLRDHUP", 0))
    return any(events & _HUNG_UP for _, events in poll.poll(0))


def run_within(conn: psycopg.Connection[Any], limit_s: float, *statements: bytes) -> PGresult | None:
    """Run statements of ours on a connection that nobody else uses; return the result of the last.

    :param statements: nothing in them may be a user's: one that holds two would run as two.
    :raises psycopg.Error: when one fails; ``ConnectionTimeout`` when there is no answer in time, and then the
        connection is to be closed.
    """
    deadline = time.monotonic() + limit_s
    last = None
    for statement in statements:
        conn.pgconn.send_query(statement)
        last = _answer(conn, deadline, limit_s)
    return last


def _bound(conn: psycopg.Connection[Any], limit_s: float, statement: bytes, bound: Command) -> PGresult:
    # never PQsendQuery, without values either: it takes several statements, and the text is not all ours
    conn.pgconn.send_query_params(statement, bound.values or None, bound.oids or None, bound.formats or None, 0)
    return _answer(conn, time.monotonic() + limit_s, limit_s)


def _answer(conn: psycopg.Connection[Any], deadline: float, limit_s: float) -> PGresult:
    gen = _until(generators.execute(conn.pgconn), deadline)
    results = waiting.wait(gen, conn.pgconn.socket, interval=max(0.001, min(SLICE_S, limit_s / 4)))
    failed = next((one for one in results if one.status in _FAILED), None)
    if failed is not None:
        raise psycopg.errors.error_from_result(failed)
    last: PGresult = results[-1]
    return last


def ask(
    conn: psycopg.Connection[Any], limit_s: float, statement: bytes, bound: Command | None = None
) -> list[list[str | None]]:
    """Return the rows of a statement of ours as PostgreSQL's text; raises as :func:`run_within`.

    :param bound: the user's command that the statement is made of, with whose values it is sent: as one statement, and
        an error where its text holds more.
    """
    found = run_within(conn, limit_s, statement) if bound is None else _bound(conn, limit_s, statement, bound)
    if found is None:
        return []
    rows = ((found.get_value(row, column) for column in range(found.nfields)) for row in range(found.ntuples))
    return [[None if value is None else value.decode(errors="replace") for value in row] for row in rows]


def _until(gen: Generator[Any, Any, Any], deadline: float) -> Generator[Any, Any, Any]:
    """Go on with ``gen`` as long as there is time; it is resumed with nothing at the end of each slice."""
    ready = None
    try:
        while True:
            wanted = gen.send(ready)
            # however much comes: a server could send notices for ever
            if time.monotonic() >= deadline:
                raise psycopg.errors.ConnectionTimeout("connection timeout expired")
            ready = yield wanted
    except StopIteration as end:
        return end.value
