"""One row per statement that ran: what, where, when, how long, how it ended. Never a parameter's value."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from tusk_jupyter.storage.database import Database


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A statement, as it is kept: ``sql`` with passwords masked, ``parameters`` by name only."""

    query_id: str
    connection_id: str
    connection: str
    database: str | None
    sql: str
    parameters: tuple[str, ...]
    started_at: str
    elapsed_ms: float | None
    rows: int | None
    command_tag: str | None
    sqlstate: str | None
    error: str | None
    transaction_status: str | None


_NAMES = tuple(f.name for f in fields(HistoryRow))
_INSERT = f"insert into history ({', '.join(_NAMES)}) values ({', '.join('?' for _ in _NAMES)})"


def record(database: Database, row: HistoryRow) -> None:
    """Queue the row for the writer thread; a failure is logged there, never shown to a query."""
    fields_of = (getattr(row, name) for name in _NAMES)
    values = [json.dumps(value) if isinstance(value, tuple) else value for value in fields_of]

    def insert(conn: sqlite3.Connection) -> None:
        conn.execute(_INSERT, values)

    database.write(insert, soon=False)
