"""Columns of Python objects → a PostgreSQL type and PostgreSQL's text, by what the values are.

An ``object`` column says nothing of its values, so all of them are looked at once, before anything is sent: types that
no one PostgreSQL type holds are refused with two of the values, instead of becoming text that nobody asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

import numpy as np
import pandas as pd

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.results.intervals import Interval
from tusk_jupyter.results.outgoing_json import json_text

_MICROSECOND: Final = timedelta(microseconds=1)
_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_INT8: Final = 2**63
_EXACT: Final = 2**53
_MISSING: Final = (type(None), type(pd.NA), type(pd.NaT))


@dataclass(frozen=True, slots=True)
class Kind:
    """What a column holds: its type in PostgreSQL, and how a value of it is written.

    ``elements``: what its lists hold, where none of them has lists within.
    """

    type: str
    text: Callable[[Any], str]
    elements: Kind | None = None


def is_missing(value: Any) -> bool:
    """Tell whether a value of an object column is NULL, as pandas sees it."""
    return isinstance(value, _MISSING) or (isinstance(value, float) and value != value)  # noqa: PLR0124 - NaN


def kind_of(values: Iterable[Any], name: str) -> Kind:
    """Return what fits every value.

    :raises InvalidInput: where there is no such, naming the column and two values.
    """
    return _kind([value for value in values if not is_missing(value)], name)


def _kind(present: list[Any], name: str) -> Kind:
    families: dict[str, tuple[int, Any]] = {}
    known: dict[type, str] = {}
    for position, value in enumerate(present):
        of = type(value)
        family = known.get(of)
        if family is None:
            family = known[of] = _family(value, name)
            families.setdefault(family, (position, value))
    found = frozenset(families)
    if not found:
        return Kind("text", str)
    if found <= {"bigint", "double precision", "numeric"}:
        return _number(present, found, families, name)
    if found == {"timestamp"}:
        return _timestamp(present, name)
    if found == {"list"}:
        return _array(present, name)
    if found <= {"jsonb", "list"}:
        return Kind("jsonb", json_text)
    if len(found) == 1:
        return Kind(*_PLAIN[next(iter(found))])
    raise _mixed(name, families)


def _family(value: Any, name: str) -> str:
    for types, family in _FAMILIES:
        if isinstance(value, types):
            return family
    raise InvalidInput(
        f"column {name!r} holds a {type(value).__name__}, which has no type in PostgreSQL: {_shown(value)}",
        advice=f"Nothing was loaded. Convert it first, for example df[{name!r}] = df[{name!r}].map(str).",
    )


def _mixed(name: str, families: dict[str, tuple[int, Any]]) -> InvalidInput:
    (_, one), (_, other) = list(families.values())[:2]
    return InvalidInput(
        f"column {name!r} mixes values that no one type holds: {_shown(one)} and {_shown(other)}",
        advice=f"Nothing was loaded. Make them one type first, for example df[{name!r}] = df[{name!r}].map(str).",
        facts=(("column", name), ("types", f"{type(one).__name__}, {type(other).__name__}")),
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"  # noqa: PLR2004 - a line's worth


def _number(present: list[Any], found: frozenset[str], families: dict[str, tuple[int, Any]], name: str) -> Kind:
    if found == {"bigint"}:
        low, high = min(present), max(present)
        if low >= -_INT8 and high < _INT8:
            return Kind("bigint", _int)
        return Kind("numeric(20)" if low >= 0 and high < 2 * _INT8 else "numeric", _int)
    if "numeric" in found:
        return Kind("numeric", lambda value: repr(float(value)) if isinstance(value, float) else str(value))
    if all(-_EXACT <= value <= _EXACT for value in present if isinstance(value, int | np.integer)):
        return Kind("double precision", _float)
    raise _mixed(name, families)


def _timestamp(present: list[datetime], name: str) -> Kind:
    zoned = {value.tzinfo is not None: (0, value) for value in present}
    if len(zoned) > 1:
        raise _mixed(name, {str(key): value for key, value in zoned.items()})
    return Kind("timestamp with time zone" if True in zoned else "timestamp", moment_text)


def _array(present: list[Any], name: str) -> Kind:
    elements = _kind([e for value in present for e in _flat(value) if e is not None], name)
    if elements.type == "jsonb":
        return Kind("jsonb", json_text)
    nested = any(isinstance(e, (list, tuple, np.ndarray)) for value in present for e in value)
    return Kind(f"{elements.type}[]", lambda value: array_text(value, elements.text), None if nested else elements)


def _flat(value: Any) -> Iterable[Any]:
    for item in value:
        if isinstance(item, (list, tuple, np.ndarray)):
            yield from _flat(item)
        else:
            yield item


def array_text(value: Iterable[Any], text: Callable[[Any], str]) -> str:
    """Return a list, or a list of lists, as PostgreSQL's array literal, every element quoted."""
    parts = []
    for item in value:
        if isinstance(item, (list, tuple, np.ndarray)):
            parts.append(array_text(item, text))
        elif item is None or isinstance(item, _MISSING):
            parts.append("NULL")
        else:
            parts.append('"' + text(item).replace("\\", "\\\\").replace('"', '\\"') + '"')
    return "{" + ",".join(parts) + "}"


