"""The live line of the cell that runs: from half a second on, in its own output, and gone without a trace.

The main thread draws it while it waits, at most four times a second. An output of a cell cannot be taken back: one that
is replaced by nothing stays in the file, empty and without height. So the line's output is given to what is shown next
where that belongs in its place (a frame in the middle of a script, the status lines), and only in front of ``Out[n]``,
or where notices came below the line meanwhile, an empty one is left. While it runs the line does not move: notices
appear below it, and the Stop button stays where the pointer is. A script reuses it, whether statements print or not.

Buttons are heard on whatever thread the front end's message arrives: nothing is displayed or printed there, which
ipykernel would drop or put into another cell; the main thread's next look shows what they did. The cancel is bound to
the execution that the message names, so that one which comes late finds nothing to do.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from tusk_jupyter import interrupts
from tusk_jupyter.errors import TuskError
from tusk_jupyter.magics import front_end
from tusk_jupyter.widgets import progress_line
from tusk_jupyter.widgets.progress import HolderLine, ProgressLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from concurrent.futures import Future

    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.progress import Holder

    Relieve = Callable[[Execution, Holder], str]

log = logging.getLogger("tusk_jupyter.live")
EVERY_S = 0.25
_SHORT_S = 0.05
_WORD = 200


class CellLine:
    """The line in a notebook: a widget in an output of its own. ``close()`` ends both, with the cell."""

    def __init__(self, shell: Any, relieve: Relieve | None = None) -> None:
        self._shell = shell
        self._relieve = relieve
        self._execution: Execution | None = None
        self._is_live = False
        self._loaded: Future[None] | None = None
        self._widget: Any = None
        self._handle: Any = None
        self._is_passed = False  # something was shown below it meanwhile
        self._is_free = False  # the magic that showed it goes on: nothing of the user's was shown since
        self._drawn = 0.0
        self._state = ""
        self._asked = Asked()

    def draw(self, execution: Execution) -> None:
        """Show how far ``execution`` has come."""
        if execution is not self._execution:
            self._begin(execution)
        now = time.monotonic()
        state = "stopping" if execution.is_cancelled else execution.state
        soon = state != self._state or self._asked.is_new
        if self._is_live and now - self._drawn >= (_SHORT_S if soon else EVERY_S) and self._is_ready():
            self._drawn, self._state, self._asked.is_new = now, state, False
            self._show(line_of(execution, self._asked.said if self._relieve is not None else None))

    def _is_ready(self) -> bool:
        """Return whether a widget can be made; :raises ImportError: without anywidget.

        Its import takes a fifth of a second, in which this thread could answer no interrupt: another does it.
        """
        if self._loaded is None:
            self._loaded = interrupts.spawn("live", progress_line.load)
        if not self._loaded.done():
            return False
        self._loaded.result()
        return True

    def _begin(self, execution: Execution) -> None:
        self.rest()
        self._asked = Asked()
        self._state, self._drawn = "", 0.0
        self._is_live = front_end.is_live(self._shell)
        self._execution = execution

    def _show(self, line: ProgressLine) -> None:
        if self._widget is None:
            self._widget = progress_line.create(line, on_message=self._receive)
        elif self._widget.view != (view := progress_line.view([line])):
            self._widget.view = view
        if self._handle is None:
            from IPython.display import display

            self._handle = display(self._widget, display_id=True)
            self._is_free = True

    def rest(self, *, over: bool = False) -> None:
        """Hide the line of a statement that has ended; ``over``: and so has the magic that ran it."""
        self._execution = None
        self._is_free = self._is_free and not over
        if self._widget is not None and self._widget.view["lines"]:
            self._widget.view = progress_line.view([])
        if self._is_passed:
            self._vacate()

    def place(self, *, free: bool = False) -> Any:
        """Return the line's output for what is shown next, or ``None`` where that belongs below it.

        :param free: nothing of the user's was shown since, as the caller knows.
        """
        handle = self._handle
        if handle is None:
            return None
        if self._execution is None and (self._is_free or free):
            self._handle = None
            return handle
        self._is_passed = True
        if self._execution is None:
            self._vacate()
        return None

    def close(self) -> None:
        """End the line, with the cell: no widget, no state, no text of it is left."""
        self.rest(over=True)
        self._vacate()
        widget, self._widget = self._widget, None
        if widget is not None:
            widget.close()

    def _vacate(self) -> None:
        handle, self._handle = self._handle, None
        self._is_passed = False
        if handle is not None:
            handle.update({}, raw=True)

    # -- what the buttons say, on any thread --------------------------------------------------------------------------

    def _receive(self, content: Any) -> None:
        execution = self._execution
        if execution is None or not isinstance(content, dict) or content.get("id") != execution.id:
            log.debug("a button's message came too late, or is none")
        elif content.get("op") == "stop":
            execution.cancel("button")
        elif content.get("op") == "cancel_theirs" and self._relieve is not None:
            self._asked.ask(execution, content, self._relieve)


class Asked:
    """What was asked of the server about those in the way of one statement, and what became of it."""

    def __init__(self) -> None:
        self.said: dict[tuple[int, str], str] = {}
        self.is_new = False
        self._requests: set[str] = set()

    def ask(self, execution: Execution, content: Mapping[str, Any], relieve: Relieve) -> None:
        """Do what a message asks for, once, if it is about one that is in the way and may be asked."""
        request = content.get("request")
        holder = _named(execution, content)
        if holder is None or not isinstance(request, str) or len(request) > _WORD or request in self._requests:
            return
        self._requests.add(request)
        self._say(holder, "asking …")

        def work() -> None:
            try:
                said = relieve(execution, holder)
            except TuskError as error:
                said = error.message
            except Exception as error:
                log.exception("asking about pid %d failed", holder.pid)
                said = f"that failed: {type(error).__name__}"
            self._say(holder, said)

        interrupts.spawn("relieve", work)

    def _say(self, holder: Holder, words: str) -> None:
        self.said[_key(holder)] = words
        self.is_new = True


def _named(execution: Execution, content: Mapping[str, Any]) -> Holder | None:
    wait = execution.seen.wait
    for holder in wait.holders if wait is not None else ():
        named = (content.get("pid"), content.get("backend_start"), content.get("how"))
        if holder.remedy is not None and named == (*_key(holder), holder.remedy):
            return holder
    return None


def _key(holder: Holder) -> tuple[int, str]:
    return holder.pid, holder.backend_start or ""


def line_of(execution: Execution, said: Mapping[tuple[int, str], str] | None = None) -> ProgressLine:
    """Return how far an execution has come, as it is drawn.

    :param said: what became of what was asked, by ``(pid, backend_start)``; ``None``: nothing may be asked.
    """
    progress = execution.progress
    wait = progress.seen.wait
    return ProgressLine(
        id=execution.id,
        state="stopping" if execution.is_cancelled else "waiting" if progress.state == "waiting" else "running",
        elapsed_s=progress.elapsed_s,
        connection=execution.session.name,
        rows=progress.rows,
        nbytes=progress.nbytes,
        expected_rows=progress.seen.expected_rows,
        fraction=progress.seen.fraction,
        phase=progress.seen.phase,
        waits_for=wait.what if wait is not None else None,
        waits_s=wait.for_s if wait is not None else None,
        holders=tuple(_holder_line(holder, said) for holder in wait.holders) if wait is not None else (),
        doing=execution.doing,
    )


def _holder_line(holder: Holder, said: Mapping[tuple[int, str], str] | None) -> HolderLine:
    return HolderLine(
        pid=holder.pid,
        level=holder.level,
        user=holder.user,
        application=holder.application,
        client=holder.client,
        state=holder.state,
        state_s=holder.state_s,
        transaction_s=holder.transaction_s,
        query=holder.query,
        connection=holder.connection,
        remedy=holder.remedy if said is not None else None,
        backend_start=holder.backend_start,
        said=said.get(_key(holder)) if said is not None else None,
    )
