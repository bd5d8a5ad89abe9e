"""The keychain of the operating system, through keyring: passwords by connection id and kind, each call bounded.

A keychain's daemon that is frozen holds its caller without end (seen with SIGSTOP), so every call runs on a daemon
thread with a limit: 3 s, and a minute where a desktop may be asking its user to unlock. After one that was not answered
the others fail at once until the retry period is over, or the late answer comes: without that, opening five connections
would wait five times. What is imported is not counted: on a cold disk that alone takes seconds, and nothing is wrong.

One call at a time: gnome-keyring 42.1 aborts under ten threads (once in some 2,000 calls), and with it goes the
keychain of the whole desktop. Whoever leaves a call that is under way gives the turn to the others; who waited behind
one that was not answered leaves with it, and what he asked for is not done late.

A backend's exception never leaves this module, nor its traceback: its frames hold the password. What is done with
keyring, without any limit, is in :mod:`tusk_jupyter.connections.keychain_backends`.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from tusk_jupyter import interrupts
from tusk_jupyter.connections import keychain_backends as backends
from tusk_jupyter.errors import KeyringError, TuskError
from tusk_jupyter.translate import keychain_error

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from tusk_jupyter.secret import Secret

T = TypeVar("T")
log = logging.getLogger("tusk_jupyter.connections")
# keyring reports a plug-in that does not load through logging, which without a handler writes into the cell
logging.getLogger("keyring").addHandler(logging.NullHandler())

LIMIT_S = 3.0
PROMPT_LIMIT_S = 60.0
BEFORE_LIMIT_S = 30.0
RETRY_S = 60.0
NOTICEABLE_S = 1.0


@dataclass(frozen=True, slots=True)
class KeychainState:
    """Whether passwords can be kept: the backend's name, and why not (or what will be asked) as ``reason``."""

    ok: bool
    backend: str | None
    reason: str | None


@dataclass(slots=True)
class _Call(Generic[T]):
    """One job on its thread: waits for its ``turn``, says when it ``began``, and does nothing once it was ``left``."""

    job: Callable[[], T]
    secrets: list[Secret]
    turn: threading.Lock
    began: float | None = None
    left: bool = False
    since: float = field(default_factory=time.monotonic)

    def run(self) -> T | KeyringError:
        """Return what the job returns, or its failure as ours, without the frames and causes that hold a password."""
        try:
            backends.load()
            with self.turn:
                if self.left:
                    return _silence()
                self.began = time.monotonic()
                return self.job()
        except KeyringError as error:
            failure = error
        except Exception as error:  # noqa: BLE001 - jeepney, pywin32 and the rest raise what they like
            failure = keychain_error(error, self.secrets)
        failure.__traceback__ = failure.__context__ = failure.__cause__ = None
        return failure


