"""Catalog: what is in a database, as records that completion, inspection, did-you-mean and the tables read.

A snapshot that never changes: what reads the server (:mod:`tusk_jupyter.schema.introspect`) makes a new one and the
cache swaps it in, so that whoever holds one needs no lock. Names are as PostgreSQL keeps them, unquoted; what is typed
is quoted by :func:`tusk_jupyter.advice.identifier`.

A database may have 100,000 tables with 1,000,000 columns, of which a session looks at a dozen. So columns come from
the server as one packed text per relation and become :class:`Column` records when they are asked for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tusk_jupyter.schema.packed import Keys

PARTS = ("schemas", "relations", "columns", "keys", "types", "functions", "names")  # in the order they are read


@dataclass(frozen=True, slots=True)
class Schema:
    """A schema; ``usage`` and ``create`` are the current user's rights."""

    name: str
    owner: str = ""
    comment: str | None = None
    usage: bool = True
    create: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its type as ``format_type`` writes it, and what ``pg_attribute`` says of it."""

    name: str
    type: str
    not_null: bool = False
    default: str | None = None  # also the expression of a generated one
    identity: str = ""  # a: always, d: by default
    generated: str = ""  # s: stored, v: virtual
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Relation:
    """A row of ``pg_class``: ``relkind`` is r, p, v, m, f, i, I, S, c or t.

    ``rows`` is the planner's estimate, None where it has none. ``privileges`` are the current user's on the whole of
    it, in the letters of an ACL (``arwdDxtm``). ``packed`` holds the columns, see :func:`pack`.
    """

    schema: str
    name: str
    relkind: str = "r"
    oid: int = 0
    owner: str = ""
    rows: float | None = None
    pages: int = 0
    comment: str | None = None
    privileges: str = ""
    packed: str = field(default="[]", repr=False)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Its columns in order, system columns and dropped ones left out."""
        return tuple(Column(*values) for values in json.loads(self.packed))

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of its columns, in order."""
        return tuple(values[0] for values in json.loads(self.packed))


@dataclass(frozen=True, slots=True)
class Key:
    """A constraint of a relation (``pg_constraint``): ``kind`` is p, u, f, c, x or n."""

    schema: str
    relation: str
    name: str
    kind: str
    columns: tuple[str, ...] = ()
    definition: str = ""  # as pg_get_constraintdef writes it
    target_schema: str = ""  # of a foreign key
    target: str = ""
    target_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Function:
    """A function, procedure, aggregate or window function: ``kind`` is f, p, a or w (``pg_proc.prokind``)."""

    schema: str
    name: str
    kind: str = "f"
    arguments: str = ""  # as pg_get_function_arguments writes them
    types: tuple[str, ...] = ()  # of the input arguments, as format_type writes them
    defaults: int = 0  # how many of the last input arguments may be left out
    variadic: bool = False
    result: str = ""  # as pg_get_function_result writes it; '' of a procedure
    returns_set: bool = False
    comment: str | None = None
    oid: int = 0

    @property
    def signature(self) -> str:
        """``name(arguments) → result``, as people read it."""
        return f"{self.name}({self.arguments})" + (f" → {self.result}" if self.result else "")


@dataclass(frozen=True, slots=True)
class Type:
    """A type one can write: ``kind`` is ``pg_type.typtype`` (b, c, d, e, p, r, m); arrays are left out."""

    schema: str
    name: str  # as format_type writes it without its schema: integer, character varying
    kind: str = "b"
    category: str = "U"
    preferred: bool = False
    labels: tuple[str, ...] = ()  # of an enum, in its order
    base: str = ""  # of a domain
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A row of ``pg_settings``."""

    name: str
    description: str = ""
    type: str = "string"  # bool, integer, real, string, enum
    unit: str | None = None
    values: tuple[str, ...] = ()
    context: str = "user"


@dataclass(frozen=True, slots=True)
class Keyword:
    """A word of ``pg_get_keywords``; ``kind`` is U, C, T or R (unreserved, column name, type or function, reserved)."""

    word: str
    kind: str = "U"


