"""A query in parts: one snapshot, several connections, one result. On the session's worker, which waits meanwhile.

The session itself only says what it has set, and is otherwise left alone; what is read is what was committed when the
snapshot was taken, on every connection. So there must be no open transaction (its rows would be missing), and no temp
table that the query may mean.

A snapshot does not keep a table as it was: one that is rewritten or truncated by somebody between the snapshot and the
first look at it is empty for that snapshot. Therefore the first connection plans the query, which locks its tables,
before the second takes the snapshot, and keeps the locks until the second has its own; and no part begins to read
before all have theirs. Whoever waits to change a table meanwhile would make the rest wait behind him, and us for
ourselves, which the server cannot see: so after the first, a lock that does not come in five seconds is an error
(pg_dump's rule, https://www.postgresql.org/docs/current/app-pgdump.html, ``--jobs``). Each part's own EXPLAIN takes the
locks; it costs a planning, half a millisecond as a rule.

What divides the query runs in each part anew and must give the same rows each time. The text of a query with
``--split`` is searched for functions that the catalog calls volatile, parallel plans and synchronised scans are off,
and the rows are counted in the same snapshot beforehand: another sum at the end is an error. Pages need none of that;
but a partition can be attached in spite of the locks, and is in the plans that are made afterwards, so which tables
there are is looked up once more when all is read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tusk_jupyter.connections.team import Member, Team
from tusk_jupyter.connections.wire import CancelledBeforeSentError, Command, Reply, SessionLostError
from tusk_jupyter.errors import ConnectionLost, ConversionError, InternalError, InvalidInput, QueryCancelled
from tusk_jupyter.queries import classify, formats, partition, session_state
from tusk_jupyter.queries.delivery import Delivery
from tusk_jupyter.queries.part_rows import PartsSink
from tusk_jupyter.queries.split import next_statement
from tusk_jupyter.results.encodings import codec

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.queries.partition import Parallel
    from tusk_jupyter.queries.split import Statement

_BEGIN: Final = "begin isolation level repeatable read read only"
_EXPLAIN: Final = "explain (format json) "
_LOCK_TIMEOUT: Final = "5s"
# the order of rows, where the query leaves it open, decides which rows a LIMIT inside it takes and how it numbers them
_OURS: Final = {
    "idle_in_transaction_session_timeout": "0",
    "synchronize_seqscans": "off",
    "max_parallel_workers_per_gather": "0",
}
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


class _ServerRefusedError(Exception):
    """A connection of the team got an error instead of an answer; ``prefix`` is what stood before the typed text."""

    def __init__(self, reply: Reply, prefix: int, doing: str = "") -> None:
        super().__init__()
        self.reply = reply
        self.prefix = prefix
        self.doing = doing


class _Work(NamedTuple):
    """What one part sends, and how many characters of it stand before the typed text."""

    command: Command
    prefix: int


@dataclass(slots=True, kw_only=True)
class _Part(Delivery):
    """One part under way, in its connection's open transaction: its statement is made already."""

    work: _Work
    whole: PartsSink

    def run(self) -> None:
        """Run it to the server's last word on it."""
        self._alone = True  # nobody's transaction: it may be cancelled where the rows cannot be kept
        self._deliver(self.work.command)

    def _take(self, chunk: PGresult) -> None:
        Delivery._take(self, chunk)  # noqa: SLF001 - super() does not know a class that slots=True has made anew
        self.whole.count(chunk.ntuples)


