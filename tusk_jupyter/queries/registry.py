"""What is in flight in this kernel, by query id: statements of cells, and background jobs.

A job is one row from its submission to its end, whatever statement it is at, and under its own id; the statements that
it runs can be cancelled by theirs as well, as an event names them, and are in no row of their own.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.progress import Wait


_IN_FLIGHT = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class Active:
    """One query in flight; ``sql`` with passwords masked, as in the history."""

    id: str
    connection: str
    pid: int | None
    sql: str
    age_s: float
    rows: int
    state: str
    waits_for: str | None = None


class Background(Protocol):
    """A job: what it is now, and a way to stop it."""

    id: str

    def active(self) -> Active: ...

    def cancel(self) -> bool: ...


class Queries:
    """Executions from their start to their end, and jobs from their submission to theirs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executions: dict[str, Execution] = {}
        self._jobs: dict[str, Background] = {}
        self._of_jobs: set[str] = set()

    def register(self, execution: Execution, *, of_job: bool = False) -> None:
        """Note a query that starts; that of a job is shown as the job."""
        with self._lock:
            self._executions[execution.id] = execution
            if of_job:
                self._of_jobs.add(execution.id)

    def unregister(self, query_id: str) -> None:
        """Forget a query that has ended."""
        with self._lock:
            self._executions.pop(query_id, None)
            self._of_jobs.discard(query_id)

    def hold(self, job: Background) -> None:
        """Note a job that was submitted: until it has ended nobody else needs to hold it."""
        with self._lock:
            self._jobs[job.id] = job

    def let_go(self, job: Background) -> None:
        """Forget a job that has ended."""
        with self._lock:
            self._jobs.pop(job.id, None)

    def get(self, query_id: str) -> Execution | None:
        """Return the execution, while it is in flight."""
        with self._lock:
            return self._executions.get(query_id)

    def executions(self) -> list[Execution]:
        """Return the executions under way, those of jobs too."""
        with self._lock:
            return list(self._executions.values())

    def active(self) -> list[Active]:
        """Return what is in flight, the cells' first, each oldest first."""
        with self._lock:
            executions = [e for e in self._executions.values() if e.id not in self._of_jobs]
            jobs = list(self._jobs.values())
        found = [*map(_active, executions), *(job.active() for job in jobs)]
        return [each for each in found if each.state in _IN_FLIGHT]  # some have ended meanwhile

    def cancel(self, query_id: str) -> bool:
        """Ask the server to stop a query; ``False`` when there is none of that id (a unique beginning will do)."""
        with self._lock:
            there: dict[str, Execution | Background] = {**self._executions, **self._jobs}
        found = [each for key, each in there.items() if query_id and key.startswith(query_id)]
        return len(found) == 1 and found[0].cancel()

    def cancel_all(self) -> int:
        """Ask for all of them; return how many were in flight."""
        with self._lock:
            executions = [e for e in self._executions.values() if e.id not in self._of_jobs]
            jobs = list(self._jobs.values())
        return sum(execution.cancel() for execution in executions) + sum(job.cancel() for job in jobs)


def _active(execution: Execution) -> Active:
    from tusk_jupyter.masking import masked  # 4 ms, with the lexer; a load has no queries

    return Active(
        execution.id,
        execution.session.name,
        execution.session.backend_pid,
        masked(execution.statement.text),
        execution.elapsed_ms / 1000,
        execution.rows,
        execution.state,
        in_words(execution.seen.wait),
    )


def in_words(wait: Wait | None) -> str | None:
    """Return what is waited for, and who holds it: by its connection's name where it is this kernel's own."""
    if wait is None or not wait.holders:
        return wait.what if wait is not None else None
    first = wait.holders[0]
    return f"{wait.what}, held by {first.connection or f'pid {first.pid}'}"
