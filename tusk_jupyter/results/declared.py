"""Columns by their declared types: Arrow, and through it Polars and files.

A file's schema must not depend on the values that happen to be in it: two exports of one query have to fit together.
So nothing falls back here. A value outside its declared type stops the export with the row and the column it is in.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tusk_jupyter.errors import ConversionError
from tusk_jupyter.results import builtin
from tusk_jupyter.results.arrays import pieces
from tusk_jupyter.results.batches import reader_of_many
from tusk_jupyter.results.decode import BYTES, STORAGE, TEXT
from tusk_jupyter.results.moments import DAY, SECOND, parse_date, parse_time, parse_timestamp, parse_timestamptz
from tusk_jupyter.results.numbers import as_text
from tusk_jupyter.results.text import parse_array, parse_bytea, parse_composite
from tusk_jupyter.results.types import declared_scale
from tusk_jupyter.results.values import UNHELD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.results.options import FrameOptions
    from tusk_jupyter.results.sources import Source
    from tusk_jupyter.results.types import TypeInfo

_DECIMAL128_DIGITS: Final = 38
_DECIMAL256_DIGITS: Final = 76


@dataclass(frozen=True, slots=True)
class Declared:
    """An Arrow type, and what turns PostgreSQL's text into what Arrow takes for it."""

    type: pa.DataType
    read: Callable[[str], Any] = str


def declared_type(source: Source, options: FrameOptions) -> Declared:
    """Return how a column is declared in Arrow."""
    info = source.types.get(source.column.oid)
    if info is not None and info.kind == "e":
        return Declared(pa.dictionary(pa.int32(), TEXT, ordered=True))
    return _Declarations(source.types, source.settings.date_style, options).of(source.column.oid, source.column.typmod)


@dataclass(frozen=True, slots=True)
class _Declarations:
    types: Mapping[int, TypeInfo]
    date_style: str
    options: FrameOptions

    def of(self, oid: int, typmod: int = -1) -> Declared:
        if oid in _FIXED:
            return _FIXED[oid]
        style = self.date_style
        if oid == builtin.DATE:
            return Declared(pa.date32(), lambda text: parse_date(text, date_style=style))
        if oid == builtin.TIMESTAMP:
            return Declared(pa.timestamp("us"), lambda text: parse_timestamp(text, date_style=style))
        if oid == builtin.NUMERIC:
            return self._numeric(typmod)
        info = self.types.get(oid)
        if info is None:
            return _TEXT
        if info.base:
            return self.of(info.base, typmod)
        if info.element:
            return self._list(info, typmod)
        if info.kind == "c" and info.fields:
            return self._struct(info)
        return _TEXT

    def _numeric(self, typmod: int) -> Declared:
        declared = declared_scale(typmod)
        if declared is None:
            return Declared(pa.float64(), float) if self.options.arrow_numeric == "double" else _TEXT
        # a negative scale, and one beyond the precision, exist since PostgreSQL 15; in Parquet they do not
        precision, scale = declared
        digits, places = max(precision - min(scale, 0), scale), max(scale, 0)
        if digits > _DECIMAL256_DIGITS:
            return _TEXT
        make = pa.decimal128 if digits <= _DECIMAL128_DIGITS else pa.decimal256
        return Declared(make(digits, places), _finite)

    def _list(self, info: TypeInfo, typmod: int) -> Declared:
        element = self.of(info.element, typmod)
        delimiter = self.types[info.element].delimiter if info.element in self.types else ","
        return Declared(pa.list_(element.type), lambda text: parse_array(text, element.read, delimiter=delimiter))

    def _struct(self, info: TypeInfo) -> Declared:
        names = [name for name, _ in info.fields]
        fields = [self.of(oid) for _, oid in info.fields]

        def read(text: str) -> dict[str, Any]:
            values = parse_composite(text, fields=len(fields))
            return {n: None if v is None else f.read(v) for n, f, v in zip(names, fields, values, strict=True)}

        return Declared(pa.struct([(n, f.type) for n, f in zip(names, fields, strict=True)]), read)


def arrow_column(source: Source, options: FrameOptions, *, rows_before: int = 0) -> pa.ChunkedArray:
    """Return a column in its declared type.

    :param rows_before: how many rows of the result came before these.
    :raises ConversionError: for the first value that does not fit, with its row (from 1) and column.
    """
    declared = declared_type(source, options)
    converted: list[pa.Array] = []
    row = rows_before
    for chunk in pieces(source.chunks) if _is_parsed(source, declared) else source.chunks:
        converted.append(_chunk(source, chunk, declared, row))
        row += len(chunk)
    return pa.chunked_array(converted, declared.type)


