"""What goes over the wire of a session: a command, what has come of it, and how it is read to its end.

psycopg's generators drive libpq (:mod:`psycopg.generators`), and each ``PGresult`` chunk goes to a callback: results
never pile up in libpq (one whole result of a million rows costs 500 MB there, chunks nothing). A chunk is small enough
to stay in the processor's cache while it is decoded, and for the server to fill the socket meanwhile: with 2,000 rows
reading and decoding twenty columns of text takes a tenth longer than with 500. It bounds rows, not bytes: 500 rows of a
megabyte each are in memory at once, and libpq takes no other number once a result has begun.

Which format the rows come in can be chosen when their columns are known (``choose`` of ``Session.run``). Parse and
Describe then go out with a Flush, in libpq's pipeline mode, and Bind, Execute and the one Sync after the answer. That
is the very sequence of a statement that was not asked about, with a pause in it: one transaction, the same locks held
from Parse on, so that no table changes in between, the same errors and notices, and to a pooler one unit that it never
divides between servers. Two statements with a Sync each are refused for that reason: in PgBouncer's transaction mode
the second could meet another server, and on it another client's statement without a name (with a Flush none of 4,800
statements of eight clients over one server of PgBouncer 1.18 did). A cancel that arrives in the pause has nothing to
hit: the statement is not executed. It costs 27 µs on a Unix socket, and a round trip elsewhere. To describe a command
without running it is the same with the Sync in place of the Flush.

What has to succeed before a command goes into the same pipeline (``before`` of ``Session.run``): one round trip for all
of it, and the server itself skips the command when one of them fails. COPY is not for pipelines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import generators, pq, waiting

from tusk_jupyter.connections import copying, stalling

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Generator, Sequence

    from psycopg.pq.abc import PGconn, PGresult

    from tusk_jupyter.connections.copying import CopySource
    from tusk_jupyter.errors import Diagnostic

CHUNK_ROWS = 500
_ROWS = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.TUPLES_CHUNK, pq.ExecStatus.SINGLE_TUPLE)


class SessionLostError(Exception):
    """The connection broke; ``reason`` is the server's or libpq's last word. Becomes ``ConnectionLost`` further up."""

    def __init__(self, reason: str, *, sent: bool, diagnostic: Diagnostic | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sent = sent
        self.diagnostic = diagnostic


class CancelledBeforeSentError(Exception):
    """The statement was cancelled before it reached the server."""


class Token:
    """One execution's claim on the session: what a cancel aims at, and what became of the aim."""

    __slots__ = ("requested", "sent", "unconfirmed")

    def __init__(self) -> None:
        self.requested = False
        self.sent = 0
        self.unconfirmed = False


@dataclass(frozen=True, slots=True)
class Command:
    """What goes down the wire: text and parameters in PostgreSQL's formats."""

    text: bytes
    values: Sequence[bytes | None] = ()
    oids: Sequence[int] = ()
    formats: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """How the server ended a command: its tag, or the error result."""

    command_tag: str | None
    rowcount: int | None
    error: PGresult | None


class Reading:
    """What has been read of one command's results; a callback that fails is remembered, and the rest still read."""

    __slots__ = ("_on_rows", "affected", "error", "executed", "failure", "last", "source", "tag")

    def __init__(self, on_rows: Callable[[PGresult], None] | None, source: CopySource | None = None) -> None:
        self._on_rows = on_rows
        self.source = source
        self.tag: bytes | None = None
        self.affected: int | None = None
        self.error: PGresult | None = None
        self.last: PGresult | None = None  # without rows: of Describe, the columns; of what runs, its end
        self.failure: BaseException | None = None
        self.executed = True

    def reply(self) -> Reply:
        if self.error is not None:
            return Reply(None, None, self.error)
        return Reply(self.tag.decode() if self.tag else None, self.affected, None)

    def take(self, chunk: PGresult) -> None:
        if self._on_rows is None or self.failure is not None:
            return
        try:
            self._on_rows(chunk)
        except BaseException as error:  # noqa: BLE001 - what is not read to its end leaves the session stuck
            self.failure = error


def send_behind(pgconn: PGconn, before: Sequence[bytes], command: Command) -> None:
    """Send a command behind others, in one pipeline with one Sync: where one of them fails, it is not executed."""
    pgconn.enter_pipeline_mode()
    for text in before:
        pgconn.send_query_params(text, None)
    pgconn.send_query_params(command.text, command.values or None, command.oids or None, command.formats or None, 0)
    pgconn.pipeline_sync()


def send_questions(pgconn: PGconn, command: Command, before: Sequence[bytes] = ()) -> None:
    """Begin a pipeline with what asks for a command's columns; it goes out with a Flush or a Sync."""
    pgconn.enter_pipeline_mode()
    for text in before:
        pgconn.send_query_params(text, None)
    pgconn.send_prepare(b"", command.text, command.oids)
    pgconn.send_describe_prepared(b"")


@dataclass(slots=True)
class Asked:
    """A command whose columns are asked for before it is executed."""

    token: Token | None
    command: Command
    choose: Callable[[PGresult], bool]
    before: Sequence[bytes] = ()
    binary: bool = False

    def send(self, pgconn: PGconn) -> None:
        send_questions(pgconn, self.command, self.before)
        pgconn.send_flush_request()

    def look(self, reading: Reading) -> None:
        columns, reading.last = reading.last, None
        try:
            self.binary = columns is not None and self.choose(columns)
        except Exception as error:  # noqa: BLE001 - the pipeline has to be ended first
            reading.failure = error

    def execute(self, pgconn: PGconn, reading: Reading) -> None:
        if self.token is not None and self.token.requested:
            reading.failure = reading.failure or CancelledBeforeSentError()
        reading.executed = reading.failure is None
        if reading.executed:
            values = self.command.values or None
            pgconn.send_query_prepared(b"", values, self.command.formats or None, int(self.binary))
            pgconn.set_chunked_rows_mode(CHUNK_ROWS)


