"""``with tusk.transaction(): …``: a block of Python whose cells and calls are one transaction.

On a read-only connection it is one read-only transaction with one snapshot, and it ends in ROLLBACK:
what PostgreSQL lets a read-only transaction leave behind (large objects before 16, NOTIFY) is undone with it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tusk_jupyter import interrupts, translate
from tusk_jupyter.connections.wire import Command, SessionLostError
from tusk_jupyter.errors import ConnectionLost, QueryFailed
from tusk_jupyter.queries import commit
from tusk_jupyter.queries.lost import STATE, CommitLostError, tell_time_out
from tusk_jupyter.queries.struck import UNREAD

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.connections.wire import Reply

SAVEPOINT = "tusk_block"
ANSWER_S = 5.0
OPEN = {"INTRANS", "INERROR"}


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """BEGIN … COMMIT around the block, ROLLBACK on any exception; inside an open transaction, a savepoint instead.

    On a read-only connection BEGIN READ ONLY … ROLLBACK.

    Until the block ends the connection opens no new session: statements after a loss would be saved one by one.

    :raises QueryFailed: when the block ended well but its transaction had failed, so that nothing could be committed.
    :raises ConnectionLost: when the session went away within the block; of a COMMIT it says what became of it.
    """
    try:
        with connection.pinned() as session:
            if connection.target.settings.read_only and _status(session) not in OPEN:
                yield from _read_only_block(session)
            else:
                yield from _block(session)
    except CommitLostError as error:
        commit.resolve(error, connection)
        raise


def _read_only_block(session: Session) -> Iterator[None]:
    _run(session, "begin read only")
    try:
        # the snapshot: one for the whole block, and none can make it write from now on
        _run(session, "select 1")
        yield
    finally:
        if session.lost is None and _status(session) in OPEN:
            _run(session, "rollback")
    if session.lost is not None:
        raise _lost_within(session)


def _block(session: Session) -> Iterator[None]:
    inner = _status(session) in OPEN
    outside = len(session.savepoints)
    _run(session, f"savepoint {SAVEPOINT}" if inner else "begin")
    try:
        yield
    except BaseException:
        if session.lost is None and _status(session) in OPEN:
            _undo(session, outside if inner else None)
        raise
    if session.lost is not None:
        raise _lost_within(session)
    if _status(session) == "INERROR":
        _undo(session, outside if inner else None)
        raise _nothing_saved()
    if inner:
        _release(session, outside)
    else:
        _commit(session)


def _undo(session: Session, outside: int | None) -> None:
    """Roll back to where the block began; ``outside`` is how many savepoints an outer transaction had."""
    if outside is None:
        _run(session, "rollback")
        return
    _run(session, f"rollback to savepoint {SAVEPOINT}")
    _release(session, outside)


def _release(session: Session, outside: int) -> None:
    _run(session, f"release savepoint {SAVEPOINT}")
    # those that were set within the block went with it
    del session.savepoints[outside:]


def _status(session: Session) -> str:
    """Return the status between two statements: ACTIVE, while something still runs on the session, is none."""
    future = session.submit(lambda: session.transaction_status)
    if not interrupts.wait(future, on_interrupt=lambda count: count > 1, on_tick=lambda: session.lost is not None):
        return session.transaction_status
    return future.result()


def _commit(session: Session) -> None:
    if _run(session, "commit") == "ROLLBACK":
        raise _nothing_saved()


def _transaction_id(session: Session) -> str | None:
    """Return what a COMMIT can be looked up by, should its answer be lost; on the worker."""
    try:
        return commit.own_id(session)
    except SessionLostError as loss:
        raise SessionLostError(loss.reason, sent=False) from None


def _lost_within(session: Session) -> ConnectionLost:
    session.loss_told = True
    error = ConnectionLost(f"the session was lost within the transaction: {session.lost}", name=session.name)
    tell_time_out(error, session)
    return error


def _nothing_saved() -> QueryFailed:
    return QueryFailed(
        "nothing was saved: a statement within the transaction had failed",
        advice="Let the error leave the block, or use a savepoint around what may fail.",
    )


def _run(session: Session, text: str) -> str | None:
    """Run one of our own and return its tag."""
    xid: str | None = None
    sent = False

    def job() -> Reply:
        nonlocal xid, sent
        if text == "commit":
            xid = _transaction_id(session)
        sent = True
        return session.run(None, Command(text.encode()))

    future = session.submit(job)
    # an interrupt in the middle of BEGIN or COMMIT waits for its answer: it comes within a round trip
    interrupts.wait(future, on_interrupt=lambda count: count > 1, on_tick=lambda: False)
    try:
        reply = future.result(timeout=ANSWER_S)
    except SessionLostError as loss:
        # a session that was ended while it waited for a command has not read this one
        unread = session.last_words is not None and session.last_words.sqlstate in UNREAD
        reason, sent = loss.reason, loss.sent and not unread
    except TimeoutError:
        reason = "no answer"
        session.abandon("given up by an interrupt")
    else:
        if reply.error is not None:
            raise translate.query_error(translate.diagnostic(reply.error, session.encoding))
        return reply.command_tag
    raise _lost(session, text, reason, commits=text == "commit" and sent, xid=xid)


def _lost(session: Session, text: str, reason: str, *, commits: bool, xid: str | None) -> ConnectionLost:
    session.loss_told = True
    message = f"the session was lost during {text.upper()}: {reason}"
    if commits:
        error = CommitLostError(message, name=session.name)
        error.xid = xid
        return error
    went = ConnectionLost(message, name=session.name)
    tell_time_out(went, session)
    opened = "" if text == "begin" else "the open transaction, which the server rolls back, and "
    went.transaction = f"Lost with it: {opened}{STATE}."
    return went
