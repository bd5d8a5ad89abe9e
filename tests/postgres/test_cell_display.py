"""What a cell shows: every result, in its place, once."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests.waiting import ask


def shown(reply):
    """The text of all outputs, in their order."""
    return [o["data"]["text/plain"] for o in reply.outputs if "data" in o]


def order(reply, *marks):
    text = "\n".join(shown(reply))
    assert [text.count(mark) for mark in marks] == [1] * len(marks), text
    places = [text.index(mark) for mark in marks]
    assert places == sorted(places)
    return True


def test_every_result_is_shown_once_and_the_last_is_the_value(cells):
    reply = cells.run("%%sql\nselect 'first' as a;\nselect 'second' as b;\nselect 'third' as c")
    assert order(reply, "first", "second", "third")
    assert "third" in reply.value
    assert cells.ns["_"].iat[0, 0] == "third"


def test_a_result_before_other_statements_stays_in_place_and_is_still_the_value(cells):
    reply = cells.run("%%sql\nselect 'first' as a; select 'mine' as b; set work_mem = '7MB'; create temp table z ()")
    assert order(reply, "first", "mine", "CREATE TABLE")
    assert reply.value is None
    number = cells.ip.execution_count - 1
    assert cells.ns["_"].iat[0, 0] == "mine"
    assert cells.ns["Out"][number].iat[0, 0] == "mine"


def test_the_value_of_a_cell_without_rows_is_none(cells):
    cells.run("%sql select 'kept' as a")
    assert cells.run("%%sql\ncreate temp table t (a int); insert into t values (1), (2)").value is None
    assert cells.ns["_"].iat[0, 0] == "kept"


def test_status_line_stands_below_the_value(cells):
    reply = cells.run("%%sql\nselect 1 as a")
    assert [o["output_type"] for o in reply.outputs] == ["execute_result", "display_data"]
    assert re.fullmatch(r"SELECT 1 · [\d.,]+ ms · db", reply.displayed[0])


def test_commands_show_their_tags(cells):
    text = "\n".join(
        cells.run(
            "%%sql\ncreate temp table t (a int); insert into t values (1), (2); update t set a = 3; "
            "delete from t; drop table t"
        ).displayed
    )
    for tag in ("CREATE TABLE", "INSERT 0 2", "UPDATE 2", "DELETE 2", "DROP TABLE"):
        assert text.count(tag) == 1


def test_returning_is_a_result(cells):
    reply = cells.run("%%sql\ncreate temp table t (a int); insert into t values (41), (42) returning a")
    assert "42" in reply.value
    assert "INSERT 0 2" in reply.displayed[-1]


def test_a_line_with_several_statements_shows_what_it_does_not_return(cells):
    reply = cells.run("x = %sql select 'one' as a; select 'two' as b")
    assert cells.ns["x"].iat[0, 0] == "two"
    assert order(reply, "one")
    assert "two" not in "\n".join(shown(reply))


def test_a_trailing_semicolon_silences_nothing(cells):
    assert "41" in cells.run("%%sql\nselect 41 as a;").value
    assert "41" in cells.run("%sql select 41 as a;").value


def test_results_before_a_failure_are_shown(cells, database):
    cells.run("%sql create table t (a int)")
    reply = cells.run(
        "%%sql\ninsert into t values (1); select 'early' as a; select 1/0; insert into t values (2)", ok=False
    )
    assert "early" in "\n".join(shown(reply))
    assert ask(database, "select array_agg(a) from t") == [1]


def test_results_before_a_failure_are_shown_when_assigned_and_on_a_line_too(cells):
    assert "early" in "\n".join(shown(cells.run("%%sql out <<\nselect 'early' as a; select 1/0", ok=False)))
    assert "early" in "\n".join(shown(cells.run("%sql select 'early' as a; select 1/0", ok=False)))
    assert "out" not in cells.ns


def test_an_open_transaction_is_shown_until_it_ends(cells):
    assert "transaction open" in cells.run("%sql begin").displayed[-1]
    assert "transaction open · 1 statement" in cells.run("%sql select 1").displayed[-1]
    assert "transaction open · 2 statements" in cells.run("%sql select 1").displayed[-1]
    cells.run("%sql select 1/0", ok=False)
    assert "transaction" not in cells.run("%sql rollback").displayed[-1]


def test_a_failed_transaction_is_shown_red(cells):
    cells.run("%sql begin")
    reply = cells.run("%%sql --on-error continue\nselect 1/0; rollback to nothing", ok=False)
    assert "transaction" in reply.displayed[-1]
    assert "failed" in reply.displayed[-1]


def test_a_long_script_makes_few_outputs(cells):
    body = ";\n".join(f"insert into t values ({i})" for i in range(100))
    reply = cells.run(f"%%sql\ncreate temp table t (a int);\n{body}")
    assert len(reply.outputs) <= 3
    assert "more statements" in "\n".join(reply.displayed)
    assert cells.run("%sql select count(*) from t").value.split()[-1] == "100"


def test_quiet_shows_results_and_what_matters(cells):
    assert cells.run("%%sql --quiet\nselect 41 as a").displayed == []
    assert cells.run("%sql --quiet create temp table t (a int)").displayed == []
    assert "transaction open" in cells.run("%sql --quiet begin").displayed[-1]
    cells.run("%sql rollback")
    assert "NOTICE" in cells.run("%%sql --quiet\ndo $$ begin raise notice 'n'; end $$").displayed[-1]
    assert "more rows" in cells.run("%sql --quiet --limit 1 select generate_series(1, 3)").displayed[-1]


def test_zero_columns_keep_their_rows(cells):
    cells.run("%%sql out <<\nselect from generate_series(1, 3)")
    assert cells.ns["out"].shape == (3, 0)


def test_a_cell_without_sql_says_so(cells):
    for body in ("", "  \n ", "-- nothing", ";;", "/* a */ ;"):
        assert "no statement" in cells.run(f"%%sql\n{body}\n", ok=False).displayed[-1]


def test_a_nul_byte_runs_nothing(cells, database):
    cells.run("%sql create table t (a int)")
    reply = cells.run("get_ipython().run_cell_magic('sql', '', 'insert into t values (1);\\0 drop table t')", ok=False)
    assert "NUL" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 0


def test_copy_from_stdin_and_to_stdout_are_refused_and_harm_nothing(cells):
    cells.run("%sql create temp table t (a int)")
    for copy in ("copy t from stdin", "copy t to stdout", "copy (select 1) to stdout with (format csv)"):
        assert "COPY" in cells.run(f"%sql {copy}", ok=False).displayed[-1]
    assert cells.run("%sql select 41").value.split()[-1] == "41"


def test_standard_conforming_strings_off_changes_what_follows(cells):
    reply = cells.run(
        "%%sql\nset escape_string_warning = off; set standard_conforming_strings = off;\n"
        "select 'it\\'s; fine' as v; set standard_conforming_strings = on; select 'back\\' as w"
    )
    assert order(reply, "it's; fine", "back\\")


def test_what_the_server_said_at_the_login_is_told(shell, database):
    name = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    with psycopg.connect(database, autocommit=True) as conn:
        if conn.info.server_version < 150_000:
            pytest.skip("databases have a collation version from 15 on")
        conn.execute("update pg_database set datcollversion = '0.1' where datname = %s", (name,))
    (told,) = shell.run(f"%tusk_connect {database} --name db").displayed
    assert [line for line in told.split("\n") if line.startswith("note: WARNING:  ") and "collation version" in line]
    assert "WARNING" not in "\n".join(shell.run("%sql select 1").displayed)


def test_what_is_said_while_it_runs_has_no_time_of_its_own(cells):
    reply = cells.run(
        "for i in range(2):\n    %sql do $$ begin raise notice 'in loop'; perform pg_sleep(.3); raise notice 'end'; end $$"
    )
    said, status = reply.displayed
    assert said.split("\n") == ["NOTICE:  in loop", "NOTICE:  end"] * 2
    assert [line.split(" · ")[0] for line in status.split("\n")] == ["DO", "DO"]
    assert reply.html.count(" · db") == 2


def test_a_context_is_folded(cells):
    reply = cells.run("%%sql\ndo $$ begin for i in 1..3 loop raise notice '%', i; end loop; end $$")
    assert reply.html.count("<details") == 1
    assert "inline_code_block line 1 at RAISE" in reply.html
    assert "RAISE" not in "\n".join(reply.displayed)
