"""From here to the database's network: one SSH login after the other, as ``ssh`` would go.

Jump hosts are logged in to here and not by asyncssh, which would check their keys by rules of its own and
could not say which of them failed. They get keys and never the tunnel's password: it is another host's.

Keys are looked up before the connection is made, so that the server is asked for one of the kind that is recorded.
Certificates are asked for only where an authority is, so that a first visit shows the plain key, as ``ssh`` does.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncssh

from tusk_jupyter.connections import ssh_config, ssh_known_hosts
from tusk_jupyter.connections.ssh_address import DEFAULT_PORT, parse_ssh, written
from tusk_jupyter.connections.ssh_config import (
    QUIET,
    Login,
    config_files,
    describe,
    given,
    known_hosts_files,
    off_loop,
    options_of,
)
from tusk_jupyter.connections.ssh_errors import failed
from tusk_jupyter.connections.ssh_known_hosts import Entry, HostKey, Known
from tusk_jupyter.connections.ssh_refusals import Refusal, RefusedError, Seen, placed
from tusk_jupyter.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tusk_jupyter.secret import Secret

KEEPALIVE_S = 5
KEEPALIVE_COUNT = 3
_DEEPEST = 8
# asyncssh begins with ChaCha20, which takes 1.4 times as long for a large result (100 MB: 2.3 s, here 1.7 s)
_CIPHERS = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
# as OpenSSH orders them; SHA-1 is for servers so old that an RSA key of theirs is recorded
_KINDS = (
    "ssh-ed25519",
    *(f"ecdsa-sha2-nistp{bits}" for bits in (256, 384, 521)),
    *(_RSA_SHA2 := ("rsa-sha2-512", "rsa-sha2-256")),
)
_RSA = (*_RSA_SHA2, "ssh-rsa")
_USER_FILES = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2")
_GLOBAL_FILES = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


class Client(asyncssh.SSHClient):
    """asyncssh's callbacks: notes what the server says, and gives the password once, when it is asked for it."""

    def __init__(self, seen: Seen, password: Secret | None, on_lost: Callable[[Exception | None, Seen], None]) -> None:
        self._seen = seen
        self._password = password
        self._on_lost = on_lost
        self._conn: asyncssh.SSHClientConnection | None = None

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._conn = conn

    def connection_lost(self, exc: Exception | None) -> None:
        if self._conn is not None:
            self._seen.version = self._conn.get_extra_info("server_version")
        self._conn = None
        self._on_lost(exc, self._seen)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        self._seen.presented = key
        return False

    def validate_host_ca_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        self._seen.authority = key
        return False

    def public_key_auth_requested(self) -> None:
        self._note()

    def password_auth_requested(self) -> str | None:
        self._note()
        return self._once()

    def password_change_requested(self, prompt: str, lang: str) -> Any:  # noqa: ARG002
        self._seen.expired = True
        return NotImplemented

    def kbdint_auth_requested(self) -> str | None:
        self._note()
        return "" if self._password is not None and not self._seen.password_sent else None

    def kbdint_challenge_received(self, name: str, instructions: str, lang: str, prompts: Any) -> list[str] | None:  # noqa: ARG002
        if not prompts:
            return []
        ((text, echo), *more) = prompts
        # one hidden question is the password; whatever comes besides is a second factor, and not for us to answer
        if more or echo or (password := self._once()) is None:
            self._seen.asked = " ".join(str(text).split())
            return None
        return [password]

    def _once(self) -> str | None:
        if self._password is None or self._seen.password_sent:
            return None
        self._seen.password_sent = True
        return self._password.reveal()

    def _note(self) -> None:
        if self._conn is not None and not self._seen.offered:
            self._seen.offered = tuple(self._conn.get_server_auth_methods())


