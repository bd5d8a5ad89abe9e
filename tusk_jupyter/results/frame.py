"""A decoded result → pandas, Arrow, Polars or rows: one function each, with the notes that belong to the result.

The notes say everything that is not exactly as the server has it; where there are none, nothing was changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.results.declared import arrow_column
from tusk_jupyter.results.names import row_type, unique_names
from tusk_jupyter.results.options import FrameOptions
from tusk_jupyter.results.pandas_columns import build, objects
from tusk_jupyter.results.sources import Source

if TYPE_CHECKING:
    import polars as pl

    from tusk_jupyter.results.decode import Decoded

__all__ = ["FrameOptions", "to_arrow", "to_pandas", "to_polars", "to_rows"]

Notes = tuple[str, ...]


def to_pandas(decoded: Decoded, options: FrameOptions, *, release: bool = False) -> tuple[pd.DataFrame, Notes]:
    """Return a DataFrame with the dtypes of the interface's type table.

    :param release: let go of each column's chunks once it is converted, so that no result is ever held twice.
    """
    sources, notes = _sources(decoded)
    index = pd.RangeIndex(decoded.rowcount)
    arrays: dict[str, pd.Series[Any]] = {}
    for source in sources:
        built = build(source, options)
        arrays[source.name] = pd.Series(built.array, index=index, copy=False)
        notes += built.notes
        if release:
            source.chunks.clear()
    return pd.DataFrame(arrays, index=index, copy=False), notes


def to_arrow(decoded: Decoded, options: FrameOptions) -> tuple[pa.Table, Notes]:
    """Return a Table by declared types.

    :raises ConversionError: for a value that its column's type cannot hold.
    """
    sources, notes = _sources(decoded)
    if not sources:
        rows = pa.array([{}] * decoded.rowcount, pa.struct([]))
        return pa.Table.from_batches([pa.RecordBatch.from_struct_array(rows)]), notes
    columns = [arrow_column(source, options) for source in sources]
    return pa.table(columns, names=[source.name for source in sources]), notes


def to_polars(decoded: Decoded, options: FrameOptions) -> tuple[pl.DataFrame, Notes]:
    """Return a Polars frame by declared types; ``numeric`` beyond its 38 digits is text there, with a note.

    :raises InvalidInput: where Polars is not installed.
    :raises ConversionError: for a value that its column's type cannot hold.
    """
    try:
        import polars as pl
    except ImportError as error:
        raise InvalidInput("polars is not installed", advice="pip install polars, or use --format arrow.") from error
    table, notes = to_arrow(decoded, options)
    if not table.num_columns:
        return pl.DataFrame(height=table.num_rows), notes
    for position, field in enumerate(table.schema):
        if pa.types.is_decimal256(field.type):
            # handing these over does not fail, it panics
            table = table.set_column(position, field.name, table[position].cast(pa.large_string()))
            notes += (f"column {field.name!r} is text: Polars has no decimals of more than 38 digits",)
    frame = pl.from_arrow(table)
    if not isinstance(frame, pl.DataFrame):
        raise TypeError("a table is a frame")
    labels = {s.name: decoded.types[s.column.oid].labels for s in _sources(decoded)[0] if _is_enum(s)}
    return frame.with_columns(pl.col(name).cast(pl.Enum(values)) for name, values in labels.items()), notes


def to_rows(decoded: Decoded, options: FrameOptions) -> tuple[list[Any], Notes]:
    """Return a list of named tuples of Python values; ``numeric`` is always ``Decimal`` here."""
    sources, notes = _sources(decoded)
    row = row_type("Row", [source.name for source in sources])
    if not sources:
        return [row()] * decoded.rowcount, notes
    columns: list[list[Any]] = []
    for source in sources:
        values, said = objects(source, options)
        columns.append(values)
        notes += said
    return list(map(row._make, zip(*columns, strict=True))), notes


def _is_enum(source: Source) -> bool:
    info = source.types.get(source.column.oid)
    return info is not None and info.kind == "e"


def _sources(decoded: Decoded) -> tuple[list[Source], Notes]:
    names, notes = unique_names([column.name for column in decoded.columns])
    sources = [
        Source(column, name, chunks, decoded.types, decoded.settings)
        for column, name, chunks in zip(decoded.columns, names, decoded.chunks, strict=True)
    ]
    return sources, notes
