"""What was learned of one host of a route while logging in to it, and the refusal that comes of it.

asyncssh's exceptions alone do not tell a wrong password from an agent that is not there, nor a first visit from an
attack; with these notes :mod:`~tusk_jupyter.connections.ssh_errors` does.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from tusk_jupyter.connections.ssh_address import DEFAULT_PORT
from tusk_jupyter.connections.ssh_known_hosts import HostKey, Known
from tusk_jupyter.errors import SshError

if TYPE_CHECKING:
    from collections.abc import Iterable

    import asyncssh

_LONGEST = 1000
OF_AGENT = "agent: "
SecretKind = Literal["password", "passphrase"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A failed attempt.

    ``asks`` for a secret that was not given, ``refused`` names one that was and is wrong, ``unknown`` is a host key
    that nobody recorded yet.
    """

    error: SshError
    asks: SecretKind | None = None
    refused: SecretKind | None = None
    unknown: HostKey | None = None


class RefusedError(Exception):
    """Carries a refusal out of the middle of an attempt; it never leaves the tunnel."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__()
        self.refusal = refusal


@dataclass(slots=True)
class Seen:
    """What was learned of one host of the route while logging in to it."""

    label: str
    host: str
    port: int
    user: str
    auth: str
    known: Known = field(default_factory=Known)
    version: str | None = None
    presented: asyncssh.SSHKey | None = None
    authority: asyncssh.SSHKey | None = None
    offered: tuple[str, ...] = ()
    asked: str | None = None
    password_sent: bool = False
    password_given: bool = False
    expired: bool = False
    agent: str | None = None
    identities: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    record_in: str = ""
    alias: str | None = None
    via: str | None = None
    jumps: bool = False

    @property
    def recorded_as(self) -> tuple[str, int]:
        """Host and port under which ``known_hosts`` has the key; ``HostKeyAlias`` stands without a port."""
        return (self.alias, DEFAULT_PORT) if self.alias else (self.host, self.port)

    @property
    def proof(self) -> str:
        """What logged in: with ``agent``, which means all that ssh tries by itself, it may have been a file's key."""
        if self.auth != "agent":
            return self.auth
        of_agent = sum(name.startswith(OF_AGENT) for name in self.identities)
        return "agent" if of_agent == len(self.identities) else "agent or key" if of_agent else "key"


def command(seen: Seen, *, verbose: bool = False) -> str:
    """Return what to type in a terminal to try the same."""
    port = f" -p {seen.port}" if seen.port != DEFAULT_PORT else ""
    jump = f" -J {seen.via}" if seen.via else ""
    return f"ssh{' -v' if verbose else ''}{port}{jump} {seen.user}@{seen.host}"


def refused(
    message: str, seen: Seen, advice: str, exc: BaseException | None, facts: Iterable[tuple[str, str]] = ()
) -> SshError:
    hop = "jump host" if seen.jumps else "SSH host"
    said = shown(str(exc)) if exc is not None else ""
    return SshError(
        message,
        detail=said if said and said not in message else None,
        advice=advice,
        facts=((hop, seen.label), *facts),
    )


def placed(refusal: Refusal, seen: Seen, *, prefix: str) -> Refusal:
    """Return the refusal of a key with the connection and the host that it was for."""
    error = refusal.error
    return replace(refusal, error=refused(prefix + error.message, seen, error.advice, None, error.facts))


def reason(exc: BaseException) -> str:
    """Return what the other side said, or the system."""
    said = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or str(exc)
    return shown(str(said)) or type(exc).__name__


def shown(text: str) -> str:
    printable = "".join(c if c.isprintable() else " " for c in text).strip()
    return printable if len(printable) <= _LONGEST else f"{printable[:_LONGEST]}…"