class Keychain:
    """Read, write, remove, each within its limit; in the main thread an interrupt leaves them within 50 ms.

    :param on_wait: called in the caller's thread with ``True`` when an answer takes longer than a second (the desktop
        may be asking its user), and with ``False`` when that wait is over.
    :param limit_s: for an answer; without it 3 s, or 60 s where a desktop may ask.
    :param retry_s: for how long nothing is asked after a call that was not answered.
    """

    def __init__(
        self,
        *,
        on_wait: Callable[[bool], object] | None = None,
        limit_s: float | None = None,
        retry_s: float = RETRY_S,
    ) -> None:
        self.on_wait = on_wait
        self._limit_s = limit_s
        self._retry_s = retry_s
        self._lock = threading.Lock()
        self._silent_until = 0.0
        self._turn = threading.Lock()
        self._logged: str | None = None

    def read(self, user: str) -> Secret | None:
        """Return what is kept for ``user``; :raises KeyringError: when the keychain does not say."""
        return self._ask(lambda: backends.read(user))

    def write(self, user: str, secret: Secret) -> None:
        """Keep ``secret`` and read it back; :raises KeyringError: when it is not kept exactly so."""
        self._ask(lambda: backends.write(user, secret), secret)

    def remove(self, users: Sequence[str]) -> None:
        """Remove what is kept for them, if anything; :raises KeyringError: when something may still be there."""
        self._ask(lambda: backends.remove(users))

    def state(self) -> KeychainState:
        """Return whether passwords can be kept; nothing is unlocked and nobody is asked for it."""
        try:
            name, locked = self._ask(backends.look, limit=self._limit_s or LIMIT_S)
        except KeyringError as error:
            return KeychainState(ok=False, backend=None, reason=_reason(error))
        if not locked:
            return KeychainState(ok=True, backend=name, reason=None)
        if may_prompt():
            return KeychainState(ok=True, backend=name, reason="locked: the desktop asks for its password when needed")
        return KeychainState(ok=False, backend=name, reason="locked, and there is no desktop that could unlock it")

    def reset(self) -> None:
        """Ask again at the next call, whatever happened before."""
        with self._lock:
            self._silent_until = 0.0

    def _ask(self, job: Callable[[], T], secret: Secret | None = None, *, limit: float | None = None) -> T:
        """Return what ``job`` returns on a thread of its own; every failure is a :class:`KeyringError`."""
        if limit is None:
            limit = self._limit_s or (PROMPT_LIMIT_S if may_prompt() else LIMIT_S)
        self._admit(limit)
        call = _Call(job, [secret] if secret is not None else [], self._turn)
        answer = interrupts.spawn("keychain", call.run)
        answer.add_done_callback(lambda _: self.reset())
        try:
            done = self._wait(call, answer, limit)
        except KeyboardInterrupt:
            self._leave(call)
            raise
        if not done:
            self._leave(call, silent_s=self._retry_s)
            if answer.done():  # between the last look and the line above
                self.reset()
            log.warning("the keychain did not answer within %g s", limit)
            raise _silence()
        outcome = answer.result()
        if isinstance(outcome, KeyringError):
            # a machine without a keychain says so at each password: once is enough until something else happens
            level = logging.DEBUG if outcome.message == self._logged else logging.WARNING
            self._logged = outcome.message
            log.log(level, "keychain: %s (%s)", outcome, outcome.detail)
            raise outcome
        self._logged = None
        return outcome

    def _leave(self, call: _Call[T], *, silent_s: float | None = None) -> None:
        """Stop waiting for ``call``; if it is under way, the turn is another's from now on."""
        call.left = True
        with self._lock:
            if call.began is not None and call.turn is self._turn:
                self._turn = threading.Lock()
                if silent_s is not None:
                    self._silent_until = time.monotonic() + silent_s

    def _admit(self, limit: float) -> None:
        """Refuse while the keychain is silent; when the period is over, let one call try it for all others."""
        now = time.monotonic()
        with self._lock:
            silent = now < self._silent_until
            if self._silent_until and not silent:
                self._silent_until = now + limit + self._retry_s
        if silent:
            raise _silence()

    def _wait(self, call: _Call[T], answer: Future[T | KeyringError], limit: float) -> bool:
        """Return whether the answer came in time; :raises KeyboardInterrupt: on an interrupt."""
        interrupted = shown = False

        def stop(_count: int) -> bool:
            nonlocal interrupted
            interrupted = True
            return True

        def tick() -> bool:
            nonlocal shown
            now = time.monotonic()
            if not shown and now - call.since >= NOTICEABLE_S:
                shown = True
                self._show(waiting=True)
            if call.began is not None:
                return now >= call.began + limit
            return call.turn is not self._turn or now >= call.since + BEFORE_LIMIT_S

        try:
            done = interrupts.wait(answer, on_interrupt=stop, on_tick=tick)
        finally:
            if shown:
                self._show(waiting=False)
        if interrupted:
            raise KeyboardInterrupt
        return done

    def _show(self, *, waiting: bool) -> None:
        if self.on_wait is None:
            return
        try:
            self.on_wait(waiting)
        except Exception:  # what is shown meanwhile must not cost the password
            log.exception("showing the wait for the keychain failed")


def may_prompt() -> bool:
    """Return whether a desktop may ask its user to unlock; Windows never asks for its credentials."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _silence() -> KeyringError:
    return KeyringError(
        "the keychain does not answer",
        advice="Look for its dialog, or end and start it again; it is asked again after a minute.",
    )


def _reason(error: TuskError) -> str:
    return f"{error.message}: {error.detail}" if error.detail else error.message
