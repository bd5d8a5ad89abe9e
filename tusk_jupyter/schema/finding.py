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
from typing import TYPE_CHECKING, Generic, TypeVar
from weakref import WeakKeyDictionary

from tusk_jupyter.schema.packed import Relations, relkind
from tusk_jupyter.schema.quoting import Taken, taken

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tusk_jupyter.schema.catalog import Catalog, Function, Relation

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

    __slots__ = ("_starts", "_text", "_values")

    def __init__(self, names: list[str], values: Sequence[_T]) -> None:
        self._values = values
        folded = [name.lower() for name in names]
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
                    yield how, self._values[n]

    def _places(self, sought: str, limit: int) -> Iterator[int]:
        at = self._text.find(sought)
        while at >= 0 and limit:
            n = bisect_right(self._starts, at + (sought[0] == "\0")) - 1
            if n >= len(self._values):
                return
            yield n
            limit -= 1
            at = self._text.find(sought, self._starts[n + 1] - 1)


class Shelf:
    """The relations of one schema, by kind and to be found by name; it holds names, no records."""

    __slots__ = ("_by_kind", "_kinds", "_names", "_relations", "_sorted")

    def __init__(self, relations: Mapping[str, Relation]) -> None:
        self._relations = relations
        self._sorted = sorted(relations)
        packed = relations.facts if isinstance(relations, Relations) else None
        self._kinds = [
            relkind(packed[name]) if packed is not None else relations[name].relkind for name in self._sorted
        ]
        self._by_kind: dict[str, list[str]] = {}
        for name, kind in zip(self._sorted, self._kinds, strict=True):
            self._by_kind.setdefault(kind, []).append(name)
        self._names: Names[int] | None = None

    def find(self, typed: str, kinds: str, limit: int, worst: int = WITHIN) -> Iterator[tuple[int, Relation]]:
        """Yield relations of some relkinds with how they match, the best first; about ``limit`` of each match."""
        shelves = [self._by_kind[kind] for kind in kinds if kind in self._by_kind]
        if not typed or sum(map(len, shelves)) <= _FEW:
            some = [name for shelf in shelves for name in (shelf if typed else shelf[:limit])]
            found = [(how, name) for name in some if (how := match(name, typed)) is not None and how <= worst]
            yield from ((how, self._relations[name]) for how, name in sorted(found)[:limit])
            return
        for how, n in self.names.find(typed, limit, worst=worst):
            if self._kinds[n] in kinds:
                yield how, self._relations[self._sorted[n]]

    @property
    def names(self) -> Names[int]:
        """The names as one text, made when it is asked for."""
        if self._names is None:
            self._names = Names(self._sorted, range(len(self._sorted)))
        return self._names


class Index:
    """What is found by name in one catalog; each part is made when it is asked for."""

    def __init__(self, catalog: Catalog) -> None:
        self.by_schema, self.functions_by_name = catalog.by_schema, catalog.functions_by_name
        self.keywords = catalog.keywords
        self._shelves: dict[str, Shelf] = {}

    def serves(self, catalog: Catalog) -> bool:
        """Return whether a catalog has the same things in it."""
        return (
            catalog.by_schema is self.by_schema
            and catalog.functions_by_name is self.functions_by_name
            and catalog.keywords is self.keywords
        )

    def prepare(self) -> None:
        """Make all parts, so that no completion waits for them."""
        for schema in list(self.by_schema):
            self.shelf(schema).names  # noqa: B018 making it is what is wanted
        self.functions  # noqa: B018
        self.taken  # noqa: B018

    def shelf(self, schema: str) -> Shelf:
        """Return the relations of a schema."""
        found = self._shelves.get(schema)
        if found is None:
            found = self._shelves[schema] = Shelf(self.by_schema.get(schema, {}))
        return found

    @cached_property
    def functions(self) -> Names[tuple[Function, ...]]:
        """The functions, overloads together."""
        named = sorted(self.functions_by_name.items())
        return Names([name for name, _ in named], [overloads for _, overloads in named])

    @cached_property
    def taken(self) -> Taken:
        """The keywords that cannot be bare names."""
        return taken(self.keywords)


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
