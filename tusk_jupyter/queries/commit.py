"""What became of a COMMIT whose answer never came: asked of the server, by transaction id, on another connection."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tusk_jupyter.queries.lost import STATE, CommitLostError

if TYPE_CHECKING:
    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.errors import TuskError

PATIENCE_S = 2.0
_SAID = {
    "committed": "The COMMIT took effect: the server says that the transaction is committed.",
    "aborted": "The COMMIT did not take effect: the server says that the transaction was rolled back.",
    "in progress": "The COMMIT has not taken effect yet: the server says that the transaction is still in progress.",
}


def resolve(error: TuskError, connection: Connection) -> None:
    """Complete the error's sentence on the transaction, if it is about a COMMIT."""
    if not isinstance(error, CommitLostError):
        return
    said = None
    if error.xid is None:
        said = "The transaction had written nothing, so nothing depends on the COMMIT."
    else:
        try:
            with connection.pool.borrow(timeout_s=5.0) as conn:
                said = _SAID.get(_status(conn, int(error.xid)))
        except Exception:  # noqa: BLE001 - the server may be away; then the outcome stays unknown, and that is said
            said = None
    unknown = f"The outcome of the COMMIT is unknown (transaction {error.xid}). Check before you run it again."
    error.transaction = f"{said or unknown} Lost with the session: {STATE}."


def _status(conn: Any, xid: int) -> str:
    # the server notices a cut connection a moment after us: until then its transaction is in progress
    until = time.monotonic() + PATIENCE_S
    while True:
        (status,) = conn.execute("select pg_catalog.txid_status(%s)", (xid,)).fetchone()
        if status != "in progress" or time.monotonic() >= until:
            return str(status)
        time.sleep(0.05)
