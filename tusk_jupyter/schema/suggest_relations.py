"""The relation that was meant by one that does not exist (42P01), and the source that was meant by its qualifier.

In the order of what people get wrong: the name of a CTE, a name on the ``search_path``, the same name in a schema that
is not on it. A relation that the catalog has by that name is no slip: the session has dropped or renamed it, or may not
see it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from tusk_jupyter.advice import identifier
from tusk_jupyter.schema import scope
from tusk_jupyter.schema.outputs import columns_of, relation_of
from tusk_jupyter.schema.suggest_names import NUMBER, SHORTENED, SLIP, SLIPS, SQUASHED, Near, nearest, nearness, sheet
from tusk_jupyter.schema.suggest_words import Part, Refused, Suggested, chain_at, chains_named, replaced

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tusk_jupyter.schema.catalog import Catalog, Relation
    from tusk_jupyter.schema.scope import Query, Source

READ = frozenset("rvmpf")
_KINDS = {
    "TABLE": frozenset("rp"),
    "VIEW": frozenset("v"),
    "MATERIALIZED": frozenset("m"),
    "FOREIGN": frozenset("f"),
    "SEQUENCE": frozenset("S"),
    "INDEX": frozenset("iI"),
}
_DROPPED = re.compile(r"\s*(?:drop|alter)\s+(\w+)", re.IGNORECASE)
_SYSTEM = ("pg_", "information_schema")
_FEW = 3
_FAR = Near(SLIPS)
_SHEETS: WeakKeyDictionary[Catalog, dict[str, str]] = WeakKeyDictionary()


def relation(refused: Refused, catalog: Catalog) -> Suggested | None:
    """Return what was meant by a relation that does not exist, or by a qualifier that FROM does not have."""
    if refused.offset is None:
        return next(
            (found for chain in chains_named(refused) if (found := _of_chain(refused, chain, [], catalog))), None
        )
    chain = chain_at(refused.statement, refused.offset)
    query = scope.read(refused.statement)
    path = scope.path_to(query, refused.offset)
    if not chain:
        return None
    if len(path[0].sources) and not _is_source(query, refused.offset):
        return _qualifier(chain, path, catalog)
    return _of_chain(refused, chain, path, catalog)


def _is_source(query: Query, offset: int) -> bool:
    return any(source.start == offset for source in query.sources) or any(
        _is_source(inner, offset) for inner in query.inner
    )


def _of_chain(refused: Refused, chain: Sequence[Part], path: Sequence[Query], catalog: Catalog) -> Suggested | None:
    if len(chain) > 2 or "relations" not in catalog.loaded:  # noqa: PLR2004
        return None
    match = _DROPPED.match(refused.statement)
    kinds = _KINDS.get(match[1].upper(), READ) if match and refused.offset is None else READ
    if match and match[0].lower().split()[0] == "alter":
        kinds = READ | kinds
    if len(chain) == 1:
        return _unqualified(chain[0], path, kinds, catalog)
    return _qualified(chain[0], chain[1], kinds, catalog)


def _unqualified(part: Part, path: Sequence[Query], kinds: frozenset[str], catalog: Catalog) -> Suggested | None:
    name = part.name
    if catalog.relation(name) is not None:
        return None
    ctes = [cte.name for query in path for cte in query.ctes]
    found = _near_in(catalog, catalog.search_path, name, kinds, more=ctes)
    if found is not None and (nearness(name, found) or _FAR) <= Near(SQUASHED):
        return _renamed(part, found, is_cte=found in ctes)
    elsewhere = [one for one in _everywhere(catalog, name) if one.relkind in kinds]
    if elsewhere:
        return _in_schemas(part, elsewhere, catalog)
    if found is not None:
        return _renamed(part, found, is_cte=found in ctes)
    others = [
        schema for schema in catalog.schemas if schema not in catalog.search_path and not schema.startswith(_SYSTEM)
    ]
    near = [
        (schema, one)
        for schema in others
        if catalog.schemas[schema].usage and (one := _near_in(catalog, [schema], name, kinds, at_most=NUMBER))
    ]
    if len(near) != 1:
        return None
    schema, found = near[0]
    return _in_schemas(part, [catalog.by_schema[schema][found]], catalog)


def _renamed(part: Part, found: str, *, is_cte: bool) -> Suggested:
    new = identifier(found)
    what = "this statement's WITH has" if is_cte else "there is"
    if new.startswith('"') and found.lower() == part.name.lower():
        return Suggested(f"Its name has capitals, so it needs quotes: `{new}`", part.start, replaced([part], new))
    if part.is_quoted and found == part.name.lower():
        return Suggested(f"A quoted name keeps its capitals, and {what} `{new}`", part.start, replaced([part], new))
    return Suggested(
        f"{what.capitalize() if not is_cte else 'This' + what[4:]} `{new}`", part.start, replaced([part], new)
    )


def _in_schemas(part: Part, relations: Sequence[Relation], catalog: Catalog) -> Suggested | None:
    if len(relations) > _FEW:
        return None
    names = [identifier(one.name, one.schema) for one in relations]
    if len(names) > 1:
        listed = " and ".join(f"`{name}`" for name in names)
        return Suggested(f"There are {listed}, in schemas that are not on the search_path: say which.", part.start)
    path = ", ".join(
        map(identifier, (*(one for one in catalog.search_path if one != "pg_catalog"), relations[0].schema))
    )
    advice = f"`{names[0]}` is in a schema that is not on the search_path: write it so, or `set search_path = {path}`."
    return Suggested(advice, part.start, replaced([part], names[0]))


def _qualified(schema: Part, part: Part, kinds: frozenset[str], catalog: Catalog) -> Suggested | None:
    if schema.name in catalog.schemas or schema.name in catalog.by_schema:
        return _in_known_schema(schema, part, kinds, catalog)
    meant = nearest(schema.name, catalog.schemas, at_most=SLIP)
    if meant is not None:
        there = catalog.by_schema.get(meant, {})
        found = part.name if part.name in there else _near_in(catalog, [meant], part.name, kinds, at_most=SLIP)
        if found is None:
            return None
        new = identifier(found, meant)
        return Suggested(f"The schema is `{identifier(meant)}`", schema.start, replaced([schema, part], new))
    found_in = [one for one in _everywhere(catalog, part.name) if one.relkind in kinds]
    on_path = catalog.relation(part.name)
    if on_path is not None and on_path in found_in and len(found_in) == 1:
        new = identifier(part.name)
        advice = f"There is no schema `{identifier(schema.name)}`: `{new}` is in `{identifier(on_path.schema)}`"
        return Suggested(advice, schema.start, replaced([schema, part], new))
    return None


def _in_known_schema(schema: Part, part: Part, kinds: frozenset[str], catalog: Catalog) -> Suggested | None:
    if part.name in catalog.by_schema.get(schema.name, {}) or schema.name.startswith("pg_temp"):
        return None
    if (found := _near_in(catalog, [schema.name], part.name, kinds)) is not None:
        new = identifier(found, schema.name)
        return Suggested(f"There is `{new}`", part.start, replaced([schema, part], new))
    elsewhere = [one for one in _everywhere(catalog, part.name) if one.relkind in kinds]
    if len(elsewhere) != 1:
        return None
    new = identifier(part.name, elsewhere[0].schema)
    return Suggested(f"It is in another schema: `{new}`", schema.start, replaced([schema, part], new))


def _everywhere(catalog: Catalog, name: str) -> list[Relation]:
    """Return the relations of that name in all schemas of the user's own that may be used."""
    return [
        relations[name]
        for schema, relations in catalog.by_schema.items()
        if name in relations
        and not schema.startswith(_SYSTEM)
        and (schema not in catalog.schemas or catalog.schemas[schema].usage)
    ]


