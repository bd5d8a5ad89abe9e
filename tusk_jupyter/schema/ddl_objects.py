"""Scripts of what is no relation: functions, procedures, enums and domains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.schema import pattern as patterns
from tusk_jupyter.schema.ddl_sql import ask_pathless, pathless
from tusk_jupyter.schema.describe_sql import qualified

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask

_FUNCTIONS: Final = qualified(
    "select p.oid, p.prokind from pg_catalog.pg_proc p"
    " join pg_catalog.pg_namespace n on n.oid = p.pronamespace where true"
)
_SIGNATURE: Final = qualified(
    "select p.oid, p.prokind from pg_catalog.pg_proc p where p.oid = pg_catalog.to_regprocedure($1)::pg_catalog.oid"
)
_TYPES: Final = qualified(
    "select t.oid from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace"
    " where t.typtype = any ('{e,d}')"
)
_NAME = "pg_catalog.quote_ident(n.nspname) || ('.' || pg_catalog.quote_ident(t.typname))"
_FUNCTION: Final = pathless("""
select p.oid, pg_catalog.pg_get_functiondef(p.oid),
       case when p.prokind = 'p' then 'procedure ' else 'function ' end
           || p.oid::pg_catalog.regprocedure::pg_catalog.text,
       pg_catalog.quote_literal(pg_catalog.obj_description(p.oid, 'pg_proc'))
  from pg_catalog.pg_proc p
 where p.oid = any ($1::pg_catalog.oid[]) order by p.proname, 3""")
_ENUMS: Final = pathless(f"""
select t.oid, {_NAME},
       (select pg_catalog.string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
          from pg_catalog.pg_enum e where e.enumtypid = t.oid),
       pg_catalog.quote_literal(pg_catalog.obj_description(t.oid, 'pg_type'))
  from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
 where t.oid = any ($1::pg_catalog.oid[]) and t.typtype = 'e' order by t.typname""")
_DOMAINS: Final = pathless(f"""
select t.oid, {_NAME}, pg_catalog.format_type(t.typbasetype, t.typtypmod),
       (select pg_catalog.quote_ident(cn.nspname) || ('.' || pg_catalog.quote_ident(co.collname))
          from pg_catalog.pg_collation co join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace,
               pg_catalog.pg_type b
         where co.oid = t.typcollation and b.oid = t.typbasetype and t.typcollation <> b.typcollation),
       pg_catalog.pg_get_expr(t.typdefaultbin, 0), t.typnotnull,
       (select pg_catalog.string_agg(pg_catalog.concat(pg_catalog.quote_ident(r.conname), ' ',
                    pg_catalog.pg_get_constraintdef(r.oid)), E'\\n    constraint ' order by r.conname)
          from pg_catalog.pg_constraint r where r.contypid = t.oid and r.contype = 'c' and r.convalidated),
       (select pg_catalog.string_agg(pg_catalog.concat(pg_catalog.quote_ident(r.conname), ' ',
                    pg_catalog.pg_get_constraintdef(r.oid)), E',\\n    add constraint ' order by r.conname)
          from pg_catalog.pg_constraint r where r.contypid = t.oid and r.contype = 'c' and not r.convalidated),
       pg_catalog.quote_literal(pg_catalog.obj_description(t.oid, 'pg_type'))
  from pg_catalog.pg_type t join pg_catalog.pg_namespace n on n.oid = t.typnamespace
 where t.oid = any ($1::pg_catalog.oid[]) and t.typtype = 'd' order by t.typname""")


def scripts(ask: Ask, name: str) -> list[str]:
    """Return the scripts of the functions of a name or signature, or else of the types; none when there are none.

    :raises InvalidInput: for what no statement could make of the catalogs alone: an aggregate, a window function.
    """
    functions = _functions(ask, name)
    if functions:
        return _made_of(ask, functions)
    oids = _matching(ask, _TYPES, name, "t.typname", "pg_catalog.pg_type_is_visible(t.oid)")
    found = ask_pathless(ask, {"enums": _ENUMS, "domains": _DOMAINS}, (row[0] or "" for row in oids))
    return [*map(_enum, found["enums"]), *map(_domain, found["domains"])]


def _functions(ask: Ask, name: str) -> list[list[str | None]]:
    if "(" in name:
        return ask(_SIGNATURE, name)
    return _matching(ask, _FUNCTIONS, name, "p.proname", "pg_catalog.pg_function_is_visible(p.oid)")


def _made_of(ask: Ask, functions: list[list[str | None]]) -> list[str]:
    oids = [oid or "" for oid, kind in functions if kind in {"f", "p"}]
    if not oids:
        raise InvalidInput(
            "no statement makes an aggregate or a window function anew: PostgreSQL does not write its definition",
            advice="pg_dump writes that of an aggregate.",
        )
    rows = ask_pathless(ask, {"functions": _FUNCTION}, oids)["functions"]
    return [f"{(text or '').rstrip()};\n{_comment(what, comment)}" for _, text, what, comment in rows]


def _enum(row: list[str | None]) -> str:
    _, name, labels, comment = row
    return f"create type {name} as enum ({labels or ''});\n{_comment(f'type {name}', comment)}"


def _domain(row: list[str | None]) -> str:
    _, name, base, collation, default, not_null, valid, unproven, comment = row
    made = (
        f"create domain {name} as {base}"
        + (f" collate {collation}" if collation else "")
        + (f"\n    default {default}" if default else "")
        + ("\n    not null" if not_null == "t" else "")
        + (f"\n    constraint {valid}" if valid else "")
    )
    later = f"alter domain {name}\n    add constraint {unproven};\n" if unproven else ""
    return f"{made};\n{later}{_comment(f'domain {name}', comment)}"


def _comment(what: str | None, comment: str | None) -> str:
    return f"comment on {what} is {comment};\n" if comment else ""


def _matching(ask: Ask, statement: str, name: str, column: str, visible: str) -> list[list[str | None]]:
    values: list[str | None] = []
    conditions = patterns.condition(patterns.read(name), values, name=column, schema="n.nspname", visible=visible)
    return ask(statement + "".join(f" and {one}" for one in conditions), *values)
