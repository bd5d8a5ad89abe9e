"""One background query as it is at a moment: what it runs and how its result is had, and how far it is.

A card is what stays in the notebook, so it has to read on its own in a year: which statement, on which connection, how
it ended. It has two halves because a live front end replaces the second, while the job runs, by the line with the Stop
button; where nothing can be replaced later the two are one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tusk_jupyter.widgets.amounts import counted, duration, size
from tusk_jupyter.widgets.markup import (
    BAD,
    LINE,
    MONO,
    MUTED,
    WARN,
    Twins,
    escape,
    tag,
    visible,
    with_code,
    without_code,
)
from tusk_jupyter.widgets.notices import html_lines, text_lines

if TYPE_CHECKING:
    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.widgets.notices import NoticeLine

SUBMITTED: Final = "submitted"
_SQL, _PART, _MESSAGE = 200, 300, 600
_NOTES = 20
_DOT = " · "
_SMALL = "font-size:12px;line-height:1.5"
_BOX = f"border:1px solid {LINE};padding:6px 10px;margin:3px 0;overflow-wrap:anywhere;{_SMALL}"
_TONES = {"waiting": WARN, "cancelled": WARN, "timeout": BAD, "failed": BAD}


@dataclass(frozen=True, slots=True)
class JobHead(Twins):
    """What a job runs; ``name`` is the variable that holds it."""

    id: str
    sql: str
    connection: str
    name: str = "job"
    may_have_another: bool = False

    def text(self) -> str:
        """Return its lines."""
        return f"job {self.id[:8]}{_DOT}{self._where()}\n{self._excerpt()}\n{without_code(self._how())}"

    def html(self) -> str:
        """Return the same."""
        lines = (
            tag("div", escape(f"job {self.id[:8]}{_DOT}{self._where()}"), MUTED),
            tag("div", escape(self._excerpt()), f"overflow-wrap:anywhere;{MONO}"),
            tag("div", with_code(self._how()), MUTED),
        )
        return tag("div", "".join(lines), _SMALL)

    def _where(self) -> str:
        return visible(self.connection, _PART)

    def _excerpt(self) -> str:
        return visible(" ".join(self.sql[: 4 * _SQL].split()), _SQL)

    def _how(self) -> str:
        said = f"`{self.name}.df()` gives its frame, `{self.name}.cancel()` stops it"
        return f"{said}; or with the name that it was assigned to" if self.may_have_another else said


@dataclass(frozen=True, slots=True)
class JobState(Twins):
    """How far a job is; of one that is ``submitted`` nothing more is known."""

    state: str
    elapsed_s: float | None = None
    rows: int = 0
    nbytes: int = 0
    phase: str | None = None
    waits_for: str | None = None
    error: TuskError | None = None
    notes: tuple[str, ...] = ()
    notices: tuple[NoticeLine, ...] = ()
    done: str | None = None  # the command tag of what returned no rows: «0 rows» says nothing of an UPDATE 1

    def text(self) -> str:
        """Return the line, and the error below it."""
        notes = [f"note: {note}" for note in self._notes()]
        return "\n".join([_DOT.join((self.state, *self._words())), *self._error(), *notes, *text_lines(self.notices)])

    def html(self) -> str:
        """Return the same."""
        state = tag("b", escape(self.state), f"font-weight:600;{_TONES.get(self.state, '')}")
        words = tag("span", escape("".join(_DOT + word for word in self._words())), MUTED)
        said = [tag("div", escape(line), f"white-space:pre-wrap;{BAD}") for line in self._error()]
        notes = [tag("div", escape(note), MUTED) for note in self._notes()]
        return tag("div", "".join([state, words, *said, *notes, *html_lines(self.notices)]), _BOX)

    def _words(self) -> list[str]:
        said = [duration(self.elapsed_s * 1000)] if self.elapsed_s is not None else []
        count = counted(self.rows, "row") if self.rows or self.state == "completed" else None
        said += [words] if (words := visible(self.done, _PART) if self.done else count) else []
        said += [size(self.nbytes)] if self.nbytes else []
        said += [visible(self.phase, _PART)] if self.phase else []
        return [*said, f"waits for {visible(self.waits_for, _PART)}"] if self.waits_for else said

    def _notes(self) -> list[str]:
        lines = [visible(note, _MESSAGE) for note in self.notes[:_NOTES]]
        more = len(self.notes) - _NOTES
        return [*lines, f"… {counted(more, 'more note')}"] if more > 0 else lines

    def _error(self) -> list[str]:
        # that it was stopped says its state
        if self.error is None:
            return []
        told = [str(self.error)] if self.state != "cancelled" else []
        told += [self.error.transaction] if self.error.transaction else []
        return [visible(text, _MESSAGE) for text in told]


@dataclass(frozen=True, slots=True)
class JobCard(Twins):
    """Both."""

    head: JobHead
    now: JobState

    def text(self) -> str:
        """Return their lines."""
        return f"{self.head.text()}\n{self.now.text()}"

    def html(self) -> str:
        """Return the same."""
        return self.head.html() + self.now.html()
