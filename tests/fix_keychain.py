"""A real keychain: GNOME Keyring on a D-Bus of its own, nothing of it outside the test's directory.

- ``keychain_env``: what to add to the environment of a kernel or a notebook server so that it has a working, unlocked
  keychain: ``kernels(env=keychain_env)``, ``start_server(env={**os.environ, **keychain_env})``. One daemon for the whole
  run; passwords are kept by connection id, so tests do not meet.
- ``keychain_daemon``: a keychain of the test's own, which it may lock, freeze and stop; ``.env`` is its environment.
- ``start_keychain``: the same for other scopes, ``start_keychain(unlocked=False)`` one that was never set up.

Without one of these no test, and nothing that a test starts, reaches a keychain: the whole run has keyring's ``fail``
backend and no session bus, so that a developer's own passwords are neither read nor written.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass

import pytest

from tests.waiting import wait_until

LIMIT_S = 20
BACKEND = "keyring.backends.SecretService.Keyring"
# no service directories: what is killed here is not started again by the bus, and no dialog opens on the desktop
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path={home}/bus</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>
  </policy>
</busconfig>
"""


def pytest_configure():
    os.environ.pop("DBUS_SESSION_BUS_ADDRESS", None)
    os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.fail.Keyring"


@dataclass
class KeychainDaemon:
    """A bus with a keychain on it: ``lock()``, ``freeze()`` and ``thaw()`` it, ``stop()`` both."""

    env: dict[str, str]
    bus: subprocess.Popen
    daemon: subprocess.Popen | None = None

    def lock(self) -> None:
        import secretstorage

        with closing(self.connect()) as bus:
            secretstorage.Collection(bus).lock()

    def freeze(self) -> None:
        self.daemon.send_signal(signal.SIGSTOP)
        wait_until(lambda: os.waitid(os.P_PID, self.daemon.pid, os.WSTOPPED | os.WNOHANG | os.WNOWAIT))

    def thaw(self) -> None:
        self.daemon.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        for process in filter(None, (self.daemon, self.bus)):
            process.kill()
            process.wait(LIMIT_S)

    def connect(self):
        from jeepney.bus import get_bus
        from jeepney.io.blocking import DBusConnection, prep_socket

        class Limited(DBusConnection):
            """As jeepney has it no call has a limit, the first one neither, which is part of connecting."""

            def send_and_get_reply(self, message, *, timeout=None):
                return super().send_and_get_reply(message, timeout=LIMIT_S if timeout is None else timeout)

        return Limited(prep_socket(get_bus(self.env["DBUS_SESSION_BUS_ADDRESS"]), timeout=LIMIT_S))

    def listens(self) -> bool:
        """Whether there is a bus."""
        try:
            self.connect().close()
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        return True

    def owned(self) -> bool:
        """Whether there is a keychain on the bus."""
        import secretstorage

        with closing(self.connect()) as bus:
            return secretstorage.check_service_availability(bus)

    def run(self, code: str, *, timeout: float = 50, **env: str | None):
        """Return what ``code`` prints as JSON at its end, in a process of its own with this keychain.

        It has ``credentials``, ``Secret`` and ``Credentials``; a variable given as ``None`` is taken away.
        """
        given = {**os.environ, "DISPLAY": None, "WAYLAND_DISPLAY": None, **self.env, **env}
        done = subprocess.run(
            [sys.executable, "-c", PRELUDE + code],
            env={name: value for name, value in given.items() if value is not None},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])


PRELUDE = """
import json, os, sys, threading
from tusk_jupyter.connections.credentials import Credentials
from tusk_jupyter.connections.keychain import Keychain
from tusk_jupyter.errors import TuskError
from tusk_jupyter.secret import Secret

credentials = Credentials()


def say(*values):
    print(json.dumps(values), flush=True)


def failure(call, *args):
    try:
        call(*args)
    except TuskError as error:
        return [type(error).__name__, error.message, error.detail, error.advice]

"""


@pytest.fixture(scope="session")
def start_keychain(tmp_path_factory):
    """Return ``start(unlocked=True)``: a running :class:`KeychainDaemon`; all are stopped at the end of the run."""
    started = []

    def start(*, unlocked: bool = True) -> KeychainDaemon:
        home = tmp_path_factory.mktemp("bus")
        (home / "bus.conf").write_text(BUS.format(home=home))
        with (home / "said").open("wb") as said:
            bus = subprocess.Popen(
                ["dbus-daemon", f"--config-file={home}/bus.conf", "--nofork"],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=said,
            )  # fmt: skip
        env = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={home}/bus", "PYTHON_KEYRING_BACKEND": BACKEND}
        keychain = KeychainDaemon(env, bus)
        started.append(keychain)
        _comes_up(bus, keychain.listens, home / "said")
        own = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "XDG_DATA_HOME": str(home / "data")}
        words = ["gnome-keyring-daemon", "--foreground", "--components=secrets", *(["--unlock"] if unlocked else [])]
        with (home / "said").open("ab") as said:
            keychain.daemon = subprocess.Popen(
                words, env={"PATH": os.environ["PATH"], **env, **own},
                stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said,
            )  # fmt: skip
        with keychain.daemon.stdin as password:
            password.write(b"the keychain's own password")
        _comes_up(keychain.daemon, keychain.owned, home / "said")
        return keychain

    yield start
    for keychain in started:
        keychain.stop()


def _comes_up(process, ready, said) -> None:
    """Wait until a process is ``ready()``; fail with what it has said when it ends, or is not in time."""

    def there():
        assert process.poll() is None, f"{process.args[0]} has ended: {said.read_text()}"
        return ready()

    wait_until(there, timeout=LIMIT_S, otherwise=f"{process.args[0]} is not up in time; what it says is in {said}")


@pytest.fixture
def keychain_daemon(start_keychain):
    """An unlocked keychain of the test's own."""
    keychain = start_keychain()
    yield keychain
    keychain.stop()


@pytest.fixture(scope="session")
def keychain_env(start_keychain) -> dict[str, str]:
    """The environment of a process that has a working keychain, the same for the whole run."""
    return dict(start_keychain().env)
