"""The first line of a cell: connection, options and assignment in every form."""

from __future__ import annotations

from decimal import Decimal

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import tusk_jupyter as tusk_api
from tests.waiting import ask
from tusk_jupyter.errors import BindingError, InvalidInput, IoError


@pytest.fixture
def two(cells, database):
    """Cells with a second connection ``other``; the current one is ``db``."""
    cells.run(f"%tusk_connect {database} --name other --application-name second")
    cells.run("%tusk use db")
    return cells


def application(cells, cell):
    cells.run(cell)
    return cells.ns["app"].iat[0, 0]


SHOW = "select current_setting('application_name')"


def test_connection_holds_for_its_cell_only(two):
    assert application(two, f"%%sql other app <<\n{SHOW}") == "second"
    assert application(two, f"%%sql app <<\n{SHOW}") == "Tusk"
    assert application(two, f"%sql other app << {SHOW}") == "second"
    assert application(two, f"app = %sql other {SHOW}") == "second"
    assert application(two, f'app = %sql "other" {SHOW}') == "second"
    assert application(two, f"app = %sql {SHOW}") == "Tusk"


@pytest.mark.parametrize(
    "line",
    [
        "other --limit 2 --quiet app <<",
        "--limit 2 other --quiet app <<",
        "--limit=2 --quiet other app <<",
        "--quiet --out app other --limit 2",
        "-o app --limit 2 other --quiet",
        "--quiet other --limit '2' app = <<",
    ],
)
def test_any_order(two, line):
    two.run(f"%%sql {line}\n{SHOW} as app, g from generate_series(1, 5) g")
    assert list(two.ns["app"]["app"]) == ["second", "second"]


@pytest.mark.parametrize(
    ("cell", "shows"),
    [
        ("%%sql late <<\nselect 41 as a", False),
        ("%%sql\nlate << select 41 as a", False),
        ("%%sql\nlate <<\nselect 41 as a", False),
        ("%%sql -o late\nselect 41 as a", False),
        ("%%sql --out late\nselect 41 as a", False),
        ("%%sql --out=late\nselect 41 as a", False),
        ("%sql late << select 41 as a", False),
        ("%sql -o late select 41 as a", False),
        ("%%sql late = <<\nselect 41 as a", True),
        ("%%sql late= <<\nselect 41 as a", True),
        ("%sql late = << select 41 as a", True),
    ],
)
def test_assignment(cells, cell, shows):
    reply = cells.run(cell)
    assert cells.ns["late"]["a"].tolist() == [41]
    assert (reply.value is not None) is shows
    assert "41" not in "\n".join(reply.displayed)


def test_assignment_inside_a_function_is_the_notebooks(cells):
    cells.run("def f():\n    get_ipython().run_cell_magic('sql', 'late <<', 'select 41 as a')\nf()")
    assert cells.ns["late"].iat[0, 0] == 41


def test_assignment_of_no_rows_is_none(cells):
    cells.ns["late"] = "before"
    cells.run("%%sql late <<\ncreate temp table t ()")
    assert cells.ns["late"] is None


def test_a_failed_cell_assigns_nothing(cells):
    cells.ns["late"] = "before"
    cells.run("%%sql late <<\nselect 1; select 1/0", ok=False)
    assert cells.ns["late"] == "before"


@pytest.mark.parametrize("line", ["-o a b <<", "--out a --out b", "-o 1a", "--limit 1 --limit 2", "-o class"])
def test_contradictions_run_nothing(cells, database, line):
    cells.run("%sql create table t (a int)")
    assert isinstance(cells.run(f"%%sql {line}\ninsert into t values (1)", ok=False).exception, InvalidInput)
    assert ask(database, "select count(*) from t") == 0


# -- --params ---------------------------------------------------------------------------------------------------------


def test_params_come_before_the_namespace(cells):
    cells.ns.update(given={"a": 1}, a=99, b=2)
    cells.run("%%sql --params given out <<\nselect :a as a, :b as b")
    assert list(cells.ns["out"].iloc[0]) == [1, 2]


def test_params_must_be_a_mapping_that_exists(cells):
    cells.ns["number"] = 3
    for name in ("number", "nothing"):
        reply = cells.run(f"%%sql --params {name}\nselect 1", ok=False)
        assert isinstance(reply.exception, BindingError)
        assert name in str(reply.exception)


# -- --limit ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def numbers(cells):
    cells.run("%%sql\ncreate table numbers (a int); insert into numbers select generate_series(1, 5)")
    return cells


def state(cells):
    cells.run("%%sql state <<\nselect count(*) from pg_cursors where name <> ''")
    assert cells.ip.user_ns["state"].iat[0, 0] == 0
    return tusk_api.state().connections.current.live_session.transaction_status


