"""Slips in lists: the commas, parentheses and repeated words of SET, CREATE TABLE, ALTER TABLE, WITH, INSERT and FROM.

The fourth part of :mod:`tusk_jupyter.advice.slips`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tusk_jupyter.advice.slip_shapes import level
from tusk_jupyter.advice.slip_words import LITERALS, RESERVED, Place, Slip, code, inserted, near, replaced
from tusk_jupyter.errors import Correction

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.advice.tokens import Token

_WITHOUT_LENGTH = frozenset(
    ("int", "integer", "bigint", "smallint", "int2", "int4", "int8", "text", "date", "boolean", "bool", "real", "uuid")
)
_JOINS = frozenset({"inner", "left", "right", "full", "cross", "natural"})
_PATTERN = re.compile(r"%?\w*%?")
_ENDS = frozenset({"order", "group", "having", "limit", "values", "union"})


def _is_name(token: Token | None) -> bool:
    return token is not None and (
        token.kind == "quoted" or (token.kind == "word" and token.lower not in RESERVED | {"join", "values", "set"})
    )


def _twice(place: Place) -> Slip | None:
    at = place.at
    if at is None or not place.before or at.lower != place.before[-1].lower:
        return None
    if at.lower in RESERVED | {"by", "set", "join", "values", "left", "inner", "over"}:
        return replaced(f"{code(at.text)} stands there twice.", place.before[-1], at, at.text)
    return None


def _assignments(place: Place) -> Slip | str | None:
    at, words = place.at, place.words
    if at is None or words[:1] != ["update"]:
        return None
    if place.word() == "=" and words[:2] == ["update", "set"]:
        return "The table is missing: `UPDATE t SET a = 1`."
    if place.word() == "=" and words[-3:-1] == ["set", "("]:
        return "SET takes `a = 1, b = 2` without parentheses, or `(a, b) = (1, 2)`."
    here = [t.lower for t in level(place.before)]
    ended = place.before[-1].kind in LITERALS or place.before[-1].text == ")" or place.word(2) == "="
    if _is_name(at) and place.next() == "=" and "set" in here and "where" not in here and ended:
        return inserted(f"A comma is missing before {code(at.text)}.", place.before[-1].end, ",")
    return None


def _definitions(place: Place) -> Slip | str | None:
    at, words = place.at, place.words
    if at is None or words[:1] not in (["create"], ["alter"]):
        return None
    last = place.before[-1]
    if place.word() == "select" and words[:2] == ["create", "view"] and len(words) == 3:  # noqa: PLR2004
        return inserted("`AS` is missing before the query.", at.start, "as ")
    if _is_name(at) and words[-2:] in (["foreign", "key"], ["primary", "key"]) and last.lower == "key":
        if words[-2] == "primary" and words[-3:-2] not in ([","], ["("]):
            return None
        return replaced("The columns of a key stand in parentheses.", at, at, f"({at.text})")
    if at.text == "(" and last.lower in _WITHOUT_LENGTH and [t.text for t in place.after[1:2]] == [")"]:
        return replaced(f"{code(last.text)} takes no length.", at, place.after[1], "")
    action = words[3] if words[:2] == ["alter", "table"] and len(words) > 4 else ""  # noqa: PLR2004
    if action in {"add", "drop"} and last.text == "," and _is_name(at):
        if (misspelt := near(at, {"add", "alter", "drop", "rename"})) is not None:
            return misspelt
        return inserted(f"Each change of ALTER TABLE begins with its own word: `{action}`.", at.start, f"{action} ")
    return None


def _queries(place: Place) -> Slip | str | None:
    at, words = place.at, place.words
    if at is None or not words:
        return None
    if words[0] == "with" and place.word(1) == ")" and place.next() == "as":
        return inserted(f"A comma is missing before {code(at.text)}.", place.before[-1].end, ",")
    if words[0] == "with" and place.word() == "select" and words[-1] == "as":
        return "The query of a WITH stands in parentheses: `with x as (select …) select …`."
    if words[:2] == ["insert", "into"] and len(words) == 3 and _is_name(at) and place.next() in {",", "values"}:  # noqa: PLR2004
        return "The columns stand in parentheses: `insert into t (a, b) values (1, 2)`."
    return None


def _from(place: Place) -> Slip | None:
    at = place.at
    if at is None or len(place.before) < 3:  # noqa: PLR2004
        return None
    comma = place.before[-2]
    if place.word() == "join" and place.word(1) in _JOINS and comma.text == ",":
        return replaced(f"The comma before {code(place.before[-1].text)} is one too many.", comma, comma, "")
    here = [t.lower for t in level(place.before)]
    if not _is_name(at) or place.next() not in {".", "="} or "join" not in here[-4:]:
        return None
    if here[-1] == "join" or here.count("join") <= here.count("on") + here.count("using"):
        return None
    return inserted(f"`ON` is missing before {code(at.text)}.", at.start, "on ")


def _conditions(place: Place) -> Slip | str | None:
    at = place.at
    if at is None or not place.before:
        return None
    if at.text.startswith("%") and place.word(1) in {"like", "ilike"}:
        found = _PATTERN.match(place.statement, at.start)
        text = found.group() if found else "%"
        said = f"A pattern is a text in quotes: `'{text}'`."
        return Slip(said, Correction(at.start, at.start + len(text), f"'{text}'"))
    if place.word() in {"contains", "startswith", "endswith"} and place.after and place.after[0].kind == "string":
        return "A part of a text is found by `like '%part%'`, or `starts_with(text, 'part')`."
    here = level(place.before)
    opened = len(place.before) > len(here) and _depth(place) > 0
    words = {t.lower for t in here}
    compared = words & {"=", "<", ">", "<>", "like", "in"} and not words & {"select", "partition", "over"}
    if place.word() in _ENDS and opened and (compared or place.word() == "values") and place.word(1) not in RESERVED:
        return inserted(f"A `)` is missing before {code(at.text)}.", place.before[-1].end, ")")
    return None


def _depth(place: Place) -> int:
    return sum((t.text == "(") - (t.text == ")") for t in place.before)


LISTS: tuple[Callable[[Place], Slip | str | None], ...] = (
    _twice,
    _assignments,
    _definitions,
    _queries,
    _from,
    _conditions,
)
