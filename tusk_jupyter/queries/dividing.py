"""How a query is divided: by the pages of its one table, or by ranges of one of its columns.

What divides the query runs in each part anew and must give the same rows each time. The text of a query with
``--split`` is searched for functions that the catalog calls volatile, and its rows are counted in the snapshot of the
parts beforehand: another sum at the end is an error. Pages need none of that; but a partition can be attached in spite
of the locks, and is in the plans that are made afterwards, so which tables there are is looked up once more when all is
read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tusk_jupyter.connections.wire import Command, Reply
from tusk_jupyter.errors import InternalError, InvalidInput
from tusk_jupyter.queries import partition
from tusk_jupyter.results.encodings import codec

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from tusk_jupyter.connections.team import Member
    from tusk_jupyter.queries.partition import Parallel
    from tusk_jupyter.queries.split import Statement

_TREE: Final = """
with recursive tree (oid) as (
  select {0}
  union select i.inhrelid from pg_catalog.pg_inherits i join tree on i.inhparent = tree.oid where $2 = 'all'
)
select c.oid, c.relkind, pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::int8
from tree join pg_catalog.pg_class c on c.oid = tree.oid order by c.oid = (select {0}) desc, c.oid
"""
_RELATIONS: Final = _TREE.format("pg_catalog.to_regclass($1)::oid")
_SAME_RELATIONS: Final = _TREE.format("$1::oid")
_KINDS: Final = {"v": "a view", "f": "a foreign table", "S": "a sequence"}
_VOLATILE: Final = """
select distinct proname from pg_catalog.pg_proc
where provolatile = 'v' and proname in (select pg_catalog.json_array_elements_text($1::pg_catalog.json)) order by 1
"""


class ServerRefusedError(Exception):
    """A connection of the team got an error instead of an answer; ``prefix`` is what stood before the typed text."""

    def __init__(self, reply: Reply, prefix: int, doing: str = "") -> None:
        super().__init__()
        self.reply = reply
        self.prefix = prefix
        self.doing = doing


class Work(NamedTuple):
    """What one part sends, and how many characters of it stand before the typed text."""

    command: Command
    prefix: int


@dataclass(frozen=True, slots=True)
class Division:
    """The work of each part, and what tells afterwards that the parts make the whole."""

    work: list[Work]
    rows: int | None = None
    tables: tuple[str | None, ...] = ()
    again: Command | None = None

    def check_tables(self, member: Member) -> None:
        """Refuse what was read while the table got or lost a partition: each part is planned at another moment."""
        if self.again is None:
            return
        reply, rows = rows_of(member, self.again)
        refuse(reply, 0)
        if tuple(oid for oid, *_ in rows) != self.tables:
            raise InvalidInput(
                "the table got or lost a partition (or a child) while its parts were read",
                advice="The rows were let go. Run the cell again.",
            )

    def check_rows(self, kept: int) -> None:
        """Refuse parts that together have another number of rows than the whole."""
        if self.rows is None or self.rows == kept:
            return
        raise InvalidInput(
            f"the query has {self.rows:,} rows at once and {kept:,} in parts: it gives others each time",
            advice="The rows were let go. Leave --parallel out: something in the query depends on when or how it runs.",
        )


def divide(member: Member, statement: Statement, base: Command, wanted: Parallel, plan: dict[str, Any]) -> Division:
    """Divide a statement, as it is sent, within the snapshot in which the parts will be read.

    :param plan: the server's, of the whole.
    :raises InvalidInput: when it cannot be divided, with the reason.
    """
    if wanted.split is None:
        return _by_pages(member, statement, base, wanted.parts, plan)
    return _by_column(member, statement, base, wanted, plan)


def rows_of(member: Member, command: Command) -> tuple[Reply, list[list[str | None]]]:
    """Run something small that can be cancelled; return its rows as PostgreSQL's text."""
    session = member.session
    found: list[list[str | None]] = []

    def take(chunk: PGresult) -> None:
        for row in range(chunk.ntuples):
            cells = (chunk.get_value(row, column) for column in range(chunk.nfields))
            found.append([None if cell is None else bytes(cell).decode(session.encoding) for cell in cells])

    return session.run(member.token, command, on_rows=take), found


def refuse(reply: Reply, prefix: int, doing: str = "") -> None:
    """Raise what the server said instead of an answer."""
    if reply.error is not None:
        raise ServerRefusedError(reply, prefix, doing)


def _by_pages(member: Member, statement: Statement, base: Command, parts: int, plan: dict[str, Any]) -> Division:
    table = partition.one_table(statement)
    if table is None:
        raise partition.needs_split("it is not SELECT … FROM one table [WHERE …], or TABLE")
    if (reason := partition.plan_refusal(plan, filtered=table.filtered)) is not None:
        raise partition.needs_split(reason)
    which = "only" if table.only else "all"
    _, rows = rows_of(member, _asking(member, _RELATIONS, table.name, which))
    other = next((_KINDS[kind] for _, kind, _ in rows if kind in _KINDS), None)
    if other is not None or not rows:
        raise partition.needs_split(f"{table.name} is {other or 'no table that can be looked up'}")
    sizes = [int(pages or 0) for _, kind, pages in rows if kind != "p"]
    work = [
        Work(replace(base, text=member.session.encode(table.with_pages(condition))), table.shift)
        for condition in partition.page_ranges(sizes, parts)
    ]
    tables = tuple(oid for oid, *_ in rows)
    return Division(work, tables=tables, again=_asking(member, _SAME_RELATIONS, tables[0] or "", which))


def _by_column(member: Member, statement: Statement, base: Command, wanted: Parallel, plan: dict[str, Any]) -> Division:
    called = json.dumps(sorted(partition.called_in(statement)))
    _, volatile = rows_of(member, _asking(member, _VOLATILE, called))
    if volatile:
        raise InvalidInput(
            f"{volatile[0][0]}() may give something else each time, and then a row came twice or not at all",
            advice="Nothing was run. Leave --parallel out, or declare the function STABLE if it is.",
        )
    name, oid = _split_column(member, base, wanted.split or "")
    query, before = partition.shares(statement.text, name, wanted.parts, rows=plan.get("Plan Rows", 0))
    reply, rows = rows_of(member, replace(base, text=member.session.encode(query)))
    refuse(reply, len(before))
    count, filled, *bounds = rows[0]
    found = partition.ranges(name, bounds, nulls=count != filled, first_parameter=len(base.values) + 1)
    return Division([_range(member, statement.text, base, one, oid) for one in found], rows=int(count or 0))


def _split_column(member: Member, base: Command, wanted: str) -> tuple[str, int]:
    reply, columns = member.session.describe(member.token, base)
    refuse(reply, 0)
    if columns is None:
        raise InternalError("the server described no columns")
    read = codec(member.session.parameter("client_encoding") or "UTF8")
    found = [((columns.fname(i) or b"").decode(read, "replace"), columns.ftype(i)) for i in range(columns.nfields)]
    return partition.split_column(found, wanted)


def _range(member: Member, text: str, base: Command, part: partition.Range, oid: int) -> Work:
    whole, before = partition.within(text, part.condition)
    values = [*base.values, *(member.session.encode(value) for value in part.values)]
    oids = [*base.oids, *([oid] * len(part.values))]
    return Work(Command(member.session.encode(whole), values, oids, [0] * len(values)), len(before))


def _asking(member: Member, text: str, *values: str) -> Command:
    encoded = [member.session.encode(value) for value in values]
    return Command(text.encode(), encoded, [0] * len(values), [0] * len(values))
