"""Python values → PostgreSQL parameters, each bound like a literal of its kind.

psycopg's dumpers do the conversion; what is decided here is the *type*, because it decides operators: psycopg sends a
small ``int`` as ``int2`` (``power(:x, 2)`` then differs from ``power(3, 2)``), PostgreSQL's own literal is ``int4``.
Text stays untyped, so that it compares with uuid, date and enum columns as ``'…'`` does. Lists become arrays of the one
type that fits all their elements. Everything is sent as text: what the server parses is what the user would have typed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg.adapt import PyFormat, Transformer
from psycopg.types import numeric
from psycopg.types.json import Jsonb

from tusk_jupyter.errors import BindingError
from tusk_jupyter.queries.json_value import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

INT4 = 2**31
INT8 = 2**63


def adapt(
    values: Sequence[object], names: Sequence[str], *, context: psycopg.Connection[Any]
) -> tuple[list[bytes | None], list[int], list[int]]:
    """Return values, type OIDs and formats, ready for ``PQsendQueryParams``.

    :raises BindingError: for a value that PostgreSQL has no type for, naming the parameter.
    """
    if not values:
        return [], [], []
    transformer = Transformer(context)
    prepared = [_prepare(value, name) for value, name in zip(values, names, strict=True)]
    encoded: list[bytes | None] = []
    oids: list[int] = []
    for value, name in zip(prepared, names, strict=True):
        try:
            (dumped,) = transformer.dump_sequence([value], [PyFormat.TEXT])
        except (psycopg.Error, ValueError, TypeError, OverflowError, RecursionError) as error:
            problem = str(error).split("\n", 1)[0]
        else:
            encoded.append(None if dumped is None else bytes(dumped))
            oids.append(transformer.types[0] if transformer.types else 0)
            continue
        raise BindingError(f"parameter {name!r} cannot be bound: {problem}", name=name, advice=_way_out(value))
    return encoded, oids, [0] * len(encoded)


def _way_out(value: object) -> str:
    if isinstance(value, str):
        return "PostgreSQL text holds no NUL characters: remove them, or use bytea."
    kind = type(value).__name__
    return f"PostgreSQL has no type for a {kind} as it stands: convert it, for example with str() or tusk.json()."


def _prepare(value: object, name: str) -> object:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return _int(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return _array(list(value), name)
    if isinstance(value, Json):
        return Jsonb(value.value, dumps=_dumps)
    if isinstance(value, Mapping):
        return Jsonb(dict(value), dumps=_dumps)
    return _plain(value)


def _int(value: int) -> object:
    if -INT4 <= value < INT4:
        return numeric.Int4(value)
    if -INT8 <= value < INT8:
        return numeric.Int8(value)
    return numeric.IntNumeric(value)


def _plain(value: object) -> object:
    """Unwrap NumPy and pandas scalars: they bind as the Python value they stand for."""
    module = type(value).__module__.partition(".")[0]
    if module == "numpy" and hasattr(value, "dtype"):
        if value.dtype.kind in "mM":
            value = value.astype(f"{value.dtype.kind}8[us]")  # type: ignore[attr-defined]
        scalar: object = value.item()  # type: ignore[attr-defined]
        return _int(scalar) if isinstance(scalar, int) and not isinstance(scalar, bool) else scalar
    if module == "pandas":
        for unwrap in ("to_pydatetime", "to_pytimedelta"):
            if hasattr(value, unwrap):
                extra = {"warn": False} if unwrap == "to_pydatetime" else {}
                return getattr(value, unwrap)(**extra)
    return value


def _array(items: list[Any], name: str) -> list[Any]:
    flat: list[Any] = []
    nested = _nest(items, flat)
    kinds = {type(item) for item in flat if item is not None}
    convert = _common(kinds, flat, name)
    return _rebuild(nested, convert)


def _nest(items: list[Any], flat: list[Any]) -> list[Any]:
    out: list[Any] = []
    for item in items:
        if isinstance(item, (list, tuple)) and not hasattr(item, "_fields"):
            out.append(_nest(list(item), flat))
        else:
            plain = item if isinstance(item, (bool, int, str)) else _plain(item)
            plain = int(plain) if isinstance(plain, (numeric.Int4, numeric.Int8, numeric.IntNumeric)) else plain
            flat.append(plain)
            out.append(plain)
    return out


def _rebuild(items: list[Any], convert: Any) -> list[Any]:
    return [
        _rebuild(item, convert) if isinstance(item, list) else (None if item is None else convert(item))
        for item in items
    ]


def _common(kinds: set[type], flat: list[Any], name: str) -> Any:
    """Return the conversion that gives every element the one type that fits, or refuse."""
    if any(issubclass(kind, (Mapping, Json)) for kind in kinds):
        return lambda item: Jsonb(item.value if isinstance(item, Json) else item, dumps=_dumps)
    if len(kinds) <= 1 and int not in kinds:
        return lambda item: item
    if kinds <= {int}:
        widest = max((abs(item) for item in flat if item is not None), default=0)
        return numeric.Int4 if widest < INT4 else numeric.Int8 if widest < INT8 else numeric.IntNumeric
    if kinds <= {int, float}:
        exact = all(float(item) == item for item in flat if item is not None)
        return float if exact else lambda item: Decimal(repr(item)) if isinstance(item, float) else Decimal(item)
    if kinds <= {int, float, Decimal}:
        return lambda item: Decimal(repr(item)) if isinstance(item, float) else Decimal(item)
    if all(issubclass(kind, date) for kind in kinds):
        return lambda item: item if isinstance(item, datetime) else datetime(item.year, item.month, item.day)  # noqa: DTZ001
    if all(issubclass(kind, (str, timedelta)) for kind in kinds) and len({issubclass(k, str) for k in kinds}) == 1:
        return lambda item: item
    mixed = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise BindingError(
        f"parameter {name!r} mixes types that no one array holds: {mixed}",
        name=name,
        advice="Convert the elements to one type, or pass tusk.json(...) for jsonb.",
    )


def _dumps(value: object) -> str:
    return json.dumps(value, default=_json_default, allow_nan=False)


def _json_default(value: object) -> object:
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    for method in ("tolist", "item"):
        if hasattr(value, method):
            return getattr(value, method)()
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if isinstance(value, Decimal):
        number = int(value) if value == value.to_integral_value() else float(value)
        if isinstance(number, float) and Decimal(repr(number)) != value:
            raise TypeError(f"JSON would change the value of Decimal({str(value)!r}): bind it as text")
        return number
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"no JSON for a value of type {type(value).__name__}")
