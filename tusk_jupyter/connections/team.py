"""Several of a pool's connections that work on one thing: borrowed together, stopped together, given back clean.

Each gets a session of its own, with its worker, so that the rules of reading and cancelling are those of every
statement. A connection that was cancelled or lost is thrown away, not given back: a cancel that a pooler still carries
has nothing to hit then, and nobody has to wait until that is certain. The others come back as they were, because all
that was set in them was set for one transaction, which is rolled back if it is still open.
"""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from tusk_jupyter import interrupts
from tusk_jupyter.connections.session import CANCEL_TIMEOUT_S, Session
from tusk_jupyter.connections.wire import CancelledBeforeSentError, Command, SessionLostError, Token
from tusk_jupyter.errors import PoolTimeout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import psycopg

    from tusk_jupyter.connections.pool import ConnectionPool

T = TypeVar("T")
RESEND_S: Final = 0.3


@dataclass(slots=True, eq=False)
class Member:
    """One connection of a team: its session, and what a cancel of its work aims at."""

    number: int
    session: Session
    token: Token = field(default_factory=Token)


class Team:
    """Up to a pool's size of connections; ``close()`` gives them back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: list[Member] = []
        self._stack = ExitStack()
        self._lock = threading.Lock()
        self._stopped = False

    def borrow(self, pool: ConnectionPool, count: int) -> None:
        """Take that many connections.

        :raises PoolTimeout: when they are not free in time.
        :raises CancelledBeforeSentError: when it is stopped meanwhile.
        """
        while len(self.members) < count:
            try:
                conn = self._stack.enter_context(pool.borrow(until=lambda: self._stopped))
            except PoolTimeout:
                if self._stopped:
                    raise CancelledBeforeSentError from None
                raise
            self._join(conn, is_direct=pool.is_direct)

    def _join(self, conn: psycopg.Connection[Any], *, is_direct: bool) -> None:
        number = len(self.members)
        member = Member(number, Session(conn, name=f"{self.name} part {number + 1}", is_direct=is_direct))
        self._stack.callback(_give_back, member, conn)
        with self._lock:
            self.members.append(member)
            member.token.requested = self._stopped

    def each(self, job: Callable[[Member], T], *, members: Sequence[Member] | None = None) -> list[T]:
        """Run ``job`` for each member on its own worker and return what each returned.

        The first that fails stops the others; it is raised when all have ended.
        """
        chosen = self.members if members is None else members
        futures = [member.session.submit(partial(job, member)) for member in chosen]
        pending: set[Future[T]] = set(futures)
        failed: BaseException | None = None
        while pending:
            done, pending = wait(pending, timeout=RESEND_S if failed else None, return_when=FIRST_COMPLETED)
            failed = failed or next((error for future in done if (error := future.exception()) is not None), None)
            if failed is not None and pending:
                # asked again while they run: a request that overtakes a long statement finds the backend idle
                self.stop()
        if failed is not None:
            raise failed
        return [future.result() for future in futures]

    def stop(self) -> bool:
        """Ask the server to cancel what the members do, all at once; return whether a request was sent."""
        with self._lock:
            self._stopped = True
            members = list(self.members)
            for member in members:
                member.token.requested = True
        asked = [interrupts.spawn("cancel", partial(member.session.cancel, member.token)) for member in members]
        return any([future.result() for future in asked])  # noqa: C419 - all of them are waited for

    def abandon(self, reason: str) -> list[int]:
        """Give up all connections that it still has; return their backends' process ids."""
        # under the lock until it is done: what close() gives back belongs to the next borrower
        with self._lock:
            self._stopped = True
            for member in self.members:
                member.session.abandon(reason)
            return [pid for member in self.members if (pid := member.session.backend_pid) is not None]

    def close(self) -> None:
        """Give the connections back, or throw them away; doing it twice is fine."""
        with self._lock:
            self.members = []
        self._stack.close()


def _give_back(member: Member, conn: psycopg.Connection[Any]) -> None:
    session = member.session
    if member.token.sent:
        session.abandon("cancelled, and not used again")
    elif session.transaction_status in {"INTRANS", "INERROR"}:
        with suppress(SessionLostError, TimeoutError):
            session.submit(partial(session.run, None, Command(b"rollback"))).result(CANCEL_TIMEOUT_S)
    if not session.release():
        conn.close()
