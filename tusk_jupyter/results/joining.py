"""Parts of one result → the result: each column's arrays one after the other, none of them copied, none held twice."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.results.decode import Decoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.results.types import Column


def joined(parts: Sequence[Decoded]) -> Decoded:
    """Return all rows as one result, in the order of the parts, which are empty afterwards.

    :raises InvalidInput: when their columns are not the same.
    """
    first = parts[0]
    if any(_shape(part.columns) != _shape(first.columns) for part in parts):
        raise InvalidInput(
            "the parts of the result do not have the same columns",
            advice="Was a table or function altered meanwhile? Run the cell again.",
        )
    chunks = tuple(list(chain.from_iterable(arrays)) for arrays in zip(*(part.chunks for part in parts), strict=True))
    for part in parts:
        for arrays in part.chunks:
            arrays.clear()
    types = {oid: info for part in parts for oid, info in part.types.items()}
    return Decoded(first.columns, sum(part.rowcount for part in parts), chunks, types, first.settings)


def _shape(columns: Sequence[Column]) -> list[tuple[str, int, int]]:
    return [(column.name, column.oid, column.typmod) for column in columns]
