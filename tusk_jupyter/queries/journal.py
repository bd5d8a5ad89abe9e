"""What the history keeps of a statement: facts and names, with passwords masked, never a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tusk_jupyter.masking import masked

if TYPE_CHECKING:
    from tusk_jupyter.queries.execution import Execution, Outcome
    from tusk_jupyter.queries.split import Statement


def facts(statement: Statement, execution: Execution, outcome: Outcome) -> dict[str, Any]:
    """Return the history's fields that a statement itself has."""
    result, error = outcome.result, outcome.error
    return {
        "query_id": execution.id,
        "sql": masked(statement.text),
        "parameters": execution.parameter_names,
        "started_at": execution.started_at.isoformat(),
        "elapsed_ms": round(result.elapsed_ms if result is not None else execution.elapsed_ms, 3),
        "rows": result.rowcount if result is not None else None,
        "command_tag": result.command_tag if result is not None else None,
        "sqlstate": error.sqlstate if error is not None else None,
        "error": masked(error.message) if error is not None else None,
        "transaction_status": outcome.transaction.state if outcome.transaction is not None else "none",
    }
