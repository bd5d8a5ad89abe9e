"""Data directory, log, SQLite file and markers, on a real disk."""

from __future__ import annotations

import logging
import os
import sqlite3
import stat
from contextlib import closing

import pytest

from tests.waiting import at_one_moment
from tusk_jupyter import log, paths
from tusk_jupyter.errors import InitializationError
from tusk_jupyter.storage.database import Database
from tusk_jupyter.storage.departed import OpenTransactions
from tusk_jupyter.storage.files import Files
from tusk_jupyter.storage.history import HistoryRow, record
from tusk_jupyter.storage.migrations import MIGRATIONS


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def files():
    files = Files()
    yield files
    files.close()


def row(**fields):
    base = dict.fromkeys(HistoryRow.__dataclass_fields__)
    return HistoryRow(**base | {"query_id": "q", "connection_id": "c", "connection": "db", "sql": "select 1",
                                "parameters": ("a",), "started_at": "2026-01-01"} | fields)


def test_the_directory_is_the_environments(monkeypatch, tmp_path):
    monkeypatch.setenv("TUSK_DATA_DIR", str(tmp_path / "x"))
    assert paths.data_dir() == tmp_path / "x"
    monkeypatch.delenv("TUSK_DATA_DIR")
    monkeypatch.setenv("TUSK_DEV", "1")
    monkeypatch.chdir(tmp_path)
    assert paths.data_dir() == tmp_path / ".tusk-dev"
    monkeypatch.delenv("TUSK_DEV")
    assert paths.data_dir().name == "tusk-jupyter"


def test_everything_is_private(files, tmp_path):
    assert files.open(tmp_path / "deep" / "data") == []
    directory = tmp_path / "deep" / "data"
    assert mode(directory) == mode(directory / "logs") == 0o700
    assert mode(directory / "tusk.db") == 0o600
    (logfile,) = (directory / "logs").iterdir()
    assert mode(logfile) == 0o600
    assert str(os.getpid()) in logfile.name


@pytest.mark.parametrize("obstacle", ["a file in the way", "a file among the parents"])
def test_a_directory_that_cannot_be_is_one_problem_that_names_it(files, tmp_path, obstacle):
    (tmp_path / "taken").write_text("x")
    directory = tmp_path / "taken" if obstacle == "a file in the way" else tmp_path / "taken" / "data"
    (problem,) = files.open(directory)
    assert isinstance(problem, InitializationError)
    assert str(directory) in problem.message
    assert "%tusk data-dir" in problem.advice
    assert files.database.in_memory
    assert files.notices() == []  # one message is enough
    record(files.database, row())
    files.database.flush()
    assert files.database.read(lambda conn: conn.execute("select sql from history").fetchall()) == [("select 1",)]
    files.mark("c", "db", since="now", statements=1)
    assert files.departed() == []


