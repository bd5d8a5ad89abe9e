"""Values in PostgreSQL's binary format → the very arrays that their text would have given.

A number or a moment in binary is what Arrow stores, in the other byte order and, for moments, counted from 2000: a
column of them needs no parsing, and the server, which writes a ``timestamptz`` at 115 ns as text and at 45 in binary,
has less to do (decoding numbers and moments takes 7 ns a value instead of 14, without a compiler 45 instead of 103).
:data:`TYPES` is the fixed set; no other type may come in binary, because nobody could show it (a type's text is right
by construction, its binary is whatever ``typsend`` makes).

Nothing downstream may notice which format came. What the arrays cannot hold (``infinity``, BC, a year beyond 9999)
therefore becomes PostgreSQL's text here, its whole chunk with it, as a chunk of text would have stayed; a NaN loses
its sign and payload, as it does in text. The one difference is in binary's favour: ``extra_float_digits`` rounds texts
only.

A column's values are joined and read at once. That their lengths add up is all that is looked at: a server that sends
some longer and some shorter could as well send other values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import pyarrow as pa

from tusk_jupyter.results import builtin
from tusk_jupyter.results.decode import BYTES, STORAGE, TEXT, ZONED_MAX, ZONED_MIN, read_text
from tusk_jupyter.results.encodings import UTF8
from tusk_jupyter.results.iso import INFINITY, MINUS_INFINITY, iso_date, iso_timestamp, iso_timestamptz
from tusk_jupyter.results.moments import DAY
from tusk_jupyter.results.zones import session_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tusk_jupyter.results.decode import Settings

    Numbers = np.ndarray[Any, np.dtype[Any]]

# from 2000, where PostgreSQL counts from
_EPOCH_DAYS: Final = 10_957
_EPOCH: Final = _EPOCH_DAYS * DAY
_DATE_MIN, _DATE_MAX = -719_162, 2_932_896  # the years 1 to 9999
_UUID_TEXT: Final = 36
_UUID_PARTS: Final = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))  # between its dashes


class ContradictoryError(ValueError):
    """A value is not of its type's length, or not one of its values."""

    def __init__(self) -> None:
        super().__init__("the result contradicts itself, or is not of these columns")


@dataclass(frozen=True, slots=True)
class _Column:
    """A column's values at once: NULLs are zeros in ``numbers``."""

    numbers: Numbers
    valid: Numbers | None

    def array(self, numbers: Numbers, of_type: pa.DataType) -> pa.Array:
        """Return an array of these numbers, which lie in memory as ``of_type``'s do."""
        return pa.Array.from_buffers(of_type, len(numbers), [self.validity(), pa.py_buffer(numbers)])

    def validity(self) -> pa.Buffer | None:
        """Return Arrow's bitmap of the values that are no NULLs."""
        return None if self.valid is None else pa.py_buffer(np.packbits(self.valid, bitorder="little"))

    def texts(self, spell: Callable[[int], str]) -> pa.Array:
        """Return the text of each value."""
        valid = np.ones(len(self.numbers), bool) if self.valid is None else self.valid
        pairs = zip(self.numbers.tolist(), valid.tolist(), strict=True)
        return pa.array([spell(number) if there else None for number, there in pairs], TEXT)


def store_for(oid: int, settings: Settings) -> Callable[[Iterable[bytes | None] | pa.Array], pa.Array]:
    """Return what makes a column's array of a chunk's values; they may be an array of :data:`BYTES` already.

    :raises ContradictoryError: for a type that is not asked for in binary.
    """
    if oid == builtin.BYTEA:
        return lambda values: values if isinstance(values, pa.Array) else pa.array(values, BYTES)
    if oid in _TEXTS:
        return lambda values: read_text(values, UTF8)
    if oid not in _NUMBERS:
        raise ContradictoryError
    wire, read = _NUMBERS[oid]
    dtype, target = np.dtype(wire), STORAGE.get(oid, TEXT)
    return lambda values: read(_joined(values, dtype), target, settings)


def _joined(values: Iterable[bytes | None] | pa.Array, wire: np.dtype[Any]) -> _Column:
    listed: Sequence[bytes | None] = values.to_pylist() if isinstance(values, pa.Array) else tuple(values)
    valid = None
    try:
        raw = b"".join(cast("Sequence[bytes]", listed))
    except TypeError:
        zero = bytes(wire.itemsize)
        valid = np.fromiter((value is not None for value in listed), bool, len(listed))
        raw = b"".join([zero if value is None else value for value in listed])
    if len(raw) != len(listed) * wire.itemsize:
        raise ContradictoryError
    return _Column(np.frombuffer(raw, wire), valid)


