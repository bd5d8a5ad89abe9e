"""The column that was meant by one that does not exist (42703).

What a bare name may be: a column of what is in scope, misspelt; a text in double quotes; a name that SELECT gives,
where it is not known yet (:mod:`~tusk_jupyter.schema.suggest_aliases`); a column of a table that is not in FROM. A
qualified one may belong to another source. Where the columns of a source are not known (a temp table, a function's
record), nothing is said of names that could be among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tusk_jupyter.advice import identifier
from tusk_jupyter.errors import Correction
from tusk_jupyter.schema import scope
from tusk_jupyter.schema.nesting import words
from tusk_jupyter.schema.outputs import columns_of
from tusk_jupyter.schema.suggest_aliases import aliases, given_by_select
from tusk_jupyter.schema.suggest_names import CASE, SLIPS, SQUASHED, Near, nearest, nearness
from tusk_jupyter.schema.suggest_relations import joins
from tusk_jupyter.schema.suggest_words import (
    Part,
    Refused,
    Suggested,
    chain_at,
    chains,
    chains_named,
    level_at,
    replaced,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.schema.catalog import Catalog, Relation
    from tusk_jupyter.schema.scope import Query, Source
    from tusk_jupyter.schema.suggest_words import Level

_COMPARED = words("= == <> != < > <= >= like ilike ~~ ~~* ~ ~* !~ !~* between then else")
_LISTED = words("in values any all")
_FEW = 2
_MOST_SPELT = 6
_FAR = Near(SLIPS)


class _Seen(NamedTuple):
    source: Source
    columns: dict[str, str] | None  # name → type, as far as they are known


def column(refused: Refused, catalog: Catalog) -> Suggested | None:
    """Return what was meant by a column that does not exist."""
    if "columns" not in catalog.loaded:
        return None
    if refused.offset is not None:
        chain = chain_at(refused.statement, refused.offset)
        path = scope.path_to(scope.read(refused.statement), refused.offset)
        if not chain:
            return None
        if any(query.sources for query in path):
            seen = [
                _Seen(source, _columns(source, path[at:], catalog)) for at, q in enumerate(path) for source in q.sources
            ]
            if len(chain) > 1:
                return _qualified(chain, seen)
            return _bare(refused, chain[0], seen, path, catalog)
    return _of_command(refused, catalog)


def ambiguous(refused: Refused, catalog: Catalog) -> Suggested | None:
    """Return the spellings of a column that several tables have (42702): of those alone that have it."""
    if "columns" not in catalog.loaded or refused.offset is None:
        return None
    chain = chain_at(refused.statement, refused.offset)
    path = scope.path_to(scope.read(refused.statement), refused.offset)
    if len(chain) != 1 or any(source.kind == "excluded" for source in path[0].sources):
        return None
    seen = [_Seen(source, _columns(source, path, catalog)) for source in path[0].sources]
    if any(one.columns is None or not one.source.called for one in seen):
        return None
    having = [identifier(one.source.called) for one in seen if chain[0].name in (one.columns or ())]
    if not _FEW <= len(having) < len(seen) or len(having) > _MOST_SPELT:
        return None
    spelt = [f"`{called}.{identifier(chain[0].name)}`" for called in having]
    said = f"{', '.join(spelt[:-1])} or {spelt[-1]}"
    return Suggested(f"Say which table's: {said}", chain[0].start)


def _columns(source: Source, path: Sequence[Query], catalog: Catalog) -> dict[str, str] | None:
    found = columns_of(source, path, catalog)
    return None if found is None else {one.name: one.type for one in found}


def _bare(
    refused: Refused, part: Part, seen: Sequence[_Seen], path: Sequence[Query], catalog: Catalog
) -> Suggested | None:
    if (found := given_by_select(refused, part, path, catalog)) is not None:
        return found
    level = level_at(refused.statement, part.start)
    is_value = level is not None and (
        level.word(1) in _COMPARED or (level.before in _LISTED and level.word(1) in {"", ","})
    )
    is_known = all(one.columns is not None for one in seen)
    near = _near_column(part, seen, path, merged=level is not None and level.before == "USING") if is_known else None
    if part.is_quoted and is_value and (near is None or _nearness(part, near[0]) > Near(CASE)):
        return _text(part, refused.statement, level)
    if near is not None and _nearness(part, near[0]) <= Near(SQUASHED):
        return _renamed(part, *near)
    if not is_known:
        return None
    if (elsewhere := _elsewhere(part, path, catalog)) is not None:
        return elsewhere
    if near is not None:
        return _renamed(part, *near)
    return _unquoted_text(part, level.word(1) if level else "", seen, catalog) if is_value else None


def _nearness(part: Part, name: str) -> Near:
    return nearness(part.name, name) or _FAR


def _near_column(
    part: Part, seen: Sequence[_Seen], path: Sequence[Query], *, merged: bool
) -> tuple[str, Source | None] | None:
    """Return the column that is nearest and its source; one that several sources have is ambiguous."""
    columns = {name for one in seen for name in one.columns or ()}
    clause = next((one for one in reversed(path[0].clauses) if one.start <= part.start < one.end), None)
    given = aliases(path[0]) if clause is not None and clause.word in {"ORDER", "GROUP"} else {}
    found = nearest(part.name, columns | set(given))
    if found is None:
        return None
    if found in given:
        return found, None
    owners = [one.source for one in seen if found in (one.columns or ()) and one.source.kind != "excluded"]
    inner = [one for one in owners if one in path[0].sources] or owners
    if not inner or (len([one for one in inner if found not in one.using]) > 1 and not merged):
        return None
    return found, inner[0]


def _renamed(part: Part, name: str, source: Source | None) -> Suggested:
    new = identifier(name)
    if source is None:
        return Suggested(f"SELECT calls it `{new}`", part.start, replaced([part], new))
    where = f"`{new}` is in `{identifier(source.name or source.called)}`" if source.called else f"There is `{new}`"
    if new.startswith('"') and name.lower() == part.name.lower():
        where += ", and needs its quotes: it has capitals"
    elif part.is_quoted and name == part.name.lower():
        where += ", without capitals"
    return Suggested(where, part.start, replaced([part], new))


def _text(part: Part, statement: str, level: Level | None) -> Suggested | None:
    if "\n" in part.name or len(part.name) > 60:  # noqa: PLR2004 a line of advice
        return None
    literal = "'{}'".format(part.name.replace("'", "''"))
    before = level.items[level.at - 1] if level is not None and level.word(1) == "==" else None
    between = statement[before.end : part.start] if before is not None else "\n"
    if before is not None and "\n" not in between:
        return Suggested(None, part.start, Correction(before.start, part.end, f"={between}{literal}"))
    return Suggested(None, part.start, replaced([part], literal))


def _unquoted_text(part: Part, before: str, seen: Sequence[_Seen], catalog: Catalog) -> Suggested | None:
    """Return a word without quotes as the text that it has to be: in capitals, or the label of an enum in sight."""
    if part.is_quoted or before not in _COMPARED:
        return None
    types = {kind for one in seen for kind in (one.columns or {}).values()}
    labels = {label for kind in types if (found := catalog.type(kind)) is not None for label in found.labels}
    is_code = part.text.isupper() and part.text.isalpha() and len(part.text) > 1
    if not is_code and part.text not in labels:
        return None
    return Suggested(f"A text stands in quotes: `'{part.text}'`", part.start, replaced([part], f"'{part.text}'"))


def _elsewhere(part: Part, path: Sequence[Query], catalog: Catalog) -> Suggested | None:
    """Return the tables that have the column and are tied to one in FROM by a foreign key."""
    found: dict[str, Relation] = {}
    for relation, join in joins(path, catalog):
        if part.name in relation.column_names:
            found.setdefault(join, relation)
    tables = {(relation.schema, relation.name) for relation in found.values()}
    if not found or len(found) > _FEW or len(tables) > _FEW:
        return None
    name = identifier(part.name)
    said = [f"`{identifier(relation.name)}`: `{join}`" for join, relation in found.items()]
    return Suggested(f"`{name}` is not in FROM, but in {', or in '.join(said)}", part.start)


def _qualified(chain: Sequence[Part], seen: Sequence[_Seen]) -> Suggested | None:
    qualifier, part = chain[-2:]
    own = next((one for one in seen if one.source.called == qualifier.name), None)
    if own is None or own.columns is None:
        return None
    found = nearest(part.name, own.columns)
    if found is not None and _nearness(part, found) <= Near(SQUASHED):
        return _renamed(part, found, own.source)
    others = [one.source for one in seen if one is not own and part.name in (one.columns or ())]
    if len(others) == 1 and others[0].called and others[0].kind != "excluded":
        new = f"{identifier(others[0].called)}.{identifier(part.name)}"
        advice = f"`{identifier(part.name)}` is in `{identifier(others[0].name or others[0].called)}`"
        return Suggested(advice, qualifier.start, replaced([qualifier, part], new))
    if others:
        return None
    return _renamed(part, found, own.source) if found is not None else None


def _of_command(refused: Refused, catalog: Catalog) -> Suggested | None:
    """Return the column that was meant in DDL, among those of the relations that the statement names."""
    named = chains_named(refused) if refused.offset is None else [chain_at(refused.statement, refused.offset)]
    relations: list[Relation] = []
    for chain in chains(refused.statement):
        for names in (chain, chain[:-1]):
            schema = names[-2].name if len(names) > 1 else None
            found = catalog.relation(names[-1].name, schema) if names else None
            if found is not None and found not in relations:
                relations.append(found)
    columns = {name for relation in relations for name in relation.column_names}
    for chain in reversed(named):
        if chain and chain[-1].name not in columns and not any(chain[-1].name == one.name for one in relations):
            found_name = nearest(chain[-1].name, columns)
            if found_name is None:
                return None
            owner = next(one for one in relations if found_name in one.column_names)
            new = identifier(found_name)
            return Suggested(f"`{new}` is in `{identifier(owner.name)}`", chain[-1].start, replaced(chain[-1:], new))
    return None
