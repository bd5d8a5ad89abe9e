r"""Relations as psql lists them: ``\d``, ``\dt`` and its letters, ``\dP``, ``\dp``, ``\ddp``, ``\dX``, ``\dd``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.schema.lists.answering import (
    Column,
    List,
    Matched,
    acl,
    among,
    answer,
    comment,
    lines,
    major,
    not_system,
    owner,
    words,
)

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask, Listing, Wanted

KINDS = {
    "r": "table", "v": "view", "m": "materialized view", "i": "index", "S": "sequence", "t": "TOAST table",
    "f": "foreign table", "p": "partitioned table", "I": "partitioned index",
}  # fmt: skip
_LETTERS = {"t": "rp", "v": "v", "m": "m", "i": "iI", "s": "S", "E": "f"}
# versions of psql: a list of one kind says so; \dp hides the system's as others do
_TITLED, _SYSTEM_ASKED = 18, 16
_TITLES = {
    "t": "tables", "v": "views", "m": "materialized views", "i": "indexes", "s": "sequences", "E": "foreign tables",
}  # fmt: skip
_CLASS = "pg_catalog.pg_class c left join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
_OF_INDEX = (
    " left join pg_catalog.pg_index i on i.indexrelid = c.oid left join pg_catalog.pg_class c2 on c2.oid = i.indrelid"
)
_METHOD = " left join pg_catalog.pg_am am on am.oid = c.relam"
_VISIBLE = "pg_catalog.pg_table_is_visible(c.oid)"
_NAMED = Matched("c.relname", "n.nspname", visible=_VISIBLE)
_NOT_TOAST = "n.nspname !~ '^pg_toast'"
_SCHEMA_NAME = (Column("Schema", "n.nspname"), Column("Name", "c.relname"))


def relations(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dtvmsiE`` in any combination; ``\d`` alone is all but the indexes."""
    letters = wanted.command[1:] or "tvmsE"
    kinds = "".join(_LETTERS[letter] for letter in letters)
    if "t" in letters and (wanted.system or wanted.arguments):
        kinds += "t"
    one = major(wanted) >= _TITLED and len(set(letters)) == 1
    source = _CLASS
    table: tuple[Column, ...] = ()
    if "i" in letters:
        source += _OF_INDEX
        table = (Column("Table", "c2.relname"),)
    methods: tuple[Column, ...] = ()
    if set(letters) & set("tmi"):
        source += _METHOD
        methods = (Column("Access method", "am.amname", verbose=True),)
    columns = (
        *_SCHEMA_NAME,
        Column("Type", words("c.relkind", KINDS)),
        owner("c.relowner"),
        *table,
        Column(
            "Persistence",
            words("c.relpersistence", {"p": "permanent", "t": "temporary", "u": "unlogged"}),
            verbose=True,
        ),
        *methods,
        Column("Size", "pg_catalog.pg_size_pretty(pg_catalog.pg_table_size(c.oid))", verbose=True),
        comment("c.oid", "class"),
    )
    listed = List(
        f"List of {_TITLES[letters[0]] if one else 'relations'}",
        columns,
        source,
        (_NAMED,),
        (among("c.relkind", kinds),),
        (*not_system(), _NOT_TOAST),
        "1, 2",
    )
    return [answer(ask, wanted, listed)]


_PARENT = "inh.inhparent::pg_catalog.regclass"
_TREE = "(select pg_catalog.pg_size_pretty(pg_catalog.sum({size})) from pg_catalog.pg_partition_tree(c.oid) p)"
_SIZE = "pg_catalog.pg_table_size(p.relid)"
_DIRECT = f"case when p.isleaf and p.level = 1 then {_SIZE} else 0 end"


