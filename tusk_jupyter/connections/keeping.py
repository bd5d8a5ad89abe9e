"""From a connection to what is kept of it, and back: :class:`SavedConnection` ↔ :class:`Target`.

Kept is what libpq resolved, read from the open connection: a service file or a variable of the environment may say
something else tomorrow. Parameters that we add to every connection ourselves are left out, so that a later version's
defaults hold for connections saved today; so is every secret.
"""

from __future__ import annotations

import getpass
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.connections.conninfo import Conninfo
from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.connections.keywords import KEYWORDS, SECRET_KEYWORDS
from tusk_jupyter.connections.saved import SavedConnection

if TYPE_CHECKING:
    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.embedded import EmbeddedServer
    from tusk_jupyter.connections.target import Limits, Target

# libpq's keyword → the column that holds it
_COLUMNS = {
    "host": "host",
    "dbname": "database",
    "user": "username",
    "sslmode": "ssl_mode",
    "sslrootcert": "ssl_ca_cert",
    "sslcert": "ssl_client_cert",
    "sslkey": "ssl_client_key",
    "application_name": "application_name",
}
# resolved into the others, or set by us whatever the user says
_NOT_KEPT = {"service", "port", "client_encoding", "fallback_application_name", "connect_timeout"}
# kept where the user gave them: otherwise they are libpq's or our defaults
_OURS = {"sslcertmode", "passfile", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}


def target_of(saved: SavedConnection, *, embedded: Conninfo | None = None) -> Target:
    """Return what to connect to; its passwords are looked up by the record's id when it is opened.

    :param embedded: where the embedded server of the record listens this time.
    """
    from tusk_jupyter.connections.opening import Settings
    from tusk_jupyter.connections.target import Limits, Target

    given = {key: value for key, column in _COLUMNS.items() if (value := getattr(saved, column)) is not None}
    info = Conninfo((*saved.parameters.items(), *given.items(), ("port", str(saved.port))))
    info = info.merged(embedded) if embedded is not None else info
    chosen = {
        name: value
        for name in ("connect_timeout_s", "pool_timeout_s", "pool_size")
        if (value := getattr(saved, name)) is not None
    }
    settings = Settings(
        statement_timeout=_milliseconds(saved.statement_timeout_ms),
        lock_timeout=_milliseconds(saved.lock_timeout_ms),
        read_only=saved.read_only,
    )
    return Target(
        info,
        settings,
        Limits(**chosen),
        embedded=saved.embedded,
        ssh=saved.ssh_tunnel,
        saved_id=saved.id,
        history=saved.history,
    )


def saved_of(
    connection: Connection, *, name: str, group_id: str | None = None, color: str | None = None
) -> SavedConnection:
    """Return the record of an open connection, under its id."""
    target, server = connection.target, connection.server
    given = target.conninfo.kwargs()
    in_force = dict(server.parameters) if server is not None else dict(given)
    if given.get("sslrootcert") == "system":
        # libpq was given this machine's bundle; another machine has another
        in_force["sslrootcert"] = "system"
    if target.ssh is not None:
        # libpq was sent to the tunnel's end; kept is where the tunnel leads
        for key in ("host", "hostaddr", "port"):
            in_force.pop(key, None)
        in_force |= {key: given[key] for key in ("host", "hostaddr", "port") if key in given}
    host = in_force.get("host") or (server.host if server is not None else "") or "localhost"
    port = in_force.get("port") or str(server.port if server is not None else 5432)
    columns = {column: in_force[key] for key, column in _COLUMNS.items() if key in in_force}
    columns |= {
        "host": server.host if server is not None and target.ssh is None and "," in host else host,
        "database": in_force.get("dbname") or (server.dbname if server is not None else ""),
        "username": in_force.get("user") or (server.user if server is not None else getpass.getuser()),
    }
    record = SavedConnection(
        id=connection.id,
        name=name,
        port=server.port if server is not None and "," in port else int(port),
        ssh_tunnel=target.ssh,
        read_only=target.settings.read_only,
        statement_timeout_ms=_count(target.settings.statement_timeout),
        lock_timeout_ms=_count(target.settings.lock_timeout),
        group_id=group_id,
        color=color,
        embedded=target.embedded,
        history=target.history,
        parameters={key: value for key, value in in_force.items() if _is_kept(key, given)},
        **columns,  # type: ignore[arg-type]
    )
    return replace(record, **_chosen_limits(target.limits))  # type: ignore[arg-type]


def _is_kept(key: str, given: dict[str, str]) -> bool:
    if key in SECRET_KEYWORDS or key not in KEYWORDS or key in _COLUMNS or key in _NOT_KEPT:
        return False
    if key == "hostaddr":
        # what psycopg looked up for a host name: tomorrow the name may lead elsewhere
        return key in given or bool(os.environ.get("PGHOSTADDR")) or not (given.get("host") or os.environ.get("PGHOST"))
    return key in given or key not in _OURS


def _chosen_limits(limits: Limits) -> dict[str, float]:
    from tusk_jupyter.connections.target import Limits as Defaults

    return {
        name: value
        for name in ("connect_timeout_s", "pool_timeout_s", "pool_size")
        if (value := getattr(limits, name)) != getattr(Defaults(), name)
    }


def embedded_conninfo(server: EmbeddedServer) -> Conninfo:
    """Return the parameters of a running embedded server; never ``trust``."""
    return Conninfo(
        (
            ("host", server.host),
            ("port", str(server.port)),
            ("dbname", server.dbname),
            ("user", server.user),
            ("require_auth", "scram-sha-256"),
        ),
        password=server.password,
    )


def _milliseconds(count: int | None) -> str | None:
    return None if count is None else f"{count}ms"


def _count(duration: str | None) -> int | None:
    return None if duration is None else round(parse_duration(duration) * 1000)
