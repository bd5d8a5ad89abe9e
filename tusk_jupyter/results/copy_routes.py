"""Arrow's types and Python's objects → PostgreSQL's binary formats: which pairs there are, and what prepares a column.

A pair is here only if the value that arrives is the one that CSV would have brought: ``float4`` from doubles (the
decimal digits are rounded, not the double), a date into ``timestamptz`` (the session's zone), texts into numbers and
dates (PostgreSQL's to read) are left to CSV. What prepares a column is Arrow's own kernel, never one value at a time,
except for objects that have no Arrow type.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.types as pt

from tusk_jupyter.results import builtin
from tusk_jupyter.results.copy_target import Target
from tusk_jupyter.results.outgoing import is_binary, is_list, to_microseconds, wire
from tusk_jupyter.results.outgoing_json import json_text
from tusk_jupyter.results.outgoing_objects import interval_parts, is_missing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from tusk_jupyter.results.intervals import Interval
    from tusk_jupyter.results.outgoing_objects import Kind

    Note = Callable[[str], None]

# the order is that of `enum wire` in _rows.h
(
    NULL, BOOL, INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC, DATE, TIMESTAMP, TIME, INTERVAL, UUID, TEXT, BYTES, JSONB,
    ARRAY,
) = range(17)  # fmt: skip
_WIRES: Final = {
    builtin.BOOL: BOOL, builtin.INT2: INT2, builtin.INT4: INT4, builtin.INT8: INT8, builtin.FLOAT4: FLOAT4,
    builtin.FLOAT8: FLOAT8, builtin.NUMERIC: NUMERIC, builtin.DATE: DATE, builtin.TIMESTAMP: TIMESTAMP,
    builtin.TIMESTAMPTZ: TIMESTAMP, builtin.TIME: TIME, builtin.INTERVAL: INTERVAL, builtin.UUID: UUID,
    builtin.TEXT: TEXT, builtin.VARCHAR: TEXT, builtin.BPCHAR: TEXT, builtin.JSON: TEXT, builtin.BYTEA: BYTES,
    builtin.JSONB: JSONB,
}  # fmt: skip
_JSON: Final = (builtin.JSON, builtin.JSONB)
_MICROS: Final = pa.timestamp("us")
_INTEGERS: Final = (INT2, INT4, INT8, FLOAT4, FLOAT8, NUMERIC)
_INT32_DIGITS: Final = 38
_MOST_DIGITS: Final = 76
_UUID_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Route:
    """How a column is written: as what, from arrays of which type, and how its values become those."""

    wire: int
    type: pa.DataType
    ready: Callable[[Any, Note], Any] | None = None
    elements: Route | None = None
    element_oid: int = 0

    def array(self, values: Any, note: Note) -> pa.Array:
        """Return a slice's values as an array of the type."""
        array = self.ready(values, note) if self.ready is not None else values
        return array if array.type == self.type else array.cast(self.type)


def route(kind: pa.DataType, target: Target) -> Route | None:
    """Return how a column of this Arrow type is written; ``None`` where only CSV can."""
    if pt.is_null(kind):
        return Route(NULL, kind)
    if isinstance(kind, pa.BaseExtensionType):
        is_uuid = kind.extension_name == "arrow.uuid"
        if is_uuid and (target.element or target.oid != builtin.UUID):
            return None
        return _after(lambda array, _: array.storage, route(kind.storage_type, target))
    if pt.is_dictionary(kind):
        return _after(lambda array, _: array.dictionary_decode(), route(kind.value_type, target))
    if target.element:
        return _list(kind, target)
    return _scalar(kind, target)


def _after(first: Callable[[Any, Note], Any], rest: Route | None) -> Route | None:
    if rest is None:
        return None
    return Route(
        rest.wire, rest.type, lambda a, note: rest.array(first(a, note), note), rest.elements, rest.element_oid
    )


def _list(kind: pa.DataType, target: Target) -> Route | None:
    if not (pt.is_list(kind) or pt.is_large_list(kind)) or pt.is_nested(kind.value_type):
        return None
    element = kind.value_type
    # these are cut or spelled otherwise in an array's literal
    if isinstance(element, pa.BaseExtensionType) or "ns" in str(element) or pt.is_float16(element):
        return None
    if pt.is_floating(element) and target.oid == builtin.NUMERIC:
        return None
    found = route(element, Target(target.type, target.oid))
    return Route(ARRAY, kind, None, found, target.element) if found is not None else None


def _scalar(kind: pa.DataType, target: Target) -> Route | None:
    wanted = _WIRES.get(target.oid)
    if wanted is None:
        return None
    if pt.is_temporal(kind):
        return _temporal(kind, target.oid, wanted)
    if _is_text(kind):
        return _text(kind, wanted)
    if is_binary(kind):
        return _bytes(kind, wanted)
    if pt.is_nested(kind) or is_list(kind):
        to_text = target.oid in _JSON
        return Route(wanted, pa.large_string(), lambda a, n: wire(a, as_json=True, note=n)) if to_text else None
    return _number(kind, wanted)


