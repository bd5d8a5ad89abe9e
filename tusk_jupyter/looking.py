"""A look at the database on a connection's session, or beside it where the session cannot be asked.

In a transaction that has failed PostgreSQL answers nothing, and just then one wants to know what the columns are
called. So the question goes to another connection of the pool then, and it is said that what the transaction has made
is not seen there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from tusk_jupyter import interrupts
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
        return Looked(_beside(connection, question), (ASIDE,))
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


def _beside(connection: Connection, question: Callable[[Ask], T]) -> T:
    def answer() -> T:
        with connection.pool.borrow() as conn:
            return question(partial(_asked, conn))

    return interrupts.call("look", answer, timeout=connection.target.limits.pool_timeout_s + LIMIT_S)


def _asked(conn: psycopg.Connection[Any], statement: str, *values: str | None) -> list[list[str | None]]:
    from psycopg import RawCursor

    with RawCursor(conn) as cursor:
        cursor.execute(statement.encode(), values or None)
        result = cursor.pgresult
        assert result is not None  # noqa: S101 - execute() has raised otherwise
        rows = ([result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples))
        return [[None if cell is None else bytes(cell).decode(errors="replace") for cell in row] for row in rows]
