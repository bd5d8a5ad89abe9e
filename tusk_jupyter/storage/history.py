"""One row per statement that ran: what, where, when, how long, how it ended. Never a parameter's value.

Rows are written after the result, fifty milliseconds of them in one transaction; what reads them waits for that
first, so a statement is found by the very next cell. «Newest» is by id, in which the statements ended: the index is
walked backwards from there and stops at the limit (0.1 ms for a word in each of 1,000,000 rows). A sort by
``started_at`` would have to collect every match before.

A statement of more than 1,000,000 characters is cut: a generated INSERT of 50 MB would be indexed word by word and
stay in the file for a year; ``characters`` says how long it was. Deleting goes in batches of 500 rows (2 to 15 ms
each), so no kernel waits for another one's clean-up. Deleted text is gone from the pages (``secure_delete``) and from
the full text index, whose parts are merged afterwards: FTS5 only marks what is deleted until it merges.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from tusk_jupyter.storage import matching, schema

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from tusk_jupyter.storage.database import Database

SQL_LIMIT = 1_000_000
# a transaction that deletes holds up the other kernels' for as long as it takes
BATCH_ROWS = 500
BATCH_CHARACTERS = 2_000_000
MERGE_PAGES = 500
RECENT = 10_000


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """A statement, as it is kept: ``sql`` with passwords masked, ``parameters`` by name only.

    ``id`` is the history's own; ``characters`` is how long the text was, where only its beginning was kept.
    """

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
    characters: int | None = None
    id: int | None = None


_NAMES = tuple(f.name for f in fields(HistoryRow))
_WRITTEN = tuple(name for name in _NAMES if name != "id")
_INSERT = f"insert into history ({', '.join(_WRITTEN)}, kernel) values ({', '.join('?' for _ in _WRITTEN)}, ?)"
_FIELDS = ", ".join(f"history.{name}" for name in _NAMES)


def record(database: Database, row: HistoryRow) -> None:
    """Queue the row for the writer thread; a failure is logged there, never shown to a query."""
    kept = replace(row, sql=row.sql[:SQL_LIMIT], characters=len(row.sql)) if len(row.sql) > SQL_LIMIT else row

    def insert(conn: sqlite3.Connection) -> None:
        conn.execute(_INSERT, [_storable(getattr(kept, name)) for name in _WRITTEN] + [_kernel()])

    database.write(insert, soon=False)


class History:
    """Searches and clears the rows of whatever database is open now."""

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database

    def search(
        self,
        text: str = "",
        *,
        failed: bool = False,
        connection: str | None = None,
        limit: int = 50,
        since: datetime | None = None,
    ) -> list[HistoryRow]:
        """Return the newest statements that hold every word of ``text``, in their SQL or their error.

        A word is found at the beginning of any part of an identifier (``dep_d``, ``orders`` in ``shop.orders``); one of
        SQL's own (``select``) stands for itself. Nothing typed is an error. Without FTS5: anywhere in the text, and
        only ASCII letters in either case.

        :param connection: the name that cells called it by when they ran.
        :param since: statements that began then or later; a time without a zone is UTC.
        :raises TuskError: where the file cannot be read.
        """
        wanted = matching.Wanted(text, failed=failed, connection=connection, since=_utc(since), limit=limit)
        return [_row(found) for found in self._read(lambda conn: matching.search(conn, _FIELDS, wanted))]

    def get(self, row_id: int) -> HistoryRow | None:
        """Return one statement by its id in the history; ``None`` where there is no such."""
        if not 0 < row_id < 2**63:
            return None
        found = self._read(lambda conn: _select(conn, "where id = ?", row_id))
        return found[0] if found else None

    def last(self) -> HistoryRow | None:
        """Return the last statement of this kernel, ``None`` where it has none among the newest 10,000 of all."""
        where = "where kernel = ? and id > (select max(id) from history) - ? order by id desc limit 1"
        found = self._read(lambda conn: _select(conn, where, _kernel(), RECENT))
        return found[0] if found else None

    def forget(self, older_than_days: float) -> int:
        """Delete what began longer ago than that; return how many. Other kernels write in between."""
        before = datetime.now(UTC) - timedelta(days=older_than_days)
        return self._delete("started_at < ?", before.isoformat())

    def count(self, connection: str | None = None) -> int:
        """Return how many statements there are now, or one connection's."""
        where, values = ("", ()) if connection is None else (" where connection = ?", (connection,))
        found: int = self._read(lambda conn: conn.execute(f"select count(*) from history{where}", values).fetchone()[0])
        return found

    def clear(self, connection: str | None = None) -> int:
        """Delete everything there is now, or one connection's; return how many."""
        newest = self._read(_newest)
        # in the order of their ids, so that the newest goes last: ids above all others are given out again
        if connection is None:
            return self._delete("id <= ? order by id", newest)
        return self._delete("connection = ? and id <= ? order by id", connection, newest)

    def _read(self, job: Callable[[sqlite3.Connection], Any]) -> Any:
        database = self._database()
        database.flush()
        return database.read(job)

    def _delete(self, where: str, *values: Any) -> int:
        total, more = 0, True
        while more:
            count, more = self._database().write(lambda conn: _delete_batch(conn, where, values)).result()
            total += count
        if total:
            more = self._database().write(lambda conn: _merge(conn, start=True)).result()
            while more:
                more = self._database().write(lambda conn: _merge(conn, start=False)).result()
        return total


