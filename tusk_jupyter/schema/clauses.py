"""Which clause of a query an unfinished text ends in, and whether an operand is wanted there or was just given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.lexer import Kind
from tusk_jupyter.schema.nesting import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.schema.nesting import Item

_WORDS = words(
    "select from join where having limit offset values returning window into update delete merge table fetch set with "
    "union intersect except on using for by conflict when insert call"
)
_BY = {"GROUP": "GROUP BY", "ORDER": "ORDER BY", "PARTITION": "PARTITION BY"}
# behind these an operand is wanted
_OPEN = words(
    "select where and or not on having by case when then else between like ilike in distinct all returning set limit "
    "offset values using is from any some similar to escape over filter exists as cast interval join into only lateral "
    "update recursive collate with call execute if return perform , ( [ := ."
)
STAR_AFTER = words("select distinct all returning , . (")


def clause_of(items: Sequence[Item]) -> tuple[str, int]:
    """Return the clause that the items of a level end in, and the index of its last word; ``("", -1)`` for none."""
    for n in range(len(items) - 1, -1, -1):
        word = items[n].word
        if word in _WORDS and (name := _name(items, n, word)):
            return name, n
    return "", -1


def _name(items: Sequence[Item], n: int, word: str) -> str:
    """Return the clause that a word begins, empty where it is part of something else."""
    before = items[n - 1].word if n else ""
    if before == ".":
        return ""
    if word == "BY":
        return _BY.get(before, "")
    if word == "FROM":
        return "" if before == "DISTINCT" and n > 1 and items[n - 2].word in {"IS", "NOT"} else "FROM"
    if word in {"ON", "USING", "WHEN"}:
        return _ambiguous(items, n, word, before)
    if word in {"UNION", "INTERSECT", "EXCEPT"}:
        return "UNION"
    if word == "UPDATE" and before in {"FOR", "KEY"}:
        return "FOR"
    if word in {"UPDATE", "DELETE"} and before in {"DO", "THEN", "ON"}:
        return f"{before} {word}"
    if word == "WITH":
        return "" if n and items[n - 1].word not in {"AS", "()"} and items[0].word != "INSERT" else "WITH"
    return word


def _ambiguous(items: Sequence[Item], n: int, word: str, before: str) -> str:
    kind = items[0].word
    if word == "WHEN":
        return "WHEN" if kind == "MERGE" and not _in_case(items[:n]) else ""
    if word == "ON":
        if before in {"DISTINCT", "GRANT", "REVOKE"} or (
            n + 1 < len(items) and items[n + 1].word in {"CONFLICT", "CONSTRAINT"}
        ):
            return ""
        return "MERGE ON" if kind == "MERGE" else "ON"
    if kind in {"DELETE", "MERGE"}:
        return "FROM"
    return "" if any(item.word == "BY" for item in items[max(0, n - 4) : n]) else "USING"


def _in_case(items: Sequence[Item]) -> bool:
    return case_state(items) is not None


def case_state(items: Sequence[Item]) -> str | None:
    """Return the last of CASE, WHEN, THEN, ELSE in a CASE without its END; None outside one."""
    states: list[str] = []
    for item in items:
        if item.word == "CASE":
            states.append("CASE")
        elif item.word == "END" and states:
            states.pop()
        elif item.word in {"WHEN", "THEN", "ELSE"} and states:
            states[-1] = item.word
    return states[-1] if states else None


def wants_operand(items: Sequence[Item]) -> bool:
    """Return whether an operand is wanted behind these items, rather than an operator or the next clause."""
    if not items:
        return True
    last = items[-1]
    if last.word == "*" and (len(items) == 1 or items[-2].word in STAR_AFTER):
        return False
    return last.kind is Kind.OPERATOR or last.word in _OPEN


def column_before(items: Sequence[Item]) -> tuple[str, ...]:
    """Return the column, perhaps qualified, that these items end with; empty where they do not."""
    at = len(items)
    names: list[str] = []
    while at and items[at - 1].name:
        names.insert(0, items[at - 1].name)
        if at < 2 or items[at - 2].word != ".":  # noqa: PLR2004 a dot and what is before it
            break
        at -= 2
    return tuple(names)
