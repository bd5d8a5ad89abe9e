"""What a connection is made to and how: parameters, settings, limits, the tunnel; data that everything may look at.

Two connects to an equal target are the same connection.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tusk_jupyter.connections.conninfo import Conninfo
    from tusk_jupyter.connections.opening import Settings
    from tusk_jupyter.connections.saved import SshTunnel


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and sizes of a connection, the contract's defaults."""

    connect_timeout_s: float = 10.0
    pool_size: int = 5
    pool_timeout_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """What to connect to and how; two connects to an equal target are the same connection."""

    conninfo: Conninfo
    settings: Settings
    limits: Limits = field(default_factory=Limits)
    embedded: str | None = None
    notes: tuple[str, ...] = ()
    ask: bool = False
    ssh: SshTunnel | None = None
    saved_id: str | None = None
    history: bool = True

    @property
    def password_key(self) -> tuple[str, ...]:
        """What this kernel's memory knows the password by: the server and the user, not the connection."""
        ssh = self.ssh
        # behind two bastions the same «localhost» is two servers
        way = (ssh.config_alias or "", ssh.host, str(ssh.port)) if ssh is not None else ()
        given = (self.conninfo.get(key) for key in ("host", "hostaddr", "port", "dbname", "user", "service"))
        return (*(value or "" for value in given), *way)
