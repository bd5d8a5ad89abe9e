"""One statement's way to the server and back: plain, through a cursor, read-only, under a savepoint. On the worker.

``--limit`` reads a plain query through a cursor, in a transaction of its own if none is open, so that nothing is left
running on the session; the cursor asks for one row more than it keeps, and so «more rows exist» is known, not guessed.
Read-only statements run in a ``BEGIN READ ONLY`` of their own that ends in ``ROLLBACK`` (``COMMIT`` for ``SET``, which
would vanish otherwise): :mod:`~tusk_jupyter.queries.read_only` says what that holds back. What we send after a
statement is never cancelled by its cancel: it cleans up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from tusk_jupyter import errors
from tusk_jupyter.connections.wire import Command, Reply
from tusk_jupyter.errors import TuskError
from tusk_jupyter.queries import classify, formats, transactions, values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg.pq.abc import PGresult

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.connections.wire import Token
    from tusk_jupyter.queries.binding import Bound
    from tusk_jupyter.queries.notices import NoticeLog
    from tusk_jupyter.queries.partition import Parallel
    from tusk_jupyter.queries.rows import RowSink
    from tusk_jupyter.queries.split import Statement
    from tusk_jupyter.results.destination import Destination
    from tusk_jupyter.results.options import FrameOptions

SAVEPOINT = "tusk_statement"
# the snapshot makes SET TRANSACTION READ WRITE fail with 25001
READ_ONLY = (b"begin read only", b"select 1")


@dataclass(frozen=True, slots=True)
class Options:
    """How a statement runs and what its rows become."""

    frame: FrameOptions
    format: str = "pandas"
    limit: int | None = None
    destination: Destination | None = None
    parallel: Parallel | None = None
    read_only: bool = False
    savepoint: bool = False
    memory_limit_mb: int = 0


@dataclass(slots=True)
class Delivery:
    """A statement under way: what is sent, and what has come of it (``reply``, ``notes``)."""

    ends_when_stopped: ClassVar[bool] = False  # to stop it is how it ends, and no request that came too late

    session: Session
    token: Token
    statement: Statement
    bound: Bound
    options: Options
    sink: RowSink
    notices: NoticeLog
    reply: Reply = field(default_factory=lambda: Reply(None, None, None))
    prefix_length: int = 0
    notes: list[str] = field(default_factory=list)
    undone: bool = False  # it failed and was rolled back to a savepoint of its own
    _alone: bool = False  # no transaction of the user's is open
    _refused: TuskError | None = None  # why the sink takes no more rows
    _plain: Command | None = None  # as it was sent, outside of a transaction of the user's

    def run(self) -> None:
        """Run the statement to the server's last word on it.

        :raises InvalidInput, BindingError: for text or values that cannot be sent.
        :raises SessionLostError, CancelledBeforeSentError: see the session.
        """
        self._alone = self.session.transaction_status == "IDLE"
        if not (self.options.savepoint and self._takes_savepoint()):
            self._deliver(self._command())
            return
        command = self._command()
        self.reply = self._internal(f"savepoint {SAVEPOINT}")
        if self.reply.error is not None:  # unprotected, a failure of the statement would be one of the transaction
            return
        failed = True
        try:
            self._deliver(command)
            failed = self.reply.error is not None
        finally:
            if self.session.lost is None:
                self._end_savepoint(failed=failed)

    @property
    def planned(self) -> Command | None:
        """What was sent, if another connection may be asked about its plan (from another thread)."""
        return self._plain if self.session.encoding == "utf-8" else None

    def _readable_elsewhere(self, command: Command) -> Command | None:
        """Return a command if its text says the same on a connection that has no settings of the session's."""
        return command if self.session.parameter("standard_conforming_strings") == "on" else None

    def _deliver(self, command: Command) -> None:
        self._plain = self._readable_elsewhere(command) if self._alone else None
        if self.options.read_only:
            self._run_read_only(command)
        else:
            self._run_as_asked(command)

    def _run_as_asked(self, command: Command) -> None:
        if self.sink.describes and not self._described(command):
            return
        if self.options.limit is not None and classify.reads_only_shape(self.statement):
            self._run_cursor(command, self.options.limit)
        else:
            self._send(command)

    def _described(self, command: Command) -> bool:
        """Ask what columns will come and tell the sink; return whether the statement can be run."""
        self.reply, columns = self.session.describe(self.token, command)
        if columns is not None:
            self.sink.begin(columns, self.statement)
        return self.reply.error is None

    @property
    def backend_pids(self) -> tuple[int, ...]:
        """The backends that work on it, as far as they are known (from another thread)."""
        return (self.session.backend_pid,) if self.session.backend_pid is not None else ()

    def cancel(self) -> None:
        """Ask the server to cancel it (from another thread)."""
        self.session.cancel(self.token)

    def give_up(self, after_s: float) -> TuskError | None:  # noqa: ARG002 - what runs elsewhere says it
        """Leave what runs elsewhere than on the session (from another thread); ``None``: it is the session's."""
        return None

    def explained(self, error: TuskError) -> TuskError:
        """Return the server's error with what is known here of its cause."""
        return error

    def _command(self) -> Command:
        bound = self.bound
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

    def _send(
        self, command: Command, *, rows: bool = True, most: int | None = None, before: Sequence[bytes] = ()
    ) -> bool:
        """Send a command of the user's, keep its reply, and return whether it succeeded.

        :param most: the most rows that it can give.
        :param before: what has to succeed before it, and goes with it.
        """
        binary = rows and not self.sink.needs_text
        choose = formats.chooser(self.session, self.statement, most=most) if binary else None
        on_rows = self._take if rows else None
        self.reply = self.session.run(
            self.token, command, on_rows=on_rows, on_notice=self.notices.add, choose=choose, before=before
        )
        if self._refused is not None:
            # rows of a statement that changes data come when it is through
            raise self._refused if self.reply.error is not None else self.sink.after_run(self._refused)
        if self.reply.error is None and rows:
            if most is None and self.sink.columns:
                formats.remember(self.session, self.statement, self.sink.received)
            self.sink.learn_types()
        return self.reply.error is None

    def _take(self, chunk: PGresult) -> None:
        if self._refused is not None:
            return
        try:
            self.sink.take(chunk)
        except BaseException as error:
            # the rest of the rows would be read for nothing. Not in the user's own transaction, which a cancel fails
            if self.sink.describes and self._alone and classify.reads_only_shape(self.statement):
                self.session.cancel(self.token)
            if not isinstance(error, TuskError):
                raise
            self._refused = error

    def _internal(self, text: str) -> Reply:
        """Send a command of ours."""
        return self.session.run(None, Command(text.encode()))

    def _run_cursor(self, command: Command, limit: int) -> None:
        name = f"tusk_{id(self):x}"
        own = self.session.transaction_status == "IDLE"
        if own:
            self._internal("begin")
        declare = f"declare {name} no scroll cursor for ".encode()
        self.prefix_length = len(declare)
        done = False
        try:
            if self._send(Command(declare + command.text, command.values, command.oids, command.formats), rows=False):
                self.prefix_length = 0
                done = self._send(Command(f"fetch forward {limit + 1} from {name}".encode()), most=limit + 1)
        finally:
            if self.session.lost is None:
                self._end_cursor(name, own=own, done=done)

    def _end_cursor(self, name: str, *, own: bool, done: bool) -> None:
        if own:
            ended = self._internal("commit" if done else "rollback")
        elif self.session.transaction_status == "INTRANS":
            ended = self._internal(f"close {name}")
        else:
            return
        if done:
            # a deferred trigger of a function that the query called may fail only now
            failed = ended.error is not None
            self.reply = ended if failed else Reply(f"SELECT {self.sink.kept}", None, None)

    def _run_read_only(self, command: Command) -> None:
        if not self._alone:
            # whoever opened it: from here on nothing in it can make it write again
            if self._guards(b"set transaction read only"):
                self._run_as_asked(command)
                self._say_what_ends()
            return
        # of SET no snapshot is asked: it may have to wait for one (SERIALIZABLE DEFERRABLE), which only a SET ends
        before = READ_ONLY[:1] if classify.is_setting(self.statement) else READ_ONLY
        try:
            if self._goes_at_once():
                self._send(command, before=before)
            elif self._guards(*before):
                self._run_as_asked(command)
        finally:
            if self.session.lost is None:
                self._end_read_only()

    def _goes_at_once(self) -> bool:
        """Whether it is one command, which can be sent together with what protects: COPY has no pipelines."""
        cursor = self.options.limit is not None and classify.reads_only_shape(self.statement)
        return not self.sink.describes and not cursor and self.statement.words[:1] != ("COPY",)

    def _guards(self, *texts: bytes) -> bool:
        """Send what protects, which a cancel may hit; return whether it does, for else nothing must follow."""
        *before, last = texts
        self.reply = self.session.run(self.token, Command(last), before=before, counts=False)
        return self.reply.error is None

    def _end_read_only(self) -> None:
        if self.session.transaction_status == "IDLE":
            if self.reply.error is None:
                self.notes.append("the statement ended the read-only transaction by itself")
            return
        self._internal("commit" if classify.is_setting(self.statement) else "rollback")
        if self.session.lost is None and self.session.transaction_status != "IDLE":
            # the next statement would run in what this one left, and a ROLLBACK of the user's is refused
            self.session.abandon("the read-only transaction of a statement could not be ended")

    def _say_what_ends(self) -> None:
        if self.reply.error is None and classify.is_setting(self.statement):
            self.notes.append("the setting ends with the block, whose read-only transaction is rolled back")

    def _takes_savepoint(self) -> bool:
        if self.session.transaction_status != "INTRANS":
            return False
        control = classify.transaction_control(self.statement)
        # one that goes back behind the savepoint takes it along
        return control is None or transactions.goes_to_missing_savepoint(self.session, self.statement)

    def _end_savepoint(self, *, failed: bool) -> None:
        if failed and self._internal(f"rollback to savepoint {SAVEPOINT}").error is not None:
            return
        self.undone = self._internal(f"release savepoint {SAVEPOINT}").error is None and failed
