"""One script on a connection's session: what is asked of its run, and what follows each of its statements.

A part of :class:`~tusk_jupyter.tusk.Tusk`, and imported by the first statement, not by ``%load_ext``: what it needs
(splitting, binding, frames, history) is nothing that a load should pay for. So it is a function over what it uses of
the state, :class:`Kernel`, and no base class, which would have to be there before the state is. What imports psycopg
comes after the session, whose worker has imported it: a cell that cannot connect has not waited for it in vain.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from tusk_jupyter.errors import InvalidInput, QueryCancelled, QueryInterrupted
from tusk_jupyter.events import QueryEvent
from tusk_jupyter.queries import journal
from tusk_jupyter.results.options import FrameOptions
from tusk_jupyter.storage.history import HistoryRow, record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.events import Events
    from tusk_jupyter.queries.backslash import Called
    from tusk_jupyter.queries.binding import Bound
    from tusk_jupyter.queries.delivery import Delivery, Options
    from tusk_jupyter.queries.endings import Source
    from tusk_jupyter.queries.execution import Deadline, Execution, Outcome
    from tusk_jupyter.queries.partition import Parallel
    from tusk_jupyter.queries.registry import Queries
    from tusk_jupyter.queries.script import Names, Step
    from tusk_jupyter.queries.split import Statement
    from tusk_jupyter.queries.watching import Watching
    from tusk_jupyter.results.destination import Destination
    from tusk_jupyter.results.recent import RecentResults
    from tusk_jupyter.schema.registry import Schemas
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.storage.database import Database

WATCHED_FROM_MS = 500


@dataclass(frozen=True, slots=True)
class CellOptions:
    """What a cell may say about its run; ``None`` takes the preference."""

    limit: int | None = None
    timeout_s: float | None = None
    deadline: Deadline | None = None  # of the cell that this is a part of, in place of a time of its own
    format: str | None = None
    exact: bool = False
    destination: Destination | None = None
    parallel: int | None = None
    split: str | None = None
    on_error: str = "stop"
    history: bool = True
    recorded: str | None = None  # what the history keeps for the statement, where more is sent than was typed


class Kernel(Protocol):
    """What a run needs of the state: its preferences, and where what happened is kept."""

    format: Any
    numeric: Any
    arrow_numeric: Any
    uuid: Any
    dates: Any
    limit: Any
    memory_limit_mb: Any
    interrupt_due: bool  # one that a statement was faster than: whatever would run next in the cell does not
    history: Any
    events: Events
    queries: Queries
    results: RecentResults

    @property
    def storage(self) -> Database: ...

    @property
    def watching(self) -> Watching: ...

    @property
    def schemas(self) -> Schemas: ...

    def mark(self, connection: Connection) -> None: ...


def steps(
    kernel: Kernel,
    script: str,
    *,
    names: Names,
    connection: Connection,
    prefix: str,
    options: CellOptions | None,
    ask: Callable[[str], Secret | None] | None,
    on_tick: Callable[[Execution], None] | None,
    on_command: Callable[[Called, Deadline | None], Step] | None = None,
) -> Iterator[Step]:
    """Run a script statement by statement; see ``queries.script.Script.steps``."""
    chosen = options or CellOptions()
    if kernel.interrupt_due:
        kernel.interrupt_due = False
        raise QueryInterrupted(QueryCancelled("interrupted: the statement before had finished, this one was not sent"))
    session = connection.session(ask)
    from tusk_jupyter.queries.endings import Source
    from tusk_jupyter.queries.script import Script

    script_run = Script(
        session=session,
        source=Source(prefix, script),
        names=names,
        options=delivery_options(kernel, chosen, connection),
        on_error=chosen.on_error,
        timeout_s=chosen.timeout_s,
        deadline=chosen.deadline,
        on_start=lambda execution: begun(kernel, connection, execution),
        on_tick=ticking(kernel, connection, on_tick),
        on_end=lambda statement, execution, outcome: ended(
            kernel,
            connection,
            statement if chosen.recorded is None else replace(statement, text=chosen.recorded),
            execution,
            outcome,
            history=chosen.history,
        ),
        on_command=on_command,
    )
    try:
        yield from script_run.steps()
    except QueryInterrupted:
        kernel.interrupt_due = False
        raise


def run_alone(
    kernel: Kernel,
    connection: Connection,
    session: Session,
    statement: Statement,
    *,
    deliver: Callable[..., Delivery],
    on_tick: Callable[[Execution], None] | None,
    history: bool = True,
    bound: Bound | None = None,
    source: Source | None = None,
    deadline: Deadline | None = None,
) -> Step:
    """Run what a command of ours makes of a session: one statement, or what is shown as one.

    :param bound: the statement with its values; by default it has none.
    :param source: where it stands; by default alone.
    :raises TuskError: as a cell does; :raises QueryInterrupted: after a kernel interrupt.
    """
    from tusk_jupyter.queries.binding import Bound
    from tusk_jupyter.queries.endings import Source
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.script import Step

    execution = Execution(
        session,
        statement=statement,
        bound=bound or Bound(statement.text),
        source=source or Source("", statement.text),
        options=delivery_options(kernel, CellOptions(), connection),
        deliver=deliver,
    )
    begun(kernel, connection, execution)
    tick = ticking(kernel, connection, on_tick)
    outcome = execution.wait(lambda: tick(execution), deadline=deadline)
    ended(kernel, connection, statement, execution, outcome, history=history)
    if outcome.error is not None:
        raise QueryInterrupted(outcome.error) if execution.interrupted else outcome.error
    return Step(statement, execution, outcome, more=False)


def ticking(
    kernel: Kernel, connection: Connection, on_tick: Callable[[Execution], None] | None
) -> Callable[[Execution], None]:
    """Return what is done at each tick of a wait: from half a second on, the server is asked how far it is."""

    def tick(execution: Execution) -> None:
        # what waits for its turn, or for pandas to be imported, has not begun there
        if execution.elapsed_ms >= WATCHED_FROM_MS and execution.state == "running":
            kernel.watching.watch(execution, connection)
        if on_tick is not None:
            on_tick(execution)

    return tick


def begun(kernel: Kernel, connection: Connection, execution: Execution, *, of_job: bool = False) -> None:
    """Note an execution that is about to be submitted."""
    kernel.queries.register(execution, of_job=of_job)
    if kernel.events.are_heard:
        kernel.events.emit(QueryEvent("started", connection.id, execution.id))


def ended(
    kernel: Kernel,
    connection: Connection,
    statement: Statement,
    execution: Execution | None,
    outcome: Outcome,
    *,
    history: bool,
    of_job: bool = False,
) -> None:
    """Keep what is kept of an execution: its result, its row in the history, what a later kernel is told."""
    _ended(kernel, connection, execution, outcome, of_job=of_job)
    if execution is not None:
        _follow(kernel, connection, statement, execution, outcome, of_job=of_job)
    if execution is not None and outcome.error is None and execution.interrupted:
        kernel.interrupt_due = True
    if history and kernel.history and connection.target.history and execution is not None:
        facts = journal.facts(statement, execution, outcome)
        database = connection.server.dbname if connection.server is not None else None
        row = HistoryRow(connection_id=connection.id, connection=connection.name, database=database, **facts)
        record(kernel.storage, row)


def _follow(
    kernel: Kernel,
    connection: Connection,
    statement: Statement,
    execution: Execution,
    outcome: Outcome,
    *,
    of_job: bool,
) -> None:
    """Have read again what a statement may have changed."""
    from tusk_jupyter.schema import changes

    tag = outcome.result.command_tag if outcome.result is not None else ""
    found = changes.of(statement.words, statement.text, tag) if outcome.error is None else changes.NOTHING
    is_open = outcome.transaction is not None
    kernel.schemas.follow(connection, execution.session, found, is_open=is_open, of_job=of_job)


def delivery_options(kernel: Kernel, chosen: CellOptions, connection: Connection) -> Options:
    """Return how a statement of a cell runs: what the cell says, else the preferences."""
    from tusk_jupyter.queries.delivery import Options

    limit = chosen.limit if chosen.limit is not None else (kernel.limit or None)
    numeric: Any = "decimal" if chosen.exact else kernel.numeric
    return Options(
        frame=FrameOptions(numeric=numeric, uuid=kernel.uuid, dates=kernel.dates, arrow_numeric=kernel.arrow_numeric),
        format=chosen.format or kernel.format,
        limit=limit,
        destination=chosen.destination,
        parallel=_parallel(chosen, connection, limit),
        read_only=connection.target.settings.read_only,
        memory_limit_mb=kernel.memory_limit_mb,
    )


def _parallel(chosen: CellOptions, connection: Connection, limit: int | None) -> Parallel | None:
    if chosen.parallel is None:
        return None
    if limit is not None:
        raise InvalidInput(
            f"the preference limit = {limit} ends every result there, and the parts of one cannot share it",
            advice="Nothing was run. %config Tusk.limit = 0 switches it off in this kernel.",
        )
    from tusk_jupyter.queries.partition import Parallel

    version = connection.server.version_num if connection.server is not None else 0
    return Parallel(chosen.parallel, chosen.split, connection.pool, version)


def _ended(
    kernel: Kernel, connection: Connection, execution: Execution | None, outcome: Outcome, *, of_job: bool
) -> None:
    if outcome.error is not None:
        from tusk_jupyter import explaining

        explaining.tell(kernel, connection, outcome.error, execution)
    if execution is not None:
        kernel.queries.unregister(execution.id)
        if kernel.events.are_heard:
            kernel.events.emit(_event(connection, execution, outcome))
    if outcome.result is not None:
        kernel.results.add(outcome.result, of_job=of_job)
    if not of_job:  # whose own connection would be in the way
        kernel.mark(connection)
        if outcome.error is not None:
            explaining.look_up(kernel, connection, outcome.error, execution)


def _event(connection: Connection, execution: Execution, outcome: Outcome) -> QueryEvent:
    status = {"completed": "completed", "cancelled": "cancelled"}.get(outcome.state, "failed")
    tag = outcome.result.command_tag if outcome.result is not None else None
    error = outcome.error.info() if outcome.error is not None else None
    return QueryEvent(status, connection.id, execution.id, execution.rows, tag, error)  # type: ignore[arg-type]
