"""Slips in the shape of a statement: a word, an operator or a parenthesis that its grammar wants and that is not there.

The third part of :mod:`tusk_jupyter.advice.slips`; each rule names what is missing only where one thing can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice.slip_words import LITERALS, RESERVED, Place, Slip, code, inserted, like, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tusk_jupyter.advice.tokens import Token

_COMPARISONS = frozenset({"=", "<>", "!=", "<", ">", "<=", ">=", "like", "ilike", "in", "is", "between"})
_ENDS_FROM = frozenset({"where", "group", "order", "having", "limit", ";", ")"})
_JOINS = frozenset({"inner", "left", "right", "full", "cross", "natural", "outer"})
_BEHIND_CALLS = frozenset({"over", "within", "filter", "partition"})
_VALUES = frozenset({*LITERALS, "parameter"})


def level(before: Sequence[Token]) -> list[Token]:
    """Return the tokens before the caret that are in the same parentheses as it; pairs that are closed are left out."""
    closed, found = 0, []
    for token in reversed(before):
        if token.text == ")":
            closed += 1
        elif token.text == "(":
            if not closed:
                break
            closed -= 1
        elif not closed:
            found.append(token)
    return found[::-1]


def _names(place: Place) -> bool:
    at = place.at
    return at is not None and (at.kind == "quoted" or (at.kind == "word" and at.lower not in RESERVED | {"join"}))


def _comparison(place: Place) -> Slip | None:
    """IS 'x', NOT =, = NOT NULL, =>."""
    at, following = place.at, place.after[0] if place.after else None
    if at is None or not place.before:
        return None
    last = place.before[-1]
    negated = last.lower == "not" and place.word(2) == "is"
    if at.kind in _VALUES and (last.lower == "is" or negated):
        said = "`IS` goes with NULL, TRUE, FALSE and `DISTINCT FROM`; values are compared with `=` and `<>`."
        return replaced(said, place.before[-2] if negated else last, last, "<>" if negated else "=")
    if place.word() == "not" and following is not None and following.text == "=":
        return replaced("Unequal is written `<>`.", at, following, "<>")
    if place.word() == "not" and last.text in {"=", "<>", "!="} and place.next() == "null" and following is not None:
        return replaced("NULL is compared with `is null` and `is not null`.", last, following, "is not null")
    words = {t.lower for t in level(place.before)}
    if place.word() == "=>" and words & {"where", "on", "having", "when"}:
        return replaced("`=>` names an argument; at least is written `>=`.", at, at, ">=")
    return None


def _missing_operator(place: Place) -> str | None:
    words = {t.lower for t in level(place.before)}
    if not _names(place) and (place.at is None or place.at.kind not in _VALUES):
        return None
    if len(place.before) < 2 or place.at is None or not words & {"where", "having", "on"}:  # noqa: PLR2004
        return None
    last = place.before[-1]
    starts = place.word(2) in {"where", "and", "or", "having", "on"}
    if place.at.kind in _VALUES and starts and last.kind in {"word", "quoted"} and last.lower not in RESERVED:
        return f"An operator is missing between {code(last.text)} and {code(_short(place.at))}, such as `=`."
    ended = last.kind in _VALUES and place.word(2) in _COMPARISONS
    if _names(place) and ended and (place.next() in _COMPARISONS or place.next() == "."):
        return f"`AND` or `OR` is missing before {code(place.at.text)}."
    return None


def _short(token: Token) -> str:
    return token.text if token.kind == "number" else "the value"


def _clause_word(place: Place) -> Slip | None:
    """AND before WHERE, and a second WHERE."""
    at = place.at
    if at is None or not place.before or place.word() != "where":
        return None
    last = place.before[-1]
    if last.lower in {"and", "or"}:
        return replaced(f"The {code(last.text)} before `WHERE` is one too many.", last, last, "")
    words = [t.lower for t in level(place.before)]
    since = words[::-1].index("where") if "where" in words else None
    if since is None or set(words[len(words) - since :]) & {"union", "except", "intersect", "select", "group", "order"}:
        return None
    return replaced("There is a WHERE already: further conditions follow `AND`.", at, at, like("and", at.text))


def _join(place: Place) -> Slip | str | None:
    at = place.at
    known = place.word() in _JOINS or place.next() == "join"
    if at is not None and not known and _names(place) and place.word(1) in _JOINS and "from" in place.vocabulary:
        return inserted(
            f"`JOIN` is missing before {code(at.text)}.", at.start, f"{like('join', place.before[-1].text)} "
        )
    if at is not None and place.word() in {"join", *_JOINS} and place.before and place.before[0].lower == "update":
        return "An UPDATE joins with FROM: `UPDATE t SET a = u.a FROM u WHERE u.id = t.id`."
    if at is not None and place.word() not in _ENDS_FROM:
        return None
    words = [t.lower for t in level(place.before)]
    if "from" not in words or "select" not in words:
        return None
    since = words[len(words) - words[::-1].index("from") :]
    needing = sum(w == "join" and since[max(n - 1, 0)] != "cross" for n, w in enumerate(since))
    if "natural" in since or needing <= since.count("on") + since.count("using"):
        return None
    where = f" before {code(at.text.upper())}" if at is not None and at.kind == "word" else ""
    return f"`JOIN` needs `ON condition`{where}; without one it is written `CROSS JOIN`."


def _case(place: Place) -> Slip | str | None:
    inside = level(place.before)
    words = [t.lower for t in inside]
    opened = words.count("case") - words.count("end")
    if opened <= 0 or place.at is None:
        return None
    if place.word() in {"from", "where"} or (place.word() == "as" and words[-1] != "cast"):
        if opened == 1 and "then" in words:
            said = f"`END` is missing before {code(place.at.text.upper())}: a CASE is `case when … then … else … end`."
            return inserted(said, place.at.start, f"{like('end', place.at.text)} ")
        return None
    since = words[len(words) - 1 - words[::-1].index("case") :]
    if place.word() == "then" and "when" not in since:
        case = next(t for t in reversed(inside) if t.lower == "case")
        return inserted("`WHEN` is missing: `case when condition then …`.", case.end, f" {like('when', case.text)}")
    return None


def _select_list(place: Place) -> Slip | None:
    """SELECT * t, and the comma missing before a call, whose name is read as an alias."""
    at = place.at
    if at is None or len(place.before) < 2:  # noqa: PLR2004
        return None
    last, words = place.before[-1], [t.lower for t in level(place.before)]
    if "select" not in words or "from" in words[len(words) - words[::-1].index("select") :]:
        return None
    if last.text == "*" and place.word(2) == "select" and _names(place):
        return inserted(
            f"`FROM` is missing before {code(at.text)}.", at.start, f"{like('from', place.before[-2].text)} "
        )
    before = place.before[-2]
    value = before.text == ")" or before.kind in LITERALS or (before.kind == "word" and before.lower not in RESERVED)
    if at.text == "(" and last.kind == "word" and last.lower not in RESERVED | _BEHIND_CALLS and value:
        return inserted(f"A comma is missing before {code(last.text)}.", before.end, ",")
    return None


def _insert(place: Place) -> Slip | None:
    words = place.words
    if place.at is None or words[:1] != ["insert"]:
        return None
    if place.word() == "(" and words[-1] == ")" and "values" in words and "select" not in words:
        return inserted("A comma is missing between the rows.", place.before[-1].end, ",")
    if not set(words) & {"values", "select"} and words[-2:] == [")", "("] and place.at.kind in _VALUES:
        return inserted("`VALUES` is missing before the values.", place.before[-1].start, "values ")
    return None


def _update(place: Place) -> Slip | str | None:
    words = place.words
    at = place.at
    if at is None or not words:
        return None
    if words[0] == "update" and place.word() == "=" and "set" not in words and len(words) == 3:  # noqa: PLR2004
        return inserted(f"`SET` is missing before {code(place.before[2].text)}.", place.before[2].start, "set ")
    if words == ["delete"] and place.word() == "*":
        return replaced("DELETE takes whole rows: it has no `*`.", at, at, "")
    if words == ["delete"] and place.next() == "from":
        return "A DELETE joins with USING: `DELETE FROM t USING u WHERE u.id = t.id`."
    return None


def _definition(place: Place) -> str | None:
    words = place.words
    if place.at is None or place.word() == ";":
        if words[:2] == ["alter", "table"] and words[-3:-1] == ["add", "column"]:
            return f"The type of {code(place.before[-1].text)} is missing, as in `add column name text`."
        return None
    typed = place.after[0].kind == "word" if place.after else False
    if words[:2] == ["create", "table"] and "(" not in words and _names(place) and typed:
        plain = len(words) == 3 or words[2:5] == ["if", "not", "exists"]  # noqa: PLR2004
        if plain and place.word() not in {"as", "of", "partition", "inherits", "with", "using", "tablespace"}:
            return "The columns stand in parentheses: `create table t (a integer, b text)`."
    # read as a window's name and an alias
    if [place.word(3), place.word(2), place.word(1)] == ["over", "partition", "by"]:
        return "`OVER` takes its window in parentheses: `over (partition by a order by b)`."
    if place.word(1) == "on" and place.word(2) == "distinct" and place.word() != "(":
        return "`DISTINCT ON` takes its expressions in parentheses: `select distinct on (a) a, b …`."
    return None


SHAPES: tuple[Callable[[Place], Slip | str | None], ...] = (
    _update,
    _definition,
    _comparison,
    _clause_word,
    _case,
    _insert,
    _select_list,
)
AFTERWARDS: tuple[Callable[[Place], Slip | str | None], ...] = (_join, _missing_operator)
