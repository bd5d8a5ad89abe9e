"""``%tusk history WORD`` over a million statements: milliseconds from the call to the rows, by kind of search.

The rows are written once, 1,000 in a transaction, through the triggers that kernels write through, so that the index
has the many parts that it has in use. Each round opens the file anew, with an empty page cache of SQLite's own, and
searches once for each kind; the operating system has the file in memory.
"""

from __future__ import annotations

import random
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from side_by_side.cases import Aim, Case, Measurement, Sample

from tusk_jupyter.storage.database import Database
from tusk_jupyter.storage.history import History

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from side_by_side.place import Place

NAME = "tusk-jupyter"
LIMIT_MS = 100.0
ROWS, QUICK_ROWS, CHUNK = 1_000_000, 20_000, 1_000
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
COLUMNS = ["dep_delay", "arr_delay", "origin", "dest", "customer_id", "created_at", "amount", "status", "email"]
COLUMNS += [f"measure_{number}" for number in range(300)]
TABLES = [
    f"{schema}.{table}_{number}"
    for schema in ("shop", "flights", "public", "staging")
    for table in ("orders", "customers", "line_items", "events")
    for number in range(50)
]
INSERT = """
    insert into history (query_id, connection_id, connection, database, sql, parameters, started_at, elapsed_ms, rows,
        command_tag, sqlstate, error, transaction_status, kernel)
    values (?, 'c', ?, 'shop', ?, '[]', ?, 12.5, 10, 'SELECT 10', ?, ?, 'none', 'benchmark')
"""
# for comparison: the aim is for a word
PAIR, MANY = "two prefixes, each in every row", "three prefixes, each in every row"
# what is searched for, as %tusk history takes it
SEARCHES: dict[str, dict[str, Any]] = {
    "nothing: the newest": {},
    "in every row, a word of SQL's (select)": {"text": "select"},
    "in every row, as a prefix (measur)": {"text": "measur"},
    "one letter (m)": {"text": "m"},
    "in 1 of 8 rows (orders)": {"text": "orders"},
    "in 1 row of 10,000 (tag123)": {"text": "tag123"},
    "in no row (zebra)": {"text": "zebra"},
    "identifier (dep_delay)": {"text": "dep_delay"},
    "part of a qualified name (shop.orders_7)": {"text": "shop.orders_7"},
    PAIR: {"text": "select measur from staging where status"},
    MANY: {"text": "select measur from staging where status group"},
    "failed": {"failed": True},
    "failed, in every row": {"text": "measur", "failed": True},
    "failed, in no row": {"text": "zebra", "failed": True},
    "connection": {"connection": "shop-3"},
    "connection, in every row": {"text": "measur", "connection": "shop-3"},
    "connection that never failed, failed, in every row": {"text": "measur", "connection": "quiet", "failed": True},
    "connection that is not there, in every row": {"text": "measur", "connection": "nowhere"},
    "since a day before the end, in every row": {"text": "measur", "since_days": 1},
    "since the first day, in no row": {"text": "zebra", "since_days": 10_000},
}


def plan(place: Place, *, quick: bool) -> Measurement:
    """Write the rows, then search."""
    rows = QUICK_ROWS if quick else ROWS
    path = Path(place.fresh_directory()) / "tusk.db"
    _fill(path, rows)
    return Measurement(
        name="history",
        title=f"%tusk history over {rows:,} statements ({path.stat().st_size / 1e6:.0f} MB)",
        unit="ms",
        cases=[Case(NAME, partial(_sample, path, BEGAN + timedelta(seconds=30 * rows)))],
        aims=[Aim(search, NAME, at_most=None if search in {PAIR, MANY} else LIMIT_MS) for search in SEARCHES],
        rounds=1 if quick else 5,
    )


def _fill(path: Path, count: int) -> None:
    rows = _rows(count)
    with closing(Database(path)) as database:
        for start in range(0, count, CHUNK):
            chunk = [row for _, row in zip(range(min(CHUNK, count - start)), rows, strict=False)]
            database.write(partial(_insert, rows=chunk)).result()


def _insert(conn: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    conn.executemany(INSERT, rows)


def _rows(count: int) -> Iterator[tuple[Any, ...]]:
    chance = random.Random(1)
    for number in range(count):
        first, second = chance.sample(COLUMNS, 2)
        table, tag = chance.choice(TABLES), chance.randrange(10_000)
        sql = (
            f"select t.{first}, count(*), avg(t.measure_{number % 300}) as mean_{first}\nfrom {table} as t\n"
            f"where t.status = 'tag{tag}' and t.{second} > {chance.randrange(10_000)}\ngroup by 1 order by 2"
        )
        quiet = number % 7 == 0
        failed = not quiet and chance.random() < 0.03
        began = (BEGAN + timedelta(seconds=30 * number)).isoformat()
        name = "quiet" if quiet else f"shop-{number % 5}"
        error = f"column t.{first} does not exist" if failed else None
        yield f"q{number}", name, sql, began, "42703" if failed else None, error


def _sample(path: Path, end: datetime) -> Sample:
    with closing(Database(path)) as database:
        history = History(lambda: database)
        return {name: [_ms(history, end, **wanted)] for name, wanted in SEARCHES.items()}


def _ms(history: History, end: datetime, since_days: float | None = None, **wanted: Any) -> float:
    since = end - timedelta(days=since_days) if since_days is not None else None
    start = time.perf_counter()
    history.search(since=since, **wanted)
    return (time.perf_counter() - start) * 1000
