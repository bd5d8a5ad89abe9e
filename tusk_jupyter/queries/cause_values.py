"""Which column a text is too long for (22001), what labels an enum has (22P02), and what a check demands (23514).

None of it is in the server's fields. A message has the type as it is written, in every language, and the statement has
the table: what is not the only possibility is said as one of several, and what is none of them not at all.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any

from tusk_jupyter.advice import identifier
from tusk_jupyter.advice.targets import written
from tusk_jupyter.queries.causes import Found

if TYPE_CHECKING:
    import psycopg

    from tusk_jupyter.queries.causes import Refused

_MOST_LABELS = 30
_MOST_DEMANDED = 300
_ENUMS = """
select format_type(t.oid, null), array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid
  order by e.enumsortorder limit %s)
from pg_type t where t.typtype = 'e' and position(t.typname in %s) > 0
"""
_CHECK = """
select pg_get_expr(c.conbin, c.conrelid, true)
from pg_constraint c join pg_namespace n on n.oid = c.connamespace
left join pg_class r on r.oid = c.conrelid left join pg_type t on t.oid = c.contypid
where n.nspname = %s and c.conname = %s and coalesce(r.relname, t.typname) = %s and c.contype = 'c'
"""
_COLUMNS = """
select a.attname::text from pg_attribute a
where a.attrelid = (select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relname = %s and (n.nspname = %s or (%s::text is null and n.nspname not like 'pg\\_%%'))
    and c.relkind in ('r', 'p', 'f', 'v') limit 1)
  and a.attnum > 0 and not a.attisdropped and position(format_type(a.atttypid, a.atttypmod) in %s) > 0
order by a.attnum
"""


def labels(conn: psycopg.Connection[Any], refused: Refused) -> Found | None:
    """Return the labels of the enum that a text was to be, the nearest first."""
    if (refused.diag.source_function or "") != "enum_in":
        return None
    message = refused.diag.message_primary or ""
    found = [
        (name, there)
        for name, there in conn.execute(_ENUMS, [_MOST_LABELS + 1, message]).fetchall()
        if re.search(rf"(?<!\w){re.escape(name.rpartition('.')[2])}(?!\w)", message.partition(': "')[0])
    ]
    if len(found) != 1:
        return None
    name, there = found[0]
    typed = message.rpartition('"')[0].rpartition('"')[2]
    near = difflib.get_close_matches(typed.lower(), [label.lower() for label in there], 1, 0.7)
    meant = next((label for label in there if near and label.lower() == near[0]), None)
    more = ", …" if len(there) > _MOST_LABELS else ""
    listed = ", ".join(_quoted(label) for label in there[:_MOST_LABELS]) + more
    said = f"Perhaps you meant `{_quoted(meant)}`. " if meant is not None and "`" not in meant else ""
    return Found((("labels", listed),), f"{said}The labels of `{name}` are listed above; they are case-sensitive.")


def check(conn: psycopg.Connection[Any], refused: Refused) -> Found | None:
    """Return what a check of a table or a domain demands."""
    diag = refused.diag
    owner = diag.table_name or diag.datatype_name or ""
    if refused.doubtful & {owner, diag.constraint_name}:
        return None
    found = conn.execute(_CHECK, [diag.schema_name, diag.constraint_name, owner]).fetchone()
    if found is None or not found[0]:
        return None
    demanded = " ".join(found[0].split())
    shown = demanded if len(demanded) <= _MOST_DEMANDED else f"{demanded[:_MOST_DEMANDED]}…"
    what = "row" if diag.table_name else "value"
    name, owned_by = identifier(diag.constraint_name or ""), identifier(owner, diag.schema_name)
    said = f"Correct the value: `{name}` of `{owned_by}` refuses a {what} that does not fit the check above."
    return Found(
        (("check", shown),), said if "`" not in name + owned_by else "Correct the value: it breaks this check."
    )


def too_long(conn: psycopg.Connection[Any], refused: Refused) -> Found | None:
    """Return the columns of the written table that take no longer text than the message says."""
    target = written(refused.statement)
    if target is None:
        return None
    schema, table = target
    message = refused.diag.message_primary or ""
    rows = conn.execute(_COLUMNS, [table, schema, schema, message]).fetchall()
    names = [name for (name,) in rows]
    if not names or len(names) > 5:  # noqa: PLR2004 a list of more helps nobody
        return None
    shown = ", ".join(f"`{identifier(name)}`" for name in names)
    which = shown if len(names) == 1 else f"one of {shown}"
    return Found(
        (("column" if len(names) == 1 else "one of", ", ".join(names)),),
        f"The text is longer than {which} takes: shorten it (`left(value, n)`), or widen the column, "
        f"`alter table {identifier(table, schema)} alter column {identifier(names[0])} type text`.",
    )


def _quoted(label: str) -> str:
    return "'{}'".format(label.replace("'", "''"))
