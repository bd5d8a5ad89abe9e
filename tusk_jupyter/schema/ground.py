"""What every offer is made from: the catalog, the statement around the cursor, and what is typed of a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tusk_jupyter.schema.finding import Index, match
from tusk_jupyter.schema.outputs import columns_of
from tusk_jupyter.schema.quoting import spelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.schema.catalog import Catalog, Column
    from tusk_jupyter.schema.cursor import Cursor
    from tusk_jupyter.schema.scope import Query, Source
    from tusk_jupyter.schema.suggestions import Suggestion

SYSTEM = frozenset({"pg_catalog", "information_schema", "pg_toast"})


class Candidate(NamedTuple):
    """Something that could stand at the cursor, and how it matches what is typed (:func:`match`)."""

    how: int
    text: str
    kind: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Ground:
    """``path`` are the queries around the cursor, the innermost first; ``upper``: keywords are typed in capitals."""

    cursor: Cursor
    catalog: Catalog
    index: Index
    path: tuple[Query, ...]
    names: tuple[Suggestion, ...] = ()
    upper: bool = False

    def match(self, name: str) -> int | None:
        """Return how a name matches what is typed."""
        return match(name, self.cursor.typed)

    def name(self, name: str, schema: str | None = None, *, routine: bool = False) -> str:
        """Return a name as it is typed here, qualified if a schema is given."""
        taken = self.index.taken.routines if routine else self.index.taken.relations
        quoted = spelled(name, taken, quoted=self.cursor.quote == '"')
        return f"{spelled(schema, self.index.taken.relations)}.{quoted}" if schema is not None else quoted

    def word(self, keyword: str) -> str:
        """Return a keyword in the case that the user writes them."""
        return keyword.upper() if self.upper else keyword

    @property
    def schemas(self) -> tuple[str, ...]:
        """The schemas on the ``search_path``, the system's last."""
        path = self.catalog.search_path
        return (*(name for name in path if name not in SYSTEM), *(name for name in path if name in SYSTEM))

    def sources(self) -> Iterator[tuple[int, Source]]:
        """Yield what columns may come from with how far out it is; 0 is the query at the cursor."""
        start = self.cursor.start
        for depth, query in enumerate(self.path):
            inner = self.path[depth - 1] if depth else None
            own = next((s for s in query.sources if inner is not None and s.body == inner.start), None)
            for source in query.sources:
                hidden = own is not None and (not own.lateral or source.start >= own.start)
                excluded = source.kind == "excluded" and (depth or query.clause("SET") is None)
                if not hidden and not excluded and not source.start <= start <= source.end:
                    yield depth, source

    def columns(self, source: Source, depth: int = 0) -> tuple[Column, ...]:
        """Return the columns of a source, none where they are not known."""
        return columns_of(source, self.path[depth:], self.catalog) or ()

    def qualified(self) -> Source | None:
        """Return the source that the name before the dot means."""
        qualifier = self.cursor.qualifier
        if not qualifier:
            return None
        called, schema = qualifier[-1], qualifier[-2] if len(qualifier) > 1 else None
        for _, source in self.sources():
            if (schema is None and source.called == called) or (schema == source.schema and source.name == called):
                return source
        return None