def _number(kind: pa.DataType, wanted: int) -> Route | None:
    if pt.is_boolean(kind):
        return Route(wanted, kind) if wanted == BOOL else None
    if pt.is_integer(kind):
        return Route(wanted, kind) if wanted in _INTEGERS else None
    if pt.is_decimal(kind):
        if abs(kind.scale) > _MOST_DIGITS:
            return None
        small = kind.precision <= _INT32_DIGITS
        stored = (pa.decimal128 if small else pa.decimal256)(kind.precision, kind.scale)
        return Route(wanted, stored) if wanted == NUMERIC else None
    if pt.is_float16(kind):
        return _after(lambda array, _: array.cast(pa.float32()), _number(pa.float32(), wanted))
    if pt.is_floating(kind):
        if wanted == NUMERIC:
            # the shortest digits that are this number, as CSV has them
            return Route(wanted, pa.string())
        return Route(wanted, kind) if wanted == (FLOAT8 if pt.is_float64(kind) else FLOAT4) else None
    return None


def _temporal(kind: pa.DataType, oid: int, wanted: int) -> Route | None:
    if pt.is_date(kind):
        return Route(DATE, pa.date32()) if wanted == DATE else None
    if pt.is_time(kind):
        return _micros(TIME, pa.time64("us")) if wanted == TIME else None
    if pt.is_duration(kind):
        return _micros(INTERVAL, pa.duration("us")) if wanted == INTERVAL else None
    if not pt.is_timestamp(kind) or wanted not in (DATE, TIMESTAMP):
        return None
    if oid == builtin.TIMESTAMPTZ and kind.tz is None:
        return None
    # CSV has the clock of UTC where there is a zone
    ready = lambda a, n: to_microseconds(a, pa.timestamp("us", kind.tz), n).cast(_MICROS)  # noqa: E731 - one of many
    return Route(wanted, pa.date32() if wanted == DATE else _MICROS, ready)


def _micros(wanted: int, kind: pa.DataType) -> Route:
    return Route(wanted, kind, lambda array, note: to_microseconds(array, kind, note))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or kind == pa.string_view())


def _text(kind: pa.DataType, wanted: int) -> Route | None:
    if wanted not in (TEXT, JSONB, UUID):
        return None
    return Route(wanted, pa.large_string() if kind == pa.string_view() else kind)


def _bytes(kind: pa.DataType, wanted: int) -> Route | None:
    if wanted == UUID:
        return Route(UUID, kind) if pt.is_fixed_size_binary(kind) and kind.byte_width == _UUID_BYTES else None
    if wanted != BYTES:
        return None
    return Route(BYTES, pa.large_binary() if kind == pa.binary_view() else kind)


# -- columns of Python objects ----------------------------------------------------------------------------------------


def route_of_objects(kind: Kind, target: Target) -> Route | None:
    """Return how a column of objects is written; its values come as a list, missing ones as they are."""
    if target.oid in _JSON and not target.element:
        text = kind.text if kind.type == "text" else json_text
        return _made(_WIRES[target.oid], pa.large_string(), text)
    if kind.type.endswith("[]"):
        return _objects_list(kind, target)
    if target.element:
        return None
    wanted, name = _WIRES.get(target.oid), kind.type
    if name in ("numeric", "numeric(20)") or (name == "double precision" and wanted == NUMERIC):
        return _made(NUMERIC, pa.string(), kind.text) if wanted == NUMERIC else None
    if name == "interval":
        return _made(BYTES, pa.binary(_UUID_BYTES), interval_bytes) if wanted == INTERVAL else None
    if name == "uuid":
        return _made(UUID, pa.binary(_UUID_BYTES), lambda value: value.bytes) if wanted == UUID else None
    if name == "text":
        return _after_making(kind.text, route(pa.large_string(), target))
    if name == "timestamp with time zone" and target.oid == builtin.TIMESTAMP:
        return None  # the text of a moment loses its zone there, as PostgreSQL has it; this would move it to UTC
    stored = _STORED.get(name)
    return _after_making(None, route(stored, target)) if stored is not None else None


def _objects_list(kind: Kind, target: Target) -> Route | None:
    stored = _ELEMENTS.get(kind.elements.type) if kind.elements is not None else None
    if not target.element or stored is None or kind.elements is None:
        return None
    text = kind.elements.text if stored == pa.large_string() else None
    one = (lambda value: [None if is_missing(e) else text(e) for e in value]) if text is not None else list
    return _after_making(one, route(pa.list_(stored), target), pa.list_(stored))


def _after_making(
    one: Callable[[Any], Any] | None, rest: Route | None, kind: pa.DataType | None = None
) -> Route | None:
    if rest is None:
        return None
    made = _made(rest.wire, kind or rest.type, one)
    return replace(rest, ready=made.ready)


def _made(wanted: int, kind: pa.DataType, one: Callable[[Any], Any] | None) -> Route:
    def ready(values: Sequence[Any], _: Note) -> pa.Array:
        if one is None:
            return pa.array([None if is_missing(v) else v for v in values], kind)
        return pa.array([None if is_missing(v) else one(v) for v in values], kind)

    return Route(wanted, kind, ready)


def interval_bytes(value: timedelta | Interval) -> bytes:
    """Return an interval as PostgreSQL has it: microseconds, days, months."""
    months, days, microseconds = interval_parts(value)
    return struct.pack(">qii", microseconds, days, months)


_STORED: Final = {
    "bigint": pa.int64(), "double precision": pa.float64(), "boolean": pa.bool_(), "timestamp": _MICROS,
    "timestamp with time zone": pa.timestamp("us", "UTC"), "date": pa.date32(), "time": pa.time64("us"),
    "bytea": pa.large_binary(),
}  # fmt: skip
_ELEMENTS: Final = {
    "bigint": pa.int64(), "double precision": pa.float64(), "boolean": pa.bool_(), "text": pa.large_string(),
}  # fmt: skip
