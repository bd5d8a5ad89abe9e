"""Why a tunnel could not be opened, or died: asyncssh's exceptions, told apart by type and by how far it had come.

asyncssh raises ``PermissionDenied`` for a wrong password and for an agent that is not there, ``HostKeyNotVerifiable``
for a first visit and for an attack, ``ConnectionLost`` for a web server on the port; what its client noted on the way
(:class:`~tusk_jupyter.connections.ssh_refusals.Seen`) decides. Every error says which host of the route it is about.
Nothing is raised here: errors are returned, so that no frame that held a password is behind them.
"""

from __future__ import annotations

import errno
import re
import socket

import asyncssh

from tusk_jupyter.connections.ssh_denials import denied, host_key, no_common_algorithm
from tusk_jupyter.connections.ssh_refusals import Refusal, RefusedError, Seen, command, reason, refused, shown
from tusk_jupyter.errors import SshError

_HUNG_UP = (asyncssh.DisconnectError, ConnectionResetError, ConnectionAbortedError, BrokenPipeError)
_ADMINISTRATIVELY_PROHIBITED = 1
_NO_ROUTE = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN, errno.EADDRNOTAVAIL)


def failed(exc: BaseException, seen: Seen, *, prefix: str) -> Refusal:
    """Return what ``exc``, raised while reaching or logging in to one host, means."""
    if isinstance(exc, RefusedError):
        return exc.refusal
    if isinstance(exc, asyncssh.HostKeyNotVerifiable):
        return host_key(exc, seen, prefix)
    if isinstance(exc, asyncssh.PermissionDenied) or "authentication fail" in str(exc).lower():
        return denied(exc, seen, prefix)
    message, advice = _without_login(exc, seen)
    return Refusal(refused(prefix + message, seen, advice, exc))


def unreachable_database(exc: asyncssh.ChannelOpenError, seen: Seen, *, prefix: str, target: str) -> SshError:
    """Return why the last host of the route does not lead to the database."""
    if exc.code == _ADMINISTRATIVELY_PROHIBITED:
        return refused(
            f"{prefix}the SSH server {seen.label} does not allow to forward to {target}",
            seen,
            "Whoever runs it has to allow it: AllowTcpForwarding, PermitOpen and DisableForwarding in its sshd_config,"
            " or the options of your key in authorized_keys.",
            exc,
        )
    return refused(
        f"{prefix}{seen.label} cannot reach the database at {target}: {reason(exc)}",
        seen,
        "The SSH login worked. Host and port of the database are looked up at the SSH server: check both as seen from"
        f" there (localhost is {seen.host}), and that PostgreSQL runs and listens there.",
        exc,
    )


def died(exc: BaseException | None, seen: Seen, *, prefix: str) -> SshError:
    """Return why a tunnel that worked is gone."""
    text = str(exc) if exc is not None else ""
    if "keepalive" in text:
        why = f"{seen.label} answers no more"
    elif exc is None:
        why = f"{seen.label} closed the connection"
    else:
        why = f"the connection to {seen.label} was lost"
    return SshError(
        f"{prefix}{why}",
        detail=shown(text) or None,
        advice="The next cell opens the tunnel again. What the lost session held (temp tables, SETs, BEGIN) is gone.",
        facts=(("hop", seen.label),),
    )


def _without_login(exc: BaseException, seen: Seen) -> tuple[str, str]:
    where = f"{seen.host}, port {seen.port}"
    if isinstance(exc, asyncssh.ChannelOpenError):
        return (
            f"the jump host {seen.via} cannot reach {seen.label}: {reason(exc)}",
            "Host and port are looked up at the jump host, whose sshd must allow forwarding (AllowTcpForwarding).",
        )
    if isinstance(exc, asyncssh.KeyExchangeFailed):
        return no_common_algorithm(exc, seen)
    if isinstance(exc, socket.gaierror):
        return (
            f"the SSH host name {seen.host!r} is not known to DNS",
            "Check its spelling, the VPN if it is known only inside a network, and Host in ~/.ssh/config.",
        )
    hung_up = isinstance(exc, _HUNG_UP)
    if isinstance(exc, OSError) and not hung_up:
        return _network(exc, where)
    if hung_up and seen.version is None:
        return (
            f"what answers at {where} is not an SSH server, or it hung up at once",
            "Check host and port: SSH's is usually 22. A server that bans addresses after failed logins hangs up too.",
        )
    if hung_up:
        return (
            f"{seen.label} ended the login: {reason(exc)}",
            "Try it in a terminal with: " + command(seen, verbose=True),
        )
    if isinstance(exc, ValueError):
        return (
            f"the SSH configuration for {seen.label} cannot be used: {shown(str(exc))}",
            "Correct ~/.ssh/config (or /etc/ssh/ssh_config); ssh -G HOST shows what it comes to.",
        )
    return (f"{type(exc).__name__} at {seen.label}: {shown(str(exc))}", "Try it in a terminal with: " + command(seen))


def _network(exc: OSError, where: str) -> tuple[str, str]:
    # several addresses: asyncio joins the texts, and the numbers are in them
    numbers = {exc.errno} if exc.errno else {int(n) for n in re.findall(r"\[Errno (\d+)\]", str(exc))}
    if errno.ECONNREFUSED in numbers:
        return f"no SSH server listens at {where}", "Check host and port, and that sshd is running there."
    if numbers & set(_NO_ROUTE):
        return f"there is no route to {where}", "Check the address, the VPN, and your own network connection."
    if errno.ETIMEDOUT in numbers:
        return f"no answer from {where}", "Check host and port, the VPN and firewalls between."
    why = (exc.strerror or str(exc) or type(exc).__name__).lower()
    return f"the connection to {where} failed: {shown(why)}", "Check host and port, and that sshd is running there."
