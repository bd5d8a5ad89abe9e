"""A query in the background, as whoever submitted it holds it: its state, its progress, its result, a way to stop it.

What runs it is :mod:`~tusk_jupyter.background`'s. The handle is all there is: the kernel holds a job while it is in
flight, and afterwards nobody but the user, so that its rows go when he lets go of it. (A registry of finished jobs was
refused: it would keep every frame of a loop for good, or lose one that somebody still wants.)

An interrupt of ``job.result()`` ends the waiting and not the job, as Ctrl-C on ``tail -f`` ends no server: who wants
it stopped says ``job.cancel()``. A cancelled ``await`` does stop it: the task *was* the query, and nobody else waits
(``asyncio.shield`` keeps it). An idle ``await`` cannot be interrupted (ipykernel looks at signals between two steps of
its loop), so it looks up twenty times a second.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from concurrent.futures import Future
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from tusk_jupyter import interrupts
from tusk_jupyter.connections import forking
from tusk_jupyter.errors import ConnectionLost, QueryCancelled, QueryInterrupted, QueryTimeout, TuskError
from tusk_jupyter.masking import masked
from tusk_jupyter.queries.endings import final_state
from tusk_jupyter.queries.progress import Progress, Seen, Wait
from tusk_jupyter.queries.registry import Active, in_words

if TYPE_CHECKING:
    from collections.abc import Generator

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.results.result import Result

CLOSE_S: Final = 2.0
STOPPED: Final = (
    "It was stopped on request, and its connection is not used again; the cells' session is another one. "
    "Submit again what has not run."
)
_FREE_CONNECTION: Final = "a free connection"


class StillRunningError(QueryTimeout, TimeoutError):
    """``job.result(timeout=…)`` waited as long as it was to; the job goes on."""

    default_advice = "The job goes on: wait again with job.result(), or stop it with job.cancel()."


class StoppedError(Exception):
    """A job was cancelled before its next statement was sent."""


class Job:
    """A script that runs on a connection of its own, in the background.

    ``state`` is ``waiting`` (for a connection), ``running``, then for good ``completed``, ``cancelled``, ``timeout``
    or ``failed``. ``await job`` gives the frame, and stops the job when it is cancelled.

    :ivar id: a UUID; its beginning is what ``%tusk queries`` shows and ``%tusk cancel`` takes.
    :ivar sql: what was submitted, with passwords masked.
    :ivar connection: the name of the connection it was submitted to.
    :ivar submitted_at: when; ``started_at`` is when it got a connection, ``None`` before.
    """

    def __init__(self, script: str, connection: str) -> None:
        self.id = str(uuid.uuid4())
        self.sql = masked(script.strip())
        self.connection = connection
        self.submitted_at = datetime.now(UTC)
        self.started_at: datetime | None = None
        self._lock = threading.Lock()
        self._begin = time.monotonic()
        self._state = "waiting"
        self._stopped = False
        self._session: Session | None = None
        self._execution: Execution | None = None
        self._last = Progress("waiting", 0.0)
        self._results: tuple[Result, ...] = ()
        self._error: TuskError | None = None
        self._ended: Future[None] = Future()
        forking.watch(self)

    def __repr__(self) -> str:
        now = self.progress
        return f"<Job {self.id[:8]} on {self.connection!r}: {now.state}, {now.elapsed_s:.1f} s, {now.rows} rows>"

    # -- what it is now -------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``waiting``, ``running``, ``completed``, ``cancelled``, ``timeout`` or ``failed``."""
        return self._state

    @property
    def progress(self) -> Progress:
        """How far it has come: seconds since it got its connection, rows and bytes of the statement it is at."""
        with self._lock:
            state, execution, elapsed_s = self._state, self._execution, time.monotonic() - self._begin
            if self._ended.done():
                return self._last
        if state == "waiting":
            return Progress(state, elapsed_s, seen=Seen(wait=Wait(_FREE_CONNECTION, elapsed_s)))
        now = execution.progress if execution is not None else self._last
        return replace(now, state=state, elapsed_s=elapsed_s)

    @property
    def pid(self) -> int | None:
        """The process id of its backend while it runs, where it is known."""
        session = self._session
        return session.backend_pid if session is not None else None

    @property
    def execution(self) -> Execution | None:
        """The statement it is at."""
        return self._execution

    @property
    def error(self) -> TuskError | None:
        """Why it did not complete; ``None`` while it has not ended, and when it has completed."""
        return self._error

    def done(self) -> bool:
        """Whether it has ended."""
        return self._ended.done()

    def active(self) -> Active:
        """Return its row in ``%tusk queries``."""
        now = self.progress
        waits_for = in_words(now.seen.wait)
        return Active(self.id, self.connection, self.pid, self.sql, now.elapsed_s, now.rows, now.state, waits_for)

    # -- waiting and stopping -------------------------------------------------------------------------------------

    def cancel(self, reason: str = "cancel") -> bool:
        """Ask the server to stop it, or leave the queue; return at once, ``False`` when it has ended already."""
        with self._lock:
            if self._ended.done():
                return False
            self._stopped = True
            execution = self._execution
        if execution is not None:
            execution.cancel(reason)
        return True

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for its end, at most ``timeout`` seconds, and return whether it has ended.

        :raises KeyboardInterrupt: on an interrupt; it goes on.
        """
        if self._ended.done() or (timeout is not None and timeout <= 0):
            return self._ended.done()
        deadline = time.monotonic() + timeout if timeout is not None else None
        interrupted = False

        def stop(_count: int) -> bool:
            nonlocal interrupted
            interrupted = True
            return True

        done = interrupts.wait(
            self._ended,
            on_interrupt=stop,
            on_tick=lambda: deadline is not None and time.monotonic() >= deadline,
        )
        if interrupted:
            raise QueryInterrupted(
                QueryCancelled(
                    f"stopped waiting for job {self.id[:8]}, which goes on",
                    advice="`job.cancel()` stops it; so does `%tusk cancel`, with its id.",
                )
            )
        return done

    def result(self, timeout: float | None = None) -> Result:
        """Wait for the end and return the last result that has rows, else the last one.

        :param timeout: seconds.
        :raises TuskError: why it did not complete.
        :raises StillRunningError: (a ``TimeoutError``) when it has not ended in time; it goes on.
        :raises KeyboardInterrupt: on an interrupt; it goes on.
        """
        self._wait(timeout)
        if self._error is not None:
            raise self._error.with_traceback(None)
        with_rows = [result for result in self._results if result.frame is not None]
        return (with_rows or self._results)[-1]

    def results(self, timeout: float | None = None) -> tuple[Result, ...]:
        """Wait likewise and return the result of every statement that succeeded; raises nothing of theirs."""
        self._wait(timeout)
        return self._results

    def df(self, timeout: float | None = None) -> Any:
        """Wait likewise and return the frame (or what ``--format`` says), ``None`` where nothing returned rows."""
        return self.result(timeout).frame

    def exception(self, timeout: float | None = None) -> TuskError | None:
        """Wait likewise and return why it did not complete, ``None`` when it did."""
        self._wait(timeout)
        return self._error

    def __await__(self) -> Generator[Any, None, Any]:
        return self._frame().__await__()

    async def _frame(self) -> Any:
        ended = asyncio.wrap_future(self._ended)
        try:
            while not ended.done():
                await asyncio.wait([ended], timeout=interrupts.SLICE_S)
        except asyncio.CancelledError:
            self.cancel()
            raise
        return self.df()

    def _wait(self, timeout: float | None) -> None:
        if not self.wait(timeout):
            waited = timeout or 0.0
            raise StillRunningError(f"job {self.id[:8]} has not ended within {waited:g} s", duration_s=waited)

    # -- for what runs it -----------------------------------------------------------------------------------------

    def is_stopped(self) -> bool:
        """Whether it was cancelled, or is to end with its connection."""
        return self._stopped

    def begin(self, session: Session) -> None:
        """Go from waiting to running; :raises StoppedError: when it was cancelled meanwhile."""
        with self._lock:
            self._check_going_on()
            self._session, self._state = session, "running"
            self._begin, self.started_at = time.monotonic(), datetime.now(UTC)

    def enter(self, execution: Execution) -> None:
        """Come to a statement that is about to be sent; :raises StoppedError: when it was cancelled meanwhile."""
        with self._lock:
            self._check_going_on()
            self._execution = execution

    def _check_going_on(self) -> None:
        if self._stopped:
            raise StoppedError

    def take(self, result: Result) -> None:
        """Keep the result of a statement."""
        self._results = (*self._results, result)

    def leave(self) -> None:
        """Have no connection any more."""
        with self._lock:
            if self._execution is not None:
                self._last = self._execution.progress
            self._session = self._execution = None

    def finish(self, error: TuskError | None) -> None:
        """Set its end, for good; a second one changes nothing."""
        with self._lock:
            if self._ended.done():
                return
            if self._stopped and type(error) is ConnectionLost:  # of a lost COMMIT its end is what matters
                error = QueryCancelled(
                    "cancelled: its connection was closed", transaction=error.transaction, advice=STOPPED
                )
            self._error, self._state = error, final_state(error)
            self._last = replace(self._last, state=self._state, elapsed_s=time.monotonic() - self._begin, seen=Seen())
            self._ended.set_result(None)

    def close(self) -> None:
        """End it with its connection, within a few seconds, whatever the server does."""
        self.cancel_at_exit()
        if (session := self._session) is not None:
            session.close()
        deadline = time.monotonic() + CLOSE_S
        while not self._ended.done() and time.monotonic() < deadline:
            time.sleep(0.01)

    def cancel_at_exit(self) -> None:
        """Cancel it where no thread can be started any more."""
        try:
            self.cancel()
        except RuntimeError:  # the interpreter is shutting down: closing its session cancels what runs
            self._stopped = True

    def forget(self) -> list[Any]:
        """Be a job no more, in a forked child: it runs in the parent."""
        self._lock = threading.Lock()
        kept = [self._session, self._execution]
        if not self._ended.done():
            self._ended = Future()
            self._session = self._execution = None
            self.finish(ConnectionLost("this process was forked, and the job is its parent's", name=self.connection))
        return kept