def _integers(column: _Column, target: pa.DataType, _: Settings) -> pa.Array:
    return column.array(column.numbers.astype(np.int64), target)


def _floats(column: _Column, target: pa.DataType, _: Settings) -> pa.Array:
    numbers = column.numbers.astype(column.numbers.dtype.newbyteorder("="))
    strange = np.isnan(numbers)
    if strange.any():
        numbers[strange] = np.nan
    return column.array(numbers, target)


def _booleans(column: _Column, target: pa.DataType, _: Settings) -> pa.Array:
    if (column.numbers > 1).any():
        raise ContradictoryError
    bits = np.packbits(column.numbers, bitorder="little")
    return pa.Array.from_buffers(target, len(column.numbers), [column.validity(), pa.py_buffer(bits)])


def _dates(column: _Column, target: pa.DataType, _: Settings) -> pa.Array:
    if _lies_within(column.numbers, _DATE_MIN - _EPOCH_DAYS, _DATE_MAX - _EPOCH_DAYS):
        return column.array(column.numbers.astype(np.int32) + np.int32(_EPOCH_DAYS), target)
    return column.texts(_or_infinity(column, lambda days: iso_date(days + _EPOCH_DAYS)))


def _timestamps(column: _Column, target: pa.DataType, _: Settings) -> pa.Array:
    if _lies_within(column.numbers, _DATE_MIN * DAY - _EPOCH, (_DATE_MAX + 1) * DAY - 1 - _EPOCH):
        return column.array(column.numbers.astype(np.int64) + _EPOCH, target)
    return column.texts(_or_infinity(column, lambda moment: iso_timestamp(moment + _EPOCH)))


def _moments(column: _Column, target: pa.DataType, settings: Settings) -> pa.Array:
    if _lies_within(column.numbers, ZONED_MIN - _EPOCH, ZONED_MAX - _EPOCH):
        return column.array(column.numbers.astype(np.int64) + _EPOCH, target)
    zone = session_zone(settings.time_zone)
    if zone is None:
        raise ContradictoryError
    return column.texts(_or_infinity(column, lambda moment: iso_timestamptz(moment + _EPOCH, zone)))


def _lies_within(numbers: Numbers, least: int, most: int) -> bool:
    # a NULL's zero is 2000-01-01
    return not len(numbers) or (least <= numbers.min() and numbers.max() <= most)


def _or_infinity(column: _Column, spell: Callable[[int], str]) -> Callable[[int], str]:
    limits = np.iinfo(column.numbers.dtype)
    special = {int(limits.max): INFINITY, int(limits.min): MINUS_INFINITY}
    return lambda number: special.get(number) or spell(number)


def _uuids(column: _Column, target: pa.DataType, _: Settings) -> pa.Array:
    rows = len(column.numbers)
    digits = np.frombuffer(column.numbers.tobytes().hex().encode(), np.uint8).reshape(rows, -1)
    texts = np.full((rows, _UUID_TEXT), ord("-"), np.uint8)
    for dashes, (first, last) in enumerate(_UUID_PARTS):
        texts[:, first + dashes : last + dashes] = digits[:, first:last]
    ends = np.arange(rows + 1, dtype=np.int64) * _UUID_TEXT
    return pa.Array.from_buffers(target, rows, [column.validity(), pa.py_buffer(ends), pa.py_buffer(texts)])


# how a type's values lie on the wire, and what makes an array of them
_NUMBERS: Final[Mapping[int, tuple[str, Callable[[_Column, pa.DataType, Settings], pa.Array]]]] = {
    builtin.INT2: (">i2", _integers),
    builtin.INT4: (">i4", _integers),
    builtin.INT8: (">i8", _integers),
    builtin.OID: (">u4", _integers),
    builtin.FLOAT4: (">f4", _floats),
    builtin.FLOAT8: (">f8", _floats),
    builtin.BOOL: ("u1", _booleans),
    builtin.DATE: (">i4", _dates),
    builtin.TIMESTAMP: (">i8", _timestamps),
    builtin.TIMESTAMPTZ: (">i8", _moments),
    builtin.UUID: ("V16", _uuids),
}
_TEXTS: Final = frozenset({builtin.TEXT, builtin.VARCHAR, builtin.BPCHAR, builtin.JSON})
TYPES: Final = frozenset({*_NUMBERS, *_TEXTS, builtin.BYTEA})
