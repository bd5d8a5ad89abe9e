"""What became of a COMMIT whose answer never came: asked of the server, by transaction id, on another connection.

Likewise of PREPARE TRANSACTION, COMMIT PREPARED and ROLLBACK PREPARED: a transaction that is prepared is one in
progress, which nobody rolls back.

It is asked on a connection of its own, not one of the pool's: the one that was lost has left room for it, and a pool
may be lent to the last connection, be closed by now, or have none besides the session. On a worker and within a time
limit, because whoever waits may interrupt: then the error is there all the same, without its answer.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tusk_jupyter import interrupts
from tusk_jupyter.queries import classify
from tusk_jupyter.queries.lost import PREPARED, STATE, CommitLostError

if TYPE_CHECKING:
    import psycopg

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.queries.split import Statement

PATIENCE_S = 2.0
LOOK_UP_S = 5.0
UNASSIGNED = ""
_OWN_ID = "select pg_catalog.txid_current_if_assigned()::text"
# pg_prepared_xacts has ids without their epoch: the one that is nearest to a snapshot's end, which is no more than the
# last that has ended, so that a transaction in progress may lie behind it
_PREPARED_ID = """
select (n + d - case when d > 2147483648 then 4294967296 when d < -2147483648 then -4294967296 else 0 end)::text
from (select n, transaction::text::bigint - n % 4294967296 as d from pg_catalog.pg_prepared_xacts,
  (select pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot()) as n) next where gid = {}) prepared
"""
_STATUS = """
select coalesce(pg_catalog.txid_status({xid}), 'unknown'), exists(select from pg_catalog.pg_prepared_xacts
  where transaction::text::bigint = {xid} % 4294967296)
"""
_COMMITTED = "the server says that the transaction is committed"
_ABORTED = "the server says that the transaction was rolled back"
_STILL = "the server says that the transaction is still prepared"
_UNDER_WAY = "the server says that the transaction is still in progress"
# control, status, prepared → whether it took effect
_SAID = {
    ("COMMIT", "committed", False): (True, _COMMITTED),
    ("COMMIT", "aborted", False): (False, _ABORTED),
    ("COMMIT", "in progress", False): (None, _UNDER_WAY),
    ("PREPARE TRANSACTION", "in progress", True): (True, "the server says that the transaction is prepared"),
    ("PREPARE TRANSACTION", "aborted", False): (False, _ABORTED),
    ("PREPARE TRANSACTION", "in progress", False): (None, _UNDER_WAY),
    ("COMMIT PREPARED", "committed", False): (True, _COMMITTED),
    ("COMMIT PREPARED", "in progress", True): (False, _STILL),
    ("ROLLBACK PREPARED", "aborted", False): (True, _ABORTED),
    ("ROLLBACK PREPARED", "in progress", True): (False, _STILL),
}
_EFFECT = {True: "took effect", False: "did not take effect", None: "has not taken effect yet"}


def transaction_id(session: Session, statement: Statement) -> str | None:
    """Return what a statement that ends a transaction can be looked up by, should its answer be lost.

    On the session's worker, before the statement; ``None`` for others, and where it could not be learned.
    ``UNASSIGNED`` is that of a transaction that has written nothing.

    :raises SessionLostError: when the session is gone.
    """
    control = classify.transaction_control(statement)
    if control in PREPARED and session.transaction_status == "IDLE":
        return session.scalar(_PREPARED_ID.format(classify.prepared_name(statement)))
    if control in {"COMMIT", "PREPARE TRANSACTION"} and session.transaction_status == "INTRANS":
        return own_id(session)
    return None


def own_id(session: Session) -> str | None:
    """Return the id of the open transaction, ``UNASSIGNED`` where it has none; ``None`` where that is not answered.

    On the session's worker. :raises SessionLostError: when the session is gone.
    """
    rows = session.rows(_OWN_ID)
    return (rows[0][0] or UNASSIGNED) if rows else None


def resolve(error: TuskError, connection: Connection) -> None:
    """Complete the error's sentence on the transaction, if it is about one whose end is not known."""
    if not isinstance(error, CommitLostError):
        return
    said = None
    if error.had_failed:
        said = f"The transaction had failed before: the {error.control} could only roll it back."
    elif error.xid:
        said = _looked_up(int(error.xid), error.control, connection)
    elif error.xid == UNASSIGNED and error.control == "COMMIT":
        said = "The transaction had written nothing, so nothing depends on the COMMIT."
    about = f" (transaction {error.xid})" if error.xid else ""
    unknown = f"The outcome of the {error.control} is unknown{about}. Check before you run it again."
    error.transaction = f"{said or unknown} Lost with the session: {STATE}."


def _looked_up(xid: int, control: str, connection: Connection) -> str | None:
    """Return what the server says of a transaction; ``None`` when it does not say it in time, or to an interrupt."""

    def look() -> str | None:
        with connection.aside() as conn:
            return _answer(control, *_status(conn, xid, control))

    try:
        return interrupts.call("commit", look, timeout=LOOK_UP_S)
    except (Exception, KeyboardInterrupt):  # noqa: BLE001 - the server may be away; then the outcome stays unknown
        return None


def _answer(control: str, status: str | None, is_prepared: bool) -> str | None:
    found = _SAID.get((control, status or "unknown", is_prepared))
    return f"The {control} {_EFFECT[found[0]]}: {found[1]}." if found is not None else None


def _status(conn: psycopg.Connection[Any], xid: int, control: str) -> tuple[str | None, bool]:
    from tusk_jupyter.connections import liveness

    # the server notices a cut connection a moment after us: until then its transaction is in progress
    until = time.monotonic() + PATIENCE_S
    while True:
        ((status, prepared),) = liveness.ask(conn, LOOK_UP_S, _STATUS.format(xid=xid).encode())
        is_prepared = prepared == "t"
        is_final = status != "in progress" or (control == "PREPARE TRANSACTION" and is_prepared)
        if is_final or time.monotonic() >= until:
            return status, is_prepared
        time.sleep(0.05)
