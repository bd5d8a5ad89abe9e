"""What a tested connection tells of itself: its way, its TLS, who it logged in as, what it may do.

Everything is asked of the open connection: libpq for what it agreed on, the server for the rest. How a login was
proven is said only where one of them knows (the server since 16); with ``trust`` and ``peer`` before that nobody does.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from tusk_jupyter.connections import encryption, liveness, opening, powers, scout

if TYPE_CHECKING:
    import psycopg

    from tusk_jupyter.connections.conninfo import Conninfo
    from tusk_jupyter.connections.opening import ServerInfo
    from tusk_jupyter.errors import TuskError

_ROUND_TRIPS = 5
_FACTS = """
select session_user, current_setting('default_transaction_read_only')
"""
_SYSTEM_USER_SINCE = 160000


@dataclass(frozen=True, slots=True)
class Found:
    """What the open connection told before it was closed."""

    server: ServerInfo
    round_trip_ms: float
    tcp: str
    tls: str
    plain: str | None
    login: str
    database: str


def encrypted(error: TuskError, conninfo: Conninfo) -> str:
    """Return what is known of TLS when something behind it failed."""
    told = dict(error.facts).get("reached", "").split(", ")
    mode = scout.effective(conninfo, "sslmode")
    if "TLS" in told or mode in {"require", "verify-ca", "verify-full"}:
        in_force = {keyword: scout.effective(conninfo, keyword) for keyword in ("sslmode", "sslrootcert")}
        return f"encrypted, {encryption.verified(in_force)}"
    return "none agreed on"


def ask(
    conn: psycopg.Connection[Any], conninfo: Conninfo, *, deadline: float, read_only: bool, tunnelled: bool
) -> Found:
    def rows(statement: str) -> list[list[str | None]]:
        return liveness.ask(conn, max(deadline - time.monotonic(), 0.1), statement.encode())

    server = opening.server_info(conn, deadline=deadline, read_only=read_only, tunnelled=tunnelled)
    [[user, read_only_default]] = rows(_FACTS)
    method = rows("select system_user")[0][0] if server.version_num >= _SYSTEM_USER_SINCE else None
    trips = []
    for _ in range(_ROUND_TRIPS):
        start = time.perf_counter()
        rows("select 1")
        trips.append((time.perf_counter() - start) * 1000)
    # what libpq came to, from services and variables too
    in_force = conninfo.with_(
        **{key: value for key, value in conn.info.get_parameters().items() if key in {"sslmode", "sslrootcert"}}
    )
    return Found(
        server=server,
        round_trip_ms=statistics.median(trips),
        tcp=_peer(conn),
        tls="; ".join(filter(None, (server.encryption.text, server.encryption.warning))),
        plain=_plain(conn, in_force),
        login=f"as {user}, {_method(conn, method)}",
        database=_database(server, read_only="asked for" if read_only else read_only_default == "on"),
    )


def _peer(conn: psycopg.Connection[Any]) -> str:
    host, port = conn.info.host or "", conn.info.port
    if host.startswith(("/", "@")):
        return f"{host}/.s.PGSQL.{port} (Unix socket)"
    return scout.at(conn.info.hostaddr or host, port)


def _plain(conn: psycopg.Connection[Any], conninfo: Conninfo) -> str | None:
    """Return why there was nothing to agree on."""
    if scout.effective(conninfo, "sslmode") == "disable":
        return "sslmode=disable"
    return "a Unix socket has none" if (conn.info.host or "").startswith(("/", "@")) else None


def _method(conn: psycopg.Connection[Any], system_user: str | None) -> str:
    """Return how the login was proven, as far as the server (since 16) or libpq know; nothing is guessed."""
    if system_user:
        return f"by {system_user.partition(':')[0]}"
    if conn.pgconn.used_gssapi:
        return "by GSSAPI"
    return "with a password" if conn.pgconn.used_password else "without a password"


def _database(server: ServerInfo, *, read_only: bool | Literal["asked for"]) -> str:
    facts = [f"{server.dbname} on PostgreSQL {server.version}"]
    facts.append("superuser" if server.superuser else "no superuser")
    if server.pooler is not None:
        facts.append("through a pooler")
    if server.in_recovery:
        facts.append("read-only: the server is a standby")
    elif read_only == "asked for":
        return f"{', '.join(facts)}, read-only, as asked for: it {powers.warning(server.powers)}"
    elif read_only:
        facts.append("read-only by default")
    else:
        facts.append("reads and writes")
    return "; ".join(filter(None, (", ".join(facts), server.waited)))
