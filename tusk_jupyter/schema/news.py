"""What a read has found to be new, told to those who listen: ``Tusk.events``. Without them nothing is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tusk_jupyter.events import SchemaEvent
from tusk_jupyter.schema.catalog import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.events import Events
    from tusk_jupyter.schema.catalog import Catalog

_RELKINDS: Final = {
    "r": "table",
    "p": "table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "i": "index",
    "I": "index",
    "S": "sequence",
    "c": "type",
}
_KINDS: Final = {"f": "function", "p": "procedure", "a": "aggregate", "w": "function"}


def refresh_started(events: Events, connection_id: str) -> None:
    """Tell that a read begins."""
    if events.are_heard:
        events.emit(SchemaEvent("refresh_started", connection_id))


def refresh_completed(events: Events, connection_id: str, before: Catalog, after: Catalog) -> None:
    """Tell what is there now and was not, what is not there any more, and that the read is over.

    The first read finds everything, and says of nothing that it was made.
    """
    if not events.are_heard:
        return
    if before.loaded == frozenset(PARTS) and after is not before:
        old, new = set(_objects(before)), set(_objects(after))
        for object_type, name in sorted(old - new):
            events.emit(SchemaEvent("object_dropped", connection_id, object_type, name))
        for object_type, name in sorted(new - old):
            events.emit(SchemaEvent("object_created", connection_id, object_type, name))
    events.emit(SchemaEvent("refresh_completed", connection_id))


def _objects(catalog: Catalog) -> Iterator[tuple[str, str]]:
    for name in catalog.schemas:
        yield "schema", name
    for relation in catalog.relations():
        yield _RELKINDS.get(relation.relkind, "relation"), f"{relation.schema}.{relation.name}"
    for functions in catalog.functions_by_name.values():
        for function in functions:
            yield (
                _KINDS.get(function.kind, "function"),
                f"{function.schema}.{function.name}({', '.join(function.types)})",
            )
    for found in catalog.types:
        if found.kind != "c":
            yield "domain" if found.kind == "d" else "type", f"{found.schema}.{found.name}"
    for kind in ("extension", "role", "database"):
        for name in catalog.names.get(kind, ()):
            yield kind, name