@dataclass(frozen=True, eq=False)
class Catalog:
    """A snapshot of one database, for one user; ``loaded`` names the :data:`PARTS` that are there."""

    database: str = ""
    user: str = ""
    version: int = 0  # server_version_num
    search_path: tuple[str, ...] = ("pg_catalog", "public")  # current_schemas(true): in the order they are searched
    loaded: frozenset[str] = frozenset()
    schemas: Mapping[str, Schema] = field(default_factory=dict, repr=False)
    by_schema: Mapping[str, Mapping[str, Relation]] = field(default_factory=dict, repr=False)
    keys: tuple[Key, ...] | Keys = field(default=(), repr=False)
    functions_by_name: Mapping[str, tuple[Function, ...]] = field(default_factory=dict, repr=False)
    types: tuple[Type, ...] = field(default=(), repr=False)
    casts: frozenset[tuple[str, str, str]] = field(default=frozenset(), repr=False)  # source, target, e | a | i
    settings: Mapping[str, Setting] = field(default_factory=dict, repr=False)
    keywords: tuple[Keyword, ...] = field(default=(), repr=False)
    # extension, available_extension, role, database, tablespace, language, collation, access_method, publication …
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def with_search_path(self, search_path: Iterable[str]) -> Catalog:
        """Return this snapshot as a session with another ``search_path`` sees it."""
        return replace(self, search_path=tuple(search_path))

    def relation(self, name: str, schema: str | None = None) -> Relation | None:
        """Return the relation that ``schema.name`` is, or ``name`` by the ``search_path``."""
        for searched in (schema,) if schema is not None else self.search_path:
            if (found := self.by_schema.get(searched, {}).get(name)) is not None:
                return found
        return None

    def relations(self, schema: str | None = None) -> Iterator[Relation]:
        """Yield the relations of a schema, or all of them."""
        for name in (schema,) if schema is not None else tuple(self.by_schema):
            yield from self.by_schema.get(name, {}).values()

    def functions(self, name: str, schema: str | None = None) -> tuple[Function, ...]:
        """Return the functions of that name: of a schema, or of those on the ``search_path``."""
        wanted = (schema,) if schema is not None else self.search_path
        return tuple(function for function in self.functions_by_name.get(name, ()) if function.schema in wanted)

    def keys_of(self, relation: Relation) -> tuple[Key, ...]:
        """Return a relation's own constraints."""
        if not isinstance(self.keys, tuple):
            return self.keys.of(relation)
        return self._keys.get((relation.schema, relation.name), ())

    def references_to(self, relation: Relation) -> tuple[Key, ...]:
        """Return the foreign keys that refer to a relation."""
        if not isinstance(self.keys, tuple):
            return self.keys.to(relation)
        return self._references.get((relation.schema, relation.name), ())

    def type(self, name: str) -> Type | None:
        """Return the type that ``format_type`` wrote so: ``integer``, ``mood``, ``app.mood``, ``numeric(8,2)``."""
        plain = name.partition("(")[0].strip()
        return self._types.get(plain)

    @cached_property
    def _keys(self) -> dict[tuple[str, str], tuple[Key, ...]]:
        grouped: dict[tuple[str, str], tuple[Key, ...]] = {}
        for key in self.keys:
            grouped[key.schema, key.relation] = (*grouped.get((key.schema, key.relation), ()), key)
        return grouped

    @cached_property
    def _references(self) -> dict[tuple[str, str], tuple[Key, ...]]:
        grouped: dict[tuple[str, str], tuple[Key, ...]] = {}
        for key in self.keys:
            if key.kind == "f":
                at = (key.target_schema, key.target)
                grouped[at] = (*grouped.get(at, ()), key)
        return grouped

    @cached_property
    def _types(self) -> dict[str, Type]:
        by_name = {f"{found.schema}.{found.name}": found for found in self.types}
        for searched in reversed(self.search_path):
            by_name.update((found.name, found) for found in self.types if found.schema == searched)
        return by_name


def pack(columns: Iterable[Column]) -> str:
    """Return columns as a :class:`Relation` keeps them: a JSON array of arrays in the order of the fields."""
    values = [[c.name, c.type, c.not_null, c.default, c.identity, c.generated, c.comment] for c in columns]
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))
