"""What is to be logged in to, and what the files of ``ssh`` say about it.

``~/.ssh/config`` and then ``/etc/ssh/ssh_config`` apply to every host name, as they do for ``ssh``; an alias only names
the ``Host`` that is looked up. What the tunnel itself says (user, host, key, a port other than 22) goes before what the
files say. asyncssh's X.509 extensions are left out, because ``ssh`` has none: a stray ``~/.ssh/ca-bundle.crt`` must not
decide whether a tunnel works.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import asyncssh

from tusk_jupyter.connections import ssh_keys
from tusk_jupyter.connections.ssh_address import DEFAULT_PORT, written

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tusk_jupyter.connections.saved import SshTunnel
    from tusk_jupyter.connections.ssh_refusals import Seen
    from tusk_jupyter.secret import Secret

_SYSTEM_CONFIG = "/etc/ssh/ssh_config"
QUIET: dict[str, Any] = {"x509_trusted_certs": None, "x509_trusted_cert_paths": (), "host_based_auth": False}


@dataclass(frozen=True, slots=True)
class Login:
    """One host to log in to, and with what."""

    host: str
    port: int | None = None
    user: str | None = None
    auth: str = "agent"
    key_path: str | None = None
    password: Secret | None = None
    passphrase: Secret | None = None
    hostname: str | None = None


def login_of(ssh: SshTunnel, password: Secret | None, passphrase: Secret | None) -> Login:
    """Return the login that a tunnel's record describes."""
    return Login(
        host=ssh.config_alias or ssh.host,
        port=ssh.port if ssh.port != DEFAULT_PORT else None,
        user=ssh.username or None,
        auth=ssh.auth,
        key_path=ssh.key_path,
        password=password if ssh.auth == "password" else None,
        passphrase=passphrase,
        hostname=ssh.host if ssh.config_alias and ssh.host and ssh.host != ssh.config_alias else None,
    )


def config_files(hostname: str | None, folder: str) -> list[str]:
    """Return the files of settings that there are, the user's before the machine's; the first value counts.

    :param hostname: goes before every ``HostName`` of theirs, by a file that is made in ``folder``.
    """
    candidates = [str(Path("~/.ssh/config").expanduser()), _SYSTEM_CONFIG]
    if hostname is not None:
        own = Path(folder, "config")
        own.write_text(f"HostName {hostname}\n", "utf-8")
        candidates.insert(0, str(own))
    return [path for path in candidates if os.access(path, os.R_OK)]


def given(login: Login) -> dict[str, Any]:
    given: dict[str, Any] = {}
    if login.port is not None:
        given["port"] = login.port
    if login.user is not None:
        given["username"] = login.user
    return given


async def options_of(login: Login, files: list[str]) -> asyncssh.SSHClientConnectionOptions:
    """Return what the files come to for this host, without looking at any key."""
    options: asyncssh.SSHClientConnectionOptions = await asyncssh.SSHClientConnectionOptions.construct(
        host=login.host, config=files, client_keys=None, agent_path=None, known_hosts=b"", gss_host=None,
        **given(login), **QUIET,
    )  # fmt: skip
    return options


def describe(seen: Seen, options: asyncssh.SSHClientConnectionOptions, *, depth: int) -> None:
    seen.host, seen.port = options.host, options.port
    seen.user = options.username or getpass.getuser()
    alias = options.config.get("HostKeyAlias")
    seen.alias = str(alias) if alias else None
    seen.label = written(seen.host, seen.port, seen.user)
    seen.jumps = depth > 0


def known_hosts_files(options: asyncssh.SSHClientConnectionOptions, option: str, usual: Sequence[str]) -> list[str]:
    """Return the known_hosts files of an option; asyncssh leaves ``~``, ``%d`` and ``${NAME}`` in them."""
    named = cast("Sequence[str]", options.config.get(option, list(usual)))
    return [_expanded(file) for file in named]


def _expanded(file: str) -> str:
    """Return the path as ssh_config(5) means it: ``~``, ``%d`` (home), ``%%`` and ``${NAME}``."""
    home = str(Path("~").expanduser())
    path = re.sub(r"%([d%])", lambda hit: home if hit[1] == "d" else "%", os.path.expandvars(file))
    return str(Path(path).expanduser())


async def identities(login: Login, options: asyncssh.SSHClientConnectionOptions) -> ssh_keys.Identities:
    if login.auth == "password":
        return ssh_keys.Identities()
    certificates = cast("Sequence[str]", options.config.get("CertificateFile", ()))
    if login.auth == "key":
        pairs = await off_loop(ssh_keys.from_file, login.key_path or "", login.passphrase, certificates)
        return ssh_keys.Identities(pairs, [login.key_path or ""])
    named = options.config.get("IdentityFile")
    files = await off_loop(ssh_keys.existing, named if isinstance(named, list) else None)
    return await ssh_keys.gather(
        files,
        agent_path=_agent_path(options),
        only=bool(options.config.get("IdentitiesOnly")),
        passphrase=login.passphrase,
        certificates=certificates,
        run=off_loop,
    )


def _agent_path(options: asyncssh.SSHClientConnectionOptions) -> str | None:
    named = options.config.get("IdentityAgent", "SSH_AUTH_SOCK")
    if named == "SSH_AUTH_SOCK":
        named = os.environ.get("SSH_AUTH_SOCK")
    return str(Path(str(named)).expanduser()) if named else None


async def off_loop(function: Callable[..., Any], *args: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, function, *args)
