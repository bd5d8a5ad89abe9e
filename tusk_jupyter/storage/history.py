"""One row per statement that ran: what, where, when, how long, how it ended. Never a parameter's value."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, fields
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


_COLUMNS = ", ".join(f.name for f in fields(HistoryRow))
_MARKS = ", ".join("?" for _ in fields(HistoryRow))


def record(database: Database, row: HistoryRow) -> None:
    """Queue the row for the writer thread; a failure is logged there, never shown to a query."""
    values = [json.dumps(value) if isinstance(value, tuple) else value for value in astuple(row)]

    def insert(conn: sqlite3.Connection) -> None:
        conn.execute(f"insert into history ({_COLUMNS}) values ({_MARKS})", values)

    database.write(insert)
