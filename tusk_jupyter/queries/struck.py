"""Which time-out ended a statement or a session, who set it, and how to change it there.

57014 is what statement_timeout, a cancel and a function's own RAISE all say, 55P03 what lock_timeout and NOWAIT say;
the texts are in the server's language. A time-out and a cancel come from one place in the server's source, which every
error names (``ProcessInterrupts``): what comes from elsewhere was raised by code. The two are told apart by the text
where it is the untranslated one, which nothing else says; else by what this side knows, whether we asked and how long
the session allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tusk_jupyter import advice as advising
from tusk_jupyter import translate
from tusk_jupyter.connections.durations import setting, span
from tusk_jupyter.connections.time_outs import TimeOut
from tusk_jupyter.errors import ConnectionLost, QueryTimeout

if TYPE_CHECKING:
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.errors import Diagnostic, Place

STATEMENT, LOCK = "statement_timeout", "lock_timeout"
ENDS: Final = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "57P05": "idle_session_timeout",
}
# the server ends the session while it waits for a command: what was sent then, it has not read
UNREAD: Final = {"25P03", "57P05"}
_INTERRUPTS = "ProcessInterrupts"
_TIMED_OUT = "canceling statement due to statement timeout"
_ASKED_FOR = "canceling statement due to user request"
_MORE_MS = (10_000, 60_000, 300_000, 1_800_000, 7_200_000, 43_200_000)
_LESS = {
    STATEMENT: "or do less",
    LOCK: "or try again when whoever holds the lock is done",
    "idle_in_transaction_session_timeout": "or end a transaction before you go on to think",
    "idle_session_timeout": "or keep nothing in a session that lies idle",
    "transaction_timeout": "or do less in one transaction",
}
_PLACES: Final = {
    "configuration file": "the server's configuration",
    "command line": "the server's command line",
    "environment variable": "the server's environment",
    "client": "options of the connection's parameters (or PGOPTIONS)",
    "connection": "this connection",
    "session": "SET in this session",
    "local": "SET LOCAL in this transaction",
    "function": "the function's own SET clause",
}


def is_raised_by_code(diag: Diagnostic) -> bool:
    """Tell whether a function, or another server behind this one, raised it."""
    return diag.source_function not in {None, _INTERRUPTS}


def of_statement(diag: Diagnostic, session: Session, elapsed_ms: float, *, asked: bool) -> TimeOut | None:
    """Return the time-out that stopped a statement, ``None`` for what was no time-out.

    :param asked: a cancel was sent from here.
    """
    if diag.sqlstate == "55P03":
        return known(session, LOCK) if diag.source_function == _INTERRUPTS else None
    if diag.sqlstate != "57014" or is_raised_by_code(diag):
        return None
    limit = known(session, STATEMENT)
    if diag.message_primary in {_TIMED_OUT, _ASKED_FOR}:
        return limit if diag.message_primary == _TIMED_OUT else None
    # the server's clock begins a little later than ours, and ends a little earlier
    return limit if limit.ms and not asked and elapsed_ms >= limit.ms * 0.9 else None


def known(session: Session, name: str) -> TimeOut:
    """Return what is known of a time-out of a session."""
    return session.time_outs.get(name) or TimeOut(name)


def error(diag: Diagnostic, limit: TimeOut, *, place: Place | None, statement: str) -> QueryTimeout:
    """Return the error of a statement that a time-out of the server's stopped."""
    found = translate.query_error(diag, kind=QueryTimeout, place=place, statement=statement)
    assert isinstance(found, QueryTimeout)  # noqa: S101 - it is of that kind
    explain(found, limit)
    return found


def explain(error: QueryTimeout | ConnectionLost, limit: TimeOut) -> None:
    """Say in an error which time-out it was, who set it, and how to change it; a second time, what is known better."""
    error.setting = limit.name
    error.duration_s = limit.ms / 1000 if limit.ms else None
    facts = tuple(fact for fact in error.facts if fact[0] not in {"time-out", "set by"})
    value = f"{limit.name} = {span(limit.ms)}" if limit.ms else limit.name
    by = set_by(limit)
    error.facts = (*facts, ("time-out", value), *((("set by", by),) if by else ()))
    error.advice = advice(limit)
    if isinstance(error, ConnectionLost):
        error.advice = f"Run again what the lost session held. {advice(limit, session='the new session')}"


def set_by(limit: TimeOut) -> str | None:
    """Return who made a time-out what it is."""
    if (owner := _owner(limit)) is not None:
        return f"{owner} SET {limit.name}"
    words = _PLACES.get(limit.source)
    if words is None or (not limit.ms and limit.source in {"session", "local"}):
        return None
    if limit.source == "connection":
        return f"--{limit.name.replace('_', '-')} of the connection"
    return f"{words} ({limit.place})" if limit.place else words


def advice(limit: TimeOut, *, session: str = "this session") -> str:
    """Return how to allow more, in ``session`` alone and where it was set."""
    name, more = limit.name, setting(more_than(limit.ms))
    less = _LESS[name]
    if limit.source == "local":
        return f"`SET LOCAL {name} = '{more}'` allows this transaction more (0: no limit), {less}."
    if limit.source == "function":
        return f"`ALTER FUNCTION {limit.place} SET {name} = '{more}'` allows it more (0: no limit), {less}."
    here = f"`SET {name} = '{more}'` allows {session} more (0: no limit)"
    there = {
        "connection": f"connecting with another `--{name.replace('_', '-')}` changes it for good",
        "client": "the connection's parameters change it for good",
        "configuration file": "its administrator changes it for all, in the file or with `ALTER SYSTEM`",
        "command line": "its administrator changes it for all, where the server is started",
    }.get(limit.source)
    if (owner := _owner(limit)) is not None:
        there = f"`{owner} SET {name} = '{more}'` does so for those that begin later"
    return f"{here}{f'; {there}' if there else ''}, {less}."


def more_than(ms: int) -> int:
    """Return a time-out that is worth trying after this one, 0 for none."""
    return next((more for more in _MORE_MS if more >= 4 * ms), 0)


def _owner(limit: TimeOut) -> str | None:
    """Return whose settings it is among, as ALTER names it."""
    role, database = advising.identifier(limit.role or ""), advising.identifier(limit.database or "")
    return {
        "user": f"ALTER ROLE {role}",
        "database": f"ALTER DATABASE {database}",
        "database user": f"ALTER ROLE {role} IN DATABASE {database}",
        "global": "ALTER ROLE ALL",
    }.get(limit.source)
