"""``%tusk find WORD``: whatever has a word in its name or its comment, the likeliest first.

One statement over the catalogs, on the server: what the schema cache holds may be half of a database, and it has no
comments of functions. A name that is the word comes before one that begins with it, before one that has it, before a
comment that does; a table's partitions say nothing that the table does not, and are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.schema.around import OWN, Around, Field, has_word, near_names, tuples
from tusk_jupyter.schema.lists.answering import among, ask_qualified, words
from tusk_jupyter.schema.lists.relations import KINDS

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask

AT_MOST = 200
_CANDIDATES = 20_000
_FIELDS = (
    Field("kind", "text", "kind"),
    Field("schema", "text", "schema"),
    Field("name", "text", "name"),
    Field("table", "text", "belongs"),
    Field("type", "text", "type"),
    Field("comment", "text", "comment"),
)
_DESCRIBED = (
    " left join pg_catalog.pg_description d on d.objoid = {oid}"
    " and d.classoid = 'pg_catalog.{catalog}'::pg_catalog.regclass and d.objsubid = {column}"
)
_TYPE_KINDS = {"e": "enum", "d": "domain", "c": "composite type", "r": "range", "m": "multirange", "b": "type"}
# kind, name, what it belongs to, type, whence, condition; each is a SELECT of its own
_THINGS = (
    ("'schema'", "n.nspname", "null", "null",
     f"pg_catalog.pg_namespace n{_DESCRIBED.format(oid='n.oid', catalog='pg_namespace', column=0)}", "true"),
    (words("c.relkind", KINDS), "c.relname", "i.relname", "null",
     ("pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
     " left join pg_catalog.pg_index x on x.indexrelid = c.oid left join pg_catalog.pg_class i on i.oid = x.indrelid"
     f"{_DESCRIBED.format(oid='c.oid', catalog='pg_class', column=0)}"),
     "not c.relispartition and c.relkind <> 'c'"),
    ("'column'", "a.attname", "c.relname", "pg_catalog.format_type(a.atttypid, a.atttypmod)",
     ("pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid"
     " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
     f"{_DESCRIBED.format(oid='a.attrelid', catalog='pg_class', column='a.attnum')}"),
     ("a.attnum operator(pg_catalog.>) 0 and not a.attisdropped and not c.relispartition"
     f" and {among('c.relkind', 'rvmfpc')}")),
    (words("p.prokind", {"a": "aggregate", "w": "window", "p": "procedure"}, "'function'"), "p.proname", "null",
     "pg_catalog.pg_get_function_arguments(p.oid)",
     ("pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace"
     f"{_DESCRIBED.format(oid='p.oid', catalog='pg_proc', column=0)}"), "true"),
    (words("t.typtype", _TYPE_KINDS), "t.typname", "null", "pg_catalog.format_type(t.oid, null)",
     ("pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace"
     " left join pg_catalog.pg_class c on c.oid = t.typrelid"
     f"{_DESCRIBED.format(oid='t.oid', catalog='pg_type', column=0)}"),
     "(t.typrelid = 0 or c.relkind = 'c') and not (t.typelem <> 0 and t.typlen = -1)"),
)  # fmt: skip
_RANK = (
    "case when pg_catalog.lower(name) = pg_catalog.lower($1::pg_catalog.text) then 0"
    " when pg_catalog.strpos(pg_catalog.lower(name), pg_catalog.lower($1::pg_catalog.text)) = 1 then 1"
    f" when {has_word('name', '$1')} then 2 else 3 end"
)


def find(ask: Ask, word: str) -> Around:
    """Return what has the word in its name or comment; in the system's schemas only where nothing else has."""
    own = " and ".join(OWN)
    rows = _found(ask, word, own)
    notes = []
    if not rows:
        rows = _found(ask, word, f"not ({own})")
        notes.append("only the system's schemas have it" if rows else _nothing(ask, word, own))
    if len(rows) > AT_MOST:
        notes.append(f"the first {AT_MOST:,} are here, by how well they match: a longer word finds fewer")
    return Around(_FIELDS, tuples(rows[:AT_MOST]), tuple(notes))


def _found(ask: Ask, word: str, schemas: str) -> list[list[str | None]]:
    things = " union all ".join(
        f"select {kind}::pg_catalog.text as kind, n.nspname::pg_catalog.text as schema,"
        f" {name}::pg_catalog.text as name, {belongs}::pg_catalog.text as belongs,"
        f" {kept}::pg_catalog.text as type, d.description as comment"
        f" from {source} where {condition} and {schemas}"
        f" and ({has_word(name, '$1')} or {has_word('d.description', '$1')})"
        for kind, name, belongs, kept, source, condition in _THINGS
    )
    fields = ", ".join(field.sql for field in _FIELDS)
    statement = f"select {fields} from ({things}) things order by {_RANK}, schema, belongs nulls first, name, kind"
    return ask_qualified(ask, f"{statement} limit {AT_MOST + 1}", word)


def _nothing(ask: Ask, word: str, schemas: str) -> str:
    names = ask_qualified(
        ask,
        "select c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
        f" where {schemas} union select a.attname from pg_catalog.pg_attribute a"
        " join pg_catalog.pg_class c on c.oid = a.attrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
        f" where a.attnum operator(pg_catalog.>) 0 and not a.attisdropped and {schemas} limit {_CANDIDATES}",
    )
    near = near_names(word, [name for [name] in names if name is not None])
    return f"no name and no comment has {word}" + (f": did you mean {near}?" if near else "")
