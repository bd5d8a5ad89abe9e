r"""psql's backslash commands in cells: what they do here, and what is refused with what words."""

from __future__ import annotations

import pandas as pd
import pytest

import tusk_jupyter
from tests.waiting import wait_until
from tusk_jupyter.errors import BindingError, InvalidInput, QueryFailed, QueryTimeout
from tusk_jupyter.magics.definition import Source


def shown(reply):
    return "\n".join(reply.displayed)


def refused(cells, code):
    reply = cells.run(code, ok=False)
    assert isinstance(reply.exception, InvalidInput), reply.exception
    return reply.exception


@pytest.fixture
def table(cells):
    cells.run(
        "%%sql --no-history\ncreate table t (id int, name text, day date); insert into t values (1, 'a', '2020-01-01'), (2, null, '2020-01-02')"
    )
    return cells


def history(tusk):
    return tusk.storage.read(lambda db: [sql for [sql] in db.execute("select sql from history order by id")])


# -- in a script --------------------------------------------------------------------------------------------------


def test_commands_and_statements_run_in_their_order(table):
    reply = table.run("%%sql\nselect 1 as one;\n\\echo between\nselect id as two from t\\g\n\\echo behind")
    assert reply.stdout == "between\nbehind\n"
    assert "one" in reply.displayed[0]
    assert "two" in shown(reply)


def test_an_error_points_at_its_statement_in_the_cell(table):
    reply = table.run("%%sql\n\\echo a\nselect 1;\nselect nix from t \\gset\nselect 2", ok=False)
    assert "LINE 4: select nix from t\n               ^" in shown(reply)
    assert "STATEMENTS: 2 done, 1 failed, 1 not run" in shown(reply)


def test_an_error_of_a_command_points_at_it(cells):
    reply = cells.run("%%sql\nselect 1;\n \\dttq; \nselect 2", ok=False)
    assert "LINE 3:  \\dttq; \n         ^" in shown(reply)
    assert "1 done, 1 failed, 1 not run" in shown(reply)


def test_a_failing_command_can_be_passed_over(cells):
    reply = cells.run("%%sql --on-error continue\n\\foo\nselect 7 as seven", ok=False)
    assert "seven" in shown(reply)
    assert "1 of 2 statements succeeded, number 1 failed" in shown(reply)


def test_each_statement_is_in_the_history_once_and_no_command(table, tusk):
    table.run("%%sql\n\\conninfo\nselect 1 as a \\gset\nselect 2 \\gx\n\\sf pg_catalog.lower(text)\nselect 3 \\gdesc")
    wait_until(lambda: len(history(tusk)) > 1)
    assert history(tusk) == ["select 1 as a", "select 2"]


def test_a_command_in_the_middle_of_a_statement_is_refused(cells):
    error = refused(cells, "%%sql\nselect 1\n\\conninfo\n")
    assert (error.message, error.advice) == (
        r"\conninfo stands in the middle of a statement",
        "The statement was not run. End the statement with ; before it.",
    )


@pytest.mark.parametrize("name", ["gset", "g", "watch 1", "crosstabview", "gexec", "gdesc", "gx"])
def test_nothing_runs_a_second_time(table, name):
    error = refused(table, f"%%sql\ninsert into t values (3);\n\\{name}")
    assert "there is none before it" in error.message
    assert table.run("%sql select count(*) as n from t \\gset").status == "ok"
    assert table.ns["n"] == 3


def test_an_unknown_command_gets_near_names(cells):
    for code in (r"%sql \gsett", r"%sql select 1 \gsett"):
        error = refused(cells, code)
        assert error.message == r"there is no command \gsett"
        assert r"\gset" in error.advice


def test_a_lone_backslash_is_postgresqls_syntax_error(cells):
    reply = cells.run(r"%sql select 1 \ 2", ok=False)
    assert isinstance(reply.exception, QueryFailed)
    assert reply.exception.sqlstate == "42601"


@pytest.mark.parametrize("options", ["--to x.csv", "--parallel 2 --split id", "--bg"])
def test_what_is_for_one_statement_stands_alone(cells, options):
    assert "Nothing was run" in refused(cells, f"%%sql {options}\n\\conninfo").advice


def test_functions_read_no_commands(connection):
    with pytest.raises(InvalidInput, match="only a cell"):
        tusk_jupyter.sql(r"\conninfo")


def test_a_command_may_follow_the_options_of_a_line(cells):
    cells.run(r"%sql db --quiet c << \conninfo")
    assert cells.ns["c"]["parameter"][0] == "Connection"
    cells.run("x = %sql --quiet \\conninfo")
    assert cells.ns["x"].equals(cells.ns["c"])