@cache
def _kernel() -> str:
    """Return what tells this process from every other that writes here."""
    return uuid.uuid4().hex


def _storable(value: Any) -> Any:
    if isinstance(value, tuple):
        return json.dumps(value)
    # a lone surrogate is no UTF-8, and would cost the row
    return value.encode("utf-8", "backslashreplace").decode() if isinstance(value, str) else value


def _newest(conn: sqlite3.Connection) -> int:
    return conn.execute("select max(id) from history").fetchone()[0] or 0


def _select(conn: sqlite3.Connection, where: str, *values: Any) -> list[HistoryRow]:
    return [_row(found) for found in conn.execute(f"select {_FIELDS} from history {where}", values)]


def _row(found: tuple[Any, ...]) -> HistoryRow:
    values = dict(zip(_NAMES, found, strict=True))
    try:
        names = json.loads(values["parameters"])
    except (TypeError, ValueError):  # a row that was salvaged
        names = []
    return HistoryRow(**values | {"parameters": tuple(map(str, names)) if isinstance(names, list) else ()})


def _utc(since: datetime | None) -> str | None:
    if since is None:
        return None
    return (since.replace(tzinfo=UTC) if since.tzinfo is None else since.astimezone(UTC)).isoformat()


def _delete_batch(conn: sqlite3.Connection, where: str, values: tuple[Any, ...]) -> tuple[int, bool]:
    """Delete some of the rows; return how many, and whether there are more."""
    conn.execute("pragma secure_delete = on")
    found = conn.execute(f"select id, length(sql) from history where {where} limit {BATCH_ROWS + 1}", values).fetchall()
    ids: list[tuple[int]] = []
    size = 0
    for row_id, length in found[:BATCH_ROWS]:
        ids.append((row_id,))
        size += length
        if size > BATCH_CHARACTERS:
            break
    conn.executemany("delete from history where id = ?", ids)
    return len(ids), len(ids) < len(found)


def _merge(conn: sqlite3.Connection, *, start: bool) -> bool:
    """Merge some more of the index, so that what is deleted leaves it; return whether there is more to do."""
    if not schema.is_indexed(conn):
        return False
    if conn.execute("select 1 from history limit 1").fetchone() is None:
        conn.execute(f"insert into {schema.INDEX} ({schema.INDEX}) values ('delete-all')")
        return False
    before = conn.total_changes
    # a negative number begins anew with every part of the index, a positive one goes on
    pages = -MERGE_PAGES if start else MERGE_PAGES
    conn.execute(f"insert into {schema.INDEX} ({schema.INDEX}, rank) values ('merge', ?)", (pages,))
    # the command itself is one change (https://sqlite.org/fts5.html#the_merge_command)
    return conn.total_changes - before > 1
