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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session

SAVEPOINT = "tusk_block"


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    """BEGIN … COMMIT around the block, ROLLBACK on any exception; inside an open transaction, a savepoint instead.

    On a read-only connection BEGIN READ ONLY … ROLLBACK.

    Until the block ends the connection opens no new session: statements after a loss would be saved one by one.

    :raises QueryFailed: when the block ended well but its transaction had failed, so that nothing could be committed.
    :raises ConnectionLost: when the session went away within the block.
    """
    with connection.pinned() as session:
        if connection.target.settings.read_only and session.transaction_status == "IDLE":
            yield from _read_only_block(session)
        else:
            yield from _block(session)


def _read_only_block(session: Session) -> Iterator[None]:
    _run(session, "begin read only")
    try:
        # the snapshot: one for the whole block, and none can make it write from now on
        _run(session, "select 1")
        yield
    finally:
        if session.lost is None and session.transaction_status in {"INTRANS", "INERROR"}:
            _run(session, "rollback")
    if session.lost is not None:
        raise ConnectionLost(f"the session was lost within the transaction: {session.lost}")


def _block(session: Session) -> Iterator[None]:
    inner = session.transaction_status != "IDLE"
    _run(session, f"savepoint {SAVEPOINT}" if inner else "begin")
    try:
        yield
    except BaseException:
        if session.lost is None and session.transaction_status in {"INTRANS", "INERROR"}:
            _run(session, f"rollback to savepoint {SAVEPOINT}" if inner else "rollback")
        raise
    if session.lost is not None:
        raise ConnectionLost(f"the session was lost within the transaction: {session.lost}")
    if session.transaction_status == "INERROR":
        _run(session, f"rollback to savepoint {SAVEPOINT}" if inner else "rollback")
        raise QueryFailed(
            "nothing was saved: a statement within the transaction had failed",
            advice="Let the error leave the block, or use a savepoint around what may fail.",
        )
    _run(session, f"release savepoint {SAVEPOINT}" if inner else "commit")


def _run(session: Session, text: str) -> None:
    future = session.submit(lambda: session.run(None, Command(text.encode())))
    # an interrupt in the middle of BEGIN or COMMIT waits for its answer: it comes within a round trip
    interrupts.wait(future, on_interrupt=lambda count: count > 1, on_tick=lambda: False)
    try:
        reply = future.result(timeout=5.0)
    except SessionLostError as loss:
        reason = loss.reason
    except TimeoutError:
        reason = "no answer"
        session.abandon("given up by an interrupt")
    else:
        if reply.error is not None:
            raise translate.query_error(translate.diagnostic(reply.error, session.encoding))
        return
    raise ConnectionLost(f"the session was lost during {text.upper()}: {reason}")
