"""A statement that is run again and again, and the waits between: one thing in flight, which one Stop ends.

To everybody who draws or stops, a watch is what an execution is: it has an id, a state, a time, and ``cancel()``. The
interval counts from start to start, and runs never overlap: after one that took longer the next begins at once.

``--until EXPR`` is SQL over the columns of the result, evaluated by the server in the same statement: what ends the
watch is what is shown, and the statement runs once each time. (A second query would see other rows; Python is no
expression of SQL, and evaluating it would be code.) It is reached when EXPR is true for every row, and of no row only
by an aggregate, such as ``count(*) = 0``.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tusk_jupyter import interrupts
from tusk_jupyter.errors import InvalidInput, QueryCancelled, QueryInterrupted, TuskError
from tusk_jupyter.magics.until import Until
from tusk_jupyter.queries import classify
from tusk_jupyter.queries.notices import NoticeLog
from tusk_jupyter.queries.progress import Progress, Seen
from tusk_jupyter.queries.split import split
from tusk_jupyter.running import CellOptions
from tusk_jupyter.widgets.amounts import age

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.script import Names, Step
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be watched: how often, until when, and the statement."""

    interval_s: float
    script: str
    until: str | None = None
    count: int | None = None
    prefix: str = ""  # what stands before it in the cell


@dataclass(frozen=True, slots=True)
class Run:
    """One run that has ended: its number, its frame (``None`` without rows), and whether it is the last wanted."""

    number: int
    step: Step
    frame: Any
    reached: bool


class Watch:
    """Runs a statement again and again: call :meth:`runs` in the main thread, ``cancel()`` from any.

    :param on_tick: called each 50 ms, with this object.
    """

    def __init__(
        self,
        tusk: Tusk,
        wanted: Wanted,
        *,
        names: Names,
        connection: Connection,
        ask: Callable[[str], Secret | None],
        on_tick: Callable[[Watch], None],
    ) -> None:
        self.id = str(uuid.uuid4())
        self.session: Session = connection.session(ask)
        self.doing = f"watches every {wanted.interval_s:g} s"
        self.notices = NoticeLog()  # stays empty: each run shows its own
        self.is_cancelled = False
        self._tusk = tusk
        self._wanted = wanted
        self._names = names
        self._connection = connection
        self._ask = ask
        self._on_tick = on_tick
        self._start = time.monotonic()
        self._running: Execution | None = None
        self._stopped: Future[None] = Future()
        self._number = 0
        self._next_at = 0.0
        self._until: Until | None = None
        self._script = self._read()

    def _read(self) -> str:
        conforming = self.session.parameter("standard_conforming_strings") != "off"
        statements = split(self._wanted.script, standard_conforming_strings=conforming)
        if len(statements) != 1:
            raise InvalidInput(
                f"%tusk watch runs one statement, and there are {len(statements)}", advice="Nothing was run."
            )
        [statement] = statements
        if (control := classify.transaction_control(statement)) is not None:
            raise InvalidInput(f"{control} is no statement to watch", advice="Nothing was run.")
        if self._wanted.until is None:
            return self._wanted.script
        if not classify.reads_only_shape(statement):
            raise InvalidInput(
                "--until looks at the rows of a query, and this statement is none that only reads",
                advice="Nothing was run. --count ends it after so many runs.",
            )
        until = Until(self._wanted.script, statement, self._wanted.until)
        until.check()
        if not until.is_sound:
            return self._wanted.script
        self._until = until
        return until.text

    # -- what is in flight, for who draws it ------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """Running, as long as it is not over."""
        return "running"

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since the watch began."""
        return (time.monotonic() - self._start) * 1000

    @property
    def seen(self) -> Seen:
        """What the server said of the run that is under way."""
        running = self._running
        return running.seen if running is not None else Seen(phase=self._phase())

    @property
    def progress(self) -> Progress:
        """How far the run under way has come, or how long the next one is away."""
        running = self._running
        if running is None:
            return Progress(self.state, self.elapsed_ms / 1000, seen=self.seen)
        now = running.progress
        return Progress(self.state, self.elapsed_ms / 1000, now.rows, now.nbytes, now.seen)

    def _phase(self) -> str:
        left = max(0.0, self._next_at - time.monotonic())
        return f"watching, run {self._number + 1} {f'in {age(left)}' if left >= 1 else 'is next'}"

    def cancel(self, reason: str = "cancel") -> bool:
        """End it: the run that is under way is cancelled, the wait for the next one is over."""
        self.is_cancelled = True
        running = self._running
        if running is not None:
            running.cancel(reason)
        with contextlib.suppress(InvalidStateError):
            self._stopped.set_result(None)
        return True

    # -- running ------------------------------------------------------------------------------------------------------

    def runs(self) -> Any:
        """Yield each run; ends by count, until, or a stop, after which no run follows.

        :raises TuskError: when a run fails; :raises QueryInterrupted: when the first is stopped.
        """
        self._next_at = self._start
        while not self.is_cancelled:
            run = self._run()
            if run is None:
                return
            yield run
            if run.reached or run.number == self._wanted.count:
                return
            self._wait()

    def _run(self) -> Run | None:
        self._number += 1
        try:
            [step] = self._tusk.execute(
                self._script,
                names=self._names,
                connection=self._connection,
                prefix=self._wanted.prefix if self._until is None else "",
                # one row of history, not one for each run
                options=CellOptions(
                    format="pandas",
                    history=self._number == 1,
                    recorded=self._until.statement.text if self._until else None,
                ),
                ask=self._ask,
                on_tick=self._look,
            )
        except (QueryInterrupted, QueryCancelled) as stopped:
            asked = self.is_cancelled or isinstance(stopped, QueryInterrupted)
            if self._number == 1 or not asked:
                raise
            self.is_cancelled = True
            return None
        except TuskError as error:
            if self._until is not None:
                self._until.locate(error)
            raise
        finally:
            self._running = None
        reached = False
        if self._until is not None:
            step, reached = self._until.taken(step)
            if step.outcome.result is not None:
                self._tusk.results.add(step.outcome.result)
        frame = step.outcome.result.frame if step.outcome.result is not None else None
        return Run(self._number, step, frame, reached=reached)

    def _look(self, execution: Execution) -> None:
        self._running = execution
        if self.is_cancelled:
            execution.cancel("button")
        self._on_tick(self)

    def _wait(self) -> None:
        until = self._next_at = max(self._next_at + self._wanted.interval_s, time.monotonic())

        def tick() -> bool:
            self._on_tick(self)
            return time.monotonic() >= until

        def interrupted(_count: int) -> bool:
            self.is_cancelled = True
            return True

        if time.monotonic() < until:
            interrupts.wait(self._stopped, on_interrupt=interrupted, on_tick=tick)