class Wire:
    """Reads what a connection answers.

    :param notices: how many notices have come so far.
    """

    def __init__(self, pgconn: PGconn, notices: Callable[[], int]) -> None:
        self._pgconn = pgconn
        self._notices = notices

    def read(self, reading: Reading) -> Generator[Any, Any, Reply]:
        """Read what was sent to its end."""
        steps = self._read(reading)
        return (yield from steps if reading.source is None else stalling.watched(steps, self._pgconn.socket))

    def _read(self, reading: Reading) -> Generator[Any, Any, Reply]:
        yield from generators.send(self._pgconn)
        while (result := (yield from self._fetch(reading))) is not None:
            yield from self._take(result, reading)
        return reading.reply()

    def _take(self, result: PGresult, reading: Reading) -> Generator[Any, Any, None]:
        # in chunked rows mode the tag stands on the last chunk that has rows, not on the empty result at the end
        reading.tag = result.command_status or reading.tag
        if result.command_tuples is not None:
            reading.affected = result.command_tuples
        if result.status in _ROWS:
            reading.take(result)
        elif result.status == pq.ExecStatus.COMMAND_OK:
            reading.last = result
        elif result.status == pq.ExecStatus.FATAL_ERROR:
            # in a pipeline libpq's own, that the server is gone, comes behind the server's last word
            reading.error = reading.error or result
        elif result.status == pq.ExecStatus.COPY_IN:
            yield from self._copy_in(reading)
        elif result.status == pq.ExecStatus.COPY_OUT:
            yield from self._drain_copy()

    def read_asked(self, asked: Asked, reading: Reading, lock: threading.Lock) -> Generator[Any, Any, Reply]:
        """Read the columns, have them looked at, execute the command and read it to its end.

        :param lock: held while it is sent, as while any other is.
        """
        pgconn = self._pgconn
        yield from generators.send(pgconn)
        yield from self._skip(len(asked.before), reading)
        for _ in ("parse", "describe"):
            while (result := (yield from self._fetch(reading))) is not None:
                yield from self._take(result, reading)
        if reading.error is None and reading.last is not None:
            asked.look(reading)
            with lock:
                asked.execute(pgconn, reading)
        yield from self._end_pipeline(reading)
        return reading.reply()

    def read_described(self, reading: Reading) -> Generator[Any, Any, Reply]:
        """Read the columns (``reading.last``); nothing is executed."""
        yield from self._end_pipeline(reading)
        return reading.reply()

    def read_behind(self, count: int, reading: Reading) -> Generator[Any, Any, Reply]:
        """Read a command that was sent behind ``count`` others."""
        yield from generators.send(self._pgconn)
        yield from self._skip(count, reading)
        if reading.error is None:
            self._pgconn.set_chunked_rows_mode(CHUNK_ROWS)
        yield from self._end_pipeline(reading, synced=True)
        return reading.reply()

    def _skip(self, count: int, reading: Reading) -> Generator[Any, Any, None]:
        """Read what was sent before; only its error is of interest, and the server skips all that follows one."""
        for _ in range(count):
            while (result := (yield from self._fetch(reading))) is not None:
                if result.status == pq.ExecStatus.FATAL_ERROR:
                    reading.error = reading.error or result

    def _end_pipeline(self, reading: Reading, *, synced: bool = False) -> Generator[Any, Any, None]:
        try:
            if not synced:
                self._pgconn.pipeline_sync()
                yield from generators.send(self._pgconn)
            yield from self._read_to_sync(reading)
            self._pgconn.exit_pipeline_mode()
        except psycopg.OperationalError:
            if reading.error is None or self._pgconn.status != pq.ConnStatus.BAD:
                raise  # else the server has said why before it hung up

    def _read_to_sync(self, reading: Reading) -> Generator[Any, Any, None]:
        # each command's results end once, and there are two before the Sync at most; a lost server ends them as well
        for _ in ("parse", "describe or results", "sync"):
            while (result := (yield from self._fetch(reading))) is not None:
                if result.status == pq.ExecStatus.PIPELINE_SYNC:
                    return
                yield from self._take(result, reading)

    def _fetch(self, reading: Reading) -> Generator[Any, Any, PGresult | None]:
        try:
            result: PGresult | None = yield from generators.fetch(self._pgconn)
        except psycopg.OperationalError:
            if reading.error is None:  # else the server has said why before it hung up
                raise
            return None
        return result

    def _copy_in(self, reading: Reading) -> Generator[Any, Any, None]:
        if reading.source is None:
            self._pgconn.put_copy_end(b"COPY FROM STDIN is not possible here")
            yield from generators.send(self._pgconn)
            return
        reading.failure = yield from copying.send(self._pgconn, reading.source, self._notices)

    def _drain_copy(self) -> Generator[Any, Any, None]:
        pgconn = self._pgconn
        while True:
            size, _ = pgconn.get_copy_data(1)
            if size < 0:
                return
            if size == 0:
                yield waiting.Wait.R
                pgconn.consume_input()
