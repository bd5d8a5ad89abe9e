"""Join conditions along foreign keys, and the tables that one could join.

Where no foreign key says so, a table whose primary key's columns are all in the other, by name and type, is joined by
those: data sets that were never clean enough for a constraint are the ones that are explored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.schema.finding import PREFIX
from tusk_jupyter.schema.ground import Candidate, Ground
from tusk_jupyter.schema.outputs import relation_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tusk_jupyter.schema.catalog import Key, Relation
    from tusk_jupyter.schema.scope import Source

    Pairs = tuple[tuple[str, str], ...]


def foreign_keys(ground: Ground, relation: Relation) -> Iterator[Key]:
    """Yield the foreign keys of a relation, and those that refer to it from others."""
    own = (relation.schema, relation.name)
    yield from (key for key in ground.catalog.keys_of(relation) if key.kind == "f")
    yield from (key for key in ground.catalog.references_to(relation) if (key.schema, key.relation) != own)


def _joined(ground: Ground) -> tuple[Source, list[Source]] | None:
    """Return what is joined last before the cursor, and what it may be joined to."""
    if not ground.path:
        return None
    before = [source for source in ground.path[0].sources if source.end <= ground.cursor.start and source.called]
    return (before[-1], before[:-1]) if len(before) > 1 else None


def _pairs(ground: Ground, new: Source, old: Source) -> Iterator[Pairs]:
    """Yield the columns by which two sources are joined: along each foreign key, or by a primary key."""
    path = list(ground.path)
    first, second = relation_of(new, path, ground.catalog), relation_of(old, path, ground.catalog)
    if first is None or second is None:
        return
    found = False
    for key in foreign_keys(ground, first):
        own, target = (key.schema, key.relation), (key.target_schema, key.target)
        if own == (first.schema, first.name) and target == (second.schema, second.name):
            found = True
            yield tuple(zip(key.columns, key.target_columns, strict=False))
        if target == (first.schema, first.name) and own == (second.schema, second.name):
            found = True
            yield tuple(zip(key.target_columns, key.columns, strict=False))
    if not found:
        yield from _by_primary_key(ground, first, second)


def _by_primary_key(ground: Ground, first: Relation, second: Relation) -> Iterator[Pairs]:
    types = [{column.name: column.type for column in relation.columns} for relation in (first, second)]
    for relation in (first, second):
        key = next((key for key in ground.catalog.keys_of(relation) if key.kind == "p"), None)
        if key is not None and all(name in types[0] and types[0][name] == types[1].get(name) for name in key.columns):
            yield tuple((name, name) for name in key.columns)
            return


def _conditions(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the conditions that join what was joined last; behind ``detail``, which is «on »."""
    joined = _joined(ground)
    if joined is None or ground.cursor.quote or ground.cursor.qualifier:
        return
    new, others = joined
    for old in reversed(others):
        for pairs in _pairs(ground, new, old):
            text = _condition(ground, pairs, new.called, old.called)
            before = f"{ground.word('on')} " if detail else ""
            how = ground.match(before + text)
            if how == PREFIX:
                yield Candidate(PREFIX, before + text, "join")


def counterparts(ground: Ground, name: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the columns that a column is joined with, to stand behind its ``=``."""
    if len(name) < 2 or not ground.path:  # noqa: PLR2004 an alias and a column
        return
    sources = [source for source in ground.path[0].sources if source.called]
    own = next((source for source in sources if source.called == name[-2]), None)
    for other in sources if own is not None else ():
        for pairs in _pairs(ground, own, other) if own is not None and other is not own else ():
            for a, b in pairs:
                text = ground.name(b, other.called)
                how = ground.match(text)
                if a == name[-1] and how is not None:
                    yield Candidate(how, text, "column", f"joins {a}")


def _joins(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    del detail
    yield from _conditions(ground, ("on",))


def _using(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the columns that both sides have, those of a foreign key first."""
    del detail
    joined = _joined(ground)
    if joined is None:
        return
    new, others = joined
    before = {column.name for source in others for column in ground.columns(source)}
    keyed = [a for old in others for pairs in _pairs(ground, new, old) for a, b in pairs if a == b]
    common = [column for column in ground.columns(new) if column.name in before]
    for column in sorted(common, key=lambda column: column.name not in keyed):
        how = ground.match(column.name)
        if how is not None:
            yield Candidate(how, ground.name(column.name), "column", column.type)


def _related(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the tables that foreign keys tie to those in scope; with ``detail``, behind them the joins as a whole."""
    if ground.cursor.qualifier or not ground.path:
        return
    seen: set[str] = set()
    joins: list[Candidate] = []
    for source in ground.path[0].sources:
        relation = relation_of(source, list(ground.path), ground.catalog)
        for key in foreign_keys(ground, relation) if relation is not None and source.called else ():
            is_own = relation is not None and (key.schema, key.relation) == (relation.schema, relation.name)
            schema, name = (key.target_schema, key.target) if is_own else (key.schema, key.relation)
            how = ground.match(name)
            if how is None:
                continue
            shown = (found := ground.catalog.relation(name)) is not None and found.schema == schema
            text = ground.name(name, None if shown else schema)
            if text not in seen:
                seen.add(text)
                yield Candidate(how, text, "table", f"{', '.join(key.columns)} → {key.target}")
            ours, theirs = (key.columns, key.target_columns) if is_own else (key.target_columns, key.columns)
            if not ground.cursor.quote and name != source.called:
                condition = _condition(ground, tuple(zip(theirs, ours, strict=False)), name, source.called)
                joins.append(Candidate(how, f"{text} {ground.word('on')} {condition}", "join"))
    yield from joins if detail else ()


def _condition(ground: Ground, pairs: Pairs, new: str, old: str) -> str:
    return f" {ground.word('and')} ".join(f"{ground.name(a, new)} = {ground.name(b, old)}" for a, b in pairs)


OFFERS: dict[str, Callable[[Ground, tuple[str, ...]], Iterator[Candidate]]] = {
    "joins": _joins,
    "conditions": _conditions,
    "using": _using,
    "related": _related,
}
