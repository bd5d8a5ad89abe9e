"""What is known, with what may have changed read again: small parts whole, relations by what was written meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.schema import introspect, sweep

if TYPE_CHECKING:
    from tusk_jupyter.schema.catalog import Catalog
    from tusk_jupyter.schema.changes import Changes
    from tusk_jupyter.schema.introspect import Ask, Found


def update(ask: Ask, known: Catalog, found: Found, due: Changes, *, temp: str | None) -> tuple[Catalog, Found] | None:
    """Return what is known now; ``None`` when everything is to be read again."""
    fields: dict[str, object] = {"schemas": introspect.schemas(ask, temp)}
    for part, reading in (
        ("types", introspect.types),
        ("functions", introspect.functions),
        ("names", introspect.names),
    ):
        if part in due.parts:
            fields |= reading(ask, temp)
    keys = known.keys
    if "relations" in due.parts or temp != found.temp:
        if isinstance(keys, tuple):
            return None
        swept = sweep.sweep(ask, found, keys, names=due.names, temp=temp)
        if swept is None:
            return None
        found = swept
    catalog = found.into(replace(known, **fields))  # type: ignore[arg-type]
    # a schema was given another name: the rows of what is in it do not say so
    return (catalog, found) if catalog.by_schema.keys() <= catalog.schemas.keys() else None
