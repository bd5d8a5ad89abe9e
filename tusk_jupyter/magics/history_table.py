"""Statements of the history as a DataFrame: the whole text to work with, one short line each to look at.

The frame alone knows how it wants to be shown; pandas' own options would cut each statement at 50 characters, line
breaks spelt out, and setting them would change the user's frames. Times are UTC, as they are kept: on the night that
clocks are put back, local times sort wrongly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from tusk_jupyter.widgets.amounts import duration
from tusk_jupyter.widgets.markup import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tusk_jupyter.storage.history import HistoryRow
    from tusk_jupyter.storage.snippets import Snippet

COLUMNS = (
    "id", "started_at", "connection", "database", "sql", "rows", "elapsed_ms", "command_tag", "sqlstate", "error",
)  # fmt: skip
_TYPES = {"id": "int64", "rows": "Int64", "elapsed_ms": "float64"}
_TIMES = ("started_at", "updated_at")
_WIDTHS = {"sql": 100, "error": 60}
_WIDTH = 40
_ROWS = 200
# enough to fill a line, whatever white space the text begins with
_LOOK = 2_000


class TextTable(pd.DataFrame):
    """A DataFrame that shows each text on one line, cut; what is computed from it is an ordinary one."""

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        if not len(self):
            return "nothing was found"
        with _uncut():
            return _padded(_shown(self)).to_string(index=False, justify="left", max_rows=_ROWS)

    def _repr_html_(self) -> Any:
        with _uncut():
            table = _shown(self).to_html(index=False, justify="left", max_rows=_ROWS, notebook=True)
        # front ends put text to the right, as if it were numbers; what is in the cells is escaped, so this is ours
        return table.replace("<td>", '<td style="text-align: left">')


def history_table(rows: Iterable[HistoryRow]) -> TextTable:
    """Return statements, newest first; ``started_at`` is UTC, ``sql`` all of the text that is kept."""
    found = list(rows)
    return TextTable({name: _column(name, [getattr(row, name) for row in found]) for name in COLUMNS})


def snippets_table(snippets: Iterable[Snippet]) -> TextTable:
    """Return snippets by name; ``updated_at`` is UTC, ``sql`` the whole text."""
    found = list(snippets)
    names = ("name", "sql", "updated_at")
    return TextTable({name: _column(name, [getattr(snippet, name) for snippet in found]) for name in names})


def one_line(text: str, width: int) -> str:
    """Return the beginning of a text on one line, safe to show."""
    line = " ".join(visible(text[:_LOOK], _LOOK).split())
    return line if len(line) <= width and len(text) <= _LOOK else f"{line[: width - 1]}…"


def _column(name: str, values: list[Any]) -> Any:
    if name in _TIMES:
        # what a salvaged row has there may be anything
        return pd.to_datetime(pd.Series(values, dtype="str"), errors="coerce", utc=True, format="ISO8601").dt.as_unit(
            "us"
        )
    return pd.Series(values, dtype=_TYPES.get(name, "str"))


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    shown = {}
    for name, column in table.items():
        if name in _TIMES:
            shown[f"{name} (UTC)"] = column.dt.strftime("%Y-%m-%d %H:%M:%S").fillna("")
        elif name == "elapsed_ms":
            shown["elapsed"] = column.map(lambda ms: "" if pd.isna(ms) else duration(ms))
        else:
            width = _WIDTHS.get(str(name), _WIDTH)
            shown[str(name)] = column.map(
                lambda value, width=width: "" if pd.isna(value) else one_line(str(value), width)
            )
    return pd.DataFrame(shown)


def _padded(table: pd.DataFrame) -> pd.DataFrame:
    """Return texts of one width per column, which alone makes them begin below one another."""
    widths = {name: max([len(str(name)), *map(len, map(str, column))]) for name, column in table.items()}
    return pd.DataFrame({name: column.astype(str).str.ljust(widths[name]) for name, column in table.items()})


def _uncut() -> Any:
    return pd.option_context("display.max_colwidth", None, "display.max_columns", None, "display.max_rows", None,
                             "display.width", None)  # fmt: skip