def test_the_time_out_is_for_the_whole_cell(cells):
    reply = cells.run("%%sql --timeout 200ms\nselect pg_sleep(0.1) \\g\nselect pg_sleep(60) as a \\gset", ok=False)
    assert type(reply.exception).__name__ == "QueryTimeout"
    assert reply.exception.duration_s == 0.2


# -- what ends a statement ------------------------------------------------------------------------------------------


def test_gset_sets_variables_of_the_notebook(table):
    reply = table.run("%sql select id, name, day, 1.5 as number from t where id = 2 \\gset p_")
    assert reply.value is None
    assert {name: table.ns[f"p_{name}"] for name in ("id", "name", "number")} == {"id": 2, "name": None, "number": 1.5}
    assert "p_id, p_name, p_day, p_number set" in shown(reply)
    table.run("%sql select :p_id + 1 as id, day = :p_day as same from t where id = :p_id \\gset")
    assert (table.ns["id"], table.ns["same"]) == (3, True)


def test_gset_is_quiet_where_the_cell_is(cells):
    assert cells.run("%sql --quiet select 1 as a \\gset").displayed == []
    assert cells.ns["a"] == 1


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select 1 as a where false", r"no rows returned for \\gset"),
        ("select generate_series(1, 5) as a", r"more than one row returned for \\gset"),
        ("insert into t values (1)", r"no rows returned for \\gset"),
        ("select 1", r"'\?column\?' is not the name of a variable"),
        ("select 1 as get_ipython, 2 as a", "'get_ipython' is a name of IPython's"),
        ("select 1 as _1, 2 as a", "'_1' is a name of IPython's"),
        ("select 1 as mine, 2 as a", "'mine' is a function in this notebook"),
        ("select 1 as pd, 2 as a", "'pd' is a module in this notebook"),
        ("select 1 as show, 2 as a", "'show' is a partial in this notebook"),
        ("select 1 as import, 2 as a", "'import' is not the name of a variable"),
    ],
)
def test_gset_sets_all_or_nothing(table, sql, said):
    table.run("import functools, pandas as pd\nshow = functools.partial(print)\ndef mine(): pass")
    error = refused(table, f"%sql {sql} \\gset")
    with pytest.raises(InvalidInput, match=said):
        raise error
    assert "a" not in table.ns


def test_gexec_runs_every_value(table):
    reply = table.run(
        "%%sql\nselect format('create table g%s (i int)', i), null, format('insert into g%s values (:''x'')', i) from generate_series(1, 2) i \\gexec",
        ok=False,
    )
    # nothing is bound in what a query has made: PostgreSQL sees the colon
    assert isinstance(reply.exception, QueryFailed)
    reply = table.run("%%sql\nselect 'select ' || i || ' as x' from generate_series(1, 2) i \\gexec")
    assert next(one.split() for one in reply.displayed if "x" in one and "execute" not in one) == ["x", "0", "1"]
    assert reply.value.split() == ["x", "0", "2"]


def test_gexec_runs_all_whatever_is_shown_of_a_result(table, tusk):
    tusk.limit = 2
    sql = "select 'insert into t values (' || n || ')' from generate_series(3, 7) n \\gexec"
    table.run(f"%%sql --limit 1\n{sql}")
    assert table.run("%sql select count(*) as n from t \\gset").status == "ok"
    assert table.ns["n"] == 7


def test_gexec_goes_on_where_the_cell_does(table):
    sql = "select unnest(array['select 1 as a', 'select nix', 'select 3 as c']) \\gexec"
    reply = table.run(f"%%sql --on-error continue\n{sql}", ok=False)
    assert '"nix" does not exist' in shown(reply)
    assert [one.split() for one in reply.displayed if "0  3" in one] == [["c", "0", "3"]]
    stopped = table.run(f"%%sql\n{sql}", ok=False)
    assert "0  3" not in shown(stopped)


def test_gexec_passes_over_what_says_nothing(table):
    sql = "select unnest(array['select 1 as a', '', '-- nothing', ' ;', 'select 3 as c']) \\gexec"
    reply = table.run(f"%%sql\n{sql}")
    assert reply.value.split() == ["c", "0", "3"]


def test_gexec_ends_with_the_cells_time(table):
    sql = "select 'select pg_sleep(20)' from generate_series(1, 3) \\gexec"
    reply = table.run(f"%%sql --timeout 1s --on-error continue\n{sql}", ok=False)
    assert isinstance(reply.exception, QueryTimeout)
    assert "It was not run" not in shown(reply)


