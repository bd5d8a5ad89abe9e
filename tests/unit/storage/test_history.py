"""The history's rows: written, read, searched, deleted so that nothing of them is left."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.waiting import at_one_moment, wait_until
from tusk_jupyter.storage import history as rows_of
from tusk_jupyter.storage import schema
from tusk_jupyter.storage.database import Database
from tusk_jupyter.storage.history import SQL_LIMIT, History, HistoryRow, record
from tusk_jupyter.storage.migrations import MIGRATIONS

CANARY = "zq-canary-77"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def history(file):
    return History(lambda: file)


def row(sql="select 1", **changed):
    given = {
        "query_id": "q", "connection_id": "c", "connection": "db", "database": "shop", "sql": sql,
        "parameters": ("a", "row['b']"), "started_at": NOW.isoformat(), "elapsed_ms": 1.25, "rows": 3,
        "command_tag": "SELECT 3", "sqlstate": None, "error": None, "transaction_status": "none",
    }  # fmt: skip
    return HistoryRow(**given | changed)


def keep(file, *rows):
    for one in rows:
        record(file, one)
    file.flush(5)


def texts(found):
    return [one.sql for one in found]


def test_what_goes_in_comes_out(file, history):
    keep(file, row(), row("select nope", sqlstate="42703", error='column "nope" does not exist', rows=None))
    failed, fine = history.search()
    assert (fine.id, failed.id) == (1, 2)
    assert history.get(1) == fine == row(id=1)
    assert failed == row("select nope", sqlstate="42703", error='column "nope" does not exist', rows=None, id=2)
    assert [history.get(n) for n in (0, -1, 3, 2**70)] == [None] * 4


def test_a_statement_is_found_by_the_very_next_cell(file, history):
    for number in range(20):
        record(file, row(f"select {number}"))
        assert history.search(limit=1)[0].sql == f"select {number}"


def test_the_newest_come_first_as_many_as_asked(file, history):
    keep(file, *(row(f"select {n} from t") for n in range(60)))
    assert texts(history.search()) == [f"select {n} from t" for n in range(59, 9, -1)]
    assert texts(history.search("from", limit=2)) == ["select 59 from t", "select 58 from t"]
    assert history.search(limit=0) == history.search("from", limit=-1) == []
    assert len(history.search(limit=10**30)) == 60


def test_by_outcome_connection_and_time(file, history):
    keep(
        file,
        *(
            row(f"{outcome} on {name} {day}", connection=name, error="no" if outcome == "bad" else None,
                started_at=(NOW - timedelta(days=day)).isoformat())
            for day in (3, 2, 1)
            for name in ("shop", "shop two", "🦆")
            for outcome in ("good", "bad")
        ),
    )  # fmt: skip
    assert texts(history.search(failed=True, connection="shop")) == [f"bad on shop {day}" for day in (1, 2, 3)]
    assert texts(history.search("on", failed=True, connection="shop")) == [f"bad on shop {day}" for day in (1, 2, 3)]
    assert texts(history.search("3", connection="🦆")) == ["bad on 🦆 3", "good on 🦆 3"]
    assert history.search("on", connection="two") == history.search("on", connection="shop-two") == []
    assert texts(history.search("good", since=NOW - timedelta(days=1, hours=1), connection="shop two")) == [
        "good on shop two 1"
    ]
    naive = (NOW - timedelta(days=2)).replace(tzinfo=None)
    assert len(history.search(since=naive)) == len(history.search("on", since=naive)) == 12
    elsewhere = (NOW - timedelta(days=2)).astimezone(timezone(timedelta(hours=-11)))
    assert len(history.search(since=elsewhere)) == len(history.search("on", since=elsewhere)) == 12
    assert history.search(since=NOW) == history.search("on", since=NOW) == []


def test_a_statement_that_ran_long_began_when_it_began(file, history):
    """Its id is above those of statements that began after it."""
    keep(file, row("short", started_at=(NOW - timedelta(hours=1)).isoformat()), row("long", started_at="2026-01-01"))
    assert texts(history.search(since=NOW - timedelta(days=1))) == ["short"]
    assert texts(history.search("short", since=NOW - timedelta(days=1))) == ["short"]
    assert history.search("long", since=NOW - timedelta(days=1)) == []


def test_a_long_statement_is_cut_and_says_so(file, history):
    whole, longer = "x" * SQL_LIMIT, "y" * (SQL_LIMIT + 1)
    keep(file, row(whole), row(longer))
    cut, kept = history.search()
    assert (kept.sql, kept.characters) == (whole, None)
    assert (cut.sql, cut.characters) == (longer[:-1], SQL_LIMIT + 1)


@pytest.mark.parametrize("text", ["a\0b", "half \ud83e a duck", "🦆 " * 1000, "' \" \\ ; -- */ $$", "", "\r\n\t\x1b[31m"])
def test_hostile_text_is_kept(file, history, text):
    keep(file, row(f"select '{text}'", connection=text, error=text, database=text))
    (found,) = history.search()
    assert found.sql == f"select '{text}'".encode("utf-8", "backslashreplace").decode()
    assert texts(history.search("select", connection=text)) == [found.sql]


def test_the_last_of_this_kernel(file, history, tmp_path):
    assert history.last() is None
    keep(file, row("mine"))
    with closing(sqlite3.connect(tmp_path / "tusk.db")) as other:
        other.execute("insert into history select 7, query_id, connection_id, connection, database, 'theirs', parameters,"
                      " started_at, elapsed_ms, rows, command_tag, sqlstate, error, transaction_status, null, 'other'"
                      " from history")  # fmt: skip
        other.commit()
    assert history.search(limit=1)[0].sql == "theirs"
    assert history.last().sql == "mine"


def test_a_row_that_makes_no_sense_costs_no_other(file, history):
    keep(file, row("good"), row("bad"))
    file.write(lambda conn: conn.execute("update history set parameters = '{oops', started_at = 'then' where id = 2"))
    bad, good = history.search()
    assert (bad.parameters, good.parameters) == ((), ("a", "row['b']"))


# -- deleting ---------------------------------------------------------------------------------------------------------


def left_on_disk(tmp_path):
    return b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("tusk.db"))


def filled(file, secret_connection="gone", days=0):
    other = [row(f"select word{n} from t", connection="stays") for n in range(300)]
    began = (datetime.now(UTC) - timedelta(days=days)).isoformat()
    secret = [
        row(f"select '{CANARY}' as zqsecret{n}", connection=secret_connection, started_at=began, error=f"zqerror{n}")
        for n in range(1200)
    ]
    # one transaction each, so that the index has parts
    for start in range(0, 1200, 100):
        keep(file, *secret[start : start + 100], *other[start // 4 : start // 4 + 25])


@pytest.mark.parametrize("how", ["age", "connection", "all"])
def test_what_is_deleted_is_gone_from_the_file_and_the_index(file, history, tmp_path, monkeypatch, how):
    monkeypatch.setattr(rows_of, "MERGE_PAGES", 1)  # as it is with more rows: not all at once
    filled(file, days=40)
    assert CANARY.encode() in left_on_disk(tmp_path)
    if how == "age":
        file.write(lambda conn: conn.execute("update history set started_at = '2999' where connection = 'stays'"))
        assert history.forget(41) == 0
        assert history.forget(39) == 1200
    elif how == "connection":
        assert history.clear("nobody") == 0
        assert history.clear("gone") == 1200
    else:
        assert history.clear() == 1500
    assert history.search("zqsecret1") == []
    assert len(history.search("word", limit=500)) == (0 if how == "all" else 300)
    keep(file, row("select word1 from later"))
    assert texts(history.search("word1", limit=1)) == ["select word1 from later"]
    terms = file.write(_vocabulary).result(timeout=5)
    assert not [term for term in terms if term.startswith("zq")]
    assert "word1" in terms
    file.write(lambda conn: conn.execute("insert into history_text(history_text) values ('integrity-check')")).result(5)
    file.close()
    for mark in (CANARY.encode(), b"zqsecret", b"zqerror", b"qsecret"):
        assert mark not in left_on_disk(tmp_path)


def _vocabulary(conn):
    conn.execute("create virtual table temp.words using fts5vocab('main', 'history_text', 'row')")
    found = [term for (term,) in conn.execute("select term from temp.words")]
    conn.execute("drop table temp.words")
    return found


def test_what_is_written_meanwhile_is_not_cleared(file, history, monkeypatch):
    """Not even where all ids are free again: SQLite gives out the one above the highest there is."""
    keep(file, row("old"), row("old"))
    monkeypatch.setattr(rows_of, "BATCH_ROWS", 1)
    batch = rows_of._delete_batch

    def delete(conn, *rest):
        outcome = batch(conn, *rest)
        record(file, row("new"))
        return outcome

    monkeypatch.setattr(rows_of, "_delete_batch", delete)
    assert history.clear() == 2
    assert texts(history.search()) == ["new", "new"]
    keep(file, row("old"))
    monkeypatch.setattr(rows_of, "_delete_batch", lambda *given: record(file, row("new")) or batch(*given))
    assert history.clear() == 3
    assert texts(history.search()) == ["new"] * 3


def test_deleting_lets_others_write_in_between(file, history, tmp_path, monkeypatch):
    keep(file, *(row(f"select {n}") for n in range(40)))
    monkeypatch.setattr(rows_of, "BATCH_ROWS", 10)
    batch, seen = rows_of._delete_batch, []
    with closing(Database(tmp_path / "tusk.db")) as other:

        def delete(conn, *rest):
            outcome = batch(conn, *rest)
            seen.append(outcome)
            # no wait here: the other kernel's row has to come between this batch and one of the next
            record(other, row(f"other {len(seen)}", connection="other"))
            return outcome

        monkeypatch.setattr(rows_of, "_delete_batch", delete)
        assert history.clear("db") == 40
        assert seen == [(10, True)] * 3 + [(10, False)]
        other.flush(5)
        assert len(history.search(connection="other")) == 4


def test_a_batch_of_huge_statements_is_smaller(file, history, monkeypatch):
    monkeypatch.setattr(rows_of, "BATCH_CHARACTERS", 1000)
    keep(file, *(row("x" * 400) for _ in range(7)))
    batch, seen = rows_of._delete_batch, []
    monkeypatch.setattr(rows_of, "_delete_batch", lambda *given: seen.append(batch(*given)) or seen[-1])
    assert history.clear() == 7
    assert seen == [(3, True), (3, True), (1, False)]


# -- the index --------------------------------------------------------------------------------------------------------


def version_1(path, *texts_kept):
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("pragma application_id = 1953854315")
        conn.execute("create table migrations (version integer primary key, applied_at text not null)")
        for statement in MIGRATIONS[0]:
            conn.execute(statement)
        conn.execute("insert into migrations values (1, '2026')")
        conn.execute("pragma user_version = 1")
        for text in texts_kept:
            conn.execute("insert into history (query_id, connection_id, connection, sql, parameters, started_at)"
                         " values ('q', 'c', 'db', ?, '[]', '2026-01-01')", (text,))  # fmt: skip


def test_the_rows_of_an_older_file_are_found(tmp_path):
    version_1(tmp_path / "tusk.db", "select dep_delay from flights", "select 2")
    with closing(Database(tmp_path / "tusk.db")) as file:
        history = History(lambda: file)
        assert texts(history.search("delay")) == ["select dep_delay from flights"]
        assert file.read(schema.is_indexed)
        assert history.clear() == 2
        assert history.search("delay") == []


def test_a_python_without_fts5_and_one_with_it_share_a_file(tmp_path, monkeypatch):
    path = tmp_path / "tusk.db"
    with closing(Database(path)) as file:
        keep(file, row("select dep_delay"))
    with monkeypatch.context() as without:
        without.setattr(schema, "has_fts5", lambda conn: False)
        with closing(Database(path)) as file:
            history = History(lambda: file)
            keep(file, row("select arr_delay"), row("select '100%_' as x", connection="other", error="no\\such"))
            assert texts(history.search("delay SELECT")) == ["select arr_delay", "select dep_delay"]
            assert texts(history.search("100%")) == texts(history.search("%_'")) == ["select '100%_' as x"]
            assert texts(history.search("no\\s", failed=True, connection="other")) == ["select '100%_' as x"]
            assert history.search("1%0") == history.search("depXdelay") == []
            assert history.clear("other") == 1
    with closing(Database(path)) as file:
        history = History(lambda: file)
        file.write(lambda conn: None).result(timeout=20)  # after the index, which the writer makes first
        assert file.read(schema.is_indexed)
        assert texts(history.search("delay")) == ["select arr_delay", "select dep_delay"]


def test_six_kernels_that_find_no_index_build_one(tmp_path, monkeypatch):
    version_1(tmp_path / "tusk.db", *(f"select {n}" for n in range(50)))
    opened = at_one_moment(*[lambda: Database(tmp_path / "tusk.db")] * 6)
    for file in opened:
        assert not file.in_memory
        assert texts(History(lambda file=file: file).search("49")) == ["select 49"]
    for file in opened:
        file.close()


@pytest.mark.parametrize("first", ["search", "record"])
def test_a_damaged_index_is_built_anew_and_costs_no_row(file, history, first):
    for n in range(30):
        keep(file, *(row(f"select word{n} from t{m}") for m in range(40)))

    def damage(conn):
        return conn.execute("update history_text_data set block = zeroblob(length(block)) where id > 10").rowcount

    assert file.write(damage).result(timeout=5)
    if first == "search":
        assert len(history.search("word7", limit=100)) == 40
    # a row that makes FTS5 merge meets the damage
    for n in range(40):
        keep(file, row(f"select later{n}"))
    assert not file.in_memory
    wait_until(lambda: len(history.search("word7", limit=100)) == 40)
    assert len(history.search("later", limit=100)) == 40
    assert len(history.search("", limit=2000)) == 1240
    file.write(lambda conn: conn.execute("insert into history_text(history_text) values ('integrity-check')")).result(5)
