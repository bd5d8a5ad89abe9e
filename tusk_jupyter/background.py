"""What a job does: a connection of the pool's, a session on it, the script, and giving it back as it was.

Everything that decides what runs is taken when it is submitted: the text, the options, the preferences, the values of
its parameters. ``--timeout`` counts from when the job has its connection, because what it bounds is the server's work;
the wait for the connection has the pool's own time-out.

The connection is the job's alone, so a job sees nothing of the cells' session: no settings, role, temp tables, nor what
its open transaction has done; and leaves nothing there. What a script leaves open is rolled back with the connection,
and that is an error: rows that a user believes saved are worse than one that says they are not. A connection that a
cancel was sent for is thrown away, as :mod:`~tusk_jupyter.connections.team` does.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from tusk_jupyter import explaining, interrupts, running, translate
from tusk_jupyter.errors import (
    ConnectionLost,
    InvalidInput,
    PoolTimeout,
    QueryCancelled,
    QueryFailed,
    TuskError,
    one_line,
)
from tusk_jupyter.jobs import STOPPED, Job, StoppedError
from tusk_jupyter.masking import masked
from tusk_jupyter.queries import beforehand, classify, partition
from tusk_jupyter.queries.endings import Source

if TYPE_CHECKING:
    import psycopg

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.pool import ConnectionPool
    from tusk_jupyter.connections.session import Session, Transaction
    from tusk_jupyter.queries.causes import Origin
    from tusk_jupyter.queries.delivery import Options
    from tusk_jupyter.queries.execution import Execution, Outcome
    from tusk_jupyter.queries.script import Names, Step
    from tusk_jupyter.queries.split import Statement
    from tusk_jupyter.results.result import Result
    from tusk_jupyter.running import CellOptions, Kernel

log = logging.getLogger("tusk_jupyter.jobs")
_LEAST: Final = 2
_LOOK_UP_S: Final = 2.0
_NO_TABLE: Final = "42P01"
_TEMPORARY: Final = """
select relname from pg_catalog.pg_class where relpersistence = 't' and relkind in ('r', 'p', 'v', 'S')
  and relname in (select pg_catalog.json_array_elements_text($1::pg_catalog.json)) order by 1 limit 1