def _is_parsed(source: Source, declared: Declared) -> bool:
    """Return whether the column's texts are read one by one, and not by Arrow at once."""
    at_once = declared.type == TEXT or pa.types.is_decimal(declared.type) or pa.types.is_dictionary(declared.type)
    return source.storage == TEXT and not at_once


def _chunk(source: Source, chunk: pa.Array, declared: Declared, row: int) -> pa.Array:
    if chunk.type == BYTES and declared.type != BYTES:
        _refuse(source, chunk, row, lambda raw: raw.decode(), declared)
    if pa.types.is_decimal(chunk.type) and declared.type == TEXT:
        return as_text(chunk)
    if pa.types.is_decimal(chunk.type):
        try:
            return pc.cast(chunk, declared.type)
        except pa.ArrowInvalid:
            chunk = as_text(chunk)
    if chunk.type != TEXT:
        return chunk if chunk.type == declared.type else pc.cast(chunk, declared.type)
    if pa.types.is_dictionary(declared.type):
        return _dictionary(source, chunk, declared, row)
    if declared.type == TEXT:
        return chunk
    try:
        if pa.types.is_decimal(declared.type):
            return pc.cast(chunk, declared.type)
        return pa.array(_values(source, chunk, declared), declared.type)
    except (*UNHELD, pa.ArrowException, TypeError, OverflowError):
        _refuse(source, chunk, row, lambda text: pa.array([declared.read(text)], declared.type), declared)
        raise


def _values(source: Source, chunk: pa.Array, declared: Declared) -> list[Any]:
    info = source.types.get(source.column.oid)
    if info is not None and info.element in _AT_ONCE:
        read_many = reader_of_many(source.column.oid, source.types)
        if read_many is not None:
            return read_many(chunk, declared.read)
    return [None if text is None else declared.read(text) for text in chunk.to_pylist()]


def _dictionary(source: Source, chunk: pa.Array, declared: Declared, row: int) -> pa.Array:
    labels = pa.array(source.types[source.column.oid].labels, TEXT)
    codes = pc.index_in(chunk, labels)
    if codes.null_count != chunk.null_count:
        _refuse(source, chunk, row, lambda text: labels.to_pylist().index(text), declared)
    return pa.DictionaryArray.from_arrays(codes, labels, ordered=True)


def _refuse(source: Source, chunk: pa.Array, row: int, convert: Callable[[Any], Any], declared: Declared) -> None:
    for number, value in enumerate(chunk.to_pylist(), start=row + 1):
        try:
            if value is not None:
                convert(value)
        except (*UNHELD, pa.ArrowException, TypeError, OverflowError) as error:
            shown = repr(value if len(value) <= 60 else value[:60])  # noqa: PLR2004 - one line
            raise ConversionError(
                f"row {number}, column {source.name!r}: {shown} does not fit {_arrow_name(declared.type)}"
            ) from error


def _arrow_name(data_type: pa.DataType) -> str:
    return str(data_type).replace("large_", "")


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError("a decimal has no NaN and no infinity")
    return number


def _boolean(text: str) -> bool:
    return {"t": True, "f": False}[text]


def _microseconds_of_day(text: str) -> int:
    clock = parse_time(text)
    seconds = (clock.hour * 60 + clock.minute) * 60 + clock.second
    return (seconds * SECOND + clock.microsecond) % DAY


# elements whose Python values are those that Arrow takes, whoever reads them
_AT_ONCE: Final = {
    builtin.INT2, builtin.INT4, builtin.INT8, builtin.OID, builtin.FLOAT4, builtin.FLOAT8, builtin.BOOL,
    builtin.TEXT, builtin.VARCHAR, builtin.BPCHAR,
}  # fmt: skip
_TEXT: Final = Declared(TEXT)
_FIXED: Final[Mapping[int, Declared]] = {
    builtin.INT2: Declared(pa.int16(), int),
    builtin.INT4: Declared(pa.int32(), int),
    builtin.INT8: Declared(pa.int64(), int),
    builtin.OID: Declared(pa.int64(), int),
    builtin.FLOAT4: Declared(pa.float32(), float),
    builtin.FLOAT8: Declared(pa.float64(), float),
    builtin.BOOL: Declared(pa.bool_(), _boolean),
    builtin.BYTEA: Declared(BYTES, lambda text: parse_bytea(text.encode())),
    builtin.TIMESTAMPTZ: Declared(STORAGE[builtin.TIMESTAMPTZ], parse_timestamptz),
    builtin.TIME: Declared(pa.time64("us"), _microseconds_of_day),
}
