"""Reading a database into a :class:`~tusk_jupyter.schema.catalog.Catalog`, part by part, with statements of ours.

The statements are in ``catalog.sql``, written plainly; here their operators are qualified
(``operator(pg_catalog.=)``), because a ``search_path`` may lead anywhere and an operator that fits better wins
(CVE-2018-1058). What goes into one (oids, names) is made of numbers and of literals quoted here.

Whoever reads gives ``ask``, which runs one statement and returns its rows as text: on a connection of the pool, or on
the session where there is no other. Large parts are asked for in slices of :data:`SLICE` relations, by oid: between
two of them the connection can go to whoever wants it, and no slice keeps the interpreter for long. A database of 5,000
relations takes a statement for each part, one of 100,000 takes twenty for each of three.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

from tusk_jupyter.schema import packed
from tusk_jupyter.schema.catalog import Catalog, Function, Keyword, Schema, Setting, Type
from tusk_jupyter.schema.packed import Keys, Relations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    class Ask(Protocol):
        """Runs one statement of ours and returns its rows as PostgreSQL's text."""

        def __call__(self, statement: str, /) -> Sequence[list[str | None]]: ...


SLICE: Final = 5000
_OPERATOR: Final = re.compile(r"(?<= )(=|<>|<=|>=|<|>)(?= )")
_LETTERS: Final = {
    "a": "INSERT",
    "r": "SELECT",
    "w": "UPDATE",
    "d": "DELETE",
    "D": "TRUNCATE",
    "x": "REFERENCES",
    "t": "TRIGGER",
}
_INDEXES: Final = ("i", "I")  # whose columns are not read, and which have no constraints
_MAINTAIN_SINCE: Final = 170000
_TRUE: Final = ("t", "true")


@cache
def statements() -> dict[str, str]:
    """Return the statements of ``catalog.sql`` by name, their operators qualified."""
    text = Path(__file__).with_name("catalog.sql").read_text("utf-8")
    found = {}
    for block in text.split("-- name: ")[1:]:
        name, _, body = block.partition("\n")
        lines = (line for line in body.splitlines() if not line.startswith("--"))
        found[name.strip()] = _OPERATOR.sub(r"operator(pg_catalog.\1)", "\n".join(lines).strip())
    return found


def statement(name: str, **words: str) -> str:
    """Return a statement with what belongs into its braces."""
    text = statements()[name]
    for word, value in words.items():
        text = text.replace(f"{{{word}}}", value)
    return text


def literal(text: str) -> str:
    """Return a string literal for any text, whatever ``standard_conforming_strings`` says."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def shown(temp: str | None) -> str:
    """Return what keeps away the schemas of TOAST and of other sessions' temporary tables.

    :param temp: the session's own.
    """
    name = "n.nspname::pg_catalog.text"
    others = f"not pg_catalog.starts_with({name}, 'pg_temp_')"
    if temp is not None:
        others = f"({others} or {name} operator(pg_catalog.=) {literal(temp)})"
    return f"not pg_catalog.starts_with({name}, 'pg_toast') and {others}"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a read stands: whose eyes it sees with, and how far back what it saw may reach.

    ``xmin`` is the oldest transaction that was under way: what a younger one writes is new to this read.
    """

    database: str
    user: str
    version: int
    path: str  # the setting search_path as a session of this connection begins with it
    xmin: int


@dataclass(slots=True)
class Found:
    """What was read so far; never changed once a Catalog was made of it, only copied."""

    place: Place
    temp: str | None = None
    facts: dict[str, dict[str, str]] = field(default_factory=dict)
    columns: dict[int, str] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)
    targets: dict[int, str] = field(default_factory=dict)

    def copy(self) -> Found:
        """Return one that can be changed."""
        facts = {schema: dict(relations) for schema, relations in self.facts.items()}
        return Found(self.place, self.temp, facts, dict(self.columns), dict(self.keys), dict(self.targets))

    def into(self, catalog: Catalog) -> Catalog:
        """Return the Catalog with the relations, columns and keys that are here."""
        relations = {schema: Relations(schema, facts, self.columns) for schema, facts in self.facts.items()}
        return replace(catalog, by_schema=relations, keys=Keys(self.keys, self.targets))


def place(ask: Ask) -> Place:
    """Return where a read stands."""
    database, user, version, path, xmin = (value or "" for value in ask(statement("place"))[0])
    return Place(database, user, int(version), path, int(xmin) % 2**32)


def read(ask: Ask, *, temp: str | None = None) -> Iterator[tuple[Catalog, Found]]:
    """Read a database; yield what is known after each part."""
    found = Found(place(ask), temp)
    here = found.place
    catalog = Catalog(here.database, here.user, here.version)
    catalog = _with(catalog, "schemas", schemas=schemas(ask, temp))
    yield catalog, found
    for part, reading in (("relations", read_relations), ("columns", read_columns), ("keys", read_keys)):
        found = found.copy()
        reading(ask, found)
        catalog = found.into(_with(catalog, part))
        yield catalog, found
    for part, rest in (("types", types), ("functions", functions), ("names", names)):
        catalog = _with(catalog, part, **rest(ask, temp))
        yield catalog, found


def _with(catalog: Catalog, part: str, **fields: object) -> Catalog:
    return replace(catalog, loaded=catalog.loaded | {part}, **fields)  # type: ignore[arg-type]


def schemas(ask: Ask, temp: str | None) -> dict[str, Schema]:
    """Return the schemas."""
    rows = ask(statement("schemas", shown=shown(temp)))
    return {
        name or "": Schema(name or "", owner or "", comment, usage in _TRUE, create in _TRUE)
        for name, owner, comment, usage, create in rows
    }


