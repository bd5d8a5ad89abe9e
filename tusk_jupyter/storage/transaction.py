"""``BEGIN IMMEDIATE … COMMIT`` around a block: a read that becomes a write loses at once, whatever the time-out."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator


@contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block did, or take all of it back when it fails."""
    conn.execute("begin immediate")
    try:
        yield
        conn.execute("commit")
    except BaseException:
        if conn.in_transaction:  # a full disk has ended it already
            conn.execute("rollback")
        raise
