"""Real OpenSSH servers of the test run's own, on loopback, and a home directory to log in to them from.

As root they run in a mount namespace of their own, where ``/etc/passwd`` and ``/etc/shadow`` have one account more: a
user with a password that this machine does not have. As an ordinary user, or where there are no namespaces, the login
is an account that exists, by key only.
"""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.waiting import wait_until
from tests.worlds import server_account, sshd_path

if TYPE_CHECKING:
    from tusk_jupyter.connections.saved import SshTunnel
    from tusk_jupyter.connections.tunnel import Tunnel

PASSWORD = "canary-Ssh9!x'\"@/:%"
PASSPHRASE = "canary-Key7!x'\"@/:%"
SEPARATION = Path("/run/sshd")
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {host_key}
PidFile none
AuthorizedKeysFile {authorized}
TrustedUserCAKeys {authority}
StrictModes no
UsePAM no
PermitRootLogin no
PubkeyAuthentication yes
PasswordAuthentication {passwords}
KbdInteractiveAuthentication no
UseDNS no
LogLevel VERBOSE
MaxStartups 100
"""


@functools.cache
def has_namespaces() -> bool:
    """Whether this is root with mount namespaces, so that a user can be made up."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "sh", "-c", f"mount -t tmpfs tmpfs {SEPARATION.parent}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def keygen(path: Path, *, kind: str = "ed25519", passphrase: str = "", comment: str = "tusk") -> Path:
    subprocess.run(
        ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", comment, "-f", str(path)], check=True
    )
    return path