@pytest.mark.parametrize(
    ("limit", "rows", "truncated"), [(2, 2, True), (4, 4, True), (5, 5, False), (6, 5, False), (0, 0, True)]
)
def test_limit_knows_whether_there_is_more(numbers, limit, rows, truncated):
    reply = numbers.run(f"%%sql --limit {limit} out = <<\nselect * from numbers order by a")
    assert numbers.ns["out"]["a"].tolist() == list(range(1, rows + 1))
    assert tusk_api.result(numbers.ns["out"]).truncated is truncated
    assert ("more rows exist" in reply.displayed[-1]) is truncated
    assert state(numbers) == "IDLE"


@pytest.mark.parametrize(
    "sql",
    [
        "select * from numbers",
        "values (1), (2), (3)",
        "table numbers",
        "with n as (select * from numbers) select * from n",
        "(select * from numbers)",
        "select * from numbers where a > :low",
        "select * from numbers where a not in :some",
    ],
)
def test_limit_leaves_the_session_clean(numbers, sql):
    numbers.ns.update(low=1, some=[1])
    numbers.run(f"%%sql --limit 1 out <<\n{sql}")
    assert len(numbers.ns["out"]) == 1
    assert state(numbers) == "IDLE"


def test_limit_inside_an_open_transaction_leaves_it_open(numbers, database):
    numbers.run("%%sql\nbegin; insert into numbers values (6)")
    reply = numbers.run("%%sql --limit 2\nselect * from numbers")
    assert "transaction open" in reply.displayed[-1]
    assert state(numbers) == "INTRANS"
    numbers.run("%sql commit")
    assert ask(database, "select count(*) from numbers") == 6


def test_limit_on_an_error_leaves_no_transaction(numbers):
    cell = "%%sql --limit 2\nselect nope from numbers"
    reply = numbers.run(cell, ok=False)
    assert reply.exception.position == cell.index("nope") + 1
    assert "transaction" not in reply.displayed[-1].lower()
    assert state(numbers) == "IDLE"
    assert numbers.run("%%sql --limit 2\nselect 1 / (a - 2) from numbers", ok=False).exception.sqlstate == "22012"
    assert state(numbers) == "IDLE"


def test_limit_runs_anything_else_to_its_end(numbers, database):
    numbers.run("%%sql --limit 2 out <<\ninsert into numbers select generate_series(6, 10) returning a")
    assert numbers.ns["out"]["a"].tolist() == [6, 7]
    assert tusk_api.result(numbers.ns["out"]).truncated
    assert ask(database, "select count(*) from numbers") == 10
    numbers.run("%%sql --limit 1 out <<\nwith gone as (delete from numbers returning a) select * from gone")
    assert len(numbers.ns["out"]) == 1
    assert ask(database, "select count(*) from numbers") == 0


def test_limit_does_not_fetch_the_rest(numbers):
    reply = numbers.run(
        "%%sql --limit 3 --timeout 20s out = <<\nselect generate_series(1, 2000000000) as i, repeat('x', 1000)"
    )
    assert len(numbers.ns["out"]) == 3
    assert "more rows exist" in reply.displayed[-1]


def test_limit_as_a_preference(numbers):
    numbers.run("%config Tusk.limit = 2")
    numbers.run("%%sql out <<\ntable numbers")
    assert len(numbers.ns["out"]) == 2
    numbers.run("%%sql --limit 4 out <<\ntable numbers")
    assert len(numbers.ns["out"]) == 4


# -- what is returned -------------------------------------------------------------------------------------------------


def test_formats(cells):
    kinds = {}
    for name in ("pandas", "arrow", "polars", "rows"):
        cells.run(f"%%sql --format {name} out <<\nselect 1 as a, 'x' as b, null::int as c union all select 2, 'y', 3")
        kinds[name] = cells.ns["out"]
    assert isinstance(kinds["pandas"], pd.DataFrame)
    assert isinstance(kinds["arrow"], pa.Table)
    assert kinds["arrow"].to_pydict() == {"a": [1, 2], "b": ["x", "y"], "c": [None, 3]}
    assert isinstance(kinds["polars"], pl.DataFrame)
    assert kinds["polars"].rows() == [(1, "x", None), (2, "y", 3)]
    assert kinds["rows"] == [(1, "x", None), (2, "y", 3)]
    assert kinds["rows"][0].b == "x"


def test_exact_numeric_is_decimal(cells):
    cells.run("%%sql --exact out <<\nselect 0.1::numeric as n, avg(v) as m from (values (1), (2)) t(v)")
    assert [type(v) for v in cells.ns["out"].iloc[0]] == [Decimal, Decimal]
    cells.run("%%sql out <<\nselect 0.1::numeric(3,1) as n")
    assert str(cells.ns["out"]["n"].dtype) == "float64"


def test_preferences_by_config(cells):
    cells.run("%config Tusk.format = 'arrow'")
    cells.run("%%sql out <<\nselect 1 as a")
    assert isinstance(cells.ns["out"], pa.Table)


