"""What is wanted at the cursor: kinds of things in the order of their likelihood, from the words around it.

A place says what may stand there, never which names there are: :mod:`tusk_jupyter.schema.offers` fills it from the
catalog. The grammar is a few dozen rules about the nearest words of the nearest clause; PostgreSQL's own has 700 and no
place for text that ends in the middle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tusk_jupyter.lexer import Kind
from tusk_jupyter.schema import followers
from tusk_jupyter.schema.clauses import case_state, clause_of, column_before, wants_operand
from tusk_jupyter.schema.nesting import words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.schema.nesting import Item

READABLE = "rvmpft"
_FROM = {"FROM", "JOIN"}
_IN_EXPRESSION = {
    "WHERE", "ON", "HAVING", "GROUP BY", "ORDER BY", "PARTITION BY", "RETURNING", "MERGE ON", "WHEN", "LIMIT", "OFFSET",
}  # fmt: skip
_QUERY_BEFORE = words("exists any all some array lateral")
_CALLED_BY_KEYWORD = words("coalesce nullif greatest least extract position substring trim overlay row grouping")


class Want(NamedTuple):
    """A kind of thing, and what narrows it: relkinds, keywords, the name of a column."""

    kind: str
    detail: tuple[str, ...] = ()


def keywords(*listed: str) -> Want:
    return Want("keywords", listed)


def places(levels: Sequence[Sequence[Item]], *, literal: bool = False) -> list[Want]:
    """Return what is wanted at the end of these levels; ``literal``: within the quotes of a literal."""
    items = levels[-1]
    last = items[-1] if items else None
    if last is not None and last.word == ":" and (len(levels) == 1 or levels[-2][-1].word != "["):
        return [Want("parameters")]
    compared = _compared(levels)
    if literal:
        return [compared] if compared else []
    if last is not None and last.word == "::":
        return [Want("types")]
    if last is None and len(levels) == 1:
        return [keywords(*followers.STATEMENTS)]
    found = _parenthesis(levels) if len(levels) > 1 and clause_of(items)[0] == "" else None
    if found is None:
        found = _clause(levels)
    return [compared, *found] if compared else found


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


def _expression(*first: Want, more: Sequence[str] = ()) -> list[Want]:
    return [*first, Want("columns"), Want("sources"), Want("functions"), keywords(*more, *followers.EXPRESSION)]


def _parenthesis(levels: Sequence[Sequence[Item]]) -> list[Want] | None:
    """Return what is wanted in parentheses that have no clause of their own; None where the outer clause decides."""
    items, outer = levels[-1], levels[-2]
    if outer[-1].word == "[":
        return _expression() if wants_operand(items) else [keywords(*followers.OPERATORS)]
    before = outer[-2].word if len(outer) > 1 else ""
    clause, at = clause_of(outer[:-1])
    tail = outer[at + 1 : -1]
    if before == "USING" and clause == "USING":
        return [Want("using")] if not items or items[-1].word == "," else []
    if before == "CONFLICT" or (clause == "INTO" and outer[0].word == "INSERT") or (before == "INSERT" and at > 0):
        fresh = not items or items[-1].word == ","
        query = followers.QUERY if before != "CONFLICT" and not items else ()
        named = tuple(item.name for item in items if item.name)
        return [Want("conflict" if before == "CONFLICT" else "target", named), keywords(*query)] if fresh else []
    if before in {"AS", "MATERIALIZED"}:
        return [keywords(*followers.QUERY, "insert into", "update", "delete from", "merge into")] if not items else []
    special = _special(items, before)
    if special is not None:
        return special
    if clause in _FROM and (not tail or tail[-1].word in {",", "LATERAL", "ONLY"}) and not items:
        return [keywords(*followers.QUERY), Want("relations", (READABLE,)), Want("set functions")]
    if not wants_operand(items):
        return [keywords(*followers.OPERATORS, *_inside_call(before), *_case(items))]
    query = followers.QUERY if not items and (before in _QUERY_BEFORE | {"IN"} or not _is_call(outer)) else ()
    found = _expression(more=("distinct",) if not items and _is_call(outer) else ())
    if not items and _is_call(outer):
        found.append(Want("star"))
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
    return {"CAST": ("as",), "EXTRACT": ("from",), "SUBSTRING": ("from", "for"), "TRIM": ("from",)}.get(
        before, ("order by",)
    )


def _case(items: Sequence[Item]) -> tuple[str, ...]:
    state = case_state(items)
    table = {
        "CASE": followers.CASE_START,
        "WHEN": followers.CASE_WHEN,
        "THEN": followers.CASE_THEN,
        "ELSE": followers.CASE_ELSE,
    }
    return table[state] if state else ()


def _clause(levels: Sequence[Sequence[Item]]) -> list[Want]:
    home = _home(levels)
    items = levels[home]
    clause, at = clause_of(items)
    tail = items[at + 1 :]
    rule = _RULES.get(clause)
    if rule is not None:
        return rule(items, tail, clause)
    if clause in _IN_EXPRESSION:
        return _operand(tail, clause)
    return []


def _operand(tail: Sequence[Item], clause: str, *first: Want, more: Sequence[str] = ()) -> list[Want]:
    """Return what is wanted in an expression: an operand, or what may follow one."""
    state = _case(tail)
    if wants_operand(tail):
        opened = followers.CASE_START if tail and tail[-1].word == "CASE" else ()
        return _expression(*first, more=(*opened, *more))
    calls = ("over (", "filter (where", "within group (order by") if len(tail) > 1 and tail[-1].word == "()" else ()
    return [keywords(*state, *calls, *followers.AFTER.get(clause, ()), *followers.OPERATORS)]


def _select(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    if tail and tail[-1].word == "AS":
        return []
    fresh = not tail or tail[-1].word in {",", "DISTINCT", "ALL"}
    more = ("distinct", "distinct on (", "all") if not tail and clause == "SELECT" else ()
    found = _operand(tail, clause, *([Want("star")] if fresh else []), more=more)
    if not fresh or not found:
        return found
    return found


def _from(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    last = tail[-1].word if tail else ""
    kind = items[0].word
    if not tail or last in {",", "LATERAL", "ONLY", "JOIN"}:
        first = [Want("related")] if clause == "JOIN" or last == "," else []
        if kind == "DELETE" and not any(item.word == "USING" for item in items):
            return [Want("relations", ("rpvf", "w")), keywords("only")]
        rest = [Want("set functions"), keywords("lateral", "only", "rows from (", "unnest (")]
        return [*first, Want("relations", (READABLE,)), *rest]
    if last == "AS":
        return []
    if clause == "JOIN":
        at = len(items) - len(tail) - 1
        if not {"CROSS", "NATURAL"}.isdisjoint(item.word for item in items[max(0, at - 3) : at]):
            return [keywords(*followers.AFTER["FROM"])]
        return [Want("joins"), keywords(*followers.AFTER["JOIN"])]
    if kind == "DELETE":
        return [keywords(*followers.AFTER["DELETE"])]
    if kind == "MERGE":
        return [Want("joins"), keywords("on", "as")]
    return [keywords(*followers.AFTER["FROM"])]


def _on(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    if wants_operand(tail) and (not tail or tail[-1].word == "AND"):
        return _operand(tail, clause, Want("conditions"))
    return _operand(tail, clause)


def _order(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    fresh = not tail or tail[-1].word == ","
    return _operand(tail, clause, *([Want("outputs", ("plain",) if clause == "GROUP BY" else ())] if fresh else []))


def _using(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    return [keywords("(")] if not tail else [keywords(*followers.AFTER[clause])]


def _set(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    named = tuple(item.name for n, item in enumerate(tail) if item.name and (n == 0 or tail[n - 1].word == ","))
    if not tail or tail[-1].word == ",":
        return [Want("target", named)]
    if wants_operand(tail):
        return _expression(more=("default",))
    if len(tail) == 1 or tail[-2].word == ",":
        return [keywords("=")]
    return _operand(tail, clause)


def _into(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    if items[0].word not in {"INSERT", "MERGE"}:
        return []
    if not tail or tail[-1].word == "ONLY":
        return [Want("relations", ("rpvf", "w"))]
    if tail[-1].word == "AS":
        return []
    after = "MERGE" if items[0].word == "MERGE" else "COLUMNS" if tail[-1].word == "()" else clause
    return [keywords(*followers.AFTER[after])]


def _update(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    if not tail or tail[-1].word == "ONLY":
        return [Want("relations", ("rpvf", "w")), keywords("only")]
    return [] if tail[-1].word == "AS" else [keywords(*followers.AFTER[clause])]


def _values(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    if not tail or tail[-1].word == ",":
        return [keywords("(")]
    return [keywords(*followers.AFTER[clause])] if items[0].word == "INSERT" else [keywords(*followers.AFTER["TABLE"])]


def _with(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items, clause
    last = tail[-1].word if tail else ""
    if not tail:
        return [keywords("recursive")]
    if last == "AS":
        return [keywords("(", "materialized (", "not materialized (")]
    if last == "()":
        before = tail[-2].word if len(tail) > 1 else ""
        if before in {"AS", "MATERIALIZED"}:
            return [keywords("select", "insert into", "update", "delete from", "merge into", "values", "table")]
        return [keywords("as (", "as materialized (", "as not materialized (")]
    return [] if last in {",", "RECURSIVE"} else [keywords("as (", "as materialized (", "as not materialized (")]


def _union(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items, clause
    return [keywords(*(() if tail else ("all", "distinct")), *followers.QUERY)]


def _conflict(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items, clause
    found = [item.word for item in tail]
    if not found:
        return [keywords("(", "do nothing", "do update set", "on constraint")]
    if found[-1] == "CONSTRAINT":
        return [Want("constraints")]
    if found[-1] == "DO":
        return [keywords("nothing", "update set")]
    return [keywords("returning")] if "NOTHING" in found else [keywords("do nothing", "do update set", "where")]


def _do_update(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items, clause
    return [keywords("set")] if not tail else []


def _then_delete(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items, tail, clause
    return [keywords("when matched then", "when not matched then", "returning")]


def _merge(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items, clause
    return [keywords("into")] if not tail else []


def _when(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    found = [item.word for item in tail]
    if not found or found[-1] == "NOT":
        return [keywords("matched then", "matched and", *(() if found else ("not matched then", "not matched and")))]
    if found[-1] == "THEN":
        return [keywords("update set", "delete", "insert (", "insert values (", "do nothing")]
    return _operand(tail, clause)


def _limit(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    return [keywords("all")] if not tail else [keywords(*followers.AFTER[clause])]


def _insert(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items, clause
    return [keywords("into")] if not tail else [keywords("values (")]


def _delete(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items, clause
    return [keywords("from")] if not tail else []


def _fetch(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    if items[0].word == "FETCH":
        return []
    return [keywords("first", "next")] if not tail else [keywords(*followers.AFTER[clause])]


def _for(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    last = tail[-1].word if tail else ""
    if last in {"OF", ","}:
        return [Want("sources")]
    return [keywords("update", "share", "no key update", "key share", *followers.AFTER[clause])]


def _table(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    return [Want("relations", (READABLE,))] if not tail else [keywords(*followers.AFTER[clause])]


def _call(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items, clause
    return [Want("procedures")] if not tail else []


_RULES = {
    "GROUP BY": _order, "ORDER BY": _order,
    "SELECT": _select, "RETURNING": _select, "FROM": _from, "JOIN": _from, "ON": _on, "MERGE ON": _on, "USING": _using,
    "SET": _set, "INTO": _into, "UPDATE": _update, "VALUES": _values, "WITH": _with, "UNION": _union,
    "CONFLICT": _conflict, "DO UPDATE": _do_update, "THEN DELETE": _then_delete, "MERGE": _merge, "WHEN": _when,
    "LIMIT": _limit, "OFFSET": _limit, "INSERT": _insert, "DELETE": _delete, "FETCH": _fetch, "FOR": _for,
    "TABLE": _table, "CALL": _call,
}  # fmt: skip
