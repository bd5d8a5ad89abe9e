"""What statements other than queries want: settings with their values, columns and constraints of a named table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.schema.finding import PREFIX
from tusk_jupyter.schema.ground import Candidate, Ground
from tusk_jupyter.schema.quoting import literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tusk_jupyter.schema.catalog import Relation

# what people set by hand, before the 350 others
_COMMON = (
    "search_path statement_timeout work_mem timezone datestyle lock_timeout role client_min_messages "
    "standard_conforming_strings default_transaction_read_only jit max_parallel_workers_per_gather enable_seqscan"
)
_BOOLEAN = ("on", "off")


def _settings(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    del detail
    common = {name: n for n, name in enumerate(_COMMON.split())}
    found = []
    typed = ".".join((*ground.cursor.qualifier, ground.cursor.typed))
    for name, setting in ground.catalog.settings.items():
        how = ground.match(name) if not ground.cursor.qualifier else PREFIX if name.startswith(typed) else None
        if how is not None and setting.context not in {"internal", "postmaster"}:
            text = name.removeprefix(typed.rpartition(".")[0] + ".") if ground.cursor.qualifier else name
            found.append((how, common.get(name.lower(), len(common)), name.lower(), text, setting.description))
    for how, _, _, text, description in sorted(found):
        yield Candidate(how, text, "setting", description)


def _setting_values(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the values of a setting: those of an enum, on and off, schemas for search_path."""
    name = ".".join(detail)
    if name == "search_path":
        for schema in ground.catalog.schemas:
            how = ground.match(schema)
            if how is not None and not schema.startswith("pg_"):
                yield Candidate(how, ground.name(schema), "schema")
        return
    known = {setting.name.lower(): setting for setting in ground.catalog.settings.values()}.get(name)
    values = _BOOLEAN if known is not None and known.type == "bool" else known.values if known is not None else ()
    for value in values:
        how = ground.match(value)
        if how is not None:
            bare = value.replace("_", "").isalnum() and not ground.cursor.quote
            yield Candidate(how, value if bare else literal(value), "value", name)


def _named(ground: Ground, detail: tuple[str, ...]) -> Relation | None:
    if not detail:
        return None
    return ground.catalog.relation(detail[-1], detail[-2] if len(detail) > 1 else None)


def _table_columns(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    relation = _named(ground, detail)
    for column in relation.columns if relation is not None else ():
        how = ground.match(column.name)
        if how is not None:
            yield Candidate(how, ground.name(column.name), "column", column.type)


def _columns_of_tables(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the columns of the table before the dot; it is typed first."""
    del detail
    yield from _table_columns(ground, ground.cursor.qualifier)


def _table_constraints(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    relation = _named(ground, detail)
    for key in ground.catalog.keys_of(relation) if relation is not None else ():
        how = ground.match(key.name)
        if how is not None:
            yield Candidate(how, ground.name(key.name), "constraint", key.definition)


def _type_labels(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    known = ground.catalog.type(".".join(detail))
    for label in known.labels if known is not None and ground.cursor.quote != '"' else ():
        how = ground.match(label)
        if how is not None:
            yield Candidate(how, literal(label), "value", known.name if known is not None else "")


def _given(ground: Ground, detail: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the columns that the statement itself defines."""
    for name in detail:
        how = ground.match(name)
        if how is not None:
            yield Candidate(how, ground.name(name), "column")


OFFERS: dict[str, Callable[[Ground, tuple[str, ...]], Iterator[Candidate]]] = {
    "settings": _settings,
    "setting values": _setting_values,
    "table columns": _table_columns,
    "table constraints": _table_constraints,
    "columns of tables": _columns_of_tables,
    "type labels": _type_labels,
    "given": _given,
}