def partitioned(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dP``, with t for tables, i for indexes and n for those that are partitions themselves."""
    letters = set(wanted.command[2:])
    kinds = letters & set("ti") or set("ti")
    nested = "n" in letters
    parents = nested or bool(wanted.arguments)
    kind = words("c.relkind", {"p": "partitioned table", "I": "partitioned index"})
    columns = [
        *_SCHEMA_NAME,
        owner("c.relowner"),
        *([Column("Type", kind)] if len(kinds) > 1 else []),
        *([Column("Parent name", _PARENT)] if parents else []),
        *([Column("Table", "c2.oid::pg_catalog.regclass")] if "i" in kinds else []),
        Column("Access method", "am.amname", verbose=True, since=18),
        *([Column("Leaf partition size", _TREE.format(size=_DIRECT), verbose=True)] if nested else []),
        Column("Total size", _TREE.format(size=_SIZE), verbose=True),
        comment("c.oid", "class"),
    ]
    what = "relations" if len(kinds) > 1 else "tables" if "t" in kinds else "indexes"
    listed = List(
        f"List of partitioned {what}",
        tuple(columns),
        f"{_CLASS}{_OF_INDEX}{_METHOD} left join pg_catalog.pg_inherits inh on inh.inhrelid = c.oid",
        (_NAMED,),
        (
            among("c.relkind", "p" * ("t" in kinds) + "I" * ("i" in kinds)),
            *([] if parents else ["not c.relispartition"]),
        ),
        (*not_system(), _NOT_TOAST),
        f"n.nspname, {kind} desc, {f'{_PARENT} nulls first, ' if parents else ''}c.relname",
    )
    return [answer(ask, wanted, listed)]


_COLUMN_ACLS = lines(
    "array(select a.attname || E':\\n  ' || pg_catalog.array_to_string(a.attacl, E'\\n  ')"
    " from pg_catalog.pg_attribute a"
    " where a.attrelid = c.oid and not a.attisdropped and a.attacl is not null)"
)
_POLICIES = lines(
    "array(select pol.polname"
    " || case when not pol.polpermissive then ' (RESTRICTIVE)' else '' end"
    " || case when pol.polcmd <> '*' then (' (' || pol.polcmd::pg_catalog.text || '):') else ':' end"
    " || coalesce(E'\\n  (u): ' || pg_catalog.pg_get_expr(pol.polqual, pol.polrelid), '')"
    " || coalesce(E'\\n  (c): ' || pg_catalog.pg_get_expr(pol.polwithcheck, pol.polrelid), '')"
    " || case when pol.polroles <> '{0}' then (E'\\n  to: ' || pg_catalog.array_to_string("
    "array(select rolname from pg_catalog.pg_roles where oid = any (pol.polroles) order by 1), ', ')) else '' end"
    " from pg_catalog.pg_policy pol where pol.polrelid = c.oid)"
)


def privileges(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dp`` and ``\z``: who may do what with relations, with their columns, and the policies of their rows."""
    asked = major(wanted) >= _SYSTEM_ASKED
    # psql 15 hides what begins so from a pattern without a schema, too
    named = _NAMED if asked else replace(_NAMED, visible=f"n.nspname !~ '^pg_' and {_VISIBLE}")
    kinds = {kind: KINDS[kind] for kind in "rvmSfp"}
    listed = List(
        "Access privileges",
        (
            *_SCHEMA_NAME,
            Column("Type", words("c.relkind", kinds)),
            *acl("c.relacl", verbose=False),
            Column("Column privileges", _COLUMN_ACLS),
            Column("Policies", _POLICIES),
        ),
        _CLASS,
        (named,),
        (among("c.relkind", kinds),),
        not_system() if asked else (),
        "1, 2",
    )
    return [answer(ask, wanted, listed)]


_DEFAULT_ON = {"r": "table", "S": "sequence", "f": "function", "T": "type", "n": "schema", "L": "large object"}
DEFAULT_PRIVILEGES = List(
    "Default access privileges",
    (
        owner("d.defaclrole"),
        Column("Schema", "n.nspname"),
        Column("Type", words("d.defaclobjtype", _DEFAULT_ON)),
        *acl("d.defaclacl", verbose=False),
    ),
    "pg_catalog.pg_default_acl d left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace",
    (Matched("n.nspname", alternative="pg_catalog.pg_get_userbyid(d.defaclrole)", parts=0),),
    order="1, 2, 3",
)

_STATISTICS_COLUMNS = (
    "(select pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ') from pg_catalog.unnest(es.stxkeys) k(num)"
    " join pg_catalog.pg_attribute a on es.stxrelid = a.attrelid and a.attnum = k.num and not a.attisdropped)"
)
_STATISTICS_OF = "pg_catalog.format('%s FROM %s', {columns}, es.stxrelid::pg_catalog.regclass)"
_STATISTICS_SCHEMA = "es.stxnamespace::pg_catalog.regnamespace::pg_catalog.text"
STATISTICS = List(
    "List of extended statistics",
    (
        Column("Schema", _STATISTICS_SCHEMA),
        Column("Name", "es.stxname"),
        Column("Definition", _STATISTICS_OF.format(columns=_STATISTICS_COLUMNS), until=13),
        Column(
            "Definition",
            _STATISTICS_OF.format(columns="pg_catalog.pg_get_statisticsobjdef_columns(es.oid)"),
            since=14,
        ),
        *(
            Column(header, f"case when '{kind}' = any (es.stxkind) then 'defined' end")
            for header, kind in (("Ndistinct", "d"), ("Dependencies", "f"), ("MCV", "m"))
        ),
    ),
    "pg_catalog.pg_statistic_ext es",
    (Matched("es.stxname", _STATISTICS_SCHEMA, visible="pg_catalog.pg_statistics_obj_is_visible(es.oid)"),),
    order="1, 2",
)
