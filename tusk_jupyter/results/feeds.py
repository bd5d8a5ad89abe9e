"""What is to be loaded: a frame, a table, a stream of batches or a file, as columns with types and slices of rows.

A slice has as many rows as make 200,000 values, at most 16,384: an interrupt waits for no more than one of them to be
encoded, and no more than one is held. A frame's columns are looked at as a whole first where their dtype says nothing;
those whose memory Arrow can read as it is are handed to it once, not slice by slice, which took as long as encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.results.outgoing import declared
from tusk_jupyter.results.outgoing_objects import Kind, kind_of

_VALUES = 200_000
_MOST = 16_384
_LEAST = 256
TAKES = "a pandas or Polars DataFrame, an Arrow table, batch or reader, a dict of columns, or a file"


@dataclass(frozen=True, slots=True)
class FeedColumn:
    """A column: its name, the PostgreSQL type it becomes, and what its slices are: arrays of a type, or objects."""

    name: str
    type: str
    arrow: pa.DataType | None = None
    kind: Kind | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """Columns, and their rows slice by slice: a slice has an Arrow array or a list of objects for each column.

    ``label`` gives a row's index label where the frame has one that says more than its position.
    """

    columns: tuple[FeedColumn, ...]
    slices: Iterator[list[Any]]
    rows: int | None = None
    label: Callable[[int], str | None] = lambda _: None
    notes: tuple[str, ...] = ()
    close: Callable[[], None] = field(default=lambda: None)


def slice_rows(columns: int) -> int:
    """Return how many rows a slice of so many columns has."""
    return max(_LEAST, min(_MOST, _VALUES // max(columns, 1)))


def feed_of(value: Any, name: str) -> Feed:
    """Return the feed of something that a variable holds.

    :raises InvalidInput: for what has no columns, or columns that PostgreSQL has no types for.
    """
    if isinstance(value, pd.DataFrame):
        return _pandas_feed(value)
    module = type(value).__module__.partition(".")[0]
    if module == "polars" and type(value).__name__ == "DataFrame":
        return arrow_feed(value.to_arrow().to_reader(), rows=value.height)
    if isinstance(value, (pa.Table, pa.RecordBatch)):
        return arrow_feed(pa.RecordBatchReader.from_batches(value.schema, _batches(value)), rows=value.num_rows)
    if isinstance(value, pa.RecordBatchReader):
        return arrow_feed(value)
    if isinstance(value, Mapping):
        return _pandas_feed(_frame(value, name))
    advice = f"{name}.collect() makes a DataFrame of it." if type(value).__name__ == "LazyFrame" else None
    raise InvalidInput(
        f"{name} is a {type(value).__name__}, which cannot be loaded", advice=advice or f"%tusk load takes {TAKES}."
    )


def _batches(value: Any) -> list[pa.RecordBatch]:
    return [value] if isinstance(value, pa.RecordBatch) else value.to_batches()


def _frame(columns: Mapping[Any, Any], name: str) -> pd.DataFrame:
    # pandas would make floats of integers with None among them
    made = {key: v if hasattr(v, "dtype") else pd.Series(list(v), dtype=object) for key, v in columns.items()
            if hasattr(v, "__iter__") and not isinstance(v, (str, bytes, Mapping))}  # fmt: skip
    if len(made) < len(columns) or len({len(v) for v in made.values()}) > 1:
        raise InvalidInput(f"{name} is a dict, but its values are no columns of one length", advice=f"Use {TAKES}.")
    return pd.DataFrame(made)


def arrow_feed(
    reader: pa.RecordBatchReader, *, rows: int | None = None, close: Callable[[], None] = lambda: None
) -> Feed:
    """Return the feed of a stream of batches."""
    columns = tuple(FeedColumn(f.name, declared(f.type), f.type) for f in reader.schema)
    size = slice_rows(len(columns))

    def slices() -> Iterator[list[Any]]:
        for batch in reader:
            for start in range(0, batch.num_rows, size):
                yield batch.slice(start, size).columns

    return Feed(columns, slices(), rows, close=close)


def _pandas_feed(frame: pd.DataFrame) -> Feed:
    if isinstance(frame.columns, pd.MultiIndex):
        raise InvalidInput(
            "the frame's columns have several levels",
            advice="Nothing was loaded. Make them one: df.columns = ['_'.join(map(str, c)) for c in df.columns]",
        )
    series = [_prepared(frame.iloc[:, i], str(name)) for i, name in enumerate(frame.columns)]
    columns = tuple(_pandas_column(s, str(name)) for s, name in zip(series, frame.columns, strict=True))
    size = slice_rows(len(columns))

    takes = [_take(s, column) for s, column in zip(series, columns, strict=True)]

    def slices() -> Iterator[list[Any]]:
        for start in range(0, len(frame), size):
            yield [take(start, size) for take in takes]

    plain = isinstance(frame.index, pd.RangeIndex)
    label = (lambda _: None) if plain else (lambda row: repr(frame.index[row]))
    notes = () if plain else ("the index is not loaded: df.reset_index() makes it a column",)
    return Feed(columns, slices(), len(frame), label, notes)


def _prepared(series: pd.Series[Any], name: str) -> pd.Series[Any]:
    dtype = series.dtype
    if isinstance(dtype, pd.SparseDtype):
        return series.astype(dtype.subtype)
    if isinstance(dtype, (pd.PeriodDtype, pd.IntervalDtype)):
        return pd.Series([None if missing else str(v) for v, missing in zip(series, series.isna(), strict=True)])
    if isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype == object:
        return series.astype(object)
    if dtype.kind == "c":
        raise InvalidInput(
            f"column {name!r} is complex, and PostgreSQL has no complex numbers",
            advice="Nothing was loaded. Load the real and the imaginary part as two columns.",
        )
    return series


def _pandas_column(series: pd.Series[Any], name: str) -> FeedColumn:
    if series.dtype == object:
        kind = kind_of(series, name)
        return FeedColumn(name, kind.type, kind=kind)
    found = _arrow(series.iloc[:0]).type
    return FeedColumn(name, declared(found), found)


def _take(series: pd.Series[Any], column: FeedColumn) -> Callable[[int, int], Any]:
    """Return what gives a slice: a part of the whole column as Arrow sees it, where that copies none of its values."""
    if column.kind is not None:
        return lambda start, size: series.iloc[start : start + size].tolist()
    if _is_arrows(series):
        whole = pa.Array.from_pandas(series)
        return lambda start, size: _one(whole.slice(start, size))
    return lambda start, size: _arrow(series.iloc[start : start + size])


def _is_arrows(series: pd.Series[Any]) -> bool:
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        # a column of an array of rows is not in one piece
        return dtype.kind in "iufMm" and series.to_numpy().flags.c_contiguous
    return isinstance(dtype, pd.ArrowDtype) or dtype.kind in "iufMm" or getattr(dtype, "storage", "") == "pyarrow"


def _arrow(series: pd.Series[Any]) -> Any:
    return _one(pa.Array.from_pandas(series))


def _one(array: Any) -> Any:
    if isinstance(array, pa.ChunkedArray):
        return array.combine_chunks() if array.num_chunks != 1 else array.chunk(0)
    return array
