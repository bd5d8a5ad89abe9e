"""The columns that a place may want, and the values that one of them takes."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

from tusk_jupyter.schema.clauses import column_before
from tusk_jupyter.schema.finding import PREFIX
from tusk_jupyter.schema.from_clause import divided
from tusk_jupyter.schema.ground import SYSTEM, Candidate, Ground
from tusk_jupyter.schema.offered_joins import counterparts
from tusk_jupyter.schema.outputs import name_of, outputs, relation_of
from tusk_jupyter.schema.quoting import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tusk_jupyter.schema.catalog import Column

_MOST_RELATIONS = 2_000  # of which columns are sought while nothing is in scope


def _columns(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the columns in scope; those of the qualifier, if there is one."""
    del detail
    if ground.cursor.qualifier:
        yield from _qualified(ground)
        return
    in_scope = [(depth, source, ground.columns(source, depth)) for depth, source in ground.sources()]
    if not in_scope:
        yield from _anywhere(ground)
    seen: set[str] = set()
    for level in sorted({depth for depth, _, _ in in_scope}):
        here = [(source, columns) for depth, source, columns in in_scope if depth == level]
        merged = {name for source, _ in here for name in source.using}
        count = Counter(column.name for _, columns in here for column in columns)
        for source, columns in here:
            for column in columns:
                how = ground.match(column.name) if column.name != "?column?" else None
                if how is None or (column.name in merged and column.name in seen):
                    continue
                clear = (count[column.name] == 1 or column.name in merged) and column.name not in seen
                yield _column(ground, column, how, None if clear else source.called)
                if column.name in merged:
                    seen.add(column.name)
        seen.update(count)


def _column(ground: Ground, column: Column, how: int, qualifier: str | None = None, about: str = "") -> Candidate:
    name = ground.name(column.name, qualifier)
    if qualifier is not None and ground.cursor.quote:
        return Candidate(how, ground.name(column.name), "column", column.type)
    return Candidate(how, name, "column", f"{column.type} {about}".strip())


def _qualified(ground: Ground) -> Iterator[Candidate]:
    source = ground.qualified()
    if source is not None:
        depth = next((n for n, query in enumerate(ground.path) if source in query.sources), 0)
        columns: Sequence[Column] = ground.columns(source, depth)
    else:
        schema, name = ([None, None, *ground.cursor.qualifier])[-2:]
        relation = ground.catalog.relation(name or "", schema)
        columns = relation.columns if relation is not None else ()
    for column in columns:
        how = ground.match(column.name)
        if how is not None:
            yield _column(ground, column, how)
    if not ground.cursor.typed and not ground.cursor.quote and columns:
        yield Candidate(PREFIX, "*", "column", f"all {len(columns)} columns")


def _anywhere(ground: Ground) -> Iterator[Candidate]:
    """Yield the columns of all tables while no FROM says which: the select list is often written first."""
    typed = ground.cursor.typed
    schemas = [ground.catalog.by_schema.get(name, {}) for name in ground.schemas if name not in SYSTEM]
    if not typed or sum(map(len, schemas)) > _MOST_RELATIONS:
        return
    where: dict[str, list[tuple[str, Column]]] = {}
    for relations in schemas:
        for relation in relations.values():
            if relation.relkind in "rpvmf" and typed.lower() in relation.packed.lower():
                for column in relation.columns:
                    where.setdefault(column.name, []).append((relation.name, column))
    for name in sorted(where):
        how = ground.match(name)
        if how is not None:
            tables = [table for table, _ in where[name]]
            about = tables[0] + (f" (+{len(tables) - 1})" if len(tables) > 1 else "")
            yield _column(ground, where[name][0][1], how, about=f"of {about}")


