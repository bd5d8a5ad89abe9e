"""A connection as users know it: a name, a status, one session for the cells, a pool for everything else.

The session is opened when it is needed and opened again after it was lost; it is never replaced silently in between.
Every attempt runs on a worker, so an interrupt leaves it within 50 ms; only the password prompt needs the main
thread.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tusk_jupyter import interrupts
from tusk_jupyter.connections import forking
from tusk_jupyter.connections.route import Route
from tusk_jupyter.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionLost,
    ConnectionTimeout,
    QueryInterrupted,
    TuskError,
)
from tusk_jupyter.events import ConnectionEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import psycopg

    from tusk_jupyter.connections.conninfo import Conninfo
    from tusk_jupyter.connections.credentials import Credentials
    from tusk_jupyter.connections.opening import Refused, ServerInfo
    from tusk_jupyter.connections.pool import ConnectionPool
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.events import Events
    from tusk_jupyter.secret import Secret

    Opened = tuple[psycopg.Connection[Any], ServerInfo]

log = logging.getLogger("tusk_jupyter.connections")
GRACE_S = 0.5
# an SSH host key, an SSH password or passphrase, that of the TLS key, the database's password, and two of them again
QUESTIONS = 6


class Connection:
    """One named connection of this kernel; ``close()`` ends it."""

    def __init__(self, name: str, target: Target, *, credentials: Credentials, events: Events) -> None:
        self.id = target.saved_id or str(uuid.uuid4())
        self.name = name
        # what everybody may look at holds no password; those that were given stay in a closure
        self.target = replace(target, conninfo=target.conninfo.public())
        self._whole: Callable[[], Conninfo] = lambda: target.conninfo
        self.status = "disconnected"
        self.created_at = datetime.now(UTC)
        self.last_used: datetime | None = None
        self.server: ServerInfo | None = None
        self._untold: str | None = None
        self.error: TuskError | None = None
        self._credentials = credentials
        self._events = events
        self._lock = threading.RLock()
        self._session: Session | None = None
        self._pool: ConnectionPool | None = None
        self.route = Route(
            self._whole,
            ssh=target.ssh,
            connection_id=self.id,
            saved=target.saved_id is not None,
            name=name,
            credentials=credentials,
        )
        self._pins = 0
        self._asked = False
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
                    self._open_one,
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
        self.route.forget()
        if self.status in {"connecting", "disconnecting"}:
            self.status = "disconnected"
        return []

    def take_waited(self) -> str | None:
        """Return that the server let us wait, once for each time that it did."""
        told, self._untold = self._untold, None
        return told

    def rename(self, name: str) -> None:
        """Take the name that the server's own words suggest."""
        self.name = name
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
                    raise _lost_unnoticed(self.name, gone.lost)
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
            conn, info = self._connect(ask)
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
        session.statement_timeout_ms = info.statement_timeout_ms
        self._session, self.server, self.error = session, info, None
        self._untold = info.waited
        self.pool.is_direct = info.pooler is None
        self._change("connected")
        return session

    def _connect(self, ask: Callable[[str], Secret | None] | None) -> tuple[psycopg.Connection[Any], ServerInfo]:
        from tusk_jupyter.connections import opening

        password = self._known_password()
        if self.target.ask and not self._asked and ask is not None:
            # -W: the user wants to be asked, whatever is known; a session that is opened again does not
            password = self._prompt(ask)
            self._asked = True
        outcome = self._attempt(password)
        for _ in range(QUESTIONS):
            if not isinstance(outcome, opening.Refused):
                break
            if outcome.asks and ask is not None:
                password = self._prompt(ask)
            elif not self._supplied(outcome, ask):
                break
            outcome = self._attempt(password)
        if isinstance(outcome, opening.Refused):
            self._refused(outcome.error, password)
            if outcome.passphrase is not None:
                self.route.keep_passphrase(works=False)
            raise outcome.error
        self.route.keep_passphrase(works=True)
        if password is not None:
            self._credentials.remember(self.target.password_key, password)
        return outcome

    def _supplied(self, outcome: Refused, ask: Callable[[str], Secret | None] | None) -> bool:
        """Ask for what the way to the server lacked; return whether another attempt is worth it."""
        if outcome.passphrase is not None:
            return self.route.supply_passphrase(outcome.passphrase, ask)
        return self.route.supply(ask)

    def _refused(self, error: TuskError, password: Secret | None) -> None:
        if not isinstance(error, AuthenticationFailed):
            return
        self._credentials.forget(self.target.password_key)
        if password is not None and self.target.saved_id and password == self._credentials.find(self.id, "db"):
            # not asked for again by itself: a server may lock the role after a few refusals
            error.advice = (
                f"The password that is kept for {self.name} was refused. `%tusk_connect {self.name} -W --save` asks "
                f"for another and keeps that. {error.advice or ''}"
            ).rstrip()

    def _prompt(self, ask: Callable[[str], Secret | None]) -> Secret:
        password = ask(f"Password for {self.target.conninfo.redacted()}: ")
        if password is None:
            raise AuthenticationFailed(
                f"{self.name!r} needs a password, and nobody can be asked here",
                advice="Give it with --password-env or --password-command, or in ~/.pgpass.",
            )
        return password

    def _attempt(self, password: Secret | None) -> Opened | Refused:
        limit = self.target.limits.connect_timeout_s
        failure: BaseException
        try:
            opened: Opened | Refused = interrupts.call(
                "connect", lambda: self._open_with_info(password, limit), timeout=limit + GRACE_S, late=_dispose
            )
        except KeyboardInterrupt:
            advice = "Nothing is connected. Run the cell again to try again."
            failure = QueryInterrupted(ConnectionFailed(f"connecting to {self.name} was interrupted", advice=advice))
        except TimeoutError:
            failure = ConnectionTimeout(
                f"cannot connect to {self.name}: nothing answered within {limit:g} s",
                facts=(("tried", self.target.conninfo.redacted()),),
                duration_s=limit,
            )
        else:
            return opened
        raise failure

    def _open_with_info(self, password: Secret | None, limit: float) -> Opened | Refused:
        from tusk_jupyter.connections import failures, opening

        deadline = time.monotonic() + limit
        outcome = self._open(password, limit)
        if isinstance(outcome, opening.Refused):
            return outcome
        try:
            return outcome, self._server_info(outcome, password, deadline)
        except Exception as error:  # noqa: BLE001 - a server that breaks here is a failed connect, whatever it said
            outcome.close()
            failed = failures.connect_error(
                error, target=self.target.conninfo.redacted(), name=self.name, conninfo=self.target.conninfo
            )
            return opening.Refused(failed)

    def _server_info(self, conn: psycopg.Connection[Any], password: Secret | None, deadline: float) -> ServerInfo:
        from tusk_jupyter.connections import opening, pooler

        settings, tunnelled = self.target.settings, self.target.ssh is not None
        info = opening.server_info(conn, deadline=deadline, read_only=settings.read_only, tunnelled=tunnelled)
        left = deadline - time.monotonic()
        if info.pooler is None or left < pooler.LOGIN_S:  # libpq takes no shorter time to log in
            return info

        def open_other() -> psycopg.Connection[Any] | Exception:
            return opening.log_in(self.route.conninfo(left), password, pooler.LOGIN_S)

        mode = pooler.mode_of(conn, open_other, left)
        if mode == "session":
            opening.apply_through_pooler(conn, settings, max(deadline - time.monotonic(), 0.1))
            info = opening.server_info(conn, deadline=deadline, read_only=settings.read_only, tunnelled=tunnelled)
        return replace(info, pooler=mode)

    def _open(self, password: Secret | None, limit: float) -> psycopg.Connection[Any] | Refused:
        """Open a connection by the way that the target says; on a worker."""
        from tusk_jupyter.connections import opening

        start = time.monotonic()
        try:
            conninfo = self.route.conninfo(limit)
        except TuskError as error:
            return opening.Refused(error)
        left = max(0.1, round(limit - (time.monotonic() - start), 1))  # it is said to the user
        return opening.connect(
            conninfo, password=password, timeout_s=left, settings=self.target.settings, name=self.name
        )

    def _open_one(self) -> psycopg.Connection[Any] | TuskError:
        """Open one more connection for the pool, or return why not (on a thread of the pool's)."""
        import psycopg

        from tusk_jupyter.connections import opening

        # memory first: what opened the session is there, and a keychain may ask or be locked by now
        password = self._credentials.recall(self.target.password_key) or self._known_password()
        outcome = self._open(password, self.target.limits.connect_timeout_s)
        if isinstance(outcome, opening.Refused):
            log.warning("the pool of %s: %s", self.name, outcome.error)
            return outcome.error
        if self.server is None or self.server.pooler != "session":
            return outcome
        try:
            opening.apply_through_pooler(outcome, self.target.settings, self.target.limits.connect_timeout_s)
        except psycopg.Error as error:
            outcome.close()
            return ConnectionFailed(f"the pooler of {self.name} lent no connection: {error}")
        return outcome

    def _reset(self) -> tuple[bytes, ...]:
        """Return what makes a connection of the pool as new; DISCARD ALL takes our own settings as well."""
        from tusk_jupyter.connections import opening

        server = self.server
        if server is None or not server.keeps_sessions:
            return ()
        return b"discard all", *opening.session_settings(self.target.settings, checks_clients=server.checks_clients)

    def _known_password(self) -> Secret | None:
        if (given := self._whole().password) is not None:
            return given
        kept = self._credentials.find(self.id, "db") if self.target.saved_id is not None else None
        return kept or self._credentials.recall(self.target.password_key)

    def use_password(self, password: Secret) -> bool:
        """Log in with another password from now on; return whether the connection was given one with its parameters."""
        whole = self._whole()
        if whole.password is not None:
            self._whole = lambda: replace(whole, password=password)
        self._credentials.remember(self.target.password_key, password)
        return whole.password is not None

    def close(self) -> None:
        """Cancel what runs, close session and pool; closing twice is fine."""
        with self._lock:
            session, self._session = self._session, None
            pool, self._pool = self._pool, None
        if session is None and pool is None and self.status == "disconnected":
            return
        self._change("disconnecting")
        if session is not None:
            session.close()
        if pool is not None:
            pool.close()
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


def _lost_unnoticed(name: str, reason: str | None) -> ConnectionLost:
    error = ConnectionLost(f"the session of {name!r} was lost: {(reason or 'closed').splitlines()[0]}", name=name)
    error.transaction = (
        "Lost with it: an open transaction, if there was one, temp tables, settings, prepared statements and session "
        "locks. The statement was not sent."
    )
    return error


def _dispose(outcome: Any) -> None:
    if isinstance(outcome, tuple):
        outcome[0].close()
