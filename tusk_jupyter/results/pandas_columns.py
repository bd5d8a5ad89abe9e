"""One column → the pandas array that holds it exactly, or ``object`` and a note.

A rule per type, each with one way out: what its dtype cannot hold is :class:`Unfit`, and the whole column becomes
``object`` of Python values and, where Python has none either, of PostgreSQL's text. A column never fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tusk_jupyter.results import builtin
from tusk_jupyter.results.arrays import booleans, nulls, numbers
from tusk_jupyter.results.batches import without_collector
from tusk_jupyter.results.decode import BYTES, TEXT, ZONED_MAX, ZONED_MIN
from tusk_jupyter.results.encodings import codec
from tusk_jupyter.results.intervals import Interval, parse_interval
from tusk_jupyter.results.moments import INT64_MAX, parse_date, parse_timestamp, parse_timestamptz
from tusk_jupyter.results.numbers import numeric_floats
from tusk_jupyter.results.types import declared_scale

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.results.options import FrameOptions
    from tusk_jupyter.results.sources import Source
    from tusk_jupyter.results.values import Readers, Remarks


# what pandas makes of "str" where pyarrow is there, as it is here
_STR: Final = pd.StringDtype("pyarrow", na_value=np.nan)


class Unfit(Exception):
    """A value that the column's dtype cannot hold."""


@dataclass(frozen=True, slots=True)
class Built:
    """A pandas array and what is to be said about it."""

    array: Any
    notes: tuple[str, ...] = ()


def build(source: Source, options: FrameOptions) -> Built:
    """Return a column as pandas holds it."""
    try:
        return _dtype_rule(source, options)(source)
    except Unfit as unfit:
        return _as_objects(source, options, str(unfit))


def _dtype_rule(source: Source, options: FrameOptions) -> Callable[[Source], Built]:
    oid = source.column.oid
    info = source.types.get(oid)
    if oid == builtin.NUMERIC and options.numeric == "float":
        return _numeric
    if oid == builtin.DATE and options.dates == "datetime64":
        return _dates
    if rule := _RULES.get(oid):
        return rule
    if info is not None and info.kind == "e":
        return _enum
    if source.readers(uuid_objects=options.uuid == "object").of(oid) is str:
        return _text
    return lambda source: _as_objects(source, options)


def objects(source: Source, options: FrameOptions) -> tuple[list[Any], tuple[str, ...]]:
    """Return a column as Python values, and the notes on those that are PostgreSQL's text."""
    readers = source.readers(uuid_objects=options.uuid == "object")
    with without_collector():
        values = list(chain.from_iterable(source.objects(readers)))
    return values, _notes(source, readers.remarks)


def _as_objects(source: Source, options: FrameOptions, unfit: str = "") -> Built:
    readers = source.readers(uuid_objects=options.uuid == "object")
    with without_collector():
        array = _object_array(source, readers)
    return Built(array, _notes(source, readers.remarks, unfit))


def _object_array(source: Source, readers: Readers) -> Any:
    array = np.empty(sum(map(len, source.chunks)), object)
    row = 0
    for values in source.objects(readers):
        # fromiter, because assigning a list of lists of one length would make a matrix of them
        array[row : row + len(values)] = np.fromiter(values, object, len(values))
        row += len(values)
    return array


def _notes(source: Source, remarks: Remarks, unfit: str = "") -> tuple[str, ...]:
    said = [f"is object, because {unfit}"] if unfit else []
    if remarks.kept.count:
        said.append(f"{_count(remarks.kept.count)} PostgreSQL's text, the first {_short(remarks.kept.first)}")
    if remarks.unreadable.count:
        encoding, first = codec(source.settings.encoding), remarks.unreadable.first[:60]
        said.append(f"{_count(remarks.unreadable.count)} bytes that are not {encoding}, the first {first}")
    if remarks.unknown_zone:
        said.append(f"shown in UTC, because Python does not know the session's zone {remarks.unknown_zone!r}")
    return (f"column {source.name!r}: " + "; ".join(said),) if said else ()


def _count(number: int) -> str:
    return "1 value is" if number == 1 else f"{number:,} values are"


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:59] + "…")  # noqa: PLR2004 - a note is one line


def _plain(source: Source, dtype: str) -> list[pa.Array]:
    if not source.is_plain:
        raise Unfit(f"{dtype} cannot hold all of its values")
    return source.chunks


def _integers(source: Source) -> Built:
    chunks = _plain(source, "int64")
    values = numbers(chunks, "i8", 0, take=source.is_ours)
    return Built(pd.arrays.IntegerArray(values, nulls(chunks)) if _any_null(chunks) else values)


def _booleans(source: Source) -> Built:
    chunks = _plain(source, "bool")
    values = booleans(chunks)
    return Built(pd.arrays.BooleanArray(values, nulls(chunks)) if _any_null(chunks) else values)


def _floats(source: Source) -> Built:
    chunks = _plain(source, str(source.storage))
    notes: tuple[str, ...] = ()
    if _any_null(chunks) and any(pc.any(pc.is_nan(chunk)).as_py() for chunk in chunks):
        notes = (f"column {source.name!r}: NULL and NaN are both NaN here",)
    dtype = f"f{source.storage.bit_width // 8}"
    return Built(numbers(chunks, dtype, np.nan, take=source.is_ours), notes)


