"""What a look at a file finds, without changing a byte of it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.unit.storage.damage import PAGE, fill, leaf_pages, overwrite, ruin_page, truncate
from tusk_jupyter.storage import integrity, pages, salvage, wal
from tusk_jupyter.storage.integrity import examine
from tusk_jupyter.storage.migrations import MIGRATIONS


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "tusk.db"
    fill(path)
    return path


@pytest.fixture
def path(good, tmp_path):
    copy = tmp_path / "tusk.db"
    copy.write_bytes(good.read_bytes())
    return copy


def sql(path, script):
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(script)


def vacant(path):
    path.unlink()
    sql(path, "create table a (b); drop table a")


def alien(path):
    path.unlink()
    sql(path, "create table a (b)")


FINDINGS = [
    (lambda path: None, "good", ""),
    (lambda path: path.unlink(), "missing", ""),
    (lambda path: truncate(path, 0), "empty", "it was empty"),
    (vacant, "empty", "it had no tables"),
    (lambda path: overwrite(path, 0, b"x"), "damaged", "not a database"),
    (lambda path: truncate(path, PAGE * 5), "damaged", "malformed"),
    (lambda path: truncate(path, 50), "damaged", "malformed"),
    (lambda path: overwrite(path, 44, b"\0\0\0\x63"), "damaged", "unsupported file format"),
    (lambda path: ruin_page(path, 1, 100), "damaged", "malformed"),
    (lambda path: sql(path, "pragma application_id = 7"), "damaged", "application id"),
    (lambda path: sql(path, "pragma user_version = 1; delete from migrations where version = 1"), "damaged", "never recorded"),
    (lambda path: sql(path, "drop table preferences"), "damaged", "table preferences was missing"),
    (alien, "alien", "another application"),
    (lambda path: sql(path, "pragma user_version = 99"), "newer", ""),
]


@pytest.mark.parametrize(("change", "state", "reason"), FINDINGS)
def test_what_a_look_finds(path, change, state, reason):
    change(path)
    before = path.read_bytes() if path.exists() else None
    found = examine(path)
    assert found.state == state
    assert reason in found.reason
    assert bool(found.reason) is bool(reason)
    assert (path.read_bytes() if path.exists() else None) == before


def test_damage_further_in_is_seen_by_the_full_check_alone(path):
    ruin_page(path, leaf_pages(path, "history")[7])
    assert examine(path).state == "good"
    assert examine(path, full=True).state == "damaged"
    with closing(integrity.connect_readonly(path)) as conn:
        assert integrity.check(conn, "integrity_check")
        assert len(integrity.check(conn, "integrity_check", limit=1)) == 1


def test_a_good_file_is_good_in_full(path):
    assert examine(path, full=True, log=True) == examine(path)
    with closing(integrity.connect_readonly(path)) as conn:
        assert integrity.check(conn, "integrity_check") == ()


def test_no_two_tables_have_rows_of_one_shape(good):
    with closing(sqlite3.connect(good)) as conn:
        tables = salvage.tables(conn)
    assert {table.name for table in tables} >= {"history", "connections", "connection_groups", "preferences", "snippets"}
    samples = {"text": "x", "integer": 1, "real": 1.5}
    for table in tables:
        for optional in (False, True):
            for short in range(table.added + 1):
                values = [samples[kind] if needed or optional else None for kind, needed in zip(table.types, table.required, strict=True)]
                if table.rowid_column is not None:
                    values[table.rowid_column] = None
                values = values[: len(values) - short]
                assert [other.name for other in tables if pages.fits(other, 1, values) is not None] == [table.name]
    assert [other.name for other in tables if pages.fits(other, 1, ["only one"]) is not None] == []


def test_every_row_that_sqlite_reads_is_read_from_the_pages(good):
    with closing(sqlite3.connect(good)) as conn:
        (history,) = [table for table in salvage.tables(conn) if table.name == "history"]
        rows = conn.execute("select * from history order by id").fetchall()
    found = [row for rowid, values in pages.leaf_rows(good) if (row := pages.fits(history, rowid, values)) is not None]
    assert sorted(map(tuple, found)) == rows


@pytest.mark.parametrize(
    ("log", "damaged"),
    [(b"", False), (b"\0" * 40_000, False), (b"\0" * 31, False), (b"\xff" * 40_000, True), (bytes(range(256)) * 100, False)],
)
def test_what_is_no_log_is_no_damaged_log_unless_it_says_that_something_was_committed(path, log, damaged):
    wal.beside(path).write_bytes(log)
    assert wal.is_damaged(path) is damaged


def test_migrations_are_numbered_by_what_they_need(good):
    with closing(sqlite3.connect(good)) as conn:
        assert conn.execute("pragma user_version").fetchone() == (len(MIGRATIONS),)
        assert conn.execute("select max(version), count(*) from migrations").fetchone() == (len(MIGRATIONS),) * 2