def _sheet(catalog: Catalog, schema: str) -> str:
    """Return the names of a schema's relations, kept with the catalog."""
    kept = _SHEETS.setdefault(catalog, {})
    if schema not in kept:
        kept[schema] = sheet(catalog.by_schema.get(schema, {}))
    return kept[schema]


def _near_in(
    catalog: Catalog,
    schemas: Sequence[str],
    name: str,
    kinds: frozenset[str],
    *,
    at_most: int = SLIPS,
    more: Iterable[str] = (),
) -> str | None:
    """Return the relation of one of these schemas that was meant, or one of ``more`` names."""
    own = set(more)
    sheets = [_sheet(catalog, schema) for schema in schemas if schema != "pg_catalog" or name.startswith("pg_")]

    def is_one(found: str) -> bool:
        near = nearness(name, found)
        if near is None or near.rank == SHORTENED:
            return False  # emp may be there beside employees
        return found in own or any(
            found in catalog.by_schema.get(schema, {}) and catalog.by_schema[schema][found].relkind in kinds
            for schema in schemas
        )

    return nearest(name, own, at_most=at_most, accept=is_one, sheets=sheets)


def _qualifier(chain: Sequence[Part], path: Sequence[Query], catalog: Catalog) -> Suggested | None:
    """Return the source that was meant by the qualifier of a column."""
    part = chain[-2] if len(chain) > 1 else chain[0]
    column = chain[-1].name if len(chain) > 1 else None
    seen = [
        (source, _has(source, path[at:], catalog, column)) for at, query in enumerate(path) for source in query.sources
    ]
    hidden = [source for source, has in seen if source.name == part.name and source.alias and has is not False]
    if hidden:
        if len(hidden) > 1:
            return None
        alias = identifier(hidden[0].called)
        return Suggested(
            f"In this statement `{identifier(part.name)}` is called `{alias}`",
            part.start,
            replaced(chain[:-1] or chain, alias),
        )
    called = [source.called for source, has in seen if has is not False and source.called]
    found = nearest(part.name, called)
    if found is None:
        short = [s.called for s, has in seen if has and s.called and _stands_for(part.name, s)]
        found = short[0] if len(short) == 1 and not part.is_quoted else None
    if found is not None:
        return Suggested(f"FROM has `{identifier(found)}`", part.start, replaced([part], identifier(found)))
    return _not_in_from(part, column, path, catalog)