@dataclass
class Sshd:
    """One server: where it listens, who may log in, with what."""

    root: Path
    port: int
    user: str
    options: str = ""
    process: subprocess.Popen | None = None
    passwords: bool = field(default_factory=has_namespaces)

    @property
    def host_key(self) -> str:
        """Type and key, as ``known_hosts`` has them."""
        return " ".join((self.root / "host_key.pub").read_text().split()[:2])

    @property
    def known_hosts_line(self) -> str:
        return f"[127.0.0.1]:{self.port} {self.host_key}\n"

    @property
    def fingerprint(self) -> str:
        command = ["ssh-keygen", "-lf", str(self.root / "host_key.pub")]
        return subprocess.run(command, check=True, text=True, capture_output=True).stdout.split()[1]

    def start(self) -> None:
        config = self.root / "sshd_config"
        # sshd takes the first of two values
        config.write_text(
            self.options
            + CONFIG.format(
                port=self.port,
                host_key=self.root / "host_key",
                authorized=self.root / "authorized_keys",
                authority=self.root / "authority.pub",
                passwords="yes" if self.passwords else "no",
            )
        )
        command = [sshd_path(), "-D", "-f", str(config), "-E", str(self.root / "log")]
        if self.passwords:
            own = "".join(f"mount --bind {self.root / name} /etc/{name} && " for name in ("passwd", "shadow"))
            own += f"mount -t tmpfs tmpfs {SEPARATION.parent} && mkdir -m 755 {SEPARATION} && "
            command = ["unshare", "--mount", "sh", "-c", f'{own}exec "$@"', "sh", *command]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_until(self._listens)

    def _listens(self) -> bool:
        assert self.process.poll() is None, (self.root / "log").read_text()
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def sessions(self) -> list[psutil.Process]:
        """The processes that serve logins."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def kill_sessions(self) -> None:
        for process in self.sessions():
            process.kill()

    def freeze_sessions(self) -> None:
        """Let every login stay as it is, without a word."""
        for process in self.sessions():
            process.suspend()

    def renew_host_key(self) -> None:
        """Become another server at the same address."""
        for name in ("host_key", "host_key.pub"):
            (self.root / name).unlink()
        keygen(self.root / "host_key")
        self.stop()
        self.start()

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        sessions = self.sessions()
        self.process.terminate()
        self.process.wait(10)
        for process in sessions:
            if process.is_running():
                process.kill()
        psutil.wait_procs(sessions, timeout=5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _accounts(root: Path) -> str:
    """Write the account that the servers add; return its name."""
    account = server_account() or pwd.getpwuid(os.geteuid())
    if not has_namespaces():
        return account.pw_name
    digest = subprocess.run(
        ["openssl", "passwd", "-6", "-stdin"], input=PASSWORD, text=True, check=True, capture_output=True
    ).stdout.strip()
    line = f"tunneller:x:{account.pw_uid}:{account.pw_gid}::/:/bin/sh\n"
    (root / "passwd").write_text(Path("/etc/passwd").read_text() + line)
    (root / "shadow").write_text(Path("/etc/shadow").read_text() + f"tunneller:{digest}:20000:0:99999:7:::\n")
    (root / "shadow").chmod(0o600)
    return "tunneller"


@pytest.fixture(scope="session")
def start_sshd():
    """Start servers, all with the same keys allowed; what nobody stopped is stopped when the run ends."""
    # the directory that sshd as root insists on; in a namespace each server has its own
    separation = os.geteuid() == 0 and not has_namespaces() and not SEPARATION.exists()
    if separation:
        SEPARATION.mkdir(mode=0o755)
    base = Path(tempfile.mkdtemp(prefix="tusk-sshd-"))
    base.chmod(0o711)
    keys = base / "keys"
    keys.mkdir(mode=0o700)
    keygen(keys / "plain")
    keygen(keys / "locked", passphrase=PASSPHRASE)
    keygen(keys / "stranger")
    keygen(keys / "certified")
    keygen(keys / "authority")
    user = _accounts(base)
    subprocess.run(
        ["ssh-keygen", "-q", "-s", str(keys / "authority"), "-I", "test", "-n", user, str(keys / "certified.pub")],
        check=True,
    )
    started = []

    def start(options: str = "") -> Sshd:
        root = Path(tempfile.mkdtemp(prefix="server", dir=base))
        root.chmod(0o711)
        keygen(root / "host_key")
        (root / "authorized_keys").write_text("".join((keys / f"{n}.pub").read_text() for n in ("plain", "locked")))
        shutil.copy(keys / "authority.pub", root / "authority.pub")
        for name in ("passwd", "shadow"):
            if (base / name).exists():
                shutil.copy2(base / name, root / name)
        server = Sshd(root, _free_port(), user, options)
        started.append(server)
        server.start()
        return server

    start.keys = keys
    yield start
    for server in started:
        server.stop()
    shutil.rmtree(base)
    if separation:
        SEPARATION.rmdir()


@pytest.fixture
def make_sshd(start_sshd):
    """As many servers as a test needs; they end with it, and so do the logins that it froze and what they hold open."""
    made = []

    def make(options: str = "") -> Sshd:
        made.append(start_sshd(options))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture(scope="session")
def sshd(start_sshd) -> Sshd:
    """The server that most tests use; who changes it makes one of their own."""
    return start_sshd()


@pytest.fixture(scope="session")
def ssh_keys(start_sshd) -> Path:
    """The folder of ``plain``, ``locked``, ``certified`` (let in), and ``stranger`` (not let in)."""
    return start_sshd.keys


@dataclass(frozen=True)
class Home:
    """A home directory of the test's own."""

    path: Path

    @property
    def known_hosts(self) -> Path:
        return self.path / ".ssh" / "known_hosts"

    @property
    def config(self) -> Path:
        return self.path / ".ssh" / "config"


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    """Nobody's home: no keys, no agent, no known hosts."""
    path = tmp_path / "home"
    (path / ".ssh").mkdir(parents=True, mode=0o700)
    monkeypatch.setenv("HOME", str(path))
    if sys.platform == "win32":
        monkeypatch.setenv("USERPROFILE", str(path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    return Home(path)


@pytest.fixture
def agent(tmp_path, monkeypatch, home):
    """An empty ssh-agent; ``agent(key)`` adds a key to it."""
    # the path of a socket must be short
    folder = tempfile.mkdtemp(prefix="tusk-agent-")
    path = f"{folder}/s"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", path)
    # the socket is there before anybody listens; 2 means that nobody does
    wait_until(lambda: subprocess.run(["ssh-add", "-l"], capture_output=True, check=False).returncode != 2)

    def add(key: Path) -> None:
        subprocess.run(["ssh-add", "-q", str(key)], check=True, capture_output=True)

    yield add
    process.terminate()
    process.wait(10)
    shutil.rmtree(folder)


@pytest.fixture
def make_tunnel():
    """Tunnels that are closed when the test is over."""
    from tusk_jupyter.connections.tunnel import Tunnel

    made = []

    def make(ssh: SshTunnel, **given) -> Tunnel:
        tunnel = Tunnel(ssh, **{"host": "127.0.0.1", "port": 5432, "name": "shop", **given})
        made.append(tunnel)
        return tunnel

    yield make
    for tunnel in made:
        tunnel.close()