def test_gdesc_describes_and_runs_nothing(table):
    table.run("n = 5")
    reply = table.run(
        'd = %sql insert into t values (:n) returning id, name::varchar(20), 1.5::numeric(5,2) as x, day as "Tag" \\gdesc'
    )
    assert table.ns["d"].to_numpy().tolist() == [
        ["id", "integer"], ["name", "character varying(20)"], ["x", "numeric(5,2)"], ["Tag", "date"],
    ]  # fmt: skip
    assert "the statement has no result" in shown(table.run(r"%sql update t set id = 1 \gdesc"))
    assert reply.status == "ok"
    table.run(r"%sql select count(*) as n from t \gset")
    assert table.ns["n"] == 2


def test_gdesc_says_where_an_error_is(table):
    reply = table.run("%%sql\n\\echo x\nselect :'missing_' || nix from t \\gdesc", ok=False)
    assert isinstance(reply.exception, BindingError)
    table.run("v = 'a long value'")
    reply = table.run("%%sql\n\\echo x\nselect :v || nix from t \\gdesc", ok=False)
    assert "LINE 3: select :v || nix from t \\gdesc\n                     ^" in shown(reply)


def test_gx_shows_records(table):
    reply = table.run(r"df = %sql select * from t \gx")
    df = table.ns["df"]
    assert repr(df).split("\n") == [
        "-[ RECORD 1 ]----", "id   | 1", "name | a", "day  | 2020-01-01",
        "-[ RECORD 2 ]----", "id   | 2", "name | nan", "day  | 2020-01-02",
    ]  # fmt: skip
    assert "RECORD 2" in df._repr_html_()
    assert type(df.head(1)) is pd.DataFrame
    assert tusk_jupyter.result(df).command_tag == "SELECT 2"
    assert "SELECT 2" in shown(reply)


def test_g_takes_no_file(table):
    error = refused(table, r"%sql select 1 \g x.txt")
    assert "--to FILE" in error.advice
    assert table.run(r"%sql select 1 as a \g (expanded=on)").value.startswith("-[ RECORD 1 ]")
    assert "\\gx" in refused(table, r"%sql select 1 \g (format=csv)").advice


def test_bind_gives_the_values_of_numbered_parameters(table):
    assert table.run(r"%sql select $1::int + $2 as s, $3 as word \bind 3 4 'it''s' \g").value.split() == [
        "s",
        "word",
        "0",
        "7",
        "it's",
    ]
    assert r"\bind and \x stand before \g" in refused(table, r"%sql select $1 \bind 1").advice


def test_watch_is_tusk_watch(cells):
    cells.run("%sql create sequence s")
    reply = cells.run("%%sql\n\\echo a\nselect nextval('s') as n \\watch 0.1 c=3\nselect 'behind' as word")
    assert "3 runs every 0.1 s" in shown(reply)
    assert "behind" in reply.value
    reply = cells.run("%%sql\nselect n from generate_series(1, 8 - nextval('s')) n \\watch i=0.1 m=3")
    assert reply.value.split() == ["n", "0", "1", "1", "2"]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("watch 0.01", "too often"),
        ("watch x", "not a duration"),
        ("watch 1 c=0", "whole number"),
        ("watch 1 2", "one too many"),
        ("watch 1 c=1 m=1 x", "arguments at most"),
    ],
)
def test_watch_is_refused(cells, command, said):
    with pytest.raises(InvalidInput, match=said):
        raise refused(cells, f"%sql select 1 \\{command}")


def test_watch_runs_as_a_whole(cells):
    assert "--limit" in refused(cells, r"%sql --limit 1 select 1 \watch 1 c=1").message
    assert "--timeout" in refused(cells, r"%sql --timeout 5s select 1 \watch 1 c=1").message


def test_an_error_in_a_watched_statement_points_into_the_cell(cells):
    reply = cells.run("%%sql\n\\echo a\nselect nix \\watch 1 c=1", ok=False)
    assert "LINE 3: select nix" in shown(reply)


# -- the rest -------------------------------------------------------------------------------------------------------


def test_x_changes_how_results_are_shown(table):
    assert "is on" in shown(table.run(r"%sql \x"))
    reply = table.run("%%sql\nselect 1 as first;\nselect 2 as second")
    assert reply.value.startswith("-[ RECORD 1 ]")
    assert reply.displayed[0].startswith("-[ RECORD 1 ]")
    assert "is off" in shown(table.run(r"%sql \x"))
    assert not table.run("%sql select 2 as second").value.startswith("-[")
    table.run(r"%sql \x auto")
    assert not table.run("%sql select 2 as second").value.startswith("-[")
    assert table.run(f"%sql select {', '.join(f'1 as c{n}' for n in range(30))}").value.startswith("-[ RECORD 1 ]")
    assert "not understood" in refused(table, r"%sql \x sideways").message


