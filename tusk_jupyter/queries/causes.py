"""What only the server knows of a statement it refused: the row in the way, the owner of a table, an enum's labels.

Asked on another connection, within a second, once the error is there with what this side knows of it. Never on the
user's session: its transaction has failed, or is his. The other connection is the same login's, so that it reads
nothing that the user may not read; where the session is somebody else by now (``SET ROLE``, ``SET SESSION
AUTHORIZATION``, as far as the server reports it), only what the catalog says to everybody is asked. It reads in a
transaction of its own that can write nothing, waits for no lock, finds no function or operator but the server's own,
and fails where a row level policy would leave rows out: then nothing is said, as with everything else that is not
certain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tusk_jupyter import interrupts
from tusk_jupyter.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.errors import Diagnostic, TuskError

PATIENCE_S = 1.0
_CAREFULLY = """
set transaction read only; set local statement_timeout = 700; set local lock_timeout = 50;
set local search_path = pg_catalog, pg_temp; set local row_security = off
"""
_FOR_ALL = frozenset({"23514"})  # of which the catalog says the same to everybody
_DENIED = "42501"
_WHO = ("session_authorization", "is_superuser")


@dataclass(frozen=True, slots=True)
class Origin:
    """The statement, and of its session what is known without asking: a job's session may be gone by then."""

    statement: str
    backend_pid: int | None
    who: tuple[str | None, ...]
    own: dict[int, str] = field(default_factory=dict)  # what else this kernel runs now, by the pids of the backends
    at: float = 0.0  # time.monotonic()
    doubtful: frozenset[str] = frozenset()  # names of which its open transaction may know more
    user: str | None = None  # its current role, where that was seen


@dataclass(frozen=True, slots=True)
class Refused:
    """A statement and what the server said of it; ``in_transaction`` when it was in an open one."""

    diag: Diagnostic
    statement: str
    in_transaction: bool
    backend_pid: int | None
    doubtful: frozenset[str] = frozenset()
    user: str | None = None
    own: dict[int, str] = field(default_factory=dict)
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Found:
    """Rows for the panel, as (label, text), and advice that is better than the one there."""

    facts: tuple[tuple[str, str], ...] = ()
    advice: str | None = None


def origin(session: Session, statement: str, doubtful: frozenset[str], user: str | None) -> Origin:
    """Return where an error came from."""
    return Origin(statement, session.backend_pid, tuple(map(session.parameter, _WHO)), doubtful=doubtful, user=user)


def resolve(error: TuskError, connection: Connection, came_from: Origin | None) -> None:
    """Complete an error with what another connection can see of its cause, where there is one to spare.

    :raises KeyboardInterrupt: to an interrupt, which is the cell's.
    """
    look = _look_for(error.sqlstate) if error.diag is not None else None
    if look is None or error.diag is None or came_from is None:
        return
    refused = Refused(
        error.diag,
        came_from.statement,
        error.transaction is not None,
        came_from.backend_pid,
        doubtful=came_from.doubtful,
        user=came_from.user,
        own=came_from.own,
        at=came_from.at,
    )

    def ask() -> Found | None:
        with connection.pool.borrow_spare(PATIENCE_S) as conn, conn.transaction():
            is_for_all = error.sqlstate in _FOR_ALL or (error.sqlstate == _DENIED and came_from.user is not None)
            # SET ROLE among roles that are no superusers changes nothing that the server reports
            is_other = came_from.user not in {None, conn.info.user}
            if not is_for_all and (is_other or came_from.who != tuple(_reported(conn, name) for name in _WHO)):
                return None
            conn.execute(_CAREFULLY)
            return look(conn, refused)

    try:
        found = interrupts.call("cause", ask, timeout=PATIENCE_S)
    except Exception:  # noqa: BLE001 - what this side knows has been said
        return
    if found is not None:
        error.facts = (*error.facts, *((label, redact(text)) for label, text in found.facts))
        error.advice = found.advice or error.advice


def _reported(conn: psycopg.Connection[Any], name: str) -> str | None:
    value = conn.pgconn.parameter_status(name.encode())
    return value.decode() if value is not None else None


def _look_for(sqlstate: str | None) -> Callable[[psycopg.Connection[Any], Refused], Found | None] | None:
    from tusk_jupyter.queries import cause_locks, cause_rights, cause_rows, cause_values

    return {
        "22001": cause_values.too_long,
        "22P02": cause_values.labels,
        "23503": cause_rows.foreign_key,
        "23505": cause_rows.unique,
        "23514": cause_values.check,
        "40P01": cause_locks.deadlock,
        "42501": cause_rights.missing,
    }.get(sqlstate or "")
