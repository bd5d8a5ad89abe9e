"""A connection as users know it: a name, a status, one session for the cells, a pool for everything else.

The session is opened when it is needed and opened again after it was lost; it is never replaced silently in between.
How it gets in is :mod:`~tusk_jupyter.connections.login`'s.
"""

from __future__ import annotations

import logging
import threading
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from tusk_jupyter.connections import forking
from tusk_jupyter.connections.login import Login
from tusk_jupyter.errors import ConnectionFailed, ConnectionLost, TuskError
from tusk_jupyter.events import ConnectionEvent
from tusk_jupyter.interrupts import side_by_side
from tusk_jupyter.notifications import silence

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from tusk_jupyter.connections.credentials import Credentials
    from tusk_jupyter.connections.opening import ServerInfo
    from tusk_jupyter.connections.pool import ConnectionPool
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.connections.time_outs import TimeOut
    from tusk_jupyter.events import Events
    from tusk_jupyter.secret import Secret

    Opened = tuple[psycopg.Connection[Any], ServerInfo]

log = logging.getLogger("tusk_jupyter.connections")


class Work(Protocol):
    """What runs on a connection of the pool and ends with it: a background job."""

    def close(self) -> None:
        """End it, within a few seconds; from any thread."""

    def cancel_at_exit(self) -> None:
        """Ask for its end and return at once."""


