"""The line below a result: command tag, time, connection, transaction, notes, notices.

Plain records in, two twins out (static HTML and text). The parts are joined by a middle dot in both: a gap made by CSS
is gone where styles are stripped, and when the line is copied. Everything is bounded, because a cell may raise 10,000
notices of 10 kB and a loop may run 1,000 statements, and all of it is saved in the notebook: the first and last 50
notices, 1,000 characters each; the first and last 5 status lines; in between a count.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tusk_jupyter.widgets.amounts import age, counted, duration
from tusk_jupyter.widgets.markup import BAD, LINE, MUTED, WARN, Twins, escape, tag, visible

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

_PART, _NOTICE = 300, 1_000
_NOTICES, _NOTES, _STATEMENTS = 50, 20, 5
_DAY_S = 86_400
_DOT = " · "
_SMALL = "font-size:12px;line-height:1.5"
_BAR = f"border-left:3px solid {LINE};padding:1px 0 1px 10px;white-space:pre-wrap;overflow-wrap:anywhere;{_SMALL}"
_LOUD = {"WARNING", "ERROR", "FATAL", "PANIC"}

Tone = Literal["quiet", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class TransactionNote:
    """A transaction that is open after a cell; ``since`` is when it began, ``age_s`` how long ago that was."""

    state: Literal["open", "failed"]
    statements: int
    since: datetime
    age_s: float

    def __str__(self) -> str:
        began = self.since.astimezone().strftime("%H:%M" if self.age_s < _DAY_S else "%Y-%m-%d %H:%M")
        count = f"{_DOT}{counted(self.statements, 'statement')}" if self.statements else ""
        line = f"transaction {self.state}{count}{_DOT}{began} ({age(self.age_s)})"
        return f"{line}{_DOT}ROLLBACK ends it" if self.state == "failed" else line


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """A notice of the server, with the severity in the server's words."""

    severity: str
    message: str
    detail: str | None = None
    hint: str | None = None
    context: str | None = None

    def body(self) -> str:
        """Return the text behind the severity, safe and cut; further fields on lines of their own."""
        more = (("DETAIL", self.detail), ("HINT", self.hint), ("CONTEXT", self.context))
        lines = [
            visible(self.message, _NOTICE),
            *(f"{label}: {visible(text, _NOTICE)}" for label, text in more if text),
        ]
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Footer(Twins):
    """What a statement came to. ``parts`` stand in the line («more rows exist (--limit 500)»), ``notes`` below it."""

    command_tag: str | None
    elapsed_ms: float
    connection: str
    parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    transaction: TransactionNote | None = None
    notices: tuple[NoticeLine, ...] = ()

    def text(self) -> str:
        """Return the line, its notes and its notices, one a line."""
        lines = [_DOT.join(filter(None, (*self._words(), str(self.transaction or ""))))]
        lines += [f"note: {note}" for note in _notes(self.notes)]
        lines += [_indented(f"{severity}:  ", body) if severity else body for severity, body in _notices(self.notices)]
        return "\n".join(lines)

    def html(self) -> str:
        """Return the same, the command tag bold, an open transaction in the warning colour, a failed one in red."""
        first, *rest = self._words()
        line = tag("b", escape(first), "font-weight:600") + tag("span", escape("".join(_DOT + w for w in rest)), MUTED)
        if self.transaction:
            tone: Tone = "bad" if self.transaction.state == "failed" else "warn"
            line += _DOT + _toned(str(self.transaction), tone)
        below = [_note(note) for note in _notes(self.notes)]
        below += [_notice(severity, body) for severity, body in _notices(self.notices)]
        return tag("div", line, _SMALL) + "".join(below)

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
        return "\n".join([visible(self.line, _NOTICE), *(f"note: {note}" for note in _notes(self.notes))])

    def html(self) -> str:
        """Return the same."""
        line = _toned(visible(self.line, _NOTICE), self.tone)
        return tag("div", line, _SMALL) + "".join(map(_note, _notes(self.notes)))


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
        return "\n".join([*lines, *(f"note: {note}" for note in _notes(self.notes))])

    def html(self) -> str:
        """Return the same, the name bold."""
        words = escape("".join(_DOT + word for word in self._words()))
        line = tag("b", escape(visible(self.name, _PART)), "font-weight:600") + tag("span", words, MUTED)
        return tag("div", line, _SMALL) + "".join(map(_note, _notes(self.notes)))

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
        return "\n".join([*(f.text() for f in self.first), *between, *(f.text() for f in self.last)])

    def html(self) -> str:
        """Return the lines."""
        between = tag("div", f"… {self._between()}", f"{_SMALL};{MUTED}") if self.hidden else ""
        return "".join([*(f.html() for f in self.first), between, *(f.html() for f in self.last)])

    def _between(self) -> str:
        return f"{counted(self.hidden, 'more statement')}{_DOT}{duration(self.hidden_ms)}"


def _notes(notes: tuple[str, ...]) -> list[str]:
    lines = [visible(note, _NOTICE) for note in notes[:_NOTES]]
    return lines if len(notes) <= _NOTES else [*lines, f"… {counted(len(notes) - _NOTES, 'more note')}"]


def _notices(notices: tuple[NoticeLine, ...]) -> Iterable[tuple[str, str]]:
    """Yield (severity, text) of the first and last; the count between has no severity."""
    # a log that has left some out says so in a notice of its own, between the first and the last
    fits = len(notices) <= 2 * _NOTICES + 1
    for notice in notices if fits else notices[:_NOTICES]:
        yield visible(notice.severity, 40), notice.body()
    if not fits:
        yield "", f"… {counted(len(notices) - 2 * _NOTICES, 'more notice')}"
        for notice in notices[-_NOTICES:]:
            yield visible(notice.severity, 40), notice.body()


def _indented(label: str, text: str) -> str:
    return label + text.replace("\n", f"\n{' ' * len(label)}")


def _note(note: str) -> str:
    return tag("div", tag("span", escape(note), MUTED), _BAR)


def _notice(severity: str, body: str) -> str:
    if not severity:
        return _note(body)
    label = tag("b", escape(severity), f"font-weight:600;{WARN if severity in _LOUD else MUTED}")
    return tag("div", f"{label} {tag('span', escape(body), MUTED)}", _BAR)


def _toned(text: str, tone: Tone) -> str:
    return tag("span", escape(text), {"quiet": MUTED, "warn": WARN, "bad": BAD}[tone])
