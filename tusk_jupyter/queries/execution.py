"""One statement in flight: what runs on the worker, what cancels it, what comes back.

An :class:`Execution` is submitted to its session and waited for by the main thread. The worker does everything that
takes time, up to the finished frame, so that an interrupt never meets half a conversion, and returns an
:class:`Outcome`: an error is a value there, raised by whoever runs the cell. What the statement returned wins every
race: a cancel that came too late is a note, not an error.

``--limit`` reads a plain query through a cursor, in a transaction of its own if none is open, so that nothing is left
running on the session; the cursor asks for one row more than it keeps, and so «more rows exist» is known, not guessed.
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tusk_jupyter import errors, interrupts, translate
from tusk_jupyter.connections.session import (
    CancelledBeforeSentError,
    Command,
    Reply,
    SessionLostError,
    Token,
)
from tusk_jupyter.errors import Place, QueryCancelled, QueryTimeout, TuskError
from tusk_jupyter.queries import classify, lost, values
from tusk_jupyter.queries.notices import NoticeLog
from tusk_jupyter.queries.rows import RowSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tusk_jupyter.connections.session import Session, Transaction
    from tusk_jupyter.queries.binding import Bound
    from tusk_jupyter.queries.split import Statement
    from tusk_jupyter.results.frame import FrameOptions
    from tusk_jupyter.results.result import Result

# uuid4 asks the operating system each time, 60 µs where that is slow; an id of a query is no secret
_random = random.Random()  # noqa: S311
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)
GIVE_UP_S = 5.0
SAVEPOINT = "tusk_statement"
RESEND_S = 0.3


@dataclass(frozen=True, slots=True)
class Options:
    """How a statement runs and what its rows become."""

    frame: FrameOptions
    format: str = "pandas"
    limit: int | None = None
    read_only: bool = False
    savepoint: bool = False


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of a cell's time, all its statements together: ``at`` by the monotonic clock, after ``limit_s``."""

    at: float
    limit_s: float

    @classmethod
    def after(cls, limit_s: float) -> Deadline:
        """Return the deadline that begins to run now."""
        return cls(time.monotonic() + limit_s, limit_s)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the statement stands in what the user typed: ``prefix`` (the magic's own line), then the script."""

    prefix: str
    script: str

    def place(self, offset: int) -> Place:
        """Return the place of a 0-based offset in the script."""
        return Place(self.prefix + self.script, len(self.prefix) + offset)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a statement ended: a result or an error, and the transaction that is open now."""

    result: Result | None
    error: TuskError | None
    transaction: Transaction | None
    state: str


@dataclass(slots=True)
class _Work:
    """What the worker gathers while the statement runs."""

    sink: RowSink
    reply: Reply | None = None
    prefix_length: int = 0
    notes: list[str] = field(default_factory=list)


class Execution:
    """A statement that was handed to a session: ``wait()`` for it, ``cancel()`` it."""

    def __init__(
        self, session: Session, *, statement: Statement, bound: Bound, source: Source, options: Options
    ) -> None:
        self.id = str(uuid.UUID(int=_random.getrandbits(128), version=4))
        self.session = session
        self.statement = statement
        self.started_at = datetime.now(UTC)
        self.state = "waiting"
        self.notices = NoticeLog()
        self._bound = bound
        self._source = source
        self._options = options
        self._token = Token()
        self._reason: str | None = None
        self._time_limit_s = 0.0
        self._before: Transaction | None = None
        self._start = time.monotonic()
        self._canceller = threading.Lock()
        self._asked_at: float | None = None
        self._answered = False
        self._left = False
        self._sink = RowSink(session, options.limit)
        self._future: Future[Outcome] | None = None

    @property
    def rows(self) -> int:
        """Rows received so far."""
        return self._sink.received

    @property
    def parameter_names(self) -> tuple[str, ...]:
        """The parameters it was bound with, by name."""
        return self._bound.names

    @property
    def is_cancelled(self) -> bool:
        """Whether a cancel was asked for."""
        return self._token.requested

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds since it was submitted."""
        return (time.monotonic() - self._start) * 1000

    def submit(self) -> Execution:
        """Queue it on the session's worker; return at once."""
        self._future = self.session.submit(self._perform)
        return self

    # -- the waiting side -----------------------------------------------------------------------------------------

    def wait(self, on_tick: Callable[[], None] | None = None, *, deadline: Deadline | None = None) -> Outcome:
        """Wait for the outcome; an interrupt cancels, a second one (or 5 s of silence) gives the session up.

        :param deadline: when the statement is cancelled as timed out.
        :raises QueryInterrupted: when an interrupt stopped it.
        """
        if self._future is None:
            raise errors.InternalError("the statement was not submitted")

        def interrupted(count: int) -> bool:
            self.cancel("interrupt")
            return count > 1 or self.state == "waiting"

        def tick() -> bool:
            if deadline is not None and time.monotonic() >= deadline.at:
                self._time_limit_s = deadline.limit_s
                self.cancel("timeout")
            if on_tick is not None:
                on_tick()
            if self._asked_at is None:
                return False
            silent = not self._answered and time.monotonic() - self._asked_at > GIVE_UP_S
            return self.state == "waiting" or silent

        if interrupts.wait(self._future, on_interrupt=interrupted, on_tick=tick):
            return self._future.result()
        return self._leave()

    def cancel(self, reason: str = "cancel") -> bool:
        """Ask the server to stop the statement; return at once, ``False`` when it has ended already."""
        if self._future is None or self._future.done():
            return False
        if self._canceller.acquire(blocking=False):
            self._reason = reason
            self._token.requested = True
            self._asked_at = time.monotonic()
            interrupts.spawn("cancel", self._ask_until_done)
        return True

    def _ask_until_done(self) -> None:
        # asked again while it runs: a request that overtakes a long statement on its way out finds the backend idle
        future = self._future
        until = time.monotonic() + GIVE_UP_S
        while future is not None and not future.done() and time.monotonic() < until:
            self.session.cancel(self._token)
            if self._token.unconfirmed:
                return
            _wait_done(future, RESEND_S)

    def _leave(self) -> Outcome:
        """Stop waiting: out of the queue, out of a conversion that takes long, or from a server that is silent."""
        self._left = True
        after_s = self.elapsed_ms / 1000
        error: TuskError
        if self.state == "waiting":
            error = QueryCancelled(f"left the queue after {after_s:.1f} s: nothing was sent")
        elif not self._answered:
            self.session.abandon("given up: the server did not answer the cancel request")
            error = lost.given_up(self.session, self._before, statement=self.statement, after_s=after_s)
        else:
            error = QueryCancelled(
                f"left after {after_s:.1f} s: the statement had finished, its result was still being converted"
            )
            error.transaction = lost.transaction_sentence(self.session.transaction)
        if self._reason == "timeout":
            error = QueryTimeout(
                error.message, advice=error.advice, transaction=error.transaction, duration_s=self._time_limit_s
            )
        self.state = "timeout" if self._reason == "timeout" else "cancelled"
        return Outcome(None, error, self.session.transaction if self.session.lost is None else None, self.state)

    @property
    def interrupted(self) -> bool:
        """Whether it was the kernel's interrupt that asked for the cancel."""
        return self._reason == "interrupt"

    # -- the working side -----------------------------------------------------------------------------------------

    def _perform(self) -> Outcome:
        if self._sink.expects_rows(self.statement):
            self._sink.warm_up()
        if self._left:
            return Outcome(None, QueryCancelled("nobody waits any more"), self.session.transaction, self.state)
        self._start = time.monotonic()
        self.state = "running"
        work = _Work(self._sink)
        error = self._answer(work)
        self._answered = True
        result = None
        if error is None:
            try:
                result = self._result(work)
            except BaseException as crash:  # noqa: BLE001 - the session is fine; the conversion is reported
                error = translate.translate(crash, doing="converting the result")
        self._after(error)
        return Outcome(result, error, self.session.transaction, self.state)

    def _answer(self, work: _Work) -> TuskError | None:
        """Run the statement to the server's last word on it; return what went wrong."""
        # libpq does not say what is open while a statement runs
        before = self._before = self.session.transaction
        xid = self._transaction_id()
        savepoint = self._options.savepoint and self._takes_savepoint()
        try:
            if savepoint:
                self._internal(f"savepoint {SAVEPOINT}")
            self._run(work)
            error = self._server_error(work)
            if savepoint:
                self._end_savepoint(failed=error is not None, work=work)
        except CancelledBeforeSentError:
            return self._cancelled(QueryCancelled("the statement was cancelled before it was sent"))
        except SessionLostError as loss:
            return lost.lost(self.session, loss, statement=self.statement, before=before, xid=xid)
        except TuskError as refused:
            return refused
        except BaseException as crash:  # noqa: BLE001 - nothing may be lost on the way to the user
            return translate.translate(crash, doing="reading the result")
        return error

    def _transaction_id(self) -> str | None:
        # the only way to learn later what became of a COMMIT that the network swallowed
        if self.session.transaction_status != "INTRANS" or classify.transaction_control(self.statement) != "COMMIT":
            return None
        try:
            return self.session.scalar("select pg_catalog.txid_current_if_assigned()::text")
        except SessionLostError:
            return None

    def _run(self, work: _Work) -> None:
        command = self._command()
        if self._options.read_only:
            self._run_read_only(work, command)
        elif self._options.limit is not None and classify.reads_only_shape(self.statement):
            self._run_cursor(work, command, self._options.limit)
        else:
            work.reply = self._send(command, work)
            self._learn_types(work)

    def _command(self) -> Command:
        bound = self._bound
        encoded, oids, formats = values.adapt(bound.values, bound.names, context=self.session.adapt)
        try:
            text = self.session.encode(bound.text)
        except UnicodeError as error:
            problem = str(error)
        else:
            return Command(text, encoded, oids, formats)
        raise errors.InvalidInput(
            f"the statement cannot be sent in the session's client encoding: {problem}",
            advice="Nothing was run. SET client_encoding = 'UTF8' takes every character; lone surrogates fit nowhere.",
        )

    def _send(self, command: Command, work: _Work | None) -> Reply:
        on_rows = work.sink.take if work is not None else None
        return self.session.run(self._token, command, on_rows=on_rows, on_notice=self.notices.add)

    def _run_cursor(self, work: _Work, command: Command, limit: int) -> None:
        name = f"tusk_{self.id.replace('-', '')[:12]}"
        own = self.session.transaction_status == "IDLE"
        if own:
            self._internal("begin")
        declare = f"declare {name} no scroll cursor for ".encode()
        work.prefix_length = len(declare)
        done = False
        try:
            work.reply = self._send(
                Command(declare + command.text, command.values, command.oids, command.formats), None
            )
            if work.reply.error is None:
                work.prefix_length = 0
                work.reply = self._send(Command(f"fetch forward {limit + 1} from {name}".encode()), work)
            done = work.reply.error is None
            if done:
                self._learn_types(work)
                work.reply = Reply(f"SELECT {work.sink.kept}", None, None)
        finally:
            if own:
                self._internal("commit" if done else "rollback")
            elif done:
                self._internal(f"close {name}")

    def _run_read_only(self, work: _Work, command: Command) -> None:
        keep = classify.is_setting(self.statement)
        self._internal("begin read only")
        # the snapshot makes SET TRANSACTION READ WRITE fail with 25001
        self._internal("select 1")
        try:
            work.reply = self._send(command, work)
            if work.reply.error is None:
                self._learn_types(work)
        finally:
            if self.session.lost is None:
                ended = self.session.transaction_status == "IDLE"
                self._internal("commit" if keep else "rollback")
                if ended:
                    work.notes.append("the statement ended the read-only transaction by itself")

    def _takes_savepoint(self) -> bool:
        return self.session.transaction_status == "INTRANS" and classify.transaction_control(self.statement) is None

    def _end_savepoint(self, *, failed: bool, work: _Work) -> None:
        if failed:
            self._internal(f"rollback to savepoint {SAVEPOINT}")
            work.notes.append("undone back to the savepoint before it")
        self._internal(f"release savepoint {SAVEPOINT}")

    def _internal(self, text: str) -> None:
        self.session.run(None, Command(text.encode()))

    def _learn_types(self, work: _Work) -> None:
        if work.reply is not None and work.reply.error is None:
            work.sink.learn_types()

    # -- endings --------------------------------------------------------------------------------------------------

    def _server_error(self, work: _Work) -> TuskError | None:
        reply = work.reply
        if reply is None or reply.error is None:
            return None
        diag = translate.diagnostic(reply.error, self.session.encoding)
        place = self._place(diag, work.prefix_length)
        if diag.sqlstate != "57014":
            return translate.query_error(diag, place=place, statement=self.statement.text)
        return self._stopped(diag, place)

    def _stopped(self, diag: errors.Diagnostic, place: Place | None) -> TuskError:
        """57014 is what cancel, statement_timeout and pg_cancel_backend all say: tell them apart by what we know."""
        elapsed_s = self.elapsed_ms / 1000
        if self._reason == "timeout":
            return QueryTimeout(
                f"the statement was stopped by --timeout after {elapsed_s:.1f} s",
                sqlstate=diag.sqlstate, condition="query_canceled", diag=diag, duration_s=self._time_limit_s,
                advice="Allow more with --timeout, or do less.",
            )  # fmt: skip
        if self._token.sent:
            return self._cancelled(
                translate.query_error(diag, kind=QueryCancelled, place=place, statement=self.statement.text)
            )
        limit_ms = self.session.statement_timeout_ms
        if limit_ms and self.elapsed_ms >= limit_ms * 0.9:
            error = translate.query_error(diag, kind=QueryTimeout, place=place)
            error.duration_s = limit_ms / 1000
            error.advice = (
                f"statement_timeout is {limit_ms} ms in this session: "
                "SET statement_timeout = '5min' (0 switches it off), or do less."
            )
            return error
        error = translate.query_error(diag, kind=QueryCancelled, place=place)
        error.advice = "Somebody else cancelled it (pg_cancel_backend), or the function raised this itself."
        return error

    def _cancelled(self, error: TuskError) -> TuskError:
        error.message = f"{'interrupted' if self.interrupted else 'cancelled'} after {self.elapsed_ms / 1000:.1f} s"
        error.args = (error.message,)
        return error

    def _place(self, diag: errors.Diagnostic, prefix_length: int) -> Place | None:
        if diag.internal_query is not None and diag.internal_position is not None:
            return Place(diag.internal_query, diag.internal_position - 1, internal=True)
        if diag.statement_position is None:
            return None
        offset = self._bound.offsets.to_source(max(0, diag.statement_position - 1 - prefix_length))
        return self._source.place(self.statement.start + offset)

    def _result(self, work: _Work) -> Result:
        from tusk_jupyter.results import result as results

        reply = work.reply or Reply(None, None, None)
        frame, columns, notes = work.sink.finish(self._options)
        if hasattr(frame, "attrs"):
            frame.attrs["tusk"] = self.id
        if self._token.requested:
            work.notes.append("it had finished before the cancel request arrived")
        if classify.transaction_control(self.statement) == "COMMIT" and reply.command_tag == "ROLLBACK":
            work.notes.append("nothing was saved: the transaction had failed, so COMMIT became ROLLBACK")
        return results.Result(
            query_id=self.id,
            connection=self.session.name,
            query_type=classify.query_type(self.statement),
            columns=columns,
            rowcount=work.sink.kept,
            frame=frame,
            elapsed_ms=self.elapsed_ms,
            command_tag=reply.command_tag or "",
            notices=self.notices.records(),
            notes=(*self._bound.notes, *notes, *work.notes),
            truncated=work.sink.truncated,
        )

    def _after(self, error: TuskError | None) -> None:
        if self._token.unconfirmed and self.session.lost is None:
            self.session.abandon("a cancel request got no answer, and could hit a later statement")
        if error is None:
            self._track_settings()
        if not self._left:  # else its end has been told already
            self.state = _final_state(error)
        if error is not None and error.transaction is None and self.session.lost is None:
            error.transaction = lost.transaction_sentence(self.session.transaction)

    def _track_settings(self) -> None:
        """Keep up with what a statement may have changed: the types it made, the time-out it set."""
        if classify.changes_types(self.statement):
            self.session.types.clear()
        if (
            classify.changes_setting(self.statement, "statement_timeout")
            and self.session.transaction_status != "INERROR"
        ):
            try:
                setting = self.session.scalar("select setting from pg_settings where name = 'statement_timeout'")
            except SessionLostError:
                return
            self.session.statement_timeout_ms = int(setting or 0)


def _wait_done(future: Future[Any], seconds: float) -> None:
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    done.wait(seconds)


def _final_state(error: TuskError | None) -> str:
    if error is None:
        return "completed"
    if isinstance(error, QueryTimeout):
        return "timeout"
    return "cancelled" if isinstance(error, QueryCancelled) else "failed"
