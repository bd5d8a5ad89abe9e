"""One statement in flight: what runs on the worker, what cancels it, what comes back.

An :class:`Execution` is submitted to its session and waited for by the main thread. The worker does everything that
takes time, up to the finished frame, so that an interrupt never meets half a conversion, and returns an
:class:`Outcome`: an error is a value there, raised by whoever runs the cell. What the statement returned wins every
race: a cancel that came too late is a note, not an error.
"""

from __future__ import annotations

import os
import random
import threading
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tusk_jupyter import interrupts, translate
from tusk_jupyter.connections.durations import duration
from tusk_jupyter.connections.wire import CancelledBeforeSentError, SessionLostError, Token
from tusk_jupyter.errors import QueryCancelled, QueryTimeout, TuskError
from tusk_jupyter.notifications import Heard
from tusk_jupyter.queries import channels, classify, commit, endings, lost, time_outs, transactions
from tusk_jupyter.queries.delivery import Delivery, Options
from tusk_jupyter.queries.file_rows import FileSink
from tusk_jupyter.queries.memory import Guard
from tusk_jupyter.queries.notices import NoticeLog
from tusk_jupyter.queries.progress import Progress, Seen
from tusk_jupyter.queries.rows import RowSink

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from tusk_jupyter.connections.session import Session, Transaction
    from tusk_jupyter.connections.wire import Command
    from tusk_jupyter.errors import Place
    from tusk_jupyter.queries.binding import Bound
    from tusk_jupyter.queries.endings import Source
    from tusk_jupyter.queries.split import Statement
    from tusk_jupyter.results.result import Result

# uuid4 asks the operating system each time, 60 µs where that is slow; an id of a query is no secret
_random = random.Random()  # noqa: S311
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)
GIVE_UP_S = 5.0
RESEND_S = 0.3


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
class Outcome:
    """How a statement ended: a result or an error, and the transaction that is open now."""

    result: Result | None
    error: TuskError | None
    transaction: Transaction | None
    state: str


