"""Which column a text is too long for (22001), and what labels an enum has (22P02).

Neither is in the server's fields. Its message has the type as it is written, in every language, and the statement has
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
_ENUMS = """
select format_type(t.oid, null), array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid
  order by e.enumsortorder limit %s)
from pg_type t where t.typtype = 'e' and position(t.typname in %s) > 0
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
