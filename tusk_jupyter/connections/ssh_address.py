"""``USER@HOST[:PORT]`` as ``ssh`` and ``--ssh`` write it, read and written back.

The last ``@`` ends the user, because account names of a directory service hold one (``ann@corp@bastion``). An IPv6
address needs brackets only where a port follows. A port of 22 and none at all are the same record: where
``~/.ssh/config`` names a port for the host, that one is used, as ``ssh`` does.
"""

from __future__ import annotations

import ipaddress
import re

from tusk_jupyter.connections.saved import SshTunnel, is_host
from tusk_jupyter.errors import InvalidInput

DEFAULT_PORT = 22
_FORM = "Write USER@HOST, USER@HOST:PORT or USER@[IPV6]:PORT; a name of ~/.ssh/config is a host too."


def parse_ssh(text: str) -> SshTunnel:
    """Return the tunnel that ``--ssh`` names.

    :raises InvalidInput: never with a part of the text that may be a password.
    """
    given = text.strip()
    if given.lower().startswith("ssh://"):
        given = given[len("ssh://") :].rstrip("/")
    user, at, rest = given.rpartition("@")
    if at and not user:
        raise InvalidInput("the SSH user before '@' is empty", advice=_FORM)
    if ":" in user:
        raise InvalidInput(
            "a password cannot stand in an SSH address",
            advice="Leave it out and use --ssh-auth password: it is asked for. " + _FORM,
        )
    if bad := next((c for c in given if c.isspace() or not c.isprintable()), None):
        raise InvalidInput(f"an SSH address cannot hold {bad!r}", advice=_FORM)
    host, port = _host_and_port(rest)
    if user.startswith("-") or host.startswith("-"):
        raise InvalidInput("the parts of an SSH address cannot begin with '-'", advice=_FORM)
    return SshTunnel(host=host, port=port, username=user or None)


def written(host: str, port: int = DEFAULT_PORT, user: str | None = None) -> str:
    """Return ``user@host:port``, with brackets around an IPv6 address and without the usual port."""
    shown = f"[{host}]" if ":" in host and port != DEFAULT_PORT else host
    return f"{f'{user}@' if user else ''}{shown}{f':{port}' if port != DEFAULT_PORT else ''}"


def _host_and_port(text: str) -> tuple[str, int]:
    if _is_ipv6(text):
        return text, DEFAULT_PORT
    found = re.fullmatch(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::([^:]*))?", text)
    host = (found[1] or found[2]) if found else None
    if found is None or not host or host.startswith(("/", "@")) or not is_host(host):
        raise InvalidInput("the host of the SSH address cannot be read", advice=_FORM)
    if found[1] is not None and not _is_ipv6(host):
        raise InvalidInput("what stands in the brackets of the SSH address is no IPv6 address", advice=_FORM)
    port = found[3]
    if port is None:
        return host, DEFAULT_PORT
    if not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 2**16:
        raise InvalidInput("the SSH port is not a number from 1 to 65535", advice=_FORM)
    return host, int(port)


def _is_ipv6(text: str) -> bool:
    try:
        return isinstance(ipaddress.ip_address(text.partition("%")[0]), ipaddress.IPv6Address)
    except ValueError:
        return False
