"""What is in flight in this kernel, by query id."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tusk_jupyter.queries.execution import Execution


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


class Queries:
    """Executions from their start to their end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._executions: dict[str, Execution] = {}

    def register(self, execution: Execution) -> None:
        """Note a query that starts."""
        with self._lock:
            self._executions[execution.id] = execution

    def unregister(self, query_id: str) -> None:
        """Forget a query that has ended."""
        with self._lock:
            self._executions.pop(query_id, None)

    def get(self, query_id: str) -> Execution | None:
        """Return the execution, while it is in flight."""
        with self._lock:
            return self._executions.get(query_id)

    def active(self) -> list[Active]:
        """Return what is in flight, oldest first."""
        with self._lock:
            executions = list(self._executions.values())
        from tusk_jupyter.masking import masked  # 4 ms, with the lexer; a load has no queries

        return [
            Active(
                e.id,
                e.session.name,
                e.session.backend_pid,
                masked(e.statement.text),
                e.elapsed_ms / 1000,
                e.rows,
                e.state,
            )
            for e in executions
        ]

    def cancel(self, query_id: str) -> bool:
        """Ask the server to stop a query; ``False`` when there is none of that id (a unique beginning will do)."""
        with self._lock:
            found = [e for key, e in self._executions.items() if query_id and key.startswith(query_id)]
        return len(found) == 1 and found[0].cancel("cancel")

    def cancel_all(self) -> int:
        """Ask for all of them; return how many were in flight."""
        with self._lock:
            executions = list(self._executions.values())
        return sum(execution.cancel("cancel") for execution in executions)
