"""A statement in flight, as it is seen: the line, and below it who is in the way.

Records in; out come a static form for cards and files (HTML and text), one line for a terminal, and what the widget is
sent. Every text is made here, safe and cut, so that the browser only places it and all forms say the same; it is sent
in pieces, because what a name or a query is must not be guessed from the words around it.

A share is shown where the server counts (``pg_stat_progress_*``) or the planner's estimate is not yet passed: an
estimate that turned out too low is dropped, not stretched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tusk_jupyter.widgets.amounts import age, counted, size
from tusk_jupyter.widgets.markup import CODE, LINE, MONO, MUTED, WARN_EDGE, Twins, escape, tag, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

State = Literal["waiting", "running", "stopping"]
_NAME, _WHAT, _QUERY = 80, 160, 120
_HOLDERS, _LEVELS = 8, 6
_DOT = " · "
_MINUTE_S = 59.95


@dataclass(frozen=True, slots=True)
class HolderLine:
    """A session in the way; ``level`` 1 holds what the statement waits for, 2 what that one waits for.

    :param remedy: what may be asked of the server: ``cancel`` its statement, ``terminate`` the session.
    :param said: what became of that, once it was asked.
    """

    pid: int
    level: int = 1
    user: str | None = None
    application: str | None = None
    client: str | None = None
    state: str | None = None
    state_s: float | None = None
    transaction_s: float | None = None
    query: str | None = None
    connection: str | None = None
    remedy: str | None = None
    backend_start: str | None = None
    said: str | None = None

    def pieces(self) -> tuple[str, str, str, str]:
        """Return what stands before the user's name, that name, what stands behind it, and the query."""
        user = _name(self.user)
        if not self.pid:
            return self._prepared(user)
        lead = f"held by pid {self.pid}" if self.level <= 1 else f"which waits for pid {self.pid}"
        where = ", ".join(part for part in (_name(self.application), _name(self.client)) if part)
        rest = f" ({where})" if where else ""
        if self.connection:
            rest += f", your own connection {_name(self.connection)}"
        for words in self._times():
            rest += f", {words}"
        query = _excerpt(self.query)
        if query:
            rest += ": " if self.state == "active" else ", after "
        elif self.query is None and not self.state:
            rest += ", and what it does is not shown to this role"
        return f"{lead}, " if user else lead, user, rest, query

    def _prepared(self, owner: str) -> tuple[str, str, str, str]:
        """Return the same of a prepared transaction, which no process holds; its state says which one it is."""
        lead = f"{'held by' if self.level <= 1 else 'which waits for'} {_name(self.state)}"
        for_how_long = f" for {age(self.transaction_s)}" if self.transaction_s is not None else ""
        rest = f"{for_how_long}, which COMMIT PREPARED or ROLLBACK PREPARED ends"
        return f"{lead} of " if owner else lead, owner, rest, ""

    def _times(self) -> Iterator[str]:
        for_how_long = f" for {age(self.state_s)}" if self.state_s is not None else ""
        if self.state:
            yield f"{_name(self.state)}{for_how_long}"
        since = self.transaction_s
        if since is not None and (self.state_s is None or since >= self.state_s + 1):
            yield f"in a transaction of {age(since)}"

    @property
    def note(self) -> str:
        """What became of what was asked; of a connection of the same kernel, what lets go."""
        if self.said or not self.connection or not (self.state or "").startswith("idle in transaction"):
            return _cut(self.said)
        return "COMMIT or ROLLBACK there lets it go; a cell that waits for it has to be stopped first"

    def text(self) -> str:
        """Return the whole in one line."""
        return "".join(self.pieces()) + (f" ({self.note})" if self.note else "")


