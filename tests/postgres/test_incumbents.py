"""What breaks in the other SQL magics, and must not here."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.waiting import ask
from tusk_jupyter.errors import ConnectionNotFound, InvalidInput, QueryFailed

UNCHANGED = {
    "select '{{1,2},{3,4}}'::int[]": [[1, 2], [3, 4]],
    """select '{"a":1}'::jsonb""": {"a": 1},
    """select '{"a": ":b"}'::jsonb -> 'a'""": ":b",
    "select 'a :b c'": "a :b c",
    "select '192.168.1.5'::inet << '192.168.1.0/24'": True,
    "select 1 << 4": 16,
    "select int4range(1, 3) << int4range(5, 9)": True,
    """select x -> 'y' from (values ('{"y": 2}'::jsonb)) t(x)""": 2,
    "select 7 - 1": 6,
    "select - 1": -1,
    "select 7 -1": 6,
    "select 17 % 5": 2,
    "select '100%' like '%\\%'": True,
    """select '{"a":1}'::jsonb ? 'a'""": True,
    "select (array[1,2,3])[1:2]": [1, 2],
    "select (array[1,2,3])[b]  from (values (2)) t(b)": 2,
    "select $$ :b {{b}} $b $$": " :b {{b}} $b ",
    "select e'it\\'s :b'": "it's :b",
    "select '{b} $b'": "{b} $b",
    "select 1 /* :b {{b}} */": 1,
    "select 1 -- :b {{b}}": 1,
    "(select 1) union all (select 1) limit 1": 1,
    "values (1)": 1,
    "with b as (select 3 as c) select c from b": 3,
}


def test_runs_unchanged_in_a_cell(cells):
    cells.ns["b"] = 99
    got = {sql: cells.run(f"%%sql out <<\n{sql}") and cells.ns["out"].iat[0, 0] for sql in UNCHANGED}
    assert got == UNCHANGED


def test_runs_unchanged_on_a_line(cells):
    cells.ns["b"] = 99
    got = {sql: cells.run(f"out = %sql {sql}") and cells.ns["out"].iat[0, 0] for sql in UNCHANGED}
    assert got == UNCHANGED


@pytest.mark.parametrize(
    "body",
    [
        "--comment\nselect 5 as v",
        "--limit 1\nselect 5 as v",
        "-- a\n--b\n/* c */ select 5 as v",
        "\n\n  select 5 as v",
        "- 1",
        "-1",
    ],
)
def test_body_is_never_read_as_options(cells, body):
    if body.startswith("-") and "select" not in body:
        # the server has to see it: a syntax error with its SQLSTATE, not an option of ours
        assert cells.run(f"%%sql\n{body}", ok=False).exception.sqlstate == "42601"
    else:
        cells.run(f"%%sql out <<\n{body}")
        assert cells.ns["out"].iat[0, 0] == 5


def test_rows_below_a_minus_are_arithmetic(cells):
    cells.run("%%sql out <<\nselect 7\n- 1")
    assert cells.ns["out"].iat[0, 0] == 6


EVIL = [
    "x'; create table pwned (a int); --",
    "x\\'; create table pwned (a int); --",
    "$$; create table pwned (a int); --",
    "'||(select 1)||'",
    "{{name}}",
    ":name",
    "%s",
    "$1",
]


@pytest.mark.parametrize("evil", EVIL)
def test_parameters_cannot_inject(cells, database, evil):
    cells.ns["name"] = evil
    cells.run("%%sql out <<\nselect :name as a, {{name}} as b, {{ name }} as c, :'name' as d, '{{name}}' as e")
    row = cells.ns["out"].iloc[0]
    assert list(row) == [evil, evil, evil, evil, "{{name}}"]
    assert ask(database, "select to_regclass('pwned')") is None


def test_identifiers_cannot_inject(cells, database):
    cells.ns["name"] = 'x"; create table pwned (a int); --'
    cells.run('%%sql\ncreate table :"name" (a int)')
    assert ask(database, "select count(*) from pg_class where relname = %s", cells.ns["name"]) == 1
    assert ask(database, "select to_regclass('pwned')") is None


def test_quoted_braces_stay_and_are_noted(cells):
    cells.ns["name"] = "x"
    reply = cells.run("%%sql\nselect '{{name}}' as v")
    assert "{{name}}" in reply.value
    assert "name" in " ".join(reply.displayed)
    assert "note" in cells.run("%%sql\nselect '{{name}}' as v").displayed[-1]
    assert "note" not in cells.run("%%sql\nselect '{{other}}' as v").displayed[-1]


@pytest.mark.parametrize(
    ("cell", "kind", "near"),
    [
        ("%%sql --limt 3\ninsert into t values (1)", InvalidInput, "--limit"),
        ("%%sql --on-eror continue\ninsert into t values (1)", InvalidInput, "--on-error"),
        ("%%sql -q\ninsert into t values (1)", InvalidInput, "--quiet"),
        ("%%sql --limit\ninsert into t values (1)", InvalidInput, "value"),
        ("%%sql --limit x\ninsert into t values (1)", InvalidInput, "whole number"),
        ("%%sql --format csv\ninsert into t values (1)", InvalidInput, "pandas"),
        ("%%sql --quiet=1\ninsert into t values (1)", InvalidInput, "no value"),
        ("%%sql dbb\ninsert into t values (1)", ConnectionNotFound, "db"),
        ("%%sql db other\ninsert into t values (1)", InvalidInput, "other"),
        ("%%sql DB\ninsert into t values (1)", ConnectionNotFound, "db"),
        ("%sql dbb insert into t values (1)", ConnectionNotFound, "db"),
        ("%sql --limt 3 insert into t values (1)", InvalidInput, "--limit"),
        ("%sql inser into t values (1)", ConnectionNotFound, "INSERT"),
        ("%%sql x y <<\ninsert into t values (1)", ConnectionNotFound, "x"),
    ],
)
def test_what_is_misspelt_runs_nothing(cells, database, cell, kind, near):
    cells.run("%sql create table t (a int)")
    reply = cells.run(cell, ok=False)
    assert type(reply.exception) is kind
    assert near in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 0


def test_ipython_expands_nothing(cells):
    cells.ns["x"] = "boom"
    assert cells.run("%sql select '{x} $x {{x}} $HOME' as v").value.endswith("{x} $x {{x}} $HOME")
    cells.run("%%sql out <<\nselect '{x} $x' as v, '{' || '}' as w")
    assert list(cells.ns["out"].iloc[0]) == ["{x} $x", "{}"]


IMG = "<img src=x onerror=alert(1)>"
SHOWN = "&lt;img"


def only_text(reply):
    assert "<img" not in reply.html
    assert SHOWN in reply.html
    return True


def test_markup_in_values_and_names_stays_text(cells):
    assert only_text(cells.run(f"%%sql\nselect '{IMG}' as v"))
    assert only_text(cells.run(f'%%sql\nselect 1 as "{IMG}"'))
    assert only_text(cells.run(f'%%sql\nselect 1 as "{IMG}", 2 as "{IMG}"'))


def test_markup_in_messages_stays_text(cells):
    assert only_text(cells.run(f"%%sql\ndo $$ begin raise notice '{IMG}' using hint = '{IMG}'; end $$"))
    raising = f"raise exception '{IMG}' using detail = '{IMG}', hint = '{IMG}', constraint = '{IMG}', table = '{IMG}'"
    assert only_text(cells.run(f"%%sql\ndo $$ begin {raising}; end $$", ok=False))
    assert only_text(cells.run(f'%%sql\nselect "{IMG}"', ok=False))
    assert only_text(cells.run(f"%%sql --{IMG.replace(' ', '')}\nselect 1", ok=False))
    assert only_text(cells.run(f"%%sql {IMG.replace(' ', '')}\nselect 1", ok=False))
    assert only_text(cells.run(f"%sql select :nope -- {IMG}", ok=False))


def test_markup_in_a_connection_name_stays_text(cells, database):
    assert only_text(cells.run(f"%tusk_connect {database} --name <img/src=x>", ok=False))


def test_control_characters_are_spelt_out(cells):
    reply = cells.run("%%sql\ndo $$ begin raise notice '%', e'\\x1b[31mred\\x07'; end $$")
    assert "\x1b" not in reply.everything
    assert "red" in reply.html


def test_error_in_a_transaction_neither_rolls_back_nor_runs_again(cells, database):
    cells.run("%%sql\ncreate table t (a int); create table log (a int)")
    cells.run("%%sql\nbegin; insert into t values (1)")
    assert isinstance(cells.run("%sql select 1/0", ok=False).exception, QueryFailed)
    assert cells.run("%sql insert into t values (2)", ok=False).exception.sqlstate == "25P02"
    assert cells.run("%sql select 1", ok=False).exception.sqlstate == "25P02"
    reply = cells.run("%sql commit")
    assert "nothing was saved" in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 0
    cells.run("%sql insert into t values (3)")
    assert ask(database, "select array_agg(a) from t") == [3]


def test_a_savepoint_in_the_users_hands_works_across_cells(cells, database):
    cells.run("%%sql\ncreate table t (a int); begin; insert into t values (1); savepoint s")
    cells.run("%sql select 1/0", ok=False)
    cells.run("%%sql\nrollback to s; insert into t values (2); commit")
    assert ask(database, "select array_agg(a order by a) from t") == [1, 2]


def test_mean_of_numeric_is_right(cells):
    cells.run("%%sql df <<\nselect v::numeric as n, v::numeric(10,2) as m from unnest(array[1, 2, 2]) v")
    assert cells.ns["df"]["n"].mean() == pytest.approx(5 / 3)
    assert cells.ns["df"]["m"].mean() == pytest.approx(5 / 3)
    cells.run("%%sql --exact df <<\nselect v::numeric as n from unnest(array[1, 2, 2]) v")
    assert float(cells.ns["df"]["n"].mean()) == pytest.approx(5 / 3)


def test_notices_are_shown_with_their_severity(cells):
    reply = cells.run(
        "%%sql\ndo $$ begin raise notice 'hello'; raise warning 'careful'; raise info 'by the way'; end $$"
    )
    text = "\n".join(reply.displayed)
    for line in ("NOTICE:  hello", "WARNING:  careful", "INFO:  by the way"):
        assert text.count(line) == 1


def test_notices_of_a_failed_statement_are_shown(cells):
    reply = cells.run("%%sql\ndo $$ begin raise notice 'before'; perform 1/0; end $$", ok=False)
    assert "\n".join(reply.displayed).count("NOTICE:  before") == 1


def test_integers_with_null_are_never_float(cells):
    cells.run("%%sql df <<\nselect a, a::int8 as b, a::int2 as c from (values (1), (null), (2)) t(a)")
    assert [str(t) for t in cells.ns["df"].dtypes] == ["Int64", "Int64", "Int64"]
    assert cells.ns["df"]["a"].sum() == 3
    cells.run("%%sql df <<\nselect 9007199254740993 as big union all select null order by 1")
    assert cells.ns["df"]["big"][0] == 9007199254740993


COLUMNS = """1 as i, 2::int8 as l, 1.5::float8 as f, 1.5::float4 as g, true as b, 'x'::text as t, 1.25::numeric as n,
    1.25::numeric(8,2) as m, date '2024-02-29' as d, timestamp '2024-02-29 12:00' as ts,
    timestamptz '2024-02-29 12:00+00' as tz, interval '1 day' as iv, '{"a":1}'::jsonb as j, array[1,2] as arr,
    'f47ac10b-58cc-4372-a567-0e02b2c3d479'::uuid as u, 'happy'::mood as e, '\\x00'::bytea as by, time '12:00' as ti"""


def test_empty_result_keeps_its_dtypes(cells):
    cells.run("%sql create type mood as enum ('sad', 'happy')")
    full = cells.run(f"%%sql full <<\nselect {COLUMNS}") and cells.ns["full"]
    cells.run(f"%%sql empty <<\nselect * from (select {COLUMNS}) q where false")
    empty = cells.ns["empty"]
    assert len(empty) == 0
    assert {c: str(t) for c, t in empty.dtypes.items()} == {c: str(t) for c, t in full.dtypes.items()}
    assert isinstance(empty["e"].dtype, pd.CategoricalDtype)
    assert list(empty["e"].cat.categories) == ["sad", "happy"]
    cells.run(f"%%sql none <<\nselect * from (select {COLUMNS}) q limit 0")
    assert (cells.ns["none"].dtypes == full.dtypes).all()
