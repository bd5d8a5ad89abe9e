"""The one server session that all cells of a connection run on.

A worker thread owns the psycopg connection and takes jobs in order; everybody else waits. What goes over the wire is
:mod:`~tusk_jupyter.connections.wire`'s.

Cancelling is what incumbents get wrong, so its rules, each measured in 1,500 races:

* ``cancel_safe()`` only: ``Connection.cancel()`` holds the GIL while the server is silent and sends the key
  unencrypted.
* It is sent and awaited under the *statement lock*, which the end of a statement must take too. The call returns when
  the server has closed the cancel socket, after its SIGINT, and a backend ignores SIGINT while it reads a command: so
  a late cancel cannot reach the next statement (without the lock it did 1,499 times of 1,500).
* A pooler may acknowledge first and forward later. After every sent cancel the backend therefore gets 100 ms in which
  there is nothing to hit: ``select pg_sleep(0.1)`` where no transaction is open (it keeps the pooler's server
  assigned), else 100 ms of silence, because a barrier statement could be the thing that fails the user's transaction.
  It runs after the outcome was handed over, so nobody waits for it but the next statement.
* A cancel that was not answered within its time-out may still be under way: that connection is never used again.
"""

from __future__ import annotations

import logging
import queue
import selectors
import socket
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
from psycopg import pq, waiting

from tusk_jupyter import translate
from tusk_jupyter.connections import forking, liveness
from tusk_jupyter.connections.wire import (
    CHUNK_ROWS,
    Asked,
    CancelledBeforeSentError,
    Command,
    Reading,
    Reply,
    SessionLostError,
    Token,
    Wire,
    send_behind,
    send_questions,
)
from tusk_jupyter.notifications import Inbox, Notification

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from psycopg.pq.abc import PGconn, PGresult
    from psycopg.pq.misc import PGnotify

    from tusk_jupyter.connections.copying import CopySource
    from tusk_jupyter.connections.time_outs import TimeOut
    from tusk_jupyter.errors import Diagnostic

T = TypeVar("T")
log = logging.getLogger("tusk_jupyter.session")