def test_a_directory_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    child = os.fork()
    if child == 0:
        if os.geteuid() == 0:  # root may write everywhere, nobody may not
            os.setuid(65534)
        try:
            paths.ensure_dir(tmp_path / "data")
        except InitializationError as error:
            os._exit(7 if "permission denied" in error.message else 8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    tmp_path.chmod(0o700)


def test_log_lines_hold_no_password(files, tmp_path):
    files.open(tmp_path)
    logger = logging.getLogger("tusk_jupyter.test")
    logger.warning("to %s", "postgresql://u:hunter2@h/db")
    logger.warning("password='hunter2' sslpassword=hunter2")
    logger.warning("alter role u password 'hunter2'")
    files.close()
    (logfile,) = (tmp_path / "logs").iterdir()
    text = logfile.read_text()
    assert "hunter2" not in text
    assert text.count("****") == 4


def test_a_new_day_is_a_new_file_and_old_ones_go(tmp_path):
    old, fresh = tmp_path / "tusk-2020-01-01-1.log", tmp_path / "tusk-2020-01-02-1.log"
    old.write_text("x")
    fresh.write_text("x")
    os.utime(old, (0, 0))
    assert log.start(tmp_path) is None
    logger = logging.getLogger("tusk_jupyter")
    record = logger.makeRecord("tusk_jupyter", logging.INFO, "", 0, "tomorrow", (), None)
    record.created += 86400
    logger.handle(record)
    log.stop()
    assert not old.exists()
    assert fresh.exists()
    assert len(list(tmp_path.glob(f"*-{os.getpid()}.log"))) == 2


def test_the_level_is_the_environments(monkeypatch, tmp_path):
    monkeypatch.setenv("TUSK_LOG_LEVEL", "ERROR")
    log.start(tmp_path)
    logging.getLogger("tusk_jupyter").warning("not this")
    logging.getLogger("tusk_jupyter").error("this")
    log.stop()
    text = "".join(p.read_text() for p in tmp_path.glob("*.log"))
    assert "not this" not in text
    assert "this" in text


def test_nothing_is_logged_to_the_cell(tmp_path, capfd):
    log.start(tmp_path)
    logging.getLogger("tusk_jupyter").error("secret life")
    log.stop()
    logging.getLogger("tusk_jupyter").error("after the end")
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_history_is_one_row_with_names_only(tmp_path):
    database = Database(tmp_path / "tusk.db")
    record(database, row())
    database.close()
    with sqlite3.connect(tmp_path / "tusk.db") as conn:
        assert conn.execute("select sql, parameters from history").fetchall() == [("select 1", '["a"]')]
    conn.close()


@pytest.mark.parametrize("again", range(60))  # one start in fifteen met a locked file before there was a lock of ours
def test_six_kernels_that_start_at_once_make_one_file(tmp_path, again):
    made = at_one_moment(*[lambda: Database(tmp_path / "tusk.db")] * 6)
    for database in made:
        database.close()
    assert [(database.in_memory, database.take_notices()) for database in made] == [(False, [])] * 6
    with closing(sqlite3.connect(tmp_path / "tusk.db")) as conn:
        assert conn.execute("select version from migrations").fetchall() == [(n + 1,) for n in range(len(MIGRATIONS))]


def test_what_storage_wants_said_is_said_once(files, tmp_path):
    (tmp_path / "tusk.db").write_text("dear diary")
    assert files.open(tmp_path) == []
    (notice,) = files.notices()
    assert "tusk.db was damaged" in notice
    assert files.notices() == []


def test_what_was_kept_in_memory_goes_along_to_a_directory_that_can_be_used(files, tmp_path):
    (tmp_path / "taken").write_text("x")
    assert files.open(tmp_path / "taken")
    files.database.write(lambda conn: conn.execute("""
        insert into connections (id, name, host, database, username, group_id, created_at, updated_at)
        select 'u', 'shop', 'h', 'd', 'me', null, 'now', 'now'""") and None).result(timeout=5)
    record(files.database, row(sql="select 'in memory'"))
    earlier = Database(tmp_path / "data" / "tusk.db")
    record(earlier, row(sql="select 'before'"))
    earlier.close()
    assert files.open(tmp_path / "data") == []
    assert not files.database.in_memory
    select = "select sql from history order by id"
    assert files.database.read(lambda conn: conn.execute(select).fetchall()) == [("select 'before'",), ("select 'in memory'",)]
    assert files.database.read(lambda conn: conn.execute("select name from connections").fetchall()) == [("shop",)]
    files.open(tmp_path / "data")
    assert files.database.read(lambda conn: conn.execute("select count(*) from history").fetchone()) == (2,)


def test_what_was_copied_from_a_file_is_not_copied_back_to_it(files, tmp_path):
    path = tmp_path / "data" / "tusk.db"
    files.open(tmp_path / "data")
    record(files.database, row(sql="select 'before'"))
    files.close()
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("pragma user_version = 99")
        conn.commit()
    files.open(tmp_path / "data")
    record(files.database, row(sql="select 'in memory'"))
    with closing(sqlite3.connect(path)) as conn:
        conn.execute(f"pragma user_version = {len(MIGRATIONS)}")
        conn.commit()
    files.open(tmp_path / "data")
    select = "select sql from history order by id"
    assert files.database.read(lambda conn: conn.execute(select).fetchall()) == [("select 'before'",), ("select 'in memory'",)]


def test_files_that_were_never_opened_have_a_database_all_the_same(files):
    assert files.database.in_memory
    assert files.notices() == []


def test_a_transaction_of_a_process_that_is_gone_is_told_once(tmp_path):
    gone = os.fork()
    if gone == 0:
        OpenTransactions(tmp_path).note("c1", "shop", since="14:02", statements=3)
        os._exit(0)
    os.waitpid(gone, 0)
    mine = OpenTransactions(tmp_path)
    mine.note("c2", "other", since="14:03", statements=1)
    (left,) = mine.departed()
    assert (left.connection, left.since, left.statements, left.pid) == ("shop", "14:02", 3, gone)
    assert mine.departed() == []
    mine.note("c2", "other", since=None, statements=0)
    assert list(tmp_path.iterdir()) == []
