"""What a cell shows, in its order, and nothing twice.

Results come where they come; status lines and notices in between are one growing output (a script of 200 statements
is not 200 outputs), updated in place while the cell runs. The line of the last statement belongs below ``Out[n]``,
which IPython shows after the magic has returned: it waits for ``post_run_cell``. There too what the storage or the
keychain want said once finds a cell to be said in, and an error that left the
cell gets its panel: an error that the user's code caught never comes that far, and shows none. (Displaying the panel
before raising, the usual way, would show it for caught errors as well.)
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import QueryInterrupted, TuskError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.session import Transaction
    from tusk_jupyter.errors import Diagnostic
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.script import Step
    from tusk_jupyter.widgets.result_footer import Footer, Lines, NoticeLine, TransactionNote

UPDATE_S = 0.1


class CellOutput:
    """The outputs of the cell that runs now; one object per kernel, emptied by ``post_run_cell``."""

    def __init__(self, shell: Any, *, notices: Callable[[], list[str]]) -> None:
        self._shell = shell
        self._notices = notices
        self._lines: Lines | None = None
        self._handle: Any = None
        self._drawn = 0.0
        self._pending: Lines | None = None
        self._seen: tuple[str, int] = ("", 0)
        self._shown_error: TuskError | None = None
        self.last_error: TuskError | None = None

    @property
    def terminal(self) -> bool:
        """Whether the user sits in a terminal, where outputs cannot be replaced and tracebacks are the panel."""
        return not hasattr(self._shell, "kernel")

    def show(self, bundle: Any) -> None:
        """Display something in its place."""
        self._close_lines()
        self._display(bundle)

    def show_for_now(self, bundle: Any) -> Any:
        """Display something in its place and return the handle that replaces it; not for a terminal."""
        from IPython.display import display

        self._close_lines()
        return display(bundle, display_id=True)

    def say(self, line: str, *notes: str, tone: str = "quiet") -> None:
        """Show a line of ours, with notes below it."""
        from tusk_jupyter.widgets.result_footer import StatusLine

        self.show(StatusLine(line, notes, tone))  # type: ignore[arg-type]

    def show_error(self, error: TuskError) -> None:
        """Show the panel of an error that the script passes over; it is not shown again where it fails the cell."""
        self._shown_error = error
        self.show(panel(error))

    def tick(self, execution: Execution) -> None:
        """Show the notices that have arrived since the last look."""
        query_id, shown = self._seen
        shown = shown if query_id == execution.id else 0
        if execution.notices.count > shown and time.monotonic() - self._drawn > UPDATE_S:
            notices = execution.notices.records()
            fresh = tuple(_notice(n) for n in notices[shown:]) if execution.notices.left_out == 0 else ()
            self._seen = (execution.id, len(notices) if fresh else shown)
            if fresh:
                from tusk_jupyter.widgets.result_footer import Footer

                self._draw(Footer(None, execution.elapsed_ms, execution.session.name, notices=fresh))

    def footer(self, step: Step, *, connection: str, parts: tuple[str, ...] = (), quiet: bool = False) -> Footer:
        """Return the status line of a statement, without the notices that were shown while it ran."""
        from tusk_jupyter.widgets.result_footer import Footer

        result, execution = step.outcome.result, step.execution
        query_id, shown = self._seen
        notices: tuple[NoticeLine, ...] = ()
        if execution is not None:
            shown = shown if query_id == execution.id else 0
            notices = tuple(_notice(n) for n in execution.notices.records()[shown:])
        return Footer(
            command_tag=None if result is None or quiet else result.command_tag,
            elapsed_ms=result.elapsed_ms if result is not None else execution.elapsed_ms if execution else 0.0,
            connection=connection,
            parts=parts,
            notes=result.notes if result is not None else (),
            transaction=_transaction(step.outcome.transaction),
            notices=notices,
        )

    def line(self, footer: Footer) -> None:
        """Show a status line now."""
        self._draw(footer)

    def line_later(self, footer: Footer) -> None:
        """Show a status line below ``Out[n]``."""
        self._pending = _lines(self._pending).add(footer)

    def after_cell(self, result: Any) -> None:
        """IPython's ``post_run_cell``: the waiting status lines, then the panel of an error that left the cell."""
        self._close_lines()
        pending, self._pending = self._pending, None
        if pending is not None:
            self._display(pending)
        for line in self._notices():
            self.say(line, tone="warn")
        error = getattr(result, "error_in_exec", None) or getattr(result, "error_before_exec", None)
        if isinstance(error, (TuskError, QueryInterrupted)):
            self.last_error = error.error if isinstance(error, QueryInterrupted) else error
            if not self.terminal and self.last_error is not self._shown_error:
                self._display(panel(error))

    def _draw(self, footer: Footer) -> None:
        self._lines = _lines(self._lines).add(footer)
        self._drawn = time.monotonic()
        if self.terminal:
            self._display(footer)
        elif self._handle is None:
            from IPython.display import display

            self._handle = display(self._lines, display_id=True)
        else:
            self._handle.update(self._lines)

    def _close_lines(self) -> None:
        self._lines, self._handle = None, None

    def _display(self, bundle: Any) -> None:
        if self.terminal and hasattr(bundle, "text"):
            sys.stdout.write(bundle.text() + "\n")
            return
        from IPython.display import display

        display(bundle)


def panel(error: TuskError | QueryInterrupted) -> Any:
    """Return an error's panel."""
    from tusk_jupyter.widgets.error_panel import ErrorPanel

    return ErrorPanel.from_error(error)


def _lines(lines: Lines | None) -> Lines:
    from tusk_jupyter.widgets.result_footer import Lines

    return lines if lines is not None else Lines()


def _notice(diag: Diagnostic) -> NoticeLine:
    from tusk_jupyter.widgets.result_footer import NoticeLine

    # no CONTEXT, as in psql: it is the same line under every notice of a loop; tusk.last_result().notices has it
    return NoticeLine(diag.severity or "NOTICE", diag.message_primary or "", diag.message_detail, diag.message_hint)


def _transaction(transaction: Transaction | None) -> TransactionNote | None:
    if transaction is None:
        return None
    from datetime import UTC, datetime

    from tusk_jupyter.widgets.result_footer import TransactionNote

    age = (datetime.now(UTC) - transaction.since).total_seconds()
    state = "failed" if transaction.state == "failed" else "open"
    return TransactionNote(state, transaction.statements, transaction.since, age)  # type: ignore[arg-type]
