"""What a cell shows, in its order, and nothing twice.

Results come where they come; status lines and notices in between are one growing output (a script of 200 statements
is not 200 outputs), updated in place while the cell runs. The line of the last statement belongs below ``Out[n]``,
which IPython shows after the magic has returned: it waits for ``post_run_cell``. There too what the storage or the
keychain want said once finds a cell to be said in, and what is said of a transaction that lies idle; and an error that
left the cell gets its panel: an error that the user's code caught never comes that far, and shows none. (Displaying the
panel before raising, the usual way, would show it for caught errors as well.)

A statement that takes longer than :data:`LIVE_MS` has a live line meanwhile (:mod:`~tusk_jupyter.magics.live`); for
shorter ones nothing of it is imported. What is shown next may take over the output in which the line was.
"""

from __future__ import annotations

import logging
import re
import sys
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import QueryInterrupted, TuskError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tusk_jupyter.connections.session import Transaction
    from tusk_jupyter.errors import Diagnostic
    from tusk_jupyter.magics.live import CellLine, Relieve
    from tusk_jupyter.magics.live_terminal import TerminalLine
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.script import Step
    from tusk_jupyter.widgets.notices import NoticeLine
    from tusk_jupyter.widgets.result_footer import Footer, Lines, StatusLine, TransactionNote

UPDATE_S = 0.1
LIVE_MS = 500
UNSENT_MS = 2000  # before it is sent: the first statement of a kernel waits for imports, which is nothing to be told
log = logging.getLogger("tusk_jupyter.output")
_OURS = re.compile(r"\s*%%t?sql\b")  # a cell in which nothing else can have shown anything


@dataclass(slots=True)
class _Heard:
    """The notices of one statement that are shown already: how many there were then, and where they stand."""

    query_id: str = ""
    count: int = 0
    footer: Footer | None = None
    lines: Lines | None = None
    handle: Any = None


