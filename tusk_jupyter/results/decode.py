"""Chunks of a result → one compact array per column and chunk.

The rows come some hundreds to a chunk, and psycopg's compiled row loader gives their bytes at 17 ns a value. They are
turned into Arrow arrays column by column at once: text as it is, numbers and ISO dates cast by Arrow (1.8 million
values of six types in 0.2 s; a Python object per value, kept until the end, costs four times that and 6 to 20 times
the memory). A chunk with a value its cast refuses (``infinity``, BC, an offset with seconds) keeps PostgreSQL's text,
and bytes that are no text in the session's encoding stay bytes: what that means for the column is decided when the
frame is made, with every value in view. What came in binary is read by :mod:`~tusk_jupyter.results.binary`.

This is what decides and what is always there. The compiled decoder (:mod:`~tusk_jupyter.results.native`) makes the
same arrays from the same ``PGresult`` wherever it was built, and asks this one about every chunk with a value that it
does not read.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
from psycopg.adapt import AdaptersMap, Transformer
from psycopg.pq import Format
from psycopg.types.string import ByteaBinaryLoader

from tusk_jupyter.results import builtin
from tusk_jupyter.results.encodings import UTF8, codec
from tusk_jupyter.results.spelling import format_type
from tusk_jupyter.results.text import parse_bytea
from tusk_jupyter.results.types import BUILTIN, Column, TypeInfo, named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from psycopg import BaseConnection
    from psycopg.pq.abc import PGresult

TEXT: Final = pa.large_string()
BYTES: Final = pa.large_binary()
_TIMESTAMPTZ: Final = pa.timestamp("us", tz="UTC")

# what a column's chunks are cast to while they come; every other type stays text until the frame is made
STORAGE: Final[Mapping[int, pa.DataType]] = {
    builtin.INT2: pa.int64(),
    builtin.INT4: pa.int64(),
    builtin.INT8: pa.int64(),
    builtin.OID: pa.int64(),
    builtin.FLOAT4: pa.float32(),
    builtin.FLOAT8: pa.float64(),
    builtin.BOOL: pa.bool_(),
    builtin.BYTEA: BYTES,
    builtin.DATE: pa.date32(),
    builtin.TIMESTAMP: pa.timestamp("us"),
    builtin.TIMESTAMPTZ: _TIMESTAMPTZ,
}

_TEXTS: Final = frozenset({builtin.TEXT, builtin.VARCHAR, builtin.BPCHAR, builtin.UUID, builtin.NUMERIC})

# years 1 to 9999 with a day to spare for any zone: beyond, neither Python nor pandas can show a value in a zone
ZONED_MIN: Final = -62_135_510_400_000_000
ZONED_MAX: Final = 253_402_128_000_000_000


@dataclass(frozen=True, slots=True)
class Settings:
    """What the session's parameters were when the first chunk came: they decide how its text is to be read."""

    date_style: str = "ISO, MDY"
    interval_style: str = "postgres"
    time_zone: str = "UTC"
    encoding: str = "UTF8"
    binary: bool = False  # the format that was asked for, of every column


@dataclass(frozen=True, slots=True)
class Decoded:
    """A whole result: per column, one Arrow array per chunk.

    An array is of its column's :data:`STORAGE` type, or :data:`TEXT` with PostgreSQL's text, or :data:`BYTES` with
    what the session's encoding cannot read, or (``numeric`` with a declared scale) a decimal of 64 bits. ``chunks`` is
    emptied column by column by whoever asks for ``release``.
    """

    columns: tuple[Column, ...]
    rowcount: int
    chunks: tuple[list[pa.Array], ...]
    types: Mapping[int, TypeInfo]
    settings: Settings


def columns_of(result: PGresult, encoding: str) -> list[Column]:
    """Return name and type of each column; a user's type is named when it has been asked for."""
    read = codec(encoding)
    return [
        Column(
            (result.fname(i) or b"").decode(read, "replace"),
            format_type(result.ftype(i), result.fmod(i)),
            result.ftype(i),
            result.fmod(i),
            result.ftable(i),
        )
        for i in range(result.nfields)
    ]


def is_compact(oid: int, *, exact: bool = False) -> bool:
    """Return whether a frame holds a column of that type without a Python object for each value, as a rule.

    :param exact: whether ``numeric`` is to be ``Decimal``.
    """
    return oid in STORAGE or (oid in _TEXTS and not (exact and oid == builtin.NUMERIC))


