"""The tables that ``%tusk`` subcommands return: DataFrames, so that they can be assigned and printed alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.tusk import Tusk


def connections_table(tusk: Tusk) -> pd.DataFrame:
    """Return the connections of this kernel; the current one is marked."""
    current = tusk.connections.current
    rows = [
        {
            "name": c.name,
            "current": c is current,
            "status": c.status,
            "target": c.target.conninfo.redacted(),
            "read_only": c.target.settings.read_only,
            "id": c.id,
        }
        for c in tusk.connections.active()
    ]
    return pd.DataFrame(rows, columns=["name", "current", "status", "target", "read_only", "id"])


def status_table(tusk: Tusk) -> pd.DataFrame:
    """Return each connection with its pool's numbers, session, transaction, server and TLS."""
    rows = [_status_row(c, current=c is tusk.connections.current) for c in tusk.connections.active()]
    columns = [
        "name", "current", "status", "pool_size", "available", "waiting", "pid", "transaction", "server", "tls",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def _status_row(connection: Connection, *, current: bool) -> dict[str, Any]:
    pool, session, server = connection.pool.status(), connection.live_session, connection.server
    transaction = session.transaction if session is not None else None
    return {
        "name": connection.name,
        "current": current,
        "status": connection.status
        if session is not None
        else "session lost"
        if server is not None
        else connection.status,
        "pool_size": pool.size,
        "available": pool.available,
        "waiting": pool.waiting,
        "pid": session.backend_pid if session is not None else None,
        "transaction": f"{transaction.state}, {transaction.statements} statements" if transaction else "none",
        "server": server.version if server is not None else None,
        "tls": (server.tls or "none") if server is not None else None,
    }


def queries_table(tusk: Tusk) -> pd.DataFrame:
    """Return this kernel's queries in flight."""
    rows = [
        {"id": q.id[:8], "connection": q.connection, "pid": q.pid, "sql": q.sql, "age_s": round(q.age_s, 1),
         "rows": q.rows, "state": q.state}
        for q in tusk.queries.active()
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["id", "connection", "pid", "sql", "age_s", "rows", "state"])


def embedded_table(tusk: Tusk) -> pd.DataFrame:
    """Return the embedded clusters in the data directory."""
    from dataclasses import asdict

    from tusk_jupyter.connections import embedded

    found = embedded.listing(tusk.files.directory / "embedded") if tusk.files.directory is not None else []
    return pd.DataFrame([asdict(cluster) for cluster in found])
