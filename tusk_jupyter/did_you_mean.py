"""What the catalog knows of an error: its advice, and the corrected line, in what the user typed.

Said before the error is shown and before its event is sent, of foreground cells and of jobs: it takes no round trip.
The statement is looked at as it was typed, with stars for its passwords, so that the edit fits the cell whatever was
sent in its place. An error inside a function is about the function's query: there is advice, and nothing in the cell to
correct.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tusk_jupyter.masking import starred

if TYPE_CHECKING:
    from tusk_jupyter.errors import Diagnostic, TuskError
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.schema.catalog import Catalog

log = logging.getLogger("tusk_jupyter.did_you_mean")


def complete(error: TuskError, execution: Execution, catalog: Catalog, doubtful: frozenset[str]) -> None:
    """Say in an error what was meant.

    :param doubtful: names that the open transaction has to do with: of those the catalog knows no more than before it.
    """
    if error.diag is None or error.sqlstate is None:
        return
    from tusk_jupyter.schema.suggest import CODES

    if error.sqlstate not in CODES or not catalog.loaded:
        return
    try:
        _complete(error, error.diag, execution, catalog, doubtful)
    except Exception:  # the error itself has to be shown
        log.exception("no suggestion for %s", error.sqlstate)


def _complete(
    error: TuskError, diag: Diagnostic, execution: Execution, catalog: Catalog, doubtful: frozenset[str]
) -> None:
    from tusk_jupyter.schema.suggest import Refused, suggest

    is_internal = diag.internal_query is not None and diag.internal_position is not None
    text = starred(diag.internal_query or "") if is_internal else starred(execution.statement.text)
    offset = _offset(error, diag, execution)
    refused = Refused(diag.sqlstate or "", diag.message_primary or "", text, offset, diag.message_hint)
    found = suggest(refused, catalog, doubtful)
    if found is None:
        return
    if found.advice is not None:  # an edit that goes with other words is not this one's
        error.advice, error.correction = found.advice, None
    if is_internal:
        return
    if error.place is None:
        error.place = execution.place(found.offset)
        offset = found.offset
    if found.correction is not None and offset is not None:
        error.correction = found.correction.moved(error.place.offset - offset)


def _offset(error: TuskError, diag: Diagnostic, execution: Execution) -> int | None:
    if diag.internal_position is not None:
        return diag.internal_position - 1
    return error.place.position - execution.place(0).position if error.place is not None else None
