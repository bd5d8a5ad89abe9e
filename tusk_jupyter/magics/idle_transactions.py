"""A transaction that lies idle is pointed out in the next output, once for each time that it does.

It keeps its locks and may keep VACUUM from its work, and nobody looks at the cell that began it any more. No timer
prints between cells: a cell with one of our magics looks when it begins, whatever connection it is about, and says it
when it has run, if the transaction is still the same (the cell may have been its COMMIT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session, Transaction
    from tusk_jupyter.queries.held import Held
    from tusk_jupyter.tusk import Tusk
    from tusk_jupyter.widgets.result_footer import StatusLine

_TABLES = 3


@dataclass(frozen=True, slots=True)
class _Idle:
    connection: Connection
    session: Session
    transaction: Transaction
    since: float
    for_s: float


class IdleTransactions:
    """Remembers what it has pointed out."""

    def __init__(self, tusk: Tusk) -> None:
        self._tusk = tusk
        self._found: dict[str, _Idle] = {}
        self._told: dict[str, float] = {}

    def look(self) -> None:
        """Note what has been idle for too long by now."""
        limit: int = self._tusk.idle_transaction_s
        if not limit:
            return
        for connection in self._tusk.connections.active():
            session = connection.live_session
            transaction = session.transaction if session is not None else None
            if session is None or transaction is None or (since := session.idle_from) is None:
                continue
            if session.idle_s >= limit and self._told.get(connection.id) != since:
                idle = _Idle(connection, session, transaction, since, session.idle_s)
                self._found.setdefault(connection.id, idle)

    def take(self) -> list[StatusLine]:
        """Return what is to be said of those that are still there."""
        found, self._found = self._found, {}
        lines = []
        for idle in found.values():
            now = idle.session.transaction
            if idle.session.lost is None and now is not None and now.since == idle.transaction.since:
                self._told[idle.connection.id] = idle.since
                lines.append(_line(idle, now, is_current=idle.connection is self._tusk.connections.current))
        return lines


def _line(idle: _Idle, now: Transaction, *, is_current: bool) -> StatusLine:
    from tusk_jupyter.queries import held
    from tusk_jupyter.widgets.amounts import age, counted
    from tusk_jupyter.widgets.result_footer import StatusLine

    name, count = idle.connection.name, counted(now.statements, "statement")
    began = f"the {now.state} transaction of {name} ({count}) has been idle for {age(idle.for_s)}"
    if idle.session.is_gone:
        return StatusLine(f"{began}, and the server has ended its session: nothing of it was saved", tone="bad")
    pid = idle.session.backend_pid
    keeps = _keeps(held.ask(idle.connection, pid) if pid is not None else None)
    notes = [keeps or "it keeps nothing from others", *_ends(idle.session)]
    return StatusLine(f"{began}: {_ways_out(now, name, is_current=is_current)}", tuple(notes), "warn")


def _ways_out(now: Transaction, name: str, *, is_current: bool) -> str:
    where = "" if is_current else f" (%sql {name} {'rollback' if now.state == 'failed' else 'commit'})"
    if now.state == "open":
        return f"COMMIT saves it, ROLLBACK undoes it{where}"
    back = f", ROLLBACK TO {now.savepoint} goes on from there" if now.savepoint else ""
    return f"ROLLBACK ends it{back}{where}"


def _keeps(found: Held | None) -> str:
    if found is None:
        return "it keeps its locks, and may keep VACUUM from removing dead rows"
    words = []
    if found.tables:
        more = len(found.tables) - _TABLES
        words.append(f"locks on {', '.join(found.tables[:_TABLES])}{f' and {more} more' if more > 0 else ''}")
    if found.keeps_dead_rows:
        words.append("VACUUM from removing rows that have died since it began")
    kept = f"it keeps {', and '.join(words)}" if words else ""
    if not found.waiting:
        return kept
    waits = "a session waits for it" if found.waiting == 1 else f"{found.waiting} sessions wait for it"
    return f"{waits}; {kept}" if kept else waits


def _ends(session: Session) -> list[str]:
    """Return what the server itself will do."""
    from tusk_jupyter.connections.durations import span

    names = {
        "idle_in_transaction_session_timeout": "after {} without a statement",
        "transaction_timeout": "{} after it began",
    }
    limits = [(name, session.time_outs[name].ms) for name in names if name in session.time_outs]
    return [f"the server ends it {names[name].format(span(ms))} ({name})" for name, ms in limits if ms]
