"""The columns that a source or a query has: the catalog's, a select list's, a function's result's.

Types are known where they can be read off (a column, a cast, a function with one result); where they cannot the type is
empty, as the name is enough to complete and to compare. A source whose columns cannot be known (no such relation, a
CTE that is not written yet) has None.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.lexer import Kind
from tusk_jupyter.schema.catalog import Column, Relation
from tusk_jupyter.schema.from_clause import NO_ALIAS, divided
from tusk_jupyter.schema.nesting import folded, nested, unquoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.schema.catalog import Catalog, Function
    from tusk_jupyter.schema.nesting import Item
    from tusk_jupyter.schema.scope import Cte, Query, Source

_DEEP = 20  # CTEs of subqueries of CTEs
_ARGUMENT = re.compile(r'(?:OUT |INOUT )?("(?:[^"]|"")*"|[^\s"]+) (.+)', re.DOTALL)
_PASSED = frozenset({"ALL", "DISTINCT"})


def relation_of(source: Source, path: Sequence[Query], catalog: Catalog) -> Relation | None:
    """Return the relation of the catalog that a source is; None for CTEs, subqueries and functions."""
    if source.kind not in {"relation", "excluded"} or _cte(source, path) is not None:
        return None
    return catalog.relation(source.name, source.schema)


def columns_of(source: Source, path: Sequence[Query], catalog: Catalog, depth: int = 0) -> tuple[Column, ...] | None:
    """Return the columns of a source as a query at the head of ``path`` sees them; None where that is unknown."""
    found = _columns(source, path, catalog, depth + 1) if depth < _DEEP else None
    if source.ordinality and found is not None:
        found = (*found, Column("ordinality", "bigint"))
    if not source.columns:
        return found
    named = tuple(
        Column(name, kind)
        for name, kind in zip(source.columns, source.types or [""] * len(source.columns), strict=False)
    )
    if found is None or source.types:
        return named
    renamed = (replace(column, name=name) for column, name in zip(found, source.columns, strict=False))
    return (*renamed, *found[len(source.columns) :], *named[len(found) :])


def _columns(source: Source, path: Sequence[Query], catalog: Catalog, depth: int) -> tuple[Column, ...] | None:
    if source.kind == "subquery":
        inner = next((one for query in path[:1] for one in query.inner if one.start == source.body), None)
        return outputs(inner, [inner, *path], catalog, depth) if inner is not None else None
    if source.kind == "function":
        return _of_function(source, catalog)
    cte = _cte(source, path)
    if cte is not None:
        return _of_cte(cte, path, catalog, depth)
    relation = catalog.relation(source.name, source.schema)
    return relation.columns if relation is not None else None


def _cte(source: Source, path: Sequence[Query]) -> Cte | None:
    if source.schema is not None or source.kind != "relation":
        return None
    return next((cte for query in path for cte in query.ctes if cte.name == source.name), None)


def _of_cte(cte: Cte, path: Sequence[Query], catalog: Catalog, depth: int) -> tuple[Column, ...] | None:
    owner = next(n for n, query in enumerate(path) if cte in query.ctes)
    found = outputs(cte.query, [cte.query, *path[owner:]], catalog, depth + 1) if cte.query and depth < _DEEP else None
    if not cte.columns:
        return found
    types = [column.type for column in found or ()]
    types += [""] * (len(cte.columns) - len(types))
    return tuple(Column(name, kind) for name, kind in zip(cte.columns, types, strict=False))


def outputs(query: Query, path: Sequence[Query], catalog: Catalog, depth: int = 0) -> tuple[Column, ...] | None:
    """Return what a query returns; ``path`` begins with it. None where a ``*`` hides what is not known."""
    if depth >= _DEEP:
        return None
    if query.arms:
        arm = _speaking(query)
        return outputs(arm, [arm, *path], catalog, depth + 1) if arm is not None else None
    if query.kind == "VALUES":
        values = query.clause("VALUES")
        first = next((item for item in values.items if item.word == "()"), None) if values else None
        count = sum(1 for part in divided(first.inside or ()) if part) if first else 0
        return tuple(Column(f"column{n + 1}", "") for n in range(count))
    if query.kind == "TABLE":
        return columns_of(query.sources[0], path, catalog, depth) if query.sources else None
    clause = query.clause("SELECT") or query.clause("RETURNING")
    if clause is None:
        return ()
    found: list[Column] = []
    for part in divided(_without_distinct(clause.items)):
        columns = _of_part(part, path, catalog, depth)
        if columns is None:
            return None
        found.extend(columns)
    return tuple(found)


def _speaking(query: Query) -> Query | None:
    """Return the arm whose columns are the query's: RETURNING of what writes, else the first."""
    if any(arm.target is not None for arm in query.arms):
        return next((arm for arm in query.arms if arm.clause("RETURNING")), None)
    return next(
        (arm for arm in query.arms if arm.kind in {"SELECT", "VALUES"} or arm.arms or arm.clause("RETURNING")), None
    )


def _without_distinct(items: Sequence[Item]) -> Sequence[Item]:
    at = 0
    while at < len(items) and items[at].word in _PASSED:
        at += 1
    if at and at + 1 < len(items) and items[at].word == "ON" and items[at + 1].word == "()":
        at += 2
    return items[at:]


