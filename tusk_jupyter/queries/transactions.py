"""What a statement does to the transaction that is open: its savepoints, the next one of a chain, what was saved.

The server tells whether a transaction is open and whether it has failed, never which savepoints it has: they are known
from the statements that succeeded. Nobody else can make one: procedures have none, and a prepared statement is a query.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.queries import classify

if TYPE_CHECKING:
    from tusk_jupyter.connections.session import Session, Transaction
    from tusk_jupyter.queries.split import Statement

NAME_BYTES = 63
NOTHING_SAVED = "nothing was saved"
_SAVES = {"COMMIT", "PREPARE TRANSACTION"}
UNKNOWN = ""  # a savepoint whose name is written in escapes


def follow(session: Session, statement: Statement) -> None:
    """Keep up with a statement that has succeeded."""
    control = classify.transaction_control(statement)
    if control in {"COMMIT", "ROLLBACK"} and session.transaction is not None:
        session.chain_transaction()
    elif control == "SAVEPOINT":
        session.savepoints.append(_typed(statement))
    elif control in {"RELEASE", "ROLLBACK TO"}:
        at = place_of(session.savepoints, _typed(statement))
        if at is None:  # it was there for the server, and those here are no longer certain
            session.savepoints.clear()
        else:
            del session.savepoints[at if control == "RELEASE" else at + 1 :]


def place_of(savepoints: list[str], name: str) -> int | None:
    """Return where the last savepoint of that name is."""
    wanted = _folded(name)
    return next((at for at in reversed(range(len(savepoints))) if _folded(savepoints[at]) == wanted), None)


def goes_to_missing_savepoint(session: Session, statement: Statement) -> bool:
    """Tell whether it will fail because it names a savepoint that is not there."""
    name = classify.savepoint_name(statement)
    return (
        name is not None
        and classify.transaction_control(statement) in {"RELEASE", "ROLLBACK TO"}
        and place_of(session.savepoints, _typed(statement)) is None
        and UNKNOWN not in session.savepoints
    )


def nothing_saved(
    statement: Statement, command_tag: str | None, *, before: Transaction | None, goes_on: bool
) -> str | None:
    """Return what to say of a COMMIT that the server turned into ROLLBACK, ``None`` of any other statement.

    :param before: the transaction that was open; without one PREPARE TRANSACTION is a ROLLBACK as well, and the server
        says so itself.
    :param goes_on: a transaction is open now: the next one of a chain.
    """
    control = classify.transaction_control(statement)
    if control not in _SAVES or command_tag != "ROLLBACK" or before is None:
        return None
    typed = control if control != "COMMIT" else statement.words[0]
    said = f"{NOTHING_SAVED}: the transaction had failed, so {typed} became ROLLBACK"
    return f"{said}; the next one of the chain is open" if goes_on else said


def _typed(statement: Statement) -> str:
    name = classify.savepoint_name(statement) or UNKNOWN
    plain = name.startswith('"') or (name[-1:] not in {"'", '"'} and name)
    return name if plain else UNKNOWN


def _folded(name: str) -> str:
    """Return the name that PostgreSQL makes of what was typed."""
    whole = name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()
    return whole.encode()[:NAME_BYTES].decode(errors="ignore")
