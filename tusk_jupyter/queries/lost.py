"""A session that is gone: what went with it, and whether its last statement took effect.

Nothing is run again on the user's behalf. Outside a transaction a statement that may have written has an unknown
outcome; so has an explicit COMMIT, but that one can be looked up afterwards by its transaction id, on another
connection (https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT: ``pg_xact_status``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.connections.durations import duration
from tusk_jupyter.errors import ConnectionLost, QueryCancelled, TuskError
from tusk_jupyter.notifications import silence
from tusk_jupyter.queries import classify, struck

if TYPE_CHECKING:
    from tusk_jupyter.connections.session import Session, Transaction
    from tusk_jupyter.connections.wire import SessionLostError
    from tusk_jupyter.queries.split import Statement

STATE = "temp tables, settings, prepared statements and session locks"
PREPARED = {"COMMIT PREPARED", "ROLLBACK PREPARED"}


class CommitLostError(ConnectionLost):
    """A COMMIT whose answer never came; ``xid`` finds out what became of it, ``""`` is that of one that wrote nothing.

    Or what does the like with a prepared transaction, as ``control`` says; ``prepared`` is the literal that names it.
    ``had_failed`` says that the transaction could not be committed any more.
    """

    xid: str | None = None
    had_failed: bool = False
    control: str = "COMMIT"
    prepared: str | None = None


def lost(
    session: Session, loss: SessionLostError, *, statement: Statement, before: Transaction | None, xid: str | None
) -> TuskError:
    """Return the error for a session that broke before or while ``statement`` ran."""
    session.loss_told = True
    diag = loss.diagnostic or session.last_words
    sent = loss.sent and (diag is None or diag.sqlstate not in struck.UNREAD)
    reason = diag.message_primary if diag is not None and diag.message_primary else loss.reason.strip()
    control = classify.transaction_control(statement) if sent else None
    commit = control in PREPARED or (control in {"COMMIT", "PREPARE TRANSACTION"} and before is not None)
    error = (CommitLostError if commit else ConnectionLost)(
        f"the session of {session.name!r} was lost: {reason.splitlines()[0] if reason else 'closed'}",
        detail="\n".join(reason.splitlines()[1:]) or None,
        sqlstate=diag.sqlstate if diag else None,
        diag=diag,
        name=session.name,
    )
    tell_time_out(error, session)
    if isinstance(error, CommitLostError):
        error.xid, error.control = xid, control or error.control
        error.had_failed = control not in PREPARED and before is not None and before.state == "failed"
        error.prepared = classify.prepared_name(statement)
        error.transaction = f"The outcome of the {control} is unknown."
        return error
    error.transaction = _what_went(session, before, sent=sent, wrote=not classify.reads_only_shape(statement))
    return error


def tell_time_out(error: ConnectionLost, session: Session) -> None:
    """Say which time-out of the server's ended a session, if one did."""
    words = session.last_words
    if words is not None and (name := struck.ENDS.get(words.sqlstate or "")) is not None:
        struck.explain(error, struck.known(session, name))


def _what_went(session: Session, before: Transaction | None, *, sent: bool, wrote: bool) -> str:
    if before is not None:
        went = f"Lost with it: the open transaction ({_count(before)}), which the server rolls back, and {STATE}."
    else:
        went = f"Lost with it: {STATE}."
    went += silence(session.channels)
    if not sent:
        return f"{went} The statement was not sent."
    if before is None and wrote:
        return f"{went} Outcome unknown: the statement may have taken effect. Check before you run it again."
    return went


def given_up(session: Session, before: Transaction | None, *, statement: Statement, after_s: float) -> QueryCancelled:
    """Return the error for a session that the user, or the 5 s limit, gave up."""
    session.loss_told = True
    pid = session.backend_pid
    error = QueryCancelled(
        f"given up after {duration(after_s * 1000)}: the server did not answer the cancel request",
        name=session.name,
        advice=(
            f"The statement may still be running as pid {pid}; "
            f"select pg_terminate_backend({pid}) from another session ends it."
            if pid is not None
            else "The statement may still be running, or have waited for the pooler; pg_stat_activity shows what runs."
        ),
    )
    control = classify.transaction_control(statement)
    if control in PREPARED or (control in {"COMMIT", "PREPARE TRANSACTION"} and before is not None):
        went = f"The outcome of the {control} is unknown. Lost with the session: {STATE}."
    else:
        went = _what_went(session, before, sent=True, wrote=not classify.reads_only_shape(statement))
    error.transaction = f"{went} The next cell gets a new session."
    return error


def gone(session: Session, before: Transaction | None, *, statement: Statement) -> str:
    """Return what is said of a session that ended with an error which was not the server's."""
    session.loss_told = True
    went = _what_went(session, before, sent=True, wrote=not classify.reads_only_shape(statement))
    return f"The session ended with it. {went} The next cell gets a new session."


def retired(session: Session) -> str:
    """Return what is said of a session whose statement has ended, and whose cancel request may yet arrive."""
    session.loss_told = True
    return (
        "a cancel request got no answer, and could still hit a later statement: this session is never used again. "
        f"{_what_went(session, session.transaction, sent=True, wrote=False)} The next cell gets a new session."
    )


def transaction_sentence(transaction: Transaction | None, *, undone: bool = False) -> str | None:
    """Return what a panel says of the transaction after an error.

    :param undone: the statement was rolled back to a savepoint of its own.
    """
    if transaction is None:
        return None
    if transaction.state == "failed":
        to = transaction.savepoint
        back = f"ROLLBACK TO {to}, its last savepoint" if to else "ROLLBACK TO a savepoint"
        return f"The transaction ({_count(transaction)}) is now failed: ROLLBACK, or {back}. Nothing was undone yet."
    if undone:
        return f"{_kept(transaction.statements)}; this one was rolled back to its savepoint. The transaction is open."
    return f"The transaction ({_count(transaction)}) is still open."


def _kept(count: int) -> str:
    if count == 0:
        return "The transaction has done nothing else yet"
    before = "statement" if count == 1 else f"{count} statements"
    return f"The {before} of the transaction before this one {'is' if count == 1 else 'are'} kept"


def _count(transaction: Transaction) -> str:
    return f"{transaction.statements} statement{'' if transaction.statements == 1 else 's'}"
