"""What ``%tusk watch`` shows of one run: when it was, a table with what changed marked, the status line below.

A mark is a colour, and bold type, and in the text an asterisk: none of them alone is seen by everybody. The table is
small, whatever the result is: it is sent again with each run. The value of the magic is the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tusk_jupyter.widgets.amounts import counted
from tusk_jupyter.widgets.markup import LINE, MUTED, Twins, escape, tag, visible

if TYPE_CHECKING:
    from tusk_jupyter.results.changes import Cell, Table
    from tusk_jupyter.widgets.result_footer import Footer

_CELL, _NAME = 80, 60
_MARK: Final = "background:rgba(201,138,27,.28)"
_SMALL: Final = "font-size:12px;line-height:1.5"
_BOX: Final = f"border-bottom:1px solid {LINE};padding:2px 10px;font-size:12px;white-space:pre;text-align:"
_DOT: Final = " · "


@dataclass(frozen=True, slots=True)
class Watched(Twins):
    """One run: ``when`` says which and when, the table what came of it; no table for a statement without rows."""

    when: tuple[str, ...]
    table: Table | None
    footer: Footer

    def text(self) -> str:
        """Return it with the rows aligned, marked cells with an asterisk."""
        lines = [_DOT.join(("── " + self.when[0], *self.when[1:], *self._changes()))]
        if self.table is not None:
            lines += _aligned(self.table)
            lines += self._more()
        return "\n".join([*lines, self.footer.text()])

    def html(self) -> str:
        """Return the same."""
        first, *rest = (*self.when, *self._changes())
        line = tag("b", escape(first), "font-weight:600") + tag("span", escape("".join(_DOT + w for w in rest)), MUTED)
        parts = [tag("div", line, _SMALL)]
        if self.table is not None:
            parts.append(_table(self.table))
            parts += (tag("div", tag("span", escape(more), MUTED), _SMALL) for more in self._more())
        return "".join([*parts, self.footer.html()])

    def _changes(self) -> tuple[str, ...]:
        table = self.table
        if table is None:
            return ()
        cells = counted(table.cells_changed, "cell") + " changed" if table.cells_changed else ""
        new = counted(table.new, "new row") if table.new else ""
        gone = counted(table.gone, "row") + " gone" if table.gone else ""
        return tuple(filter(None, (cells, new, gone)))

    def _more(self) -> list[str]:
        table = self.table
        if table is None or not (table.more_rows or table.more_columns):
            return []
        more = ((table.more_rows, "more row"), (table.more_columns, "more column"))
        return ["… " + ", ".join(counted(number, what) for number, what in more if number)]


def _table(table: Table) -> str:
    sides = ["right" if number else "left" for number in table.numbers]
    head = "".join(
        tag("th", escape(visible(name, _NAME)), f"{_BOX}{side};font-weight:600")
        for name, side in zip(table.columns, sides, strict=True)
    )
    body = "".join(
        tag("tr", "".join(_cell(cell, side) for cell, side in zip(row, sides, strict=True))) for row in table.rows
    )
    rows = tag("thead", tag("tr", head)) + tag("tbody", body)
    return tag("table", rows, "border-collapse:collapse;margin:2px 0 4px 0")


def _cell(cell: Cell, side: str) -> str:
    text = escape(_line(cell))
    if cell.changed:
        return tag("td", tag("b", text, "font-weight:600"), f"{_BOX}{side};{_MARK}")
    return tag("td", text, f"{_BOX}{side}")


def _line(cell: Cell) -> str:
    return visible(cell.text, _CELL).replace("\n", "\\n")


def _aligned(table: Table) -> list[str]:
    cells = [[visible(name, _NAME) + " " for name in table.columns]]
    cells += [[_line(cell) + ("*" if cell.changed else " ") for cell in row] for row in table.rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return [
        " ".join(
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, table.numbers, strict=True)
        ).rstrip()
        for row in cells
    ]