def moment_text(value: datetime) -> str:
    """Return a datetime to the microsecond, with its offset if it has one."""
    return value.isoformat(sep=" ", timespec="microseconds")


def interval_text(value: timedelta | Interval) -> str:
    """Return an interval whose fields carry their own signs: ``IntervalStyle`` changes nothing about it."""
    months, days, microseconds = interval_parts(value)
    text = f"{days:+d} days {_clock(microseconds)}"
    return f"{months:+d} months {text}" if isinstance(value, Interval) else text


def interval_parts(value: timedelta | Interval) -> tuple[int, int, int]:
    """Return months, days and microseconds, the latter two of one sign where there was but one."""
    if isinstance(value, Interval):
        return value.months, value.days, value.microseconds
    total = value // _MICROSECOND
    sign = -1 if total < 0 else 1
    days, rest = divmod(abs(total), _DAY)
    return 0, sign * days, sign * rest


def _clock(microseconds: int) -> str:
    sign = "-" if microseconds < 0 else "+"
    seconds, rest = divmod(abs(microseconds), _SECOND)
    return f"{sign}{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"


def bytes_text(value: bytes) -> str:
    """Return ``bytea`` in its hexadecimal form."""
    return "\\x" + bytes(value).hex()


def text_of(value: Any) -> str:
    """Return an element of a nested Arrow value in PostgreSQL's text."""
    for types, family in _FAMILIES:
        if isinstance(value, types):
            return _PLAIN[family][1](value)
    raise TypeError(f"a {type(value).__name__} has no type in PostgreSQL")


def _int(value: Any) -> str:
    return str(int(value))


def _float(value: Any) -> str:
    return repr(float(value))


def _bool(value: Any) -> str:
    return "true" if value else "false"


def _enum(value: Enum) -> str:
    return str(value.value)


# the first that fits: a bool is an int, a datetime a date, a named value may be a str
_FAMILIES: Final[tuple[tuple[Any, str], ...]] = (
    ((bool, np.bool_), "boolean"),
    (Enum, "enum"),
    ((int, np.integer), "bigint"),
    ((float, np.floating), "double precision"),
    (Decimal, "numeric"),
    (str, "text"),
    (datetime, "timestamp"),
    (date, "date"),
    (time, "time"),
    ((timedelta, Interval), "interval"),
    ((bytes, bytearray, memoryview), "bytea"),
    (UUID, "uuid"),
    (Mapping, "jsonb"),
    ((list, tuple, np.ndarray), "list"),
)
_PLAIN: Final[dict[str, tuple[str, Callable[[Any], str]]]] = {
    "boolean": ("boolean", _bool),
    "enum": ("text", _enum),
    "bigint": ("bigint", _int),
    "double precision": ("double precision", _float),
    "numeric": ("numeric", str),
    "text": ("text", str),
    "timestamp": ("timestamp", moment_text),
    "date": ("date", date.isoformat),
    "time": ("time", time.isoformat),
    "interval": ("interval", interval_text),
    "bytea": ("bytea", bytes_text),
    "uuid": ("uuid", str),
    "jsonb": ("jsonb", json_text),
}
