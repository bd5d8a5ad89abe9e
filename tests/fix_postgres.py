"""A real PostgreSQL of the test run's own: ``initdb`` once, a database from a template per test, stopped at the end."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.worlds import postgres_bin, server_account

PASSWORD = "canary-Zq7!x'\"@/:%"
CONFIG = """
fsync = off
full_page_writes = off
synchronous_commit = off
max_connections = 200
listen_addresses = '127.0.0.1'
unix_socket_directories = '{socket}'
port = {port}
lc_messages = 'C'
timezone = 'UTC'
max_prepared_transactions = 2
log_min_messages = fatal
autovacuum = off
"""

# reads until its parent, killed or not, is gone; then nobody else would stop the server
WATCH = """
import pathlib, shutil, subprocess, sys
pg_ctl, root, *account = sys.argv[1:]
ids = dict(zip(("user", "group"), map(int, account)), extra_groups=[]) if account else {}
sys.stdin.buffer.read()
if pathlib.Path(root, "data", "postmaster.pid").exists():
    subprocess.run([pg_ctl, "-D", root + "/data", "-m", "immediate", "-w", "stop"], check=True, **ids)
    shutil.rmtree(root, ignore_errors=True)
"""


@dataclass(frozen=True)
class Server:
    """Where the test server listens; ``tester`` is its superuser, ``secretive`` a role with a password over TCP."""

    root: Path
    bin: Path
    port: int
    user: str = "tester"

    @property
    def version(self) -> int:
        return int((self.root / "data" / "PG_VERSION").read_text())

    @property
    def host(self) -> str:
        return str(self.root / "s")

    def conninfo(self, dbname: str = "postgres") -> str:
        return f"host={self.host} port={self.port} user={self.user} dbname={dbname}"

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.bin / command[0]), *command[1:]], check=True, text=True, capture_output=True, **_as_account()
        )

    def stop(self, mode: str = "fast") -> None:
        self.run("pg_ctl", "-D", str(self.root / "data"), "-m", mode, "-w", "stop")

    def start(self, *more: str) -> None:
        # the server must not keep our pipes open, or waiting for pg_ctl would be waiting for the server
        data, log = str(self.root / "data"), str(self.root / "log")
        subprocess.run(
            [str(self.bin / "pg_ctl"), "-D", data, "-l", log, "-w", "start", *more],
            check=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **_as_account(),
        )

    def watch(self) -> subprocess.Popen[bytes]:
        """Start what stops the server, should this process end without doing so."""
        account = _as_account()
        ids = [str(account["user"]), str(account["group"])] if account else []
        return subprocess.Popen(
            [sys.executable, "-I", "-c", WATCH, str(self.bin / "pg_ctl"), str(self.root), *ids],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C in the terminal is not for it
        )


def _as_account():
    account = server_account() if os.geteuid() == 0 else None
    if account is None:
        return {}
    return {
        "user": account.pw_uid,
        "group": account.pw_gid,
        "extra_groups": [],
        "cwd": "/",
        "env": {**os.environ, "HOME": "/", "LC_ALL": "C.UTF-8"},
    }


def _free_port() -> int:
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="session")
def make_server():
    """Start as many servers as tests need; all are stopped when the run ends."""
    started = []

    def make() -> Server:
        root = Path(tempfile.mkdtemp(prefix="tusk-pg-"))
        if kwargs := _as_account():
            os.chown(root, kwargs["user"], kwargs["group"])
        # a socket may be used by the one who runs the tests and by nobody else: SCRAM guards TCP, peer-less trust the socket
        server = Server(root, _reachable_bin(root), _free_port())
        server.run(
            "initdb",
            "-D",
            str(root / "data"),
            "-U",
            server.user,
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
        )
        _as_owner(root, lambda: (root / "s").mkdir(mode=0o755))
        with (root / "data" / "postgresql.conf").open("a") as f:
            f.write(CONFIG.format(socket=root / "s", port=server.port))
        server.start()
        started.append((server, server.watch()))
        return server

    yield make
    for server, watch in started:
        if (server.root / "data" / "postmaster.pid").exists():
            server.stop("immediate")
        watch.communicate()
        shutil.rmtree(server.root)


def _as_owner(root: Path, act) -> None:
    act()
    if kwargs := _as_account():
        os.chown(root / "s", kwargs["user"], kwargs["group"])


def _reachable_bin(root: Path) -> Path:
    """The wheel's binaries may lie where the server's OS user cannot read: copy them, with the libraries beside them."""
    found = postgres_bin()
    assert found is not None
    if os.geteuid() != 0 or found.is_relative_to("/usr"):
        return found
    package = found.parent.parent
    for name in (package.name, package.name + ".libs"):
        if (package.parent / name).exists():
            shutil.copytree(package.parent / name, root / name)
    return root / package.name / found.parent.name / "bin"


@pytest.fixture(scope="session")
def server(make_server, shared_servers) -> Server:
    import psycopg

    server = make_server()
    shared_servers.append(server)
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute("create database template_tusk is_template true")
        conn.execute(psycopg.sql.SQL("create role secretive login password {}").format(PASSWORD))
    return server


class Databases:
    """Databases made ahead and dropped behind the tests' backs: creating one takes longer than most tests."""

    def __init__(self, server: Server, ahead: int = 3) -> None:
        self._server = server
        self._ready = queue.Queue(maxsize=ahead)
        self._used = queue.SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="test-databases", daemon=True)
        self._thread.start()

    def take(self) -> str:
        name = self._ready.get(timeout=30)
        if isinstance(name, BaseException):
            raise name
        return name

    def give_back(self, name: str) -> None:
        self._used.put(name)

    def close(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def _work(self) -> None:
        import psycopg

        # without fsync copying the files is faster than logging every page
        strategy = "strategy file_copy" if self._server.version >= 15 else ""
        numbers = itertools.count(1)
        made = None
        try:
            with psycopg.connect(self._server.conninfo(), autocommit=True) as conn:
                while not self._stop.is_set():
                    if made is None:
                        made = f"test_{next(numbers)}"
                        conn.execute(f"create database {made} template template_tusk {strategy}")
                    with contextlib.suppress(queue.Full):
                        self._ready.put(made, timeout=0.05)
                        made = None
                    if made is not None and not self._used.empty():
                        conn.execute(f"drop database {self._used.get()} with (force)")
        except BaseException as error:  # noqa: BLE001 - whoever takes the next one gets to see it
            self._ready.put(error)


@pytest.fixture(scope="session")
def databases(server):
    databases = Databases(server)
    yield databases
    databases.close()


@pytest.fixture
def database(server, databases):
    """Conninfo of a database that only this test has."""
    name = databases.take()
    yield server.conninfo(name)
    databases.give_back(name)


@pytest.fixture
def proxy(server):
    """A relay to the server that can go deaf, or cut the line."""
    from tests.proxy import Proxy

    relay = Proxy(server)
    yield relay
    relay.close()
