"""Advice per SQLSTATE: one or two sentences on what to do next, from what is at hand.

Pure and local: the code, the server's fields and the statement, no round trip and no catalog, so that a typed error
with its advice exists within 10 ms (1 µs from the table, 9 ms at most with the longest statement that is looked at).
What needs the catalog (did-you-mean) replaces this advice where it knows better: it is an error's ``advice`` argument,
this is its default.

Server messages are translated, so nothing is decided on them; what one code means is told apart by where in the
server it was raised. The one exception is 42501, where only the message names
the object: an English one gives the GRANT, any other the general advice. Names go into advice quoted as PostgreSQL
quotes them, so that what is shown can be run. Backticks mark what can be typed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice import ambiguities, constraints, denials, grouping, names
from tusk_jupyter.advice.origins import BY_ORIGIN
from tusk_jupyter.advice.quoting import identifier
from tusk_jupyter.advice.slip_words import Slip
from tusk_jupyter.advice.slips import slip
from tusk_jupyter.advice.sqlstates import condition_name
from tusk_jupyter.advice.texts import BY_CLASS, BY_CODE, OTHER

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.errors import Diagnostic

__all__ = ["Slip", "advice_for", "advise", "condition_name", "identifier"]


def advice_for(sqlstate: str | None, diag: Diagnostic, *, statement: str | None = None) -> str | None:
    """Return what to do next, or None without a SQLSTATE: :func:`advise` without its correction."""
    said = advise(sqlstate, diag, statement=statement)
    return said.advice if said is not None else None


def advise(sqlstate: str | None, diag: Diagnostic, *, statement: str | None = None) -> Slip | None:
    """Return what to do next, and the one edit that would correct the statement, where one would.

    ``statement`` is the text that was typed: ``diag.statement_position`` counts in it. An error inside a function is
    looked for in ``diag.internal_query`` instead, and is never corrected.
    """
    if not sqlstate:
        return None
    writer = _WRITERS.get(sqlstate)
    special = writer(diag, statement or "") if writer else None
    special = special or _of_origin(sqlstate, diag) or BY_CODE.get(sqlstate) or BY_CLASS.get(sqlstate[:2], OTHER)
    return Slip(special) if isinstance(special, str) else special


def _of_origin(sqlstate: str, diag: Diagnostic) -> str | None:
    return BY_ORIGIN.get((sqlstate, diag.source_function or "")) or BY_ORIGIN.get((sqlstate, diag.source_file or ""))


def _syntax(diag: Diagnostic, statement: str) -> Slip | str | None:
    if diag.source_file not in {None, "scan.l"}:
        # what the grammar has read, and then refused: subqueries without a name, until PostgreSQL 16
        place = names.place_in(diag, statement) if diag.source_file == "gram.y" else None
        if place is not None and place.word() == "(" and place.word(1) in {"from", "join", ","}:
            return "A subquery in FROM needs a name: `(select …) as x`."
        return slip(statement, diag.statement_position or 0) if place is not None and place.word() == "limit" else None
    if diag.internal_query and diag.internal_position:
        return slip(diag.internal_query, diag.internal_position)
    return slip(statement, diag.statement_position) if diag.statement_position else None


_WRITERS: dict[str, Callable[[Diagnostic, str], Slip | str | None]] = {
    "23502": constraints.not_null,
    "23503": constraints.foreign_key,
    "23505": constraints.unique,
    "23514": constraints.check,
    "42501": denials.denied,
    "42601": _syntax,
    "42702": ambiguities.column,
    "42703": names.column,
    "42704": names.type_or_setting,
    "42803": grouping.ungrouped,
    "42883": names.function,
    "42P01": names.table,
}
