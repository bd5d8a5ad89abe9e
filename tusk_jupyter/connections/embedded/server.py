"""The server of a cluster: is it up, start it, where its socket goes.

Its settings are options of the command line: they win over what a user may have written with ALTER SYSTEM, so that no
server here ever listens to a network; one that is to practise TLS on listens to the loopback. It is up when its socket
answers and ``postmaster.pid`` says ready; pg_ctl looks ten times a second, reading the file ourselves a hundred times
(start to first connection: 0.05 s instead of 0.11).
"""

from __future__ import annotations

import json
import os
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tusk_jupyter.connections.embedded import account as accounts
from tusk_jupyter.connections.embedded import programs, watchdog
from tusk_jupyter.connections.embedded.cluster import tail, write_private
from tusk_jupyter.errors import ConnectionFailed, InvalidInput

if TYPE_CHECKING:
    from tusk_jupyter.connections.embedded.binaries import Binaries
    from tusk_jupyter.connections.embedded.cluster import Cluster

SOCKETS = sys.platform != "win32"
# sizeof(sun_path) less its NUL, and PostgreSQL's own file name
SOCKET_PATH_LIMIT = 107 if sys.platform == "linux" else 103
PORT = 5432
_LOOPBACK = "127.0.0.1"
# "is TLS possible?": the one message that a server answers to anybody, with one byte
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
READY_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that accepts connections."""

    host: str
    port: int
    version: str
    pg_ctl: str


def running(cluster: Cluster) -> Running | None:
    """Return the server if it accepts connections; wait for one that is starting or stopping."""
    deadline = time.monotonic() + READY_LIMIT_S
    while (state := _state(cluster)) != "down":
        if state == "ready":
            try:
                return Running(**json.loads((cluster.folder / "server.json").read_text()))
            except (OSError, ValueError, TypeError):
                watchdog.stop(str(cluster.data), "")
        if time.monotonic() > deadline:
            raise ConnectionFailed(
                f"the embedded server {cluster.name!r} is {state}, and does not come to an end with it",
                detail=tail(_log_text(cluster)),
            )
        time.sleep(watchdog.TICK_S)
    return None


def _state(cluster: Cluster) -> str:
    """Return ``ready``, ``starting``, ``stopping`` (as the server says) or ``down``."""
    lines = watchdog.read_pid_file(str(cluster.data))
    if len(lines) < 8:  # noqa: PLR2004 - the status line, written when the socket is there
        return "starting" if watchdog.postmaster(str(cluster.data)) else "down"
    if _answers(lines[4], int(lines[3])):
        return lines[7].strip() if lines[7].strip() != "standby" else "ready"
    return "stopping" if watchdog.postmaster(str(cluster.data)) else "down"


def _answers(directory: str, port: int) -> bool:
    # a socket in a private directory answers: that is our server, whatever process ids mean to this container. It has
    # to say something: after a kill -9 its children keep the socket open for a moment, and nobody is there
    family = socket.AF_UNIX if SOCKETS else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(2)
        try:
            s.connect(f"{directory}/.s.PGSQL.{port}" if SOCKETS else (_LOOPBACK, port))
            s.sendall(SSL_REQUEST)
            return bool(s.recv(1))
        except OSError:
            return False


def launch(cluster: Cluster, found: Binaries, *, tcp: bool = False) -> Running:
    """Start the server and return when it accepts connections; without ``tcp`` it has a socket only, where it can."""
    tcp = tcp or not SOCKETS
    host = str(socket_directory(cluster)) if SOCKETS else _LOOPBACK
    port = _free_port() if tcp else PORT
    if cluster.log.exists():
        cluster.log.replace(cluster.home / "log.old")
    stale = _defuse(cluster)
    deadline = time.monotonic() + (10 if stale else 0)
    while not _launched(cluster, found, _settings(cluster, host, port, tcp=tcp)):
        # after a kill -9 of the server its children may live for a moment, and PostgreSQL rightly waits for them
        if time.monotonic() > deadline:
            raise ConnectionFailed(
                f"the embedded server {cluster.name!r} did not start",
                detail=tail(_log_text(cluster)),
                advice=f"Its log is {cluster.log}",
            )
        time.sleep(0.2)
    server = {"host": host, "port": port, "version": found.version, "pg_ctl": str(found.program("pg_ctl"))}
    write_private(cluster.folder / "server.json", json.dumps(server))
    return Running(host, port, found.version, str(found.program("pg_ctl")))


def _settings(cluster: Cluster, host: str, port: int, *, tcp: bool) -> list[str]:
    quoted = '"' + host.replace('"', '""') + '"'
    settings = {
        "listen_addresses": _LOOPBACK if tcp else "",
        "unix_socket_directories": quoted if SOCKETS else "",
        "port": str(port),
        "unix_socket_permissions": "0700",
        "cluster_name": f"tusk-{cluster.name}",
        "logging_collector": "off",
        "log_destination": "stderr",
        "log_min_error_statement": "panic",  # a statement may hold a password
        "log_statement": "none",
    }
    return [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]


def _launched(cluster: Cluster, found: Binaries, settings: list[str]) -> bool:
    if not SOCKETS:
        options = " ".join(f'"{word}"' if "=" in word else word for word in settings)
        words = ["-D", str(cluster.data), "-l", str(cluster.log), "-w", "-s", "-o", options, "start"]
        return programs.run(found.program("pg_ctl"), *words, account=None, deaf=True).returncode == 0
    words = ["-D", str(cluster.data), *settings]
    pid = programs.spawn(found.program("postgres"), *words, account=cluster.account, log=cluster.log)
    deadline = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < deadline:
        lines = watchdog.read_pid_file(str(cluster.data))
        if len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready":  # noqa: PLR2004 - as in _state
            return True
        if not watchdog.is_server(pid, str(cluster.data)):
            return False
        time.sleep(0.01)
    return False


def _defuse(cluster: Cluster) -> bool:
    """Make a lock file that a dead server left harmless; return whether there was one.

    PostgreSQL only asks whether the process id is in use. After a reboot it may be anybody's, and in a container
    without init a killed server stays there as a zombie for ever. The rest of the file is kept: it names the shared
    memory by which PostgreSQL knows that no process of the old server is left.
    """
    path = cluster.data / "postmaster.pid"
    lines = watchdog.read_pid_file(str(cluster.data))
    if not lines:
        return False
    with path.open("r+", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\n".join([str(watchdog.NO_PROCESS), *lines[1:]]) + "\n")
        file.truncate()
    return True


def socket_directory(cluster: Cluster, *, limit: int = SOCKET_PATH_LIMIT) -> Path:
    """Return the private directory for the socket: in the cluster, or a short one that the cluster's folder names."""
    uid = cluster.account.uid if cluster.account else None
    usual, record = cluster.home / "s", cluster.folder / "socket-directory"
    if _fits(usual, limit):
        if not usual.exists():
            accounts.make_private(usual, cluster.account)
        accounts.private(usual, uid)
        return usual
    if record.exists():
        recorded = Path(record.read_text())
        try:
            accounts.private(recorded, uid)
        except (OSError, InvalidInput):  # gone with a reboot, or made anew by somebody else: never used again
            record.unlink()
        else:
            return recorded
    for parent in dict.fromkeys((tempfile.gettempdir(), "/tmp")):  # noqa: S108 - mkdtemp: 0700, a name nobody can foresee
        if _fits(Path(parent) / "tusk-12345678", limit):
            made = Path(tempfile.mkdtemp(prefix="tusk-", dir=parent))
            if cluster.account is not None and sys.platform != "win32":
                os.chown(made, cluster.account.uid, cluster.account.gid)
            write_private(record, str(made))
            return made
    raise ConnectionFailed("no directory is short enough for PostgreSQL's socket", advice="Set TMPDIR to a short path.")


def _fits(directory: Path, limit: int) -> bool:
    return len(os.fsencode(directory / f".s.PGSQL.{PORT}")) <= limit


def _free_port() -> int:
    with socket.socket() as s:
        s.bind((_LOOPBACK, 0))
        port: int = s.getsockname()[1]
        return port


def _log_text(cluster: Cluster) -> str:
    try:
        return cluster.log.read_text(errors="replace")
    except OSError:
        return ""