@dataclass(slots=True)
class ParallelDelivery(Delivery):
    """A query that several connections read."""

    _team: Team | None = None
    _base: Command = field(default_factory=lambda: Command(b""))
    _settings: dict[str, str] = field(default_factory=dict)
    _found: dict[str, str] = field(default_factory=dict)
    _expected: int | None = None
    _tables: list[str] = field(default_factory=list)
    _again: Command | None = None
    _waiting_for: str = ""

    # -- from other threads ---------------------------------------------------------------------------------------

    def cancel(self) -> None:
        """Ask the server to cancel every part."""
        team = self._team
        if team is None:
            Delivery.cancel(self)
        else:
            self.token.sent += 1  # before: the worker may read the answer sooner than the requests are over
            team.stop()

    def give_up(self, after_s: float) -> TuskError | None:
        """Leave connections that do not answer; the session is not one of them."""
        team = self._team
        if team is None:
            return None
        pids = team.abandon("given up: the server did not answer the cancel request")
        still = f"The parts may still be running, as pids {', '.join(map(str, pids))}. " if pids else ""
        return QueryCancelled(
            f"given up after {after_s:.1f} s: the server did not answer the cancel request",
            name=self.session.name,
            advice=f"{still}This session is as it was.",
        )

    # -- on the session's worker ----------------------------------------------------------------------------------

    def run(self) -> None:
        """Read the query in parts.

        :raises InvalidInput: when it cannot be divided, with the reason.
        :raises PoolTimeout: when the pool has not as many connections in time.
        """
        wanted, whole = self.options.parallel, self.sink
        if wanted is None or not isinstance(whole, PartsSink):
            raise InternalError("there is nothing to read in parts")
        self._refuse_open_transaction()
        self._base = self._command()
        self.session.on_close = self.cancel  # else a close would wait for us, who send nothing on the session
        try:
            self._read_state()
            self._read_parts(wanted, whole)
        finally:
            self.session.on_close = None

    def _read_parts(self, wanted: Parallel, whole: PartsSink) -> None:
        team = self._team = Team(self.session.name)
        if self.token.requested:
            raise CancelledBeforeSentError
        try:
            team.borrow(wanted.pool, wanted.parts)
            self._run(team, wanted, whole)
        except _ServerRefusedError as refused:
            self.reply, self.prefix_length, self._waiting_for = refused.reply, refused.prefix, refused.doing
        except CancelledBeforeSentError:
            if whole.overflow is None:  # else that is why, and it is said
                raise
        except SessionLostError as loss:
            raise _lost(self.session.name, loss) from None
        finally:
            team.close()

    def explained(self, error: TuskError) -> TuskError:
        """Return the server's error with what it means here."""
        if self._waiting_for == "locks" and error.sqlstate == "55P03":
            error.advice = "Somebody waits to change a table of this query. Run the cell again when that is done."
        elif error.sqlstate == "25006":
            error.advice = "--parallel reads in read-only transactions: leave it out for a query that writes."
        elif self._waiting_for == "settings":
            error.advice = "A setting of this session cannot be made on another connection: leave --parallel out."
        return error

    def _refuse_open_transaction(self) -> None:
        if self.session.transaction_status == "IDLE":
            return
        raise InvalidInput(
            "--parallel reads on other connections, and they do not see what this session's open transaction has done",
            advice="Nothing was run. COMMIT or ROLLBACK first, or leave --parallel out.",
        )

    def _read_state(self) -> None:
        if classify.UNKNOWN_SETTING in self.session.dotted_settings:
            raise InvalidInput(
                "this session has made a setting whose name only the server has seen: set_config() was called with it",
                advice="Nothing was run. Connect again and write the name as a literal, or leave --parallel out.",
            )
        state = session_state.read(self.session, dotted=self.session.dotted_settings)
        named = partition.names_in(self._sent())
        if "pg_temp" in named or not named.isdisjoint(state.temporary):
            name = min(named & state.temporary, default="pg_temp")
            raise InvalidInput(
                f"{name!r} may be a temp table of this session, which --parallel's connections do not see",
                advice="Nothing was run. Leave --parallel out, or give the table that is meant another name.",
            )
        if state.unset:
            raise InvalidInput(
                f"{min(state.unset)!r} was set for the role or the database after this session began, which has it not",
                advice="Nothing was run. Connect again, or leave --parallel out.",
            )
        self._found = state.found
        # ours first in the order, too: they are made before a role is taken on
        self._settings = {**_OURS, **state.settings, **_OURS}

    def _sent(self) -> Statement:
        """Return the statement as it is sent, its parameters numbered."""
        conforming = self.statement.standard_conforming_strings
        found, _ = next_statement(self.bound.text, standard_conforming_strings=conforming)
        return found if found is not None else self.statement

    def _run(self, team: Team, wanted: Parallel, whole: PartsSink) -> None:
        first, second, *others = team.members
        [plan] = team.each(self._planned, members=[first])
        [(snapshot, work)] = team.each(lambda member: self._divided(member, wanted, plan), members=[second])

        def prepare(member: Member) -> None:
            if member is first:
                self._ours(member, "rollback")
            if member is not second:
                self._begin(member, snapshot)
            self._lock(member, work[member.number])

        team.each(prepare, members=[second, first, *others])
        sinks = whole.open([member.session for member in team.members])
        parts = [
            _Part(
                member.session, member.token, self.statement, self.bound, self._part_options(), sinks[member.number],
                self.notices, work=work[member.number], whole=whole,
            )
            for member in team.members
        ]  # fmt: skip
        team.each(lambda member: self._read(member, parts[member.number], whole))
        team.each(self._check_tables, members=[second])
        self._check_count(whole)
        self.reply = Reply(f"SELECT {whole.kept}", whole.kept, None)
        if moments := partition.moments_in(self._sent()):
            self.notes.append(f"{', '.join(moments)}: another moment in each part, some milliseconds apart")

    def _part_options(self) -> Any:
        return replace(self.options, parallel=None, destination=None, limit=None, read_only=False, savepoint=False)

    # -- on the workers of the parts ------------------------------------------------------------------------------

    def _begin(self, member: Member, snapshot: str | None) -> None:
        """Open a transaction that is the session's in all that matters; in a snapshot, if there is one."""
        self._ours(member, _BEGIN)
        if snapshot is not None:
            # what the server has made, but the wire is the wire
            self._ours(member, f"set transaction snapshot '{snapshot.replace(chr(39), '')}'")
        reply = member.session.run(member.token, session_state.command(self._settings, self._found))
        _refuse(reply, 0, "settings")

    def _ours(self, member: Member, text: str) -> None:
        _refuse(member.session.run(member.token, Command(text.encode())), 0)

    def _planned(self, member: Member) -> dict[str, Any]:
        """Plan the query, whose tables are locked from now on; the server's errors have their place in the cell."""
        self._begin(member, None)
        return self._explain(member, _Work(self._base, 0))

    def _explain(self, member: Member, work: _Work, doing: str = "") -> dict[str, Any]:
        explained = replace(work.command, text=_EXPLAIN.encode() + work.command.text)
        reply, rows = _rows(member, explained)
        _refuse(reply, work.prefix + len(_EXPLAIN), doing)
        found: dict[str, Any] = json.loads("\n".join(row[0] or "" for row in rows))[0]["Plan"]
        return found

    def _divided(self, member: Member, wanted: Parallel, plan: dict[str, Any]) -> tuple[str, list[_Work]]:
        """Take the snapshot, and return it and the work of each part."""
        self._begin(member, None)
        _, rows = _rows(member, Command(b"select pg_catalog.pg_export_snapshot()"))
        if not rows or rows[0][0] is None:
            raise InternalError("the server exported no snapshot")
        self._lock(member, _Work(self._base, 0))
        divide = self._by_pages if wanted.split is None else self._by_column
        return rows[0][0], divide(member, wanted, plan)

    def _lock(self, member: Member, work: _Work) -> None:
        self._ours(member, f"set local lock_timeout = '{_LOCK_TIMEOUT}'")
        self._explain(member, work, "locks")

    def _by_pages(self, member: Member, wanted: Parallel, plan: dict[str, Any]) -> list[_Work]:
        table = partition.one_table(self._sent())
        if table is None:
            raise partition.needs_split("it is not SELECT … FROM one table [WHERE …], or TABLE")
        if (reason := partition.plan_refusal(plan, filtered=table.filtered)) is not None:
            raise partition.needs_split(reason)
        which = "only" if table.only else "all"
        _, rows = _rows(member, _asking(member, _RELATIONS, table.name, which))
        other = next((_KINDS[kind] for _, kind, _ in rows if kind in _KINDS), None)
        if other is not None or not rows:
            raise partition.needs_split(f"{table.name} is {other or 'no table that can be looked up'}")
        sizes = [int(pages or 0) for _, kind, pages in rows if kind != "p"]
        self._tables = [oid or "" for oid, *_ in rows]
        self._again = _asking(member, _SAME_RELATIONS, self._tables[0], which)
        return [
            _Work(replace(self._base, text=self.session.encode(table.with_pages(condition))), table.shift)
            for condition in partition.page_ranges(sizes, wanted.parts)
        ]

    def _by_column(self, member: Member, wanted: Parallel, plan: dict[str, Any]) -> list[_Work]:
        text, split = self._sent().text, wanted.split or ""
        _, volatile = _rows(member, _asking(member, _VOLATILE, json.dumps(sorted(partition.called_in(self._sent())))))
        if volatile:
            raise InvalidInput(
                f"{volatile[0][0]}() may give something else each time, and then a row came twice or not at all",
                advice="Nothing was run. Leave --parallel out, or declare the function STABLE if it is.",
            )
        name, oid = self._split_column(member, split)
        query, before = partition.shares(text, name, wanted.parts, rows=plan.get("Plan Rows", 0))
        reply, rows = _rows(member, replace(self._base, text=self.session.encode(query)))
        _refuse(reply, len(before))
        count, filled, *bounds = rows[0]
        self._expected = int(count or 0)
        found = partition.ranges(name, bounds, nulls=count != filled, first_parameter=len(self._base.values) + 1)
        return [self._range(text, one, oid) for one in found]

    def _split_column(self, member: Member, wanted: str) -> tuple[str, int]:
        reply, columns = member.session.describe(member.token, self._base)
        _refuse(reply, 0)
        if columns is None:
            raise InternalError("the server described no columns")
        read = codec(self.session.parameter("client_encoding") or "UTF8")
        found = [((columns.fname(i) or b"").decode(read, "replace"), columns.ftype(i)) for i in range(columns.nfields)]
        return partition.split_column(found, wanted)

    def _range(self, text: str, part: partition.Range, oid: int) -> _Work:
        whole, before = partition.within(text, part.condition)
        values = [*self._base.values, *(self.session.encode(value) for value in part.values)]
        oids = [*self._base.oids, *([oid] * len(part.values))]
        return _Work(Command(self.session.encode(whole), values, oids, [0] * len(values)), len(before))

    def _read(self, member: Member, part: _Part, whole: PartsSink) -> None:
        lock_timeout = self._settings.get("lock_timeout", "0")
        _refuse(member.session.run(member.token, session_state.command({"lock_timeout": lock_timeout})), 0)
        # large enough to ask about its format; every part asks, and gets the same answer
        formats.remember(member.session, self.statement, formats.LARGE)
        try:
            part.run()
            _refuse(part.reply, part.work.prefix)
            whole.part_ended(part.sink)
        except ConversionError as error:
            error.facts = (*error.facts, ("part", f"{member.number + 1}; its rows are counted from 1"))
            raise
        member.session.run(None, Command(b"commit"))

    def _check_tables(self, member: Member) -> None:
        """Refuse what was read while the table got or lost a partition: each part is planned at another moment."""
        if self._again is None:
            return
        reply, rows = _rows(member, self._again)
        _refuse(reply, 0)
        if [oid for oid, *_ in rows] != self._tables:
            raise InvalidInput(
                "the table got or lost a partition (or a child) while its parts were read",
                advice="The rows were let go. Run the cell again.",
            )

    def _check_count(self, whole: PartsSink) -> None:
        if self._expected is None or self._expected == whole.kept:
            return
        raise InvalidInput(
            f"the query has {self._expected:,} rows at once and {whole.kept:,} in parts: it gives others each time",
            advice="The rows were let go. Leave --parallel out: something in the query depends on when or how it runs.",
        )


def _rows(member: Member, command: Command) -> tuple[Reply, list[list[str | None]]]:
    """Run something small that can be cancelled; return its rows as PostgreSQL's text."""
    session = member.session
    found: list[list[str | None]] = []

    def take(chunk: PGresult) -> None:
        for row in range(chunk.ntuples):
            cells = (chunk.get_value(row, column) for column in range(chunk.nfields))
            found.append([None if cell is None else bytes(cell).decode(session.encoding) for cell in cells])

    return session.run(member.token, command, on_rows=take), found


def _asking(member: Member, text: str, *values: str) -> Command:
    encoded = [member.session.encode(value) for value in values]
    return Command(text.encode(), encoded, [0] * len(values), [0] * len(values))


def _refuse(reply: Reply, prefix: int, doing: str = "") -> None:
    if reply.error is not None:
        raise _ServerRefusedError(reply, prefix, doing)


def _lost(name: str, loss: SessionLostError) -> ConnectionLost:
    reason = loss.reason.strip().splitlines()
    return ConnectionLost(
        f"one of the connections of {name!r} that --parallel read on was lost: {reason[0] if reason else 'closed'}",
        detail="\n".join(reason[1:]) or None,
        name=name,
        advice="This session is as it was. Run the cell again.",
    )
