"""How a statement ended when it did not end well: the server's error, with its place in the cell and its cause.

57014 is what a cancel, statement_timeout, pg_cancel_backend and a function's own RAISE all say: how they are told apart
is :mod:`~tusk_jupyter.queries.struck`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter import translate
from tusk_jupyter.connections.durations import duration, span
from tusk_jupyter.errors import Place, QueryCancelled, QueryTimeout
from tusk_jupyter.masking import may_hold_password, starred
from tusk_jupyter.queries import struck

if TYPE_CHECKING:
    from tusk_jupyter.errors import Diagnostic, TuskError
    from tusk_jupyter.queries.delivery import Delivery
    from tusk_jupyter.queries.memory import Overflow

_NEAR = 50_000


def _masked_place(text: str, offset: int, *, internal: bool = False) -> Place:
    """Return a place without the passwords of its text, since it goes where the error goes: into a pickle, for one.

    Of a long text only the lines are kept that are not near, and not what is in them: stars take 3 µs a character.
    """
    if len(text) > 2 * _NEAR and may_hold_password(text):
        low, high = max(0, offset - _NEAR), offset + _NEAR
        # whole lines, as far as there are any: half a literal would be read as something else
        low = (text.find("\n", low, offset) + 1 or low) if low else 0
        high = text.rfind("\n", offset, high) + 1 or high
        before = "\n" * text.count("\n", 0, low)
        trimmed = low - len(before)
        return Place(f"{before}{starred(text[low:high])}", offset - trimmed, internal=internal, trimmed=trimmed)
    return Place(starred(text), offset, internal=internal)


@dataclass(frozen=True, slots=True)
class Source:
    """Where the statement stands in what the user typed: ``prefix`` (the magic's own line), then the script."""

    prefix: str
    script: str

    def place(self, offset: int) -> Place:
        """Return the place of a 0-based offset in the script."""
        return _masked_place(self.prefix + self.script, len(self.prefix) + offset)


@dataclass(frozen=True, slots=True)
class Stop:
    """What this side knows of a statement's end: who asked for it (``None``: nobody here), and when."""

    reason: str | None
    sent: bool
    elapsed_ms: float
    time_limit_s: float


def server_error(delivery: Delivery, source: Source, stop: Stop) -> TuskError | None:
    """Return the error of a delivery's reply, or ``None``."""
    if delivery.reply.error is None:
        return None
    diag = translate.diagnostic(delivery.reply.error, delivery.session.encoding)
    place = _place(diag, delivery, source)
    text = delivery.statement.text
    if (limit := struck.of_statement(diag, delivery.session, stop.elapsed_ms, asked=stop.sent)) is not None:
        return struck.error(diag, limit, place=place, statement=text)
    if diag.sqlstate != "57014":
        return translate.query_error(diag, place=place, statement=text, offset=_offset(diag, delivery))
    if stop.reason == "timeout":
        return _timed_out(stop, "Allow more with --timeout, or do less.", diag)
    error = translate.query_error(diag, kind=QueryCancelled, place=place, statement=text)
    if stop.sent:
        return cancelled(error, stop)
    error.advice = (
        "Code in the server raised this itself, a function or another server that it asks: CONTEXT says where."
        if struck.is_raised_by_code(diag)
        else "Somebody else cancelled it (pg_cancel_backend). The session and its settings are still there."
    )
    return error


def not_executed(stop: Stop) -> TuskError:
    """Return the error of a statement that was stopped while it waited for its turn, or its columns were looked at."""
    if stop.reason == "timeout":
        return _timed_out(stop, "It was not run. Allow more with --timeout, or wait for what ran before it.")
    return cancelled(QueryCancelled("cancelled before it was sent"), stop)


def _timed_out(stop: Stop, advice: str, diag: Diagnostic | None = None) -> QueryTimeout:
    error = QueryTimeout(
        f"the statement was stopped by --timeout {span(stop.time_limit_s * 1000)}, after {duration(stop.elapsed_ms)}",
        sqlstate=diag.sqlstate if diag is not None else None,
        condition="query_canceled" if diag is not None else None,
        diag=diag,
        duration_s=stop.time_limit_s,
        advice=advice,
    )
    error.setting = "--timeout"
    return error


def cancelled(error: TuskError, stop: Stop) -> TuskError:
    """Return ``error`` with words for the stop that was asked for here."""
    asked = {"interrupt": "interrupted", "button": "stopped by the button"}.get(stop.reason or "", "cancelled")
    error.message = f"{asked} after {duration(stop.elapsed_ms)}"
    error.args = (error.message,)
    return error


def too_large(overflow: Overflow) -> TuskError:
    """Return the error of a result that was stopped because it would not fit into memory."""
    size = f"{overflow.nbytes / 2**20:,.0f} MB, {overflow.rows:,} rows"
    if overflow.limit_mb:
        why = f"it took more than memory_limit_mb = {overflow.limit_mb:,}"
        way = "or allow more: %tusk set memory_limit_mb NUMBER (0: what is free)"
    else:
        why = "the rest would not fit into the memory that is free"
        way = "or free memory: a restarted kernel has all of it"
    return QueryCancelled(
        f"the result was stopped at {size}: {why}",
        condition="query_canceled",
        advice=f"--to FILE.parquet takes any size. Or ask for less with --limit or fewer columns, {way}.",
    )


def _place(diag: Diagnostic, delivery: Delivery, source: Source) -> Place | None:
    if diag.internal_query is not None and diag.internal_position is not None:
        return _masked_place(diag.internal_query, diag.internal_position - 1, internal=True)
    offset = _offset(diag, delivery)
    return None if offset is None else source.place(delivery.statement.start + offset)


def _offset(diag: Diagnostic, delivery: Delivery) -> int | None:
    """Return where in the statement as typed the server's position is, which counts in what was sent."""
    if diag.statement_position is None:
        return None
    return delivery.bound.offsets.to_source(max(0, diag.statement_position - 1 - delivery.prefix_length))


def final_state(error: TuskError | None) -> str:
    """Return the state that a statement with this error is in for good."""
    if error is None:
        return "completed"
    if isinstance(error, QueryTimeout):
        return "timeout"
    return "cancelled" if isinstance(error, QueryCancelled) else "failed"
