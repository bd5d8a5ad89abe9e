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

How it is divided, and how that is checked, is :mod:`~tusk_jupyter.queries.dividing`'s. Parallel plans and synchronised
scans are off, because each part must see the rows in the same order.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from tusk_jupyter.connections.team import Member, Team
from tusk_jupyter.connections.wire import CancelledBeforeSentError, Command, Reply, SessionLostError
from tusk_jupyter.errors import ConnectionLost, ConversionError, InternalError, InvalidInput, QueryCancelled
from tusk_jupyter.queries import classify, formats, partition, session_state
from tusk_jupyter.queries.delivery import Delivery
from tusk_jupyter.queries.dividing import ServerRefusedError, Work, divide, refuse, rows_of
from tusk_jupyter.queries.part_rows import PartsSink
from tusk_jupyter.queries.split import next_statement

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.queries.dividing import Division
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


@dataclass(slots=True, kw_only=True)
class _Part(Delivery):
    """One part under way, in its connection's open transaction: its statement is made already."""

    work: Work
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
    _waiting_for: str = ""

    # -- from other threads ---------------------------------------------------------------------------------------

    @property
    def backend_pids(self) -> tuple[int, ...]:
        """The backends of all parts."""
        members = list(self._team.members) if self._team is not None else []
        return tuple(pid for member in members if (pid := member.session.backend_pid) is not None)

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
        self._plain = self._readable_elsewhere(self._base)
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
        except ServerRefusedError as refused:
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
        [(snapshot, division)] = team.each(lambda member: self._divided(member, wanted, plan), members=[second])

        def prepare(member: Member) -> None:
            if member is first:
                self._ours(member, "rollback")
            if member is not second:
                self._begin(member, snapshot)
            self._lock(member, division.work[member.number])

        team.each(prepare, members=[second, first, *others])
        sinks = whole.open([member.session for member in team.members])
        parts = [
            _Part(
                member.session, member.token, self.statement, self.bound, self._part_options(), sinks[member.number],
                self.notices, work=division.work[member.number], whole=whole,
            )
            for member in team.members
        ]  # fmt: skip
        team.each(lambda member: self._read(member, parts[member.number], whole))
        team.each(division.check_tables, members=[second])
        division.check_rows(whole.kept)
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
        refuse(reply, 0, "settings")

    def _ours(self, member: Member, text: str) -> None:
        refuse(member.session.run(member.token, Command(text.encode())), 0)

    def _planned(self, member: Member) -> dict[str, Any]:
        """Plan the query, whose tables are locked from now on; the server's errors have their place in the cell."""
        self._begin(member, None)
        return self._explain(member, Work(self._base, 0))

    def _explain(self, member: Member, work: Work, doing: str = "") -> dict[str, Any]:
        explained = replace(work.command, text=_EXPLAIN.encode() + work.command.text)
        reply, rows = rows_of(member, explained)
        refuse(reply, work.prefix + len(_EXPLAIN), doing)
        found: dict[str, Any] = json.loads("\n".join(row[0] or "" for row in rows))[0]["Plan"]
        return found

    def _divided(self, member: Member, wanted: Parallel, plan: dict[str, Any]) -> tuple[str, Division]:
        """Take the snapshot, and return it and the work of each part."""
        self._begin(member, None)
        _, rows = rows_of(member, Command(b"select pg_catalog.pg_export_snapshot()"))
        if not rows or rows[0][0] is None:
            raise InternalError("the server exported no snapshot")
        self._lock(member, Work(self._base, 0))
        return rows[0][0], divide(member, self._sent(), self._base, wanted, plan)

    def _lock(self, member: Member, work: Work) -> None:
        self._ours(member, f"set local lock_timeout = '{_LOCK_TIMEOUT}'")
        self._explain(member, work, "locks")

    def _read(self, member: Member, part: _Part, whole: PartsSink) -> None:
        lock_timeout = self._settings.get("lock_timeout", "0")
        refuse(member.session.run(member.token, session_state.command({"lock_timeout": lock_timeout})), 0)
        # large enough to ask about its format; every part asks, and gets the same answer
        formats.remember(member.session, self.statement, formats.LARGE)
        try:
            part.run()
            refuse(part.reply, part.work.prefix)
            whole.part_ended(part.sink)
        except ConversionError as error:
            error.facts = (*error.facts, ("part", f"{member.number + 1}; its rows are counted from 1"))
            raise
        # a read-only transaction may leave something behind all the same: see queries/read_only.py
        member.session.run(None, Command(b"rollback" if self.options.read_only else b"commit"))


def _lost(name: str, loss: SessionLostError) -> ConnectionLost:
    reason = loss.reason.strip().splitlines()
    return ConnectionLost(
        f"one of the connections of {name!r} that --parallel read on was lost: {reason[0] if reason else 'closed'}",
        detail="\n".join(reason[1:]) or None,
        name=name,
        advice="This session is as it was. Run the cell again.",
    )
