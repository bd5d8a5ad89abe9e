"""The edit that makes an operator fit its operands (42883): a cast, a literal's quotes, another operator.

The server names the types of both sides. As with functions, only what cannot fail is suggested: ``month::text like``,
``carrier = '5'``, ``wind_speed::numeric % 2``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tusk_jupyter.errors import Correction
from tusk_jupyter.lexer import Kind
from tusk_jupyter.schema.suggest_words import Refused, Suggested, cast, level_at, operand_before, operand_end, span

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tusk_jupyter.schema.catalog import Catalog
    from tusk_jupyter.schema.nesting import Item

_STRINGS = frozenset({"text", "character varying", "character", "name"})
_FLOATS = frozenset({"real", "double precision"})
_EQUAL = frozenset({"=", "<>", "!="})
_NUMBERS = frozenset({"integer", "bigint", "smallint", "numeric"})
_SCALAR = frozenset("NBDETI")
_LIKE = frozenset({"~~", "~~*", "!~~", "!~~*", "~", "~*", "!~", "!~*"})


class Sides(NamedTuple):
    """An operator with what stands on both sides of it, and their types; ``start`` is the operator's offset."""

    text: str
    name: str
    start: int
    left_type: str
    right_type: str
    left: Sequence[Item]
    right: Sequence[Item]


def operator(refused: Refused, catalog: Catalog) -> Suggested | None:
    """Return what makes an operator fit, or the one that was meant."""
    sides = _sides(refused)
    if sides is None:
        return None
    return next((found for rule in _RULES if (found := rule(sides, catalog)) is not None), None)


def _sides(refused: Refused) -> Sides | None:
    level = level_at(refused.statement, refused.offset or 0)
    match = re.search(r": (.+) (\S*[-+*/<>=~!@#%^&|`?]\S*) (.+)$", refused.message, re.DOTALL)
    if level is None or match is None:
        return None
    items, at, _ = level
    if items[at].word not in {match[2], "LIKE", "ILIKE"} and items[at].kind is not Kind.OPERATOR:
        return None
    before = operand_before(
        items, at - (at > 0 and items[at - 1].word == "NOT" and items[at].word in {"LIKE", "ILIKE"})
    )
    behind = operand_end(items, at + 1)
    right = items[at + 1 : behind]
    if before is None or not right:
        return None
    left = items[before[0] : before[1]]
    return Sides(refused.statement, match[2], items[at].start, match[1], match[3], left, right)


def _base(name: str, catalog: Catalog) -> str:
    found = catalog.type(name)
    return found.base.partition("(")[0] if found is not None and found.kind == "d" and found.base else name


def _to_text(sides: Sides, catalog: Catalog) -> Suggested | None:
    """Cast what a pattern is matched against, or an enum that is compared with a text."""
    left, right = _base(sides.left_type, catalog), _base(sides.right_type, catalog)
    if sides.name in _LIKE and right in _STRINGS | {"unknown"} and _is_scalar(left, catalog):
        return _cast(sides, sides.left, "text", "It is for texts")
    if sides.name in _EQUAL and _is_enum(left, catalog) and right in _STRINGS:
        return _cast(sides, sides.left, "text", "An enum is compared with its own labels, or as a text")
    if sides.name in _EQUAL and _is_enum(right, catalog) and left in _STRINGS:
        return _cast(sides, sides.right, "text", "An enum is compared with its own labels, or as a text")
    if sides.name == "||" and _is_scalar(left, catalog) and _is_scalar(right, catalog):
        return _cast(sides, sides.left, "text", "It joins texts")
    return None


def _to_numeric(sides: Sides, catalog: Catalog) -> Suggested | None:
    if (
        sides.name != "%"
        or not {_base(sides.left_type, catalog), _base(sides.right_type, catalog)} <= _FLOATS | _NUMBERS
    ):
        return None
    if _base(sides.right_type, catalog) in _FLOATS:
        return None
    return _cast(sides, sides.left, "numeric", "The remainder is for exact numbers")


def _quoted_number(sides: Sides, catalog: Catalog) -> Suggested | None:
    """Quote a number that is compared with a text."""
    for kind, other, items in (
        (sides.left_type, sides.right_type, sides.right),
        (sides.right_type, sides.left_type, sides.left),
    ):
        is_literal = len(items) == 1 and items[0].kind is Kind.NUMBER
        if sides.name in _EQUAL and _base(kind, catalog) in _STRINGS and other in _NUMBERS and is_literal:
            start, end = span(items)
            new = f"'{sides.text[start:end]}'"
            return Suggested(
                f"The other side is `{kind}`, so it is written as a text", start, Correction(start, end, new)
            )
    return None


def _boolean(sides: Sides, catalog: Catalog) -> Suggested | None:
    """Write 1 and 0 as the booleans that they are compared with."""
    del catalog
    for kind, items in ((sides.left_type, sides.right), (sides.right_type, sides.left)):
        start, end = span(items)
        new = {"1": "true", "0": "false"}.get(sides.text[start:end])
        if sides.name in _EQUAL and kind == "boolean" and new is not None and len(items) == 1:
            return Suggested(f"A boolean is `{new}`", start, Correction(start, end, new))
    return None


def _other_operator(sides: Sides, catalog: Catalog) -> Suggested | None:
    """Write ``==``, ``&&`` and a ``+`` between texts as PostgreSQL does; what they are is said already."""
    del catalog
    types = {sides.left_type, sides.right_type}
    new = {"==": "="}.get(sides.name)
    if sides.name == "+" and types <= _STRINGS | {"unknown"} and types & _STRINGS:
        new = "||"
    elif sides.name == "&&" and types == {"boolean"}:
        new = "and"
    if new is None:
        return None
    return Suggested(None, sides.start, Correction(sides.start, sides.start + len(sides.name), new))


def _cast(sides: Sides, items: Sequence[Item], target: str, why: str) -> Suggested:
    start, end = span(items)
    return Suggested(f"{why}: cast the value", start, Correction(start, end, cast(sides.text, items, target)))


def _is_scalar(name: str, catalog: Catalog) -> bool:
    found = catalog.type(name)
    return found is not None and found.category in _SCALAR and not name.endswith("[]")


def _is_enum(name: str, catalog: Catalog) -> bool:
    found = catalog.type(name)
    return found is not None and found.kind == "e"


_RULES: tuple[Callable[[Sides, Catalog], Suggested | None], ...] = (
    _to_text,
    _to_numeric,
    _quoted_number,
    _boolean,
    _other_operator,
)
