"""Damage of every kind, done to real files: each ends in a database that works, a backup, the rows, one message."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from tests.unit.storage.damage import (
    PAGE,
    ROWS,
    add,
    backups,
    fill,
    integrity,
    kept,
    leaf_pages,
    overwrite,
    root_page,
    ruin_page,
    saved,
    truncate,
)
from tests.waiting import wait_until
from tusk_jupyter.errors import StorageError
from tusk_jupyter.storage import database as database_module
from tusk_jupyter.storage import filesystem
from tusk_jupyter.storage.wal import committed, frames


def header(path):
    overwrite(path, 0, b"\xff" * 100)


def magic(path):
    overwrite(path, 0, b"X")


def page_size(path):
    overwrite(path, 16, b"\x00\x00")


def schema_page(path):
    ruin_page(path, 1, 100)


def first_page(path):
    ruin_page(path, 1)


def inner_page(path):
    ruin_page(path, root_page(path, "history"))


def half(path):
    truncate(path, path.stat().st_size // 2 // PAGE * PAGE)


def odd_half(path):
    truncate(path, path.stat().st_size // 2 + 77)


def empty(path):
    truncate(path, 0)


# what of the 3,000 rows must be there again; None: some, and none that was not written
DAMAGE = [(header, ROWS), (magic, ROWS), (page_size, ROWS), (schema_page, ROWS), (first_page, ROWS), (inner_page, ROWS),
          (half, None), (odd_half, None), (empty, 0)]


@pytest.mark.parametrize(("ruin", "rows"), DAMAGE, ids=[ruin.__name__ for ruin, _rows in DAMAGE])
def test_damage_that_shows_or_not_is_repaired_with_a_backup_the_rows_and_one_line(path, opened, ruin, rows):
    fill(path)
    ruin(path)
    before = path.read_bytes()
    database = opened()
    if ruin is inner_page:  # not seen at the start: the first statement that meets it has it repaired
        assert database.take_notices() == []
    found = kept(database)
    (notice,) = database.take_notices()
    assert database.take_notices() == []
    (backup,) = backups(path)
    assert backup.read_bytes() == before
    assert re.fullmatch(rf"tusk\.db\.corrupt-\d{{8}}T\d{{6}}Z-{os.getpid()}", backup.name)
    assert notice.startswith("tusk.db was damaged (")
    assert notice.endswith(f"it is {backup} now")
    assert len(found) == len(set(found))
    assert set(found) <= set(range(ROWS))
    assert len(found) == rows if rows is not None else ROWS * 0.2 < len(found) < ROWS
    if rows == ROWS:
        assert saved(database) == [("shop",)]
        assert "3,000 statements of history" in notice
        assert "1 connection" in notice
    add(database, ROWS, 1).result(timeout=5)
    assert ROWS in kept(database)
    assert not database.in_memory
    assert database.health().healthy
    assert database.health().backup_path == str(backup)
    database.close()
    assert integrity(path) == "ok"
    assert oct(path.stat().st_mode & 0o777) == "0o600"
    again = opened()
    assert again.take_notices() == []
    assert len(kept(again)) == len(found) + 1


def test_a_bad_leaf_costs_its_own_rows(path, opened):
    fill(path)
    leaf = leaf_pages(path, "history")[20]
    ruin_page(path, leaf)
    database = opened()
    found = kept(database)
    gone = sorted(set(range(ROWS)) - set(found))
    assert 10 < len(gone) < 60
    assert gone == list(range(gone[0], gone[-1] + 1))
    (notice,) = database.take_notices()
    assert f"{len(found):,} statements of history, 1 connection kept, up to {len(gone)} statements of history lost" in notice


def test_the_background_check_finds_what_no_statement_meets(path, opened, monkeypatch):
    monkeypatch.setattr(database_module, "CHECK_AFTER_S", 0.0)
    fill(path)
    ruin_page(path, leaf_pages(path, "history")[-3])
    database = opened()
    (notice,) = wait_until(database.take_notices)
    assert "kept" in notice
    assert len(backups(path)) == 1


def test_a_repair_that_takes_long_holds_up_no_start_and_no_write(path, opened, monkeypatch):
    fill(path)
    header(path)
    monkeypatch.setattr(database_module, "OPEN_S", 0.0)
    monkeypatch.setattr(database_module, "READ_S", 0.0)
    with filesystem.locked(path, shared=True):  # the repair waits for this
        database = opened()
        (notice,) = database.take_notices()
        assert "being repaired" in notice
        future = add(database, ROWS, 1)
        with pytest.raises(StorageError, match="being repaired"):
            database.read(lambda conn: None)
        assert not future.done()
    future.result(timeout=20)
    assert len(kept(database)) == ROWS + 1
    (notice,) = database.take_notices()
    assert "3,000 statements of history" in notice


def test_a_read_that_meets_damage_is_done_again_on_the_repaired_file(path, opened):
    fill(path)
    ruin_page(path, leaf_pages(path, "history")[5])
    database = opened()
    count = database.read(lambda conn: len(conn.execute("select sql from history").fetchall()))
    assert ROWS - 60 < count < ROWS
    assert len(database.take_notices()) == 1


def test_health_names_the_damage_and_the_backup(path, opened):
    fill(path)
    ruin_page(path, leaf_pages(path, "history")[5])
    database = opened()
    health = database.check_database_health()
    assert not health.healthy
    assert health.errors
    assert health.backup_path == str(backups(path)[0])
    assert database.health().healthy


def damage_index(path):
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("update history_text_data set block = x'00' where id > 10")
        conn.commit()


SEARCH = "select count(*) from history_text where history_text match 'select'"


def test_a_damaged_index_of_the_full_text_is_built_anew_by_a_read(path, opened):
    fill(path)
    damage_index(path)
    database = opened()
    assert database.read(lambda conn: conn.execute(SEARCH).fetchone()[0]) == ROWS
    assert len(kept(database)) == ROWS
    assert database.take_notices() == []  # nothing was lost
    assert backups(path) == []


def test_a_damaged_index_of_the_full_text_is_built_anew_by_a_write(path, opened):
    fill(path)
    damage_index(path)
    database = opened()
    database.write(lambda conn: conn.execute("insert into history_text (history_text) values ('optimize')") and None).result(timeout=10)
    add(database, ROWS, 1).result(timeout=10)
    assert database.read(lambda conn: conn.execute(SEARCH).fetchone()[0]) == ROWS + 1
    assert backups(path) == []


def test_another_applications_database_is_moved_and_not_salvaged(path, opened):
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript("create table history (id, sql); insert into history values (1, 'not ours')")
    before = path.read_bytes()
    database = opened()
    assert kept(database) == []
    (notice,) = database.take_notices()
    assert "another application's database" in notice
    assert "nothing of it is ours" in notice
    assert backups(path)[0].read_bytes() == before


@pytest.mark.parametrize("content", [b"dear diary\n" * 2000, b"x", b"\0" * 8192])
def test_a_file_that_is_no_database_is_moved(path, opened, content):
    path.write_bytes(content)
    database = opened()
    assert kept(database) == []
    (notice,) = database.take_notices()
    assert "no rows kept" in notice
    assert backups(path)[0].read_bytes() == content
    assert not database.in_memory


def test_rows_that_break_a_rule_of_the_new_file_are_left_behind(path, opened):
    fill(path, rows=10)
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(
            "pragma ignore_check_constraints = on;"
            "insert into connections (id, name, host, port, database, username, created_at, updated_at, group_id)"
            " values ('u2', 'bad', 'h', 99999, 'd', 'u', 'now', 'now', null), ('u3', 'fine', 'h', 1, 'd', 'u', 'now', 'now', 'gone')"
        )
        conn.commit()
    header(path)
    database = opened()
    assert sorted(saved(database)) == [("fine",), ("shop",)]
    group = database.read(lambda conn: conn.execute("select group_id from connections where id = 'u3'").fetchone())
    assert group == (None,)


def test_long_values_and_null_bytes_and_every_kind_of_number_come_out_of_the_pages(path, opened):
    fill(path, rows=3)
    values = [("long " * 5000, 1.5, 0), ("été \0 🐘", -2.0, -1), ("x", None, 2**40), ("y", 1e300, 1), ("z", 0.0, 300),
              ("w", 3.0, 70_000), ("v", 1.0, -(2**30)), ("u", 1.0, 2**62)]
    insert = """insert into history (query_id, connection_id, connection, parameters, started_at, sql, elapsed_ms, rows)
                values ('7', 'c', 'd', '[]', 'now', ?, ?, ?)"""
    with closing(sqlite3.connect(path)) as conn:
        conn.executemany(insert, values)
        conn.commit()
    header(path)
    database = opened()
    found = database.read(lambda conn: conn.execute("select sql, elapsed_ms, rows from history where id > 3").fetchall())
    assert found == values


def test_what_was_deleted_stays_deleted_while_the_list_of_free_pages_can_be_read(path, opened):
    fill(path)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("pragma secure_delete = off")  # the pages keep what was on them
        conn.execute("delete from history where id < 2000")
        conn.commit()
    ruin_page(path, root_page(path, "history"))
    database = opened()
    assert sorted(kept(database)) == list(range(1999, ROWS))


def crash(path, code):
    """Run code in a process that dies with its log unwritten; ``database`` is the open file."""
    text = (f"import os, signal\nfrom pathlib import Path\nfrom tests.unit.storage.damage import *\n"
            f"path = Path({str(path)!r})\ndatabase = Database(path)\n{code}\nos.kill(os.getpid(), signal.SIGKILL)")
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=40, check=False)
    assert done.returncode == -9, done.stderr


def wal(path):
    return path.with_name(path.name + "-wal")


@pytest.fixture
def crashed(path):
    """A file of 3,000 rows, and a log with 40 transactions of 25 rows that are nowhere else."""
    fill(path)
    crash(path, f"for n in range(40): add(database, {ROWS} + 25 * n, 25).result(timeout=5)")
    assert wal(path).stat().st_size > 40 * PAGE


def test_a_log_that_a_kill_left_is_read(path, opened, crashed):
    database = opened()
    assert sorted(kept(database)) == list(range(ROWS + 1000))
    assert database.take_notices() == []


def test_a_log_is_read_under_a_damaged_header_too(path, opened, crashed):
    truncate(path, 0)
    database = opened()
    assert set(range(ROWS, ROWS + 1000)) <= set(kept(database))
    assert "history" in database.take_notices()[0]


def test_a_log_that_is_gone_costs_what_was_in_it(path, opened, crashed):
    wal(path).unlink()
    database = opened()
    assert sorted(kept(database)) == list(range(ROWS))
    assert database.health().healthy


def test_a_log_beside_no_file_is_moved_away_and_not_mixed_into_the_new_one(path, opened, crashed):
    path.unlink()
    database = opened()
    assert kept(database) == []
    assert database.health().healthy
    assert list(path.parent.glob("tusk.db.corrupt-*-wal"))


@pytest.mark.parametrize("offset", [0, 20, 32 + 4120 * 30 + 100, 32 + 4120 * 30 + 10, 32 + 4120 * 30], ids=["magic", "salt", "page", "its salt", "its number"])
def test_a_damaged_log_is_told_and_what_lies_behind_the_damage_is_kept(path, opened, crashed, offset):
    overwrite(wal(path), offset, b"\xde\xad\xbe\xef" * 8)
    before = wal(path).read_bytes()
    database = opened()
    found = kept(database)
    assert set(range(ROWS)) <= set(found)
    assert len(found) > ROWS + 900  # SQLite alone: some hundred fewer, or none of the thousand
    assert len(found) == len(set(found))
    (notice,) = database.take_notices()
    assert "write-ahead log" in notice
    (backup,) = backups(path)
    assert wal(backup).read_bytes() == before
    assert database.health().healthy


def test_a_damaged_page_of_the_log_hides_no_sound_one_before_it(path, crashed):
    log = bytearray(wal(path).read_bytes())
    sound = committed(bytes(log), PAGE)
    every = frames(bytes(log), PAGE)
    last = [frame for frame in every if sum(frame.page == other.page for other in every) > 1][-1]
    log[last.start + 100] ^= 1
    assert sound[last.page] == wal(path).read_bytes()[last.start : last.start + PAGE]
    found = committed(bytes(log), PAGE)
    assert set(found) == set(sound)
    assert found[last.page] != bytes(log[last.start : last.start + PAGE])


def test_a_log_that_is_cut_off_is_what_a_crash_looks_like(path, opened, crashed):
    truncate(wal(path), wal(path).stat().st_size - 300)
    database = opened()
    assert ROWS + 900 < len(kept(database)) < ROWS + 1000
    assert database.take_notices() == []


def test_a_log_that_was_begun_anew_is_not_damaged(path, opened, crashed):
    with closing(sqlite3.connect(path)) as conn, closing(sqlite3.connect(path)) as other:
        other.execute("select * from history").fetchone()
        conn.execute("pragma wal_checkpoint(restart)")
        conn.execute("delete from preferences")
        conn.execute("insert into preferences values ('a', '1', 'now')")
        conn.commit()
        size = wal(path).stat().st_size
        copy = path.with_name("copy.db")
        copy.write_bytes(path.read_bytes())
        wal(copy).write_bytes(wal(path).read_bytes())
    assert wal(copy).stat().st_size == size > 40 * PAGE
    database = opened(copy)
    assert len(kept(database)) == ROWS + 1000
    assert database.take_notices() == []
