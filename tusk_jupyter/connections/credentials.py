"""Where passwords come from, and where this kernel remembers them.

The order is the contract's: the URL, ``--password-env`` or ``--password-command``, this kernel's memory, ``~/.pgpass``
(libpq reads that itself), and only when the server asks for one, a prompt. A password lives in a
:class:`~tusk_jupyter.secret.Secret`, in no trait, file or environment of ours.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading

from tusk_jupyter.errors import AuthenticationFailed, InvalidInput
from tusk_jupyter.secret import Secret

COMMAND_TIMEOUT_S = 60.0


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
    failure = output = None
    try:
        done = subprocess.run(  # noqa: S603 - running the user's own command is the option's purpose
            shlex.split(command), capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        failure = error.strerror if isinstance(error, OSError) else type(error).__name__
    else:
        output = done.stdout.decode(errors="replace").split("\n", 1)[0].rstrip("\r")
        if done.returncode != 0:
            failure = f"exit status {done.returncode}"
        elif not output:
            failure = "it printed nothing"
    if failure or output is None:
        raise AuthenticationFailed(
            f"the password command failed: {failure}",
            advice="Run the command in a terminal: its first line of output must be the password.",
        )
    return Secret(output)


class Credentials:
    """Passwords that were typed into this kernel, by what they open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], Secret] = {}

    def remember(self, key: tuple[str, ...], password: Secret) -> None:
        """Keep ``password`` until the kernel ends."""
        with self._lock:
            self._known[key] = password

    def recall(self, key: tuple[str, ...]) -> Secret | None:
        """Return what was remembered, if anything."""
        with self._lock:
            return self._known.get(key)

    def forget(self, key: tuple[str, ...]) -> None:
        """Drop a password that the server refused."""
        with self._lock:
            self._known.pop(key, None)

    def has_password(self, key: tuple[str, ...]) -> bool:
        """Return whether one is remembered, without giving it away."""
        return self.recall(key) is not None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()
