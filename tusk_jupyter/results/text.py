"""Arrays, composites, ranges, hstore and bytea out of the text PostgreSQL writes them in; pure.

Results come as text because text is right for every type by construction: binary needs code per type, and what it
does not know it cannot even show. Nothing here recurses on what the server sent, and what is not written as
PostgreSQL writes it is a :class:`ValueError`, never a guess: the caller then keeps the text.

Sources: array_out, record_out, range_out, multirange_out, hstore_out and byteaout in PostgreSQL; section 8 of its
manual (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO, rowtypes, rangetypes).
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_BOUNDS: Final = re.compile(r"(?:\[[+-]?\d+:[+-]?\d+\])+=")
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_QUOTE_OR_ESCAPE: Final = re.compile(r'\\(.)|""', re.DOTALL)
_OCTAL: Final = re.compile(rb"\\(?:([0-3][0-7]{2})|(\\))")
_MAX_DIMENSIONS: Final = 6


def parse_array(text: str, convert: Callable[[str], Any], *, delimiter: str = ",") -> list[Any]:
    """Return nested lists with ``None`` for NULL; lower bounds (``[2:4]={…}``) are not kept."""
    if text.startswith("["):
        bounds = _BOUNDS.match(text)
        if bounds is None:
            raise ValueError("not an array")
        text = text[bounds.end() :]
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError("not an array")
    inside = text[1:-1]
    if not inside:
        return []
    if '"' in inside or "{" in inside or "\\" in inside or "}" in inside:
        return _parse_nested(text, convert, delimiter)
    return [None if item == "NULL" else convert(item) for item in inside.split(delimiter)]


@functools.cache
def _array_token(delimiter: str) -> re.Pattern[str]:
    d = re.escape(delimiter)
    return re.compile(rf'([{{}}])|({d})|"((?:[^"\\]|\\.)*)"|((?:[^"\\{{}}{d}]|\\.)+)', re.DOTALL)


def _parse_nested(text: str, convert: Callable[[str], Any], delimiter: str) -> list[Any]:
    top: list[Any] = []
    open_lists = [top]
    expect_value = True
    for brace, comma, quoted, bare in _tokens(text, _array_token(delimiter)):
        if brace == "{" and expect_value and open_lists:
            inner: list[Any] = []
            open_lists[-1].append(inner)
            open_lists.append(inner)
            if len(open_lists) > _MAX_DIMENSIONS + 1:
                raise ValueError("more dimensions than an array can have")
        elif brace == "}" and len(open_lists) > 1 and (not expect_value or not open_lists[-1]):
            open_lists.pop()
            expect_value = False
        elif comma and not expect_value and len(open_lists) > 1:
            expect_value = True
        elif not brace and not comma and expect_value and len(open_lists) > 1:
            open_lists[-1].append(_element(quoted, bare, convert))
            expect_value = False
        else:
            raise ValueError("misplaced token in an array")
    if len(open_lists) != 1 or len(top) != 1:
        raise ValueError("unbalanced braces in an array")
    result: list[Any] = top[0]
    return result


def _element(quoted: str | None, bare: str | None, convert: Callable[[str], Any]) -> Any:
    if bare is not None:
        return None if bare == "NULL" else convert(_unescape(bare))
    return convert(_unescape(quoted or ""))


def _tokens(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[str | Any, ...]]:
    position = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            raise ValueError(f"unexpected character at {position}")
        yield match.groups()
        position = match.end()


def _unescape(text: str) -> str:
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def _unquote(match: re.Match[str]) -> str:
    return match[1] if match[1] is not None else '"'


_FIELD: Final = re.compile(r'"((?:[^"\\]|\\.|"")*)"|([^,()"\\]*)', re.DOTALL)


def parse_composite(text: str, *, fields: int) -> list[str | None]:
    """Return the fields of ``(…)`` as texts, NULL as ``None``."""
    if not (text.startswith("(") and text.endswith(")")):
        raise ValueError("not a composite value")
    if not fields and text == "()":
        return []
    values: list[str | None] = []
    position = 1
    while True:
        match = _FIELD.match(text, position)
        if match is None:
            raise ValueError("not a composite value")
        quoted, bare = match.groups()
        values.append(_QUOTE_OR_ESCAPE.sub(_unquote, quoted) if quoted is not None else bare or None)
        position = match.end() + 1
        if text[match.end()] == ")":
            break
        if text[match.end()] != ",":
            raise ValueError("not a composite value")
    if position != len(text) or len(values) != fields:
        raise ValueError("not a composite value of this type")
    return values


class RangeText(NamedTuple):
    """A range with its bounds still as text; ``bounds`` is ``""`` for ``empty``."""

    lower: str | None
    upper: str | None
    bounds: str


_BOUND: Final = r'(?:"((?:[^"\\]|\\.|"")*)"|([^,()\[\]"\\{}]*))'
_RANGE: Final = re.compile(rf"([\[(]){_BOUND},{_BOUND}([\])])", re.DOTALL)


def parse_range(text: str) -> RangeText:
    """Return the parts of ``[a,b)`` or ``empty``; an unbounded side is ``None``."""
    if text == "empty":
        return RangeText(None, None, "")
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError("not a range")
    return _range(match)


def parse_multirange(text: str) -> list[RangeText]:
    """Return the ranges of ``{[a,b),…}``."""
    if not (text.startswith("{") and text.endswith("}")):
        raise ValueError("not a multirange")
    ranges: list[RangeText] = []
    position, end = 1, len(text) - 1
    while position < end:
        match = _RANGE.match(text, position, end)
        if match is None:
            raise ValueError("not a multirange")
        ranges.append(_range(match))
        position = match.end() + 1
        if match.end() < end and text[match.end()] != ",":
            raise ValueError("not a multirange")
    return ranges


def _range(match: re.Match[str]) -> RangeText:
    opening, lower_quoted, lower, upper_quoted, upper, closing = match.groups()
    return RangeText(_bound(lower_quoted, lower), _bound(upper_quoted, upper), opening + closing)


def _bound(quoted: str | None, bare: str | None) -> str | None:
    return _QUOTE_OR_ESCAPE.sub(_unquote, quoted) if quoted is not None else bare or None


_PAIR: Final = re.compile(r'"((?:[^"\\]|\\.)*)"=>(?:"((?:[^"\\]|\\.)*)"|NULL)(?:, |$)', re.DOTALL)


def parse_hstore(text: str) -> dict[str, str | None]:
    """Return the pairs of ``"key"=>"value", …``."""
    pairs: dict[str, str | None] = {}
    position = 0
    while position < len(text):
        match = _PAIR.match(text, position)
        if match is None:
            raise ValueError("not an hstore")
        key, value = match.groups()
        pairs[_unescape(key)] = None if value is None else _unescape(value)
        position = match.end()
    return pairs


def parse_bytea(text: bytes) -> bytes:
    r"""Return the bytes of ``\x…`` or of the escape format, whichever ``bytea_output`` wrote."""
    if text.startswith(b"\\x"):
        return bytes.fromhex(text[2:].decode("ascii"))
    return _OCTAL.sub(_byte, text) if b"\\" in text else text


def _byte(match: re.Match[bytes]) -> bytes:
    return b"\\" if match[1] is None else bytes((int(match[1], 8),))