# -- -f, -- and JupySQL's spellings -----------------------------------------------------------------------------------


def test_file(cells, tmp_path):
    script = tmp_path / "my script.sql"
    script.write_text(
        "-- é\ncreate temp table t (a int);\ninsert into t values (:x);\nselect a as ä from t;\n", encoding="utf-8"
    )
    cells.ns["x"] = 41
    assert "41" in cells.run(f"%sql -f '{script}'").value
    cells.run(f"out = %sql db --file '{script.parent}/my script.sql' --on-error continue", ok=False)
    script.write_text("select 1;\nselect nope", encoding="utf-8")
    assert "LINE 2: select nope" in cells.run(f"%sql -f '{script}'", ok=False).displayed[-1]


def test_file_that_is_not_there_or_given_twice(cells, tmp_path):
    assert isinstance(cells.run(f"%sql -f {tmp_path}/none.sql", ok=False).exception, IoError)
    assert isinstance(cells.run(f"%sql -f {tmp_path}/none.sql select 1", ok=False).exception, InvalidInput)
    assert isinstance(cells.run(f"%%sql -f {tmp_path}/none.sql\nselect 1", ok=False).exception, InvalidInput)


@pytest.mark.parametrize(
    "line",
    [
        "%sql -- select 41",
        "%sql --quiet -- select 41",
        "%sql db -- select 41 -- c",
        "%sql --quiet db --limit 1 -- (select 41)",
    ],
)
def test_two_dashes_end_the_options(cells, line):
    assert "41" in cells.run(line).value


def test_a_url_connects_and_is_never_sent(cells, database, server):
    dbname = database.rpartition("=")[2]
    url = f"postgresql://{server.user}@/{dbname}?host={server.host}&port={server.port}"
    cells.run("%tusk disconnect db")
    for spelled in (url, url.replace("postgresql:", "postgres:"), url.replace("postgresql:", "postgresql+psycopg:")):
        reply = cells.run(f"%sql {spelled}")
        assert "PostgreSQL" in reply.displayed[-1]
    assert len(tusk_api.state().connections) == 1
    assert "41" in cells.run(f"%%sql {url}\nselect 41").value


def test_close_and_connections_as_jupysql_spells_them(two):
    two.run("table = %sql --connections")
    assert list(two.ns["table"]["name"]) == ["db", "other"]
    two.run("%sql --close other")
    assert tusk_api.state().connections.names() == ["db"]


@pytest.mark.parametrize("option", ["--section", "-s", "-a", "--creator", "--alias", "-n"])
def test_options_that_mean_something_else_get_a_hint(cells, option):
    reply = cells.run(f"%sql {option} x select 1", ok=False)
    assert isinstance(reply.exception, InvalidInput)
    assert "Nothing was run." in reply.exception.advice
    assert len(reply.exception.advice) > len("Nothing was run. It has:") + 10


def test_jupysqls_config_names(cells):
    cells.run("%config SqlMagic.autopolars = True")
    cells.run("%%sql out <<\nselect 1 as a")
    assert isinstance(cells.ns["out"], pl.DataFrame)
    cells.run("%config SqlMagic.autopandas = True\n%config SqlMagic.autolimit = 2\n%config SqlMagic.feedback = 0")
    reply = cells.run("%%sql\nselect generate_series(1, 2) as g")
    assert reply.displayed == []


def test_tsql_is_the_same_magic(cells):
    assert "41" in cells.run("%tsql select 41").value
    cells.run("%%tsql db --limit 1 out <<\nselect 41")
    assert cells.ns["out"].iat[0, 0] == 41
    cell = "%%tsql\nselect nope"
    assert cells.run(cell, ok=False).exception.position == cell.index("nope") + 1


# -- no connection ----------------------------------------------------------------------------------------------------


def test_without_a_connection_the_advice_shows_how(shell):
    reply = shell.run("%sql select 1", ok=False)
    assert type(reply.exception).__name__ == "NoActiveConnection"
    assert reply.displayed[-1].count("%tusk_connect") == 3


def test_first_cell_connects_by_the_environment(shell, database, server, monkeypatch):
    dbname = database.rpartition("=")[2]
    monkeypatch.setenv("DATABASE_URL", f"postgresql://{server.user}@/{dbname}?host={server.host}&port={server.port}")
    reply = shell.run("%sql select 41")
    assert "41" in reply.value
    assert "$DATABASE_URL" in reply.displayed[0]
    assert "$DATABASE_URL" not in "\n".join(shell.run("%sql select 41").displayed)


def test_first_cell_connects_by_libpqs_variables(shell, database, server, monkeypatch):
    monkeypatch.setenv("PGHOST", server.host)
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGUSER", server.user)
    monkeypatch.setenv("PGDATABASE", database.rpartition("=")[2])
    assert "$PGHOST" in shell.run("%sql select 41").displayed[0]
