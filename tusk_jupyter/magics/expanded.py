r"""A result whose rows are shown as records: what ``\x``, ``\gx`` and the preference ``expanded`` make of a DataFrame.

The look is the frame's own, and not the kernel's for all frames: what the user computes from it, and every other frame,
is shown as pandas shows it. So it is a subclass, as the other tables are which know how they want to be shown.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pandas as pd

from tusk_jupyter.widgets import records as drawn

if TYPE_CHECKING:
    from collections.abc import Callable

_EDGE = 5  # records at each end, where there are more than pandas shows rows


class RecordTable(pd.DataFrame):
    """A DataFrame that shows its rows as records; what is computed from it is an ordinary one."""

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        return drawn.text([str(name) for name in self.columns], _records(self), total=len(self))

    def _repr_html_(self) -> Any:
        return drawn.html([str(name) for name in self.columns], _records(self), total=len(self))


def expanded(frame: Any) -> Any:
    """Return a DataFrame as one that shows records; what is none is returned as it is."""
    if type(frame) is not pd.DataFrame:
        return frame
    shown = RecordTable(frame)
    shown.attrs.update(frame.attrs)
    return shown


def as_preferred(frame: Any, mode: str, *, terminal: bool) -> Any:
    """Return a frame as the preference ``expanded`` has it shown; ``auto`` looks how wide it is."""
    if mode == "on" or (mode == "auto" and type(frame) is pd.DataFrame and _is_wide(frame, terminal=terminal)):
        return expanded(frame)
    return frame


def _is_wide(frame: pd.DataFrame, *, terminal: bool) -> bool:
    most = pd.get_option("display.max_columns") or 0  # what a notebook shows before it leaves columns out
    if most and not terminal:
        return most < frame.shape[1]
    first = frame.head(2 * _EDGE).to_string()
    return max(map(len, first.splitlines()), default=0) > shutil.get_terminal_size().columns


def _records(frame: pd.DataFrame) -> list[tuple[int, list[str]]]:
    most = pd.get_option("display.max_rows") or len(frame)
    places = list(range(len(frame)))
    if len(places) > most:
        places = [*places[:_EDGE], *places[-_EDGE:]]
    columns = [_texts(frame.iloc[places, place]) for place in range(frame.shape[1])]
    return [(place + 1, [column[at] for column in columns]) for at, place in enumerate(places)]


def _texts(column: pd.Series) -> list[str]:
    texts = [str(value) for value in column.tolist()]
    # what PostgreSQL's date is here: pandas shows a column of midnights without the time
    return [text[:10] for text in texts] if str(column.dtype) == "datetime64[s]" else texts
