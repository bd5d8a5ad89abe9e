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
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from tusk_jupyter import translate
from tusk_jupyter.paths import ensure_dir
from tusk_jupyter.storage.migrations import migrate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

T = TypeVar("T")
log = logging.getLogger("tusk_jupyter.storage")
CLOSE_TIMEOUT_S = 3.0
BUSY_S = 5.0
BATCH_S = 0.05
BATCH_JOBS = 200


def _use_wal(conn: sqlite3.Connection) -> None:
    """Switch to WAL; tried again by ourselves, because SQLite's own busy time-out does not cover this statement."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            conn.execute("pragma journal_mode = wal")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return


class _Job:
    """A function for the writer thread, and where its outcome goes."""

    __slots__ = ("future", "run", "soon")

    def __init__(self, run: Callable[[sqlite3.Connection], Any], future: Future[Any], *, soon: bool) -> None:
        self.run = run
        self.future = future
        self.soon = soon


class Database:
    """Opens the file, brings it up to date, and runs functions on its writer thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        ensure_dir(path.parent)
        conn = self._open()
        self._thread = threading.Thread(target=self._work, args=(conn,), name="tusk-storage", daemon=True)
        self._thread.start()

    def write(self, job: Callable[[sqlite3.Connection], T], *, soon: bool = True) -> Future[T]:
        """Run ``job(connection)`` in a transaction on the writer thread; return its future.

        :param soon: ``False`` lets it wait up to 50 ms for others, with which it shares a transaction: a loop of
            statements that each write a row of history would otherwise fight the writer for the interpreter.
        """
        future: Future[T] = Future()
        self._jobs.put(_Job(job, future, soon=soon))
        return future

    def close(self) -> None:
        """Write what is queued and close the file; closing twice is fine."""
        self._jobs.put(None)
        self._thread.join(timeout=CLOSE_TIMEOUT_S)

    def _open(self) -> sqlite3.Connection:
        try:
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))
            conn = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
            _use_wal(conn)
            conn.execute("pragma synchronous = normal")
            migrate(conn)
        except (sqlite3.Error, OSError) as error:
            problem = translate.translate(error, doing="opening tusk.db", path=str(self.path))
        else:
            return conn
        raise problem

    def _work(self, conn: sqlite3.Connection) -> None:
        last = False
        while not last and (job := self._jobs.get()) is not None:
            batch, last = self._batch(job)
            self._run(conn, batch)
        conn.close()

    def _batch(self, job: _Job) -> tuple[list[_Job], bool]:
        """Return the job with those that come within its time, and whether the end came with them."""
        batch, until = [job], time.monotonic() + (0.0 if job.soon else BATCH_S)
        while len(batch) < BATCH_JOBS:
            try:
                following = self._jobs.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if following is None:
                return batch, True
            batch.append(following)
            if following.soon:
                break
        return batch, False

    def _run(self, conn: sqlite3.Connection, batch: list[_Job]) -> None:
        try:
            conn.execute("begin immediate")
            results = [job.run(conn) for job in batch]
            conn.execute("commit")
        except BaseException as error:  # noqa: BLE001 - a future carries whatever happened
            if conn.in_transaction:
                conn.execute("rollback")
            if len(batch) > 1:  # one at a time, so that each has its own outcome
                for job in batch:
                    self._run(conn, [job])
                return
            log.warning("writing to %s failed: %s", self.path, error)
            problem = translate.translate(error, doing="writing tusk.db", path=str(self.path))
            batch[0].future.set_exception(problem)
        else:
            for job, result in zip(batch, results, strict=True):
                job.future.set_result(result)
