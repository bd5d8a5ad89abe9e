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


# -- %tusk history, rerun, snippets -----------------------------------------------------------------------------------


def next_cell(cells):
    text, cells.ip.rl_next_input = getattr(cells.ip, "rl_next_input", None), None
    return text


def test_the_history_is_a_frame_and_reads_well(cells, tusk):
    cells.run("%%sql\ncreate table delays (dep_delay int);\ninsert into delays\n  values (1), (2);")
    cells.run("%sql select dep_dely from delays", ok=False)
    cells.run("found = %tusk history")
    found = cells.ns["found"]
    assert list(found.columns) == [
        "id", "started_at", "connection", "database", "sql", "rows", "elapsed_ms", "command_tag", "sqlstate", "error",
    ]  # fmt: skip
    assert list(found["sql"]) == [
        "select dep_dely from delays",
        "insert into delays\n  values (1), (2)",
        "create table delays (dep_delay int)",
    ]
    assert found["sqlstate"].tolist()[0] == "42703"
    assert found["command_tag"].tolist()[1:] == ["INSERT 0 2", "CREATE TABLE"]
    assert str(found["started_at"].dtype) == "datetime64[us, UTC]"
    assert str(found["rows"].dtype) == "Int64"
    assert (found["elapsed_ms"] >= 0).all()
    shown = cells.run("%tusk history delays")
    assert "insert into delays values (1), (2)" in shown.value
    assert "started_at (UTC)" in shown.value
    assert "insert into delays values (1), (2)" in shown.html
    assert "\\n" not in shown.value
    assert type(found[["sql"]]).__name__ == "DataFrame"
    assert "SELECT" not in repr(found.head(0))


def test_searching(cells, tusk, database):
    cells.run(f"%tusk_connect {database} --name other")
    cells.run("%%sql other\nselect 1 as first_word")
    cells.run("%%sql db\nselect 2 as second_word")
    cells.run("%%sql db\nselect nope as second_word", ok=False)

    def found(line):
        cells.run(f"found = %tusk history {line}")
        return [sql.split()[1] for sql in cells.ns["found"]["sql"]]

    assert found("word") == ["nope", "2", "1"]
    assert found("second word --limit 1") == ["nope"]
    assert found("word --failed") == ["nope"]
    assert found("--connection other") == ["1"]
    assert found("--connection=db select --failed") == ["nope"]
    assert found('--connection "db" "second word"') == ["nope", "2"]
    assert found("-- --failed") == []
    assert found("-- rerun 1") == []
    assert found("'it''s' \"a 'b'\"") == []
    assert found("zebra") == []
    assert cells.run("%tusk history zebra").value == "nothing was found"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("history --faild", "Did you mean --failed"),
        ("history --limit", "needs a value"),
        ("history --limit many", "not a whole number"),
        ("history --failed=yes", "takes no value"),
        ("history clear everything", "%tusk history -- clear"),
        ("history clear --failed", "has no option '--failed'"),
        ("rerun", "takes 1 arguments"),
        ("rerun x", "not a whole number"),
        ("history rerun 99", "has no statement 99"),
        ("snippet", "not understood"),
        ("snippet nope", "%tusk snippets lists"),
        ("snippet save", "there is no snippet 'save'"),
        ("snippet save x", "no statement of this kernel"),
        ("snippet save x 99", "has no statement 99"),
        ("snippet delete nope", "there is no snippet 'nope'"),
        ("snippet save x 1 2", "the id of one statement"),
    ],
)
def test_what_is_not_understood_says_what_would_be(shell, line, says):
    reply = shell.run(f"%tusk {line}", ok=False)
    assert reply.error["ename"] == "InvalidInput"
    assert says in reply.displayed[-1]


def test_rerun_puts_the_text_into_a_new_cell(cells, tusk, database):
    cells.run(f"%tusk_connect {database} --name other")
    cells.run("%%sql db\nselect 1,\n  'it''s' -- why")
    cells.run("%tusk rerun 1")
    assert next_cell(cells) == "%%sql db\nselect 1,\n  'it''s' -- why"
    cells.run("%tusk history rerun 1")
    text = next_cell(cells)
    cells.run(text)
    assert rows(tusk, "connection, sql") == [("db", "select 1,\n  'it''s' -- why")] * 2
    cells.run("%tusk disconnect db")
    reply = cells.run("%tusk rerun 1")
    assert next_cell(cells) == "%%sql\nselect 1,\n  'it''s' -- why"
    assert "db, which is not there now" in reply.displayed[-1]


