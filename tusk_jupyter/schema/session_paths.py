"""Where the sessions of a connection look for names: what each has set, asked only when it may have changed.

A connection of the pool has none of it: no ``SET search_path``, no ``SET ROLE``, no temporary tables. So a statement
that may have changed it is followed by one question on the session's worker, for which nobody waits but the next
statement. In an open transaction it is ``SHOW``, which takes no snapshot: ``SET TRANSACTION`` has to come before any
query. In a failed one nothing can be asked, and what was set in a transaction may be undone at its end: then it is
asked again. Where a pooler in between gives each statement another session there is nothing to ask.
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.schema import search_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.schema.catalog import Catalog
    from tusk_jupyter.schema.introspect import Place


@dataclass(frozen=True, slots=True)
class Looks:
    """Where a session looks for names: its ``search_path``, its user, the schema of its temporary tables."""

    path: str
    user: str
    temp: str | None = None


class SessionPaths:
    """What is known of where sessions look."""

    def __init__(self) -> None:
        self._looks: weakref.WeakKeyDictionary[Session, Looks] = weakref.WeakKeyDictionary()
        self._unsettled: weakref.WeakSet[Session] = weakref.WeakSet()

    def temp(self, session: Session | None) -> str | None:
        """Return the schema of a session's temporary tables, if it is known to have any."""
        looks = self._looks.get(session) if session is not None else None
        return looks.temp if looks is not None else None

    def user(self, session: Session) -> str | None:
        """Return who a session is by now, if it may be somebody else than its login."""
        looks = self._looks.get(session)
        return looks.user or None if looks is not None else None

    def of(self, session: Session | None, place: Place, catalog: Catalog) -> tuple[str, ...]:
        """Return the schemas that a session searches, in their order."""
        looks = self._looks.get(session) if session is not None else None
        looks = looks or Looks(place.path, place.user)
        # PostgreSQL reports it by itself from 18 on
        reported = session.parameter("search_path") if session is not None else None
        setting = looks.path if reported is None else reported
        return search_path.resolve(setting, user=looks.user, schemas=catalog.schemas, temp=looks.temp)

    def follow(self, session: Session, *, changed: bool, is_open: bool, then: Callable[[], object]) -> None:
        """Keep up with a statement that has run: ask, if it may have changed where the session looks.

        :param is_open: a transaction is open now; :param then: called when the answer is there, on the worker.
        """
        due = changed or (not is_open and session in self._unsettled)
        if not due:
            return
        if is_open:
            self._unsettled.add(session)
        else:
            self._unsettled.discard(session)
        session.submit(lambda: self._ask(session, then))

    def _ask(self, session: Session, then: Callable[[], object]) -> None:
        from tusk_jupyter.connections.wire import SessionLostError

        # who uses the session next is told that it is lost
        with suppress(SessionLostError):
            found = _asked(session, self._looks.get(session))
            if found is not None:
                self._looks[session] = found
                then()


def _asked(session: Session, before: Looks | None) -> Looks | None:
    from tusk_jupyter.schema import introspect

    status = session.transaction_status
    if status == "IDLE":
        rows = session.rows(introspect.statement("looks"))
        return Looks(rows[0][0] or "", rows[0][1] or "", rows[0][2]) if rows else None
    if status != "INTRANS":
        return None
    path, role = session.scalar("show search_path"), session.scalar("show role")
    user = role if role != "none" else session.scalar("show session_authorization")
    return Looks(path or "", user or "", before.temp if before is not None else None)
