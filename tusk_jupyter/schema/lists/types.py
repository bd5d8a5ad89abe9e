r"""Types, domains, collations, conversions, languages as psql lists them: ``\dT \dD \dO \dc \dL``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.schema.lists.answering import (
    Column,
    List,
    Matched,
    acl,
    answer,
    comment,
    lines,
    not_system,
    owner,
    words,
    yes,
)

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask, Listing, Wanted

_TYPE = "pg_catalog.pg_type t left join pg_catalog.pg_namespace n on n.oid = t.typnamespace"
_VISIBLE = "pg_catalog.pg_type_is_visible(t.oid)"
_FORMATTED = "pg_catalog.format_type(t.oid, null)"
_TYPES = List(
    "List of data types",
    (
        Column("Schema", "n.nspname"),
        Column("Name", _FORMATTED),
        Column("Internal name", "t.typname", verbose=True),
        Column(
            "Size",
            "case when t.typrelid <> 0 then 'tuple' when t.typlen operator(pg_catalog.<) 0 then 'var'"
            " else t.typlen::pg_catalog.text end",
            verbose=True,
        ),
        Column(
            "Elements",
            lines(
                "array(select e.enumlabel from pg_catalog.pg_enum e where e.enumtypid = t.oid order by e.enumsortorder)"
            ),
            verbose=True,
        ),
        owner("t.typowner", verbose=True),
        *acl("t.typacl"),
        comment("t.oid", "type", verbose=False),
    ),
    _TYPE,
    (Matched("t.typname", "n.nspname", _FORMATTED, _VISIBLE, types=True),),
    ("(t.typrelid = 0 or (select c.relkind = 'c' from pg_catalog.pg_class c where c.oid = t.typrelid))",),
    not_system(),
    "1, 2",
)
_NO_ARRAY = "not exists (select from pg_catalog.pg_type el where el.oid = t.typelem and el.typarray = t.oid)"


def types(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dT [NAME]``: arrays are listed only for a name with ``[]``."""
    arrays = "[]" in "".join(wanted.arguments[:1])
    return [answer(ask, wanted, _TYPES if arrays else replace(_TYPES, where=(*_TYPES.where, _NO_ARRAY)))]


def _checks(more: str) -> str:
    checks = (
        "array(select pg_catalog.pg_get_constraintdef(r.oid, true) from pg_catalog.pg_constraint r"
        f" where r.contypid = t.oid{more} order by r.conname)"
    )
    return f"pg_catalog.array_to_string({checks}, ' ')"


DOMAINS = List(
    "List of domains",
    (
        Column("Schema", "n.nspname"),
        Column("Name", "t.typname"),
        Column("Type", "pg_catalog.format_type(t.typbasetype, t.typtypmod)"),
        Column(
            "Collation",
            "(select c.collname from pg_catalog.pg_collation c, pg_catalog.pg_type bt"
            " where c.oid = t.typcollation and bt.oid = t.typbasetype and t.typcollation <> bt.typcollation)",
        ),
        Column("Nullable", "case when t.typnotnull then 'not null' end"),
        Column("Default", "t.typdefault"),
        Column("Check", _checks(""), until=16),
        Column("Check", _checks(" and r.contype = 'c'"), since=17),
        *acl("t.typacl"),
        comment("t.oid", "type"),
    ),
    _TYPE,
    (Matched("t.typname", "n.nspname", visible=_VISIBLE),),
    ("t.typtype = 'd'",),
    not_system(),
    "1, 2",
)

_PROVIDER = Column("Provider", words("c.collprovider", {"d": "default", "b": "builtin", "c": "libc", "i": "icu"}))
COLLATIONS = List(
    "List of collations",
    (
        Column("Schema", "n.nspname"),
        Column("Name", "c.collname"),
        replace(_PROVIDER, since=16),
        Column("Collate", "c.collcollate"),
        Column("Ctype", "c.collctype"),
        Column("ICU Locale", "c.colliculocale", since=15, until=16),
        Column("Locale", "c.colllocale", since=17),
        Column("ICU Rules", "c.collicurules", since=16),
        replace(_PROVIDER, until=15),
        Column("Deterministic?", yes("c.collisdeterministic")),
        comment("c.oid", "collation"),
    ),
    "pg_catalog.pg_collation c left join pg_catalog.pg_namespace n on n.oid = c.collnamespace",
    (Matched("c.collname", "n.nspname", visible="pg_catalog.pg_collation_is_visible(c.oid)"),),
    ("(c.collencoding = -1 or c.collencoding = pg_catalog.pg_char_to_encoding(pg_catalog.getdatabaseencoding()))",),
    not_system(),
    "1, 2",
)

CONVERSIONS = List(
    "List of conversions",
    (
        Column("Schema", "n.nspname"),
        Column("Name", "c.conname"),
        Column("Source", "pg_catalog.pg_encoding_to_char(c.conforencoding)"),
        Column("Destination", "pg_catalog.pg_encoding_to_char(c.contoencoding)"),
        Column("Default?", yes("c.condefault")),
        comment("c.oid", "conversion"),
    ),
    "pg_catalog.pg_conversion c join pg_catalog.pg_namespace n on n.oid = c.connamespace",
    (Matched("c.conname", "n.nspname", visible="pg_catalog.pg_conversion_is_visible(c.oid)"),),
    quiet=not_system(),
    order="1, 2",
)

LANGUAGES = List(
    "List of languages",
    (
        Column("Name", "l.lanname"),
        owner("l.lanowner"),
        Column("Trusted", "l.lanpltrusted"),
        Column("Internal language", "not l.lanispl", verbose=True),
        Column("Call handler", "l.lanplcallfoid::pg_catalog.regprocedure", verbose=True),
        Column("Validator", "l.lanvalidator::pg_catalog.regprocedure", verbose=True),
        Column("Inline handler", "l.laninline::pg_catalog.regprocedure", verbose=True),
        *acl("l.lanacl"),
        comment("l.oid", "language", verbose=False),
    ),
    "pg_catalog.pg_language l",
    (Matched("l.lanname", parts=2),),
    quiet=("l.lanplcallfoid <> 0",),
)
