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

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from tusk_jupyter import interrupts, running, translate
from tusk_jupyter.errors import InvalidInput, PoolTimeout, QueryCancelled, QueryFailed, TuskError
from tusk_jupyter.jobs import Job, StoppedError
from tusk_jupyter.queries import beforehand
from tusk_jupyter.queries.endings import Source

if TYPE_CHECKING:
    import psycopg

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.pool import ConnectionPool
    from tusk_jupyter.connections.session import Session, Transaction
    from tusk_jupyter.queries.delivery import Options
    from tusk_jupyter.queries.execution import Execution, Outcome
    from tusk_jupyter.queries.script import Names
    from tusk_jupyter.queries.split import Statement
    from tusk_jupyter.running import CellOptions, Kernel

_LEAST: Final = 2
_ELSEWHERE: Final = (
    "A job has a connection of its own, without the temp tables, settings (search_path), role, prepared statements and "
    "open transaction of the cells' session: let its script make what it needs, or leave --bg out."
)
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
    try:
        with task.pool.borrow(until=job.is_stopped) as conn:
            _on(conn, task, job)
    except StoppedError:
        error = _cancelled(job)
    except PoolTimeout as timeout:
        error = _cancelled(job) if job.is_stopped() else timeout
    except TuskError as failed:
        error = failed if not _closed_while_waiting(job) else _cancelled(job)
    except BaseException as crash:  # noqa: BLE001 - whoever waits is to hear of it
        error = translate.translate(crash, doing="running a job")
    finally:
        job.finish(error)
        _let_go(task, job)


def _closed_while_waiting(job: Job) -> bool:
    return job.started_at is None and job.is_stopped()


def _cancelled(job: Job) -> TuskError:
    if job.started_at is None:
        return QueryCancelled(f"cancelled after {job.progress.elapsed_s:.1f} s: nothing was sent")
    return QueryCancelled("cancelled between two statements; those before have run")


def _let_go(task: Task, job: Job) -> None:
    task.connection.dismiss(job)
    task.kernel.queries.let_go(job)


def _on(conn: psycopg.Connection[object], task: Task, job: Job) -> None:
    from tusk_jupyter.connections.session import Session

    session = Session(conn, name=task.connection.name, is_direct=task.pool.is_direct)
    session.use_time_outs(task.connection.time_outs)
    left_open: Transaction | None = None
    try:
        job.begin(session)
        _run(session, task, job)
        left_open = session.transaction
    except TuskError as error:
        _explain(error, session)
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
    for step in script.steps():
        if step.outcome.result is not None:
            job.take(step.outcome.result)


def _explain(error: TuskError, session: Session) -> None:
    """Say what an error means for a job, whose session goes with it."""
    if session.transaction is not None:
        error.transaction = (
            f"The transaction ({_count(session.transaction)}) was rolled back with the job's connection."
        )
    elif error.transaction is not None:
        error.transaction = error.transaction.replace(" The next cell gets a new session.", "")
    if error.sqlstate in _MAY_BE_ELSEWHERE:
        error.advice = f"{error.advice} {_ELSEWHERE}" if error.advice != type(error).default_advice else _ELSEWHERE


def _not_ended(transaction: Transaction) -> QueryFailed:
    return QueryFailed(
        f"the job ended inside a transaction ({_count(transaction)}), which was rolled back with its connection",
        advice="Nothing of it is saved. End it in the job's script: COMMIT as its last statement.",
    )


def _count(transaction: Transaction) -> str:
    return f"{transaction.statements} statement{'' if transaction.statements == 1 else 's'}"
