"""JSON as PostgreSQL holds it: every number exact; pure.

``json.loads`` rounds 0.1234567890123456789 and turns 1e400 into infinity without a word. Here a number that a float
would change is a ``Decimal``; integers are exact anyway. What Python has no value for (deeper than its recursion
limit, an integer of more digits than it converts, a repeated key of a ``json``, half a surrogate pair) is a
:class:`ValueError` or :class:`RecursionError`: the caller keeps the text.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final

_SAFE_DIGITS: Final = 15


def load_json(text: str) -> Any:
    """Return the Python value of a ``json``, whose text is as the user wrote it."""
    return _whole(JSON.decode(text), text)


def load_jsonb(text: str) -> Any:
    """Return the Python value of a ``jsonb``, in which no key occurs twice."""
    return _whole(JSONB.decode(text), text)


def _whole(value: Any, text: str) -> Any:
    if "\\ud" in text or "\\uD" in text:
        # a lone surrogate cannot be shown or saved anywhere: UnicodeEncodeError is a ValueError
        json.dumps(value, ensure_ascii=False, default=str).encode()
    return value


def _exact(text: str) -> float | Decimal:
    number = float(text)
    if len(text) <= _SAFE_DIGITS and "e" not in text and "E" not in text:
        return number
    exact = Decimal(text)
    # repr() is the shortest text that gives the same float: if it gives the same number too, nothing was lost
    return number if Decimal(repr(number)) == exact else exact


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key occurs twice")
    return value


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


JSONB: Final = json.JSONDecoder(parse_float=_exact, parse_constant=_constant)
JSON: Final = json.JSONDecoder(parse_float=_exact, parse_constant=_constant, object_pairs_hook=_pairs)
