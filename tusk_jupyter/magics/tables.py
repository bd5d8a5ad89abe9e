"""The tables that ``%tusk`` subcommands return: DataFrames, so that they can be assigned and printed alike."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tusk_jupyter.connections import pooler
from tusk_jupyter.magics.wide_tables import WideTable

if TYPE_CHECKING:
    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.saved import SavedConnection
    from tusk_jupyter.tusk import Tusk


_SQL: Final = 120


def connections_table(tusk: Tusk) -> pd.DataFrame:
    """Return what is connected in this kernel and what is saved, by group and name; the current one is marked."""
    active = {c.name: c for c in tusk.connections.active()}
    kept = {saved.name: saved for saved in tusk.saved.list()}
    paths = tusk.saved.group_paths()
    rows = [
        _connection_row(tusk, name, active.get(name), kept.get(name), paths)
        for name in [*active, *(name for name in kept if name not in active)]
    ]
    rows += [
        {"name": name, "current": False, "status": f"cannot be used: {why}", "saved": True, "id": row_id}
        for name, (row_id, why) in tusk.saved.unusable().items()
    ]
    columns = ["name", "current", "status", "saved", "group", "color", "target", "read_only", "id"]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    return WideTable(table.astype({"current": bool, "saved": bool}).where(table.notna(), None))


def _connection_row(
    tusk: Tusk, name: str, active: Connection | None, saved: SavedConnection | None, paths: dict[str, str]
) -> dict[str, Any]:
    if active is not None:
        target, read_only = active.target.conninfo.redacted(), active.target.settings.read_only
    else:
        assert saved is not None  # noqa: S101 - the name came from one of the two
        target, read_only = f"{saved.username}@{saved.host}:{saved.port}/{saved.database}", saved.read_only
    return {
        "name": name,
        "current": active is not None and active is tusk.connections.current,
        "status": active.status if active is not None else "disconnected",
        "saved": saved is not None,
        "group": paths.get(saved.group_id or "") if saved is not None else None,
        "color": saved.color if saved is not None else None,
        "target": target,
        "read_only": read_only,
        "id": active.id if active is not None else saved.id if saved is not None else None,
    }


def groups_table(tusk: Tusk) -> pd.DataFrame:
    """Return the groups in their order, with the number of connections right in each."""
    paths = tusk.saved.group_paths()
    counts = Counter(saved.group_id for saved in tusk.saved.list())
    rows = [
        {"path": paths[group.id], "color": group.color, "connections": counts[group.id]}
        for group in tusk.saved.groups()
    ]
    return pd.DataFrame(rows, columns=["path", "color", "connections"])


def status_table(tusk: Tusk) -> pd.DataFrame:
    """Return each connection with its pool's numbers, session, transaction, server and TLS."""
    rows = [_status_row(c, current=c is tusk.connections.current) for c in tusk.connections.active()]
    columns = [
        "name", "current", "status", "pool_size", "available", "waiting", "pid", "transaction", "server", "tls",
        "route",
    ]  # fmt: skip
    return WideTable(pd.DataFrame(rows, columns=columns))


def _status_row(connection: Connection, *, current: bool) -> dict[str, Any]:
    session = connection.live_session if connection.is_alive else None
    pool, server = connection.pool.status(), connection.server
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
        "tls": server.encryption.text if server is not None else None,
        "route": ", through ".join(filter(None, (connection.route.text or "direct", pooler.words(server)))),
    }


def queries_table(tusk: Tusk) -> pd.DataFrame:
    """Return this kernel's queries in flight, background jobs among them; a pid that nobody knows yet is missing."""
    rows = [
        {"id": q.id[:8], "connection": q.connection, "pid": q.pid, "sql": _one_line(q.sql), "age_s": round(q.age_s, 1),
         "rows": q.rows, "state": q.state, "waits_for": q.waits_for}
        for q in tusk.active_queries()
    ]  # fmt: skip
    columns = ["id", "connection", "pid", "sql", "age_s", "rows", "state", "waits_for"]
    table = pd.DataFrame(rows, columns=columns, dtype=object)
    return WideTable(table.astype({"age_s": float, "rows": int}).where(table.notna(), None))


def _one_line(sql: str) -> str:
    line = " ".join(sql[: 4 * _SQL].split())
    return line if len(line) <= _SQL else f"{line[: _SQL - 1]}…"


def embedded_table(tusk: Tusk) -> pd.DataFrame:
    """Return the embedded clusters in the data directory."""
    from dataclasses import asdict

    from tusk_jupyter.connections import embedded

    found = embedded.listing(tusk.files.directory / "embedded") if tusk.files.directory is not None else []
    return pd.DataFrame([asdict(cluster) for cluster in found])
