"""What a command of ours asks on the session before it does anything: interruptible, and a loss is said like any other.

For loads and ``%tusk password``, whose statements are made of the answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from tusk_jupyter import interrupts
from tusk_jupyter.connections.wire import SessionLostError
from tusk_jupyter.errors import ConnectionLost, QueryCancelled, QueryFailed, QueryInterrupted
from tusk_jupyter.notifications import silence
from tusk_jupyter.queries.lost import STATE

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.session import Session

T = TypeVar("T")


def asked(session: Session, job: Callable[[], T], *, doing: str) -> T:
    """Run ``job()`` on the session's worker and return what it returns.

    :param doing: what will not have happened when it fails: «loaded», «changed».
    :raises QueryFailed: when the open transaction has failed, so that nothing can be asked.
    :raises QueryInterrupted: when the user does not want to wait; :raises ConnectionLost: when the session is gone.
    """
    if session.transaction_status == "INERROR":
        raise QueryFailed(
            f"the open transaction has failed: nothing can be {doing} in it",
            sqlstate="25P02",
            condition="in_failed_sql_transaction",
            advice="Nothing was sent. ROLLBACK ends it.",
        )
    future = session.submit(job)
    if not interrupts.wait(future, on_interrupt=lambda _: True, on_tick=lambda: False):
        raise QueryInterrupted(QueryCancelled(f"interrupted before anything was {doing}"))
    try:
        return future.result()
    except SessionLostError as loss:
        reason = loss.reason
    session.loss_told = True
    error = ConnectionLost(f"the session of {session.name!r} was lost: {reason}", name=session.name)
    went = f"Lost with it: an open transaction, if there was one, {STATE}.{silence(session.channels)}"
    error.transaction = f"{went} Nothing was sent."
    raise error
