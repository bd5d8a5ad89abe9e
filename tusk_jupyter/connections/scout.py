"""Where a connection attempt goes, looked at beside it: names to addresses, and the first address that answers.

libpq's attempt is one call that says nothing before its end, so what a person watches meanwhile is found out by a
look of our own at the same places. It decides nothing (the attempt does), costs one more TCP connection, closed at
once (PostgreSQL logs none that sends nothing), and no time: both run side by side.
"""

from __future__ import annotations

import contextlib
import ipaddress
import selectors
import socket
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tusk_jupyter.connections.conninfo import Conninfo

_SHOWN = 3
_SLICE_S = 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """One server to try: its host as it was written, the address where that was given, the port."""

    host: str
    address: str
    port: int

    @property
    def is_socket(self) -> bool:
        """Whether it is a Unix socket: libpq's rule, and its default where there are such sockets."""
        return not self.address and (self.host.startswith(("/", "@")) or (not self.host and sys.platform != "win32"))

    @property
    def needs_dns(self) -> bool:
        """Whether a name has to be looked up."""
        return not self.is_socket and not self.address and not is_address(self.host or "localhost")


def is_address(host: str) -> bool:
    """Return whether the text is an IP address, with or without its zone."""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def effective(conninfo: Conninfo, keyword: str) -> str:
    """Return what libpq will use: what was given, else its environment and defaults."""
    if (given := conninfo.get(keyword)) is not None:
        return given
    from psycopg.pq import Conninfo as Defaults

    for option in Defaults.get_defaults():
        if option.keyword == keyword.encode():
            return (option.val or option.compiled or b"").decode(errors="replace")
    return ""


def places(conninfo: Conninfo) -> tuple[Place, ...] | None:
    """Return the servers that libpq will try; ``None`` where a service file decides that."""
    if conninfo.get("service") and not (conninfo.host or conninfo.get("hostaddr")):
        return None
    hosts, addresses = (effective(conninfo, keyword).split(",") for keyword in ("host", "hostaddr"))
    ports = effective(conninfo, "port").split(",")
    count = max(len(hosts), len(addresses))
    rows = zip(_filled(hosts, count), _filled(addresses, count), _filled(ports, count), strict=True)
    return tuple(Place(host, address, int(port) if port.isdigit() else 5432) for host, address, port in rows)


def _filled(values: list[str], count: int) -> list[str]:
    """Return ``count`` values: libpq takes one port for every host; what is missing otherwise it refuses itself."""
    return values * count if len(values) == 1 else (values + [""] * count)[:count]


def look_up(where: Iterable[Place]) -> tuple[tuple[Place, tuple[str, ...]], ...]:
    """Return the addresses of each place, none where DNS knows none; sockets have none."""
    return tuple((place, _addresses(place)) for place in where if not place.is_socket)


def _addresses(place: Place) -> tuple[str, ...]:
    if place.address:
        return (place.address,)
    try:
        found = socket.getaddrinfo(place.host or "localhost", place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def described(found: Iterable[tuple[Place, tuple[str, ...]]]) -> str:
    """Return names with their addresses, as many as can be read."""
    return "; ".join(
        f"{place.host or 'localhost'}: {_several(addresses)}" for place, addresses in found if place.needs_dns
    )


def _several(addresses: tuple[str, ...]) -> str:
    shown = ", ".join(addresses[:_SHOWN]) or "unknown"
    return shown if len(addresses) <= _SHOWN else f"{shown} and {len(addresses) - _SHOWN} more"


def at(address: str, port: int | str) -> str:
    """Return ``address:port``, an IPv6 address in brackets."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def first_open(candidates: Iterable[tuple[str, int]], *, until: float, stopped: Callable[[], bool]) -> str | None:
    """Return the first address that takes a TCP connection; all are tried at once, and each is closed again.

    :param until: ``time.monotonic()`` at which nobody waits any longer.
    :param stopped: asked every 50 ms whether anybody still wants to know.
    """
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as opened:
        for address, port in candidates:
            with contextlib.suppress(OSError):
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                one = opened.enter_context(socket.socket(family, socket.SOCK_STREAM))
                one.setblocking(False)
                one.connect_ex(_sockaddr(address, port))
                selector.register(one, selectors.EVENT_WRITE, at(address, port))
        while selector.get_map() and time.monotonic() < until and not stopped():
            for key, _ in selector.select(_SLICE_S):
                if isinstance(key.fileobj, socket.socket):
                    if key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                        return str(key.data)
                    selector.unregister(key.fileobj)
    return None


def _sockaddr(address: str, port: int) -> tuple[str, int] | tuple[str, int, int, int]:
    plain, _, zone = address.partition("%")
    if ":" not in plain:
        return (plain, port)
    with contextlib.suppress(OSError):
        return (plain, port, 0, int(zone) if zone.isdigit() else socket.if_nametoindex(zone) if zone else 0)
    return (plain, port, 0, 0)


def why_no_dns(where: tuple[Place, ...] | None) -> str:
    """Return why there is no name to look up."""
    if where is None:
        return "pg_service.conf says where the server is"
    return "a Unix socket needs none" if all(place.is_socket for place in where) else "an address needs none"


def why_no_tls(conninfo: Conninfo, where: tuple[Place, ...] | None) -> str | None:
    """Return why there will be no TLS, if so."""
    if effective(conninfo, "sslmode") == "disable":
        return "sslmode=disable"
    return "a Unix socket has none" if where and all(place.is_socket for place in where) else None