"""
_ENDS: Final = "it ends with the job, whose connection nobody else has; for the cells run it without --bg"
_ELSEWHERE: Final = (
    "A job has a connection of its own, without the temp tables, settings (search_path), role, prepared statements and "
    "open transaction of the cells' session: let its script make what it needs, or leave --bg out."
)
_LOST: Final = "Its connection is gone, and another job gets another one. Submit again what has not run."
# what may be missing because it is another session's: table, function, schema, type or setting, prepared, cursor, right
_MAY_BE_ELSEWHERE: Final = frozenset({"42P01", "42883", "3F000", "42704", "26000", "34000", "42501"})


@dataclass(frozen=True, slots=True)
class Task:
    """What a job runs, as it was decided when it was submitted."""

    kernel: Kernel
    connection: Connection
    pool: ConnectionPool
    source: Source
    names: Names
    options: Options
    chosen: CellOptions


def submit(
    kernel: Kernel,
    script: str,
    *,
    names: Names,
    connection: Connection,
    prefix: str = "",
    options: CellOptions | None = None,
) -> Job:
    """Begin to run a script in the background and return its job.

    :raises InvalidInput: for what could not run in any case; :raises BindingError: for a parameter.
    """
    chosen = options or running.CellOptions()
    _refuse(chosen, connection.target.limits.pool_size)
    source = Source(prefix, script)
    delivery = running.delivery_options(kernel, chosen, connection)
    taken = beforehand.taken(source, names, is_read_only=delivery.read_only)
    job = Job(script, connection.name)
    pool = connection.adopt(job)
    task = Task(kernel, connection, pool, source, taken, delivery, chosen)
    kernel.queries.hold(job)
    try:
        interrupts.spawn(f"job-{job.id[:8]}", partial(_perform, task, job))
    except BaseException:
        _let_go(task, job)
        raise
    return job


def _refuse(chosen: CellOptions, pool_size: int) -> None:
    if chosen.parallel is not None:
        raise InvalidInput(
            "--parallel reads on the pool's connections, and a job of --bg has one of them",
            advice="Nothing was run. Use one of them.",
        )
    if pool_size < _LEAST:
        raise InvalidInput(
            "a job needs a connection besides the session's, and --pool-size 1 leaves none",
            advice="Nothing was run. Connect with --pool-size 2 or more.",
        )


def _perform(task: Task, job: Job) -> None:
    """Run it to its end; on its thread."""
    error: TuskError | None = None
    origins: list[Origin] = []
    try:
        with task.pool.borrow(until=job.is_stopped) as conn:
            _on(conn, task, job, origins)
    except StoppedError:
        error = _cancelled(job)
    except PoolTimeout as timeout:
        error = _cancelled(job) if job.is_stopped() else timeout
    except TuskError as failed:
        error = failed if not _closed_while_waiting(job) else _cancelled(job)
        # not before its connection was given back: the pool may have no other
        explaining.resolve(error, task.connection, origins[0] if origins else None)
    except BaseException as crash:  # noqa: BLE001 - whoever waits is to hear of it
        error = translate.translate(crash, doing="running a job")
    finally:
        job.finish(error)
        if job.state in {"failed", "timeout"} and job.error is not None:
            # who submitted it may never ask
            log.warning("job %s on %s: %s: %s", job.id[:8], job.connection, job.state, masked(one_line(job.error)))
        _let_go(task, job)


def _closed_while_waiting(job: Job) -> bool:
    return job.started_at is None and job.is_stopped()


def _cancelled(job: Job) -> QueryCancelled:
    return QueryCancelled(
        f"cancelled after {job.progress.elapsed_s:.1f} s: nothing was sent", advice="Submit it again to run it."
    )


def _between(job: Job, left: Step | None) -> QueryCancelled:
    """Return the error of a job that was cancelled before its next statement; ``left`` is the one before it."""
    if left is None:
        return _cancelled(job)
    transaction = left.outcome.transaction
    if transaction is None:
        return QueryCancelled("cancelled between two statements; those before have run", advice=STOPPED)
    return QueryCancelled("cancelled between two statements", transaction=_rolled_back(transaction), advice=STOPPED)


def _let_go(task: Task, job: Job) -> None:
    task.connection.dismiss(job)
    task.kernel.queries.let_go(job)


def _on(conn: psycopg.Connection[object], task: Task, job: Job, origins: list[Origin]) -> None:
    """Run it on a connection; ``origins`` is told where an error came from."""
    from tusk_jupyter.connections.session import Session

    session = Session(conn, name=task.connection.name, is_direct=task.pool.is_direct)
    session.use_time_outs(task.connection.time_outs)
    left_open: Transaction | None = None
    try:
        job.begin(session)
        _run(session, task, job)
        left_open = session.transaction
    except TuskError as error:
        if job.execution is not None:
            origins.append(explaining.came_from(task.kernel, task.connection, job.execution))
        _explain(error, session, task, job.execution)
        raise
    finally:
        cancelled = job.execution is not None and job.execution.is_cancelled
        job.leave()
        if cancelled:
            session.abandon("cancelled, and not used again")
        if not session.release():
            conn.close()
    if left_open is not None:
        raise _not_ended(left_open)


def _run(session: Session, task: Task, job: Job) -> None:
    from tusk_jupyter.queries.script import Script

    kernel, connection = task.kernel, task.connection

    def start(execution: Execution) -> None:
        job.enter(execution)
        running.begun(kernel, connection, execution, of_job=True)

    def tick(execution: Execution) -> None:
        # one that was asked for before there was anything to cancel
        if job.is_stopped() and not execution.is_cancelled:
            execution.cancel()

    def end(statement: Statement, execution: Execution | None, outcome: Outcome) -> None:
        running.ended(kernel, connection, statement, execution, outcome, history=task.chosen.history, of_job=True)

    script = Script(
        session=session,
        source=task.source,
        names=task.names,
        options=task.options,
        on_error=task.chosen.on_error,
        timeout_s=task.chosen.timeout_s,
        on_start=start,
        on_tick=running.ticking(kernel, connection, tick),
        on_end=end,
    )
    # as it was after the last statement: the session of a job that is stopped may be closed by now
    step = None
    try:
        for step in script.steps():
            _take(step, job)
    except StoppedError:
        raise _between(job, step) from None


def _take(step: Step, job: Job) -> None:
    if step.outcome.result is not None:
        # what nothing in the script can use any more was meant for somebody else
        lasting = not step.more and classify.is_of_the_session(step.statement)
        job.take(_noted(step.outcome.result) if lasting else step.outcome.result)


def _noted(result: Result) -> Result:
    return replace(result, notes=(*result.notes, _ENDS))


def _explain(error: TuskError, session: Session, task: Task, execution: Execution | None) -> None:
    """Say what an error means for a job, whose session goes with it."""
    if session.transaction is not None:
        error.transaction = _rolled_back(session.transaction)
    elif error.transaction is not None:
        error.transaction = error.transaction.replace(" The next cell gets a new session.", "")
    if isinstance(error, QueryCancelled | ConnectionLost) and error.advice == type(error).default_advice:
        error.advice = STOPPED if isinstance(error, QueryCancelled) else _LOST
    elif error.advice is not None:
        error.advice = error.advice.replace(" The session and its settings are still there.", "")
    if error.sqlstate in _MAY_BE_ELSEWHERE:
        said = [error.advice] if error.advice != type(error).default_advice else []
        said += _seen_elsewhere(session, task, execution) if error.sqlstate == _NO_TABLE and execution else []
        error.advice = " ".join([*said, _ELSEWHERE])


def _seen_elsewhere(session: Session, task: Task, execution: Execution) -> list[str]:
    """Return what is known of a missing table, asked on the job's connection, never on the cells', and not for long."""
    from tusk_jupyter.connections.wire import Command, SessionLostError

    cells = task.connection.live_session
    if cells is not None and cells.transaction is not None:
        return ["The cells' session has an open transaction, and what it made is seen nowhere else before its COMMIT."]
    names = json.dumps(sorted(partition.names_in(execution.statement)))

    def ask() -> str | None:
        if session.transaction_status == "INERROR":
            session.run(None, Command(b"rollback"))
        return session.scalar(_TEMPORARY, names)

    try:
        found = session.submit(ask).result(_LOOK_UP_S)
    except (SessionLostError, TimeoutError):
        return []
    return [f"{found!r} is a temp table of another session."] if found is not None else []


def _not_ended(transaction: Transaction) -> QueryFailed:
    return QueryFailed(
        f"the job ended inside a transaction ({_count(transaction)}), which was rolled back with its connection",
        advice="Nothing of it is saved. End it in the job's script: COMMIT as its last statement.",
    )


def _rolled_back(transaction: Transaction) -> str:
    return f"The transaction ({_count(transaction)}) was rolled back with the job's connection."


def _count(transaction: Transaction) -> str:
    return f"{transaction.statements} statement{'' if transaction.statements == 1 else 's'}"
