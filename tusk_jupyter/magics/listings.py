r"""What ``\d`` and its family answer with, as one DataFrame: the rows to compute with, psql's look to read.

The frame is the value of the line, shown once, as ``Out[n]``. It shows the listings that it was made of, title and
footers with them; as soon as something in it was changed it shows itself, as any frame does: what is seen must be what
is there. Several listings (``\d a*``) are one frame whose first column, ``listing``, says which. What is computed from
it is an ordinary DataFrame, and ``attrs`` stay empty: a title in them would be carried through every merge, to where it
is no longer true.
"""

from __future__ import annotations

import re
from itertools import count
from typing import TYPE_CHECKING, Any

import pandas as pd

from tusk_jupyter.widgets import listing as drawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tusk_jupyter.schema.asking import Listing

SHOWN_ROWS = 5_000  # of all listings together; a front end that is sent a database's every column stands still
_NOTHING = "(nothing)"


class ListingTable(pd.DataFrame):
    """A DataFrame that shows the listings it was made of; what is computed from it is an ordinary one."""

    _listings: tuple[Listing, ...]

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame

    def __repr__(self) -> str:
        listings = self._unchanged()
        if listings is None:
            return super().__repr__()
        parts = [drawn.text(one.title, one.columns, one.rows, one.footers) for one in _first(listings)]
        return "\n\n".join([*parts, *_left_out(listings)]) or _NOTHING

    def _repr_html_(self) -> Any:
        listings = self._unchanged()
        if listings is None:
            return super()._repr_html_()  # type: ignore[misc]
        parts = [drawn.html(one.title, one.columns, one.rows, one.footers) for one in _first(listings)]
        return "".join([*parts, *(f"<i>{note}</i>" for note in _left_out(listings))]) or f"<i>{_NOTHING}</i>"

    def _unchanged(self) -> tuple[Listing, ...] | None:
        """Return what the frame was made of, as long as it is that."""
        listings: tuple[Listing, ...] | None = self.__dict__.get("_listings")
        if listings is None or not pd.DataFrame(self).equals(_frame(listings)):
            return None
        return listings


def show(listings: Sequence[Listing]) -> ListingTable:
    """Return listings as one DataFrame that shows them as psql does."""
    table = ListingTable(_frame(listings))
    # past pandas, to whom an attribute is a column that was misspelt
    object.__setattr__(table, "_listings", tuple(listings))
    return table


def snake_case(header: str) -> str:
    """Return a header as the name of a column: ``Stats target`` is ``stats_target``."""
    return re.sub(r"\W+", "_", header).strip("_").lower() or "column"


def _frame(listings: Sequence[Listing]) -> pd.DataFrame:
    if len(listings) == 1:
        return _columns(listings[0])
    frames = []
    for one in listings:
        frame = _columns(one)
        frame.insert(0, "listing", pd.Series([one.title] * len(frame), dtype="str"), allow_duplicates=True)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _columns(one: Listing) -> pd.DataFrame:
    names = list(_unique(map(snake_case, one.columns)))
    return pd.DataFrame(
        {name: pd.Series([row[place] for row in one.rows], dtype="str") for place, name in enumerate(names)},
        index=range(len(one.rows)),
    )


def _unique(names: Any) -> Iterator[str]:
    seen = {"listing"}
    for name in names:
        new = next(spelt for spelt in (name, *(f"{name}_{n}" for n in range(1, len(seen) + 1))) if spelt not in seen)
        seen.add(new)
        yield new


def _first(listings: Sequence[Listing]) -> Iterator[Listing]:
    """Yield the listings that are shown: whole ones, and the first however long it is."""
    left = SHOWN_ROWS
    for place, one in zip(count(), listings, strict=False):
        left -= len(one.rows) + 1
        if left < 0 and place:
            return
        yield one


def _left_out(listings: Sequence[Listing]) -> list[str]:
    count_out = len(listings) - sum(1 for _ in _first(listings))
    return [f"… and {count_out:,} more: the DataFrame has them"] if count_out else []