class Connection:
    """One named connection of this kernel; ``close()`` ends it."""

    def __init__(
        self,
        name: str,
        target: Target,
        *,
        credentials: Credentials,
        events: Events,
        on_session: Callable[[Connection], object] | None = None,
    ) -> None:
        self.id = target.saved_id or str(uuid.uuid4())
        self.name = name
        self._login = Login(target, connection_id=self.id, name=name, credentials=credentials)
        self.target = self._login.target
        self.route = self._login.route
        self.status = "disconnected"
        self.created_at = datetime.now(UTC)
        self.last_used: datetime | None = None
        self.server: ServerInfo | None = None
        self._untold: tuple[str, ...] = ()
        self.error: TuskError | None = None
        self._events = events
        self._on_session = on_session
        self._lock = threading.RLock()
        self._session: Session | None = None
        self._pool: ConnectionPool | None = None
        self._pins = 0
        self._work: set[Work] = set()
        forking.watch(self)

    def __repr__(self) -> str:
        return f"<Connection {self.name!r} {self.status} {self.target.conninfo.redacted()}>"

    @property
    def pool(self) -> ConnectionPool:
        """The connections besides the session."""
        with self._lock:
            if self._pool is None:
                from tusk_jupyter.connections.pool import ConnectionPool

                limits = self.target.limits
                self._pool = ConnectionPool(
                    lambda: self._login.open_one(self.server),
                    reset=self._reset,
                    leased=lambda: self.is_alive,
                    max_size=limits.pool_size,
                    timeout_s=limits.pool_timeout_s,
                    name=self.name,
                )
            return self._pool

    @property
    def live_session(self) -> Session | None:
        """The session, if there is one that is not lost."""
        session = self._session
        return session if session is not None and session.lost is None else None

    @property
    def is_alive(self) -> bool:
        """Whether there is a session whose server has not hung up, as far as the socket knows."""
        session = self.live_session
        return session is not None and not session.is_gone

    def forget(self) -> list[Any]:
        """Drop the parent's pool in a forked child, and its tunnel's way; the next use opens a session here.

        The session stays as one that is lost: a transaction block of the parent's does not go on in a new one.
        """
        self._lock = threading.RLock()
        self._pool = None
        self._work = set()
        self.route.forget()
        if self.status in {"connecting", "disconnecting"}:
            self.status = "disconnected"
        return []

    def take_greetings(self) -> tuple[str, ...]:
        """Return what the server said when the session began, and that it let us wait; once for each session."""
        told, self._untold = self._untold, ()
        return told

    def rename(self, name: str) -> None:
        """Take the name that the server's own words suggest."""
        self.name = self._login.name = name
        if self._session is not None:
            self._session.name = name

    def session(self, ask: Callable[[str], Secret | None] | None = None) -> Session:
        """Return the live session, opening one where there is none.

        :param ask: prompts for a password (called in the caller's thread, only when the server asks for one).
        :raises TuskError: when the server cannot be reached or refuses.
        :raises KeyboardInterrupt: when the user does not want to wait.
        """
        with self._lock:
            self.last_used = datetime.now(UTC)
            if (session := self.live_session) is not None:
                return session
            if self._session is not None:
                if self._pins:
                    self._session.loss_told = True
                    raise ConnectionLost(
                        f"the session of {self.name!r} was lost, and its transaction block has not ended yet",
                        name=self.name,
                        advice="Let the error leave the with block: what runs after it gets a new session.",
                    )
                gone, self._session = self._session, None
                gone.close()
                if not gone.loss_told:
                    # lost in what we did for ourselves, after a statement: a cell that builds on it must not run
                    raise _lost_unnoticed(self.name, gone)
            return self._open_session(ask)

    @contextmanager
    def pinned(self) -> Iterator[Session]:
        """Lend the session for a block; if it is lost within, no other takes its place before the block ends."""
        session = self.session()
        with self._lock:
            self._pins += 1
        try:
            yield session
        finally:
            with self._lock:
                self._pins -= 1

    def _open_session(self, ask: Callable[[str], Secret | None] | None) -> Session:
        self._change("connecting")
        try:
            conn, info = self._login.open(ask)
        except TuskError as error:
            self.error = error
            self.route.close()
            self._change("error", error)
            raise
        except BaseException:
            self.route.close()
            self._change("disconnected")
            raise
        from tusk_jupyter.connections.session import Session

        session = Session(conn, name=self.name, is_direct=info.pooler is None)
        if info.keeps_sessions:
            session.backend_pid = info.backend_pid
        session.use_time_outs(self._time_outs_of(info))
        self._session, self.server, self.error = session, info, None
        self._untold = (*filter(None, (info.waited,)), *info.greeted)
        self.pool.is_direct = info.pooler is None
        self._change("connected")
        if self._on_session is not None:
            self._on_session(self)
        return session

    @property
    def time_outs(self) -> dict[str, TimeOut]:
        """The time-outs that each connection begins with, as far as the server has been asked."""
        return self._time_outs_of(self.server) if self.server is not None else {}

    def _time_outs_of(self, info: ServerInfo) -> dict[str, TimeOut]:
        """Mark the time-outs that are this connection's own: to the server they are what any SET has made."""
        settings = self.target.settings
        given = {"statement_timeout": settings.statement_timeout, "lock_timeout": settings.lock_timeout}
        return {
            name: replace(one, source="connection") if given.get(name) and one.source == "session" else one
            for name, one in info.time_outs.items()
        }

    def _reset(self) -> tuple[bytes, ...]:
        """Return what makes a connection of the pool as new; DISCARD ALL takes our own settings as well."""
        from tusk_jupyter.connections import opening

        server = self.server
        if server is None or not server.keeps_sessions:
            return ()
        return b"discard all", *opening.session_settings(self.target.settings, checks_clients=server.checks_clients)

    def use_password(self, password: Secret) -> bool:
        """Log in with another password from now on; return whether the connection was given one with its parameters."""
        return self._login.use_password(password)

    @contextmanager
    def aside(self) -> Iterator[psycopg.Connection[Any]]:
        """Open a connection for a question about one that was lost, beside the pool, and close it; on a worker.

        :raises TuskError: when it cannot be opened.
        """
        opened = self._login.open_one(self.server)
        if isinstance(opened, TuskError):
            raise opened
        try:
            yield opened
        finally:
            opened.close()
            if self.status == "disconnected":  # nobody else would close its tunnel again
                self.route.close()

    def adopt(self, work: Work) -> ConnectionPool:
        """End ``work`` when this connection is closed, until it is dismissed; return the pool that it is to use.

        :raises ConnectionFailed: when it is closed already, and nobody would end it.
        """
        with self._lock:
            if self._session is None and self._pool is None:
                raise ConnectionFailed(f"{self.name!r} is disconnected", advice="Connect again.", name=self.name)
            self._work.add(work)
            return self.pool

    def dismiss(self, work: Work) -> None:
        """Forget work that has ended."""
        with self._lock:
            self._work.discard(work)

    def close(self) -> None:
        """Cancel what runs, close session and pool; closing twice is fine."""
        with self._lock:
            session, self._session = self._session, None
            pool, self._pool = self._pool, None
            work, self._work = list(self._work), set()
        if session is None and pool is None and self.status == "disconnected":
            return
        self._change("disconnecting")
        for each in work:
            each.cancel_at_exit()
        if session is not None:
            session.close()
        if pool is not None:
            pool.close()
        side_by_side([each.close for each in work], name="disconnect")
        self.route.close()
        self._change("disconnected")

    def _change(self, status: str, error: TuskError | None = None) -> None:
        self.status = status
        if error is None:
            log.info("connection %s: %s", self.name, status)
        else:
            log.warning("connection %s: %s: %s", self.name, type(error).__name__, error.message)
        if status != "disconnecting":
            info = error.info() if error is not None else None
            self._events.emit(ConnectionEvent(status, self.id, self.name, info))  # type: ignore[arg-type]


def _lost_unnoticed(name: str, gone: Session) -> ConnectionLost:
    error = ConnectionLost(f"the session of {name!r} was lost: {(gone.lost or 'closed').splitlines()[0]}", name=name)
    error.transaction = (
        "Lost with it: an open transaction, if there was one, temp tables, settings, prepared statements and session "
        f"locks.{silence(gone.channels)} The statement was not sent."
    )
    return error