def _of_part(part: Sequence[Item], path: Sequence[Query], catalog: Catalog, depth: int) -> Sequence[Column] | None:
    """Return what one part of a select list returns."""
    if not part:
        return ()
    if part[-1].word == "*" and (len(part) == 1 or part[-2].word == "."):
        return _star(part, path, catalog, depth)
    name, kind = name_of(part), _type(part, path, catalog, depth)
    return (Column(name, kind),)


def _star(part: Sequence[Item], path: Sequence[Query], catalog: Catalog, depth: int) -> Sequence[Column] | None:
    sources = [source for source in path[0].sources if source.kind != "excluded"] if path else []
    if len(part) > 1:
        sources = [source for query in path for source in query.sources if source.called == part[-3:][0].name][:1]
    found: list[Column] = []
    merged: set[str] = set()
    for source in sources:
        columns = columns_of(source, path, catalog, depth)
        if columns is None:
            return None
        merged.update(source.using)
        taken = {column.name for column in found} & merged
        found.extend(column for column in columns if column.name not in taken)
    return found


def name_of(part: Sequence[Item]) -> str:
    """Return the name that PostgreSQL gives an output (``FigureColname`` in ``parse_target.c``)."""
    last = part[-1]
    before = part[-2].word if len(part) > 1 else ""
    if last.name and before == "AS":
        return last.name
    if last.name and last.word not in NO_ALIAS and _ends_operand(part[:-1]):
        return last.name
    return _figured(part)


def _ends_operand(items: Sequence[Item]) -> bool:
    """Return whether an expression may end here, so that a name behind it is its alias."""
    if not items or items[-1].word in NO_ALIAS - {"END", "NULL", "TRUE", "FALSE"}:
        return False
    last = items[-1]
    return bool(last.name) or last.kind in {Kind.NUMBER, Kind.STRING} or last.inside is not None


def _figured(part: Sequence[Item]) -> str:
    cast = next((n for n, item in enumerate(part) if item.word == "::"), None)
    if cast is not None:
        inner = _figured(part[:cast])
        return inner if inner != "?column?" else part[cast + 1].name if cast + 1 < len(part) else inner
    if part[0].word == "CASE":
        return "case"
    if any(item.kind is Kind.OPERATOR for item in part):
        return "?column?"
    for item in reversed(part):
        if item.name and item.word not in NO_ALIAS:
            return item.name
    return part[0].word.lower() if part[0].name else "?column?"


def _type(part: Sequence[Item], path: Sequence[Query], catalog: Catalog, depth: int) -> str:
    """Return the type of an expression where it can be read off it."""
    part = part[: next((n for n, item in enumerate(part) if item.word == "AS"), len(part))]
    names = [item for item in part[:3] if item.name]
    if len(part) in {1, 2} and part[0].kind in {Kind.IDENTIFIER, Kind.QUOTED_IDENTIFIER} and all(i.name for i in part):
        return _column_type(None, part[0].name, path, catalog, depth)
    if len(part) in {3, 4} and part[1].word == "." and len(names) > 1:
        return _column_type(part[0].name, part[2].name, path, catalog, depth)
    cast = next((n for n in range(len(part) - 1, -1, -1) if part[n].word == "::"), None)
    if cast is not None and cast + 1 < len(part):
        return part[cast + 1].name
    if len(part) in {2, 3} and part[0].name and part[1].word == "()":
        results = {function.result for function in catalog.functions(part[0].name)}
        return results.pop() if len(results) == 1 else ""
    return ""


def _column_type(qualifier: str | None, name: str, path: Sequence[Query], catalog: Catalog, depth: int) -> str:
    for source in path[0].sources if path else ():
        if qualifier in {None, source.called}:
            for column in columns_of(source, path, catalog, depth) or ():
                if column.name == name:
                    return column.type
    return ""


def _of_function(source: Source, catalog: Catalog) -> tuple[Column, ...] | None:
    """Return the columns of a function in FROM: TABLE (…), OUT arguments, a relation's row, or one value."""
    found = catalog.functions(source.name, source.schema)
    if not found:
        return None
    function = next((one for one in found if one.returns_set), found[0])
    result = function.result.removeprefix("SETOF ")
    if result.startswith("TABLE("):
        return _declared(result[6:-1])
    out = ", ".join(text for text in _arguments(function) if text.startswith(("OUT ", "INOUT ")))
    if result == "record" and out:
        return _declared(out)
    schema, _, name = result.rpartition(".")
    relation = catalog.relation(name, schema or None)
    if relation is not None:
        return relation.columns
    return None if result == "record" else (Column(source.alias or source.name, result),)


def _arguments(function: Function) -> list[str]:
    text = function.arguments
    return [text[part[0].start : part[-1].end] for part in divided(nested(text)) if part]


def _declared(text: str) -> tuple[Column, ...]:
    """Return the columns of ``name type, …``."""
    found = []
    for part in divided(nested(text)):
        matched = _ARGUMENT.fullmatch(text[part[0].start : part[-1].end]) if part else None
        if matched is not None:
            name = unquoted(matched[1]) if matched[1].startswith('"') else folded(matched[1])
            found.append(Column(name, matched[2]))
    return tuple(found)
