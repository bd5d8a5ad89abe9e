"""Batches of a result → Parquet, Arrow or CSV: what ``--to`` writes, one bounded batch after the other.

The schema is made of the declared types before the first row is there, and no value changes it: Parquet and Arrow hold
exactly what ``--format arrow`` would. A CSV has no types, so nothing can fail to fit into one: it holds PostgreSQL's
own text, byte for byte what ``COPY … (FORMAT csv, HEADER)`` writes in the same session, NULL as nothing and '' as "",
and can be loaded back as such. Only booleans are written out (``true``, which both PostgreSQL and pandas read). Arrow's
CSV writer was refused: it knows no lists, structs or decimals beyond 38 digits, and quotes every number that is text.

A batch is 131,072 rows or 32 MB, whichever comes first: large enough for a row group of Parquet that is read well,
small enough that two of them (the decoded one and the declared one) are all the memory that a result of any size takes.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from tusk_jupyter.errors import ConversionError
from tusk_jupyter.results import builtin
from tusk_jupyter.results.decode import TEXT, Decoded
from tusk_jupyter.results.frame import to_arrow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tusk_jupyter.results.decode import Settings
    from tusk_jupyter.results.destination import Kind
    from tusk_jupyter.results.options import FrameOptions
    from tusk_jupyter.results.types import Column, TypeInfo

ROWS_AT_ONCE: Final = 131_072
BYTES_AT_ONCE: Final = 32 * 2**20
_UNFIT: Final = {
    "csv": "It is no text in the session's encoding: write it as hexadecimal digits, encode(convert_to(…), 'hex').",
    "declared": "Cast the column in SQL (column::text), or write .csv, which holds every value.",
}
# what holds neither commas nor quotes nor ends of lines, in any style that PostgreSQL writes
_NEVER_QUOTED: Final = {
    builtin.BOOL, builtin.INT2, builtin.INT4, builtin.INT8, builtin.OID, builtin.FLOAT4, builtin.FLOAT8,
    builtin.NUMERIC, builtin.UUID, builtin.DATE, builtin.TIMESTAMP, builtin.TIMESTAMPTZ,
}  # fmt: skip


class _Writer(Protocol):
    def write_table(self, table: Any) -> object: ...
    def close(self) -> object: ...
    def discard(self) -> object: ...


def decoded_columns(kind: Kind, columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns as they are to be decoded: all of a CSV's are PostgreSQL's text."""
    return tuple(replace(c, oid=builtin.TEXT) for c in columns) if kind == "csv" else tuple(columns)


class ResultFile:
    """Writes one result to an open file: its schema, :meth:`write` for each batch, :meth:`close`.

    :param columns: the result's own, with the OIDs that the server gave.
    """

    def __init__(
        self,
        file: BinaryIO,
        kind: Kind,
        columns: Sequence[Column],
        *,
        types: Mapping[int, TypeInfo],
        settings: Settings,
        options: FrameOptions,
    ) -> None:
        self.rows = 0
        self.columns = decoded_columns(kind, columns)
        self._kind = kind
        self._options = options
        empty = Decoded(self.columns, 0, tuple([] for _ in columns), types, settings)
        table, self._notes = to_arrow(empty, options)
        self._notes += _text_numbers(columns, table.schema) if kind != "csv" else ()
        self._writer = _writer(file, kind, columns, table.schema)

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be said of the file."""
        blank = self._writer.blank_lines if isinstance(self._writer, _CsvWriter) else 0
        if not blank:
            return self._notes
        return (*self._notes, f"{blank:,} of the lines are empty, for NULL: many readers skip such lines")

    def write(self, batch: Decoded) -> None:
        """Write one batch.

        :raises ConversionError: for a value that its column's declared type cannot hold.
        :raises OSError: from the file.
        """
        problem: ConversionError | None = None
        try:
            table, _ = to_arrow(batch, self._options, rows_before=self.rows)
        except ConversionError as error:
            problem = error
        if problem is not None:
            problem.advice = f"No file was written. {_UNFIT['csv' if self._kind == 'csv' else 'declared']}"
            raise problem
        self._writer.write_table(table)
        self.rows += batch.rowcount

    def close(self) -> None:
        """Write what belongs at the end; the file itself stays open."""
        self._writer.close()

    def discard(self) -> None:
        """Stop writing; to be called before the file is closed."""
        self._writer.discard()


def _writer(file: BinaryIO, kind: Kind, columns: Sequence[Column], schema: pa.Schema) -> _Writer:
    if kind == "csv":
        return _CsvWriter(file, columns, schema.names)
    if kind == "arrow":
        return _ArrowWriter(file, schema)
    return _ParquetWriter(file, schema)


class _ParquetWriter:
    """One row group per batch."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        from pyarrow import parquet

        self._parquet = parquet.ParquetWriter(file, schema)

    def write_table(self, table: pa.Table) -> None:
        self._parquet.write_table(table, row_group_size=max(table.num_rows, 1))

    def close(self) -> None:
        self._parquet.close()

    def discard(self) -> None:
        # it would write what belongs at the end when it is collected, whenever that is, and to a file that is closed
        self._parquet.is_open = False
        del self._parquet


