"""The one thread that writes ``tusk.db``: jobs in the order they came, those that can wait together.

No caller waits for the disk or needs a lock. A loop of statements that each write a row of history would fight the
writer for the interpreter, so those rows wait up to 50 ms for one another, and meanwhile none of them wakes it; not
when a batch is there already, and not at the end, which has three seconds for all that is queued. Where
there is no room on the disk, or another kernel builds an index for half a minute, they wait in memory, 10,000 of them,
until they can be written; whoever waits for an answer gets one. The file is opened here as well, because a repair may
take that long, too.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import StorageError
from tusk_jupyter.storage import failures

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from tusk_jupyter.storage.handle import Handle

log = logging.getLogger("tusk_jupyter.storage")
CLOSE_TIMEOUT_S = 3.0
BATCH_S = 0.05
BATCH_JOBS = 200
RETRY_S = 5.0
WAITING_JOBS = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A function for the writer, or a suspicion, and where its outcome goes."""

    run: Callable[[sqlite3.Connection], Any] | None
    future: Future[Any]
    soon: bool
    suspicion: str = ""
    code: int = 0


class Writer:
    """Owns the handle on the file and the thread that uses it."""

    def __init__(self, handle: Handle) -> None:
        self.opened: Future[None] = Future()
        self._handle = handle
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._hurry = threading.Event()
        self._waiting: deque[_Job] = deque()
        self._dropped = 0
        self._told = False
        self._closed = False
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._work,), name="tusk-storage", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many jobs wait for room on the disk."""
        return len(self._waiting)

    def write(self, run: Callable[[sqlite3.Connection], Any], *, soon: bool) -> Future[Any]:
        """Queue a function; see ``Database.write``."""
        return self._put(_Job(run, Future(), soon))

    def suspect(self, reason: str, code: int = 0) -> Future[Any]:
        """Queue a look at the whole file, with repair; no reason: only whether it is still the same one."""
        return self._put(_Job(None, Future(), soon=True, suspicion=reason, code=code))

    def close(self) -> None:
        """Write what is queued and close the file; closing twice is fine."""
        self._closed = True
        self._jobs.put(None)
        self._hurry.set()
        self._thread.join(timeout=CLOSE_TIMEOUT_S)

    def _put(self, job: _Job) -> Future[Any]:
        if self._closed:
            job.future.set_exception(StorageError("tusk.db is closed"))
        else:
            self._jobs.put(job)
            if job.soon:
                self._hurry.set()
        return job.future

    def _open(self) -> bool:
        try:
            self._handle.open()
        except BaseException as error:  # noqa: BLE001 - the constructor raises it
            self.opened.set_exception(error)
            return False
        self.opened.set_result(None)
        return True

    def _work(self) -> None:
        last = not self._open()
        while not last:
            self._handle.index()
            try:
                job = self._jobs.get(timeout=RETRY_S if self._waiting else None)
            except queue.Empty:
                self._write_waiting()
                continue
            if job is None:
                break
            batch, last = self._batch(job)
            self._run(batch)
        self._end()

    def _batch(self, job: _Job) -> tuple[list[_Job], bool]:
        """Return the job with those that come within its time, and whether the end came with them."""
        if not job.soon and not self._closed and self._jobs.qsize() < BATCH_JOBS:
            self._hurry.wait(BATCH_S)
        self._hurry.clear()
        batch = [job]
        while len(batch) < BATCH_JOBS and batch[-1].run is not None:
            try:
                following = self._jobs.get_nowait()
            except queue.Empty:
                break
            if following is None:
                return batch, True
            batch.append(following)
        return batch, False

    def _run(self, batch: list[_Job]) -> None:
        *jobs, last = batch
        if last.run is not None:
            jobs.append(last)
        if self._waiting and not any(job.soon for job in jobs):
            for job in jobs:
                self._wait(job, None)
        elif jobs:
            self._write(jobs)
        if last.run is None:
            self._look(last)

    def _write(self, jobs: list[_Job]) -> None:
        """Write jobs in one transaction, one at a time where that fails."""
        try:
            results = self._handle.transaction([job.run for job in jobs if job.run is not None])
        except BaseException as error:  # noqa: BLE001 - a future carries whatever happened
            failure = error
        else:
            for job, result in zip(jobs, results, strict=True):
                job.future.set_result(result)
            return
        if len(jobs) > 1 and not failures.is_passing(failure):  # each has its own outcome
            for job in jobs:
                self._write([job])
            return
        for job in jobs:
            self._failed(job, failure)

    def _failed(self, job: _Job, error: BaseException) -> None:
        if failures.is_passing(error) and not job.soon:
            self._wait(job, error)
            return
        log.warning("writing to %s failed: %s", self._handle.path, error)
        job.future.set_exception(failures.problem(error, doing="writing tusk.db", path=self._handle.path))

    def _wait(self, job: _Job, error: BaseException | None) -> None:
        if not self._waiting:
            log.warning("history waits in memory: %s", error)
        if error is not None and failures.is_no_room(error) and not self._told:
            self._told = True
            self._handle.notices.append(
                f"there is no room on the disk for {self._handle.path}: "
                "history waits in memory and is written when there is"
            )
        if len(self._waiting) >= WAITING_JOBS:
            self._dropped += 1
            oldest = self._waiting.popleft()
            oldest.future.set_exception(StorageError("tusk.db cannot be written, and too much waits already"))
        self._waiting.append(job)

    def _write_waiting(self) -> None:
        waiting, self._waiting = self._waiting, deque()
        while waiting:
            chunk = [waiting.popleft() for _ in range(min(BATCH_JOBS, len(waiting)))]
            try:
                results = self._handle.transaction([job.run for job in chunk if job.run is not None])
            except BaseException as error:  # noqa: BLE001 - what does not pass goes to each job's future
                if failures.is_passing(error):
                    self._waiting = deque(chunk) + waiting
                    return
                for job in chunk:
                    self._write([job])
            else:
                for job, result in zip(chunk, results, strict=True):
                    job.future.set_result(result)
        if not self._waiting:
            log.info("what waited is written to %s", self._handle.path)
            self._told = False
            if self._dropped:
                self._handle.notices.append(f"{self._dropped:,} rows of history could not be written and are lost")
                self._dropped = 0

    def _look(self, job: _Job) -> None:
        try:
            if job.suspicion:
                self._handle.suspect(job.suspicion, job.code)
            else:
                self._handle.refresh()
        except BaseException as error:  # noqa: BLE001 - a future carries whatever happened
            job.future.set_exception(failures.problem(error, doing="checking tusk.db", path=self._handle.path))
        else:
            job.future.set_result(None)

    def _end(self) -> None:
        if self._waiting:
            self._write_waiting()
        if self._waiting:
            log.warning("%s rows of history could not be written and are lost", len(self._waiting))
        for job in self._waiting:
            job.future.set_exception(StorageError("tusk.db could not be written"))
        self._handle.close()