class Decoder:
    """Collects the chunks of one result.

    :param columns: what :func:`columns_of` read from the first chunk.
    :param settings: the session's parameters at the first chunk.
    """

    def __init__(self, columns: Sequence[Column], settings: Settings) -> None:
        self.rowcount = 0
        self._kept_bytes = 0
        self.unknown_oids = frozenset(column.oid for column in columns) - BUILTIN.keys()
        self._columns = tuple(columns)
        self._settings = settings
        self._chunks: tuple[list[pa.Array], ...] = tuple([] for _ in columns)
        self._stores = [self._store_for(column.oid) for column in columns]

    @functools.cached_property
    def _transformer(self) -> Any:
        transformer = Transformer(_CONTEXT)
        transformer.set_loader_types([builtin.BYTEA] * len(self._columns), Format.BINARY)
        return transformer

    @property
    def nbytes(self) -> int:
        """The memory of what was collected."""
        return self._kept_bytes

    def append(self, chunk: PGresult, *, rows: int | None = None) -> None:
        """Add the rows of a chunk, or its first ``rows``."""
        count = chunk.ntuples if rows is None else min(rows, chunk.ntuples)
        self.rowcount += count
        if count and self._columns:
            self._collect(chunk, count)

    def finish(self, types: Mapping[int, TypeInfo]) -> Decoded:
        """Return what was collected; ``types`` holds all that :attr:`unknown_oids` are made of."""
        return Decoded(named(self._columns, types), self.rowcount, self._chunks, {**types, **BUILTIN}, self._settings)

    def _collect(self, chunk: PGresult, count: int) -> None:
        self._transformer.set_pgresult(chunk, set_loaders=False)
        try:
            values = zip(*self._transformer.load_rows(0, count, tuple), strict=True)
            for index, (store, column) in enumerate(zip(self._stores, values, strict=True)):
                self._keep(index, store(column))
        finally:
            self._transformer.set_pgresult(None, set_loaders=False)  # or the chunk would live as long as the decoder

    def _store_for(self, oid: int) -> Callable[[Iterable[bytes | None] | pa.Array], pa.Array]:
        if not self._settings.binary:
            return store_for(oid, codec(self._settings.encoding))
        from tusk_jupyter.results import binary

        return binary.store_for(oid, self._settings)

    def _keep(self, index: int, array: pa.Array) -> None:
        self._kept_bytes += array.get_total_buffer_size()  # 5 µs less than nbytes, which looks into slices
        self._chunks[index].append(array)


class _BytesOnly:
    """The context of a Transformer that a user's own ``psycopg.adapters`` cannot change."""

    def __init__(self) -> None:
        self.adapters = AdaptersMap()
        self.adapters.register_loader(builtin.BYTEA, ByteaBinaryLoader)

    @property
    def connection(self) -> BaseConnection[Any] | None:
        return None


_CONTEXT: Final = _BytesOnly()


def store_for(oid: int, encoding: str) -> Callable[[Iterable[bytes | None] | pa.Array], pa.Array]:
    """Return what makes a column's array of a chunk's values; they may be an array of :data:`BYTES` already."""
    target = STORAGE.get(oid)
    cast = _CASTS.get(oid)

    def store(values: Iterable[bytes | None] | pa.Array) -> pa.Array:
        text = read_text(values, encoding)
        if target is None or text.type != TEXT:
            return text
        try:
            return cast(text) if cast else pc.cast(text, target)
        except pa.ArrowInvalid:
            return text

    return _store_bytea if oid == builtin.BYTEA else store


def read_text(values: Iterable[bytes | None] | pa.Array, encoding: str) -> pa.Array:
    """Return the values as :data:`TEXT`, or as the :data:`BYTES` that they are where the encoding does not fit."""
    raw = values if isinstance(values, pa.Array) else pa.array(values, BYTES)
    try:
        if encoding == UTF8:
            return pc.cast(raw, TEXT)
        return pa.array([None if value is None else value.decode(encoding) for value in raw.to_pylist()], TEXT)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return raw


def _store_bytea(values: Iterable[bytes | None] | pa.Array) -> pa.Array:
    raw = values.to_pylist() if isinstance(values, pa.Array) else list(values)
    try:
        return pa.array([None if value is None else parse_bytea(value) for value in raw], BYTES)
    except ValueError:
        return read_text(raw, UTF8)


def _booleans(text: pa.Array) -> pa.Array:
    if not pc.all(pc.is_in(text, pa.array(["t", "f", None], TEXT))).as_py():
        raise pa.ArrowInvalid("neither t nor f")
    return pc.equal(text, "t")


def _zoned(text: pa.Array) -> pa.Array:
    moments = pc.cast(text, _TIMESTAMPTZ)
    extremes = pc.min_max(moments.view(pa.int64())).as_py()
    if extremes["min"] is not None and not ZONED_MIN <= extremes["min"] <= extremes["max"] <= ZONED_MAX:
        raise pa.ArrowInvalid("a year that cannot be shown in a zone")
    return moments


_CASTS: Final[Mapping[int, Callable[[pa.Array], pa.Array]]] = {
    builtin.BOOL: _booleans,
    builtin.TIMESTAMPTZ: _zoned,
}
