"""The cards of background queries: shown where they are submitted, and wherever a job is displayed."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from tusk_jupyter.widgets.job_card import JobCard

if TYPE_CHECKING:
    from tusk_jupyter.jobs import Job
    from tusk_jupyter.magics.output import CellOutput

_shown: weakref.WeakKeyDictionary[Job, int] = weakref.WeakKeyDictionary()
_names: weakref.WeakKeyDictionary[Job, str] = weakref.WeakKeyDictionary()


def show(shell: Any, output: CellOutput, job: Job, *, name: str | None) -> None:
    """Show the card of a job that was submitted, which is not shown again as the value of the same cell."""
    if name is not None:
        _names[job] = name
    _shown[job] = shell.execution_count
    output.show(card(job))


def show_again(shell: Any, output: CellOutput, job: Job) -> None:
    """Show a job that is displayed, unless it is the value of the cell that has just shown it."""
    if _shown.pop(job, None) != shell.execution_count:
        output.show(card(job))


def card(job: Job) -> JobCard:
    """Return a job's card as it is now."""
    now = job.progress
    return JobCard(
        id=job.id,
        state=now.state,
        sql=job.sql,
        connection=job.connection,
        elapsed_s=now.elapsed_s,
        rows=now.rows,
        nbytes=now.nbytes,
        phase=now.seen.phase,
        waits_for=now.seen.wait.what if now.seen.wait is not None else None,
        error=job.error,
        name=_names.get(job, "job"),
    )
