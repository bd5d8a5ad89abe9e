"""What is done with keyring, without any limit of time: which backends are accepted, and what each may be given.

Only the operating system's are accepted, looked up in keyring's own choice and in the members of a chain: keyrings.alt
writes plain text, and a password in a file is what a keychain is there to prevent. Nothing of keyring's global state is
changed; other code in the kernel may use it in its own way.

A write is read back: what a backend changes (a NUL, a length) would otherwise come out as «wrong password» days later.
keyring is imported by the first of these, never with the extension.
"""

from __future__ import annotations

import sys
from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING

from tusk_jupyter.errors import KeyringError
from tusk_jupyter.secret import Secret
from tusk_jupyter.translate import NO_KEYCHAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from keyring.backend import KeyringBackend

SERVICE = "tusk-jupyter"
# CRED_MAX_CREDENTIAL_BLOB_SIZE in bytes of UTF-16 (https://learn.microsoft.com/windows/win32/api/wincred/)
WINDOWS_LIMIT = 2560
_MACOS, _WINDOWS, _SECRET_SERVICE, *_ = OS_BACKENDS = (
    "keyring.backends.macOS",
    "keyring.backends.Windows",
    "keyring.backends.SecretService",
    "keyring.backends.libsecret",
    "keyring.backends.kwallet",
)
_HEAVY = {"linux": _SECRET_SERVICE, "darwin": _MACOS, "win32": _WINDOWS}


def load() -> None:
    """Import what takes long: keyring, and what this system's backend needs."""
    import_module("keyring")
    if sys.platform in _HEAVY:
        import_module(_HEAVY[sys.platform])


def _backends() -> list[KeyringBackend]:
    """Return the accepted backends of keyring's choice, the preferred one first."""
    import keyring
    from keyring import core
    from keyring.backends import chainer, fail

    chosen = keyring.get_keyring()
    members = list(chosen.backends) if isinstance(chosen, chainer.ChainerBackend) else [chosen]
    if accepted := [member for member in members if type(member).__module__ in OS_BACKENDS]:
        return accepted
    if not isinstance(chosen, fail.Keyring):
        name = ", ".join(_name(member) for member in members)
        raise KeyringError(
            f"the keyring backend {name} is not the operating system's keychain",
            advice="Choose the keychain of macOS, Windows, GNOME or KDE with PYTHON_KEYRING_BACKEND or keyringrc.cfg.",
        )
    # keyring looks once per process; a keychain that was started since is found without a restart of the kernel
    started = [] if core.load_env() or core.load_config() else _viable()
    return started or [chosen]


def _viable() -> list[KeyringBackend]:
    from keyring.backend import KeyringBackend

    classes = [kind for kind in KeyringBackend.get_viable_backends() if kind.__module__ in OS_BACKENDS]
    return [kind() for kind in sorted(classes, key=lambda kind: -kind.priority)]


def _name(backend: KeyringBackend) -> str:
    return f"{type(backend).__module__}.{type(backend).__qualname__}"


def read(user: str) -> Secret | None:
    for backend in _backends():
        value = backend.get_password(SERVICE, user)
        if value is not None:
            return Secret(value)
    return None


def write(user: str, secret: Secret) -> None:
    backend = _backends()[0]
    size = len(secret.reveal().encode("utf-16-le", "surrogatepass"))
    if type(backend).__module__ == _WINDOWS and size > WINDOWS_LIMIT:
        raise KeyringError(
            f"the password is too long for the Windows keychain, which takes {WINDOWS_LIMIT // 2:,} characters",
            advice="Use a shorter one, or --password-env or --password-command.",
        )
    backend.set_password(SERVICE, user, secret.reveal())
    back = backend.get_password(SERVICE, user)
    if back is None or Secret(back) != secret:
        if back is not None:
            backend.delete_password(SERVICE, user)
        raise KeyringError(
            "the keychain gave back something else than what it was given",
            advice="Use a password without control characters, or --password-env or --password-command.",
        )


def remove(users: Sequence[str]) -> None:
    from keyring.errors import PasswordDeleteError

    for backend in _backends():
        for user in users:
            try:
                backend.delete_password(SERVICE, user)
            except PasswordDeleteError:  # macOS and Windows raise it for a failure and for «not there» alike
                if backend.get_password(SERVICE, user) is not None:
                    raise


def look() -> tuple[str, bool]:
    """Return the preferred backend's name and whether it is locked, where that can be seen without unlocking it."""
    backend = _backends()[0]
    kind = type(backend).__module__
    if kind not in OS_BACKENDS:
        raise KeyringError(NO_KEYCHAIN)
    if kind != _SECRET_SERVICE:
        return _name(backend), False
    import secretstorage

    with closing(secretstorage.dbus_init()) as bus:
        return _name(backend), secretstorage.Collection(bus).is_locked()