# -- relations, columns, keys -----------------------------------------------------------------------------------------


def read_relations(ask: Ask, found: Found, only: Iterable[int] | None = None) -> None:
    """Read relations into ``found``: all of them, or those."""
    words = _relation_words(found)
    last = 0
    while True:
        which = f"c.oid operator(pg_catalog.>) '{last}'::pg_catalog.oid" if only is None else _one_of("c.oid", only)
        rows = ask(statement("relations", only=which, limit=str(SLICE) if only is None else "all", **words))
        oid: str | None = None
        for oid, schema, name, relkind, facts in rows:
            found.facts.setdefault(schema or "", {})[name or ""] = f"{relkind}{oid} {facts}"
        if only is not None or len(rows) < SLICE:
            return
        last = int(oid or 0)


def _relation_words(found: Found) -> dict[str, str]:
    letters = _LETTERS | ({"m": "MAINTAIN"} if found.place.version >= _MAINTAIN_SINCE else {})
    asked = (
        f"case when pg_catalog.has_table_privilege(c.oid, '{name}') then '{letter}' end"
        for letter, name in letters.items()
    )
    return {"shown": shown(found.temp), "all_letters": f"'{''.join(letters)}'", "letters": ", ".join(asked)}


def read_columns(ask: Ask, found: Found, only: Iterable[int] | None = None) -> None:
    """Read columns into ``found``: of all relations that are there, or of those."""
    same: dict[str, str] = {}  # partitions have the columns of their parent
    for which in _slices("c.oid", found, only):
        for oid, columns in ask(statement("columns", only=which)):
            if columns is not None:
                found.columns[int(oid or 0)] = same.setdefault(columns, columns)


def read_keys(ask: Ask, found: Found, only: Iterable[int] | None = None) -> None:
    """Read constraints into ``found``: of all relations that are there, or of those."""
    for which in _slices("k.conrelid", found, only):
        for oid, keys, targets in ask(statement("keys", only=which)):
            found.keys[int(oid or 0)] = keys or ""
            if targets is not None:
                found.targets[int(oid or 0)] = targets


def _slices(column: str, found: Found, only: Iterable[int] | None) -> Iterator[str]:
    """Yield conditions that divide the relations into slices."""
    if only is not None:
        yield _one_of(column, only)
        return
    relations = (facts for relations in found.facts.values() for facts in relations.values())
    oids = sorted(packed.oid(facts) for facts in relations if packed.relkind(facts) not in _INDEXES)
    for start in range(0, len(oids), SLICE):
        first, last = oids[start], oids[min(start + SLICE, len(oids)) - 1]
        yield (
            f"{column} operator(pg_catalog.>=) '{first}'::pg_catalog.oid"
            f" and {column} operator(pg_catalog.<=) '{last}'::pg_catalog.oid"
        )


def _one_of(column: str, oids: Iterable[int]) -> str:
    listed = ",".join(map(str, sorted(set(oids))))
    return f"{column} operator(pg_catalog.=) any ('{{{listed}}}'::pg_catalog.oid[])"


# -- what else there is -----------------------------------------------------------------------------------------------


def types(ask: Ask, temp: str | None) -> dict[str, object]:
    """Return the types and the casts.

    A type of PostgreSQL's that ``format_type`` spells in the words of the standard is there under both names.
    """
    found: list[Type] = []
    for schema, name, formatted, kind, category, preferred, labels, base, comment in ask(
        statement("types", shown=shown(temp))
    ):
        given = {
            "kind": kind or "",
            "category": category or "",
            "preferred": preferred in _TRUE,
            "labels": tuple(json.loads(labels)) if labels is not None else (),
            "base": base or "",
            "comment": comment,
        }
        spelled = (formatted or "").removeprefix("pg_catalog.").strip('"')
        spellings = {name or "": None, spelled: None} if schema == "pg_catalog" else {name or "": None}
        found += (Type(schema or "", spelling, **given) for spelling in spellings)  # type: ignore[arg-type]
    casts = frozenset(
        (source or "", target or "", context or "") for source, target, context in ask(statement("casts"))
    )
    return {"types": tuple(found), "casts": casts}


def functions(ask: Ask, temp: str | None) -> dict[str, object]:
    """Return the functions by name."""
    by_name: dict[str, list[Function]] = {}
    for row in ask(statement("functions", shown=shown(temp))):
        schema, name, kind, arguments, given, defaults, variadic, result, returns_set, comment, oid = row
        function = Function(
            schema or "",
            name or "",
            kind or "f",
            arguments or "",
            tuple(json.loads(given)) if given is not None else (),
            int(defaults or 0),
            variadic in _TRUE,
            result or "",
            returns_set in _TRUE,
            comment,
            int(oid or 0),
        )
        by_name.setdefault(function.name, []).append(function)
    return {"functions_by_name": {name: tuple(found) for name, found in by_name.items()}}


def names(ask: Ask, _temp: str | None) -> dict[str, object]:
    """Return the names of what lies in no schema, the settings and the keywords."""
    listed: dict[str, dict[str, None]] = {}
    for kind, name in ask(statement("names")):
        listed.setdefault(kind or "", {})[name or ""] = None
    settings = {
        name or "": Setting(
            name or "",
            description or "",
            kind or "string",
            unit,
            tuple(json.loads(values or "null") or ()),
            context or "",
        )
        for name, description, kind, unit, values, context in ask(statement("settings"))
    }
    keywords = tuple(Keyword(word or "", (kind or "U").upper()) for word, kind in ask(statement("keywords")))
    return {
        "names": {kind: tuple(found) for kind, found in listed.items()},
        "settings": settings,
        "keywords": keywords,
    }
