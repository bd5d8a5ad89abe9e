"""Slices of a feed → COPY's binary rows, compiled; CSV wherever a column, or this installation, has no binary form.

Half of what CSV costs the server, a third of what it costs here: the bytes sent are the ones stored, and nothing is
parsed. A million rows of sixteen columns take 1.2 s of the server's processor, as they do when they are encoded
beforehand, and 0.1 s of encoding, on another thread. pgpq, the encoder there is, was left out: it makes
``timestamp`` of zones, loses the precision of ``numeric``, and refuses nested lists, dictionaries and nanoseconds.

Which of the two a load takes is decided before it begins, from the types of all columns: one that :mod:`copy_routes`
does not know, a session in another encoding than UTF-8 (COPY says what CSV is in, and not what binary texts are), or no
compiled encoder, and all of it is CSV. The rows are the same.

A value that its column's type cannot hold ends the load here, after the rows before it: the server is then asked for
that value alone, as text, and its own words are the error. What the server refuses it names by row and column only,
and the value is looked up in the last slices, of which 64 MB are kept: it is no further behind than that.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.types as pt

from tusk_jupyter.errors import ConversionError, InvalidInput
from tusk_jupyter.results.copy_csv import Encoder
from tusk_jupyter.results.copy_routes import NULL, route, route_of_objects
from tusk_jupyter.results.copy_target import Target, UnfitError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from typing_extensions import Buffer

    from tusk_jupyter.results import _encode
    from tusk_jupyter.results.copy_routes import Note, Route
    from tusk_jupyter.results.feeds import Feed, FeedColumn

    Described: TypeAlias = _encode.Flat | _encode.Nested

VARIABLE: Final = "TUSK_COPY"
_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END: Final = b"\xff\xff"
_KEPT_BYTES: Final = 64 * 2**20
_SHOWN: Final = 100
# the order is that of `enum storage` in _rows.h
_STORAGES: Final = (
    pt.is_null, pt.is_boolean, pt.is_int8, pt.is_int16,
    lambda t: pt.is_int32(t) or pt.is_date32(t),
    lambda t: pt.is_int64(t) or pt.is_timestamp(t) or pt.is_time64(t) or pt.is_duration(t),
    pt.is_uint8, pt.is_uint16, pt.is_uint32, pt.is_uint64, pt.is_float32, pt.is_float64, pt.is_decimal128,
    pt.is_decimal256, pt.is_fixed_size_binary,
    lambda t: pt.is_string(t) or pt.is_binary(t) or pt.is_list(t),
    lambda t: pt.is_large_string(t) or pt.is_large_binary(t) or pt.is_large_list(t),
)  # fmt: skip


def encoder_for(feed: Feed, targets: Sequence[Target], *, encoding: str | None) -> Encoder:
    """Return the encoder of a load: binary if all of it can be.

    The tests choose by the environment: ``TUSK_COPY=csv``, or ``binary``, which is an ImportError where it cannot be.

    :param encoding: the session's ``client_encoding``.
    """
    wanted = os.environ.get(VARIABLE)
    routes = [_route(column, target) for column, target in zip(feed.columns, targets, strict=True)]
    known = [found for found in routes if found is not None]
    reason = why_not() or (f"client_encoding is {encoding}" if encoding != "UTF8" else None)
    if reason is None and len(known) < len(routes):
        at = routes.index(None)
        reason = f"column {feed.columns[at].name!r} has no binary form as {targets[at].type}"
    if wanted == "binary" and reason is not None:
        raise ImportError(reason)
    if wanted == "csv" or reason is not None:
        return Encoder(feed)
    return BinaryEncoder(feed, targets, known)


@functools.cache
def why_not() -> str | None:
    """Return why nothing can be encoded here; ``None`` when it can."""
    if sys.byteorder != "little":
        return "this machine's numbers are big-endian"
    try:
        importlib.import_module("tusk_jupyter.results._encode")
    except ImportError as error:
        return str(error)
    return None


def _route(column: FeedColumn, target: Target) -> Route | None:
    if column.kind is not None:
        return route_of_objects(column.kind, target)
    return route(column.arrow, target)


@dataclass(frozen=True, slots=True)
class _Slice:
    row: int
    values: list[Any]
    size: int


class BinaryEncoder(Encoder):
    """Encodes a feed, a chunk of binary rows for each of its slices."""

    form = "format binary"

    def __init__(self, feed: Feed, targets: Sequence[Target], routes: Sequence[Route]) -> None:
        super().__init__(feed)
        self._targets = tuple(targets)
        self._routes = tuple(routes)
        self._kept: deque[_Slice] = deque()
        self._refusal: Exception | None = None
        self._head = _HEAD
        self._sent_last: _encode.Rows | None = None
        self._under_way: _encode.Rows | None = None
        self._ended = False

    def row_of(self, line: int) -> int | None:
        """Return the row of a line, which is one less: in binary, the server counts rows."""
        return line - 1

    def value_of(self, row: int, name: str) -> str | None:
        """Return a value of the last slices, quoted as the server quotes what it shows of CSV."""
        index = next((i for i, (column, _) in enumerate(self.columns) if column == name), None)
        # a copy: the slice ahead may be on its way
        part = next((s for s in list(self._kept) if s.row <= row < s.row + len(s.values[0])), None)
        if index is None or part is None:
            return None
        text = self._text(part.values, index, row - part.row)
        return None if text is None else f'"{text[:_SHOWN]}{"..." if len(text) > _SHOWN else ""}"'

    def _encode(self) -> Buffer | None:
        if self._refusal is not None:
            raise self._refusal
        values = next(self._feed.slices, None)
        head, self._head = self._head, b""
        if values is None:
            done, self._ended = self._ended, True
            return None if done else head + _END
        return self._rows(values, head)

    def _rows(self, values: list[Any], head: bytes) -> Buffer:
        from tusk_jupyter.results import _encode

        described = tuple(self._described(i, part) for i, part in enumerate(values))
        data, rows, refused = _encode.rows(described, len(values[0]), head, self._sent_last)
        # one is being sent while the next is encoded: the one before them was sent
        self._sent_last, self._under_way = self._under_way, data
        self._keep(_Slice(self.rows, values, len(data)))
        if refused >= 0:
            self._refusal = self._why(values, refused, rows)
        self.rows += rows
        return data

    def _described(self, index: int, values: Any) -> Described:
        column = self._feed.columns[index]
        try:
            return described(self._routes[index], values, self._note(column))
        except self.UNWRITABLE as error:
            said = str(error).partition("\n")[0]
        if column.kind is None:
            raise self._unwritable(column, said)
        row = self._first_bad(index, values)
        raise self._refused(row, column.name, values[row], f"cannot be written: {said}", ConversionError)

    def _first_bad(self, index: int, values: list[Any]) -> int:
        for row, value in enumerate(values):
            try:
                self._routes[index].array([value], lambda _: None)
            except self.UNWRITABLE:
                return row
        return 0

    def _why(self, values: list[Any], index: int, row: int) -> Exception:
        column, target = self._feed.columns[index], self._targets[index]
        text = self._text(values, index, row) or ""
        if "\0" in text:
            return self._refused(row, column.name, text, self.NUL, InvalidInput)
        return UnfitError(self.where(self.rows + row), column.name, text, target)

    def _text(self, values: list[Any], index: int, row: int) -> str | None:
        column = self._feed.columns[index]
        try:
            array = self._array(values[index][row : row + 1], column)
            return str(array.cast(pa.large_string())[0].as_py() or "")
        except (ConversionError, ValueError, TypeError):
            return repr(values[index][row])

    def _keep(self, part: _Slice) -> None:
        self._kept.append(part)
        total = sum(s.size for s in self._kept)
        while total > _KEPT_BYTES and len(self._kept) > 1:
            total -= self._kept.popleft().size


def described(route: Route, values: Any, note: Note) -> Described:
    """Return a slice of a column as the compiled encoder reads it."""
    array = route.array(values, note)
    if route.elements is None:
        return _flat(route.wire, array)
    first, last = array.offsets[0].as_py(), array.offsets[-1].as_py()
    elements = route.elements.array(array.values.slice(first, last - first), note)
    return (*_flat(route.wire, array), _flat(route.elements.wire, elements), first, route.element_oid)


def _flat(wire: int, array: pa.Array) -> _encode.Flat:
    kind = array.type
    validity, values, data = (*array.buffers(), None, None)[:3]
    number = kind.byte_width if pt.is_fixed_size_binary(kind) else kind.scale if pt.is_decimal(kind) else 0
    nothing = wire == NULL
    return (
        wire,
        next(i for i, test in enumerate(_STORAGES) if test(kind)),
        number,
        array.offset,
        len(array),
        validity if array.null_count and not nothing else None,
        None if nothing else values,
        None if pt.is_nested(kind) else data,
    )
