"""Who owns what the user may not use, which privilege is missing, and the GRANT to ask for (42501).

The server's message names the object, in words of its language; so the objects whose name is in it are looked up, and
of those the ones that the user lacks a privilege on. It is one, or nothing is said. A policy of row level security
refuses a row without a name in the server's fields: those of the table are shown.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tusk_jupyter.advice import identifier
from tusk_jupyter.advice.rights import is_for_owners, wanted_on_relation, wanted_on_schema
from tusk_jupyter.advice.targets import named, written
from tusk_jupyter.queries.causes import Found

if TYPE_CHECKING:
    import psycopg

    from tusk_jupyter.queries.causes import Refused

_MOST_COLUMNS = 12
_WHO = "(select coalesce(%s::name, current_user) as name) who"
_RELATIONS = f"""
select n.nspname::text, c.relname::text, c.relkind::text, pg_get_userbyid(c.relowner)::text, who.name::text,
  pg_has_role(who.name, c.relowner, 'member'),
  array(select p from unnest(%s::text[]) p where case c.relkind when 'S'
    then not has_sequence_privilege(who.name, c.oid, 'usage')
    else not has_table_privilege(who.name, c.oid, p) end),
  has_any_column_privilege(who.name, c.oid, 'select'),
  array(select a.attname::text from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    and not has_column_privilege(who.name, c.oid, a.attnum, 'select') order by a.attnum limit %s),
  has_schema_privilege(who.name, n.oid, 'usage')
from pg_class c join pg_namespace n on n.oid = c.relnamespace cross join {_WHO}
where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and position(c.relname in %s) > 0
  and n.nspname not like 'pg\\_toast%%'
"""
_SCHEMAS = f"""
select n.nspname::text, pg_get_userbyid(n.nspowner)::text, who.name::text
from pg_namespace n cross join {_WHO}
where position(n.nspname in %s) > 0 and not has_schema_privilege(who.name, n.oid, %s)
"""
_FUNCTIONS = f"""
select p.proname::text, p.oid::regprocedure::text, pg_get_userbyid(p.proowner)::text, who.name::text,
  case p.prokind when 'p' then 'PROCEDURE' else 'FUNCTION' end
from pg_proc p cross join {_WHO}
where position(p.proname in %s) > 0 and not has_function_privilege(who.name, p.oid, 'execute')
"""
_POLICIES = f"""
select n.nspname::text, c.relname::text, p.polname::text, coalesce(pg_get_expr(p.polwithcheck, p.polrelid),
  pg_get_expr(p.polqual, p.polrelid), ''), pg_get_userbyid(c.relowner)::text
from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace cross join {_WHO}
where c.relname = %s and (n.nspname = %s or %s::text is null) and p.polcmd in ('*', %s)
  and (0 = any(p.polroles) or exists(select from unnest(p.polroles) r where pg_has_role(who.name, r, 'member')))
order by p.polname limit 4
"""
_COMMANDS = {"insert": "a", "update": "w", "merge": "w", "copy": "a"}


def missing(conn: psycopg.Connection[Any], refused: Refused) -> Found | None:
    """Return the owner of what was refused, what is missing, and the GRANT."""
    place = refused.diag.source_function or ""
    if place.startswith("ExecWithCheckOptions"):
        return _policies(conn, refused)
    if not place.startswith("aclcheck_error") and refused.diag.source_file != "sequence.c":
        return None
    message = refused.diag.message_primary or ""
    # the message of a schema says so in English; in other languages what is missing decides
    looks = (_schema, _relation, _function) if " schema " in message else (_relation, _function, _schema)
    return next((found for look in looks if (found := look(conn, refused, message)) is not None), None)


def _relation(conn: psycopg.Connection[Any], refused: Refused, message: str) -> Found | None:
    target = written(refused.statement)
    for_owner = is_for_owners(refused.statement)
    found = []
    rows = conn.execute(
        _RELATIONS, [["select", "insert", "update", "delete", "truncate"], _MOST_COLUMNS + 1, refused.user, message]
    )
    for schema, name, kind, owner, user, is_member, lacking, any_column, columns, reachable in rows.fetchall():
        wanted = wanted_on_relation(refused.statement, is_target=target is not None and target[1] == name)
        rights = ["USAGE"] if kind == "S" and lacking else [r for r in wanted if r.lower() in lacking]
        if not _named(name, message) or not reachable or not (rights or (for_owner and not is_member)):
            continue
        found.append((schema, name, kind, owner, user, rights, columns if any_column else []))
    # the message has the name alone: of several tables it is the one that the statement names with its schema
    qualified_there = named(refused.statement)
    found = [one for one in found if (one[0], one[1]) in qualified_there] or found
    if len(found) != 1:
        return None
    schema, name, kind, owner, user, rights, columns = found[0]
    qualified = identifier(name, schema)
    if for_owner:
        return _for_owner(qualified, owner)
    if rights == ["SELECT"] and 0 < len(columns) <= _MOST_COLUMNS:
        # the others can be read: only these are missing
        rights = [f"SELECT ({', '.join(map(identifier, columns))})"]
    what = "SEQUENCE " if kind == "S" else ""
    return _grant(", ".join(rights), f"{what}{qualified}", owner, user)


def _schema(conn: psycopg.Connection[Any], refused: Refused, message: str) -> Found | None:
    right = wanted_on_schema(refused.statement)
    found = [
        row for row in conn.execute(_SCHEMAS, [refused.user, message, right]).fetchall() if _named(row[0], message)
    ]
    if len(found) != 1:
        return None
    name, owner, user = found[0]
    return _grant(right.upper(), f"SCHEMA {identifier(name)}", owner, user)


def _function(conn: psycopg.Connection[Any], refused: Refused, message: str) -> Found | None:
    found = [row for row in conn.execute(_FUNCTIONS, [refused.user, message]).fetchall() if _named(row[0], message)]
    if len(found) != 1:
        return None
    _, signature, owner, user, kind = found[0]
    return _grant("EXECUTE", f"{kind} {signature}", owner, user)


def _policies(conn: psycopg.Connection[Any], refused: Refused) -> Found | None:
    target = written(refused.statement)
    if target is None or not _named(target[1], refused.diag.message_primary or ""):
        return None
    command = _COMMANDS.get(refused.statement.split(None, 1)[0].lower(), "w")
    rows = conn.execute(_POLICIES, [refused.user, target[1], target[0], target[0], command]).fetchall()
    if not rows:
        return None
    schema, name, _, _, owner = rows[0]
    facts = [("owner", owner), *((f"policy {policy}", f"lets in what fits {check}") for _, _, policy, check, _ in rows)]
    table = identifier(name, schema)
    return Found(
        tuple(facts),
        f"The row fits none of the policies of `{table}` that are for you: change its values, or ask `{owner}`, who "
        "owns it, for a policy that lets it in.",
    )


def _grant(rights: str, what: str, owner: str, user: str) -> Found:
    grant = f"GRANT {rights} ON {what} TO {identifier(user)}"
    said = f"`{identifier(owner)}` owns it. Ask them, or an administrator, for this: `{grant}`."
    return Found((("owner", owner), ("missing", rights)), said if "`" not in grant + owner else None)


def _for_owner(name: str, owner: str) -> Found:
    said = (
        f"Only its owner may do that, which is `{identifier(owner)}`: ask them for it, or an administrator for "
        f"`ALTER … {name} OWNER TO` another role."
    )
    return Found((("owner", owner),), said if "`" not in name + owner else None)


def _named(name: str, message: str) -> bool:
    return re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", message) is not None
