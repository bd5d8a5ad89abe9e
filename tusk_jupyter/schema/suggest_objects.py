"""The schema (3F000), type, role, index, extension, collation, setting or constraint (42704) that was meant.

What kind of thing is missing is seen from the word before the name, for the message's words are translated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tusk_jupyter.advice import identifier
from tusk_jupyter.schema.nesting import words
from tusk_jupyter.schema.suggest_names import SLIP, nearest
from tusk_jupyter.schema.suggest_words import (
    Part,
    Refused,
    Suggested,
    chain_at,
    chains,
    chains_named,
    level_at,
    replaced,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tusk_jupyter.schema.catalog import Catalog

_SETTING = re.compile(r"\s*(?:set\s+(?:(?:local|session)\s+)?|show\s+|reset\s+)(?=\w)", re.IGNORECASE)
# what the grammar knows by other names than the catalog
_SPELT = words(
    "int integer smallint bigint real float decimal numeric boolean bool varchar char character time timestamp "
    "interval serial bigserial smallserial int2 int4 int8 float4 float8 timestamptz timetz text date json jsonb"
)
_ROLE = words("to from role user group by owner")
_NAMED = {
    "EXTENSION": "extension",
    "COLLATE": "collation",
    "COLLATION": "collation",
    "LANGUAGE": "language",
    "TABLESPACE": "tablespace",
    "PUBLICATION": "publication",
    "METHOD": "access_method",
    "DATABASE": "database",
}
_TYPE = words("type domain")


def schema(refused: Refused, catalog: Catalog) -> Suggested | None:
    """Return the schema that was meant by one that does not exist."""
    if "schemas" not in catalog.loaded:
        return None
    chain = chain_at(refused.statement, refused.offset) if refused.offset is not None else ()
    named = [chain] if chain else [one for one in chains(refused.statement) if f"{one[0].name}" in refused.message]
    for one in named:
        part = one[0]
        if part.name in catalog.schemas or not (len(one) > 1 or _is_quoted(refused, one)):
            continue
        meant = nearest(
            part.name, (n for n in catalog.schemas if not n.startswith(("pg_toast", "pg_temp"))), at_most=SLIP
        )
        if meant is not None:
            new = identifier(meant)
            return Suggested(f"The schema is `{new}`", part.start, replaced([part], new))
        return _without_schema(one, catalog)
    return None


def _without_schema(chain: Sequence[Part], catalog: Catalog) -> Suggested | None:
    """Return a function's name as it is found without the schema that there is not."""
    if len(chain) != 2 or not catalog.functions(chain[1].name):  # noqa: PLR2004
        return None
    new = identifier(chain[1].name)
    return Suggested(f"There is no such schema, and `{new}` is found without one", chain[0].start, replaced(chain, new))


def _is_quoted(refused: Refused, chain: Sequence[Part]) -> bool:
    return tuple(chain) in chains_named(refused)


def thing(refused: Refused, catalog: Catalog) -> Suggested | None:
    """Return the type, role, index … that was meant by one that does not exist."""
    setting = _SETTING.match(refused.statement)
    if setting is not None:
        return _near(chain_at(refused.statement, setting.end()), catalog.settings)
    if refused.offset is not None:
        return _at_caret(refused.statement, refused.offset, catalog)
    return next((found for chain in chains_named(refused) if (found := _of_command(refused, chain, catalog))), None)


def _at_caret(statement: str, offset: int, catalog: Catalog) -> Suggested | None:
    level = level_at(statement, offset)
    if level is None:
        return None
    # the server points at COLLATE itself, or at what follows
    at = level.at + (level.word(0) in _NAMED)
    if at >= len(level.items):
        return None
    chain = chain_at(statement, level.items[at].start)
    kind = _NAMED.get(level.items[at - 1].word if at else "")
    return _type(chain, catalog) if kind is None else _near(chain, catalog.names.get(kind, ()))


def _of_command(refused: Refused, chain: Sequence[Part], catalog: Catalog) -> Suggested | None:
    level = level_at(refused.statement, chain[0].start)
    if level is None:
        return None
    before = next((w for n in range(1, 4) if (w := level.word(n)) not in {"IF", "EXISTS", "CONCURRENTLY", "ONLY"}), "")
    if before in _NAMED:
        return _near(chain, catalog.names.get(_NAMED[before], ()))
    if before in _TYPE:
        return _type(chain, catalog)
    if before == "INDEX":
        return _index(chain, catalog)
    if before == "CONSTRAINT":
        return _constraint(refused, chain, catalog)
    return _near(chain, catalog.names.get("role", ())) if before in _ROLE else None


def _near(chain: Sequence[Part], names: Iterable[str]) -> Suggested | None:
    if len(chain) != 1:
        return None
    found = nearest(chain[0].name, names)
    if found is None:
        return None
    new = identifier(found)
    return Suggested(f"There is `{new}`", chain[0].start, replaced(chain, new))


def _type(chain: Sequence[Part], catalog: Catalog) -> Suggested | None:
    if not chain or len(chain) > 1 or "types" not in catalog.loaded:
        return None
    own = {
        one.name
        for one in catalog.types
        if one.schema in catalog.search_path
        and one.kind != "p"
        and not one.name.startswith(("_", '"'))
        and not (one.kind == "c" and _is_row_type(one.schema, one.name, catalog))
    }
    if chain[0].name in own:
        return None
    return _near(chain, own | {word.lower() for word in _SPELT})


def _is_row_type(schema_name: str, name: str, catalog: Catalog) -> bool:
    relation = catalog.by_schema.get(schema_name, {}).get(name)
    return relation is not None and relation.relkind != "c"


def _index(chain: Sequence[Part], catalog: Catalog) -> Suggested | None:
    names = {
        one.name for schema_name in catalog.search_path for one in catalog.relations(schema_name) if one.relkind in "iI"
    }
    return _near(chain, names)


def _constraint(refused: Refused, chain: Sequence[Part], catalog: Catalog) -> Suggested | None:
    for other in chains(refused.statement):
        relation = catalog.relation(other[-1].name, other[-2].name if len(other) > 1 else None)
        if relation is not None:
            return _near(chain, [key.name for key in catalog.keys_of(relation)])
    return None
