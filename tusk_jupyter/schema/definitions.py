r"""The source of a function or a view, as psql's ``\sf`` and ``\sv`` show it.

The server writes a function's itself (``pg_get_functiondef``); of a view it writes the query, and what stands around it
is put together here. A name is read as PostgreSQL reads one, with or without argument types; where several functions
have it, all are named: psql leaves that to «more than one function».
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tusk_jupyter.errors import InvalidInput

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask

_FUNCTIONS: Final = """
select p.oid::pg_catalog.text, pg_catalog.pg_function_is_visible(p.oid)::pg_catalog.text,
  pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(p.proname),
  pg_catalog.pg_get_function_identity_arguments(p.oid)
from pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) p.pronamespace
where p.proname operator(pg_catalog.=) $1::pg_catalog.name and case when $2::pg_catalog.name is null
  then pg_catalog.pg_function_is_visible(p.oid) else n.nspname operator(pg_catalog.=) $2::pg_catalog.name end
order by 5
"""
_NAMES: Final = """
select distinct p.proname::pg_catalog.text from pg_catalog.pg_proc p where pg_catalog.pg_function_is_visible(p.oid)
"""
_VIEW: Final = """
select c.relkind::pg_catalog.text, pg_catalog.quote_ident(n.nspname), pg_catalog.quote_ident(c.relname),
  case when c.relkind operator(pg_catalog.=) 'v' then pg_catalog.pg_get_viewdef(c.oid, true) end,
  pg_catalog.array_to_json(c.reloptions)::pg_catalog.text
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
where c.oid operator(pg_catalog.=) pg_catalog.to_regclass($1)::pg_catalog.oid
"""
_VIEWS: Final = """
select c.relname::pg_catalog.text from pg_catalog.pg_class c
where c.relkind operator(pg_catalog.=) 'v' and pg_catalog.pg_table_is_visible(c.oid)
"""
_KINDS: Final = {"m": "a materialized view", "r": "a table", "p": "a partitioned table", "f": "a foreign table"}
_BODY: Final = ("AS ", "BEGIN ", "RETURN ")
_LISTED: Final = 10


@dataclass(frozen=True, slots=True)
class Definition:
    """A source, and where its body begins: the line that an error in it counts from."""

    text: str
    body: int = 0

    @property
    def numbered(self) -> str:
        """The source with the numbers of the body's lines."""
        lines = self.text.split("\n")
        numbers = [f"{place - self.body + 1:<7} " if place >= self.body else " " * 8 for place in range(len(lines))]
        return "\n".join((number + line).rstrip() for number, line in zip(numbers, lines, strict=True))


def function(ask: Ask, name: str) -> Definition:
    """Return the source of ``name``, ``schema.name`` or ``name(types)``.

    :raises InvalidInput: when there is none, or more than one.
    """
    if "(" in name:
        oid = ask("select pg_catalog.to_regprocedure($1)::pg_catalog.oid::pg_catalog.text", name)[0][0]
        if oid is None:
            _refuse_missing(ask, name.partition("(")[0], name, r"\df lists functions with their arguments.")
    else:
        *schema, plain = _parts(ask, name)
        found = ask(_FUNCTIONS, plain, schema[-1] if schema else None)
        if not found:
            _refuse_missing(ask, plain, name, r"\df lists functions.")
        if len(found) > 1:
            _refuse_ambiguous(name, found)
        oid = found[0][0]
    text = ask("select pg_catalog.pg_get_functiondef($1::pg_catalog.oid)", oid)[0][0] or ""
    lines = text.rstrip("\n").split("\n")
    body = next((place for place, line in enumerate(lines) if line.startswith(_BODY)), len(lines))
    return Definition("\n".join(lines), body)


def view(ask: Ask, name: str) -> Definition:
    """Return the source of a view; :raises InvalidInput: when there is none of that name."""
    found = ask(_VIEW, name)
    if not found:
        _refuse_missing(ask, name, name, r"\dv lists views.", kind="view")
    kind, schema, relation, query, options = found[0]
    if kind != "v":
        raise InvalidInput(
            f"{schema}.{relation} is {_KINDS.get(kind or '', 'no view')}, not a view",
            advice=rf"\d+ {name} describes it.",
        )
    given = [one.split("=", 1) for one in json.loads(options or "[]")]
    checked = next((value for key, value in given if key == "check_option"), None)
    others = ", ".join(f"{key}='{value}'" for key, value in given if key != "check_option")
    options = f"\n WITH ({others})" if others else ""
    text = f"CREATE OR REPLACE VIEW {schema}.{relation}{options} AS\n"
    text += (query or "").rstrip("\n").removesuffix(";")
    return Definition(text + (f"\n WITH {checked.upper()} CHECK OPTION" if checked else ""))


def _parts(ask: Ask, name: str) -> list[str]:
    found: list[str] = json.loads(
        ask("select pg_catalog.array_to_json(pg_catalog.parse_ident($1))::pg_catalog.text", name)[0][0] or "[]"
    )
    return found


def _refuse_missing(ask: Ask, plain: str, name: str, advice: str, *, kind: str = "function") -> None:
    names = [found or "" for [found] in ask(_NAMES if kind == "function" else _VIEWS)]
    near = difflib.get_close_matches(plain.strip().rpartition(".")[2].strip('"'), names, n=3)
    offer = f"Did you mean {' or '.join(near)}? " if near else ""
    raise InvalidInput(f"there is no {kind} {name!r}", advice=offer + advice, name=name)


def _refuse_ambiguous(name: str, found: list[list[str | None]]) -> None:
    plain = [
        f"{found_name if visible == 'true' else f'{schema}.{found_name}'}({arguments})"
        for _, visible, schema, found_name, arguments in found
    ]
    more = f", and {len(plain) - _LISTED} more" if len(plain) > _LISTED else ""
    raise InvalidInput(
        f"{len(found)} functions are named {name!r}",
        advice=f"Give the argument types: {'; '.join(plain[:_LISTED])}{more}.",
        name=name,
    )