NEAR_S = 0.002
CANCEL_TIMEOUT_S = 2.0
BARRIER_S = 0.1
INHERITED = "this process was forked, and the session is its parent's"
FAREWELLS = ("FATAL", "PANIC")
_STATUS = {int(status): status.name for status in pq.TransactionStatus}


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction: ``open`` or ``failed``, since when, and how many statements it holds.

    ``savepoint`` is the last of its savepoints, as it was typed, ``idle_s`` how long it lay idle before the last
    statement.
    """

    state: str
    since: datetime
    statements: int
    savepoint: str | None = None
    idle_s: float = 0.0


class Session:
    """Runs commands one at a time on a psycopg connection that it owns; ``close()`` ends both.

    :param is_direct: there is no pooler in between.
    """

    def __init__(self, conn: psycopg.Connection[Any], *, name: str, is_direct: bool = True) -> None:
        self._conn = conn
        self._lock = threading.Lock()
        self._running: Token | None = None
        self._settle_until = 0.0
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._notice_sink: Callable[[psycopg.errors.Diagnostic], None] | None = None
        self._noticed = 0
        self._began: datetime | None = None
        self._statements = 0
        self.name = name
        self.lost: str | None = None
        self.loss_told = False  # whether the user has been told what went with it
        self.on_close: Callable[[], object] | None = None  # stops what the job that runs now has running elsewhere
        self._closing = False
        self._inherited = False
        self.last_words: Diagnostic | None = None  # the server's, when it ended the session by itself
        self.time_outs: dict[str, TimeOut] = {}
        self.settled_time_outs: dict[str, TimeOut] = {}  # as they were outside a transaction
        self.time_outs_set: set[str] = set()  # those that the open transaction may have set
        self.savepoints: list[str] = []  # of the open transaction, as they were typed, the last one last
        self._idle_from: float | None = None
        # what libpq knows of a pooler's connection is a number that the pooler made up
        self.backend_pid = conn.pgconn.backend_pid if is_direct else None
        self.types: dict[int, Any] = {}
        self.sizes: dict[int, int] = {}  # how many rows statements gave, by the hash of their text
        self._shortest_s = float("inf")
        self._probed = False
        self.dotted_settings: set[str] = set()
        self.inbox = Inbox()
        self.channels: set[str] = set()  # what it listens to, as far as is known without asking
        self.asks_channels = False  # something may have changed that, and the server was not asked since
        self.on_notification: Callable[[Notification], object] = self.inbox.add
        self._wire = Wire(conn.pgconn, lambda: self._noticed)
        conn.add_notice_handler(self._on_notice)
        # not psycopg's own, which drops a payload that the encoding does not explain
        self._notify_handler, conn.pgconn.notify_handler = conn.pgconn.notify_handler, self._on_notify
        self._thread = threading.Thread(target=self._work, name=f"tusk-session-{name}", daemon=True)
        self._thread.start()
        forking.watch(self)

    # -- what it is now -------------------------------------------------------------------------------------------

    @property
    def transaction_status(self) -> str:
        """IDLE, ACTIVE, INTRANS, INERROR or UNKNOWN, as libpq knows it without asking."""
        return _STATUS[self._conn.pgconn.transaction_status]

    @property
    def is_gone(self) -> bool:
        """Whether the server has hung up, as far as the socket knows without asking."""
        return self.lost is not None or liveness.is_gone(self._conn.pgconn)

    @property
    def transaction(self) -> Transaction | None:
        """The open transaction, if there is one."""
        since = self._began
        if since is None or (status := self.transaction_status) not in {"INTRANS", "INERROR"}:
            return None
        savepoint = self.savepoints[-1] if self.savepoints else None
        return Transaction("open" if status == "INTRANS" else "failed", since, self._statements, savepoint)

    @property
    def idle_from(self) -> float | None:
        """When the last answer came to what is an open transaction since, by ``time.monotonic()``: its idle period."""
        return self._idle_from if self.transaction is not None else None

    @property
    def idle_s(self) -> float:
        """How long the open transaction has been idle."""
        since = self.idle_from
        return time.monotonic() - since if since is not None else 0.0

    @property
    def statement_timeout_ms(self) -> int:
        """The server's limit for a statement, 0 for none."""
        found = self.time_outs.get("statement_timeout")
        return found.ms if found is not None else 0

    @property
    def adapt(self) -> psycopg.Connection[Any]:
        """The context in which values are adapted: encoding and registered types."""
        return self._conn

    @property
    def encoding(self) -> str:
        """The Python codec of the session's ``client_encoding``."""
        return self._conn.info.encoding

    def encode(self, text: str) -> bytes:
        """Return ``text`` as the server expects it; raises ``UnicodeError`` for what its encoding lacks."""
        return text.encode(self.encoding)

    def parameter(self, name: str) -> str | None:
        """Return a setting that the server reports by itself, such as ``TimeZone``; ``None`` when it is closed."""
        try:
            value = self._conn.pgconn.parameter_status(name.encode())
        except psycopg.OperationalError:  # another thread has closed it
            return None
        return value.decode() if value is not None else None

    # -- jobs -----------------------------------------------------------------------------------------------------

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Run ``job()`` on the worker, after those that came before; return its future."""
        future: Future[T] = Future()
        if self._inherited:
            future.set_exception(SessionLostError(INHERITED, sent=False))
            return future

        def run() -> None:
            try:
                result = job()
            except BaseException as error:  # noqa: BLE001 - a future carries whatever happened
                future.set_exception(error)
            else:
                future.set_result(result)

        self._jobs.put(run)
        return future

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
            del job  # its result is not to be held until the next one
            self._settle()

    def _settle(self) -> None:
        """Give a cancel that a pooler still carries something harmless to hit (see the module's docstring)."""
        if not self._settle_until or self.lost:
            return
        if self.transaction_status == "IDLE":
            try:
                self.run(None, Command(b"select pg_sleep(%.1f)" % BARRIER_S))
            except SessionLostError:
                return
        else:
            time.sleep(max(0.0, self._settle_until - time.monotonic()))
        self._settle_until = 0.0

    # -- the wire (worker thread only) ----------------------------------------------------------------------------

    def run(
        self,
        token: Token | None,
        command: Command,
        *,
        on_rows: Callable[[PGresult], None] | None = None,
        on_notice: Callable[[psycopg.errors.Diagnostic], None] | None = None,
        source: CopySource | None = None,
        choose: Callable[[PGresult], bool] | None = None,
        before: Sequence[bytes] = (),
        counts: bool = True,
    ) -> Reply:
        """Send one command by the extended protocol and read it to its end; results are text unless they were chosen.

        :param source: what a COPY FROM STDIN is to read; without one it is ended at once.
        :param choose: tells from the columns whether they are to come in binary; they are asked for first. Not for
            COPY.
        :param before: what goes ahead, in the same round trip; an error there is the reply, and the command does not
            run. Not for COPY.
        :param counts: whether it is one of the statements of an open transaction; what has no token never is.
        :raises SessionLostError: when the connection breaks.
        :raises CancelledBeforeSentError: when ``token`` was cancelled before.
        """
        counts = counts and token is not None
        if choose is not None:
            asked = Asked(token, command, choose, before)
            reading = Reading(on_rows)
            return self._exchange(
                token,
                asked.send,
                reading,
                self._wire.read_asked(asked, reading, self._lock),
                on_notice=on_notice,
                counts=counts,
            )

        if before:
            reading = Reading(on_rows)
            return self._exchange(
                token,
                lambda pgconn: send_behind(pgconn, before, command),
                reading,
                self._wire.read_behind(len(before), reading),
                on_notice=on_notice,
                counts=counts,
            )

        def send(pgconn: PGconn) -> None:
            if command.values:
                pgconn.send_query_params(command.text, command.values, command.oids, command.formats, 0)
            else:
                pgconn.send_query_params(command.text, None, result_format=0)
            pgconn.set_chunked_rows_mode(CHUNK_ROWS)

        return self._exchange(token, send, Reading(on_rows, source), on_notice=on_notice, counts=counts)

    def describe(self, token: Token | None, command: Command) -> tuple[Reply, PGresult | None]:
        """Ask what columns a command will give, without running it; an error of its text comes in the reply.

        The result has no rows, and no columns for a command that gives none. It can be cancelled as the command can:
        to analyse a statement is to wait for locks. One exchange with one Sync, which no pooler divides.

        :raises SessionLostError, CancelledBeforeSentError: as :meth:`run`.
        """
        reading = Reading(None)
        read = self._wire.read_described(reading)
        reply = self._exchange(token, lambda c: send_questions(c, command), reading, read)
        return reply, reading.last if reply.error is None else None

    def _exchange(
        self,
        token: Token | None,
        send: Callable[[PGconn], None],
        reading: Reading,
        read: Generator[Any, Any, Reply] | None = None,
        *,
        on_notice: Callable[[psycopg.errors.Diagnostic], None] | None = None,
        counts: bool = False,
    ) -> Reply:
        self._check_alive()
        self._notice_sink = on_notice
        began = time.monotonic()
        try:
            self._send(token, send)
            reply = waiting.wait(read or self._wire.read(reading), self._conn.pgconn.socket, interval=0.1)
            self._hear()
        except (psycopg.Error, OSError) as error:
            reason = self._lose(str(error).strip() or type(error).__name__)
            raise SessionLostError(reason, sent=True) from None
        except CancelledBeforeSentError:
            raise
        except BaseException as error:
            # the rest of the answer, or a pipeline that was not ended, would be the next statement's
            self.abandon(f"the answer was not read to its end: {type(error).__name__}")
            raise
        finally:
            with self._lock:
                self._running = None
            if token is not None and token.sent:
                self._settle_until = time.monotonic() + BARRIER_S
            self._notice_sink = None
        self._idle_from = time.monotonic()
        self._shortest_s = min(self._shortest_s, self._idle_from - began)
        self._note_transaction(counts=counts and reply.error is None and reading.executed)
        if self._conn.pgconn.status == pq.ConnStatus.BAD:
            reason = reply.error.error_message.decode(errors="replace") if reply.error is not None else "closed"
            self.last_words = translate.diagnostic(reply.error) if reply.error is not None else None
            raise SessionLostError(self._lose(reason), sent=True, diagnostic=self.last_words)
        if reading.failure is not None:
            raise reading.failure
        return reply

    @property
    def round_trip_s(self) -> float:
        """How long the server took for its quickest answer in this session; infinite before the first."""
        return self._shortest_s

    def is_near(self) -> bool:
        """Tell whether the server has ever answered within 2 ms; it gets one chance with a statement that is empty.

        :raises SessionLostError: when the connection breaks; as not sent, because nothing of the caller's was.
        """
        if self._shortest_s > NEAR_S and not self._probed:
            self._probed = True
            try:
                self.run(None, Command(b""))
            except SessionLostError as loss:
                raise SessionLostError(loss.reason, sent=False, diagnostic=loss.diagnostic) from None
        return self._shortest_s <= NEAR_S

    def scalar(self, text: str, *values: str) -> str | None:
        """Return the first column of the first row as PostgreSQL's text, or ``None``; also ``None`` on an error."""
        rows = self.rows(text, *values)
        return rows[0][0] if rows else None

    def rows(self, text: str, *values: str) -> list[list[str | None]]:
        """Return a small result as PostgreSQL's text; an error yields no rows (used for our own look-ups only)."""
        found: list[list[str | None]] = []

        def take(chunk: PGresult) -> None:
            for row in range(chunk.ntuples):
                cells = (chunk.get_value(row, column) for column in range(chunk.nfields))
                found.append([None if c is None else bytes(c).decode(errors="replace") for c in cells])

        encoded = [value.encode() for value in values]
        reply = self.run(None, Command(text.encode(), encoded, [0] * len(encoded), [0] * len(encoded)), on_rows=take)
        return [] if reply.error is not None else found

    def _check_alive(self) -> None:
        """Notice a server that hung up while the session was idle, without a round trip."""
        if self._closing:
            raise SessionLostError(self.lost or "closed", sent=False)
        pgconn = self._conn.pgconn
        if self.lost is None and pgconn.status == pq.ConnStatus.OK:
            try:
                # libpq's sockets never block: the first takes the server's last words, the second meets the end
                pgconn.consume_input()
                pgconn.consume_input()
                self._hear()
            except psycopg.OperationalError as error:
                reason = self._last_words() or str(error).strip().removeprefix("consuming input failed: ")
                raise SessionLostError(self._lose(reason), sent=False, diagnostic=self.last_words) from None
            if pgconn.status == pq.ConnStatus.OK:
                return
        reason = self.lost or self._lose(pgconn.get_error_message())
        raise SessionLostError(reason, sent=False, diagnostic=self.last_words)

    def _last_words(self) -> str:
        """Return what the server said when it hung up on an idle session: to libpq that is a notice."""
        self._conn.pgconn.is_busy()  # reads what has come, if nothing else has
        return (self.last_words.message_primary or "") if self.last_words is not None else ""

    def _send(self, token: Token | None, send: Callable[[PGconn], None]) -> None:
        with self._lock:
            if token is not None and token.requested:
                raise CancelledBeforeSentError
            send(self._conn.pgconn)
            self._running = token

    # -- what changes ---------------------------------------------------------------------------------------------

    def _note_transaction(self, *, counts: bool) -> None:
        if self._conn.pgconn.transaction_status not in (pq.TransactionStatus.INTRANS, pq.TransactionStatus.INERROR):
            self._began, self._statements, self.savepoints = None, 0, []
        elif self._began is None:
            self._began = datetime.now(UTC)
        elif counts:
            self._statements += 1

    def chain_transaction(self) -> None:
        """Note that the open transaction is another one: AND CHAIN has ended the one before."""
        self._began, self._statements, self.savepoints = datetime.now(UTC), 0, []

    def use_time_outs(self, found: dict[str, TimeOut]) -> None:
        """Take the time-outs that a session begins with."""
        self.time_outs, self.settled_time_outs = dict(found), dict(found)

    def _on_notice(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        self._noticed += 1
        if self._notice_sink is not None:
            self._notice_sink(diagnostic)
        elif diagnostic.severity_nonlocalized in FAREWELLS:
            self.last_words = translate.notice(diagnostic)

    def _hear(self) -> None:
        """Take the notifications that libpq has read; the server is not asked."""
        while (found := self._conn.pgconn.notifies()) is not None:
            self._on_notify(found)

    def _on_notify(self, found: PGnotify) -> None:
        channel, payload = (raw.decode(self.encoding, "replace") for raw in (found.relname, found.extra))
        self.channels.add(channel)
        own = found.be_pid == self.backend_pid
        self.on_notification(Notification(channel, payload, found.be_pid, datetime.now(UTC), own))

    def wait_for_notifications(self, seconds: float) -> None:
        """Wait until the server says something, or the time is over, and take what it says; nothing is sent.

        :raises SessionLostError: when the server has hung up.
        """
        self._check_alive()
        with selectors.DefaultSelector() as selector:
            selector.register(self._conn.pgconn.socket, selectors.EVENT_READ)
            selector.select(seconds)
        self._check_alive()

    def _lose(self, reason: str) -> str:
        if self.lost is None:
            self.lost = reason or "the connection was closed"
            log.warning("session %s (pid %s) lost: %s", self.name, self.backend_pid, self.lost)
        return self.lost

    # -- from other threads ---------------------------------------------------------------------------------------

    def cancel(self, token: Token) -> bool:
        """Ask the server to cancel what ``token`` runs; return whether the request was sent (or prevented the send)."""
        with self._lock:
            token.requested = True
            if self._running is not token or self._inherited:
                return False
            token.sent += 1
            try:
                self._conn.cancel_safe(timeout=CANCEL_TIMEOUT_S)
            except psycopg.errors.CancellationTimeout:
                token.unconfirmed = True
            except psycopg.Error as error:
                log.warning("a cancel request was not accepted: %s", error)
                return False
            return True

    def abandon(self, reason: str) -> None:
        """Give the session up: nothing more is sent, and a worker that waits for the server is freed."""
        self._lose(reason)
        if self._inherited:
            return
        try:
            handle = socket.socket(fileno=self._conn.pgconn.socket)
        except (OSError, psycopg.Error):
            return
        try:
            handle.shutdown(socket.SHUT_RDWR)
        except OSError:
            log.debug("the socket of %s was closed already", self.name)
        finally:
            handle.detach()

    def forget(self) -> list[Any]:
        """Be no session any more, in a forked child: the connection is the parent's, and the worker is not here."""
        self._lock = threading.Lock()
        self._inherited = self._closing = True
        # nothing of it is lost, it goes on over there; but a transaction does not go on here
        self.loss_told = self.transaction is None
        self.lost = self.lost or INHERITED
        self._running = self._began = self.on_close = None
        return [self._conn]

    def release(self) -> bool:
        """End the session and leave its connection to whoever lent it; return whether it can be used again."""
        if self._inherited:
            return False
        self._closing = True
        self._jobs.put(None)
        self._thread.join(timeout=CANCEL_TIMEOUT_S)
        self._conn.remove_notice_handler(self._on_notice)
        self._conn.pgconn.notify_handler = self._notify_handler
        return not self._thread.is_alive() and self.lost is None and self.transaction_status == "IDLE"

    def close(self) -> None:
        """End the session. What still runs is cancelled; closing twice is fine."""
        if self._inherited:
            return
        # what still waits for its turn must find the session gone, not the server
        self._closing = True
        running, stop = self._running, self.on_close
        if stop is not None:
            stop()
        elif running is not None:
            self.cancel(running)
        self._jobs.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout=CANCEL_TIMEOUT_S)
        if self._thread.is_alive():
            self.abandon("closed while the server did not answer")
        else:
            self.lost = self.lost or "closed"
            self._conn.close()
