"""A look at the database on a connection's session, or beside it where the session cannot be asked.

In a transaction that has failed PostgreSQL answers nothing, and just then one wants to know what the columns are
called. So the question goes to another connection of the pool then, and it is said that what the transaction has made
is not seen there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from tusk_jupyter import interrupts
from tusk_jupyter.errors import InvalidInput, QueryCancelled, QueryInterrupted, QueryTimeout
from tusk_jupyter.running import run_alone

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import psycopg

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.queries.execution import Deadline, Execution
    from tusk_jupyter.running import Kernel
    from tusk_jupyter.schema.asking import Ask
    from tusk_jupyter.secret import Secret

T = TypeVar("T")
LIMIT_S = 60.0
ASIDE = "the transaction has failed: asked on another connection, which does not see what it has made"


@dataclass(frozen=True, slots=True)
class Looked(Generic[T]):
    """What a question returned, and what to say of how it was asked."""

    answer: T
    notes: tuple[str, ...] = ()


def look(
    kernel: Kernel,
    shown: str,
    question: Callable[[Ask], T],
    *,
    connection: Connection,
    ask: Callable[[str], Secret | None] | None = None,
    on_tick: Callable[[Execution], None] | None = None,
    deadline: Deadline | None = None,
) -> Looked[T]:
    r"""Ask a question about the database.

    :param shown: what the user typed, for the live line, ``%tusk queries`` and errors: ``\d flights``.
    :param question: called with a function that asks one statement; on the session's worker.
    :raises TuskError: as a cell does; :raises QueryInterrupted: after a kernel interrupt.
    """
    session = connection.session(ask)
    from tusk_jupyter.queries.looking import Looking
    from tusk_jupyter.queries.split import Statement

    if session.transaction_status == "INERROR":
        return Looked(_beside(connection, question, deadline), (ASIDE,))
    answers: list[T] = []
    deliver = partial(Looking, question=question, answers=answers)
    run_alone(
        kernel,
        connection,
        session,
        Statement(shown, 0, len(shown), ()),
        deliver=deliver,
        on_tick=on_tick,
        history=False,
        deadline=deadline,
    )
    return Looked(answers[0])


def _beside(connection: Connection, question: Callable[[Ask], T], deadline: Deadline | None) -> T:
    import psycopg

    from tusk_jupyter.translate import translate

    limits = connection.target.limits
    if limits.pool_size < 2:  # noqa: PLR2004 - its session, and one more
        raise InvalidInput(
            "the transaction has failed, and there is no other connection to ask on: --pool-size is 1",
            advice="ROLLBACK, then ask again, or connect with a larger --pool-size.",
        )
    left_s = limits.pool_timeout_s + LIMIT_S
    if deadline is not None:
        left_s = min(left_s, max(deadline.at - time.monotonic(), 0))

    def answer() -> T:
        with connection.pool.borrow(min(limits.pool_timeout_s, left_s)) as conn:
            return question(partial(_asked, conn))

    try:
        return interrupts.call("look", answer, timeout=left_s)
    except psycopg.Error as error:
        raise translate(error) from None
    except TimeoutError:
        limit_s = deadline.limit_s if deadline is not None else left_s
        late = QueryTimeout(f"no answer within {limit_s:g} s: asked on another connection", duration_s=limit_s)
        late.setting = "--timeout" if deadline is not None else None
        raise late from None
    except KeyboardInterrupt:
        raise QueryInterrupted(QueryCancelled("interrupted: the question was asked on another connection")) from None


def _asked(conn: psycopg.Connection[Any], statement: str, *values: str | None) -> list[list[str | None]]:
    from psycopg import RawCursor

    with RawCursor(conn) as cursor:
        cursor.execute(statement.encode(), values or None)
        result = cursor.pgresult
        assert result is not None  # noqa: S101 - execute() has raised otherwise
        rows = ([result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples))
        return [[None if cell is None else bytes(cell).decode(errors="replace") for cell in row] for row in rows]
