"""A pooler between us and the server: how it lends its connections, as far as that can be told from outside.

That there is one shows when the backend that answers is not the one that was named at the login (PgBouncer makes its
number up). In *session* mode a client keeps its backend, and everything is as without a pooler. In *transaction* mode
every transaction may meet another one: what is set stays behind for others, temp tables and locks are shared with them;
in *statement* mode there are no transactions of several statements either. Nobody says which it is: ``SHOW`` is for the
pooler's administrators. But two clients that are there at one time and meet the same backend share it, and so does one
that meets two. PgBouncer lends the backend that came back last, so that two clients by turns meet the same one at once
unless others are quicker; if they do not in three rounds, each keeps its own.

Wherever it is not session mode for all we know, nothing is set when a session begins: it would be a setting of
strangers, and not one of ours in the next transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import psycopg

from tusk_jupyter.connections import liveness

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.opening import ServerInfo, Settings

PoolerMode = Literal["session", "transaction", "statement", "unknown"]
ROUNDS: Final = 3
ANSWER_S: Final = 1.0
LOGIN_S: Final = 2.0
_WORDS: Final = {
    "session": "a pooler in session mode",
    "transaction": "a pooler in transaction mode: session state is not reliable",
    "statement": "a pooler in statement mode: no transactions, and session state is not reliable",
    "unknown": "a pooler whose mode cannot be told: in transaction mode session state is not reliable",
}


def mode_of(
    conn: psycopg.Connection[Any], open_other: Callable[[], psycopg.Connection[Any] | Exception], limit_s: float
) -> PoolerMode:
    """Tell the mode of the pooler that ``conn`` goes through; nothing is left behind.

    :param open_other: opens another connection by the same way; it is closed again.
    :raises psycopg.Error: when ``conn`` itself has no answer in time.
    """
    other = open_other()
    if isinstance(other, Exception):
        return "unknown"
    met = set()
    try:
        for _ in range(ROUNDS):
            # twice: where backends are lent by turns, as many turns as there are backends could look like one's own
            met |= {_backend(conn, limit_s), _backend(conn, limit_s)}
            theirs = _other_backend(other)
            if theirs is None:
                return "unknown"
            if theirs in met or len(met) > 1:
                return "transaction" if _has_transactions(other) else "statement"
    finally:
        other.close()
    return "session"


def _backend(conn: psycopg.Connection[Any], limit_s: float) -> bytes | None:
    found = liveness.run_within(conn, limit_s, b"select pg_catalog.pg_backend_pid()")
    return found.get_value(0, 0) if found is not None else None


def _other_backend(other: psycopg.Connection[Any]) -> bytes | None:
    try:
        return _backend(other, ANSWER_S)
    except (psycopg.Error, OSError):  # most likely it waits: the pooler has no more backends now
        return None


def _has_transactions(conn: psycopg.Connection[Any]) -> bool:
    try:
        liveness.run_within(conn, ANSWER_S, b"begin", b"rollback")
    except psycopg.errors.ConnectionTimeout:
        return True
    except psycopg.Error:  # a statement pooler hangs up
        return False
    return True


def words(server: ServerInfo | None) -> str | None:
    """Return what to say of the pooler; ``None`` without one."""
    return _WORDS[server.pooler] if server is not None and server.pooler is not None else None


def notes(server: ServerInfo | None, settings: Settings) -> list[str]:
    """Return what the connect line says of the pooler, and of what was asked for in vain."""
    if server is None or (said := words(server)) is None:
        return []
    vain = [name for name in ("statement_timeout", "lock_timeout") if getattr(settings, name) is not None]
    if server.keeps_sessions or not vain:
        return [f"through {said}"]
    lost = f"{' and '.join(vain)} {'are' if len(vain) > 1 else 'is'} not set, because other clients would get it"
    return [f"through {said}", f"{lost}: use %%sql --timeout, or SET LOCAL in a transaction"]
