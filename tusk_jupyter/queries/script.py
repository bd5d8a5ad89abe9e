"""A script on a session: its statements, one after the other, each sent and answered before the next is read.

The next statement is looked for only when the last one has ended, because a ``SET standard_conforming_strings``
changes how the rest is to be read; the server reports that setting, so nobody has to guess it. One failure stops the
script (``stop``), or is passed over (``continue``, ``savepoint``) and still fails the cell at its end.

psql's backslash commands are parts of it like statements: counted, passed over when they fail, and what they do is the
caller's (``on_command``). Only a script with a backslash is searched for them.
"""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter import interrupts
from tusk_jupyter.errors import BindingError, InvalidInput, QueryCancelled, QueryInterrupted, QueryTimeout, TuskError
from tusk_jupyter.queries import backslash, binding, endings, lost, refusals, split
from tusk_jupyter.queries.backslash import Called
from tusk_jupyter.queries.delivery import Delivery
from tusk_jupyter.queries.execution import Deadline, Execution, Outcome
from tusk_jupyter.queries.rows import RowSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.delivery import Options
    from tusk_jupyter.queries.endings import Source
    from tusk_jupyter.queries.split import Statement

log = logging.getLogger("tusk_jupyter.queries")
MOST_LISTED = 10
READY_S = 60.0
ON_ERROR = ("stop", "continue", "savepoint")


@dataclass(frozen=True, slots=True)
class Names:
    """Where parameters come from: ``lookup`` one (``KeyError`` when there is none), ``known`` for near names.

    ``bound`` has the statements whose values were taken beforehand.
    """

    lookup: Callable[[str], object]
    known: Callable[[], Iterable[str]]
    bound: Mapping[Statement, binding.Bound] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """A statement that has ended; ``more`` when another one follows, ``fatal`` when the script fails here.

    ``tally`` is what is said of the whole script, when statements of it failed and were passed over. ``answer`` is what
    a backslash command has returned that is no statement's result.
    """

    statement: Statement
    execution: Execution | None
    outcome: Outcome
    more: bool
    fatal: bool = False
    tally: str | None = None
    answer: Any = None


