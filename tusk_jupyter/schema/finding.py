"""Which names a few typed letters mean, found among a hundred thousand.

Case does not count. A name that begins with the letters comes first, then one with a word in it that does (after
``_``), then one that has them anywhere; letters scattered over a name were refused, because what matches and what does
not would be anybody's guess. To find is to search one text that holds all names: 3 ms in 100,000 of them. It is made
once for a catalog, and shared with those that differ in their ``search_path`` only; whoever reads a catalog calls
:func:`prepare` where nobody waits.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property
from itertools import accumulate
from operator import attrgetter
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

from tusk_jupyter.schema.quoting import Taken, taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tusk_jupyter.schema.catalog import Catalog, Function, Key, Relation

PREFIX, WORD, WITHIN = 0, 1, 2
_SHORTEST_WITHIN = 2  # one letter is in nearly every name
_FEW = 40  # to look at each of them
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
    """Sorted names with what they stand for, to be found as :func:`match` says."""

    __slots__ = ("_named", "_starts", "_text")

    def __init__(self, named: list[tuple[str, _T]]) -> None:
        self._named = named
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


class Shelf:
    """The relations of one schema, by kind and to be found by name."""

    __slots__ = ("_by_kind", "_names", "_relations")

    def __init__(self, relations: Iterable[Relation]) -> None:
        self._relations = sorted(relations, key=attrgetter("name"))
        self._by_kind: dict[str, list[Relation]] = {}
        for relation in self._relations:
            self._by_kind.setdefault(relation.relkind, []).append(relation)
        self._names: Names[Relation] | None = None

    def find(self, typed: str, kinds: str, limit: int, worst: int = WITHIN) -> Iterator[tuple[int, Relation]]:
        """Yield relations of some relkinds with how they match, the best first; about ``limit`` of each match."""
        shelves = [self._by_kind[kind] for kind in kinds if kind in self._by_kind]
        if not typed or sum(map(len, shelves)) <= _FEW:
            some = [relation for shelf in shelves for relation in shelf[: limit if not typed else None]]
            found = [
                (how, one.name, n, one) for n, one in enumerate(some) if (how := match(one.name, typed)) is not None
            ]
            yield from ((how, one) for how, _, _, one in sorted(found)[:limit] if how <= worst)
            return
        self.prepare()
        if self._names is not None:
            yield from (pair for pair in self._names.find(typed, limit, worst=worst) if pair[1].relkind in kinds)

    def prepare(self) -> None:
        """Make what :meth:`find` needs."""
        if self._names is None:
            self._names = Names([(relation.name, relation) for relation in self._relations])


class Index:
    """What is found by name in one catalog, and the constraints of a relation; each part made when it is asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self.by_schema, self.functions_by_name, self.source = catalog.by_schema, catalog.functions_by_name, catalog.keys
        self.keywords = catalog.keywords
        self._shelves: dict[str, Shelf] = {}

    def serves(self, catalog: Catalog) -> bool:
        """Return whether a catalog has the same things in it."""
        return (
            catalog.by_schema is self.by_schema
            and catalog.functions_by_name is self.functions_by_name
            and catalog.keys is self.source
            and catalog.keywords is self.keywords
        )

    def prepare(self) -> None:
        """Make all parts, so that no completion waits for them."""
        for schema in list(self.by_schema):
            self.shelf(schema).prepare()
        self.functions.find("a", 1)
        self.keys_of("", "")

    def shelf(self, schema: str) -> Shelf:
        """Return the relations of a schema."""
        found = self._shelves.get(schema)
        if found is None:
            found = self._shelves[schema] = Shelf(list(self.by_schema.get(schema, {}).values()))
        return found

    def keys_of(self, schema: str, name: str) -> tuple[Key, ...]:
        """Return the constraints of a relation."""
        return tuple(self._keys[0].get((schema, name), ()))

    def foreign_keys(self, schema: str, name: str) -> tuple[Key, ...]:
        """Return the foreign keys of a relation and those that refer to it."""
        own = [key for key in self._keys[0].get((schema, name), ()) if key.kind == "f"]
        return (*own, *self._keys[1].get((schema, name), ()))

    @cached_property
    def functions(self) -> Names[tuple[Function, ...]]:
        """The functions, overloads together."""
        return Names(sorted(self.functions_by_name.items()))

    @cached_property
    def taken(self) -> Taken:
        """The keywords that cannot be bare names."""
        return taken(self.keywords)

    @cached_property
    def _keys(self) -> tuple[dict[tuple[str, str], list[Key]], dict[tuple[str, str], list[Key]]]:
        own: dict[tuple[str, str], list[Key]] = {}
        target: dict[tuple[str, str], list[Key]] = {}
        for key in self.source:
            own.setdefault((key.schema, key.relation), []).append(key)
            if key.kind == "f" and (key.schema, key.relation) != (key.target_schema, key.target):
                target.setdefault((key.target_schema, key.target), []).append(key)
        return own, target


_indexes: WeakKeyDictionary[Catalog, Index] = WeakKeyDictionary()


def index_of(catalog: Catalog) -> Index:
    """Return the index of a catalog, made at the first call."""
    found = _indexes.get(catalog)
    if found is None:
        found = next((index for index in list(_indexes.values()) if index.serves(catalog)), None) or Index(catalog)
        _indexes[catalog] = found
    return found


def prepare(catalog: Catalog) -> None:
    """Make what completion looks names up in: 0.5 s for 100,000 tables, to be called where nobody waits."""
    index_of(catalog).prepare()