class Route:
    """The logins that lead to the database's network, first to last; :meth:`close` ends them all."""

    def __init__(self, *, prefix: str, trusted: Sequence[HostKey], on_lost: Callable[[Any, Seen], None]) -> None:
        self.stage = "reading the SSH configuration"
        self.hops: list[tuple[Seen, asyncssh.SSHClientConnection]] = []
        self.prefix = prefix
        self._trusted = tuple(trusted)
        self._on_lost = on_lost

    @property
    def last(self) -> asyncssh.SSHClientConnection:
        """The connection that reaches the database."""
        return self.hops[-1][1]

    def __str__(self) -> str:
        return " → ".join(seen.label for seen, _ in self.hops)

    async def open(self, login: Login, *, depth: int = 0) -> None:
        """Log in to every jump host and then to the host itself.

        :raises RefusedError: with the reason.
        """
        port = login.port or DEFAULT_PORT
        label = written(login.host, port, login.user)
        seen = Seen(label=label, host=login.host, port=port, user=login.user or "", auth=login.auth, jumps=depth > 0)
        seen.password_given = login.password is not None
        with tempfile.TemporaryDirectory(prefix="tusk-ssh-") as folder:
            files = await off_loop(config_files, login.hostname, folder)
            refusal = await self._reach(login, files, seen, depth)
        if refusal is not None:
            raise RefusedError(refusal)

    async def probe(self, host: str, port: int) -> None:
        """Open one connection to the database and close it.

        :raises asyncssh.ChannelOpenError: when the last host cannot, or may not, reach it.
        """
        self.stage = f"reaching the database at {written(host, port)} from {self.hops[-1][0].label}"
        if host.startswith("/"):
            _, writer = await self.last.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            _, writer = await self.last.open_connection(host, port)
        writer.close()

    def close(self) -> None:
        """Hang up, the last login first; what is connected through it ends."""
        for _, conn in reversed(self.hops):
            conn.close()

    def abort(self) -> None:
        """Drop the connections without a word to the servers."""
        for _, conn in reversed(self.hops):
            conn.abort()

    async def _reach(self, login: Login, files: list[str], seen: Seen, depth: int) -> Refusal | None:
        try:
            options = await options_of(login, files)
            describe(seen, options, depth=depth)
            await self._jump(options, seen, depth)
            await self._log_in(login, files, options, seen)
        except (asyncio.CancelledError, RefusedError) as error:
            if isinstance(error, RefusedError):
                return error.refusal
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it means that this host was not reached
            return failed(error, seen, prefix=self.prefix)
        return None

    async def _jump(self, options: asyncssh.SSHClientConnectionOptions, seen: Seen, depth: int) -> None:
        jumps = options.tunnel
        # of «a,b» b is reached through a, whatever else its own entry says
        if self.hops or not isinstance(jumps, str) or not jumps:
            seen.via = self.hops[-1][0].label if self.hops else None
            return
        if depth > _DEEPEST:
            raise ValueError(f"ProxyJump {jumps} goes in circles")
        for jump in jumps.split(","):
            try:
                hop = parse_ssh(jump)
            except InvalidInput as error:
                raise ValueError(f"ProxyJump {jump}: {error.message}") from None
            if (hop.host.lower(), hop.port) == (seen.host.lower(), seen.port):
                continue  # «Host *» sends the jump host through itself, which OpenSSH passes over, too
            port = hop.port if hop.port != DEFAULT_PORT else None
            await self.open(Login(host=hop.host, port=port, user=hop.username), depth=depth + 1)
        if self.hops:
            seen.via = self.hops[-1][0].label

    async def _log_in(
        self, login: Login, files: list[str], options: asyncssh.SSHClientConnectionOptions, seen: Seen
    ) -> None:
        self.stage = f"reading the keys for {seen.label}"
        seen.known = await off_loop(self._known, options, seen)
        try:
            identities = await ssh_config.identities(login, options)
        except RefusedError as error:
            raise RefusedError(placed(error.refusal, seen, prefix=self.prefix)) from None
        seen.identities, seen.passed_over = tuple(identities.names), tuple(identities.passed_over)
        seen.agent = identities.agent
        self.stage = f"logging in to {seen.label}"
        wants_gss = bool(options.config.get("GSSAPIAuthentication", False))
        try:
            conn = await asyncssh.connect(
                login.host,
                **given(login),
                config=files,
                tunnel=self.last if self.hops else None,
                client_factory=lambda: Client(seen, login.password, self._on_lost),
                known_hosts=_trusted(seen.known),
                server_host_key_algs=_kinds(options, seen.known),
                encryption_algs=() if options.config.get("Ciphers") else _CIPHERS,
                client_keys=identities.pairs or None,
                agent_path=None,
                agent_identities=None,
                agent_forwarding=False,
                gss_host=() if wants_gss else None,
                connect_timeout=None,
                login_timeout=0,
                keepalive_interval=KEEPALIVE_S,
                keepalive_count_max=KEEPALIVE_COUNT,
                **QUIET,
            )
        finally:
            identities.close()
        self.hops.append((seen, conn))

    def _known(self, options: asyncssh.SSHClientConnectionOptions, seen: Seen) -> Known:
        user = known_hosts_files(options, "UserKnownHostsFile", _USER_FILES)
        seen.record_in = next((file for file in user if file != os.devnull), str(Path(_USER_FILES[0]).expanduser()))
        known = ssh_known_hosts.look_up(
            [*user, *known_hosts_files(options, "GlobalKnownHostsFile", _GLOBAL_FILES)], *seen.recorded_as
        )
        # what the user said yes to counts even where it could not be written down
        agreed = tuple(
            Entry(key.file, 0, None, key.key_type, asyncssh.import_public_key(key.line.partition(" ")[2]).public_data)
            for key in self._trusted
            if (key.host, key.port) == (seen.host, seen.port)
        )
        return Known((*known.keys, *agreed), known.authorities, known.revoked)


def _trusted(known: Known) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
    return _imported(known.keys), _imported(known.authorities), _imported(known.revoked)


def _imported(entries: Sequence[Entry]) -> list[asyncssh.SSHKey]:
    keys = []
    for entry in entries:
        try:
            keys.append(asyncssh.import_public_key(entry.public))
        except asyncssh.KeyImportError:  # of a kind that asyncssh does not know
            continue
    return keys


def _kinds(options: asyncssh.SSHClientConnectionOptions, known: Known) -> Any:
    """Return the kinds of key to ask the server for: those that are recorded first, then the others.

    asyncssh would ask for the recorded ones only, and a server that has none of them would hang up before it showed the
    key that has changed.
    """
    if options.config.get("HostKeyAlgorithms"):
        return ()
    recorded = [kind for entry in known.keys for kind in _signatures(entry.key_type)]
    certified = [f"{kind}-cert-v01@openssh.com" for kind in _KINDS] if known.authorities else []
    possible = {*certified, *_KINDS, *_RSA}
    return list(dict.fromkeys(kind for kind in (*certified, *recorded, *_KINDS) if kind in possible))


def _signatures(key_type: str) -> tuple[str, ...]:
    return _RSA if key_type == "ssh-rsa" else (key_type,)