def test_x_before_g_is_psqls_idiom(table):
    assert table.run(r"%sql select 1 as a \x\g\x").value.startswith("-[ RECORD 1 ]") is False
    assert table.run(r"%sql select 1 as a").value.split() == ["a", "0", "1"]


def test_of_many_records_the_ends_are_shown(cells):
    text = cells.run(r"%sql select n from generate_series(1, 1000) n \gx").value
    assert text.count("RECORD") == 10
    assert "… 990 records not shown: the DataFrame has them" in text


def test_echo_inserts_variables(cells):
    cells.run('who = "O\'Hara"; n = 3')
    reply = cells.run("%%sql\n\\echo hello :who, :'who' :\"who\" 'a  b' :n;\n\\qecho -n x\n\\warn y")
    assert reply.stdout == "hello O'Hara, 'O''Hara' \"O'Hara\" a  b 3;\nx"
    assert [one["text"] for one in reply.outputs if one.get("name") == "stderr"] == ["y\n"]
    assert ":who" in refused(cells, r"%sql \echo :whom").advice


def test_set_sets_a_variable_to_text(cells):
    cells.run(r"%sql \set who 'O''' Hara")
    assert cells.ns["who"] == "O'Hara"
    assert "--on-error" in refused(cells, r"%sql \set ON_ERROR_STOP on").advice
    assert "IPython's" in refused(cells, r"%sql \set In x").message


def test_conninfo_is_a_table(cells, connection):
    frame = cells.run(r"%sql \conninfo").value
    assert "Client User      | tester" in frame
    cells.run("x = %sql \\conninfo")
    facts = dict(cells.ns["x"].to_numpy().tolist())
    assert facts["Backend PID"] == str(connection.live_session.backend_pid)
    assert facts["Superuser"] == "on"


def test_in_a_failed_transaction_it_is_looked_up_beside(cells):
    cells.run("%sql create function f() returns int language sql as 'select 1'")
    cells.run("%%sql\nbegin; select 1 / 0", ok=False)
    reply = cells.run(r"%sql \sf f")
    assert "CREATE OR REPLACE FUNCTION public.f()" in reply.value
    assert "asked on another connection" in shown(reply)
    assert "25P02" in shown(cells.run("%sql select 1 as a \\gset", ok=False))


def test_a_source_is_text(cells):
    cells.run("%sql create function f(a int) returns int language sql as 'select a'")
    reply = cells.run("x = %sql \\sf f")
    assert reply.value is None
    x = cells.ns["x"]
    assert isinstance(x, Source)
    assert x.startswith("CREATE OR REPLACE FUNCTION public.f(a integer)")
    cells.run("%sql drop function f(int)")
    cells.run("get_ipython().run_line_magic('sql', x)")
    assert cells.run("%sql select f(5) as five").value.split() == ["five", "0", "5"]


def test_an_ambiguous_function_names_all(cells):
    cells.run(
        "%%sql\ncreate function f(a int) returns int language sql as 'select 1';create function f(a text) returns int language sql as 'select 2'"
    )
    error = refused(cells, r"%sql \sf f")
    assert (error.message, error.advice) == (
        "2 functions are named 'f'", "Give the argument types: f(a integer); f(a text).",
    )  # fmt: skip
    assert "select 2" in cells.run(r"%sql \sf public.f(text)").value
    assert (
        "Did you mean f" in refused(cells, r"%sql \sf fff").advice or "\\df" in refused(cells, r"%sql \sf fff").advice
    )


def test_errverbose_is_the_last_error(cells):
    assert "no error yet" in shown(cells.run(r"%sql \errverbose"))
    cells.run("%sql select 1 / 0", ok=False)
    assert "22012" in shown(cells.run(r"%sql \errverbose"))


def test_a_backslash_in_the_first_line_of_a_cell_begins_its_script(cells):
    reply = cells.run("%%sql \\echo one\n\\echo two")
    assert reply.stdout == "one\ntwo\n"


@pytest.mark.parametrize(
    "code", [r"%sql \c postgresql://u:S3cretWord@h/d", "%%sql\nselect 1;\n\\connect postgresql://u:S3cretWord@h/d"]
)
def test_connect_names_what_connects_and_repeats_no_password(cells, code):
    error = refused(cells, code)
    assert "%tusk_connect" in error.advice
    assert "S3cretWord" not in f"{error!r}{error}{error.info()}"


def test_read_only_is_kept(tusk, database, shell):
    tusk_jupyter.connect(database, name="ro", read_only=True)
    shell.run("%sql select 1 as a \\gset")
    assert shell.ns["a"] == 1
    assert "read-only" in str(shell.run("%sql create table t () \\g", ok=False).exception)
    assert "read-only" in str(shell.run("%sql select 'create table t ()' \\gexec", ok=False).exception)