@dataclass(frozen=True, slots=True)
class ProgressLine(Twins):
    """One statement in flight; ``id`` is the query's, and all that a button of its line can mean."""

    id: str
    state: State
    elapsed_s: float
    connection: str = ""
    rows: int = 0
    nbytes: int = 0
    expected_rows: int | None = None
    fraction: float | None = None
    phase: str | None = None
    waits_for: str | None = None
    waits_s: float | None = None
    holders: tuple[HolderLine, ...] = ()
    doing: str | None = None  # what it does, where that is not to run a statement

    @property
    def elapsed(self) -> str:
        """The time since it began, in tenths of a second for the first minute."""
        return f"{max(0.0, self.elapsed_s):.1f} s" if self.elapsed_s < _MINUTE_S else age(self.elapsed_s)

    @property
    def share(self) -> float | None:
        """How much of it is done, 0 to 1, where that is known."""
        if self.fraction is not None:
            return min(1.0, max(0.0, self.fraction))
        if self._expected and self.rows:
            return self.rows / self._expected
        return None

    @property
    def _expected(self) -> int | None:
        return self.expected_rows if self.expected_rows and self.rows <= self.expected_rows else None

    def words(self) -> str:
        """Return what is known of it but the time: what it waits for, or phase, rows and bytes."""
        if self.waits_for:
            for_how_long = f" for {age(self.waits_s)}" if self.waits_s is not None and self.waits_s >= 1 else ""
            return f"waits for {_cut(self.waits_for)}{for_how_long}"
        if self.state == "waiting":
            return "waits to be sent"
        percent = f"{self.share:.0%}" if self.fraction is not None and self.share is not None else ""
        phase = " ".join(filter(None, (_cut(self.phase), percent)))
        parts = [phase, self._rows(), size(self.nbytes) if self.nbytes else ""]
        return _DOT.join(filter(None, parts)) or _cut(self.doing) or f"runs on {_name(self.connection)}"

    def _rows(self) -> str:
        if self._expected:
            return f"{self.rows:,} of about {counted(_rounded(self._expected), 'row')}"
        return counted(self.rows, "row") if self.rows else ""

    def text(self) -> str:
        """Return the line, and a line for each session in the way, those further off indented."""
        first = _DOT.join((self.elapsed, self.words()))
        below = [f"{'  ' * min(holder.level, _LEVELS)}{holder.text()}" for holder in self.holders[:_HOLDERS]]
        return "\n".join([first, *below, *filter(None, [self._more()])])

    def one_line(self) -> str:
        """Return it for a terminal: the first of those in the way stands in the line."""
        held = [self.holders[0].text()] if self.holders else []
        stopping = ["stopping"] if self.state == "stopping" else []
        return " ".join(_DOT.join((self.elapsed, *stopping, self.words(), *held)).split())

    def html(self) -> str:
        """Return the same, static, without a button."""
        share = f"{tag('span', escape(f'{self.share:.0%}'), MUTED)}" if self.share is not None else ""
        parts = [tag("span", escape(self.elapsed), MONO), tag("span", escape(self.words())), share]
        line = tag("div", _DOT.join(filter(None, parts)), f"border:1px solid {LINE};padding:5px 10px;font-size:12px")
        return line + "".join(_holder_html(holder) for holder in self.holders[:_HOLDERS]) + _note_html(self._more())

    def _more(self) -> str:
        left_out = len(self.holders) - _HOLDERS
        return f"… {counted(left_out, 'more session')} in the way" if left_out > 0 else ""

    def aloud(self) -> str:
        """Return what a screen reader says when it changes: no figure in it does."""
        if not self.waits_for:
            return _cut(self.doing) or "the statement runs"
        held = [self.holders[0].pieces()[0].removesuffix(", ").removesuffix(" of ")] if self.holders else []
        return ", ".join([f"waits for {_cut(self.waits_for)}", *held])

    def as_dict(self) -> dict[str, Any]:
        """Return what the widget is sent: text that is placed, and what a button answers with."""
        return {
            "id": self.id,
            "state": self.state,
            "connection": _name(self.connection),
            "elapsed": self.elapsed,
            "words": self.words(),
            "aloud": self.aloud(),
            "share": None if self.share is None else round(self.share, 3),
            "waits": bool(self.waits_for) or self.state == "waiting",
            "holders": [_holder_dict(holder) for holder in self.holders[:_HOLDERS]],
            "more": self._more(),
        }


def _holder_dict(holder: HolderLine) -> dict[str, Any]:
    lead, user, rest, query = holder.pieces()
    return {
        "pid": holder.pid,
        "start": holder.backend_start or "",
        "level": min(holder.level, _LEVELS),
        "lead": lead,
        "user": user,
        "rest": rest,
        "query": query,
        "how": holder.remedy or "",
        "said": holder.note,
    }


def _holder_html(holder: HolderLine) -> str:
    lead, user, rest, query = holder.pieces()
    code = tag("code", escape(query), CODE) if query else ""
    said = f" ({escape(holder.note)})" if holder.note else ""
    line = f"{escape(lead)}{tag('b', escape(user), 'font-weight:600') if user else ''}{escape(rest)}{code}{said}"
    indent = 10 + 14 * (min(holder.level, _LEVELS) - 1)
    return tag("div", line, f"{WARN_EDGE};padding:3px 10px 3px {indent}px;font-size:12px;overflow-wrap:anywhere")


def _note_html(note: str) -> str:
    return tag("div", escape(note), f"{MUTED};font-size:12px;padding:2px 10px") if note else ""


def _rounded(number: int) -> int:
    """Return an estimate with as many digits as it deserves: two."""
    step = int(10 ** max(0, len(str(number)) - 2))
    return -(-number // step) * step


def _name(text: str | None) -> str:
    return _line(text, _NAME)


def _cut(text: str | None) -> str:
    return _line(text, _WHAT)


def _excerpt(text: str | None) -> str:
    return _line(text, _QUERY)


def _line(text: str | None, limit: int) -> str:
    """Return text on one line, safe to show, cut with an ellipsis; masked before it is cut, or half a literal shows."""
    if not text:
        return ""
    shown = " ".join(visible(text[: 8 * limit], 8 * limit).split())
    return shown if len(shown) <= limit and len(text) <= 8 * limit else f"{shown[:limit].rstrip()} …"
