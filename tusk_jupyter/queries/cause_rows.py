"""The row that is there already (23505), the rows that refer to one (23503), and the one that is missing.

The key's values come from DETAIL, through the columns that the catalog says the constraint has. In an open transaction
a row that anybody has locked or changed is passed over: it may be one that the transaction itself has replaced.

To read a table is to trust who owns it: PostgreSQL evaluates what an index of it demands while it plans, as the one who
asks, and a type's owner gives it casts. A foreign key's own checks run as the table's owner, so a DELETE needs no such
trust, and our look behind it must not either. Rows are read only of tables that nobody but the user or a superuser
owns, or that the statement itself has written, whose triggers and indexes have run as the user; keys are compared
where their type is PostgreSQL's own, and a value is written by its type's output function, which only a superuser
makes. What a column called like a secret holds is not read at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tusk_jupyter.advice import identifier
from tusk_jupyter.advice.keys import key_values
from tusk_jupyter.advice.targets import written
from tusk_jupyter.queries.causes import Found
from tusk_jupyter.queries.quoting import quote_identifier
from tusk_jupyter.redaction import names_secret

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from tusk_jupyter.queries.causes import Refused

_SHOWN_COLUMNS, _SHOWN_CHARACTERS, _COUNTED = 6, 60, 1000
_UNIQUE = """
select array(select pg_get_indexdef(i.indexrelid, k, true) from generate_series(1, i.indnkeyatts) k order by k),
  array(select a.attname::text from generate_series(1, i.indnkeyatts) k
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[k - 1] order by k)
from pg_index i join pg_class x on x.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
join pg_namespace n on n.oid = t.relnamespace
where n.nspname = %s and t.relname = %s and x.relname = %s and i.indisunique and i.indpred is null
"""
_FOREIGN = """
select pn.nspname::text, p.relname::text, {columns}
from pg_constraint c join pg_class f on f.oid = c.conrelid join pg_namespace n on n.oid = f.relnamespace
join pg_class p on p.oid = c.confrelid join pg_namespace pn on pn.oid = p.relnamespace
where n.nspname = %s and f.relname = %s and c.conname = %s and c.contype = 'f'
""".format(
    columns=", ".join(
        f"array(select a.attname::text from unnest(c.{key}) with ordinality k (number, at)"
        f" join pg_attribute a on a.attrelid = c.{table} and a.attnum = k.number order by k.at)"
        for key, table in (("conkey", "conrelid"), ("confkey", "confrelid"))
    )
)
_COLUMNS = """
select a.attname::text, a.attname = any(%s), t.typnamespace = 'pg_catalog'::regnamespace
from pg_attribute a join pg_type t on t.oid = a.atttypid
where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped
  and a.atttypid not in ('bytea'::regtype) and has_column_privilege(a.attrelid, a.attnum, 'select')
order by 2 desc, a.attnum
"""
# whoever owns its schema can put another table in its place
_IS_TRUSTED = """
with recursive tree (oid, is_root) as (select %s::regclass::oid, true
  union all select i.inhrelid, false from tree join pg_inherits i on i.inhparent = tree.oid)
select bool_and((tree.is_root and %s) or not exists (
    select from pg_roles owner join pg_database d on d.datname = current_database()
    where (owner.oid in (c.relowner, n.nspowner) or (s.rolname = 'pg_database_owner' and owner.oid = d.datdba))
      and not owner.rolsuper and owner.rolname not in (current_user, 'pg_database_owner')))