class CellOutput:
    """The outputs of the cell that runs now; one object per kernel, emptied by ``post_run_cell``."""

    def __init__(
        self,
        shell: Any,
        *,
        notices: Callable[[], list[str]],
        idle: Callable[[], Iterable[StatusLine]] = list,
        interrupted: Callable[[], bool] = bool,
        relieve: Relieve | None = None,
    ) -> None:
        self._shell = shell
        self._notices = notices
        self._idle = idle
        self._interrupted = interrupted
        self.relieve = relieve
        self._live: CellLine | TerminalLine | None = None
        self._live_failed = False
        self._lines: Lines | None = None
        self._handle: Any = None
        self._drawn = 0.0
        self._pending: Lines | None = None
        self._heard = _Heard()
        self._shown_error: TuskError | None = None
        self._ended: QueryInterrupted | None = None
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
        self._close_lines()
        return self._displayed(bundle)

    def say(self, line: str, *notes: str, tone: str = "quiet") -> None:
        """Show a line of ours, with notes below it."""
        from tusk_jupyter.widgets.result_footer import StatusLine

        self.show(StatusLine(line, notes, tone))  # type: ignore[arg-type]

    def show_error(self, error: TuskError) -> None:
        """Show the panel of an error that the script passes over; it is not shown again where it fails the cell."""
        self._shown_error = error
        self.show(panel(error))

    def tick(self, execution: Execution) -> None:
        """Show what has arrived since the last look, and how far a long statement has come."""
        self._tell(execution)
        after_ms = UNSENT_MS if execution.state == "waiting" else LIVE_MS
        if execution.elapsed_ms >= after_ms and not self._live_failed:
            try:
                self._live_line().draw(execution)
            except Exception as error:  # noqa: BLE001 - what is shown meanwhile must not cost the statement
                log.warning("no live line: %s: %s", type(error).__name__, error)
                self._live_failed = True

    def settle(self, *, over: bool = False) -> None:
        """Hide the live line of a statement that has ended; ``over``: and so has the magic that ran it."""
        if self._live is not None:
            self._live.rest(over=over)

    def _live_line(self) -> CellLine | TerminalLine:
        if self._live is None:
            if self.terminal:
                from tusk_jupyter.magics.live_terminal import TerminalLine

                self._live = TerminalLine()
            else:
                from tusk_jupyter.magics.live import CellLine

                self._live = CellLine(self._shell, self.relieve)
        return self._live

    def _tell(self, execution: Execution) -> None:
        """Show the first notices of a statement while it runs, and how many there are besides."""
        log, heard = execution.notices, self._heard
        if heard.query_id != execution.id:
            heard = _Heard(execution.id)
        if log.count == heard.count or time.monotonic() - self._drawn <= UPDATE_S:
            return
        from tusk_jupyter.widgets.result_footer import Footer

        count, records = log.count, log.so_far()
        if self.terminal:
            # what is printed stays: of those behind the first, the last are printed at the end
            count = min(count, log.first)
            records = records[heard.count : count]
        if count == heard.count:
            return
        footer = Footer(None, 0.0, execution.session.name, notices=_notices(records), headless=True)
        self._draw(footer, live=True)
        self._heard = _Heard(execution.id, count, footer, self._lines, self._handle)

    def _take_notices(self, execution: Execution) -> tuple[NoticeLine, ...]:
        """Return the notices of a statement that has ended; those shown already are completed in their place."""
        heard, self._heard = self._heard, _Heard()
        records = execution.notices.records()
        if heard.query_id != execution.id or heard.footer is None or heard.lines is None:
            return _notices(records)
        if self.terminal:
            return _notices(records[heard.count :])
        said = replace(heard.footer, elapsed_ms=execution.elapsed_ms, notices=_notices(records))
        lines = replace(heard.lines, live=None).add(said)
        if self._handle is heard.handle:
            self._lines = lines
        heard.handle.update(lines)
        return ()

    def footer(self, step: Step, *, connection: str, parts: tuple[str, ...] = (), quiet: bool = False) -> Footer:
        """Return the status line of a statement, without the notices that were shown while it ran."""
        from tusk_jupyter.queries.transactions import NOTHING_SAVED
        from tusk_jupyter.widgets.result_footer import Footer

        result, execution = step.outcome.result, step.execution
        notes = result.notes if result is not None else ()
        return Footer(
            command_tag=None if result is None or quiet else result.command_tag,
            elapsed_ms=result.elapsed_ms if result is not None else execution.elapsed_ms if execution else 0.0,
            connection=connection,
            parts=parts,
            notes=tuple(note for note in notes if not note.startswith(NOTHING_SAVED)),
            alarm=next((note for note in notes if note.startswith(NOTHING_SAVED)), None),
            transaction=_transaction(step.outcome.transaction),
            notices=self._take_notices(execution) if execution is not None else (),
            heard=execution.heard if execution is not None and execution.heard.kept else None,
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
            self._display(pending, free=_showed_nothing(result))
        if self._live is not None:
            self._live.close()
        if self._interrupted() and result is not None and result.success:
            self.say("interrupted: the statement had finished; what was to run after this cell does not", tone="warn")
            self.end_run("interrupted")
        for line in self._notices():
            self.say(line, tone="warn")
        for idle in self._idle():
            self.show(idle)
        error = getattr(result, "error_in_exec", None) or getattr(result, "error_before_exec", None)
        if isinstance(error, (TuskError, QueryInterrupted)):
            self.last_error = error.error if isinstance(error, QueryInterrupted) else error
            if not self.terminal and self.last_error is not self._shown_error:
                self._display(panel(error))
        ended, self._ended = self._ended, None
        if ended is not None and result is not None and result.success:
            # the kernel answers the front end with it, which makes both drop what is queued
            result.error_in_exec = ended

    def end_run(self, why: str) -> None:
        """Let the cell end well, with its value, and nothing that a Run All has queued behind it run.

        For what one stops because that is how it ends. IPython's result says whether a cell has failed: it is told so
        when value and outputs are out, and no traceback is shown.
        """
        from tusk_jupyter.errors import QueryCancelled

        self._ended = QueryInterrupted(QueryCancelled(why))

    def _draw(self, footer: Footer, *, live: bool = False) -> None:
        lines = _lines(self._lines)
        self._lines = replace(lines, live=footer) if live else lines.add(footer)
        self._drawn = time.monotonic()
        if self.terminal:
            self._display(footer)
        elif self._handle is None:
            self._handle = self._displayed(self._lines)
        else:
            self._handle.update(self._lines)

    def _close_lines(self) -> None:
        self._lines, self._handle = None, None

    def _display(self, bundle: Any, *, free: bool = False) -> None:
        place = self._live.place(free=free) if self._live is not None else None
        if place is not None:
            place.update(bundle)
            return
        if self.terminal and hasattr(bundle, "text"):
            sys.stdout.write(bundle.text() + "\n")
            return
        from IPython.display import display

        display(bundle)

    def _displayed(self, bundle: Any) -> Any:
        """Display something and return the handle that replaces it."""
        place = self._live.place() if self._live is not None else None
        if place is not None:
            place.update(bundle)
            return place
        from IPython.display import display

        return display(bundle, display_id=True)


def panel(error: TuskError | QueryInterrupted) -> Any:
    """Return an error's panel."""
    from tusk_jupyter.widgets.error_panel import ErrorPanel

    return ErrorPanel.from_error(error)


def _showed_nothing(result: Any) -> bool:
    """Return whether a cell was ours alone, and had neither a value nor an error."""
    source = getattr(getattr(result, "info", None), "raw_cell", None) or ""
    return getattr(result, "success", False) and result.result is None and _OURS.match(source) is not None


def _lines(lines: Lines | None) -> Lines:
    from tusk_jupyter.widgets.result_footer import Lines

    return lines if lines is not None else Lines()


def _notices(records: tuple[Diagnostic, ...]) -> tuple[NoticeLine, ...]:
    if not records:
        return ()
    from tusk_jupyter.widgets.notices import NoticeLine

    return tuple(map(NoticeLine.of, records))


def _transaction(transaction: Transaction | None) -> TransactionNote | None:
    if transaction is None:
        return None
    from datetime import UTC, datetime

    from tusk_jupyter.widgets.result_footer import TransactionNote

    age = (datetime.now(UTC) - transaction.since).total_seconds()
    state = "failed" if transaction.state == "failed" else "open"
    return TransactionNote(
        state,  # type: ignore[arg-type]
        transaction.statements,
        transaction.since,
        age,
        savepoint=transaction.savepoint,
        idle_s=transaction.idle_s,
    )
