"""What ``tusk.db`` keeps of what ran: one row per statement, names and no values, no password."""

from __future__ import annotations

import json

import pytest


def rows(tusk, columns):
    """Read on the writer's own thread: everything queued before has been written by then."""
    found = tusk.storage.write(lambda conn: conn.execute(f"select {columns} from history order by id").fetchall())
    return found.result(timeout=5)


def test_one_row_per_statement(cells, tusk):
    cells.ns["x"] = 41
    cells.run("%%sql\ncreate table t (a int);\ninsert into t values (:x), (2);\nselect a from t where a = :x -- why")
    cells.run("%sql select nope", ok=False)
    cells.run("%%sql\nselect 1; select 1/0; select 2", ok=False)
    kept = rows(tusk, "sql, parameters, command_tag, rows, sqlstate")
    assert kept == [
        ("create table t (a int)", "[]", "CREATE TABLE", 0, None),
        ("insert into t values (:x), (2)", '["x"]', "INSERT 0 2", 0, None),
        ("select a from t where a = :x -- why", '["x"]', "SELECT 1", 1, None),
        ("select nope", "[]", None, None, "42703"),
        ("select 1", "[]", "SELECT 1", 1, None),
        ("select 1/0", "[]", None, None, "22012"),
    ]


def test_where_when_and_how_long(cells, tusk, database, connection):
    cells.run("%sql begin")
    cells.run("%sql select pg_sleep(0.05)")
    first, second = rows(
        tusk, "query_id, connection_id, connection, database, started_at, elapsed_ms, transaction_status"
    )
    assert first[0] != second[0]
    assert second[1:4] == (connection.id, "db", database.rpartition("=")[2])
    assert second[4] >= first[4]
    assert second[5] >= 50
    assert (first[6], second[6]) == ("open", "open")


def test_what_never_ran_is_not_kept(cells, tusk):
    for cell in ("%sql selct 1", "%%sql --limt 1\nselect 1", "%sql select :nope", "%sql copy t from stdin", "%%sql\n"):
        cells.run(cell, ok=False)
    assert rows(tusk, "sql") == []


def test_no_history(cells, tusk):
    cells.run("%%sql --no-history\nselect 1; select 2")
    cells.run("%sql --no-history select 3")
    cells.run("%sql --no-history select nope", ok=False)
    assert rows(tusk, "sql") == []


def test_functions_are_kept_too(cells, tusk):
    cells.run("import tusk_jupyter\ntusk_jupyter.sql('select :a', a=1)")
    assert rows(tusk, "sql, parameters") == [("select :a", '["a"]')]


CANARY = "hunter2-kQ9"


@pytest.mark.parametrize(
    "sql",
    [
        f"create role temporary_role login password '{CANARY}'",
        f"alter role tester password e'{CANARY}'",
        f"alter role tester password $${CANARY}$$",
        f"do $$ begin execute 'alter role tester password ''{CANARY}'''; end $$",
        f"select 1 where 'postgresql://u:{CANARY}@host/db' = ''",
        f"select 1 where 'host=x password={CANARY}' = ''",
        f"alter role nobody_here password '{CANARY}'",
    ],
)
def test_passwords_in_sql_are_masked_in_history_log_and_panel(cells, tusk, tmp_path, sql):
    reply = cells.run(f"%%sql\nbegin; {sql};\nselect nope", ok=False)
    cells.run("%sql rollback")
    kept = rows(tusk, "sql")
    assert "****" in kept[1][0]
    cells.run("%tusk errverbose")
    assert CANARY not in "\n".join(reply.displayed) + reply.html
    tusk.close()
    files = [path for path in (tmp_path / "tusk").rglob("*") if path.is_file()]
    assert {"tusk.db"} <= {path.name for path in files}
    assert any(path.suffix == ".log" for path in files)
    for path in files:
        assert CANARY.encode() not in path.read_bytes(), path


def test_values_are_nowhere_on_disk(cells, tusk, tmp_path):
    cells.ns.update(secret="value-only-once-77", row={"key": "another-value-78"})
    cells.run("%sql select :secret, :row['key'], :'secret'")
    cells.run("%sql select (:secret)::int", ok=False)
    first = rows(tusk, "parameters")[0][0]
    assert json.loads(first)[:2] == ["secret", "row['key']"]
    tusk.close()
    for path in (tmp_path / "tusk").rglob("*"):
        if path.is_file():
            assert b"another-value-78" not in path.read_bytes(), path


def test_storage_that_cannot_be_opened_costs_no_query(bare_shell, tusk, database, tmp_path):
    blocked = tmp_path / "blocked"
    blocked.write_text("not a directory")
    bare_shell.run("%load_ext tusk_jupyter")
    bare_shell.run(f"%tusk_connect {database}")
    reply = bare_shell.run(f"%tusk data-dir {blocked}/x", ok=False)
    assert str(blocked) in reply.displayed[-1]
    assert "TUSK_DATA_DIR" in reply.displayed[-1]
    assert "41" in bare_shell.run("%sql select 41").value
    bare_shell.run(f"%tusk data-dir {tmp_path}/fresh")
    bare_shell.run("%sql select 42")
    assert rows(tusk, "sql") == [("select 42",)]
