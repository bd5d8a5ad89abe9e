r"""Rows as records, a line for each column: psql's expanded display, for a notebook and for a terminal.

The text twin is psql's, so that who knows ``\x`` reads it at once. Of many records the first and the last are shown, as
pandas shows many rows; a value is shown whole, which is what one asks for records for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.widgets.listing import safe
from tusk_jupyter.widgets.markup import LINE, MONO, MUTED, escape, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Record = tuple[int, Sequence[str]]

_CELL = f"text-align:left;vertical-align:top;white-space:pre-wrap;padding:1px 10px 1px 0;border-bottom:1px solid {LINE}"
_TABLE = f"border-collapse:collapse;margin:2px 0 4px 0;{MONO};font-size:.92em"


def text(names: Sequence[str], records: Iterable[Record], *, total: int) -> str:
    """Return the twin for a terminal; ``records`` have their numbers, from 1, ``total`` is how many there are."""
    shown = [(number, [safe(value).split("\n") for value in values]) for number, values in records]
    heads = [safe(name).replace("\n", " ") for name in names]
    left = max(map(len, heads), default=0)
    right = max((len(line) for _, values in shown for value in values for line in value), default=0)
    lines: list[str] = []
    last = 0
    for number, values in shown:
        lines += _gap(last, number)
        rule = f"{'-' * (left + 1)}+{'-' * (right + 1)}"
        title = f"-[ RECORD {number} ]"
        lines.append(title + rule[len(title) :])
        for head, value in zip(heads, values, strict=True):
            lines.append(f"{head:<{left}} | {value[0]}".rstrip())
            lines += [f"{'':<{left}} | {line}".rstrip() for line in value[1:]]
        last = number
    return "\n".join([*lines, *_gap(last, total + 1)]) or "(0 rows)"


def html(names: Sequence[str], records: Iterable[Record], *, total: int) -> str:
    """Return the twin for a browser: one table, with a head over each record."""
    heads = [escape(safe(name)) for name in names]
    rows: list[str] = []
    last = 0
    for number, values in records:
        rows += [_line(line) for line in _gap(last, number)]
        rows.append(_line(f"RECORD {number}"))
        rows += [
            tag("tr", tag("th", head, _CELL) + tag("td", escape(safe(value)), _CELL), "background:none")
            for head, value in zip(heads, values, strict=True)
        ]
        last = number
    rows += [_line(line) for line in _gap(last, total + 1)]
    return tag("table", "".join(rows), _TABLE) if rows else "(0 rows)"


def _gap(last: int, number: int) -> list[str]:
    left_out = number - last - 1
    return [f"… {left_out:,} record{'' if left_out == 1 else 's'} not shown: the DataFrame has them"] * (left_out > 0)


def _line(words: str) -> str:
    return (
        f'<tr style="background:none"><td colspan="2" style="{_CELL};{MUTED};padding-top:8px">{escape(words)}</td></tr>'
    )
