"""An SSH server that lets one key in and forwards to one database, as a bastion does; it has no shell and no files.

asyncssh is the tunnels' client and can be their server: no sshd is needed, nor an account to log in to. The
database has a name that is known behind the bastion only: so ``verify-full`` has something to check through a tunnel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncssh

if TYPE_CHECKING:
    from tusk_jupyter.demo.practice.loop import LoopThread

HOST = "127.0.0.1"
_KIND = "ssh-ed25519"
_REFUSED = 2  # RFC 4254, section 5.1: SSH_OPEN_CONNECT_FAILED


class Bastion:
    """The server, from the start until ``close()``.

    :param user: the one who may log in.
    :param public: the public half of the key that logs in, as a line of ``authorized_keys``.
    :param leads_to: names and ports known behind the bastion → port of this machine.
    """

    def __init__(self, loop: LoopThread, user: str, public: str, leads_to: dict[tuple[str, int], int]) -> None:
        self._loop = loop
        self.user, self.public, self.port = user, public, 0
        self._leads_to = leads_to
        self._key = asyncssh.generate_private_key(_KIND)
        self._logins: set[asyncssh.SSHServerConnection] = set()
        self._acceptor: asyncssh.SSHAcceptor | None = None
        loop.wait(self._listen())

    @property
    def fingerprint(self) -> str:
        """The host key's, as whoever runs the server would tell it."""
        return str(self._key.get_fingerprint())

    @property
    def known_hosts_line(self) -> str:
        """The line of ``known_hosts`` that belongs to the host key."""
        kind, key = self._key.export_public_key().decode().split()[:2]
        return f"[{HOST}]:{self.port} {kind} {key}\n"

    def hang_up(self) -> None:
        """End every login without a word, as a network that fails does."""
        self._loop.wait(self._drop())

    def renew_host_key(self) -> None:
        """Become another server at the same address."""
        self._key = asyncssh.generate_private_key(_KIND)
        self._loop.wait(self._listen())

    def close(self) -> None:
        """Stop; closing twice is fine."""
        self._loop.wait(self._end())

    async def _listen(self) -> None:
        await self._end()
        self._acceptor = await asyncssh.listen(
            HOST,
            self.port,
            server_factory=lambda: _Doorman(self),
            server_host_keys=[self._key],
            gss_host=None,
            agent_forwarding=False,
            allow_pty=False,
        )
        self.port = self._acceptor.get_port()

    async def _end(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
            await self._acceptor.wait_closed()
            self._acceptor = None
        await self._drop()

    async def _drop(self) -> None:
        for login in list(self._logins):
            login.abort()
            await login.wait_closed()


class _Doorman(asyncssh.SSHServer):
    """asyncssh's callbacks for one login: by key only, and on to the database only."""

    def __init__(self, bastion: Bastion) -> None:
        self._bastion = bastion
        self._login: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._login = conn
        self._bastion._logins.add(conn)  # noqa: SLF001 - two classes that are one server

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        if self._login is not None:
            self._bastion._logins.discard(self._login)  # noqa: SLF001

    def begin_auth(self, username: str) -> bool:
        if self._login is not None and username == self._bastion.user:
            self._login.set_authorized_keys(asyncssh.import_authorized_keys(self._bastion.public))
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:  # noqa: ARG002
        port = self._bastion._leads_to.get((dest_host, dest_port))  # noqa: SLF001
        if port is None or self._login is None:
            raise asyncssh.ChannelOpenError(
                _REFUSED, f"{dest_host}, port {dest_port}: no such host behind this bastion"
            )
        return self._login.forward_connection(HOST, port)