class Execution:
    """A statement that was handed to a session: ``wait()`` for it, ``cancel()`` it."""

    def __init__(
        self,
        session: Session,
        *,
        statement: Statement,
        bound: Bound,
        source: Source,
        options: Options,
        deliver: Callable[..., Delivery] = Delivery,
    ) -> None:
        self.id = str(uuid.UUID(int=_random.getrandbits(128), version=4))
        self.session = session
        self.statement = statement
        self.started_at = datetime.now(UTC)
        self.state = "waiting"
        self.notices = NoticeLog()
        self.heard = Heard()  # the notifications that were read up to its end, and by nobody before
        self.seen = Seen()  # what the server said of it last; set by who watches
        self.doing: str | None = None  # in words, where that is not to run a statement
        self._bound = bound
        self._source = source
        self._options = options
        self._deliver = deliver
        self._token = Token()
        self._reason: str | None = None
        self._time_limit_s = 0.0
        self._before: Transaction | None = None
        self._start = time.monotonic()
        self._canceller = threading.Lock()
        self._asked_at: float | None = None
        self._heard_interrupt = False
        self._answered = False
        self._left = False
        self._never_sent = False
        self._sink = self._sink_for(options)
        self._delivery: Delivery | None = None
        self._future: Future[Outcome] | None = None

    def _sink_for(self, options: Options) -> RowSink:
        if options.parallel is not None:
            from tusk_jupyter.queries import part_rows

            return part_rows.sink_for(self.session, options, stop=lambda: self.cancel("memory"))
        if options.destination is not None:
            return FileSink(self.session, options)
        guard = Guard(options.memory_limit_mb)
        return RowSink(
            self.session,
            options.limit,
            guard=guard,
            stop=lambda: self.cancel("memory"),
            is_exact=options.frame.numeric == "decimal",
        )

    def place(self, offset: int) -> Place:
        """Return where in what the user typed an offset of the statement is."""
        return self._source.place(self.statement.start + offset)

    @property
    def rows(self) -> int:
        """Rows received so far."""
        return self._sink.received

    @property
    def progress(self) -> Progress:
        """How far it has come by now."""
        rows, seen = self.rows, self.seen
        if seen.expected_rows is not None and rows > seen.expected_rows:
            seen = replace(seen, expected_rows=None)
        return Progress(self.state, self.elapsed_ms / 1000, rows, self._sink.nbytes, seen)

    @property
    def backend_pids(self) -> tuple[int, ...]:
        """The backends that work on it; none where a pooler hides them."""
        delivery = self._delivery
        if delivery is not None:
            return delivery.backend_pids
        return (self.session.backend_pid,) if self.session.backend_pid is not None else ()

    @property
    def planned(self) -> Command | None:
        """What was sent, once rows of it have come, if another connection may be asked about its plan."""
        return self._delivery.planned if self._delivery is not None and self._sink.received else None

    def when_done(self, call: Callable[[], object]) -> None:
        """Have ``call()`` called when it is over, on the worker; at once when it is already."""
        if self._future is not None:
            self._future.add_done_callback(lambda _: call())

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

    def submit(self) -> Future[Outcome]:
        """Queue it on the session's worker; return at once."""
        self._future = self.session.submit(self._perform)
        return self._future

    # -- the waiting side -----------------------------------------------------------------------------------------

    def wait(self, on_tick: Callable[[], None] | None = None, *, deadline: Deadline | None = None) -> Outcome:
        """Wait for the outcome; an interrupt cancels, a second one (or 5 s of silence) gives the session up.

        What was not submitted yet is submitted here, where an interrupt is counted already.

        :param deadline: when the statement is cancelled as timed out.
        """

        def interrupted(count: int) -> bool:
            self._heard_interrupt = True  # also one that the statement was faster than: a loop around it is to stop
            self.cancel("interrupt")
            return self._is_queued() or count > 1

        def tick() -> bool:
            if deadline is not None and time.monotonic() >= deadline.at:
                self._time_limit_s = deadline.limit_s
                self.cancel("timeout")
            if on_tick is not None:
                on_tick()
            if self._asked_at is None:
                return False
            silent = not self._answered and time.monotonic() - self._asked_at > GIVE_UP_S
            return self._is_queued() or silent

        future = self._future
        start = self.submit if future is None else lambda: future
        done = interrupts.begin(start, on_interrupt=interrupted, on_tick=tick)
        return self._future.result() if done and self._future is not None else self._leave()

    def _is_queued(self) -> bool:
        """Whether a cancelled statement still waits for its turn; once seen so, it is never sent, whatever follows."""
        self._never_sent = self._never_sent or (self._token.requested and self.state == "waiting")
        return self._never_sent

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
            if self._delivery is not None:
                self._delivery.cancel()
            else:
                self.session.cancel(self._token)
            if self._token.unconfirmed:
                return
            _wait_done(future, RESEND_S)

    def _leave(self) -> Outcome:
        """Stop waiting: out of the queue, out of a conversion that takes long, or from a server that is silent."""
        self._left = True
        self._sink.abandon()
        after_s = self.elapsed_ms / 1000
        error: TuskError
        if self._never_sent:
            error = QueryCancelled(f"left after {duration(after_s * 1000)}, before its turn came: nothing was sent")
        elif not self._answered:
            error = self._give_up(after_s)
        else:
            error = QueryCancelled(
                f"left after {duration(after_s * 1000)}: "
                "the statement had finished, its result was still being converted"
            )
            error.transaction = lost.transaction_sentence(self.session.transaction)
        if self._reason == "timeout":
            own = error.advice if error.advice != QueryCancelled.default_advice else None
            error = QueryTimeout(
                error.message, advice=own, transaction=error.transaction, duration_s=self._time_limit_s
            )
            error.setting = "--timeout"
        self.state = "timeout" if self._reason == "timeout" else "cancelled"
        return Outcome(None, error, self.session.transaction if self.session.lost is None else None, self.state)

    def _give_up(self, after_s: float) -> TuskError:
        if self._delivery is not None and (error := self._delivery.give_up(after_s)) is not None:
            return error
        self.session.abandon("given up: the server did not answer the cancel request")
        return lost.given_up(self.session, self._before, statement=self.statement, after_s=after_s)

    def hear_interrupt(self) -> None:
        """Take in an interrupt that came when it had ended, while its cell still had to do with it."""
        self._heard_interrupt = True

    @property
    def interrupted(self) -> bool:
        """Whether the kernel's interrupt, or its button, asked for its end: in the main thread, whose loop ends too."""
        here = threading.current_thread() is threading.main_thread()
        return here and (self._heard_interrupt or self._reason == "button")

    # -- the working side -----------------------------------------------------------------------------------------

    def _perform(self) -> Outcome:
        if self._sink.expects_rows(self.statement):
            self._sink.warm_up()
        if self._left:
            return Outcome(None, QueryCancelled("nobody waits any more"), self.session.transaction, self.state)
        self._start = time.monotonic()
        idle_s = self.session.idle_s
        self.state = "running"
        delivery = self._delivery = self._deliver(
            self.session, self._token, self.statement, self._bound, self._options, self._sink, self.notices
        )
        error = self._answer(delivery)
        self._answered = True
        if not delivery.ends_when_stopped:  # who listens takes what he waits for, and leaves the rest to the next
            self.heard = self.session.inbox.take()
        retired = self._retire(error)
        result = None
        if error is None:
            try:
                result = self._result(delivery, retired)
            except BaseException as crash:  # noqa: BLE001 - the session is fine; the conversion is reported
                error = translate.translate(crash, doing="converting the result")
        if error is not None and retired is not None:
            error.transaction = retired
        self._sink.discard()
        self._after(error, delivery)
        return Outcome(result, error, self._transaction(idle_s), self.state)

    def _transaction(self, idle_s: float) -> Transaction | None:
        now = self.session.transaction if self.session.lost is None else None
        return replace(now, idle_s=idle_s) if now is not None else None

    def _retire(self, error: TuskError | None) -> str | None:
        """Give up a session that a cancel request under way could hit later; return what is said of a lost one."""
        if self.session.lost is not None:
            if error is None or self.session.loss_told:
                return None
            return lost.gone(self.session, self._before, statement=self.statement)
        if not self._token.unconfirmed:
            return None
        said = lost.retired(self.session)
        self.session.abandon("a cancel request got no answer, and could hit a later statement")
        return said

    def _answer(self, delivery: Delivery) -> TuskError | None:
        """Run the statement to the server's last word on it; return what went wrong."""
        # libpq does not say what is open while a statement runs
        before = self._before = self.session.transaction
        xid = self._transaction_id()
        try:
            delivery.run()
        except CancelledBeforeSentError:
            return endings.not_executed(self._stop())
        except SessionLostError as loss:
            return lost.lost(self.session, loss, statement=self.statement, before=before, xid=xid)
        except TuskError as refused:
            return refused
        except BaseException as crash:  # noqa: BLE001 - nothing may be lost on the way to the user
            return translate.translate(crash, doing="reading the result")
        if self._sink.overflow is not None:
            # whatever the server said to the cancel, or to nothing: the rows are not here
            return endings.too_large(self._sink.overflow)
        error = endings.server_error(delivery, self._source, self._stop())
        return delivery.explained(error) if error is not None else None

    def _stop(self) -> endings.Stop:
        return endings.Stop(self._reason, bool(self._token.sent), self.elapsed_ms, self._time_limit_s)

    def _transaction_id(self) -> str | None:
        # the only way to learn later what became of a COMMIT that the network swallowed
        try:
            return commit.transaction_id(self.session, self.statement)
        except SessionLostError:
            return None

    def _result(self, delivery: Delivery, retired: str | None) -> Result:
        from tusk_jupyter.results import result as results

        tag, notes = delivery.reply.command_tag, delivery.notes
        frame, columns, changed = self._sink.finish(self._options)
        if hasattr(frame, "attrs"):
            frame.attrs["tusk"] = self.id
        if self._token.requested and (retired is not None or not delivery.ends_when_stopped):
            notes.append("it had finished before the cancel request arrived" if retired is None else retired)
        goes_on = self.session.transaction is not None
        unsaved = transactions.nothing_saved(self.statement, tag, before=self._before, goes_on=goes_on)
        notes += [unsaved] if unsaved is not None else []
        if (note := channels.note(self.session, self.statement)) is not None:
            notes.append(note)
        return results.Result(
            query_id=self.id,
            connection=self.session.name,
            query_type=classify.query_type(self.statement),
            columns=columns,
            rowcount=self._sink.kept,
            frame=frame,
            written=self._sink.written,
            elapsed_ms=self.elapsed_ms,
            command_tag=tag or "",
            notices=self.notices.records(),
            notifications=self.heard.kept,
            notes=(*self._bound.notes, *changed, *notes),
            truncated=self._sink.truncated,
        )

    def _after(self, error: TuskError | None, delivery: Delivery) -> None:
        if self.session.lost is None:
            self._follow(error)
        if not self._left:  # else its end has been told already
            self.state = endings.final_state(error)
        if error is not None and error.transaction is None and self.session.lost is None:
            error.transaction = lost.transaction_sentence(self.session.transaction, undone=delivery.undone)

    def _follow(self, error: TuskError | None) -> None:
        """Keep up with what a statement may have changed: the types it made, the time-outs it set, the transaction."""
        if error is None:
            transactions.follow(self.session, self.statement)
            channels.follow(self.session, self.statement)
            if classify.changes_types(self.statement):
                self.session.types.clear()
            self.session.dotted_settings |= classify.dotted_settings(self.statement)
        # a COMMIT that fails takes SET LOCAL back as well
        if error is None or (self._before is not None and self.session.transaction is None):
            time_outs.follow(self.session, self.statement)


def _wait_done(future: Future[Any], seconds: float) -> None:
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())
    done.wait(seconds)
