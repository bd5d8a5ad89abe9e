"""The local end of a tunnel: a port of 127.0.0.1, or a Unix socket that nobody else can reach.

An open port of this machine is open to all of its users, and whoever comes through it is, to the database, the bastion.
On Linux the kernel says whose a connection is, so another user's is hung up on; elsewhere that is not to be had without
privileges, so there whoever comes is let through. The socket's directory is 0700 everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import asyncssh

from tusk_jupyter.connections import ssh_errors
from tusk_jupyter.connections.ssh_address import written
from tusk_jupyter.connections.ssh_refusals import Refusal, RefusedError
from tusk_jupyter.errors import SshError

if TYPE_CHECKING:
    from tusk_jupyter.connections.ssh_client import Route
    from tusk_jupyter.connections.ssh_config import Login
    from tusk_jupyter.errors import TuskError

LOOPBACK = "127.0.0.1"
HANG_UP_S = 0.5
# how often the kernel's tables are read for a peer, a millisecond each
READS = 5
_LOCAL, _REMOTE, _OWNER, _INODE = 1, 2, 7, 9


class Forwarding:
    """A route and the local ends that lead into it; ``end()`` closes both."""

    def __init__(self, route: Route, host: str, port: int, local_port: int | None) -> None:
        self.route = route
        self._host = host
        self._port = port
        self._local_port = local_port
        self._ends: dict[bool, dict[str, str]] = {}
        self._lock = asyncio.Lock()
        self._listening = 0
        self._folder: str | None = None

    async def start(self, login: Login) -> TuskError | Refusal | None:
        """Go the route, try the database, open the port that was asked for; return what was in the way."""
        prefix = self.route.prefix
        try:
            await self.route.open(login)
            await self.route.probe(self._host, self._port)
            if self._local_port is not None:
                await self.end_point(private=False)
        except RefusedError as refused:
            return refused.refusal
        except asyncssh.ChannelOpenError as error:
            target = written(self._host, self._port)
            return ssh_errors.unreachable_database(error, self.route.hops[-1][0], prefix=prefix, target=target)
        except asyncssh.DisconnectError as error:
            return ssh_errors.died(error, self.route.hops[-1][0], prefix=prefix)
        except TimeoutError:
            raise
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            return SshError(
                f"{prefix}the local port {self._local_port} cannot be used: {why}",
                advice="Another program has it: choose another --ssh-local-port, or leave it out.",
            )
        return None

    @property
    def broken(self) -> bool:
        """Whether a login of the route has ended."""
        return any(conn.is_closed() for _, conn in self.route.hops)

    async def end_point(self, *, private: bool) -> dict[str, str]:
        """Return the keywords of one kind of end, which is made when it is first asked for."""
        async with self._lock:
            if private not in self._ends:
                self._ends[private] = await (self._socket() if private else self._tcp())
            return dict(self._ends[private])

    async def end(self) -> None:
        """Hang up, and drop what does not hang up in time; what is connected through it ends."""
        self.route.close()
        with contextlib.suppress(TimeoutError, OSError, asyncssh.Error):
            async with asyncio.timeout(HANG_UP_S):
                for _, conn in reversed(self.route.hops):
                    await conn.wait_closed()
        self.route.abort()
        self.forget_folder()

    def forget_folder(self) -> None:
        """Remove the socket and its directory."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _tcp(self) -> dict[str, str]:
        last, port = self.route.last, self._local_port or 0
        if self._host.startswith("/"):
            listener = await last.forward_local_port_to_path(LOOPBACK, port, self._remote_socket(), self._lets_in)
        else:
            listener = await last.forward_local_port(LOOPBACK, port, self._host, self._port, self._lets_in)
        self._listening = listener.get_port()
        return {"host": self._host, "hostaddr": LOOPBACK, "port": str(self._listening)}

    def _lets_in(self, _host: str, port: int) -> bool:
        return is_own(port, self._listening)

    async def _socket(self) -> dict[str, str]:
        self._folder = tempfile.mkdtemp(prefix="tusk-ssh-")
        path = str(Path(self._folder, f".s.PGSQL.{self._port}"))
        try:
            if self._host.startswith("/"):
                await self.route.last.forward_local_path(path, self._remote_socket())
            else:
                await self.route.last.forward_local_path_to_port(path, self._host, self._port)
        except OSError:  # the path of a socket has 107 characters at most
            return await self._tcp()
        return {"host": self._folder, "port": str(self._port)}

    def _remote_socket(self) -> str:
        return f"{self._host}/.s.PGSQL.{self._port}"


def is_own(port: int, to: int) -> bool:
    """Return whether the connection from one port to another is this user's, or nobody can tell."""
    rows: list[list[str]] = []
    for _ in range(READS):
        rows = _connections()
        if (said := own(rows, port, to)) is not None:
            return said
    return not rows


def _connections() -> list[list[str]]:
    """Return the columns of the kernel's tables, none where there are none.

    They are read in pieces while connections come and go: a row may be missing from one reading, seen on a busy
    machine. So a peer that is not there is looked for again, and in the end refused.
    """
    found: list[list[str]] = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            found += map(str.split, Path(table).read_text("ascii").splitlines()[1:])
    return [columns for columns in found if len(columns) > _INODE]


def own(rows: list[list[str]], port: int, to: int) -> bool | None:
    """Return whether rows of proc(5) say that the peer at this port is this user or root; ``None``: it is in none.

    A port has as many connections as there are others to lead to: one to another server that was closed within the
    last minute (``TIME_WAIT``, nobody's) is not the one that comes here.
    """
    # the address is in hexadecimal as it lies in memory; who comes by an IPv6 socket to the IPv4 address is mapped
    ipv4 = f"{int.from_bytes(socket.inet_aton(LOOPBACK), sys.byteorder):08X}:{port:04X}"
    mapped = f"{int.from_bytes(bytes((0, 0, 255, 255)), sys.byteorder):08X}{ipv4}".rjust(len(ipv4) + 24, "0")
    for columns in rows:
        if columns[_LOCAL] in (ipv4, mapped) and columns[_REMOTE].endswith(f":{to:04X}"):
            # what its owner has closed already has no inode, and 0 for an owner whoever that was
            return columns[_INODE] != "0" and columns[_OWNER] in (str(os.geteuid()), "0")
    return None
