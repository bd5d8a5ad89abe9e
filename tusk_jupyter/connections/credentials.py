"""Where passwords come from, and where they are kept: in the keychain, else in this kernel's memory.

The order is the contract's: the URL, ``--password-env`` or ``--password-command``, the keychain, this kernel's memory,
``~/.pgpass`` (libpq reads that itself), and only when the server asks for one, a prompt. A password lives in a
:class:`~tusk_jupyter.secret.Secret`, in no trait, file or environment of ours.

What the keychain would not take is kept in memory, and found there before the keychain is asked: it was given later
than whatever the keychain still holds. Failures are told once per kernel and cause, not once per connection; that a
machine has no keychain is told only when a password should be kept, since where there is none nothing can be missing.
"""

from __future__ import annotations

import logging
import os
import shlex
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tusk_jupyter.errors import AuthenticationFailed, CredentialNotFound, InvalidInput, KeyringError
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tusk_jupyter.connections.keychain import Keychain, KeychainState

log = logging.getLogger("tusk_jupyter.connections")
COMMAND_TIMEOUT_S = 60.0
Kind = Literal["db", "ssh", "sshkey", "sslkey"]
KINDS: tuple[Kind, ...] = ("db", "ssh", "sshkey", "sslkey")
_LABELS = {
    "db": "database password",
    "ssh": "SSH password",
    "sshkey": "passphrase of the SSH key",
    "sslkey": "passphrase of the TLS key",
}
_KEEPING = "so the password is kept in this kernel's memory only and is gone when the kernel ends"
_READING = "so saved passwords cannot be read"
_REMOVING = "so a deleted password may still be in it"


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a password is now, and what the user must be told about it (once per kernel and cause)."""

    where: Literal["keychain", "memory"]
    warning: str | None


def from_env(variable: str) -> Secret:
    """Return the password in an environment variable of the kernel."""
    value = os.environ.get(variable)
    if not value:
        raise InvalidInput(
            f"the environment variable {variable!r} is not set in this kernel",
            advice=f"Set {variable} where Jupyter is started, or use -W to be asked for the password.",
        )
    return Secret(value)


def from_command(command: str) -> Secret:
    """Return the first line that a command prints, as ``pass show db/shop`` does."""
    outcome = _first_line(command)
    if isinstance(outcome, str):
        raise AuthenticationFailed(
            f"the password command failed: {outcome}",
            advice="Run the command in a terminal: its first line of output must be the password.",
        )
    return outcome


def _first_line(command: str) -> Secret | str:
    """Return the password or why there is none; what was printed is in no frame of an exception."""
    import subprocess

    try:
        done = subprocess.run(  # noqa: S603 - running the user's own command is the option's purpose
            shlex.split(command), capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    if done.returncode != 0:
        return f"exit status {done.returncode}"
    output = done.stdout.decode(errors="replace").split("\n", 1)[0].rstrip("\r")
    return Secret(output) if output else "it printed nothing"


class Credentials:
    """The passwords of this kernel: typed ones by what they open, saved ones by connection id and kind."""

    def __init__(self, keychain: Keychain | None = None) -> None:
        self._keychain = keychain
        self._on_wait: Callable[[bool], object] | None = None
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], Secret] = {}
        self._refused: dict[tuple[str, ...], Secret] = {}
        self._told: set[tuple[str, str]] = set()
        self._warnings: list[str] = []

    @property
    def keychain(self) -> Keychain:
        """The operating system's, imported when a password is first looked for; one, since its calls take turns."""
        from tusk_jupyter.connections.keychain import Keychain

        with self._lock:
            if self._keychain is None:
                self._keychain = Keychain(on_wait=self._on_wait)
            return self._keychain

    def tell_waits(self, on_wait: Callable[[bool], object] | None) -> None:
        """Have ``on_wait`` called when the keychain lets its caller wait (see there), whenever it is imported."""
        with self._lock:
            self._on_wait = on_wait
            if self._keychain is not None:
                self._keychain.on_wait = on_wait

    def remember(self, key: tuple[str, ...], password: Secret) -> None:
        """Keep ``password`` until the kernel ends."""
        with self._lock:
            self._known[key] = password

    def recall(self, key: tuple[str, ...]) -> Secret | None:
        """Return what this kernel's memory holds, if anything."""
        with self._lock:
            return self._known.get(key, self._refused.get(key))

    def forget(self, key: tuple[str, ...]) -> None:
        """Drop a password that the server refused."""
        with self._lock:
            self._known.pop(key, None)

    def has_password(self, key: tuple[str, ...]) -> bool:
        """Return whether one is remembered, without giving it away."""
        return self.recall(key) is not None

    def clear(self) -> None:
        """Forget everything in memory; the keychain stays as it is."""
        with self._lock:
            self._known.clear()
            self._refused.clear()

    def store(self, connection_id: str, kind: Kind, secret: Secret, *, lasting: bool = True) -> Kept:
        """Keep ``secret`` in the keychain, or in this kernel's memory where the keychain does not take it.

        :param lasting: ``False`` for a connection that is itself in memory only: nobody would find its password.
        """
        key = _key(connection_id, kind)
        if not lasting:
            with self._lock:
                self._refused[key] = secret
            return Kept("memory", None)
        failure = None
        try:
            self.keychain.write(_user(key), secret)
        except KeyringError as error:
            failure = error
        with self._lock:
            self._known.pop(key, None)
            if failure is None:
                self._refused.pop(key, None)
                return Kept("keychain", None)
            self._refused[key] = secret
        return Kept("memory", self._warning(failure, _KEEPING))

    def get(self, connection_id: str, kind: Kind) -> Secret:
        """Return a password that was stored.

        :raises CredentialNotFound: when there is none.
        :raises KeyringError: when the keychain does not say, and this kernel's memory has none.
        """
        key = _key(connection_id, kind)
        with self._lock:
            newer = self._refused.get(key)
        if newer is not None:
            return newer
        failure = found = None
        try:
            found = self.keychain.read(_user(key))
        except KeyringError as error:
            failure = error
        if found is None:
            found = self.recall(key)
        if found is not None:
            return found
        raise failure or CredentialNotFound(f"no {_LABELS[kind]} is stored for this connection", name=connection_id)

    def find(self, connection_id: str, kind: Kind) -> Secret | None:
        """Return a password that was stored, or ``None``; a keychain that fails becomes a warning."""
        try:
            return self.get(connection_id, kind)
        except CredentialNotFound:
            return None
        except KeyringError as error:
            failure = error
        from tusk_jupyter.translate import NO_KEYCHAIN

        if failure.message != NO_KEYCHAIN:
            self._add(self._warning(failure, _READING))
        return None

    def has(self, connection_id: str, kind: Kind) -> bool:
        """Return whether one is stored, without giving it away; never raises."""
        return self.find(connection_id, kind) is not None

    def delete(self, connection_id: str, kind: Kind | None = None, *, lasting: bool = True) -> None:
        """Remove a password, or all of a connection, from the keychain and from memory; never raises.

        :param lasting: ``False`` where the connection is gone from memory only, and will be back with its passwords.
        """
        keys = [_key(connection_id, each) for each in ((kind,) if kind else KINDS)]
        with self._lock:
            for key in keys:
                self._known.pop(key, None)
                self._refused.pop(key, None)
        if not lasting:
            return
        try:
            self.keychain.remove([_user(key) for key in keys])
        except KeyringError as error:
            failure = error
        else:
            return
        from tusk_jupyter.translate import NO_KEYCHAIN

        if failure.message != NO_KEYCHAIN:
            self._add(self._warning(failure, _REMOVING))

    def available(self) -> KeychainState:
        """Return whether the keychain takes passwords; nothing is unlocked."""
        return self.keychain.state()

    def take_warnings(self) -> list[str]:
        """Return what the user must be told and was not yet, each once."""
        with self._lock:
            taken, self._warnings = self._warnings, []
        return taken

    def _warning(self, failure: KeyringError, effect: str) -> str | None:
        """Return one sentence, at the first time that this cause has this effect."""
        with self._lock:
            if (failure.message, effect) in self._told:
                return None
            self._told.add((failure.message, effect))
        advice = failure.advice[:1].lower() + failure.advice[1:]
        return f"{failure.message[:1].upper()}{failure.message[1:]}, {effect}: {advice}"

    def _add(self, warning: str | None) -> None:
        if warning is not None:
            with self._lock:
                self._warnings.append(warning)


def _key(connection_id: str, kind: Kind) -> tuple[str, str]:
    if not connection_id:
        raise InvalidInput("a password is kept for a connection that is saved: this one has no id")
    if kind not in KINDS:
        raise InvalidInput(f"there is no credential of kind {kind!r}", advice=f"The kinds are {', '.join(KINDS)}.")
    return connection_id, kind


def _user(key: Sequence[str]) -> str:
    return ":".join(key)
