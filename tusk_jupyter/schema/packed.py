"""Relations and their constraints as they came from the server, as text; records only of what is asked for.

Of 100,000 tables a session looks at a dozen. A record for each, or a tuple, would be objects that Python's garbage
collector goes through: measured while 200,000 came in, it held the whole kernel for 40 to 95 ms at a time, and at each
full collection from then on. Texts it does not look at. A record costs 3 microseconds when it is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tusk_jupyter.schema.catalog import Key, Relation

if TYPE_CHECKING:
    from collections.abc import Iterator


def relkind(facts: str) -> str:
    """Return the kind of a relation: facts are ``r16384 ["owner",rows,pages,"comment","privileges"]``."""
    return facts[0]


def oid(facts: str) -> int:
    """Return the oid of a relation."""
    return int(facts[1 : facts.index(" ")])


class Relations(Mapping[str, Relation]):
    """The relations of one schema by name; what it is made of does not change any more."""

    __slots__ = ("_columns", "facts", "schema")

    def __init__(self, schema: str, facts: dict[str, str], columns: Mapping[int, str]) -> None:
        self.schema = schema
        self.facts = facts
        self._columns = columns

    def __getitem__(self, name: str) -> Relation:
        facts = self.facts[name]
        kind, number = relkind(facts), oid(facts)
        owner, rows, pages, comment, privileges = json.loads(facts[facts.index(" ") :])
        columns = self._columns.get(number, "[]")
        return Relation(self.schema, name, kind, number, owner, rows, pages, comment, privileges, columns)

    def __contains__(self, name: object) -> bool:
        return name in self.facts

    def __iter__(self) -> Iterator[str]:
        return iter(self.facts)

    def __len__(self) -> int:
        return len(self.facts)


class Keys:
    """The constraints of all relations: ``packed`` has those of each, by its oid, as JSON: schema, relation, keys."""

    __slots__ = ("_references", "packed", "targets")

    def __init__(self, packed: dict[int, str], targets: dict[int, str]) -> None:
        self.packed = packed
        self.targets = targets  # the oids that the foreign keys of one refer to: "16384,16390"
        self._references: dict[int, int | list[int]] = {}
        for source, listed in targets.items():
            for target in dict.fromkeys(map(int, listed.split(","))):
                self._refer(source, target)

    def _refer(self, source: int, target: int) -> None:
        there = self._references.setdefault(target, source)
        if isinstance(there, list):
            there.append(source)
        elif there != source:
            self._references[target] = [there, source]

    def __iter__(self) -> Iterator[Key]:
        for number in self.packed:
            yield from self._unpacked(number)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def of(self, relation: Relation) -> tuple[Key, ...]:
        """Return a relation's own constraints."""
        return self._unpacked(relation.oid)

    def to(self, relation: Relation) -> tuple[Key, ...]:
        """Return the foreign keys that refer to a relation."""
        keys = (key for source in self.sources(relation.oid) for key in self._unpacked(source))
        at = (relation.schema, relation.name)
        return tuple(key for key in keys if key.kind == "f" and (key.target_schema, key.target) == at)

    def sources(self, target: int) -> list[int]:
        """Return the oids of the relations with a foreign key to that one."""
        found = self._references.get(target, [])
        return found if isinstance(found, list) else [found]

    def _unpacked(self, number: int) -> tuple[Key, ...]:
        packed = self.packed.get(number)
        if packed is None:
            return ()
        schema, relation, keys = json.loads(packed)
        return tuple(_key(schema, relation, values) for values in keys)


def _key(schema: str, relation: str, values: list[Any]) -> Key:
    name, kind, columns, definition, target_schema, target, target_columns = values
    to = tuple(target_columns)
    return Key(schema, relation, name, kind, tuple(columns), definition or "", target_schema, target, to)
