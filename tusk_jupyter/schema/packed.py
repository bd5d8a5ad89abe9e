"""Relations and their constraints as they came from the server: facts in tuples, and records only of what is asked for.

Of 100,000 tables a session looks at a dozen. A record for each would be 100,000 objects that Python's garbage collector
goes through at every full collection of the kernel, as long as the connection lasts (30 ms more for each, measured);
a tuple of texts and numbers it leaves alone. A record costs a microsecond when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from tusk_jupyter.schema.catalog import Key, Relation

if TYPE_CHECKING:
    from collections.abc import Iterator

# relkind, oid, owner, rows, pages, comment, privileges: the fields of a Relation between its name and its columns
Facts = tuple[str, int, str, float | None, int, str | None, str]
OID: Final = 1


class Relations(Mapping[str, Relation]):
    """The relations of one schema by name; what it is made of does not change any more."""

    __slots__ = ("_columns", "facts", "schema")

    def __init__(self, schema: str, facts: dict[str, Facts], columns: Mapping[int, str]) -> None:
        self.schema = schema
        self.facts = facts
        self._columns = columns

    def __getitem__(self, name: str) -> Relation:
        found = self.facts[name]
        return Relation(self.schema, name, *found, packed=self._columns.get(found[OID], "[]"))

    def __contains__(self, name: object) -> bool:
        return name in self.facts

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)


class Keys:
    """The constraints of all relations: ``packed`` has those of each, by its oid, as JSON: schema, relation, keys."""

    __slots__ = ("_references", "packed", "targets")

    def __init__(self, packed: dict[int, str], targets: dict[int, tuple[int, ...]]) -> None:
        self.packed = packed
        self.targets = targets
        self._references: dict[int, list[int]] = {}
        for source, referred in targets.items():
            for target in dict.fromkeys(referred):
                self._references.setdefault(target, []).append(source)

    def __iter__(self) -> Iterator[Key]:
        for oid in self.packed:
            yield from self._unpacked(oid)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def of(self, relation: Relation) -> tuple[Key, ...]:
        """Return a relation's own constraints."""
        return self._unpacked(relation.oid)

    def to(self, relation: Relation) -> tuple[Key, ...]:
        """Return the foreign keys that refer to a relation."""
        keys = (key for source in self._references.get(relation.oid, ()) for key in self._unpacked(source))
        at = (relation.schema, relation.name)
        return tuple(key for key in keys if key.kind == "f" and (key.target_schema, key.target) == at)

    def sources(self, target: int) -> list[int]:
        """Return the oids of the relations with a foreign key to that one."""
        return self._references.get(target, [])

    def _unpacked(self, oid: int) -> tuple[Key, ...]:
        packed = self.packed.get(oid)
        if packed is None:
            return ()
        schema, relation, keys = json.loads(packed)
        return tuple(_key(schema, relation, values) for values in keys)


def _key(schema: str, relation: str, values: list[Any]) -> Key:
    name, kind, columns, definition, target_schema, target, target_columns = values
    to = tuple(target_columns)
    return Key(schema, relation, name, kind, tuple(columns), definition or "", target_schema, target, to)
