"""One cell's run: its statements and commands in their order, what is shown of each, and the value.

Down once: line → request → connection → statements. Up once: frames, status lines, the value, or an error. The value
is the last result that had rows. In a cell it is returned, and IPython shows it as ``Out[n]``; when statements follow
it, it is shown where it came, and ``Out[n]`` and ``_`` are set without showing it twice.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.running import CellOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.magics.arguments import CellRequest
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.queries.backslash import Called
    from tusk_jupyter.queries.execution import Deadline, Execution
    from tusk_jupyter.queries.script import Names, Step
    from tusk_jupyter.results.destination import Destination, Written
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk


class Cell:
    """One run of one cell."""

    def __init__(
        self,
        tusk: Tusk,
        shell: Any,
        output: CellOutput,
        request: CellRequest,
        destination: Destination | None,
        *,
        names: Names,
        ask: Callable[[str], Secret | None],
        is_cell: bool,
    ) -> None:
        self._tusk = tusk
        self._shell = shell
        self._output = output
        self._request = request
        self._destination = destination
        self._names = names
        self._ask = ask
        self._is_cell = is_cell
        self._quiet = request.quiet or tusk.quiet

    def run(self) -> Any:
        connection = self._connection()
        held: Step | None = None
        value: Any = None
        shown = False
        for step in self._steps(connection):
            self._output.settle()
            if step.outcome.error is not None:
                if held is not None and step.fatal:
                    self._show(held, connection)
                self._failed(step, connection)
            elif (frame := _frame(step)) is not None:
                if held is not None:
                    self._show(held, connection)
                value, held, shown = frame, step, False
                if step.fatal or (step.more and self._is_cell and self._request.out is None):
                    self._show(step, connection)
                    held, shown = None, True
            else:
                self._status(step, connection, now=step.tally is not None)
            if step.tally is not None:
                self._output.say(step.tally, tone="bad")
        return self._finish(connection, held, value, shown=shown)

    def submit(self) -> Any:
        """Run it in the background and return its job."""
        from tusk_jupyter.magics import job_cards

        request = self._request
        self._refuse_commands()
        job = self._tusk.submit(
            request.script,
            names=self._names,
            connection=self._connection(),
            prefix=request.prefix,
            options=self._options(),
        )
        if request.out is not None:
            self._shell.user_ns[request.out] = job
        if not self._quiet:
            job_cards.show(self._shell, self._output, job, name=request.out)
        return job if request.out is None or request.display else None

    def _refuse_commands(self) -> None:
        from tusk_jupyter.queries.backslash import first_command

        if (command := first_command(self._request.script)) is not None:
            raise InvalidInput(
                f"\\{command.name} is done while the cell waits, and --bg runs statements in the background",
                advice="Nothing was run. Leave one of them out.",
            )

    def _failed(self, step: Step, connection: Connection) -> None:
        footer = self._output.footer(step, connection=connection.name)
        if footer.notices or footer.heard:
            self._output.line(replace(footer, transaction=None))
        if step.outcome.error is not None and not step.fatal:
            self._output.show_error(step.outcome.error)

    def _finish(self, connection: Connection, held: Step | None, value: Any, *, shown: bool) -> Any:
        if self._request.out is not None:
            self._shell.user_ns[self._request.out] = value
            if held is not None:
                self._status(held, connection, f"assigned to {self._request.out}")
            return self._looking(value) if self._request.display else None
        if held is not None:
            self._status(held, connection)
        value = self._looking(value)
        if shown:
            self._shell.displayhook.update_user_ns(value)
            return None
        return value

    def _connection(self) -> Connection:
        first = self._tusk.connections.current is None
        connection = self._tusk.connection(self._request.connection, self._ask)
        if first and self._tusk.connections.current is connection:
            from tusk_jupyter.magics.connect import report

            self._output.show(report(connection))
        return connection

    def _steps(self, connection: Connection) -> Iterable[Step]:
        request = self._request

        def tick(execution: Execution) -> None:
            self._output.tick(execution)

        return self._tusk.execute(
            request.script,
            names=self._names,
            connection=connection,
            prefix=request.prefix,
            options=self._options(),
            ask=self._ask,
            on_tick=tick,
            on_command=lambda called, deadline: self._command(connection, called, deadline),
        )

    def _command(self, connection: Connection, called: Called, deadline: Deadline | None) -> Step:
        """Do what a backslash command of psql's says."""
        from tusk_jupyter.magics import psql
        from tusk_jupyter.queries.endings import Source

        cell = psql.Cell(
            self._tusk,
            self._shell,
            self._output,
            connection,
            Source(self._request.prefix, self._request.script),
            self._options(),
            self._names,
            self._ask,
            show=lambda step: self._show(step, connection),
            tell=lambda step, part: self._status(step, connection, part, now=True),
        )
        return psql.perform(cell, called, deadline)

    def _looking(self, value: Any) -> Any:
        """Return a value with the look that the preference ``expanded`` gives it."""
        if self._tusk.expanded == "off" or not hasattr(value, "columns"):
            return value
        from tusk_jupyter.magics.expanded import as_preferred

        return as_preferred(value, self._tusk.expanded, terminal=self._output.terminal)

    def _options(self) -> CellOptions:
        request = self._request
        return CellOptions(
            limit=request.limit,
            timeout_s=request.timeout_s,
            format=request.format,
            exact=request.exact,
            destination=self._destination,
            parallel=request.parallel,
            split=request.split,
            on_error=request.on_error,
            history=request.history,
        )

    def _show(self, step: Step, connection: Connection) -> None:
        if (frame := _frame(step)) is not None:
            self._output.show(self._looking(frame))
        self._status(step, connection, now=True)

    def _status(self, step: Step, connection: Connection, *parts: str, now: bool = False) -> None:
        if step.execution is None and step.tally is None:
            return  # a command that was no statement
        result = step.outcome.result
        if result is not None and result.truncated:
            limit = self._request.limit or self._tusk.limit
            parts = (f"more rows exist (--limit {limit})", *parts)
        if result is not None and self._request.parallel is not None:
            parts = (f"{self._request.parallel} parts", *parts)
        if result is not None and result.written is not None:
            parts = (*_file_parts(result.written, result.rowcount), *parts)
        footer = self._output.footer(step, connection=connection.name, parts=parts)
        told = footer.transaction or footer.alarm or footer.notes or footer.notices or footer.heard
        if self._quiet and not (told or (result and result.truncated)):
            return
        if now or step.more:
            self._output.line(footer)
        else:
            self._output.line_later(footer)


def _frame(step: Step) -> Any:
    """Return what a step has to show: the answer of a command, or the rows of a statement."""
    if step.answer is not None:
        return step.answer
    return step.outcome.result.frame if step.outcome.result is not None else None


def _file_parts(written: Written, rows: int) -> tuple[str, ...]:
    from tusk_jupyter.widgets.amounts import counted, size

    said = f"{counted(rows, 'row')}, {size(written.size)} written to {written.shown}"
    return (said, "the file before it was replaced") if written.replaced else (said,)