def _any_null(chunks: list[pa.Array]) -> bool:
    return any(chunk.null_count for chunk in chunks)


def _numeric(source: Source) -> Built:
    if any(chunk.type == BYTES for chunk in source.chunks):
        raise Unfit("float64 cannot hold all of its values")
    declared = declared_scale(source.column.typmod) is not None
    try:
        floats = numeric_floats(source.chunks, declared=declared, take=source.is_ours)
    except (pa.ArrowInvalid, ArithmeticError):
        floats = None
    if floats is None:
        raise Unfit("float64 would change some of its values")
    values, is_rounded = floats
    said = f"column {source.name!r}: rounded to float64, some values have more than 15 digits"
    return Built(values, (said,) if is_rounded else ())


def _dates(source: Source) -> Built:
    style = source.settings.date_style
    seconds = [
        chunk.cast(pa.timestamp("s")).view(pa.int64())
        if chunk.type != TEXT
        else _parsed(chunk, lambda text: parse_date(text, date_style=style) * 86_400, "datetime64[s]")
        for chunk in _readable(source, "datetime64[s]")
    ]
    # a date is half as wide as its seconds: what was made of it is ours
    return Built(numbers(seconds, "M8[s]", np.datetime64("NaT"), take=True))


def _timestamps(source: Source) -> Built:
    style = source.settings.date_style
    moments = _microseconds(source, lambda text: parse_timestamp(text, date_style=style))
    return Built(numbers(moments, "M8[us]", np.datetime64("NaT"), take=source.is_ours))


def _zoned(source: Source) -> Built:
    def parse(text: str) -> int:
        moment = parse_timestamptz(text)
        if not ZONED_MIN <= moment <= ZONED_MAX:
            raise ValueError("a year that cannot be shown in a zone")
        return moment

    moments = numbers(_microseconds(source, parse), "i8", np.iinfo(np.int64).min, take=source.is_ours)
    readers = source.readers()
    # integers are moments in UTC: where a dtype has a zone, nothing else is taken without a copy
    zoned = pd.array(moments, dtype=pd.DatetimeTZDtype("us", readers.zone()), copy=False)
    return Built(zoned, _notes(source, readers.remarks))


def _microseconds(source: Source, parse: Callable[[str], int]) -> list[pa.Array]:
    return [
        chunk.view(pa.int64()) if chunk.type != TEXT else _parsed(chunk, parse, "datetime64[us]")
        for chunk in _readable(source, "datetime64[us]")
    ]


def _readable(source: Source, dtype: str) -> list[pa.Array]:
    if any(chunk.type not in (source.storage, TEXT) for chunk in source.chunks):
        raise Unfit(f"{dtype} cannot hold all of its values")
    return source.chunks


def _parsed(chunk: pa.Array, parse: Callable[[str], int], dtype: str) -> pa.Array:
    try:
        return pa.array([None if text is None else parse(text) for text in chunk.to_pylist()], pa.int64())
    except ValueError:
        raise Unfit(f"{dtype} cannot hold all of its values") from None


def _intervals(source: Source) -> Built:
    readers = source.readers()
    values = list(chain.from_iterable(source.objects(readers, readers.guarded(parse_interval))))
    if any(map(_needs_object, values)):
        array = np.fromiter(values, dtype=object, count=len(values))
        unfit = (
            "timedelta64[us] cannot hold all of its values"
            if readers.remarks.kept.count or readers.remarks.unreadable.count
            else ""
        )
        return Built(array, _notes(source, readers.remarks, unfit))
    nat = np.iinfo(np.int64).min
    lengths = (nat if value is None else value.total_microseconds() for value in values)
    return Built(np.fromiter(lengths, np.int64, len(values)).view("m8[us]"))


def _needs_object(value: Interval | str | bytes | None) -> bool:
    if not isinstance(value, Interval):
        return value is not None
    length = value.total_microseconds()
    return length is None or abs(length) > INT64_MAX


def _text(source: Source) -> Built:
    _plain(source, "str")
    # one chunk is taken as it is; many would be slow ever after
    whole = source.chunks[0] if len(source.chunks) == 1 else source.whole().combine_chunks()
    return Built(pd.arrays.ArrowStringArray(whole, dtype=_STR))  # type: ignore[call-arg]


def _enum(source: Source) -> Built:
    labels = source.types[source.column.oid].labels
    _plain(source, "category")
    values = source.whole()
    codes = pc.index_in(values, pa.array(labels, TEXT))
    if codes.null_count != values.null_count:
        return Built(_text(source).array, (f"column {source.name!r} is str: its enum has changed since it was read",))
    dtype = pd.CategoricalDtype(pd.Index(labels, dtype="str"), ordered=True)
    return Built(pd.Categorical.from_codes(numbers(codes.chunks, "i4", -1, take=True), dtype=dtype))


_RULES: Final[Mapping[int, Callable[[Source], Built]]] = {
    builtin.INT2: _integers,
    builtin.INT4: _integers,
    builtin.INT8: _integers,
    builtin.OID: _integers,
    builtin.FLOAT4: _floats,
    builtin.FLOAT8: _floats,
    builtin.BOOL: _booleans,
    builtin.TIMESTAMP: _timestamps,
    builtin.TIMESTAMPTZ: _zoned,
    builtin.INTERVAL: _intervals,
}
