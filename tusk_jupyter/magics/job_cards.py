"""The cards of background queries: shown where they are submitted, and wherever a job is displayed.

In a live front end a job that runs for more than half a second gets the live line (:mod:`~tusk_jupyter.magics.live`) in
the place of its state, on a thread of its own: a cell that submits returns at once, and nobody else will draw. It
changes only what was displayed already, which the front end finds by its id whatever cell runs by then. When the job
has ended the widget is closed, and its state stands there as text. A short job never has a widget.

What a cell shows first is «submitted»: whether there is a free connection nobody has asked yet. Where nothing can be
replaced later that is all that is said of a job in flight, or the file would say for ever that it waits.

The button means this job. The kernel's interrupt, which a cell's own Stop falls back to, would hit another cell: here
the browser only says that the kernel is busy, and the message is heard when it is not.
"""

from __future__ import annotations

import logging
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from tusk_jupyter import interrupts
from tusk_jupyter.queries.registry import in_words
from tusk_jupyter.widgets.job_card import SUBMITTED, JobCard, JobHead, JobState
from tusk_jupyter.widgets.notices import NoticeLine

if TYPE_CHECKING:
    from tusk_jupyter.jobs import Job
    from tusk_jupyter.magics.live import Relieve
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.results.result import Result
    from tusk_jupyter.widgets.progress import ProgressLine

log = logging.getLogger("tusk_jupyter.job_cards")
LIVE_FROM_S: Final = 0.5
EVERY_S: Final = 0.25
_UNHEARD: Final = "The kernel is busy, and hears this button when the cell that runs has ended."

_shown: weakref.WeakKeyDictionary[Job, int] = weakref.WeakKeyDictionary()
_names: weakref.WeakKeyDictionary[Job, str] = weakref.WeakKeyDictionary()


def show(shell: Any, output: CellOutput, job: Job, *, name: str | None) -> None:
    """Show the card of a job that was submitted, which is not shown again as the value of the same cell."""
    if name is not None:
        _names[job] = name
    _shown[job] = shell.execution_count
    _show(shell, output, job, is_new=True)


def show_again(shell: Any, output: CellOutput, job: Job) -> None:
    """Show a job that is displayed, unless it is the value of the cell that has just shown it."""
    if _shown.pop(job, None) != shell.execution_count:
        _show(shell, output, job, is_new=False)


def _show(shell: Any, output: CellOutput, job: Job, *, is_new: bool) -> None:
    from tusk_jupyter.magics import front_end

    head, is_live = _head(shell, job), not output.terminal and front_end.is_live(shell)
    is_over = job.done()  # before its state is read, which may be its last by then
    passes = not is_over and (is_new or not (is_live or output.terminal))
    now = JobState(SUBMITTED) if passes else state(job)
    if is_over or not is_live:
        output.show(JobCard(head, now))
        return
    output.show(head)
    live = _LiveCard(job, output.show_for_now(now), output.relieve)
    interrupts.spawn(f"card-{job.id[:8]}", live.follow)


def _head(shell: Any, job: Job) -> JobHead:
    given = (name for name, value in shell.user_ns.items() if value is job and not name.startswith("_"))
    name = _names.get(job) or next(given, None)
    if name is not None:
        return JobHead(job.id, job.sql, job.connection, name)
    # «x = %sql --bg» is given its name after this
    return JobHead(job.id, job.sql, job.connection, f"Out[{shell.displayhook.prompt_count}]", may_have_another=True)


def state(job: Job) -> JobState:
    """Return how far a job is, as it stays in the notebook."""
    now = job.progress
    what = in_words(now.seen.wait)
    results = job.results() if job.done() else ()
    notes = tuple(note for result in results for note in _notes(result))
    # its result is that of the last statement that has rows; without one, what the last one did
    done = results[-1].command_tag if results and all(result.frame is None for result in results) else None
    return JobState(
        now.state,
        now.elapsed_s,
        now.rows,
        now.nbytes,
        now.seen.phase,
        what,
        job.error,
        notes,
        tuple(NoticeLine.of(notice) for result in results for notice in result.notices),
        done,
    )


def _notes(result: Result) -> tuple[str, ...]:
    more = (f"more rows exist than the {result.rowcount:,} that are kept",) if result.truncated else ()
    return (*result.notes, *more)


class _LiveCard:
    """The line of one job in one output, until the job has ended."""

    def __init__(self, job: Job, handle: Any, relieve: Relieve | None) -> None:
        from tusk_jupyter.magics.live import Asked

        self._job = job
        self._handle = handle
        self._relieve = relieve
        self._asked = Asked()
        self._widget: Any = None

    def follow(self) -> None:
        """Draw it for as long as the job runs, then put what stays in its place."""
        try:
            if not self._job.wait(LIVE_FROM_S):
                self._draw_to_the_end()
        except Exception as error:  # noqa: BLE001 - what is shown meanwhile must not cost what stays
            log.warning("no live card: %s: %s", type(error).__name__, error)
            self._job.wait()
        self._handle.update(state(self._job))
        if self._widget is not None:
            self._widget.close()

    def _draw_to_the_end(self) -> None:
        from tusk_jupyter.widgets import progress_line

        while not self._job.done():
            line = self._line()
            view = {**progress_line.view([line]), "kernel": "", "unheard": _UNHEARD}
            if self._widget is None:
                self._widget = progress_line.create(line, on_message=self._receive)
                self._widget.view = view
                self._handle.update(self._widget)
            elif self._widget.view != view:
                self._widget.view = view
            self._job.wait(EVERY_S)

    def _line(self) -> ProgressLine:
        from tusk_jupyter.magics import live
        from tusk_jupyter.widgets.progress import ProgressLine

        job, now, execution = self._job, self._job.progress, self._job.execution
        if execution is None:
            waits = now.seen.wait
            line = ProgressLine(job.id, "running", now.elapsed_s, job.connection)
            if waits is not None:
                line = replace(line, state="waiting", waits_for=waits.what, waits_s=waits.for_s)
        else:
            said = self._asked.said if self._relieve is not None else None
            line = replace(live.line_of(execution, said), id=job.id, elapsed_s=now.elapsed_s)
        return replace(line, state="stopping") if job.is_stopped() else line

    def _receive(self, content: Any) -> None:
        """Do what a button says, on any thread."""
        if not isinstance(content, dict) or content.get("id") != self._job.id:
            log.debug("a button's message is none")
        elif content.get("op") == "stop":
            self._job.cancel("button")
        elif content.get("op") == "cancel_theirs" and self._relieve is not None:
            execution = self._job.execution
            if execution is not None:
                self._asked.ask(execution, content, self._relieve)
