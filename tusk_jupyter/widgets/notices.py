"""What the server said on the way (RAISE NOTICE and its kind), as text that weighs what its level weighs.

The level decides the weight and the severity is what is read: on a server that speaks German a WARNING is a WARNUNG.
CONTEXT is the same line under every notice of a loop. It is folded away below the first notice that has it, and left
out of the text, as psql leaves it out; ``tusk.last_result().notices`` has it with each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tusk_jupyter.widgets.amounts import counted
from tusk_jupyter.widgets.markup import LINE, MUTED, WARN, escape, tag, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.errors import Diagnostic

MOST: Final = 1_000
SMALL: Final = "font-size:12px;line-height:1.5"
BAR: Final = f"border-left:3px solid {LINE};padding:1px 0 1px 10px;white-space:pre-wrap;overflow-wrap:anywhere;{SMALL}"
_NOTICES: Final = 50
_BOLD: Final = "font-weight:600"
_LOUD: Final = frozenset({"WARNING", "ERROR", "FATAL", "PANIC"})
_QUIET: Final = "font-weight:400;opacity:.6"


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """A notice of the server, with the severity in the server's words; ``level`` is the same in PostgreSQL's."""

    severity: str
    message: str
    detail: str | None = None
    hint: str | None = None
    context: str | None = None
    level: str | None = None
    about: tuple[tuple[str, str], ...] = ()  # TABLE, COLUMN, … as it names them

    @classmethod
    def of(cls, diag: Diagnostic) -> NoticeLine:
        """Return a notice as it is shown."""
        table = ".".join(filter(None, (diag.schema_name, diag.table_name)))
        named = (
            ("TABLE" if diag.table_name else "SCHEMA", table),
            ("COLUMN", diag.column_name),
            ("CONSTRAINT", diag.constraint_name),
            ("TYPE", diag.datatype_name),
        )
        return cls(
            diag.severity or "NOTICE",
            diag.message_primary or "",
            diag.message_detail,
            diag.message_hint,
            diag.context,
            diag.severity_nonlocalized,
            tuple((label, name) for label, name in named if name),
        )

    def body(self) -> str:
        """Return the text behind the severity, safe and cut; further fields on lines of their own."""
        more = (("DETAIL", self.detail), ("HINT", self.hint), *self.about)
        lines = [visible(self.message, MOST), *(f"{label}: {visible(text, MOST)}" for label, text in more if text)]
        return "\n".join(lines)

    @property
    def weight(self) -> str:
        """The style of its severity: bold, in the colour of warnings, or hardly there."""
        level = self.level or self.severity
        if level.startswith("DEBUG"):
            return _QUIET
        return f"{_BOLD};{WARN if level in _LOUD else MUTED}"


def text_lines(notices: tuple[NoticeLine, ...]) -> Iterator[str]:
    """Yield the notices as text, first and last where they are many, the count between."""
    for notice in _bounded(notices):
        if isinstance(notice, str):
            yield notice
        else:
            label = f"{visible(notice.severity, 40)}:  "
            yield label + notice.body().replace("\n", f"\n{' ' * len(label)}")


def html_lines(notices: tuple[NoticeLine, ...]) -> Iterator[str]:
    """Yield the same as HTML, each context once, folded."""
    told: set[str] = set()
    for notice in _bounded(notices):
        if isinstance(notice, str):
            yield note(notice)
            continue
        label = tag("b", escape(visible(notice.severity, 40)), notice.weight)
        context = notice.context or ""
        folded = _folded(context) if context not in told else ""
        told.add(context)
        yield tag("div", f"{label} {tag('span', escape(notice.body()), MUTED)}{folded}", BAR)


def note(text: str) -> str:
    """Return a line of the same kind that has no severity."""
    return tag("div", tag("span", escape(text), MUTED), BAR)


def _folded(context: str) -> str:
    if not context.strip():
        return ""
    return tag("details", f"<summary>CONTEXT</summary>{escape(visible(context, MOST))}", MUTED)


def _bounded(notices: tuple[NoticeLine, ...]) -> Iterator[NoticeLine | str]:
    # a log that has left some out says so in a notice of its own, between the first and the last
    if len(notices) <= 2 * _NOTICES + 1:
        yield from notices
        return
    yield from notices[:_NOTICES]
    yield f"… {counted(len(notices) - 2 * _NOTICES, 'more notice')}"
    yield from notices[-_NOTICES:]
