"""How PostgreSQL writes a type with its modifier: ``format_type(oid, typmod)``, without asking; pure.

The header of every result needs it, and a question to the server per result would double the cost of a small query.
The rules are those of ``format_type_extended`` in PostgreSQL's ``format_type.c``; a test compares them with the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tusk_jupyter.results import builtin
from tusk_jupyter.results.types import BUILTIN, declared_scale

if TYPE_CHECKING:
    from collections.abc import Callable

UNKNOWN_TYPE: Final = "???"


def format_type(oid: int, typmod: int = -1) -> str:
    """Return the name of a built-in type; ``???``, as PostgreSQL itself says, where it has to be asked for."""
    info = BUILTIN.get(oid)
    if info is None:
        return UNKNOWN_TYPE if oid else "-"
    if info.element:
        return format_type(info.element, typmod) + "[]"
    if typmod < 0:
        return _BARE.get(oid, info.name)
    write = _WITH_MODIFIER.get(oid)
    return write(info.name, typmod) if write else info.name


def _length(name: str, typmod: int) -> str:
    return f"{name}({typmod - 4})" if typmod > 4 else name  # noqa: PLR2004 - the varlena header, counted in


def _bits(name: str, typmod: int) -> str:
    return f"{name}({typmod})"


def _numeric(name: str, typmod: int) -> str:
    declared = declared_scale(typmod)
    return f"{name}({declared[0]},{declared[1]})" if declared else name


def _precision(name: str, typmod: int) -> str:
    word, space, rest = name.partition(" ")
    return f"{word}({typmod}){space}{rest}"


def _interval(name: str, typmod: int) -> str:
    fields, precision = (typmod >> 16) & 0x7FFF, typmod & 0xFFFF
    name += _INTERVAL_FIELDS.get(fields, "")
    return name if precision == _FULL_PRECISION else f"{name}({precision})"


_FULL_PRECISION: Final = 0xFFFF
_YEAR, _MONTH, _DAY, _HOUR, _MINUTE, _SECOND = (1 << bit for bit in (2, 1, 3, 10, 11, 12))
_INTERVAL_FIELDS: Final = {
    _YEAR: " year",
    _MONTH: " month",
    _DAY: " day",
    _HOUR: " hour",
    _MINUTE: " minute",
    _SECOND: " second",
    _YEAR | _MONTH: " year to month",
    _DAY | _HOUR: " day to hour",
    _DAY | _HOUR | _MINUTE: " day to minute",
    _DAY | _HOUR | _MINUTE | _SECOND: " day to second",
    _HOUR | _MINUTE: " hour to minute",
    _HOUR | _MINUTE | _SECOND: " hour to second",
    _MINUTE | _SECOND: " minute to second",
}
_BARE: Final = {builtin.BPCHAR: "bpchar", builtin.BIT: '"bit"'}
_WITH_MODIFIER: Final[dict[int, Callable[[str, int], str]]] = {
    builtin.BPCHAR: _length,
    builtin.VARCHAR: _length,
    builtin.NUMERIC: _numeric,
    builtin.BIT: _bits,
    builtin.VARBIT: _bits,
    builtin.TIME: _precision,
    builtin.TIMETZ: _precision,
    builtin.TIMESTAMP: _precision,
    builtin.TIMESTAMPTZ: _precision,
    builtin.INTERVAL: _interval,
}
