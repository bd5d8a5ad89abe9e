r"""Functions and operators as psql lists them: ``\df`` with its letters and argument types, ``\da``, ``\do``, ``\dC``.

An argument type narrows the list to what takes it in that place and perhaps more behind it; ``-`` is «no argument
there». A type matches by either of its names, ``int4`` or ``integer``.
"""

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
    matching,
    not_system,
    owner,
    words,
    yes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.schema.asking import Ask, Listing, Wanted

MOST_ARGUMENTS = 100
_TRIGGER = "p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype"
_LETTERS = {"a": "p.prokind = 'a'", "p": "p.prokind = 'p'", "t": _TRIGGER, "w": "p.prokind = 'w'"}
_PROC = "pg_catalog.pg_proc p left join pg_catalog.pg_namespace n on n.oid = p.pronamespace"
_NAMED = Matched("p.proname", "n.nspname", visible="pg_catalog.pg_function_is_visible(p.oid)")
_ARGUMENTS = "pg_catalog.pg_get_function_arguments(p.oid)"
_COLUMNS = (
    Column("Schema", "n.nspname"),
    Column("Name", "p.proname"),
    Column("Result data type", "pg_catalog.pg_get_function_result(p.oid)"),
    Column("Argument data types", _ARGUMENTS),
    Column("Type", words("p.prokind", {"a": "agg", "w": "window", "p": "proc"}, "'func'")),
    Column("Volatility", words("p.provolatile", {"i": "immutable", "s": "stable", "v": "volatile"}), verbose=True),
    Column("Parallel", words("p.proparallel", {"r": "restricted", "s": "safe", "u": "unsafe"}), verbose=True),
    owner("p.proowner", verbose=True),
    Column("Security", "case when p.prosecdef then 'definer' else 'invoker' end", verbose=True),
    Column("Leakproof?", yes("p.proleakproof"), verbose=True, since=18),
    *acl("p.proacl"),
    Column("Language", "l.lanname", verbose=True),
    Column("Source code", "p.prosrc", verbose=True, until=13),
    Column(
        "Source code", "coalesce(pg_catalog.pg_get_function_sqlbody(p.oid), p.prosrc)", verbose=True, since=14, until=15
    ),
    Column(
        "Internal name",
        "case when l.lanname = 'internal' or l.lanname = 'c' then p.prosrc end",
        verbose=True,
        since=16,
    ),
    comment("p.oid", "proc"),
)


