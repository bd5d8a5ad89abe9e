r"""A table as psql prints it, for a notebook and for a terminal: title, table, footers.

The text twin is psql's aligned format (border 1), the one that readers of ``\d`` know by heart; pandas' own would drop
the title and put every name to the right. In HTML a footer is what psql's indentation makes of it: a heading, and
below it a list. What is in a name may be anything, control characters among it: nothing is shown as it came.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from tusk_jupyter.widgets.column_widths import width_of
from tusk_jupyter.widgets.markup import LINE, MONO, MUTED, escape, masked, shown, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

LIMIT = 100_000  # characters of one cell or footer: a view may be defined at any length
_CELL = f"text-align:left;vertical-align:top;padding:2px 12px 2px 0;border-bottom:1px solid {LINE}"
_TABLE = f"border-collapse:collapse;margin:2px 0 4px 0;{MONO};font-size:.92em"
_HEAD = "font-weight:600;margin:4px 0 0 0"
_ITEMS = "margin:0;padding-left:2em;list-style:none"
_PRE = f"white-space:pre-wrap;{MONO};font-size:.92em"


def text(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | None]], footers: Iterable[str] = ()) -> str:
    """Return the twin for a terminal."""
    heads = [_lines(column) for column in columns]
    cells = [[_lines(cell) for cell in row] for row in rows]
    widths = [
        max([_width(line) for line in head] + [_width(line) for row in cells for line in row[place]])
        for place, head in enumerate(heads)
    ]
    whole = sum(widths) + 3 * max(len(widths) - 1, 0) + 2 * bool(widths)
    lines = [_centred(line, whole).rstrip() for line in _lines(title)] if title else []
    if widths:
        lines += _row(heads, widths, centre=True)
        lines.append("+".join("-" * (width + 2) for width in widths))
    for row in cells:
        lines += _row(row, widths)
    lines += [safe(footer) for footer in footers]
    return "\n".join(lines)


def html(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | None]], footers: Iterable[str] = ()) -> str:
    """Return the twin for a browser: static, no script, no style sheet."""
    cells = [[safe(cell) for cell in row] for row in rows]
    styles = [f"{_CELL};{width_of(name, [row[place] for row in cells])}" for place, name in enumerate(columns)]
    head = "".join(
        tag("th", _html(name), f"{style};white-space:normal") for name, style in zip(columns, styles, strict=True)
    )
    drawn = ("".join(tag("td", escape(cell), style) for cell, style in zip(row, styles, strict=True)) for row in cells)
    body = "".join(tag("tr", line, "background:none") for line in drawn)
    table = tag("table", f"{tag('thead', tag('tr', head))}{tag('tbody', body)}", _TABLE) if columns else ""
    return tag("div", tag("p", _html(title), _HEAD) * bool(title) + table + _html_footers(footers))


def safe(value: str | None) -> str:
    """Return text with nothing in it that acts, and no password."""
    if value is None:
        return ""
    cut = value[:LIMIT]
    more = f" … ({len(value) - LIMIT:,} more characters)" if len(value) > LIMIT else ""
    return shown(masked(cut)) + more


# -- HTML -------------------------------------------------------------------------------------------------------------


def _html(value: str | None) -> str:
    return escape(safe(value))


def _html_footers(footers: Iterable[str]) -> str:
    """Return footers as headings, and what is indented below one as its list."""
    made: list[str] = []
    items: list[str] = []
    for footer in footers:
        line = safe(footer)
        if line[:1] == " " and "\n " not in line and made:
            items.append(tag("li", escape(line.strip()), "margin:0"))
            continue
        made += _closed(items)
        items = []
        made.append(tag("div", escape(line), f"{MUTED};{_PRE}" if line.startswith("(") else _PRE))
    return "".join([*made, *_closed(items)])


def _closed(items: list[str]) -> list[str]:
    return [tag("ul", "".join(items), f"{_ITEMS};{_PRE}")] if items else []


# -- text -------------------------------------------------------------------------------------------------------------


def _lines(value: str | None) -> list[str]:
    return safe(value).replace("\t", "    ").split("\n")


def _row(cells: Sequence[list[str]], widths: Sequence[int], *, centre: bool = False) -> list[str]:
    """Return the lines of one row; a ``+`` at the end of a cell says that it goes on."""
    height = max((len(cell) for cell in cells), default=1)
    made = []
    for place in range(height):
        parts = []
        for cell, width in zip(cells, widths, strict=True):
            line = cell[place] if place < len(cell) else ""
            filled = _centred(line, width) if centre else line + " " * (width - _width(line))
            parts.append(f" {filled}{'+' if place + 1 < len(cell) else ' '}")
        made.append("|".join(parts).rstrip())
    return made


def _centred(line: str, width: int) -> str:
    left = max(width - _width(line), 0) // 2
    return " " * left + line + " " * max(width - _width(line) - left, 0)


def _width(line: str) -> int:
    """Return the columns that a terminal gives a line: two for a wide character, none for one that combines."""
    if line.isascii():
        return len(line)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in line
    )
