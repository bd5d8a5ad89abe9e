"""What a tooltip says of the thing at the cursor: a title, lines, labelled facts, a table; as text and as HTML.

Names and comments come from a server: each is cut, made visible and escaped. Both twins are complete; the text is what
JupyterLab shows beside its menu, and what a front end without HTML has.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.widgets.column_widths import width_of
from tusk_jupyter.widgets.markup import LINE, MONO, MUTED, Twins, escape, tag, visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_CUT = 500
_CELL = f"text-align:left;vertical-align:top;padding:1px 12px 1px 0;border-bottom:1px solid {LINE}"
_PLAIN = "text-align:left;vertical-align:top;padding:1px 12px 1px 0;border:0"
_TABLE = f"border-collapse:collapse;margin:4px 0 0 0;{MONO};font-size:12px"
_BOX = "font-size:13px;line-height:1.45"


@dataclass(frozen=True, slots=True)
class SheetView(Twins):
    """A sheet of :mod:`tusk_jupyter.schema.sheets`, or one of ours, to be shown."""

    title: str
    kind: str = ""
    lead: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    left_out: str = ""

    def text(self) -> str:
        """Return the twin for a terminal, complete."""
        lines = [" ".join(filter(None, (_said(self.kind), _said(self.title))))]
        lines += map(_said, self.lead)
        width = max((len(label) for label, _ in self.facts), default=0)
        lines += [f"{label:<{width}}  {_said(value)}" for label, value in self.facts]
        if self.rows:
            lines += ["", *_aligned([self.columns, *self.rows] if any(self.columns) else self.rows)]
        return "\n".join([*lines, *filter(None, [self.left_out])])

    def html(self) -> str:
        """Return the same for a browser."""
        kind = tag("span", f" {escape(_said(self.kind))}", MUTED) if self.kind else ""
        parts = [tag("div", tag("b", escape(_said(self.title)), f"font-weight:600;{MONO}") + kind)]
        parts += [tag("div", escape(_said(line))) for line in self.lead]
        parts.append(_facts(self.facts))
        parts.append(_table(self.columns, self.rows))
        if self.left_out:
            parts.append(tag("div", escape(self.left_out), MUTED))
        return tag("div", "".join(parts), _BOX)


def _said(text: str) -> str:
    return visible(" ".join(text.split()), _CUT)


def _facts(facts: Iterable[tuple[str, str]]) -> str:
    rows = [
        tag(
            "tr",
            tag("td", escape(label), f"{_PLAIN};{MUTED}") + tag("td", escape(_said(value)), _PLAIN),
            "background:none",
        )
        for label, value in facts
    ]
    return tag("table", tag("tbody", "".join(rows)), _TABLE) if rows else ""


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    said = [[_said(cell) for cell in row] for row in rows]
    styles = [f"{_CELL};{width_of(column, [row[n] for row in said])}" for n, column in enumerate(columns)]
    titles = (tag("th", escape(column), f"{style};{MUTED};font-weight:400") for column, style in _each(columns, styles))
    lines = ("".join(_cell(n, cell, style) for n, (cell, style) in enumerate(_each(row, styles))) for row in said)
    body = "".join(tag("tr", line, "background:none") for line in lines)
    return tag("table", (tag("thead", tag("tr", "".join(titles))) if any(columns) else "") + tag("tbody", body), _TABLE)


def _each(cells: Sequence[str], styles: Sequence[str]) -> Iterable[tuple[str, str]]:
    return zip(cells, styles, strict=True)


def _cell(place: int, said: str, style: str) -> str:
    return tag("td", escape(said), f"{style};{MUTED}" if place > 1 else style)


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    said = [[_said(cell) for cell in row] for row in rows]
    widths = [min(max(map(len, column)), 40) for column in zip(*said, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in said]
