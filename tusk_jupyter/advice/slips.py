"""The likely slip behind a syntax error, from the statement and the caret alone.

PostgreSQL's «syntax error at or near» names where its grammar stopped, not what was meant. Each rule here recognises
one slip by the tokens around that place, never by the message, which is translated. A rule speaks only where hardly
anything else can be meant: a wrong guess costs more time than none, and the general advice is there for the rest.
Statements beyond 1,000 tokens or 8,000 characters are not looked at: what is costs 3 to 9 ms of processor time, where
8,000 characters alone took 10 to 50.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice.slip_lists import LISTS
from tusk_jupyter.advice.slip_others import OTHERS, QUOTING, typographic
from tusk_jupyter.advice.slip_shapes import AFTERWARDS, SHAPES
from tusk_jupyter.advice.slip_words import (
    LITERALS,
    RESERVED,
    STATEMENTS,
    Place,
    Slip,
    code,
    depth,
    inserted,
    missing_word,
    misspelt,
    misspelt_start,
    place_of,
    replaced,
    reserved_name,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.advice.tokens import Token

_CLAUSES = ("where", "group", "having", "window", "order", "limit")
_AFTER_COMMA = frozenset({"from", "where", "having", "union", "except", "intersect", "returning"})
_QUOTES = "‘’“”„‚«»"


def slip(statement: str, position: int) -> Slip | None:
    """Return what is said of a syntax error at the 1-based position, or None where no one slip stands out."""
    place = place_of(statement, position)
    if place is None:
        return None
    found = next((said for rule in _RULES if (said := rule(place))), None)
    return Slip(found) if isinstance(found, str) else found


def _unclosed(place: Place) -> str | None:
    token = place.at
    if token is None or not token.open:
        return None
    if token.kind == "comment":
        return "The comment that begins at the caret is never closed: add `*/`. Comments nest in PostgreSQL."
    if token.kind == "dollar":
        return f"The text that begins at the caret is never closed: end it with {code(token.text[: _tag_end(token)])}."
    quote, what = ("'", "text") if token.kind == "string" else ('"', "name")
    return f"The {what} that begins at the caret is never closed. Inside it, `{quote}` is written twice."


def _tag_end(token: Token) -> int:
    return token.text.index("$", 1) + 1


def _early_end(place: Place) -> Slip | str | None:
    if place.at and place.at.kind == "word" and place.before:
        last = place.before[-1]
        if last.kind == "string" and last.end == place.at.start:
            said = "The text before the caret ends too early: a `'` inside a text is written twice, as in `'it''s'`."
            line = place.statement[place.at.start :].partition("\n")[0]
            return inserted(said, last.end, "'") if line.count("'") == 1 else said
    return None


def _typographic(place: Place) -> Slip | None:
    return typographic(place) if place.at and place.at.text[0] in _QUOTES else None


def _comma_too_many(place: Place) -> Slip | str | None:
    at, following = place.word(), place.next()
    if at == "," and place.at and place.word(1) in {",", "select", "("}:
        said = f"The comma behind {code(place.word(1))} is one too many."
        return said if _in_values(place) else replaced(said, place.at, place.at, "")
    if place.word(1) != ",":
        return None
    if place.at is None or at == ";":
        return "The statement ends with a comma: remove it, or add what should follow."
    with_list = at == "select" and place.before[0].lower == "with" and place.word(2) == ")"
    clause = with_list or at in _AFTER_COMMA or (at in {"order", "group"} and following == "by")
    number = at == "limit" and bool(place.after) and place.after[0].kind in {"number", "parameter"}
    if at == ")" or ((clause or number) and following not in {",", ")"}):
        comma = place.before[-1]
        if at == ")" and (_in_values(place) or (place.after and place.after[0].kind in {"string", "number", "quoted"})):
            return f"The comma before {code(place.at.text)} is one too many, or a value is missing."
        return replaced(f"The comma before {code(place.at.text)} is one too many.", comma, comma, "")
    return None


def _in_values(place: Place) -> bool:
    """Return whether a value may be what is missing, and not the comma what is too many."""
    return "values" in place.vocabulary


def _limit_pair(place: Place) -> Slip | None:
    if place.at and place.word() == "limit" and len(place.after) >= 3 and place.after[1].text == ",":  # noqa: PLR2004
        skip, count = place.after[0], place.after[2]
        if {skip.kind, count.kind} <= {"number", "parameter"}:
            said = f"PostgreSQL writes it as `LIMIT {count.text} OFFSET {skip.text}`."
            limit, offset = place.at.text, "OFFSET" if place.at.text.isupper() else "offset"
            return replaced(said, place.at, count, f"{limit} {count.text} {offset} {skip.text}")
    return None


def _parenthesis(place: Place) -> Slip | str | None:
    opened = depth(place.before)
    if place.at and place.word() == ")" and opened == 0:
        return replaced("There is no `(` for the `)` at the caret.", place.at, place.at, "")
    if (place.at is None or place.word() == ";") and opened > 0 and place.word(1) not in RESERVED:
        return f"A `)` is missing: {_times(opened)} opened and not closed."
    inside = _innermost(place)
    if place.word() in {"from", "where"} and inside and "select" not in inside and place.word(1) not in {",", "("}:
        return inserted(f"A `)` is missing before {code(place.word())}.", place.before[-1].end, ")")
    return None


def _innermost(place: Place) -> set[str]:
    """Return the words since the last parenthesis that is still open, with it; empty where none is."""
    level, words = 0, {"("}
    for token in reversed(place.before):
        level += (token.text == ")") - (token.text == "(")
        if level < 0:
            return words
        words.add(token.lower)
    return set()


def _list(place: Place) -> str | None:
    if place.word(1) in {"in", "values"} and place.at and place.at.kind in {*LITERALS, "parameter"}:
        return f"`{place.word(1).upper()}` takes a list in parentheses, as in `{place.word(1)} (1, 2)`."
    opens = not place.before or place.before[-1].kind == "operator" or place.word(1) in RESERVED | {"(", ",", "values"}
    if place.word() == "[" and opens:
        return "An array is written `array[1, 2]`, or `'{1,2}'` as text."
    return None


def _times(opened: int) -> str:
    return "one `(` was" if opened == 1 else f"{opened} `(` were"


def _unfinished(place: Place) -> str | None:
    if (place.at is not None and place.word() != ";") or not place.before:
        return None
    last = place.before[-1]
    if last.kind == "operator" and last.text != "*":
        return f"The statement ends after {code(last.text)}: its right side is missing."
    if last.lower in RESERVED | {"by", "set", "values", "join", "between", "like"}:
        return f"The statement ends after {code(last.text)}: what belongs there is missing."
    return None


def _next_statement(place: Place) -> Slip | None:
    at = place.at
    if at is None or at.lower not in STATEMENTS or not place.before or depth(place.before):
        return None
    last = place.before[-1]
    if not place.opens_line and place.words not in (["begin"], ["commit"], ["rollback"]):
        return None
    ends = last.text in {")", "*"} or last.kind in {*LITERALS, "quoted", "parameter"}
    if ends or (last.kind == "word" and last.lower not in RESERVED):
        return inserted(f"A `;` is missing before {code(at.text)}, if a new statement begins there.", last.end, ";")
    return None


def _clause_order(place: Place) -> str | None:
    if place.word() not in _CLAUSES:
        return None
    rank = _CLAUSES.index(place.word())
    level = 0
    for token in reversed(place.before):
        level += (token.text == ")") - (token.text == "(")
        if level < 0 or (level == 0 and token.lower in {"select", "union", "except", "intersect", ";"}):
            return None
        if level == 0 and token.lower in _CLAUSES[rank + 1 :]:
            return f"{_clause(place.word())} must come before {_clause(token.lower)}."
    return None


def _clause(word: str) -> str:
    return f"`{word.upper()}{' BY' if word in {'group', 'order'} else ''}`"


def _missing_comma(place: Place) -> str | None:
    if place.at is None or len(place.before) < 2:  # noqa: PLR2004 a statement's first word and one value
        return None
    last, at = place.before[-1], place.at
    if at.kind in LITERALS and last.kind in LITERALS:
        return "A comma, or an operator, is missing at the caret."
    if not all(
        t.kind == "word" and t.lower not in RESERVED | {"by", "over", "partition"} for t in (at, last, place.before[-2])
    ):
        return None
    if "from" not in place.vocabulary and place.before[0].lower == "select":
        return f"A comma is missing: in {code(f'{place.before[-2].text} {last.text}')}, the second names the first."
    return None


def _missing_column_comma(place: Place) -> Slip | None:
    if not place.at or place.words[:2] != ["create", "table"] or depth(place.before) != 1:
        return None
    following = place.after[0] if place.after else None
    typed = following is not None and following.kind == "word" and following.lower not in RESERVED
    starts = place.at.kind == "quoted" or (place.at.kind == "word" and place.at.lower not in RESERVED)
    if typed and starts and place.before[-1].kind in {"word", "other", *LITERALS}:
        said = f"A comma is missing before {code(place.at.text)}, if a new column begins there."
        return inserted(said, place.before[-1].end, ",")
    return None


_RULES: tuple[Callable[[Place], Slip | str | None], ...] = (
    _unclosed,
    _early_end,
    _typographic,
    *QUOTING,
    _limit_pair,
    _comma_too_many,
    *OTHERS,
    misspelt_start,
    misspelt,
    *LISTS,
    *SHAPES,
    missing_word,
    reserved_name,
    _parenthesis,
    _unfinished,
    _clause_order,
    _next_statement,
    _list,
    _missing_comma,
    _missing_column_comma,
    *AFTERWARDS,
)
