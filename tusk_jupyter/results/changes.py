"""Two frames of one statement, one after the other → a small table of text that says what is another now.

Rows are matched by their first column where it names them: unique in both, and shared by some of the rows. Otherwise
(one row, a clock in the first column, duplicates) the n-th row is compared with the n-th. What is shown is compared as
it is shown; of what is not, only whether anything changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: Final = 30
COLUMNS: Final = 20
_LONGEST: Final = 1_000


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as text, and whether it is another than the last time."""

    text: str
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """What is shown of a frame: its first rows and columns, and what has changed since the one before."""

    columns: tuple[str, ...]
    numbers: tuple[bool, ...]  # which columns hold numbers
    rows: tuple[tuple[Cell, ...], ...]
    more_rows: int = 0
    more_columns: int = 0
    new: int = 0  # rows that were not there, as far as they are shown
    gone: int = 0
    changed: bool = False

    @property
    def cells_changed(self) -> int:
        """How many of the cells that are shown are marked."""
        return sum(cell.changed for row in self.rows for cell in row)


def compare(before: pd.DataFrame | None, now: pd.DataFrame) -> Table:
    """Return ``now`` as it is shown beside ``before``; nothing is marked without one, or when it has other columns."""
    shown = now.iloc[:ROWS, :COLUMNS]
    columns = [_texts(shown.iloc[:, i]) for i in range(shown.shape[1])]
    known = before is not None and list(before.columns) == list(now.columns)
    old_row: Callable[[int], int | None] = lambda row: row  # noqa: E731
    gone = new = 0
    if before is not None and known:
        old_row, gone = _matched(before, now)
        marks = _marks(before, columns, old_row, len(shown))
        new = sum(old_row(row) is None for row in range(len(shown)))
    else:
        marks = [[False] * len(shown) for _ in columns]
    table = tuple(tuple(Cell(columns[c][r], marks[c][r]) for c in range(len(columns))) for r in range(len(shown)))
    changed = before is not None and (not known or gone > 0 or any(map(any, marks)) or not _same(before, now))
    return Table(
        columns=tuple(map(str, shown.columns)),
        numbers=tuple(pd.api.types.is_numeric_dtype(dtype) for dtype in shown.dtypes),
        rows=table,
        more_rows=len(now) - len(shown),
        more_columns=now.shape[1] - shown.shape[1],
        new=new,
        gone=gone,
        changed=changed,
    )


def _marks(
    before: pd.DataFrame, columns: list[list[str]], old_row: Callable[[int], int | None], count: int
) -> list[list[bool]]:
    at = [old_row(row) for row in range(count)]
    there = sorted({row for row in at if row is not None})
    place = {row: number for number, row in enumerate(there)}
    marks = []
    for number, texts in enumerate(columns):
        old = _texts(before.iloc[there, number])
        marks.append([row is None or old[place[row]] != text for row, text in zip(at, texts, strict=True)])
    return marks


def _matched(before: pd.DataFrame, now: pd.DataFrame) -> tuple[Callable[[int], int | None], int]:
    """Return which row each was before, and how many of those before are gone."""
    keys = _keys(before), _keys(now)
    if keys[0] is not None and keys[1] is not None and max(len(before), len(now)) > 1:
        found = keys[0].get_indexer(keys[1]).tolist()
        kept = sum(row >= 0 for row in found)
        if kept:
            return lambda row: found[row] if found[row] >= 0 else None, len(before) - kept
    return lambda row: row if row < len(before) else None, max(0, len(before) - len(now))


def _keys(frame: pd.DataFrame) -> pd.Index[Any] | None:
    if frame.shape[1] < 2:  # noqa: PLR2004 - a name, and what it names
        return None
    try:
        keys = pd.Index(frame.iloc[:, 0].astype(object))
        names = keys.is_unique and not keys.hasnans
    except (TypeError, ValueError):  # what cannot be hashed names nothing
        return None
    return keys if names else None


def _texts(column: pd.Series[Any]) -> list[str]:
    return [str(value)[:_LONGEST] for value in column.tolist()]


def _same(before: pd.DataFrame, now: pd.DataFrame) -> bool:
    try:
        return before.equals(now)
    except (TypeError, ValueError):  # arrays within
        return before.astype(str).equals(now.astype(str))
