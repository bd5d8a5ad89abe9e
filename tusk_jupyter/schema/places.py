"""What is wanted at the cursor: kinds of things in the order of their likelihood, from the words around it.

A place says what may stand there, never which names there are: :mod:`tusk_jupyter.schema.offers` fills it from the
catalog. The grammar is a few dozen rules about the nearest words of the nearest clause; PostgreSQL's own has 700 and no
place for text that ends in the middle.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from tusk_jupyter.lexer import Kind
from tusk_jupyter.schema import followers
from tusk_jupyter.schema.clause_rules import READABLE, RULES, case_words, expression, operand
from tusk_jupyter.schema.clauses import clause_of, column_before, wants_operand
from tusk_jupyter.schema.nesting import TAKES_FROM, words
from tusk_jupyter.schema.scope import last_part
from tusk_jupyter.schema.statements import statement_wants
from tusk_jupyter.schema.wants import Want, keywords

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.schema.nesting import Item

_FROM = {"FROM", "JOIN"}
_IN_EXPRESSION = {
    "WHERE", "ON", "HAVING", "GROUP BY", "ORDER BY", "PARTITION BY", "RETURNING", "MERGE ON", "WHEN", "LIMIT", "OFFSET",
}  # fmt: skip
_NO_AGGREGATES = {
    "WHERE", "VALUES", "SET", "ON", "MERGE ON", "WHEN", "GROUP BY", "LIMIT", "OFFSET", "RETURNING", "FROM", "JOIN",
}  # fmt: skip
_QUERIES = words("select insert update delete merge values returning conflict union intersect except with")
_BEFORE_WITH = words("as explain analyze verbose for")
_QUERY_BEFORE = words("exists any all some array lateral")
_CALLED_BY_KEYWORD = words("coalesce nullif greatest least extract position substring trim overlay row grouping")


def places(levels: Sequence[Sequence[Item]], *, literal: bool = False) -> list[Want]:
    """Return what is wanted at the end of these levels; ``literal``: within the quotes of a literal."""
    items = levels[-1]
    last = items[-1] if items else None
    if last is not None and last.word == ":" and (len(levels) == 1 or levels[-2][-1].word != "["):
        return [Want("parameters")]
    if literal:
        return _literal(levels)
    if last is not None and last.word == "::":
        return [Want("types")]
    if last is None and len(levels) == 1:
        return [keywords(*followers.STATEMENTS)]
    if not any(map(_holds_query, levels)):
        found = statement_wants(levels)
        if found is not None:
            return found
    levels = [last_part(level) for level in levels]
    compared = _compared(levels)
    completed = _continued(items)
    if completed:
        return [keywords(*completed)]
    found = _parenthesis(levels) if len(levels) > 1 and _is_plain(levels) else None
    if found is None:
        found = _clause(levels)
    found = _callable(found, clause_of(levels[_home(levels)])[0])
    return [compared, *found] if compared else found


def _callable(wants: Sequence[Want], clause: str) -> list[Want]:
    """Return the wants with those functions only that PostgreSQL lets a clause call: WHERE takes no aggregate."""
    kinds = ("f",) if clause in _NO_AGGREGATES else ("fa",) if clause == "HAVING" else ()
    return [Want("functions", kinds) if want == Want("functions") else want for want in wants]


def _literal(levels: Sequence[Sequence[Item]]) -> list[Want]:
    """Return what is wanted in quotes: a value of what it is compared with."""
    if not any(map(_holds_query, levels)) and (found := statement_wants(levels)):
        return [want for want in found if want.kind in {"setting values", "type labels"}]
    compared = _compared([last_part(level) for level in levels])
    return [compared] if compared else []


def _holds_query(level: Sequence[Item]) -> bool:
    """Return whether a level ends in a query, rather than in a statement that may have one's words in it."""
    part = last_part(level)
    if part and part[0].word in _QUERIES:
        return True
    return any(item.word == "WITH" and before.word in _BEFORE_WITH for before, item in pairwise(level))


def _continued(items: Sequence[Item]) -> tuple[str, ...]:
    """Return the rest of keywords that are written together, of which the first is there."""
    found = [item.word for item in items[-3:]]
    if found[-2:-1] in (["AS"], ["."]):
        return ()
    if found[-1:] == ["NOT"] and len(items) > 1 and not wants_operand(items[:-1]):
        return followers.NOT
    return followers.continued(found)


def _is_plain(levels: Sequence[Sequence[Item]]) -> bool:
    """Return whether the innermost parentheses hold no clause; the FROM of ``extract(epoch from …)`` is none."""
    clause, at = clause_of(levels[-1])
    takes_from = len(levels[-2]) > 1 and levels[-2][-2].word in TAKES_FROM
    return not clause or (clause == "FROM" and takes_from and clause_of(levels[-1][:at])[0] == "")


