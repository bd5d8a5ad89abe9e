"""Reading ``tusk.db`` beside its writer: a connection of its own, in the thread that asks.

WAL lets a reader see the last commit without waiting for the next one; on the writer's thread a search would wait
for every row of history that is queued before it, and they for it.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

from tusk_jupyter.storage import filesystem
from tusk_jupyter.storage.integrity import connect_readonly

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tusk_jupyter.storage.opening import Identity

T = TypeVar("T")


class Reader:
    """One read-only connection, opened when it is first needed, and anew when the file was replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._conn: sqlite3.Connection | None = None
        self._identity: Identity | None = None

    def run(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``job(connection)`` on one state of the database; :raises FileNotFoundError: when there is no file."""
        with self._lock:
            conn = self._current()
            conn.execute("begin")
            try:
                return job(conn)
            finally:
                if conn.in_transaction:
                    conn.execute("rollback")

    def close(self) -> None:
        """Close the connection; the next job opens it again."""
        with self._lock:
            self._close()

    def _current(self) -> sqlite3.Connection:
        identity = filesystem.identity(self._path)
        if identity is None:
            raise FileNotFoundError(2, "there is no such file", str(self._path))
        if self._conn is None or identity != self._identity:
            self._close()
            with filesystem.locked(self._path, shared=True):
                self._conn, self._identity = connect_readonly(self._path), filesystem.identity(self._path)
        return self._conn

    def _close(self) -> None:
        if self._conn is not None:
            with suppress(sqlite3.Error):
                self._conn.close()
            self._conn = None
