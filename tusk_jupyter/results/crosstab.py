r"""``\crosstabview``: three columns of a result as a grid, by psql's rules.

Rows and columns come in the order in which their values appear, the columns also by the numbers of a fourth column.
Two values for one place are an error and no aggregate: what is shown is what the query returned. Headers are text; the
values keep the type of their column, and a place that the query has no row for is missing (psql prints it empty, as it
prints NULL).

pandas' own ``pivot`` sorts both axes, and names neither the row nor the column of a value that comes twice.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from tusk_jupyter.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

MOST_COLUMNS: Final = 1600
_LEAST = 3
_NAME = r"\crosstabview"
_NULLABLE: dict[str, Any] = {"int64": "Int64", "bool": "boolean"}


@dataclass(frozen=True, slots=True)
class _Chosen:
    rows: int
    columns: int
    data: int
    order: int | None


def crosstab(frame: pd.DataFrame, names: Sequence[str], arguments: Sequence[str]) -> pd.DataFrame:
    r"""Return a result as ``\crosstabview [colV [colH [colD [sortcolH]]]]`` shows it.

    :param names: the columns as the query calls them; the frame's own are made unique.
    :raises InvalidInput: as psql does.
    """
    chosen = _chosen(names, arguments)
    rows = _keys(frame.iloc[:, chosen.rows])
    columns = _keys(frame.iloc[:, chosen.columns])
    first: dict[str | None, int] = {}
    for place, key in enumerate(rows):
        first.setdefault(key, place)
    row_places = {key: place for place, key in enumerate(first)}
    headers = list(dict.fromkeys(columns))
    if len(headers) > MOST_COLUMNS:
        raise InvalidInput(f"{_NAME}: maximum number of columns ({MOST_COLUMNS}) exceeded")
    found: dict[str | None, dict[int, int]] = {header: {} for header in headers}
    for place, (row, column) in enumerate(zip(rows, columns, strict=True)):
        if found[column].setdefault(row_places[row], place) != place:
            raise InvalidInput(
                f"{_NAME}: query result contains multiple data values for row {row or '(null)'!r}, "
                f"column {column or '(null)'!r}",
                advice="The query was run. Aggregate them in it, or choose other columns.",
            )
    if chosen.order is not None:
        ranks = dict(zip(reversed(columns), reversed(_ranks(frame.iloc[:, chosen.order])), strict=True))
        headers.sort(key=lambda header: ranks[header])
    return _grid(frame, chosen, list(first.values()), [(one or "", found[one]) for one in headers])


def _chosen(names: Sequence[str], arguments: Sequence[str]) -> _Chosen:
    if len(names) < _LEAST:
        raise InvalidInput(f"{_NAME}: query must return at least three columns", advice="The query was run.")
    rows = _place(names, arguments[0]) if arguments else 0
    columns = _place(names, arguments[1]) if len(arguments) > 1 else 1
    if rows == columns:
        raise InvalidInput(f"{_NAME}: vertical and horizontal headers must be different columns")
    if len(arguments) > 2:  # noqa: PLR2004 - the third is there
        data = _place(names, arguments[2])
    elif len(names) == _LEAST:
        [data] = {0, 1, 2} - {rows, columns}
    else:
        raise InvalidInput(f"{_NAME}: data column must be specified when query returns more than three columns")
    return _Chosen(rows, columns, data, _place(names, arguments[3]) if len(arguments) > _LEAST else None)


def _place(names: Sequence[str], argument: str) -> int:
    """Return the place of a column that is named, or numbered from 1."""
    if argument.isascii() and argument.isdigit():
        if not 1 <= int(argument) <= len(names):
            raise InvalidInput(f"{_NAME}: column number {int(argument)} is out of range 1..{len(names)}")
        return int(argument) - 1
    quoted = len(argument) > 1 and argument[0] == argument[-1] == '"'
    wanted = argument[1:-1].replace('""', '"') if quoted else argument.lower()
    places = [place for place, name in enumerate(names) if name == wanted]
    if len(places) > 1:
        raise InvalidInput(f"{_NAME}: ambiguous column name: {wanted!r}", advice="Number it, from 1.")
    if not places:
        raise InvalidInput(f"{_NAME}: column name not found: {wanted!r}", advice=f"It has: {', '.join(names)}.")
    return places[0]


def _keys(column: pd.Series) -> list[str | None]:
    dates = str(column.dtype) == "datetime64[s]"
    missing = column.isna()
    return [None if gone else _text(value, dates) for value, gone in zip(column, missing, strict=True)]


def _text(value: Any, is_date: bool) -> str:
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "t" if value else "f"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, dt.datetime):
        text = str(value)
        return text[:10] if is_date else text.removesuffix(":00") if value.tzinfo is not None else text
    return str(value)


def _ranks(column: pd.Series) -> list[int]:
    """Return the numbers to sort by; what is no whole number counts as 0, as psql has it."""
    texts = (text or "" for text in _keys(column))
    return [int(text) if text.removeprefix("-").isdecimal() else 0 for text in texts]


def _grid(
    frame: pd.DataFrame, chosen: _Chosen, first: list[int], headers: list[tuple[str, dict[int, int]]]
) -> pd.DataFrame:
    import pandas as pd

    data = frame.iloc[:, chosen.data].reset_index(drop=True)
    if any(len(places) < len(first) for _, places in headers):
        data = data.astype(_NULLABLE.get(str(data.dtype), str(data.dtype)))  # a number that is missing is no float
    parts = [frame.iloc[:, chosen.rows].iloc[first].reset_index(drop=True)]
    for header, places in headers:
        wanted = [places.get(row, -1) for row in range(len(first))]
        parts.append(data.reindex(wanted).reset_index(drop=True).rename(header))
    grid = pd.concat(parts, axis=1)
    grid.columns = pd.Index([str(frame.columns[chosen.rows]), *(header for header, _ in headers)])
    return grid
