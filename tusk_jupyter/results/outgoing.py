"""Arrow columns → PostgreSQL types, and values that pyarrow's CSV writer renders exactly as PostgreSQL reads them.

The writer is right for integers, floats (shortest digits, ``nan``, ``inf``), booleans, decimals, text, and dates and
times of our era; it tells NULL (nothing) from an empty text (``""``). Everything else becomes text here, by a kernel
of Arrow's where there is one: zones go to UTC, because the writer drops the seconds of old offsets, years before 1 get
PostgreSQL's BC, durations their units, bytes their hexadecimal digits, lists and structs their literals.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from tusk_jupyter.results.outgoing_json import json_text
from tusk_jupyter.results.outgoing_objects import array_text, bytes_text, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

_DAY_US: Final = 86_400_000_000
# 0001-01-01, in days of 1970
_YEAR_ONE: Final = -719_162
_YEAR: Final = re.compile(r"-?\d+")
_SCALARS: Final[tuple[tuple[Callable[[Any], bool], str], ...]] = (
    (pt.is_boolean, "boolean"),
    (pt.is_uint64, "numeric(20)"),
    (lambda t: pt.is_int64(t) or pt.is_uint32(t), "bigint"),
    (lambda t: pt.is_int32(t) or pt.is_uint16(t), "integer"),
    (pt.is_integer, "smallint"),
    (pt.is_float64, "double precision"),
    (pt.is_floating, "real"),
    (pt.is_date, "date"),
    (pt.is_time, "time"),
    (pt.is_duration, "interval"),
    (lambda t: pt.is_struct(t) or pt.is_map(t), "jsonb"),
)


def declared(kind: pa.DataType) -> str:
    """Return the PostgreSQL type that a column of this Arrow type becomes; text where there is none."""
    if isinstance(kind, pa.BaseExtensionType):
        return {"arrow.uuid": "uuid", "arrow.json": "jsonb"}.get(kind.extension_name) or declared(kind.storage_type)
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        return declared(kind.value_type)
    if pt.is_decimal(kind):
        scale = max(kind.scale, 0)
        return f"numeric({max(kind.precision - min(kind.scale, 0), scale)},{scale})"
    if pt.is_timestamp(kind):
        return "timestamp with time zone" if kind.tz is not None else "timestamp"
    if is_list(kind):
        element = declared(kind.value_type)
        return element if element == "jsonb" else f"{element.removesuffix('[]')}[]"
    if is_binary(kind):
        return "bytea"
    return next((name for test, name in _SCALARS if test(kind)), "text")


def wire(array: pa.Array, *, as_json: bool, note: Callable[[str], None]) -> pa.Array:
    """Return the same values in a form that the CSV writer renders as PostgreSQL reads it.

    :param as_json: the target is ``json`` or ``jsonb``, so that lists are JSON and no array literals.
    :param note: told what was changed.
    """
    if isinstance(array.type, pa.BaseExtensionType):
        is_uuid = array.type.extension_name == "arrow.uuid"
        return _hex(array.storage) if is_uuid else wire(array.storage, as_json=as_json, note=note)
    kind = array.type
    if pt.is_dictionary(kind) or pt.is_run_end_encoded(kind):
        plain = array.dictionary_decode() if pt.is_dictionary(kind) else pc.run_end_decode(array)
        return wire(plain, as_json=as_json, note=note)
    if pt.is_nested(kind) or is_list(kind):
        return _nested(array, as_json=as_json)
    return _moment(array, note) if pt.is_temporal(kind) else _plain(array)


def _plain(array: pa.Array) -> pa.Array:
    kind = array.type
    if is_binary(kind):
        return _texts(array, bytes_text)
    if pt.is_float16(kind):
        return array.cast(pa.float32())
    return array.cast(pa.large_string()) if pt.is_null(kind) or kind == pa.string_view() else array


def _nested(array: pa.Array, *, as_json: bool) -> pa.Array:
    if is_list(array.type):
        return _texts(array, json_text if as_json or declared(array.type) == "jsonb" else _literal)
    return _texts(array, lambda value: json_text(dict(value) if isinstance(value, list) else value))


def _moment(array: pa.Array, note: Callable[[str], None]) -> pa.Array:
    kind = array.type
    if pt.is_timestamp(kind):
        return _timestamp(array, note)
    if pt.is_date(kind):
        return _eras(array, pc.cast(array, pa.date32()).cast(pa.int32()), _YEAR_ONE)
    if pt.is_time(kind):
        return to_microseconds(array, pa.time64("us"), note)
    return _interval(to_microseconds(array, pa.duration("us"), note))


def is_binary(kind: pa.DataType) -> bool:
    """Tell whether values of this type are bytes."""
    sized = pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind)
    return bool(sized or kind == pa.binary_view())


def is_list(kind: pa.DataType) -> bool:
    """Tell whether values of this type are lists, however Arrow keeps them."""
    views = pt.is_list_view(kind) or pt.is_large_list_view(kind)
    return bool(pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind) or views)


def _texts(array: pa.Array, text: Callable[[Any], str]) -> pa.Array:
    return pa.array([None if value is None else text(value) for value in array.to_pylist()], pa.large_string())


def _literal(value: Any) -> str:
    return array_text(value, text_of)


def _hex(array: pa.Array) -> pa.Array:
    return _texts(array, bytes.hex)


def to_microseconds(array: pa.Array, kind: pa.DataType, note: Callable[[str], None]) -> pa.Array:
    """Return moments or spans in microseconds; what is finer is cut, and ``note`` told."""
    if array.type == kind:
        return array
    if array.type.unit == "ns":
        exact = pc.cast(array, kind, safe=False)
        if not pc.all(pc.equal(exact.cast(array.type), array), min_count=0).as_py():
            note("cut to microseconds, which is what PostgreSQL keeps")
        return exact
    return array.cast(kind)


def _timestamp(array: pa.Array, note: Callable[[str], None]) -> pa.Array:
    zone = "UTC" if array.type.tz is not None else None
    exact = to_microseconds(array, pa.timestamp("us", array.type.tz), note).cast(pa.timestamp("us", zone))
    return _eras(exact, exact.cast(pa.int64()), _YEAR_ONE * _DAY_US)


def _eras(array: pa.Array, numbers: pa.Array, first: int) -> pa.Array:
    """Write years before 1 as PostgreSQL does; Arrow counts a year 0, as ISO 8601 has it."""
    least = pc.min(numbers).as_py()
    if least is None or least >= first:
        return array
    return _texts(array.cast(pa.string()), _bc)


def _bc(text: str) -> str:
    year = _YEAR.match(text)
    number = int(year[0]) if year else 1
    return text if year is None or number > 0 else f"{1 - number:04}{text[year.end() :]} BC"


def _interval(array: pa.Array) -> pa.Array:
    total = array.cast(pa.int64())
    days = pc.divide(total, _DAY_US)
    rest = pc.subtract(total, pc.multiply(days, _DAY_US))
    seconds = pc.divide(rest, 1_000_000)
    micros = pc.subtract(rest, pc.multiply(seconds, 1_000_000))
    parts = [pc.binary_join_element_wise(_signed(n), unit, " ") for n, unit in
             ((days, "days"), (seconds, "seconds"), (micros, "microseconds"))]  # fmt: skip
    return pc.binary_join_element_wise(*parts, " ")


def _signed(numbers: pa.Array) -> pa.Array:
    # a minus before the first field alone would count for all of them where IntervalStyle is sql_standard
    plus = pc.if_else(pc.greater_equal(numbers, 0), "+", "")
    return pc.binary_join_element_wise(plus, numbers.cast(pa.string()), "")
