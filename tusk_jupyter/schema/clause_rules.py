"""What is wanted in each clause of a query, by the items that it has so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.schema import followers
from tusk_jupyter.schema.clauses import case_state, wants_operand
from tusk_jupyter.schema.wants import Want, keywords

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tusk_jupyter.schema.nesting import Item

READABLE = "rvmpf"
_LIKELY = 5  # clauses that are likelier to follow than an operator
_WRITABLE = ("rpvf", "w")


def expression(*first: Want, more: Sequence[str] = ()) -> list[Want]:
    return [*first, Want("columns"), Want("sources"), Want("functions"), keywords(*more, *followers.EXPRESSION)]


def case_words(items: Sequence[Item]) -> tuple[str, ...]:
    state = case_state(items)
    table = {
        "CASE": followers.CASE_START,
        "WHEN": followers.CASE_WHEN,
        "THEN": followers.CASE_THEN,
        "ELSE": followers.CASE_ELSE,
    }
    return table[state] if state else ()


def operand(tail: Sequence[Item], clause: str, *first: Want, more: Sequence[str] = ()) -> list[Want]:
    """Return what is wanted in an expression: an operand, or what may follow one."""
    state = case_words(tail)
    if wants_operand(tail):
        opened = [keywords(*followers.CASE_START)] if tail and tail[-1].word == "CASE" else []
        return expression(*first, *opened, more=more)
    called = tail[-2].word if len(tail) > 1 and tail[-1].word == "()" else ""
    calls = ("over (", "filter (where", "within group (order by") if called else ()
    after = followers.AFTER.get(clause, ())
    if called not in followers.WINDOW_FUNCTIONS:
        state, after = (*state, *after[:2]), after[2:]
    return [keywords(*state, *calls, *after[:_LIKELY], *followers.OPERATORS, *after[_LIKELY:])]


def _select(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    if tail and tail[-1].word == "AS":
        return []
    fresh = not tail or tail[-1].word in {",", "DISTINCT", "ALL"}
    more = ("distinct", "distinct on (", "all") if not tail and clause == "SELECT" else ()
    found = operand(tail, clause, *([Want("star")] if fresh else []), more=more)
    if not fresh or not found:
        return found
    return found


def _from(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    last = tail[-1].word if tail else ""
    kind = items[0].word
    if not tail or last in {",", "LATERAL", "ONLY", "JOIN"}:
        conditional = clause == "JOIN" and not _is_bare(items, tail)
        first = [Want("related", ("on",) if conditional else ())] if clause == "JOIN" or last == "," else []
        if kind == "DELETE" and not any(item.word == "USING" for item in items):
            return [Want("relations", _WRITABLE), keywords("only")]
        rest = [Want("set functions"), keywords("lateral", "only", "rows from (")]
        return [*first, Want("relations", (READABLE,)), *rest]
    if last == "AS":
        return []
    if clause == "JOIN":
        if _is_bare(items, tail):
            return [keywords(*followers.AFTER["FROM"])]
        return [Want("joins"), keywords(*followers.AFTER["JOIN"])]
    if kind == "DELETE":
        return [keywords(*followers.AFTER["DELETE"])]
    if kind == "MERGE":
        return [Want("joins"), keywords("on", "as")]
    return [keywords(*followers.AFTER["FROM"])]


def _is_bare(items: Sequence[Item], tail: Sequence[Item]) -> bool:
    """Return whether the JOIN before ``tail`` takes no condition."""
    at = len(items) - len(tail) - 1
    return not {"CROSS", "NATURAL"}.isdisjoint(item.word for item in items[max(0, at - 3) : at])


def _on(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    if not tail:
        return operand(tail, clause, Want("conditions"))
    return operand(tail, clause)


def _having(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    return operand(tail, clause, Want("grouped"), Want("functions", ("a",)))


def _order(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    fresh = not tail or tail[-1].word == ","
    if not fresh and tail[-1].word in {"ASC", "DESC"}:
        return [keywords(*followers.AFTER["SORTED"])]
    return operand(tail, clause, *([Want("outputs", ("plain",) if clause == "GROUP BY" else ())] if fresh else []))


def _using(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    return [keywords("(")] if not tail else [keywords(*followers.AFTER[clause])]


def _set(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    named = tuple(item.name for n, item in enumerate(tail) if item.name and (n == 0 or tail[n - 1].word == ","))
    if not tail or tail[-1].word == ",":
        return [Want("target", named)]
    if wants_operand(tail):
        return expression(more=("default",))
    if len(tail) == 1 or tail[-2].word == ",":
        return [keywords("=")]
    return operand(tail, clause)


def _into(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    if items[0].word not in {"INSERT", "MERGE"}:
        return []
    if not tail or tail[-1].word == "ONLY":
        return [Want("relations", _WRITABLE)]
    if tail[-1].word == "AS":
        return []
    after = "MERGE" if items[0].word == "MERGE" else "COLUMNS" if tail[-1].word == "()" else clause
    return [keywords(*followers.AFTER[after])]


def _update(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    if not tail or tail[-1].word == "ONLY":
        return [Want("relations", _WRITABLE), keywords("only")]
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
    return operand(tail, clause)


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
    last = tail[-1].word if tail else ""
    if last in {"OF", ","}:
        return [Want("sources")]
    locks = ("update", "share", "no key update", "key share")
    return [keywords(*locks)] if not tail and items[-1].word == "FOR" else [keywords(*followers.AFTER[clause])]


def _table(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items
    return [Want("relations", (READABLE,))] if not tail else [keywords(*followers.AFTER[clause])]


def _call(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    del items, clause
    return [Want("procedures")] if not tail else []


def _where(items: Sequence[Item], tail: Sequence[Item], clause: str) -> list[Want]:
    return operand(tail, "WRITTEN WHERE" if items[0].word in {"UPDATE", "DELETE"} else clause)


RULES: dict[str, Callable[[Sequence[Item], Sequence[Item], str], list[Want]]] = {
    "WHERE": _where, "HAVING": _having, "GROUP BY": _order, "ORDER BY": _order,
    "SELECT": _select, "RETURNING": _select, "FROM": _from, "JOIN": _from, "ON": _on, "MERGE ON": _on, "USING": _using,
    "SET": _set, "INTO": _into, "UPDATE": _update, "VALUES": _values, "WITH": _with, "UNION": _union,
    "CONFLICT": _conflict, "DO UPDATE": _do_update, "THEN DELETE": _then_delete, "MERGE": _merge, "WHEN": _when,
    "LIMIT": _limit, "OFFSET": _limit, "INSERT": _insert, "DELETE": _delete, "FETCH": _fetch, "FOR": _for,
    "TABLE": _table, "CALL": _call,
}  # fmt: skip
