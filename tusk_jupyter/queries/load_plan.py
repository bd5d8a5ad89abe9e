"""Columns, a table and a mode → the statements that load it; pure.

Everything is decided before anything is sent, from what the table was a moment before: a table that somebody makes or
changes in between is the server's to refuse, and the whole is one transaction.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.queries.quoting import quote_identifier
from tusk_jupyter.queries.split import Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

Mode = Literal["create", "append", "replace", "upsert"]
# NAMEDATALEN - 1: PostgreSQL cuts longer names, with a notice
_BYTES: Final = 63
_PART: Final = re.compile(r'"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^".]+)')
_WORD: Final = re.compile(r"[^\W\d][\w$]*")
_FOLD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")
STAGE: Final = "tusk_load"
CSV: Final = "format csv, encoding 'UTF8'"


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the user named it: in a schema, or wherever ``search_path`` leads."""

    name: str
    schema: str | None = None

    @property
    def sql(self) -> str:
        """The name, quoted."""
        return quote_identifier((self.schema, self.name) if self.schema is not None else self.name)


@dataclass(frozen=True, slots=True)
class Existing:
    """What is there under that name: its own schema and name, (name, type) of its columns, and the two OIDs of each."""

    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]
    oids: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """Statements in their order; ``copying`` is the place of the COPY, ``into`` the relation that it names."""

    statements: tuple[Statement, ...]
    copying: int
    into: str
    done: str

    @property
    def script(self) -> Statement:
        """All statements as one text, in which each has its place."""
        text = ";\n".join(statement.text for statement in self.statements)
        return Statement(text, 0, len(text), self.statements[0].words)


def table_of(text: str) -> Table:
    """Read ``table`` or ``schema.table`` as PostgreSQL does: lower case, except in double quotes.

    :raises InvalidInput: for what is no name.
    """
    parts: list[str] = []
    position = 0
    while match := _PART.match(text, position):
        quoted, plain = match["quoted"], match["plain"]
        if quoted is not None:
            parts.append(quoted.replace('""', '"'))
        else:
            # a word with spaces or signs in it can only be meant as it stands
            parts.append(plain.translate(_FOLD) if _WORD.fullmatch(plain) else plain)
        position = match.end()
        if text[position : position + 1] != ".":
            break
        position += 1
    if position < len(text) or text.endswith(".") or not 1 <= len(parts) <= 2:  # noqa: PLR2004 - schema and table
        raise InvalidInput(f"{text!r} is not the name of a table", advice='Write table, schema.table or "Odd Name".')
    for part in parts:
        _check_name(part, "the name")
    return Table(parts[-1], parts[0] if len(parts) > 1 else None)


def plan(
    table: Table,
    mode: Mode,
    columns: Sequence[tuple[str, str]],
    existing: Existing | None,
    *,
    key: Sequence[str] = (),
    form: str = CSV,
) -> Plan:
    """Return what is to be sent; ``form`` is how COPY gets it.

    :param columns: name and type of what is loaded.
    :raises InvalidInput: where the table, or its columns, do not fit.
    """
    names = [name for name, _ in columns]
    _check_columns(names)
    if mode == "create":
        return _create(table, columns, existing, form)
    if existing is None:
        raise InvalidInput(
            f"there is no table {table.sql} to load into",
            advice=f"Nothing was loaded. Leave --{mode} out: then the table is made.",
        )
    found = Table(existing.name, existing.schema)
    _check_known(names, existing, found)
    if mode == "upsert":
        return _upsert(found, names, key, form)
    before = [f"truncate table {found.sql}"] if mode == "replace" else []
    return _plan(
        [*before, _copy(found.sql, names, form)], len(before), found.name, f"{mode}d" if before else "appended to"
    )


def _create(table: Table, columns: Sequence[tuple[str, str]], existing: Existing | None, form: str) -> Plan:
    if existing is not None:
        there = Table(existing.name, existing.schema).sql
        raise InvalidInput(
            f"{there} is there already",
            advice="Nothing was loaded. `--append` adds the rows, `--replace` empties the table first, "
            "`--upsert KEY` updates what has the same key.",
        )
    listed = ", ".join(f"{quote_identifier(name)} {kind}" for name, kind in columns)
    create = f"create table {table.sql} ({listed})"
    return _plan([create, _copy(table.sql, [name for name, _ in columns], form)], 1, table.name, "created")


def _upsert(found: Table, names: Sequence[str], key: Sequence[str], form: str) -> Plan:
    if missing := [name for name in key if name not in names]:
        raise InvalidInput(
            f"--upsert: there is no column {missing[0]!r} in what is loaded",
            advice=f"Nothing was loaded. {_near(missing[0], names)}",
        )
    listed, stage = _listed(names), f"pg_temp.{quote_identifier(STAGE)}"
    rest = [quote_identifier(name) for name in names if name not in key]
    update = ", ".join(f"{name} = excluded.{name}" for name in rest)
    action = f"do update set {update}" if rest else "do nothing"
    make = f"create temporary table {quote_identifier(STAGE)} on commit drop"
    insert = f"insert into {found.sql} ({listed}) overriding system value select {listed} from {stage}"
    statements = [
        f"{make} as select {listed} from {found.sql} with no data",
        _copy(stage, names, form),
        f"{insert} on conflict ({_listed(key)}) {action}",
        f"drop table {stage}",
    ]
    return _plan(statements, 1, STAGE, "upserted into")


def _copy(target: str, names: Sequence[str], form: str) -> str:
    return f"copy {target} ({_listed(names)}) from stdin ({form})"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(map(quote_identifier, names))


def _plan(texts: Sequence[str], copying: int, into: str, done: str) -> Plan:
    statements: list[Statement] = []
    start = 0
    for text in texts:
        words = tuple(text.upper().split()[:2])
        statements.append(Statement(text, start, start + len(text), words))
        start += len(text) + 2
    return Plan(tuple(statements), copying, into, done)


def _check_columns(names: Sequence[str]) -> None:
    if not names:
        raise InvalidInput("there are no columns to load")
    for name in names:
        _check_name(name, "the column name")
    if repeated := [name for name in names if names.count(name) > 1]:
        raise InvalidInput(
            f"the column {repeated[0]!r} is there {names.count(repeated[0])} times",
            advice="Nothing was loaded. Rename one of them.",
        )


def _check_name(name: str, what: str) -> None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        size = 0
    if not size or "\0" in name:
        raise InvalidInput(f"{what} {name!r} cannot be one in PostgreSQL", advice="Nothing was loaded. Rename it.")
    if size > _BYTES:
        raise InvalidInput(
            f"{what} {name[:40]!r}… is {size} bytes long, and PostgreSQL keeps {_BYTES}",
            advice="Nothing was loaded. Shorten it.",
        )


def _check_known(names: Sequence[str], existing: Existing, found: Table) -> None:
    known = [name for name, _ in existing.columns]
    unknown = [name for name in names if name not in known]
    if unknown:
        more = f" and {len(unknown) - 1} more" if len(unknown) > 1 else ""
        raise InvalidInput(
            f"{found.sql} has no column {unknown[0]!r}{more}",
            advice=f"Nothing was loaded. {_near(unknown[0], known)}",
        )


def _near(name: str, known: Sequence[str]) -> str:
    folded = {k.lower(): k for k in known}
    near = [folded[n] for n in difflib.get_close_matches(name.lower(), folded, n=3)]
    if near:
        return f"Did you mean {' or '.join(map(repr, near))}?"
    return f"There are: {', '.join(known[:20])}{', …' if len(known) > 20 else ''}."  # noqa: PLR2004 - a line's worth
