"""The line below a result: command tag, time, connection, transaction, notes, notices.

Plain records in, two twins out (static HTML and text). The parts are joined by a middle dot in both: a gap made by CSS
is gone where styles are stripped, and when the line is copied. Everything is bounded, because a cell may raise 10,000
notices of 10 kB and a loop may run 1,000 statements, and all of it is saved in the notebook: the first and last 50
notices, 1,000 characters each; the first and last 5 status lines; in between a count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tusk_jupyter.widgets import heard
from tusk_jupyter.widgets.amounts import age, counted, duration
from tusk_jupyter.widgets.markup import BAD, BAD_EDGE, MUTED, WARN, Twins, escape, tag, visible
from tusk_jupyter.widgets.notices import MOST, SMALL, html_lines, note, text_lines

if TYPE_CHECKING:
    from datetime import datetime

    from tusk_jupyter.notifications import Heard
    from tusk_jupyter.widgets.notices import NoticeLine

_PART = 300
_NOTES, _STATEMENTS = 20, 5
_DAY_S = 86_400
_IDLE_S = 10  # what passes between two cells anyway is not worth a word
_DOT = " · "

Tone = Literal["quiet", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class TransactionNote:
    """A transaction that is open after a cell; ``since`` is when it began, ``age_s`` how long ago that was.

    ``savepoint`` is its last one, ``idle_s`` how long it lay idle before this statement.
    """

    state: Literal["open", "failed"]
    statements: int
    since: datetime
    age_s: float
    savepoint: str | None = None
    idle_s: float = 0.0

    def __str__(self) -> str:
        began = self.since.astimezone().strftime("%H:%M" if self.age_s < _DAY_S else "%Y-%m-%d %H:%M")
        count = f"{_DOT}{counted(self.statements, 'statement')}" if self.statements else ""
        line = f"transaction {self.state}{count}{_DOT}{began} ({age(self.age_s)})"
        line += f"{_DOT}idle {age(self.idle_s)}" if self.idle_s >= _IDLE_S else ""
        if self.state == "open":
            return line
        back = f", ROLLBACK TO {visible(self.savepoint, _PART)} goes on from there" if self.savepoint else ""
        return f"{line}{_DOT}ROLLBACK ends it{back}"


@dataclass(frozen=True, slots=True)
class Footer(Twins):
    """What a statement came to. ``parts`` stand in the line («more rows exist (--limit 500)»), ``notes`` below it.

    An ``alarm`` is what nobody may miss (nothing was saved): in red, before everything else below the line.
    ``headless`` leaves the line out: what was said while it ran stands alone, and no passing time looks like its time.
    """

    command_tag: str | None
    elapsed_ms: float
    connection: str
    parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    transaction: TransactionNote | None = None
    notices: tuple[NoticeLine, ...] = ()
    alarm: str | None = None
    heard: Heard | None = None
    headless: bool = False

    def text(self) -> str:
        """Return the line, its notes and its notices, one a line."""
        lines = [] if self.headless else [_DOT.join(filter(None, (*self._words(), str(self.transaction or ""))))]
        lines += [f"WARNING:  {visible(self.alarm, MOST)}"] if self.alarm else []
        lines += [f"note: {one}" for one in _notes(self.notes)]
        lines += text_lines(self.notices)
        lines += heard.text_lines(self.heard)
        return "\n".join(lines)

    def html(self) -> str:
        """Return the same, the command tag bold, an open transaction in the warning colour, a failed one in red."""
        first, *rest = self._words()
        line = tag("b", escape(first), "font-weight:600") + tag("span", escape("".join(_DOT + w for w in rest)), MUTED)
        if self.transaction:
            tone: Tone = "bad" if self.transaction.state == "failed" else "warn"
            line += _DOT + _toned(str(self.transaction), tone)
        below = [_alarm(visible(self.alarm, MOST))] if self.alarm else []
        below += [*map(note, _notes(self.notes)), *html_lines(self.notices), *heard.html_lines(self.heard)]
        return ("" if self.headless else tag("div", line, SMALL)) + "".join(below)

    def _words(self) -> list[str]:
        words = (self.command_tag or "", *self.parts, duration(self.elapsed_ms), self.connection)
        return [shown for word in words if (shown := visible(word, _PART).strip())]


@dataclass(frozen=True, slots=True)
class StatusLine(Twins):
    """One sentence of ours, with notes below it."""

    line: str
    notes: tuple[str, ...] = ()
    tone: Tone = "quiet"

    def text(self) -> str:
        """Return the sentence and its notes, one a line."""
        return "\n".join([visible(self.line, MOST), *(f"note: {one}" for one in _notes(self.notes))])

    def html(self) -> str:
        """Return the same."""
        line = _toned(visible(self.line, MOST), self.tone)
        return tag("div", line, SMALL) + "".join(map(note, _notes(self.notes)))


@dataclass(frozen=True, slots=True)
class ConnectReport(Twins):
    """What ``%tusk_connect`` prints; ``tls`` says how the connection is encrypted, and whether at all."""

    name: str
    server_version: str
    database: str
    user: str
    tls: str | None
    read_only: bool
    notes: tuple[str, ...] = ()

    def text(self) -> str:
        """Return the line and its notes, one a line."""
        lines = [_DOT.join((visible(self.name, _PART), *self._words()))]
        return "\n".join([*lines, *(f"note: {one}" for one in _notes(self.notes))])

    def html(self) -> str:
        """Return the same, the name bold."""
        words = escape("".join(_DOT + word for word in self._words()))
        line = tag("b", escape(visible(self.name, _PART)), "font-weight:600") + tag("span", words, MUTED)
        return tag("div", line, SMALL) + "".join(map(note, _notes(self.notes)))

    def _words(self) -> list[str]:
        mode = "read-only" if self.read_only else "read-write"
        who = f"database {self.database} as {self.user}"
        return [visible(word, _PART) for word in (f"PostgreSQL {self.server_version}", who, self.tls or "no TLS", mode)]


@dataclass(frozen=True, slots=True)
class Lines(Twins):
    """The footers of one cell, first and last; the middle is a count and a time. Adding one is O(1)."""

    first: tuple[Footer, ...] = ()
    last: tuple[Footer, ...] = ()
    hidden: int = 0
    hidden_ms: float = 0.0
    live: Footer | None = None  # what the statement that runs now has said so far; replaced, and then added

    def add(self, footer: Footer) -> Lines:
        """Return these and one more."""
        if len(self.first) < _STATEMENTS:
            return replace(self, first=(*self.first, footer))
        if len(self.last) < _STATEMENTS:
            return replace(self, last=(*self.last, footer))
        gone, *kept = self.last
        hidden_ms = self.hidden_ms + gone.elapsed_ms
        return replace(self, last=(*kept, footer), hidden=self.hidden + 1, hidden_ms=hidden_ms)

    def text(self) -> str:
        """Return the lines."""
        between = [f"… {self._between()}"] if self.hidden else []
        return "\n".join([*(f.text() for f in self.first), *between, *(f.text() for f in self._end())])

    def html(self) -> str:
        """Return the lines."""
        between = tag("div", f"… {self._between()}", f"{SMALL};{MUTED}") if self.hidden else ""
        return "".join([*(f.html() for f in self.first), between, *(f.html() for f in self._end())])

    def _end(self) -> tuple[Footer, ...]:
        return self.last if self.live is None else (*self.last, self.live)

    def _between(self) -> str:
        return f"{counted(self.hidden, 'more statement')}{_DOT}{duration(self.hidden_ms)}"


def _notes(notes: tuple[str, ...]) -> list[str]:
    lines = [visible(one, MOST) for one in notes[:_NOTES]]
    return lines if len(notes) <= _NOTES else [*lines, f"… {counted(len(notes) - _NOTES, 'more note')}"]


def _alarm(text: str) -> str:
    bold = tag("b", escape(text), f"font-weight:600;{BAD}")
    return tag("div", bold, f"{BAD_EDGE};padding:3px 10px;margin:2px 0;{SMALL}")


def _toned(text: str, tone: Tone) -> str:
    return tag("span", escape(text), {"quiet": MUTED, "warn": WARN, "bad": BAD}[tone])
