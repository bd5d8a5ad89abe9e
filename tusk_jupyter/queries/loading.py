"""A load on its session: one transaction around the plan's statements, COPY fed slice by slice. On the worker.

All rows or none: in a transaction of its own, or under a savepoint of the one that is open, which a refused row then
leaves as it was. What is ours around the statements is never cancelled by their cancel: it cleans up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from psycopg import pq

from tusk_jupyter.connections.wire import CancelledBeforeSentError, Command, Reply, Token
from tusk_jupyter.errors import ConversionError
from tusk_jupyter.queries.delivery import Delivery
from tusk_jupyter.queries.load_plan import Existing
from tusk_jupyter.results.copy_target import UnfitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg.pq.abc import PGresult
    from typing_extensions import Buffer

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.queries.load_plan import Plan, Table
    from tusk_jupyter.queries.rows import RowSink

SAVEPOINT: Final = "tusk_load"
_SLICE_S: Final = 0.02
_NUMBER: Final = re.compile(r"\d+")
# a domain has the format of what it is over, an enum that of its label's text; see copy_target.py
_LOOK_UP: Final = """
select n.nspname, c.relname, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
    case when e.oid is not null then case e.typtype when 'e' then 25 when 'b' then e.oid else 0 end
        when t.typtype = 'e' then 25 else t.oid end,
    coalesce(e.oid, 0)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join lateral (
    with recursive base as (
        select * from pg_catalog.pg_type where oid = a.atttypid
        union all select below.* from base join pg_catalog.pg_type below on below.oid = base.typbasetype
    )
    select * from base where typtype <> 'd'
) t on true
left join pg_catalog.pg_type e on e.typarray = t.oid and t.oid <> 0
where c.oid = pg_catalog.to_regclass($1) order by a.attnum
"""
_CANCELLED: Final = b"57014"


class Encoder(Protocol):
    """What turns rows into COPY's data, and lines of it into rows again."""

    rows: int

    @property
    def notes(self) -> tuple[str, ...]: ...

    def wait(self, seconds: float) -> bool: ...

    def chunk(self) -> Buffer | None: ...

    def row_of(self, line: int) -> int | None: ...

    def where(self, row: int) -> str: ...

    def value_of(self, row: int, name: str) -> str | None: ...


@dataclass(slots=True)
class _Flow:
    """The encoder as a COPY's source, counted, and ended by a cancel, or by a value that does not fit its column."""

    encoder: Encoder
    token: Token
    sink: RowSink
    unfit: UnfitError | None = None

    def chunk(self) -> Buffer | None:
        while not self.encoder.wait(_SLICE_S):
            # the rows may come from far away, and never
            if self.token.requested:
                raise CancelledBeforeSentError
        try:
            data = self.encoder.chunk()
        except UnfitError as error:
            self.unfit, data = error, b""
        self.sink.nbytes += memoryview(data).nbytes if data is not None else 0
        self.sink.received = self.sink.kept = self.encoder.rows
        return data

    def stopped(self) -> bool:
        return self.token.requested or self.unfit is not None


