"""What a session listens to: kept in step with its LISTEN and UNLISTEN, so that a loss can name what was lost.

The server is asked after such a statement, and after the transaction that it stood in: until COMMIT a LISTEN has no
effect. A LISTEN within a function is not seen, until its first notification comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tusk_jupyter.connections.wire import SessionLostError

if TYPE_CHECKING:
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.split import Statement

_CHANGES: Final = frozenset({"LISTEN", "UNLISTEN", "DISCARD"})
POOLED: Final = (
    "it goes through a pooler that lends another server connection to each transaction, which is where a notification "
    "would arrive, and not here"
)


def follow(session: Session, statement: Statement | None) -> None:
    """Learn what the session listens to, where ``statement`` or the transaction that has ended may have changed it."""
    if statement is not None and statement.words[:1] and statement.words[0] in _CHANGES:
        session.asks_channels = True
    if not session.asks_channels or session.transaction_status != "IDLE" or session.backend_pid is None:
        return
    try:
        rows = session.rows("select pg_catalog.pg_listening_channels()")
    except SessionLostError:
        return
    session.channels = {row[0] for row in rows if row[0] is not None}
    session.asks_channels = False


def note(session: Session, statement: Statement) -> str | None:
    """Return what must be known of a LISTEN or NOTIFY that has run."""
    first = statement.words[0] if statement.words else ""
    if first == "LISTEN" and session.backend_pid is None:
        return f"LISTEN has no effect: {POOLED}"
    if session.transaction_status == "INTRANS" and first in {"LISTEN", "UNLISTEN", "NOTIFY"}:
        return f"{first} takes effect at COMMIT"
    return None
