"""How a connection gets in: the password from where there is one, the attempts, what the server says of itself.

A password is looked for in the order of the contract and asked for only when the server wants one. Every attempt runs
on a worker, so an interrupt leaves it within 50 ms; only the prompt needs the main thread. What was given with the
parameters stays in a closure: what everybody may look at (``target``) holds no password.
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter import interrupts
from tusk_jupyter.connections.route import Route
from tusk_jupyter.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionTimeout,
    QueryInterrupted,
    TuskError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    import psycopg

    from tusk_jupyter.connections.conninfo import Conninfo
    from tusk_jupyter.connections.credentials import Credentials
    from tusk_jupyter.connections.opening import Refused, ServerInfo
    from tusk_jupyter.connections.target import Target
    from tusk_jupyter.secret import Secret

    Opened = tuple[psycopg.Connection[Any], ServerInfo]

log = logging.getLogger("tusk_jupyter.connections")
GRACE_S = 0.5
# an SSH host key, an SSH password or passphrase, that of the TLS key, the database's password, and two of them again
QUESTIONS = 6


class Login:
    """The way in of one connection: :meth:`open` the session's, :meth:`open_one` more for its pool."""

    def __init__(self, target: Target, *, connection_id: str, name: str, credentials: Credentials) -> None:
        self.target = replace(target, conninfo=target.conninfo.public())
        self.name = name
        self._id = connection_id
        self._whole: Callable[[], Conninfo] = lambda: target.conninfo
        self._credentials = credentials
        self._asked = False
        self.route = Route(
            self._whole,
            ssh=target.ssh,
            connection_id=connection_id,
            saved=target.saved_id is not None,
            name=name,
            credentials=credentials,
        )

    def open(self, ask: Callable[[str], Secret | None] | None) -> Opened:
        """Open a connection and return it with what its server said.

        :param ask: prompts for what the server or the way to it wants (in the caller's thread).
        :raises TuskError: when the server cannot be reached or refuses.
        :raises KeyboardInterrupt: when the user does not want to wait.
        """
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
        if password is not None and self.target.saved_id and password == self._credentials.find(self._id, "db"):
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

    def open_one(self, server: ServerInfo | None) -> psycopg.Connection[Any] | TuskError:
        """Open one more connection for the pool, or return why not (on a thread of the pool's)."""
        import psycopg

        from tusk_jupyter.connections import opening

        # memory first: what opened the session is there, and a keychain may ask or be locked by now
        password = self._credentials.recall(self.target.password_key) or self._known_password()
        outcome = self._open(password, self.target.limits.connect_timeout_s)
        if isinstance(outcome, opening.Refused):
            log.warning("the pool of %s: %s", self.name, outcome.error)
            return outcome.error
        if server is None or server.pooler != "session":
            return outcome
        try:
            opening.apply_through_pooler(outcome, self.target.settings, self.target.limits.connect_timeout_s)
        except psycopg.Error as error:
            outcome.close()
            return ConnectionFailed(f"the pooler of {self.name} lent no connection: {error}")
        return outcome

    def _known_password(self) -> Secret | None:
        if (given := self._whole().password) is not None:
            return given
        kept = self._credentials.find(self._id, "db") if self.target.saved_id is not None else None
        return kept or self._credentials.recall(self.target.password_key)

    def use_password(self, password: Secret) -> bool:
        """Log in with another password from now on; return whether the connection was given one with its parameters."""
        whole = self._whole()
        if whole.password is not None:
            self._whole = lambda: replace(whole, password=password)
        self._credentials.remember(self.target.password_key, password)
        return whole.password is not None


def _dispose(outcome: Any) -> None:
    if isinstance(outcome, tuple):
        outcome[0].close()