def functions(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\df [NAME [TYPE …]]``, with a, n, p, t, w for aggregates, normal functions, procedures, triggers, windows."""
    letters = set(wanted.command[2:])
    listed = List(
        "List of functions",
        _COLUMNS,
        f"{_PROC} left join pg_catalog.pg_language l on l.oid = p.prolang",
        (_NAMED,),
        _of_kinds(letters),
        not_system(),
        "1, 2, 4",
    )
    types = [f"p.proargtypes[{number}]" for number in range(min(len(wanted.arguments[1:]), MOST_ARGUMENTS))]
    return [_with_types(ask, wanted, listed, types)]


def _of_kinds(letters: set[str]) -> tuple[str, ...]:
    if not letters:
        return ()
    if "n" in letters:
        return tuple(f"not {condition}" for letter, condition in _LETTERS.items() if letter not in letters)
    return (f"({' or '.join(condition for letter, condition in _LETTERS.items() if letter in letters)})",)


def _argument_types(oids: Iterable[str]) -> tuple[str, list[Matched]]:
    joins, matched = "", []
    for number, oid in enumerate(oids):
        joins += (
            f" left join pg_catalog.pg_type t{number} on t{number}.oid = {oid}"
            f" left join pg_catalog.pg_namespace nt{number} on nt{number}.oid = t{number}.typnamespace"
        )
        matched.append(
            Matched(
                f"t{number}.typname",
                f"nt{number}.nspname",
                f"pg_catalog.format_type(t{number}.oid, null)",
                f"pg_catalog.pg_type_is_visible(t{number}.oid)",
                types=True,
            )
        )
    return joins, matched


def _with_types(ask: Ask, wanted: Wanted, listed: List, types: Iterable[str]) -> Listing:
    """Answer with what also takes the types behind the name; a - is a type that is not there."""
    joins, matched = _argument_types(types)
    where, asked, compared = [*listed.where], [*wanted.arguments[:1]], [*listed.matched]
    for one, argument in zip(matched, wanted.arguments[1:], strict=False):
        if argument == "-":
            where.append(f"{one.name} is null")
        else:
            asked.append(argument)
            compared.append(one)
    narrowed = replace(listed, source=listed.source + joins, matched=tuple(compared), where=tuple(where))
    return answer(ask, replace(wanted, arguments=tuple(asked)), narrowed)


AGGREGATES = List(
    "List of aggregate functions",
    (
        *_COLUMNS[:2],
        Column("Result data type", "pg_catalog.format_type(p.prorettype, null)"),
        Column("Argument data types", f"case when p.pronargs = 0 then '*' else {_ARGUMENTS} end"),
        comment("p.oid", "proc", verbose=False),
    ),
    _PROC,
    (_NAMED,),
    ("p.prokind = 'a'",),
    not_system(),
    "1, 2, 4",
)

_OPERATORS = List(
    "List of operators",
    (
        Column("Schema", "n.nspname"),
        Column("Name", "o.oprname"),
        Column("Left arg type", "case when o.oprkind <> 'l' then pg_catalog.format_type(o.oprleft, null) end"),
        Column("Right arg type", "case when o.oprkind <> 'r' then pg_catalog.format_type(o.oprright, null) end"),
        Column("Result type", "pg_catalog.format_type(o.oprresult, null)"),
        Column("Function", "o.oprcode", verbose=True),
        Column("Leakproof?", yes("p.proleakproof"), verbose=True, since=18),
        Column(
            "Description",
            "coalesce(pg_catalog.obj_description(o.oid, 'pg_operator'),"
            " pg_catalog.obj_description(o.oprcode, 'pg_proc'))",
        ),
    ),
    "pg_catalog.pg_operator o left join pg_catalog.pg_namespace n on n.oid = o.oprnamespace"
    " left join pg_catalog.pg_proc p on p.oid = o.oprcode",
    (Matched("o.oprname", "n.nspname", visible="pg_catalog.pg_operator_is_visible(o.oid)", literal=True),),
    quiet=not_system(),
    order="1, 2, 3, 4",
)


def operators(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\do [NAME [TYPE [TYPE]]]``: one type is that of a prefix operator, two are left and right."""
    if len(wanted.arguments) == 2:  # noqa: PLR2004 - a name and a type
        prefix = replace(_OPERATORS, where=("o.oprleft = 0",))
        return [_with_types(ask, wanted, prefix, ["o.oprright"])]
    types = ["o.oprleft", "o.oprright"][: len(wanted.arguments[1:])]
    return [_with_types(ask, wanted, _OPERATORS, types)]


_CASTS = List(
    "List of casts",
    (
        Column("Source type", "pg_catalog.format_type(c.castsource, null)"),
        Column("Target type", "pg_catalog.format_type(c.casttarget, null)"),
        Column("Function", words("c.castmethod", {"b": "(binary coercible)", "i": "(with inout)"}, "p.proname")),
        Column("Implicit?", words("c.castcontext", {"e": "no", "a": "in assignment"}, "'yes'")),
        Column("Leakproof?", yes("p.proleakproof"), verbose=True, since=18),
        comment("c.oid", "cast"),
    ),
    "pg_catalog.pg_cast c left join pg_catalog.pg_proc p on p.oid = c.castfunc"
    " left join pg_catalog.pg_type ts on ts.oid = c.castsource"
    " left join pg_catalog.pg_namespace ns on ns.oid = ts.typnamespace"
    " left join pg_catalog.pg_type tt on tt.oid = c.casttarget"
    " left join pg_catalog.pg_namespace nt on nt.oid = tt.typnamespace",
    order="1, 2",
)


def casts(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dC [TYPE]``: casts from the type, and to it."""
    values: list[str | None] = []
    either = []
    for alias in ("s", "t"):
        matched = Matched(
            f"t{alias}.typname",
            f"n{alias}.nspname",
            f"pg_catalog.format_type(t{alias}.oid, null)",
            f"pg_catalog.pg_type_is_visible(t{alias}.oid)",
        )
        argument = wanted.arguments[0] if wanted.arguments else None
        either.append(" and ".join(matching(ask, matched, argument, values)) or "true")
    listed = replace(_CASTS, where=(f"(({either[0]}) or ({either[1]}))",))
    return [answer(ask, wanted, listed, values)]