@dataclass(slots=True)
class Script:
    """One run of a script: iterate over :meth:`steps`; it raises as the cell must."""

    session: Session
    source: Source
    names: Names
    options: Options
    on_error: str = "stop"
    timeout_s: float | None = None
    deadline: Deadline | None = None
    on_start: Callable[[Execution], None] | None = None
    on_tick: Callable[[Execution], None] | None = None
    on_end: Callable[[Statement, Execution | None, Outcome], None] | None = None
    on_command: Callable[[Called, Deadline | None], Step] | None = None
    _may_hold_commands: bool = False  # searched for once: a script of megabytes has many statements

    def steps(self) -> Iterator[Step]:
        """Run the statements; yield each with its outcome, failed ones too.

        :raises TuskError: the failure that stops the script, or at its end the last one that was passed over.
        :raises QueryInterrupted: after a kernel interrupt.
        """
        refusals.refuse_script(
            self.source, self.options, conforming=lambda: self._conforming, commands=self.on_command is not None
        )
        self._may_hold_commands = backslash.may_hold_commands(self.source.script)
        part, position = self._next(0)
        if part is None:
            raise InvalidInput("there is no statement to run", advice="Write SQL below the %%sql line, or behind %sql.")
        done, failures, failed = 0, [], []
        deadline = self._deadline()
        while part is not None:
            step = self._do(part, deadline)
            statement, execution, outcome = step.statement, step.execution, step.outcome
            following, position = self._next(position)
            if self.on_end is not None and part is statement:
                self.on_end(statement, execution, outcome)
            if outcome.error is None:
                done += 1
            else:
                failures.append(outcome.error)
                failed.append(done + len(failures))
                stops = self._stops(execution, outcome)
                self._count(outcome.error, done=done, failed=failed, position=part.end, stops=stops)
                if following is None or stops:
                    # what it said before it failed can still be shown
                    yield replace(step, more=False, fatal=True)
                    self._raise(execution, outcome.error)
            last = following is None
            tally = self._tally(done, failed) if last and failed else None
            yield replace(step, more=not last, fatal=last and bool(failures), tally=tally)
            if following is not None and execution is not None and execution.interrupted:
                raise self._interrupted_after(part.end)
            part = following
        if failures:
            raise failures[-1]
        destination = self.options.destination
        if destination is not None and destination.written is None:
            raise InvalidInput(
                f"no statement returned rows: there is nothing to write to {destination.shown!r}",
                advice="The statements have run. --to is for one that returns rows, such as SELECT or … RETURNING.",
            )

    @property
    def _conforming(self) -> bool:
        return self.session.parameter("standard_conforming_strings") != "off"

    def _next(self, position: int) -> tuple[Statement | Called | None, int]:
        script, conforming = self.source.script, self._conforming
        if self._may_hold_commands:
            return backslash.next_part(script, position, standard_conforming_strings=conforming)
        return split.next_statement(script, position, standard_conforming_strings=conforming)

    def _rest(self, position: int) -> int:
        """Return how many statements and commands follow."""
        script, conforming = self.source.script[position:], self._conforming
        divide = backslash.divide if self._may_hold_commands else split.split
        return len(divide(script, standard_conforming_strings=conforming))

    def _do(self, part: Statement | Called, deadline: Deadline | None) -> Step:
        if not isinstance(part, Called):
            return Step(part, *self._run(part, deadline), more=True)
        assert self.on_command is not None  # noqa: S101 - the script would have been refused
        try:
            return self.on_command(part, deadline)
        except TuskError as error:
            if isinstance(error, InvalidInput | BindingError) and error.place is None:
                error.place = self.source.place(part.last.start)
                error.position = error.place.position
            error.transaction = error.transaction or lost.transaction_sentence(self.session.transaction)
            statement = part.statement or split.Statement(part.text, part.start, part.end, ())
            return Step(statement, None, Outcome(None, error, self.session.transaction, "failed"), more=True)

    def _deadline(self) -> Deadline | None:
        """Return the end of the cell's time, which begins when this side is ready to take rows."""
        if self.timeout_s is None or self.deadline is not None:
            return self.deadline
        if "tusk_jupyter.results.frame" not in sys.modules:
            # 0.4 s once, and seconds on a busy machine: the first cell's time is not for imports
            try:
                interrupts.call("ready", RowSink.warm_up, timeout=READY_S)
            except TimeoutError:
                log.warning("what decodes rows is not imported after %g s", READY_S)
            except KeyboardInterrupt:
                raise QueryInterrupted(QueryCancelled("interrupted before anything was sent")) from None
        return Deadline.after(self.timeout_s)

    def _run(self, statement: Statement, deadline: Deadline | None) -> tuple[Execution | None, Outcome]:
        if deadline is not None and (over_s := time.monotonic() - deadline.at) >= 0:
            # statements may all be too short for anybody to look at the clock while one runs
            stop = endings.Stop(
                "timeout", sent=False, elapsed_ms=(deadline.limit_s + over_s) * 1000, time_limit_s=deadline.limit_s
            )
            error = endings.not_executed(stop)
            error.transaction = lost.transaction_sentence(self.session.transaction)
            return None, Outcome(None, error, self.session.transaction, "timeout")
        try:
            bound = self._bind(statement)
        except TuskError as error:
            error.transaction = error.transaction or lost.transaction_sentence(self.session.transaction)
            return None, Outcome(None, error, self.session.transaction, "failed")
        options = replace(self.options, savepoint=True) if self.on_error == "savepoint" else self.options
        deliver = Delivery
        if options.parallel is not None:
            from tusk_jupyter.queries.parallel import ParallelDelivery

            deliver = ParallelDelivery
        execution = Execution(
            self.session, statement=statement, bound=bound, source=self.source, options=options, deliver=deliver
        )
        if self.on_start is not None:
            self.on_start(execution)
        tick = self.on_tick
        outcome = execution.wait((lambda: tick(execution)) if tick is not None else None, deadline=deadline)
        return execution, outcome

    def _bind(self, statement: Statement) -> binding.Bound:
        refusals.refuse(
            statement, is_read_only=self.options.read_only, within=self.session.transaction_status != "IDLE"
        )
        if (taken := self.names.bound.get(statement)) is not None:
            return taken
        return bind(statement, self.names, self.source, standard_conforming_strings=self._conforming)

    def _stops(self, execution: Execution | None, outcome: Outcome) -> bool:
        if self.on_error == "stop" or self.session.lost is not None:
            return True
        if isinstance(outcome.error, QueryCancelled | QueryTimeout) and (execution is None or execution.is_cancelled):
            return True
        return self.session.transaction_status == "INERROR"

    def _count(self, error: TuskError, *, done: int, failed: list[int], position: int, stops: bool) -> None:
        rest = self._rest(position)
        if done + rest + len(failed) > 1:
            counts = f"{done} done, {len(failed)} failed, {rest} {'not run' if stops else 'to come'}"
            if self.on_error != "stop":
                counts += f" (failed: {_listed(failed)})"
            error.facts = (*error.facts, ("statements", counts))

    def _tally(self, done: int, failed: list[int]) -> str:
        total = done + len(failed)
        which = f"number{'s' if len(failed) > 1 else ''} {_listed(failed)}"
        said = f"{done} of {total} statements succeeded, {which} failed"
        if self.session.transaction is None:
            return said
        return f"{said}; the transaction is open, and keeps what those in it have done"

    def _interrupted_after(self, position: int) -> QueryInterrupted:
        """Return what an interrupt raises that a statement was faster than: the others do not run."""
        rest = self._rest(position)
        error = QueryCancelled(
            f"interrupted: the statement had finished, {rest} after it {'was' if rest == 1 else 'were'} not run"
        )
        error.transaction = lost.transaction_sentence(self.session.transaction)
        return QueryInterrupted(error)

    def _raise(self, execution: Execution | None, error: TuskError) -> None:
        if execution is not None and execution.interrupted:
            raise QueryInterrupted(error)
        raise error


def bind(statement: Statement, names: Names, source: Source, *, standard_conforming_strings: bool) -> binding.Bound:
    """Bind a statement; :raises BindingError: with its place in the cell."""
    try:
        return binding.bind(
            statement,
            lookup=names.lookup,
            known=names.known,
            standard_conforming_strings=standard_conforming_strings,
        )
    except BindingError as error:
        if error.position is not None:
            error.place = source.place(statement.start + error.position - 1)
            error.position = error.place.position
        raise


def _listed(numbers: list[int]) -> str:
    """Return ``2``, ``2 and 5``, ``2, 5 and 7``, or the first ten and how many more."""
    shown = [str(number) for number in numbers[:MOST_LISTED]]
    if len(numbers) > MOST_LISTED:
        shown.append(f"{len(numbers) - MOST_LISTED} more")
    *before, last = shown
    return f"{', '.join(before)} and {last}" if before else last