def _star(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    del detail
    if not ground.cursor.typed and not ground.cursor.quote and not ground.cursor.qualifier:
        yield Candidate(PREFIX, "*", "column")


def _sources(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the names that qualify columns."""
    del detail
    if ground.cursor.qualifier:
        return
    for _, source in ground.sources():
        how = ground.match(source.called) if source.called else None
        if how is not None:
            yield Candidate(how, ground.name(source.called), "alias", source.name if source.alias else source.kind)


def _target(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the columns that INSERT or UPDATE may write, but those that ``detail`` has already."""
    target = next((query.target for query in ground.path if query.target is not None), None)
    if target is None:
        return
    free = [c for c in ground.columns(target) if c.name not in detail and not c.generated]
    for column in sorted(free, key=lambda column: column.identity == "a"):
        how = ground.match(column.name)
        if how is not None:
            yield _column(ground, column, how)


def _conflict(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield columns for ON CONFLICT, those of unique keys first."""
    target = next((query.target for query in ground.path if query.target is not None), None)
    relation = relation_of(target, ground.path, ground.catalog) if target is not None else None
    if relation is None:
        return
    unique = [name for key in ground.catalog.keys_of(relation) if key.kind in "pu" for name in key.columns]
    rank = {name: n for n, name in reversed(list(enumerate(unique)))}
    for column in sorted(relation.columns, key=lambda column: rank.get(column.name, len(unique))):
        how = ground.match(column.name)
        if how is not None and column.name not in detail:
            yield _column(ground, column, how)


def _outputs(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield what the select list names; ``detail``: without what an aggregate makes."""
    if ground.cursor.qualifier or not ground.path:
        return
    query = ground.path[0]
    clause = query.clause("SELECT")
    aggregates: set[str] = set()
    for part in divided(clause.items) if clause is not None and detail else ():
        called = [item.name for item, behind in pairwise(part) if behind.word == "()"]
        if any(one.kind in "aw" for name in called for one in ground.catalog.functions_by_name.get(name, ())):
            aggregates.add(name_of(part))
    star = clause is not None and any(item.word == "*" for item in clause.items)
    for column in () if star else outputs(query, list(ground.path), ground.catalog) or ():
        how = ground.match(column.name)
        if how is not None and column.name not in aggregates and column.name != "?column?":
            yield _column(ground, column, how)


def _grouped(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the columns by which the query groups: of its others, HAVING takes what is aggregated alone."""
    del detail
    groups, selected = (ground.path[0].clause(word) if ground.path else None for word in ("GROUP", "SELECT"))
    chosen = list(divided(selected.items)) if selected is not None else []
    names: list[str] = []
    for part in divided(groups.items[1:]) if groups is not None else ():  # behind its BY
        word = ground.cursor.text[part[0].start : part[-1].end] if part else ""
        meant = chosen[int(word) - 1] if word.isdecimal() and 0 < int(word) <= len(chosen) else part
        names += [name[-1] for name in [column_before(meant)] if len(meant) == max(2 * len(name) - 1, 1) and name]
    for depth, source in ground.sources():
        for column in ground.columns(source, depth) if not depth and not ground.cursor.qualifier else ():
            how = ground.match(column.name) if column.name in names else None
            if how is not None:
                yield _column(ground, column, how, source.called if _is_shared(ground, column.name) else None)


def _is_shared(ground: Ground, name: str) -> bool:
    owners = (any(c.name == name for c in ground.columns(one, n)) for n, one in ground.sources() if not n)
    return sum(owners) > 1


def _values(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the values of the column that is compared: labels of an enum, true and false, a parameter of its name."""
    found = _compared(ground, detail)
    if not ground.cursor.quote and not ground.cursor.qualifier:
        yield from _proposed(ground, detail)
        yield from counterparts(ground, detail)
    if found is not None:
        yield from _values_of(ground, found)


def _proposed(ground: Ground, name: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the row's own value in ON CONFLICT … SET: ``name = excluded.name``."""
    excluded = next((source for depth, source in ground.sources() if source.kind == "excluded" and not depth), None)
    text = f"excluded.{ground.name(name[-1])}"
    if excluded is not None and len(name) == 1 and ground.match(text) == PREFIX:
        yield Candidate(PREFIX, text, "column", "the row proposed")


def _compared(ground: Ground, name: tuple[str, ...]) -> Column | None:
    for depth, source in ground.sources():
        if len(name) == 1 or source.called == name[-2]:
            for column in ground.columns(source, depth):
                if column.name == name[-1]:
                    return column
    return None


def _values_of(ground: Ground, column: Column) -> Iterator[Candidate]:
    if ground.cursor.qualifier:
        return
    quote = ground.cursor.quote
    for name in ground.names if not quote else ():
        if name.text == column.name and ground.match(f":{name.text}") is not None:
            yield Candidate(PREFIX, f":{name.text}", "parameter", name.signature)
    if column.type == "boolean" and not quote:
        for word in ("true", "false"):
            if word.startswith(ground.cursor.typed):
                yield Candidate(PREFIX, ground.word(word), "value", "boolean")
    known = ground.catalog.type(column.type)
    for label in known.labels if known is not None and quote != '"' else ():
        how = ground.match(label)
        if how is not None:
            yield Candidate(how, literal(label), "value", column.type)


def _inserted(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the values of the column that this place of VALUES is for."""
    query = next((query for query in ground.path if query.target is not None), None)
    if query is None or query.target is None:
        return
    columns = ground.columns(query.target)
    into = query.clause("INTO")
    group = next((item for item in into.items if item.word == "()"), None) if into else None
    names = [item.name for item in group.inside or () if item.name] if group else [column.name for column in columns]
    name = names[int(detail[0])] if int(detail[0]) < len(names) else ""
    for column in columns:
        if column.name == name:
            yield from _values_of(ground, column)


OFFERS: dict[str, Callable[[Ground, tuple[str, ...]], Iterator[Candidate]]] = {
    "columns": _columns,
    "star": _star,
    "sources": _sources,
    "target": _target,
    "conflict": _conflict,
    "outputs": _outputs,
    "grouped": _grouped,
    "values": _values,
    "inserted": _inserted,
}
