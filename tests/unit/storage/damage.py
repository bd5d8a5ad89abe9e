"""Ways to ruin a ``tusk.db``, and rows to lose."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tusk_jupyter.storage.database import Database
from tusk_jupyter.storage.history import HistoryRow

ROWS = 3_000
PAGE = 4096
INSERT = """insert into history (query_id, connection_id, connection, sql, parameters, started_at)
            values (?, 'c', 'db', ?, '[]', '2026-01-01')"""
SAVED = """insert into connections (id, name, host, database, username, created_at, updated_at)
           values ('u1', 'shop', 'localhost', 'shop', 'me', 'now', 'now')"""


def row(**fields):
    base = dict.fromkeys(HistoryRow.__dataclass_fields__)
    return HistoryRow(**base | {"query_id": "q", "connection_id": "c", "connection": "db", "sql": "select 1",
                                "parameters": ("a",), "started_at": "2026-01-01"} | fields)


def add(database, first, count):
    """Write rows whose ``query_id`` are the numbers from ``first``; return what is acknowledged, and when."""
    def job(conn):
        conn.executemany(INSERT, ((str(n), f"select {n} -- {'x' * 50}") for n in range(first, first + count)))

    return database.write(job)


def fill(path, rows=ROWS):
    """Make a file with rows of history and a saved connection, closed and without a log beside it."""
    database = Database(path)
    add(database, 0, rows).result(timeout=20)
    database.write(lambda conn: conn.execute(SAVED) and None).result(timeout=20)
    database.close()
    assert not path.with_name(path.name + "-wal").exists()


def kept(database):
    """Return the ``query_id`` of every row, as numbers."""
    found = database.write(lambda conn: conn.execute("select query_id from history").fetchall()).result(timeout=20)
    return [int(number) for (number,) in found]


def saved(database):
    return database.write(lambda conn: conn.execute("select name from connections").fetchall()).result(timeout=20)


def overwrite(path, offset, data):
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def truncate(path, size):
    with path.open("r+b") as file:
        file.truncate(size)


def root_page(path, table):
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute("select rootpage from sqlite_master where name = ?", (table,)).fetchone()[0]


def leaf_pages(path, table):
    """Return the pages that are the children of a table's root."""
    root = page(path, root_page(path, table))
    assert root[0] == 5
    cells = int.from_bytes(root[3:5], "big")
    pointers = [int.from_bytes(root[12 + 2 * n : 14 + 2 * n], "big") for n in range(cells)]
    return [int.from_bytes(root[p : p + 4], "big") for p in pointers] + [int.from_bytes(root[8:12], "big")]


def page(path, number):
    with path.open("rb") as file:
        file.seek((number - 1) * PAGE)
        return file.read(PAGE)


def ruin_page(path, number, start=0):
    overwrite(path, (number - 1) * PAGE + start, b"\xde\xad" * ((PAGE - start) // 2))


def integrity(path):
    with closing(sqlite3.connect(path)) as conn:
        return conn.execute("pragma integrity_check").fetchone()[0]


def backups(path):
    """Return what damaged files were moved to, without what lay beside them."""
    return sorted(p for p in path.parent.glob(f"{path.name}.corrupt-*") if not p.name.endswith(("-wal", "-shm")))
