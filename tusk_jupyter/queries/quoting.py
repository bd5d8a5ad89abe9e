"""Python values as quoted literals and identifiers, as libpq's ``PQescapeLiteral`` and ``PQescapeIdentifier`` do.

For ``:'name'`` and ``:"name"``, where PostgreSQL takes no parameters. A literal with a backslash becomes ``E'…'`` with
every backslash doubled, so that it means the same whatever ``standard_conforming_strings`` is. libpq's own functions
need a connection, for its encoding; the session's is always one in which no multi-byte character holds a quote.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from enum import Enum
from numbers import Number
from uuid import UUID


def quote_literal(value: object) -> str:
    """Return ``value`` as a literal in quotes, ``NULL`` for ``None``.

    :raises ValueError: for a NUL character.
    :raises TypeError: for what has no one text form (lists, mappings, other objects).
    """
    if value is None:
        return "NULL"
    text = _without_nul(_text(value)).replace("'", "''")
    return f"E'{text.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{text}'"


def quote_identifier(value: object) -> str:
    """Return a string as a quoted identifier, a tuple of strings as a qualified one.

    :raises ValueError: for a NUL character, or an empty name.
    :raises TypeError: for anything else.
    """
    if isinstance(value, Enum):
        value = value.value
    parts = value if isinstance(value, (tuple, list)) else (value,)
    if not parts or not all(isinstance(part, str) for part in parts):
        raise TypeError("an identifier is a str, a qualified one a tuple of str")
    if not all(parts):
        raise ValueError("an identifier cannot be empty")
    return ".".join('"' + _without_nul(part).replace('"', '""') + '"' for part in parts)


def plain_text(value: object) -> str:
    """Return what stands in the quotes of a literal, ``""`` for ``None``; :raises TypeError: as a literal does."""
    return "" if value is None else _text(value)


def _text(value: object) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    if isinstance(value, (Number, date, time, timedelta, UUID)):
        return str(value)
    raise TypeError(f"a {type(value).__name__} has no one text form")


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("PostgreSQL text cannot hold a NUL character")
    return text
