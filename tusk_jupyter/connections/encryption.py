"""What protects a connection on its way, in the words that the connect line, the status, the manager and a test share.

Protocol and cipher are libpq's own: the server's ``pg_stat_ssl`` speaks of the line that ends there, which behind a
pooler is another one. Whether the certificate was checked is decided by libpq's rules, which check the chain under
every ``sslmode`` once there is a root certificate. ``prefer`` goes on without TLS where it cannot have it, and says
nothing: that is said here, as a warning only where others could listen, so not on a Unix socket, on this machine's
loopback, or inside an SSH tunnel.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections import libpq

if TYPE_CHECKING:
    from collections.abc import Mapping

    import psycopg

_FELL_BACK = (
    "what is sent can be read on the way, and nobody checked who answers: --sslmode require goes on only with TLS, "
    "verify-full only with a server that proves its name"
)


@dataclass(frozen=True, slots=True)
class Encryption:
    """``text`` is short enough for a line; ``warning`` says more where it should not stay as it is."""

    text: str
    encrypted: bool
    warning: str | None = None


def of(conn: psycopg.Connection[Any], *, offered: bool, tunnelled: bool, seen_by_server: str | None) -> Encryption:
    """Return how an open connection is protected.

    :param offered: whether the server has TLS.
    :param tunnelled: whether it goes through SSH.
    :param seen_by_server: protocol and cipher by ``pg_stat_ssl``, where libpq does not tell.
    """
    in_force = {
        option.keyword.decode(): (option.val or b"").decode(errors="replace")
        for option in conn.pgconn.info
        if option.keyword in {b"sslmode", b"sslrootcert"}
    }
    if conn.pgconn.ssl_in_use:
        protocol, cipher = (libpq.ssl_attribute(conn.pgconn, name) for name in ("protocol", "cipher"))
        said = f"{protocol} ({cipher})" if protocol and cipher else seen_by_server or "TLS"
        return Encryption(f"{said}, {verified(in_force)}", encrypted=True)
    harmless = _harmless(conn, tunnelled=tunnelled)
    if harmless == _SOCKET:
        return Encryption(f"no TLS ({_SOCKET})", encrypted=False)
    mode = in_force.get("sslmode", "")
    why = _why_plain(mode, offered=offered)
    if harmless is not None:
        return Encryption(f"no TLS ({harmless}: {why})", encrypted=False)
    warning = _FELL_BACK if mode in {"prefer", "allow"} else None
    fell_back = "sslmode=prefer fell back: " if mode == "prefer" else ""
    return Encryption(f"not encrypted ({fell_back}{why})", encrypted=False, warning=warning)


def verified(in_force: Mapping[str, str]) -> str:
    """Return what libpq checked of the server's certificate, by the ``sslmode`` and ``sslrootcert`` in force."""
    root = in_force.get("sslrootcert") or ""
    if not has_root_certificate(root):
        return "certificate not checked"
    if in_force.get("sslmode") == "verify-full" or root == "system":
        return "certificate and host name verified"
    return "certificate verified, host name not"


def has_root_certificate(sslrootcert: str) -> bool:
    """Return whether libpq finds a CA: it then checks the server's chain under every sslmode.

    https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION
    """
    if sslrootcert == "system":
        return True
    if sys.platform == "win32":
        default = os.path.join(os.environ.get("APPDATA", ""), "postgresql", "root.crt")  # noqa: PTH118 - may be absent
    else:
        default = os.path.expanduser("~/.postgresql/root.crt")  # noqa: PTH111 - no exception without a home
    return os.path.exists(sslrootcert or default)  # noqa: PTH110


_SOCKET = "Unix socket"


def _harmless(conn: psycopg.Connection[Any], *, tunnelled: bool) -> str | None:
    """Return why nobody listens on the way, if so."""
    if tunnelled:
        return "inside the SSH tunnel"
    host = conn.info.host or ""
    if host.startswith(("/", "@")):
        return _SOCKET
    if conn.pgconn.used_gssapi:
        return "GSSAPI"
    try:
        return "loopback" if ip_address(conn.info.hostaddr.partition("%")[0]).is_loopback else None
    except ValueError:
        return None


def _why_plain(mode: str, *, offered: bool) -> str:
    if mode == "disable":
        return "sslmode=disable"
    if mode == "allow":
        return "sslmode=allow asks for it only where the server insists"
    return "the server has it, but none was agreed on" if offered else "the server offers none"
