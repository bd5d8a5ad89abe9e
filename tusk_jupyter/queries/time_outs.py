"""The server's time-outs of a session, followed from statement to statement.

What one was when it struck says how long it was and who made it so, and may not be asked then: the transaction has
failed, or the session is gone. So it is read after each statement that may have set one. In a transaction that is done
by SHOW, which takes no snapshot: a SELECT there would be the transaction's first query, after which SET TRANSACTION is
refused, and REPEATABLE READ sees nothing newer. One that a function sets for the statements after it stays unknown
until the transaction ends, and one that a reload of the server's configuration has changed until the next look.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.connections import time_outs
from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.connections.wire import SessionLostError
from tusk_jupyter.queries import classify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.connections.time_outs import TimeOut
    from tusk_jupyter.queries.split import Statement

_ENDS = {"COMMIT", "ROLLBACK", "ROLLBACK TO"}


def follow(session: Session, statement: Statement) -> None:
    """Read again what a statement may have changed (on the session's worker)."""
    names = classify.changed_settings(statement, session.time_outs)
    status = session.transaction_status
    if (not names and not session.time_outs_set) or session.lost is not None or status == "INERROR":
        return  # of a failed transaction all are read when it ends
    try:
        if status == "IDLE":
            if names or session.time_outs_set:
                _read(session, named=names if classify.is_setting(statement) else set())
        elif names:
            _show(session, statement, names)
    except SessionLostError:
        return  # the next statement finds it lost, and says so


def _read(session: Session, *, named: set[str]) -> None:
    found = time_outs.parse(session.scalar(time_outs.READ))
    for name, now in found.items():
        before = session.settled_time_outs.get(name)
        # to the server, an option of the connection's is what any SET has made
        is_same = before is not None and (before.source, before.ms, now.source) == ("connection", now.ms, "session")
        session.time_outs[name] = before if before is not None and is_same and name not in named else now
    session.settled_time_outs = dict(session.time_outs)
    session.time_outs_set.clear()


def _show(session: Session, statement: Statement, names: Iterable[str]) -> None:
    undone = classify.transaction_control(statement) in _ENDS
    source = "local" if statement.words[:2] == ("SET", "LOCAL") else "session"
    for name in session.time_outs_set.copy() if undone else names:
        ms = round(parse_duration(session.scalar(f"show {name}") or "0") * 1000)
        session.time_outs[name] = _known(session, name, ms, source=None if undone else source)
    if not undone:
        session.time_outs_set.update(names)
    elif classify.transaction_control(statement) != "ROLLBACK TO":
        session.settled_time_outs = dict(session.time_outs)
        session.time_outs_set.clear()


def _known(session: Session, name: str, ms: int, *, source: str | None) -> TimeOut:
    """Return a value with who made it; ``source`` is ``None`` for one that came back."""
    for known in (session.time_outs[name], session.settled_time_outs.get(name)) if source is None else ():
        if known is not None and known.ms == ms:
            return known
    return replace(session.time_outs[name], ms=ms, source=source or "session", place=None)