def _has(source: Source, path: Sequence[Query], catalog: Catalog, column: str | None) -> bool | None:
    """Return whether a source has that column, None where that is not known."""
    columns = columns_of(source, path, catalog)
    if columns is None:
        return None
    return column is None or any(one.name == column for one in columns)


def _stands_for(alias: str, source: Source) -> bool:
    return len(alias) <= _FEW and source.name.startswith(alias)


def _not_in_from(part: Part, column: str | None, path: Sequence[Query], catalog: Catalog) -> Suggested | None:
    """Return how a relation that only the qualifier names is joined, where a foreign key says so."""
    meant = catalog.relation(part.name)
    if meant is None or (column is not None and column not in meant.column_names):
        return None
    found = list(joins(path, catalog, [meant]))
    if len(found) != 1:
        return None
    return Suggested(f"`{identifier(part.name)}` is not in this statement's FROM: `{found[0][1]}`", part.start)


def joins(
    path: Sequence[Query], catalog: Catalog, wanted: Sequence[Relation] | None = None
) -> Iterator[tuple[Relation, str]]:
    """Yield the relations that a foreign key ties to one in FROM, each with the JOIN that it makes."""
    for source in path[0].sources:
        here = relation_of(source, path, catalog)
        if here is None:
            continue
        own = identifier(source.called)
        tied = [
            (key, catalog.relation(key.target, key.target_schema), True)
            for key in catalog.keys_of(here)
            if key.kind == "f"
        ]
        tied += [(key, catalog.relation(key.relation, key.schema), False) for key in catalog.references_to(here)]
        for key, other, is_target in tied:
            if other is None or _same(other, here) or (wanted is not None and other not in wanted):
                continue
            on_path = _same(catalog.relation(other.name), other)
            name = identifier(other.name, None if on_path else other.schema)
            there = identifier(other.name)
            ours, theirs = (key.columns, key.target_columns) if is_target else (key.target_columns, key.columns)
            pairs = zip(theirs, ours, strict=False)
            condition = " and ".join(f"{there}.{identifier(b)} = {own}.{identifier(a)}" for b, a in pairs)
            yield other, f"join {name} on {condition}"


def _same(one: Relation | None, other: Relation) -> bool:
    """Return whether two records are of one relation; the catalog may make them anew."""
    return one is not None and (one.schema, one.name) == (other.schema, other.name)
