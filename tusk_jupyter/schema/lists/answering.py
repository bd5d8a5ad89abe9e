r"""A listing as data: its columns by version, their source, what patterns are compared with; and how it is asked.

Most of psql's listings are one SELECT each, and differ in these alone. So each is a :class:`List`, and the handful that
are more (functions with argument types, ``\dx+``, publications) are functions which make such records.

Every operator is sent with its schema: a role whose ``search_path`` has a schema before ``pg_catalog`` would else run
whatever that schema's owner put there. In the SQL of this room ``=``, ``<>``, ``!~`` and ``||`` stand between blanks
and become ``operator(pg_catalog.=)`` on their way; such operators have one precedence, so that what mixes them has
parentheses; ``IN``, ``USING`` and ``CASE x WHEN``, which find their ``=`` by the path, are not used.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.schema import pattern as patterns
from tusk_jupyter.schema.asking import Listing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tusk_jupyter.schema.asking import Ask, Wanted

NEWEST = 99
_OPERATOR = re.compile(r" (=|<>|!~|\|\|) ")
# what people write for types that PostgreSQL calls otherwise, and lists under no other name
_TYPES = {"decimal": "numeric", "float": "double precision", "int": "integer"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a listing: ``verbose`` only with a ``+``; ``since`` and ``until`` are versions of the server."""

    header: str
    sql: str
    verbose: bool = False
    since: int = 0
    until: int = NEWEST


@dataclass(frozen=True, slots=True)
class Matched:
    """What an argument's pattern is compared with; see :func:`tusk_jupyter.schema.pattern.condition`."""

    name: str
    schema: str | None = None
    alternative: str | None = None
    visible: str | None = None
    parts: int = patterns.PARTS
    types: bool = False
    literal: bool = False


@dataclass(frozen=True, slots=True)
class List:
    """One listing; ``quiet`` are the conditions where neither an S nor a pattern asks for what is the system's."""

    title: str
    columns: tuple[Column, ...]
    source: str
    matched: tuple[Matched, ...] = ()
    where: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    order: str = "1"


def answer(ask: Ask, wanted: Wanted, listed: List, bound: Iterable[str | None] = ()) -> Listing:
    """Ask for a listing.

    :param bound: what the listing's own conditions have as ``$1`` and on.
    :raises InvalidInput: for a pattern that psql refuses.
    """
    version = major(wanted)
    shown = [c for c in listed.columns if c.since <= version <= c.until and (wanted.verbose or not c.verbose)]
    values = [*bound]
    conditions = [*listed.where]
    if not wanted.system and not wanted.arguments:
        conditions += listed.quiet
    for matched, argument in zip(listed.matched, [*wanted.arguments, *[None] * len(listed.matched)], strict=False):
        conditions += matching(ask, matched, argument, values)
    fields = ", ".join(column.sql for column in shown)
    where = f" where {' and '.join(conditions)}" if conditions else ""
    rows = ask_qualified(ask, f"select {fields} from {listed.source}{where} order by {listed.order}", *values)
    return Listing(listed.title, tuple(column.header for column in shown), tuple(map(tuple, rows)))


def matching(ask: Ask, matched: Matched, argument: str | None, values: list[str | None]) -> list[str]:
    """Return the conditions that an argument is, and add to ``values`` what they bind."""
    read = None
    if argument is not None:
        text = typed(argument) if matched.types else argument
        read = patterns.read(text, parts=matched.parts, literal=matched.literal)
        if read.database is not None:
            patterns.check_database(read, ask("select pg_catalog.current_database()")[0][0] or "")
    return patterns.condition(
        read,
        values,
        name=matched.name,
        schema=matched.schema,
        alternative=matched.alternative,
        visible=matched.visible,
    )


def ask_qualified(ask: Ask, statement: str, *values: str | None) -> list[list[str | None]]:
    """Ask a statement of this room, its operators with their schema."""
    return ask(_OPERATOR.sub(r" operator(pg_catalog.\1) ", statement), *values)


def typed(argument: str) -> str:
    """Return the pattern of a type as PostgreSQL calls it: ``int`` is ``integer``."""
    name = argument.lower()
    plain = name.removesuffix("[]")
    return _TYPES[plain] + name[len(plain) :] if plain in _TYPES else argument


def words(expression: str, meanings: Mapping[str, str], otherwise: str | None = None) -> str:
    """Return the SQL that says a letter's meaning; ``otherwise`` is SQL."""
    cases = "".join(f" when {expression} = '{letter}' then '{meaning}'" for letter, meaning in meanings.items())
    return f"case{cases}{f' else {otherwise}' if otherwise else ''} end"


def among(expression: str, letters: Iterable[str]) -> str:
    """Return the condition that a ``"char"`` is one of these."""
    return f'{expression} = any (array[{", ".join(map(repr, letters))}]::pg_catalog."char"[])'


def yes(condition: str) -> str:
    """Return the SQL that says yes or no."""
    return f"case when {condition} then 'yes' else 'no' end"


def lines(array: str) -> str:
    """Return the SQL of an array's members, one on each line."""
    return rf"pg_catalog.array_to_string({array}, E'\n')"


def acl(array: str, *, verbose: bool = True) -> tuple[Column, ...]:
    """Return the column of privileges; one that was emptied says so since psql 17."""
    emptied = f"case when pg_catalog.cardinality({array}) = 0 then '(none)' else {lines(array)} end"
    header = "Access privileges"
    return Column(header, lines(array), verbose, until=16), Column(header, emptied, verbose, since=17)


def comment(oid: str, catalog: str, *, verbose: bool = True, shared: bool = False) -> Column:
    """Return the column of what COMMENT ON has said."""
    function = "shobj_description" if shared else "obj_description"
    return Column("Description", f"pg_catalog.{function}({oid}, 'pg_{catalog}')", verbose)


def options(array: str) -> Column:
    """Return the column of a foreign object's options, as they are written."""
    pair = "pg_catalog.quote_ident(option_name) || ' ' || pg_catalog.quote_literal(option_value)"
    listed = f"pg_catalog.array_to_string(array(select {pair} from pg_catalog.pg_options_to_table({array})), ', ')"
    return Column("FDW options", f"case when {array} is null then '' else '(' || {listed} || ')' end", verbose=True)


def not_system(schema: str = "n.nspname") -> tuple[str, str]:
    """Return the conditions of being no system's."""
    return f"{schema} <> 'pg_catalog'", f"{schema} <> 'information_schema'"


def owner(role: str, *, verbose: bool = False, header: str = "Owner") -> Column:
    """Return the column of a role's name."""
    return Column(header, f"pg_catalog.pg_get_userbyid({role})", verbose)


def major(wanted: Wanted) -> int:
    """Return the server's version as its users say it: 15."""
    return wanted.version // 10_000