def test_rerun_where_another_extension_has_sql(bare_shell, tusk, database):
    bare_shell.ip.register_magic_function(lambda line, cell=None: "theirs", magic_kind="line_cell", magic_name="sql")
    bare_shell.run("%load_ext tusk_jupyter")
    bare_shell.run(f"%tusk_connect {database} --name db")
    bare_shell.run("%tsql select 1")
    bare_shell.run("%tusk rerun 1")
    assert next_cell(bare_shell) == "%%tsql db\nselect 1"


def test_half_a_statement_is_not_run_again(cells, tusk):
    cells.run("%sql select 1")
    tusk.storage.write(lambda conn: conn.execute("update history set characters = 2000000")).result(timeout=5)
    reply = cells.run("%tusk rerun 1", ok=False)
    assert "2,000,000 characters" in reply.displayed[-1]
    assert next_cell(cells) is None


def test_a_statement_of_a_megabyte_is_kept_whole(cells, tusk):
    cells.run("%sql select 1 -- " + "x" * 900_000)
    ((kept, characters),) = rows(tusk, "length(sql), characters")
    assert kept > 900_000
    assert characters is None
    assert len(cells.run("%tusk history select").value) < 1_000


def test_clear(cells, tusk, database):
    cells.run(f"%tusk_connect {database} --name other")
    for connection in ("db", "other", "db"):
        cells.run(f"%%sql {connection}\nselect 1")
    assert "1 statement of other deleted" in cells.run("%tusk history clear --connection other --yes").displayed[-1]
    assert rows(tusk, "connection") == [("db",)] * 2
    refused = cells.run("%tusk history clear", ok=False).exception
    assert "deletes 2 statements of every connection and kernel" in refused.message
    assert "clear --yes" in refused.advice
    assert "2 statements of the history deleted" in cells.run("%tusk history clear --yes").displayed[-1]
    assert rows(tusk, "connection") == []
    assert "0 statements" in cells.run("%tusk history clear --yes").displayed[-1]


def test_snippets(cells, tusk):
    cells.run("%sql select 1")
    cells.run("%%sql\nselect 2\n  as two")
    assert cells.run("%tusk snippets").value == "nothing was found"
    cells.run("%tusk snippet save 'the second'")
    cells.run("%tusk snippet save first 1")
    cells.run("kept = %tusk snippets")
    assert list(cells.ns["kept"][["name", "sql"]].itertuples(index=False, name=None)) == [
        ("first", "select 1"), ("the second", "select 2\n  as two"),
    ]  # fmt: skip
    assert "select 2 as two" in cells.run("%tusk snippets").html
    cells.run("%tusk snippet 'the second'")
    assert next_cell(cells) == "%%sql\nselect 2\n  as two"
    reply = cells.run("%tusk snippet save first 2", ok=False)
    assert "there is a snippet named 'first' already" in reply.displayed[-1]
    cells.run("%tusk snippet save first 2 --replace")
    cells.run("%tusk snippet first")
    assert next_cell(cells) == "%%sql\nselect 2\n  as two"
    assert "Did you mean 'first'" in cells.run("%tusk snippet frist", ok=False).displayed[-1]
    cells.run("%tusk snippet delete first")
    cells.run("%tusk snippet first", ok=False)


def test_no_password_comes_back_out_of_the_history(cells, tusk):
    cells.run(f"%sql create role somebody_else password '{CANARY}'")
    cells.run(f"%sql create role somebody_else password '{CANARY}'", ok=False)
    cells.run("%sql drop role somebody_else")
    reply = cells.run("%tusk history")
    cells.run("found = %tusk history somebody")
    assert "****" in reply.value
    assert CANARY not in reply.everything + repr(cells.ns["found"].to_dict())
    assert cells.run(f"%tusk history {CANARY}").value == "nothing was found"
    cells.run("%tusk snippet save role 2")
    reply = cells.run("%tusk snippet role")
    assert "****" in next_cell(cells)
    assert "masked" in reply.displayed[-1]


HOSTILE = "select '<b>bold</b> & \x1b[31m \u202e🦆' as \"<script>\""


def test_hostile_text_is_shown_harmless(cells, tusk):
    cells.run(f"%sql {HOSTILE}")
    reply = cells.run("%tusk history")
    assert "<script>" not in reply.html
    assert "<b>" not in reply.html
    assert not set("\x1b\u202e") & set(reply.html + reply.value)
    assert "🦆" in reply.value
    cells.run("found = %tusk history")
    assert cells.ns["found"]["sql"].iat[0] == HOSTILE


def test_a_kernel_is_asked_for_a_new_cell(kernel):
    kernel.run("%sql select 41 + 1")
    reply = kernel.run("%tusk rerun 1")
    assert [(p["source"], p["text"], p["replace"]) for p in reply.content["payload"]] == [
        ("set_next_input", "%%sql db\nselect 41 + 1", False)
    ]
