"""Which names a few typed letters mean, found among a hundred thousand.

Case does not count. A name that begins with the letters comes first, then one with a word in it that does (after
``_``), then one that has them anywhere; letters scattered over a name were refused, because what matches and what does
not would be anybody's guess. To find is to search one text that holds all names: 3 ms in 100,000 of them. It is made
once for a catalog, and shared with those that differ in their ``search_path`` only: 0.2 s for as many, so whoever reads
a catalog calls :func:`index_of` where nobody waits.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

from tusk_jupyter.schema.quoting import Taken, taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tusk_jupyter.schema.catalog import Catalog, Function, Key, Relation

PREFIX, WORD, WITHIN = 0, 1, 2
_SHORTEST_WITHIN = 2  # one letter is in nearly every name
_T = TypeVar("_T")


def match(name: str, typed: str) -> int | None:
    """Return how a name matches what is typed, the less the better; None where it does not."""
    name, typed = name.lower(), typed.lower()
    if name.startswith(typed):
        return PREFIX
    if f"_{typed}" in name:
        return WORD
    return WITHIN if len(typed) >= _SHORTEST_WITHIN and typed in name else None


class Names(Generic[_T]):
    """Names with what they stand for, to be found as :func:`match` says."""

    __slots__ = ("_named", "_starts", "_text")

    def __init__(self, named: Iterable[tuple[str, _T]]) -> None:
        self._named = sorted(named, key=lambda pair: pair[0])
        folded = [name.lower() for name, _ in self._named]
        self._text = "\0" + "\0".join(folded) + "\0"
        self._starts = list(accumulate((len(name) + 1 for name in folded), initial=1))

    def find(self, typed: str, limit: int, *, worst: int = WITHIN) -> Iterator[tuple[int, _T]]:
        """Yield up to ``limit`` of each kind of match, the best first, with how they match."""
        typed = typed.lower()
        seen: set[int] = set()
        for how, sought in ((PREFIX, f"\0{typed}"), (WORD, f"_{typed}"), (WITHIN, typed)):
            if how > worst or (not typed and how) or (how == WITHIN and len(typed) < _SHORTEST_WITHIN):
                return
            for n in self._places(sought, limit):
                if n not in seen:
                    seen.add(n)
                    yield how, self._named[n][1]

    def _places(self, sought: str, limit: int) -> Iterator[int]:
        at = self._text.find(sought)
        while at >= 0 and limit:
            n = bisect_right(self._starts, at + (sought[0] == "\0")) - 1
            if n >= len(self._named):
                return
            yield n
            limit -= 1
            at = self._text.find(sought, self._starts[n + 1] - 1)


class Index:
    """What is found by name in one catalog, and its foreign keys by relation."""

    __slots__ = ("by_schema", "functions", "functions_by_name", "keys", "relations", "source", "taken")

    def __init__(self, catalog: Catalog) -> None:
        self.by_schema, self.functions_by_name, self.source = catalog.by_schema, catalog.functions_by_name, catalog.keys
        self.relations: Names[Relation] = Names(
            (name, relation) for names in list(catalog.by_schema.values()) for name, relation in list(names.items())
        )
        self.functions: Names[tuple[Function, ...]] = Names(list(catalog.functions_by_name.items()))
        self.keys = _by_relation(catalog.keys)
        self.taken: Taken = taken(catalog.keywords)

    def serves(self, catalog: Catalog) -> bool:
        """Return whether a catalog has the same things in it."""
        return (
            catalog.by_schema is self.by_schema
            and catalog.functions_by_name is self.functions_by_name
            and catalog.keys is self.source
        )

    def foreign_keys(self, schema: str, name: str) -> tuple[Key, ...]:
        """Return the foreign keys of a relation and those that refer to it."""
        return tuple(self.keys.get((schema, name), ()))


def _by_relation(keys: Iterable[Key]) -> dict[tuple[str, str], list[Key]]:
    found: dict[tuple[str, str], list[Key]] = {}
    for key in keys:
        if key.kind == "f":
            own, target = (key.schema, key.relation), (key.target_schema, key.target)
            found.setdefault(own, []).append(key)
            if target != own:
                found.setdefault(target, []).append(key)
    return found


_indexes: WeakKeyDictionary[Catalog, Index] = WeakKeyDictionary()


def index_of(catalog: Catalog) -> Index:
    """Return the index of a catalog, made at the first call."""
    found = _indexes.get(catalog)
    if found is None:
        found = next((index for index in list(_indexes.values()) if index.serves(catalog)), None) or Index(catalog)
        _indexes[catalog] = found
    return found
