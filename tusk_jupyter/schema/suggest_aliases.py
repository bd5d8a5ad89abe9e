"""A name that SELECT gives, used where it is not known: in WHERE, in HAVING, in an expression, beside itself.

PostgreSQL gives the names of a select list when the rows are chosen and grouped, so only ORDER BY and GROUP BY know
them, and only alone. What is meant is the expression, which can be written in its place; but an aggregate cannot stand
in WHERE, nor what has a window in HAVING.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice import identifier
from tusk_jupyter.lexer import Kind
from tusk_jupyter.schema.from_clause import NO_ALIAS, divided
from tusk_jupyter.schema.suggest_words import Suggested, is_simple, replaced, span

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tusk_jupyter.schema.catalog import Catalog
    from tusk_jupyter.schema.nesting import Item
    from tusk_jupyter.schema.scope import Query
    from tusk_jupyter.schema.suggest_words import Part, Refused

_LONGEST = 60
_ENDS = frozenset({"END", "NULL", "TRUE", "FALSE"})


def aliases(query: Query) -> dict[str, Sequence[Item]]:
    """Return the names that a query's select list gives, with the expressions they stand for."""
    clause = query.clause("SELECT")
    found: dict[str, Sequence[Item]] = {}
    for part in divided(clause.items) if clause is not None else ():
        if len(part) > 1 and part[-1].name and part[-1].word not in NO_ALIAS:
            expression = part[:-2] if part[-2].word == "AS" else part[:-1]
            if expression and (part[-2].word == "AS" or _ends(expression[-1])):
                found.setdefault(part[-1].name, expression)
    return found


def _ends(item: Item) -> bool:
    """Return whether an operand may end with this item."""
    if item.kind is Kind.IDENTIFIER:
        return item.word in _ENDS or item.word not in NO_ALIAS
    return item.inside is not None or item.kind in {Kind.QUOTED_IDENTIFIER, Kind.STRING, Kind.NUMBER, Kind.PARAMETER}


def given_by_select(refused: Refused, part: Part, path: Sequence[Query], catalog: Catalog) -> Suggested | None:
    """Return what to write for a name that SELECT gives; None where it gives no such name."""
    query = path[0]
    expression = aliases(query).get(part.name)
    clause = next((one for one in reversed(query.clauses) if one.start <= part.start < one.end), None)
    if expression is None or clause is None or expression[0].start <= part.start < expression[-1].end:
        return None
    if "functions" not in catalog.loaded:
        return None  # an aggregate would not be known for one
    name = identifier(part.name)
    kinds = _kinds(expression, catalog)
    if "SELECT" in kinds or (kinds & {"w", "OVER"} and clause.word not in {"SELECT", "ORDER"}):
        advice = f"`{name}` is a name that SELECT gives, and {clause.word} does not know it: make this a subquery"
        return Suggested(f"{advice}, `select * from (…) s where …`.", part.start)
    if "a" in kinds and clause.word not in {"SELECT", "ORDER", "HAVING"}:
        advice = (
            f"`{name}` is a name that SELECT gives to an aggregate: a condition on it goes into HAVING, written out."
        )
        return Suggested(advice, part.start)
    start, end = span(expression)
    text = refused.statement[start:end]
    advice = f"`{name}` is a name that SELECT gives, and not known here"
    if "\n" in text or len(text) > _LONGEST or "--" in text:
        return Suggested(f"{advice}: write the expression itself.", part.start)
    return Suggested(advice, part.start, replaced([part], text if is_simple(expression) else f"({text})"))


def _kinds(items: Sequence[Item], catalog: Catalog) -> set[str]:
    """Return what an expression has: a (an aggregate), w (a window function), OVER, SELECT (a subquery)."""
    return set(_found(items, catalog))


def _found(items: Sequence[Item], catalog: Catalog) -> Iterator[str]:
    for at, item in enumerate(items):
        if item.word in {"OVER", "SELECT"}:
            yield item.word
        if item.inside is not None:
            if at and items[at - 1].name:
                yield from (function.kind for function in catalog.functions(items[at - 1].name))
            yield from _found(item.inside, catalog)