class _ArrowWriter:
    """Arrow's file format: one record batch per batch, as far as its columns are of one piece."""

    def __init__(self, file: BinaryIO, schema: pa.Schema) -> None:
        self._arrow = pa.ipc.new_file(file, schema)

    def write_table(self, table: pa.Table) -> None:
        self._arrow.write_table(table.combine_chunks())

    def close(self) -> None:
        self._arrow.close()

    def discard(self) -> None:
        del self._arrow


class _CsvWriter:
    """CSV as COPY writes it, a batch of text columns at once."""

    def __init__(self, file: BinaryIO, columns: Sequence[Column], names: Sequence[str]) -> None:
        self._file = file
        self._oids = [column.oid for column in columns]
        self.blank_lines = 0
        self._write([_field(pa.array([name], TEXT), builtin.TEXT, alone=False) for name in names])

    def write_table(self, table: pa.Table) -> None:
        alone = table.num_columns == 1
        if alone:
            self.blank_lines += table[0].null_count
        for batch in table.to_batches():
            self._write([_field(c, oid, alone=alone) for c, oid in zip(batch.columns, self._oids, strict=True)])

    def close(self) -> None:
        """Nothing belongs at the end."""

    discard = close

    def _write(self, fields: list[pa.Array]) -> None:
        last = pc.binary_join_element_wise(fields[-1], pa.scalar("", TEXT), pa.scalar("\n", TEXT))
        lines = pc.binary_join_element_wise(*fields[:-1], last, pa.scalar(",", TEXT)) if fields[:-1] else last
        if len(lines):
            offsets = lines.buffers()[1]
            ends = memoryview(offsets).cast("q")
            self._file.write(lines.buffers()[2][ends[lines.offset] : ends[lines.offset + len(lines)]])


def _field(column: pa.Array, oid: int, *, alone: bool) -> pa.Array:
    """Quote what COPY quotes: delimiters, quotes, ends of lines, '' (NULL is nothing), and the line that ends data."""
    if oid == builtin.BOOL:
        column = pc.if_else(pc.equal(column, "t"), pa.scalar("true", TEXT), pa.scalar("false", TEXT))
    if oid in _NEVER_QUOTED:
        return pc.fill_null(column, "")
    special = pc.or_(pc.match_substring_regex(column, '[",\\r\\n]'), pc.equal(column, ""))
    if alone:
        special = pc.or_(special, pc.equal(column, "\\."))
    if pc.any(special).as_py():
        inside = pc.replace_substring(column, '"', '""')
        quote = pa.scalar('"', TEXT)
        column = pc.if_else(special, pc.binary_join_element_wise(quote, inside, quote, pa.scalar("", TEXT)), column)
    return pc.fill_null(column, "")


def _text_numbers(columns: Sequence[Column], schema: pa.Schema) -> tuple[str, ...]:
    names = [
        repr(field.name) for column, field in zip(columns, schema, strict=True)
        if column.oid == builtin.NUMERIC and field.type == TEXT
    ]  # fmt: skip
    if not names:
        return ()
    few = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004 - as for names
    said = f"text, because numeric without a declared scale has no size that the file could declare: {few}"
    return (f"{said}; cast it (numeric(20,4)), or %tusk set arrow_numeric double",)
