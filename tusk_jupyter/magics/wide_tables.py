"""Tables whose text is shown whole: a sentence cut at 50 characters, as pandas does, says nothing.

The table alone knows how it wants to be shown; setting pandas' options for it would change the user's own frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable


_NOTHING = "(nothing)"


class WideTable(pd.DataFrame):
    """A DataFrame that shows its texts in full; what is computed from it is an ordinary one."""

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        if not len(self):
            return _NOTHING
        with _whole():
            return _shown(self).to_string()

    def _repr_html_(self) -> Any:
        if not len(self):
            return f"<i>{_NOTHING}</i>"
        with _whole():
            return _shown(self)._repr_html_()  # type: ignore[operator]


def _shown(table: pd.DataFrame) -> pd.DataFrame:
    # pandas writes a None as the word
    shown = pd.DataFrame(table).copy()
    for place, dtype in enumerate(shown.dtypes):
        if pd.api.types.is_object_dtype(dtype):
            column = shown.iloc[:, place]
            shown.isetitem(place, column.where(column.notna(), "").to_numpy())
    return shown


def _whole() -> Any:
    return pd.option_context("display.max_colwidth", None, "display.max_columns", None, "display.max_rows", None)