from tree join pg_class c on c.oid = tree.oid join pg_namespace n on n.oid = c.relnamespace
join pg_roles s on s.oid = n.nspowner
"""


def unique(conn: psycopg.Connection[Any], refused: Refused) -> Found | None:
    """Return the row that has the key already."""
    diag = refused.diag
    found = conn.execute(_UNIQUE, [diag.schema_name, diag.table_name, diag.constraint_name]).fetchone()
    if found is None or len(found[0]) != len(found[1]):
        return None
    shown, names = found
    values = key_values(diag.message_detail or "", shown)
    if values is None:
        return None
    table = (diag.schema_name or "", diag.table_name or "")
    target = written(refused.statement)
    is_written = not diag.context and target is not None and target[1] == table[1]
    if not _may_read(conn, table, names, is_written=is_written):
        return None
    row = _row(conn, table, names, values, untouched=refused.in_transaction)
    return Found((("row there", row),)) if row else None


def foreign_key(conn: psycopg.Connection[Any], refused: Refused) -> Found | None:
    """Return the rows that refer to the one that was to go, or what is missing in the table that is referred to."""
    diag = refused.diag
    found = conn.execute(_FOREIGN, [diag.schema_name, diag.table_name, diag.constraint_name]).fetchone()
    if found is None:
        return None
    schema, table, columns, referred = found
    child, parent = (diag.schema_name or "", diag.table_name or ""), (schema, table)
    detail = diag.message_detail or ""
    is_open = _may_read(conn, parent, referred)
    inserted, deleted = key_values(detail, columns), key_values(detail, referred)
    if inserted is not None and deleted is not None and is_open:  # the columns have the same names on both sides
        is_there = bool(_count(conn, parent, referred, deleted))
        inserted, deleted = (None, deleted) if is_there else (inserted, None)
    if (inserted is None) == (deleted is None):
        return None
    if deleted is not None:
        return _still_referred(conn, child, columns, deleted) if _may_read(conn, child, columns) else None
    return _missing(conn, parent, referred, inserted or ()) if is_open else None


def _still_referred(
    conn: psycopg.Connection[Any], child: tuple[str, str], columns: Sequence[str], values: Sequence[str]
) -> Found | None:
    count = _count(conn, child, columns, values)
    row = _row(conn, child, columns, values, untouched=False)
    if not count or row is None:
        return None
    name = identifier(child[1], child[0])
    many = f"more than {_COUNTED:,} rows" if count > _COUNTED else f"{count:,} row{'s' * (count > 1)}"
    where = " and ".join(f"{identifier(column)} = …" for column in columns)
    return Found(
        (("referred to", f"by {many} of {name}, such as {row}"),),
        f"{many[0].upper()}{many[1:]} of `{name}` still refer{'s' * (count == 1)} to it: `delete from {name} where "
        f"{where}` first, or change them. A foreign key with `ON DELETE CASCADE` would do it.",
    )


def _missing(
    conn: psycopg.Connection[Any], parent: tuple[str, str], referred: Sequence[str], values: Sequence[str]
) -> Found | None:
    if _count(conn, parent, referred, values):
        return None  # it is there by now, or was not yet for the transaction
    name = identifier(parent[1], parent[0])
    pairs = ", ".join(f"{column} = {_cut(value)}" for column, value in zip(referred, values, strict=True))
    facts = [("missing", f"{name} has no row with {pairs}")]
    near = _near(conn, parent, referred[0], values[0]) if len(referred) == 1 else None
    if near is not None:
        facts.append(("near", f"{referred[0]} = {near!r} is there, which differs in capitals or spaces"))
    return Found(tuple(facts))


def _near(conn: psycopg.Connection[Any], table: tuple[str, str], column: str, value: str) -> str | None:
    name = _name(column)
    statement = (
        f"select left({_text(name)}, 100) from {_name(table)} "
        f"where lower(btrim({_text(name)})) = lower(btrim(%s)) limit 2"
    )
    rows = conn.execute(statement.encode(), [value]).fetchall()
    return rows[0][0] if len(rows) == 1 else None


def _count(conn: psycopg.Connection[Any], table: tuple[str, str], columns: Sequence[str], values: Sequence[str]) -> int:
    where = " and ".join(f"{_name(column)} = %s" for column in columns)
    statement = f"select count(*) from (select from {_name(table)} where {where} limit {_COUNTED + 1}) found"
    row = conn.execute(statement.encode(), list(values)).fetchone()
    return row[0] if row else 0


def _row(
    conn: psycopg.Connection[Any],
    table: tuple[str, str],
    keys: Sequence[str],
    values: Sequence[str],
    *,
    untouched: bool,
) -> str | None:
    """Return one row with these values as ``a = 1, b = x``: its key and a few more columns, each cut."""
    readable = [name for name, *_ in conn.execute(_COLUMNS, [list(keys), quote_identifier(table)]).fetchall()]
    # the key's values are in DETAIL already
    names = [name for name in readable if name in keys or not names_secret(name)][:_SHOWN_COLUMNS]
    shown = ", ".join(f"left({_text(_name(name))}, {_SHOWN_CHARACTERS + 1})" for name in names)
    where = " and ".join(f"{_name(key)} = %s" for key in keys)
    still = " and xmax::text = '0'" if untouched else ""
    statement = f"select {shown} from {_name(table)} where {where}{still} limit 1"
    row = conn.execute(statement.encode(), list(values)).fetchone()
    if row is None:
        return None
    return ", ".join(f"{name} = {_cut(value)}" for name, value in zip(names, row, strict=True))


def _may_read(
    conn: psycopg.Connection[Any], table: tuple[str, str], keys: Sequence[str], *, is_written: bool = False
) -> bool:
    """Return whether a table can be asked for a key without running anybody's code but the server's and the user's."""
    name = quote_identifier(table)
    trusted = conn.execute(_IS_TRUSTED, [name, is_written]).fetchone()
    if trusted is None or not trusted[0]:
        return False
    columns = conn.execute(_COLUMNS, [list(keys), name]).fetchall()
    return set(keys) <= {column for column, is_key, is_own in columns if is_key and is_own}


def _text(name: str) -> str:
    return f"case when {name} is null then null else format('%%s', {name}) end"


def _name(name: str | tuple[str, str]) -> str:
    return quote_identifier(name).replace("%", "%%")  # psycopg's placeholders begin with one


def _cut(value: str | None) -> str:
    if value is None:
        return "NULL"
    return value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}…"