@dataclass(slots=True, kw_only=True)
class Loading(Delivery):
    """A load under way; ``statement`` is the one that runs, so that an error has its place in the script."""

    plan: Plan
    encoder: Encoder
    columns: Sequence[str]
    _unfit: UnfitError | None = None

    def run(self) -> None:
        """Run the plan; :raises TuskError: for a value that cannot be sent."""
        own = self.session.transaction_status == "IDLE"
        begin = "begin read only" if self.options.read_only else "begin"
        self.reply = self._internal(begin if own else f"savepoint {SAVEPOINT}")
        if self.reply.error is not None:
            return
        done = False
        try:
            done = self._run_plan()
        finally:
            if self.session.lost is None:
                self._end(own=own, done=done)
        if self._unfit is not None:
            self._ask(self._unfit)
        self.notes.extend(self.encoder.notes)

    def explained(self, error: TuskError) -> TuskError:
        """Return the server's error with the row, column and value that it was about, and the way out."""
        copying = self.statement is self.plan.statements[self.plan.copying]
        if copying and error.diag is not None and error.diag.context:
            error.facts = (*error.facts, *self._place(error.diag.context))
        if self._unfit is not None:
            value = ("value", f'"{self._unfit.text}"')
            error.facts = (*error.facts, ("row", self._unfit.row), ("column", self._unfit.column), value)
        if error.sqlstate == "42P10":
            error.advice = (
                "Nothing was loaded. --upsert needs a unique index on exactly its columns: "
                "create unique index on TABLE (KEY)."
            )
        return error

    def _run_plan(self) -> bool:
        tag: Reply | None = None
        for number, statement in enumerate(self.plan.statements):
            self.statement = statement
            source = _Flow(self.encoder, self.token, self.sink) if number == self.plan.copying else None
            command = Command(self.session.encode(statement.text))
            self.reply = self.session.run(self.token, command, on_notice=self.notices.add, source=source)
            if self.reply.error is not None:
                if source is not None and source.unfit is not None and _stopped(self.reply.error):
                    self._unfit = source.unfit
                elif source is not None and self.token.requested:
                    # ended from this side, perhaps before the server heard of the cancel
                    raise CancelledBeforeSentError
                return False
            # the last one that says how many rows
            tag = self.reply if self.reply.rowcount is not None else tag
        self.reply = tag or self.reply
        return True

    def _end(self, *, own: bool, done: bool) -> None:
        if own:
            ended = self._internal("commit" if done else "rollback")
            if done and ended.error is not None:
                # a deferred constraint
                self.reply = ended
            return
        if not done:
            self._internal(f"rollback to savepoint {SAVEPOINT}")
        self._internal(f"release savepoint {SAVEPOINT}")

    def _ask(self, unfit: UnfitError) -> None:
        """Have the server say why it does not take a value, the rows being gone."""
        within = self.session.transaction_status == "INTRANS"
        if within:
            self._internal(f"savepoint {SAVEPOINT}")
        command = Command(self.session.encode(f"select $1::{unfit.target.type}"), [unfit.text.encode()], [0], [0])
        self.reply = self.session.run(None, command)
        if within:
            self._internal(f"rollback to savepoint {SAVEPOINT}")
            self._internal(f"release savepoint {SAVEPOINT}")
        if self.reply.error is None:
            raise ConversionError(
                f"row {unfit.row}, column {unfit.column!r} cannot be written: {unfit.text!r} has no binary form",
                advice=f"Nothing was loaded. Convert column {unfit.column!r} first.",
                facts=(("row", unfit.row), ("column", unfit.column), ("value", repr(unfit.text))),
            )

    def _place(self, context: str) -> list[tuple[str, str]]:
        """Read the line and the column out of ``COPY t, line 3, column a: "x"``, in any language's words."""
        copying = context.find("COPY")
        table = context.find(self.plan.into)
        line = _NUMBER.search(context, max(copying, table + len(self.plan.into))) if min(copying, table) >= 0 else None
        if line is None:
            return []
        row = self.encoder.row_of(int(line[0]))
        facts = [("row", self.encoder.where(row))] if row is not None else []
        rest = context[line.end() :]
        for name in sorted(self.columns, key=len, reverse=True):
            # in binary the value is not said
            if found := re.match(rf"\W+\w+ {re.escape(name)}(?:\s?[:：]\s*(.*)|\s*(?:\n|$))", rest, re.DOTALL):
                value = found[1].partition("\n")[0] if found[1] is not None else None
                if value is None and row is not None:
                    value = self.encoder.value_of(row, name)
                return [*facts, ("column", name), *([("value", value)] if value is not None else [])]
        return facts


def _stopped(error: PGresult) -> bool:
    """Whether an error is only the echo of a COPY's end from this side."""
    return error.error_field(pq.DiagnosticField.SQLSTATE) == _CANCELLED


def look_up(session: Session, table: Table) -> Existing | None:
    """Return what is there under a table's name (on the worker)."""
    rows = session.rows(_LOOK_UP, table.sql)
    if not rows:
        return None
    there = [row for row in rows if row[2] is not None]
    columns = tuple((name or "", kind or "") for _, _, name, kind, _, _ in there)
    oids = tuple((int(oid or 0), int(element or 0)) for *_, oid, element in there)
    return Existing(rows[0][0] or "", rows[0][1] or "", columns, oids)