def _home(levels: Sequence[Sequence[Item]]) -> int:
    """Return the innermost level that has a clause."""
    return next((n for n in range(len(levels) - 1, -1, -1) if clause_of(levels[n])[0]), 0)


def _compared(levels: Sequence[Sequence[Item]]) -> Want | None:
    """Return the column that a value is compared with or written to, if the cursor is where that value goes."""
    items = levels[-1]
    if items and items[-1].kind is Kind.OPERATOR and items[-1].word in {"=", "<>", "!=", "<", ">", "<=", ">="}:
        column = column_before(items[:-1])
        return Want("values", column) if column else None
    if len(levels) < 2 or (items and items[-1].word != ","):  # noqa: PLR2004 a list in parentheses
        return None
    outer = levels[-2][:-1]
    if outer and outer[-1].word == "IN":
        column = column_before(outer[:-2] if outer[-2:-1] and outer[-2].word == "NOT" else outer[:-1])
        return Want("values", column) if column else None
    clause, _ = clause_of(outer)
    if clause == "VALUES" and outer[0].word == "INSERT" and levels[-2][-1].word == "(":
        return Want("inserted", (str(sum(item.word == "," for item in items)),))
    return None


def _parenthesis(levels: Sequence[Sequence[Item]]) -> list[Want] | None:
    """Return what is wanted in parentheses that have no clause of their own; None where the outer clause decides."""
    items, outer = levels[-1], levels[-2]
    if outer[-1].word == "[":
        return expression() if wants_operand(items) else [keywords(*followers.OPERATORS)]
    before = outer[-2].word if len(outer) > 1 else ""
    clause, at = clause_of(outer[:-1])
    tail = outer[at + 1 : -1]
    if before == "USING" and clause == "USING":
        return [Want("using")] if not items or items[-1].word == "," else []
    if before == "CONFLICT" or (clause == "INTO" and outer[0].word == "INSERT") or (before == "INSERT" and at > 0):
        fresh = not items or items[-1].word == ","
        query = followers.QUERY if clause == "INTO" and before != "CONFLICT" and not items else ()
        named = tuple(item.name for item in items if item.name)
        return [Want("conflict" if before == "CONFLICT" else "target", named), keywords(*query)] if fresh else []
    if clause == "WINDOW" and before == "AS":
        before = "OVER"
    if before in {"AS", "MATERIALIZED"}:
        return [keywords(*followers.QUERY, "insert into", "update", "delete from", "merge into")] if not items else []
    special = _special(items, before)
    if special is not None:
        return special
    if clause in _FROM and (not tail or tail[-1].word in {",", "LATERAL", "ONLY"}) and not items:
        return [keywords(*followers.QUERY), Want("relations", (READABLE,)), Want("set functions")]
    if not wants_operand(items):
        return [keywords(*case_words(items), *_inside_call(before), *followers.OPERATORS, "order by")]
    query = followers.QUERY if not items and (before in _QUERY_BEFORE | {"IN"} or not _is_call(outer)) else ()
    if clause == "VALUES" and outer[0].word == "INSERT" and not _is_call(outer):
        return [keywords("default"), Want("functions"), keywords(*followers.EXPRESSION, *query)]
    first = [Want("star")] if before == "COUNT" and not items else []
    found = expression(*first, more=("distinct",) if not items and _is_call(outer) else ())
    return [keywords(*query), *found] if query and before in _QUERY_BEFORE else [*found, keywords(*query)]


def _is_call(outer: Sequence[Item]) -> bool:
    return (
        len(outer) > 1
        and bool(outer[-2].name)
        and (not wants_operand(outer[:-1]) or outer[-2].word in _CALLED_BY_KEYWORD)
    )


def _special(items: Sequence[Item], before: str) -> list[Want] | None:
    """Return what is wanted in the parentheses of the grammar's own functions."""
    last = items[-1].word if items else ""
    if before == "CAST" and last == "AS":
        return [Want("types")]
    if before == "EXTRACT" and not items:
        return [keywords(*followers.FIELDS)]
    if before == "FILTER" and not items:
        return [keywords("where")]
    if before == "GROUP" and not items:
        return [keywords("order by")]
    if before == "OVER" and not items:
        return [keywords("partition by", "order by", "rows between", "range between", "groups between")]
    return None


def _inside_call(before: str) -> tuple[str, ...]:
    return {"CAST": ("as",), "EXTRACT": ("from",), "SUBSTRING": ("from", "for"), "TRIM": ("from",)}.get(before, ())


def _clause(levels: Sequence[Sequence[Item]]) -> list[Want]:
    home = _home(levels)
    items = levels[home]
    clause, at = clause_of(items)
    tail = items[at + 1 :]
    rule = RULES.get(clause)
    if rule is not None:
        return rule(items, tail, clause)
    if clause in _IN_EXPRESSION:
        return operand(tail, clause)
    return []
