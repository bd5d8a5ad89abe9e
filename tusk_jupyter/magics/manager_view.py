"""What the connection manager shows: saved and open connections, their state, as records for the widget.

A connection that is open is asked for its state; of one that is not, the last event is all there is (it is
connecting, or it failed, and how). A failure therefore is shown whoever met it: the manager's button or a cell.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from tusk_jupyter import errors
from tusk_jupyter.magics.manager_form import blank, shown
from tusk_jupyter.widgets.amounts import counted
from tusk_jupyter.widgets.connection_list import ConnectionList, ConnectionRow, GroupRow, PoolNumbers
from tusk_jupyter.widgets.error_panel import ErrorPanel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.saved import Group, SavedConnection
    from tusk_jupyter.errors import ErrorInfo, TuskError
    from tusk_jupyter.tusk import Tusk

_SHORT = {
    "ConnectionTimeout": "timed out",
    "ConnectionFailed": "unreachable",
    "ConnectionLost": "lost",
    "AuthenticationFailed": "login refused",
    "SslError": "TLS",
    "SshError": "SSH",
    "QueryFailed": "refused",
    "InvalidInput": "settings",
}
WAYS = (
    "%tusk_connect postgresql://user@host/database --save",
    "%tusk_connect host=… dbname=… user=…, or service=NAME, or :variable",
    "%tusk_connect --embedded [NAME]",
)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is saved, as it was read last."""

    connections: tuple[SavedConnection, ...] = ()
    groups: tuple[Group, ...] = ()
    problem: TuskError | None = None


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The last event of a connection: ``connecting``, or ``error`` with what went wrong."""

    status: str
    error: ErrorInfo | None = None


def read_kept(tusk: Tusk) -> Kept:
    """Read what is saved; a file that cannot be read is a note in the list, not a widget that is not there."""
    try:
        return Kept(tuple(tusk.saved.list()), tuple(tusk.saved.groups()))
    except errors.TuskError as error:
        return Kept(problem=error)


def listed(tusk: Tusk, kept: Kept, last: Mapping[str, LastSeen]) -> ConnectionList:
    """Return the list as it is now."""
    opened = tusk.connections.active()
    current = tusk.connections.current
    rows = []
    for saved in kept.connections:
        connection = next((c for c in opened if c.id == saved.id or c.name == saved.name), None)
        row = _saved_row(saved)
        if connection is not None:
            opened.remove(connection)
            row = _opened(row, connection, is_current=connection is current)
        elif (seen := last.get(saved.id)) is not None:
            row = _closed(row, seen)
        rows.append(row)
    rows += [_opened(_unsaved_row(connection), connection, is_current=connection is current) for connection in opened]
    notes = [f"what is saved cannot be read: {kept.problem.message}"] if kept.problem is not None else []
    if not rows:
        notes += WAYS
    return ConnectionList(_group_rows(kept.groups), tuple(rows), tuple(notes))


def _group_rows(groups: Sequence[Group]) -> tuple[GroupRow, ...]:
    depths: dict[str, int] = {}
    rows = []
    for group in groups:
        depth = depths[group.id] = depths.get(group.parent_id or "", -1) + 1
        rows.append(GroupRow(group.id, group.name, group.parent_id, group.color, depth))
    return tuple(rows)


def _saved_row(saved: SavedConnection) -> ConnectionRow:
    return ConnectionRow(
        id=saved.id,
        name=saved.name,
        address=address(saved),
        form=shown(saved),
        group_id=saved.group_id,
        color=saved.color,
        read_only=saved.read_only,
        embedded=saved.embedded,
        small="read-only" if saved.read_only else "embedded" if saved.embedded else str(saved.port),
    )


def _unsaved_row(connection: Connection) -> ConnectionRow:
    record = record_of(connection)
    return replace(_saved_row(record), id=connection.id, saved=False)


def record_of(connection: Connection) -> SavedConnection:
    """Return what would be kept of an open connection."""
    from tusk_jupyter.connections.keeping import saved_of

    try:
        return saved_of(connection, name=connection.name)
    except errors.TuskError:  # a target that cannot be kept is still there to be seen and disconnected
        return replace(blank(), id=connection.id, name=connection.name)


def address(saved: SavedConnection) -> str:
    """Return where a record leads, in one line."""
    if saved.embedded:
        return f"embedded server {saved.embedded}"
    host = f"[{saved.host}]" if ":" in saved.host else saved.host
    via = f" through {saved.ssh_tunnel.config_alias or saved.ssh_tunnel.host}" if saved.ssh_tunnel else ""
    return f"{saved.username}@{host}:{saved.port}/{saved.database}{via}"


def _opened(row: ConnectionRow, connection: Connection, *, is_current: bool) -> ConnectionRow:
    row = replace(row, current=is_current)
    session = connection.live_session
    if connection.status == "connecting":
        return replace(row, state="connecting", words="connecting", small="connecting")
    if session is None:
        if connection.error is not None:
            return _failed(row, connection.error)
        return replace(row, state="error", tone="bad", small="lost", words="lost, the next cell connects again")
    pool = PoolNumbers(**asdict(connection.pool.status()))
    transaction = _transaction(connection)
    small = "in transaction" if transaction else row.small if row.read_only else f"{pool.size} of {pool.max_size}"
    server = connection.server
    return replace(
        row,
        state="connected",
        words=", ".join(filter(None, ["connected", "current" if is_current else None, transaction])),
        small=small,
        tone="warn" if transaction else "quiet",
        server=f"PostgreSQL {server.version} · {server.encryption.text}" if server is not None else None,
        pool=pool,
        transaction=transaction,
    )


def _transaction(connection: Connection) -> str | None:
    session = connection.live_session
    open_now = session.transaction if session is not None else None
    if open_now is None:
        return None
    since = open_now.since.astimezone().strftime("%H:%M")
    count = f"{counted(open_now.statements, 'statement')}, " if open_now.statements else ""
    return f"transaction {open_now.state} ({count}since {since})"


def _closed(row: ConnectionRow, seen: LastSeen) -> ConnectionRow:
    if seen.status == "connecting":
        return replace(row, state="connecting", words="connecting", small="connecting")
    if seen.error is not None:
        return _failed(row, _revived(seen.error))
    return row


def _failed(row: ConnectionRow, error: TuskError) -> ConnectionRow:
    short = _SHORT.get(type(error).__name__, error.kind)
    return replace(
        row, state="error", tone="bad", small=short, words=f"failed: {short}", error=ErrorPanel.from_error(error).html()
    )


def _revived(info: ErrorInfo) -> TuskError:
    cls = getattr(errors, info.type, errors.TuskError)
    error: TuskError = cls(
        info.message, detail=info.detail, hint=info.hint, advice=info.advice, sqlstate=info.sqlstate,
        condition=info.condition, diag=info.diag, facts=info.facts, name=info.name, duration_s=info.duration_s,
    )  # fmt: skip
    return error
