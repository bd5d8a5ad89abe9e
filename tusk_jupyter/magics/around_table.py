"""What ``%tusk tables`` and its like return: numbers to compute with, sizes and counts to read, one frame.

Its columns have types (``Int64`` for bytes and rows, ``boolean``, UTC for times); shown, ``size`` is ``24 MB`` and a
flag is yes or nothing. A frame that was changed shows itself as pandas does: what is seen must be what is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from tusk_jupyter.widgets import listing as drawn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.schema.around import Around, Field

SHOWN_ROWS = 1_000
_DTYPES = {"rows": "Int64", "bytes": "Int64", "number": "Int64", "flag": "boolean", "text": "str"}
_FLAGS = {"t": True, "f": False}
_UNITS = ("bytes", "kB", "MB", "GB", "TB", "PB")
_UNIT = 1024
_NEXT_AT = 10 * _UNIT  # PostgreSQL's pg_size_pretty goes to the next unit there


class AroundTable(pd.DataFrame):
    """A DataFrame that shows what was found as a table to read; what is computed from it is an ordinary one."""

    _around: tuple[Around, pd.DataFrame]

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return self._drawn(drawn.text) or super().__repr__()

    def _repr_html_(self) -> Any:
        return self._drawn(drawn.html) or super()._repr_html_()  # type: ignore[misc]

    def _drawn(self, draw: Callable[..., str]) -> str | None:
        around, made = self.__dict__.get("_around", (None, None))
        if around is None or not pd.DataFrame(self).equals(made):
            return None
        rows = [
            [_shown(f, cell) for f, cell in zip(around.fields, row, strict=True)] for row in around.rows[:SHOWN_ROWS]
        ]
        more = len(around.rows) - SHOWN_ROWS
        left_out = [f"… and {more:,} more: the DataFrame has them"] if more > 0 else []
        return draw("", tuple(field.name for field in around.fields) if rows else (), rows, [*left_out, *around.notes])


def show(around: Around) -> AroundTable:
    """Return an answer as a DataFrame that shows it."""
    made = pd.DataFrame(
        {field.name: _column(field, [row[place] for row in around.rows]) for place, field in enumerate(around.fields)}
    )
    table = AroundTable(made)
    # past pandas, to whom an attribute is a column that was misspelt
    object.__setattr__(table, "_around", (around, made))
    return table


def size(count: int) -> str:
    """Return a number of bytes as PostgreSQL writes it: ``8192 bytes``, ``24 MB``."""
    left, unit = float(count), 0
    while left >= _NEXT_AT and unit < len(_UNITS) - 1:
        left, unit = left / _UNIT, unit + 1
    return f"{left:.0f} {_UNITS[unit]}"


def _column(field: Field, cells: list[str | None]) -> pd.Series[Any]:
    if field.kind == "time":
        return pd.to_datetime(pd.Series(cells, dtype="str"), utc=True).dt.as_unit("us")
    values: list[Any] = list(cells)
    if field.kind == "flag":
        values = [None if cell is None else _FLAGS[cell] for cell in cells]
    elif field.kind != "text":
        values = [None if cell is None else int(cell) for cell in cells]
    return pd.Series(values, dtype=_DTYPES[field.kind])


def _shown(field: Field, cell: str | None) -> str | None:
    if cell is None:
        return None
    match field.kind:
        case "bytes":
            return size(int(cell))
        case "rows" | "number":
            return f"{int(cell):,}"
        case "flag":
            return "yes" if _FLAGS[cell] else ""
        case "time":
            return f"{cell.partition('.')[0]} UTC"
    return cell
