"""One value's text → the Python value it stands for, for every type, however nested.

A reader is built once per column, from the type down to what it is made of; reading is then a call per value. A part
that Python has no value for (``infinity``, a year BC, JSON nested too deeply) stays PostgreSQL's text, in place: one
such element does not take its array with it. They are counted in the reader's :class:`Remarks`, so that the frame can
say so.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from tusk_jupyter.results import builtin
from tusk_jupyter.results.documents import load_json, load_jsonb
from tusk_jupyter.results.intervals import parse_interval
from tusk_jupyter.results.moments import (
    date_of,
    datetime_in,
    datetime_of,
    parse_date,
    parse_time,
    parse_timestamp,
    parse_timestamptz,
)
from tusk_jupyter.results.names import row_type
from tusk_jupyter.results.text import (
    parse_array,
    parse_bytea,
    parse_composite,
    parse_hstore,
    parse_multirange,
    parse_range,
)
from tusk_jupyter.results.types import BUILTIN
from tusk_jupyter.results.zones import session_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from tusk_jupyter.results.decode import Settings
    from tusk_jupyter.results.text import RangeText
    from tusk_jupyter.results.types import TypeInfo

# what a parser raises on a value it cannot hold; JSON adds RecursionError, Decimal's arithmetic its own
UNHELD: Final = (ValueError, ArithmeticError, RecursionError, LookupError)


@dataclass(slots=True)
class Kept:
    """How many values stayed as PostgreSQL wrote them, and the first of them."""

    count: int = 0
    first: str = ""

    def add(self, text: str) -> None:
        """Remember one."""
        self.first = self.first if self.count else text
        self.count += 1


@dataclass(slots=True)
class Remarks:
    """What is to be said about a column once all its values were read."""

    kept: Kept = field(default_factory=Kept)
    unreadable: Kept = field(default_factory=Kept)
    unknown_zone: str = ""


@dataclass(frozen=True, slots=True)
class Readers:
    """Builds readers for the types of one result."""

    settings: Settings
    types: Mapping[int, TypeInfo]
    uuid_objects: bool = False
    remarks: Remarks = field(default_factory=Remarks)

    def of(self, oid: int) -> Callable[[str], Any]:
        """Return what turns a value's text into Python; it never raises."""
        strict = self._strict(oid)
        info = self.types.get(oid)
        if strict is str or info is None:
            return str
        if not (info.element or info.fields or info.subtype or info.base):
            return self.guarded(strict)
        lenient = self.guarded(self._parser(info, self.of))

        def reader(text: str) -> Any:
            # a guard around each element costs more than reading it: they are put up where one is known to be needed
            try:
                return strict(text)
            except UNHELD:
                return lenient(text)

        return reader

    def guarded(self, parse: Callable[[str], Any]) -> Callable[[str], Any]:
        """Return a reader that gives the text itself where ``parse`` cannot, and counts it."""
        kept = self.remarks.kept

        def reader(text: str) -> Any:
            try:
                return parse(text)
            except UNHELD:
                kept.add(text)
                return text

        return reader

    def zone(self) -> tzinfo:
        """Return the zone that moments are shown in, remembering that it could not be the session's."""
        zone = session_zone(self.settings.time_zone)
        if zone is None:
            self.remarks.unknown_zone = self.settings.time_zone
        return zone or UTC

    def _strict(self, oid: int) -> Callable[[str], Any]:
        info = self.types.get(oid)
        return str if info is None else self._parser(info, self._strict)

    def _parser(self, info: TypeInfo, part: Callable[[int], Callable[[str], Any]]) -> Callable[[str], Any]:
        if info.base:
            return part(info.base)
        if info.element:
            return self._array(info, part(info.element))
        if info.kind == "c":
            return _composite(info, [part(oid) for _, oid in info.fields])
        if info.subtype:
            return _range(part(info.subtype)) if info.kind == "r" else _multirange(part(info.subtype))
        if info.oid in BUILTIN:
            return self._builtin(info.oid)
        return _extension_type(info.name.rpartition(".")[2].strip('"')) if info.kind == "b" else str

    def _builtin(self, oid: int) -> Callable[[str], Any]:
        if oid == builtin.DATE:
            style = self.settings.date_style
            return lambda text: date_of(parse_date(text, date_style=style))
        if oid == builtin.TIMESTAMP:
            style = self.settings.date_style
            return lambda text: datetime_of(parse_timestamp(text, date_style=style))
        if oid == builtin.TIMESTAMPTZ:
            zone = self.zone()
            return lambda text: datetime_in(parse_timestamptz(text), zone)
        if oid == builtin.UUID:
            return uuid.UUID if self.uuid_objects else str
        return _BUILTIN_READERS.get(oid, str)

    def _array(self, info: TypeInfo, read: Callable[[str], Any]) -> Callable[[str], Any]:
        element = self.types.get(info.element)
        delimiter = element.delimiter if element else ","
        return lambda text: parse_array(text, read, delimiter=delimiter)


def _composite(info: TypeInfo, readers: list[Callable[[str], Any]]) -> Callable[[str], Any]:
    make = row_type(info.name, [name for name, _ in info.fields])._make

    def read(text: str) -> Any:
        fields = parse_composite(text, fields=len(readers))
        return make(None if f is None else r(f) for r, f in zip(readers, fields, strict=True))

    return read


def _range(bound: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: _python_range(parse_range(text), bound)


def _multirange(bound: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: Multirange([_python_range(part, bound) for part in parse_multirange(text)])


def _python_range(parts: RangeText, bound: Callable[[str], Any]) -> Range[Any]:
    if not parts.bounds:
        return Range(empty=True)
    lower = None if parts.lower is None else bound(parts.lower)
    upper = None if parts.upper is None else bound(parts.upper)
    return Range(lower, upper, parts.bounds)


def _boolean(text: str) -> bool:
    if text not in ("t", "f"):
        raise ValueError("neither t nor f")
    return text == "t"


def _vector(text: str) -> Any:
    return np.array(text.removeprefix("[").removesuffix("]").split(","), dtype=np.float32)


def _half_vector(text: str) -> Any:
    return _vector(text).astype(np.float16)


def _extension_type(name: str) -> Callable[[str], Any]:
    # extensions get a new OID in every database: their name, without its schema, is all there is to know them by
    if name in ("geometry", "geography"):
        return _geometry()
    return {"hstore": parse_hstore, "vector": _vector, "halfvec": _half_vector}.get(name, str)


def _geometry() -> Callable[[str], Any]:
    try:
        from shapely import wkb
    except ImportError:
        return str
    loads: Callable[[str], Any] = lambda text: wkb.loads(text, hex=True)  # noqa: E731
    return loads


_INTEGERS: Final = (builtin.INT2, builtin.INT4, builtin.INT8, builtin.OID)
_BUILTIN_READERS: Final[Mapping[int, Callable[[str], Any]]] = {
    **dict.fromkeys(_INTEGERS, int),
    builtin.FLOAT4: float,
    builtin.FLOAT8: float,
    builtin.BOOL: _boolean,
    builtin.NUMERIC: Decimal,
    builtin.TIME: parse_time,
    builtin.INTERVAL: lambda text: parse_interval(text).as_python(),
    builtin.JSON: load_json,
    builtin.JSONB: load_jsonb,
    builtin.BYTEA: lambda text: parse_bytea(text.encode()),
}
