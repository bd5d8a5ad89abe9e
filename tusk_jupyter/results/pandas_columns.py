"""One column → the pandas array that holds it exactly, or ``object`` and a note.

A rule per type, each with one way out: what its dtype cannot hold is :class:`Unfit`, and the whole column becomes
``object`` of Python values and, where Python has none either, of PostgreSQL's text. A column never fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tusk_jupyter.results import builtin
from tusk_jupyter.results.decode import TEXT, ZONED_MAX, ZONED_MIN
from tusk_jupyter.results.encodings import codec
from tusk_jupyter.results.intervals import Interval, parse_interval
from tusk_jupyter.results.moments import INT64_MAX, parse_date, parse_timestamp, parse_timestamptz
from tusk_jupyter.results.numbers import as_floats
from tusk_jupyter.results.types import declared_scale

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.results.options import FrameOptions
    from tusk_jupyter.results.sources import Source
    from tusk_jupyter.results.values import Remarks


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
    values = list(source.objects(readers))
    return values, _notes(source, readers.remarks)


def _as_objects(source: Source, options: FrameOptions, unfit: str = "") -> Built:
    readers = source.readers(uuid_objects=options.uuid == "object")
    # fromiter, because assigning a list of lists of one length would make a matrix of them
    count = sum(map(len, source.chunks))
    array = np.fromiter(source.objects(readers), dtype=object, count=count)
    return Built(array, _notes(source, readers.remarks, unfit))


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


def _plain(source: Source, dtype: str) -> pa.ChunkedArray:
    if not source.is_plain:
        raise Unfit(f"{dtype} cannot hold all of its values")
    return source.whole()


def _numpy(values: pa.ChunkedArray) -> Any:
    array = values.to_numpy(zero_copy_only=False)
    # a single chunk is Arrow's own memory, which a frame must not share: its users write to it
    return array if array.flags.writeable else array.copy()


def _integers(source: Source) -> Built:
    values = _plain(source, "int64")
    if not values.null_count:
        return Built(_numpy(values))
    return Built(pd.arrays.IntegerArray(_numpy(values.fill_null(0)), _numpy(values.is_null())))


def _booleans(source: Source) -> Built:
    values = _plain(source, "bool")
    if not values.null_count:
        return Built(_numpy(values))
    return Built(pd.arrays.BooleanArray(_numpy(values.fill_null(False)), _numpy(values.is_null())))


def _floats(source: Source) -> Built:
    values = _plain(source, str(source.storage))
    if not values.null_count:
        return Built(_numpy(values))
    notes: tuple[str, ...] = ()
    if pc.any(pc.is_nan(values)).as_py():
        notes = (f"column {source.name!r}: NULL and NaN are both NaN here",)
    return Built(_numpy(values.fill_null(pa.scalar(float("nan"), values.type))), notes)


def _numeric(source: Source) -> Built:
    values = _plain(source, "float64")
    try:
        floats = as_floats(values, declared=declared_scale(source.column.typmod) is not None)
    except (pa.ArrowInvalid, ArithmeticError):
        floats = None
    if floats is None:
        raise Unfit("float64 would change some of its values")
    notes = (
        (f"column {source.name!r}: rounded to float64, some values have more than 15 digits",) if floats.rounded else ()
    )
    return Built(_numpy(floats.column.fill_null(float("nan"))), notes)


def _dates(source: Source) -> Built:
    style = source.settings.date_style
    seconds = [
        chunk.cast(pa.timestamp("s")).view(pa.int64())
        if chunk.type != TEXT
        else _parsed(chunk, lambda text: parse_date(text, date_style=style) * 86_400, "datetime64[s]")
        for chunk in _readable(source, "datetime64[s]")
    ]
    return Built(_moments(seconds, "s"))


def _timestamps(source: Source) -> Built:
    style = source.settings.date_style
    return Built(_moments(_microseconds(source, lambda text: parse_timestamp(text, date_style=style)), "us"))


def _zoned(source: Source) -> Built:
    def parse(text: str) -> int:
        moment = parse_timestamptz(text)
        if not ZONED_MIN <= moment <= ZONED_MAX:
            raise ValueError("a year that cannot be shown in a zone")
        return moment

    moments = _moments(_microseconds(source, parse), "us")
    readers = source.readers()
    zoned = pd.Series(moments).dt.tz_localize("UTC").dt.tz_convert(readers.zone())
    return Built(zoned.array, _notes(source, readers.remarks))


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


def _moments(chunks: list[pa.Array], unit: str) -> Any:
    nat = np.iinfo(np.int64).min
    return _numpy(pa.chunked_array(chunks, pa.int64()).fill_null(nat)).view(f"M8[{unit}]")


def _intervals(source: Source) -> Built:
    readers = source.readers()
    values = list(source.objects(readers, readers.guarded(parse_interval)))
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
    return Built(pd.array(_plain(source, "str").combine_chunks(), dtype="str"))


def _enum(source: Source) -> Built:
    labels = source.types[source.column.oid].labels
    values = _plain(source, "category")
    codes = pc.index_in(values, pa.array(labels, TEXT))
    if codes.null_count != values.null_count:
        return Built(_text(source).array, (f"column {source.name!r} is str: its enum has changed since it was read",))
    dtype = pd.CategoricalDtype(pd.Index(labels, dtype="str"), ordered=True)
    return Built(pd.Categorical.from_codes(_numpy(codes.fill_null(-1)), dtype=dtype))


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
