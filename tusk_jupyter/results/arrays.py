"""A column's chunks → one NumPy array that a frame can keep and its user can write to.

Where a column is one chunk that nobody else will read, the array is that chunk's memory itself: no copy, no second
column while the frame is made. Everything else is joined once. Arrow leaves undefined what lies under a NULL, so the
caller says what is to lie there; that is written in place as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    Array = np.ndarray[Any, Any]

ROWS_AT_ONCE = 8_192


def pieces(chunks: Iterable[pa.Array]) -> Iterator[pa.Array]:
    """Yield slices of the chunks of a bounded size: what becomes Python objects does so a piece at a time."""
    for chunk in chunks:
        for start in range(0, len(chunk), ROWS_AT_ONCE):
            yield chunk.slice(start, ROWS_AT_ONCE)


def numbers(chunks: Sequence[pa.Array], dtype: str, under_null: Any, *, take: bool) -> Array:
    """Return the values of chunks of one fixed width, ``under_null`` where there is none.

    :param take: whether the chunks' memory may become the array's: nobody else reads it any more.
    """
    parts = [_values(chunk, dtype) for chunk in chunks]
    if len(parts) == 1 and take and parts[0].flags.writeable:
        array = parts[0]
    else:
        array = np.concatenate(parts) if parts else np.empty(0, dtype)
    if any(chunk.null_count for chunk in chunks):
        array[nulls(chunks)] = under_null
    return array


def booleans(chunks: Sequence[pa.Array]) -> Array:
    """Return the values of boolean chunks, False where there is none."""
    return _joined([chunk.fill_null(False) if chunk.null_count else chunk for chunk in chunks])


def nulls(chunks: Sequence[pa.Array]) -> Array:
    """Return which rows are NULL."""
    return _joined([chunk.is_null() for chunk in chunks])


def _joined(chunks: list[pa.Array]) -> Array:
    parts: list[Array] = [chunk.to_numpy(zero_copy_only=False) for chunk in chunks]
    return np.concatenate(parts) if len(parts) > 1 else parts[0] if parts else np.empty(0, bool)


def _values(chunk: pa.Array, dtype: str) -> Array:
    values = chunk.buffers()[1]
    if not len(chunk) or values is None:
        return np.zeros(len(chunk), dtype)
    return np.frombuffer(values, dtype, len(chunk), chunk.offset * np.dtype(dtype).itemsize)
