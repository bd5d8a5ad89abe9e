"""``--to FILE``: what is in the file, what is left when it fails, what the cell says; on a real server."""

from __future__ import annotations

import csv
import os
import resource
from decimal import Decimal
from pathlib import Path

import psycopg
import pyarrow as pa
import pytest
from pyarrow import parquet

import tusk_jupyter as api
from tests.postgres.test_types import quote
from tests.waiting import ask
from tusk_jupyter.errors import ConnectionLost, ConversionError, InvalidInput, IoError, QueryFailed, QueryTimeout
from tusk_jupyter.results import files
from tusk_jupyter.results.types import BUILTIN

ENDINGS = ("parquet", "arrow", "csv")
TYPED = ("parquet", "arrow")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The directory of the kernel, and nothing else in it."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def read(name):
    if name.endswith("parquet"):
        return parquet.read_table(name)
    with pa.OSFile(name) as source:
        return pa.ipc.open_file(source).read_all()


def left():
    return sorted(p.name for p in Path().iterdir())


def both(cells, sql, ending, *, before=""):
    """What ``--to`` wrote, and what ``--format arrow`` gives for the same statement."""
    cells.run(f"%%sql --format arrow expected <<\n{before}{sql}")
    reply = cells.run(f"%%sql --to out.{ending}\n{before}{sql}")
    assert reply.value is None
    return read(f"out.{ending}"), cells.ns["expected"]


def same(table, expected):
    table.validate(full=True)
    assert table.schema.equals(expected.schema)
    assert table.equals(expected)


# -- what is in it ----------------------------------------------------------------------------------------------------

LITERALS = {
    "int2": ["-32768", "32767"],
    "int4": ["-2147483648", "7"],
    "int8": ["-9223372036854775808", "9223372036854775807"],
    "oid": ["0", "4294967295"],
    "float4": ["1.5", "-0.1", "Infinity"],
    "float8": ["1.5", "0.1", "-Infinity", "5e-324"],
    "bool": ["t", "f"],
    "numeric": ["1.50", "NaN", "1" * 60, "1e-20"],
    "numeric(10,2)": ["1.50", "-12345678.99"],
    "numeric(38,10)": ["-1234567890123456789012345678.0123456789"],
    "numeric(60,5)": ["1" * 55 + ".00001"],
    "numeric(200,1)": ["9" * 199],
    "text": ["a", "", '  é\U0001f600"\n\r\\', "a,b", "NULL", "\\."],
    "varchar(3)": ["abc"],
    "char(3)": ["a"],
    '"char"': ["a"],
    "name": ["a"],
    "money": ["12345.67"],
    "uuid": ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"],
    "inet": ["192.168.0.1/24", "::1"],
    "cidr": ["10.0.0.0/8"],
    "macaddr": ["08:00:2b:01:02:03"],
    "point": ["(1,2)"],
    "box": ["(1,2),(0,0)"],
    "tsvector": ["'a' 'b'"],
    "regclass": ["pg_class"],
    "bit(3)": ["101"],
    "bytea": ["\\x00ff", "\\x"],
    "date": ["2024-02-29", "0044-03-15 BC", "5874897-12-31"],
    "time": ["10:11:12.5", "00:00:00"],
    "timetz": ["10:11:12.5+02", "24:00:00+00"],
    "timestamp": ["2024-02-29 12:34:56.789012", "0044-03-15 01:02:03 BC", "20000-01-01"],
    "timestamptz": ["2024-02-29 12:34:56.789012+02", "1800-01-01 00:00:00+00"],
    "interval": ["1 mon 1 day 02:03:04.5", "-00:00:00.000001"],
    "json": ['{"a": [1, null, 12345678901234567890.10]}', "null"],
    "jsonb": ['{"a": 1}'],
    "int4range": ["[1,5)", "empty"],
    "int4multirange": ["{[1,5),[7,9)}"],
    "int4[]": ["{1,NULL,3}", "{}"],
    "text[]": ['{a,NULL,"","a,b"}'],
    "timestamptz[]": ["{2024-02-29 12:34:56.789012+02}"],
    "numeric(10,2)[]": ["{1.50,NULL}"],
}


def values(type_name, literals):
    rows = ",".join("(null)" if v is None else f"({quote(v)})" for v in [*literals, None])
    return f"select v::{type_name} as x from (values {rows}) t(v)"


@pytest.mark.parametrize("ending", TYPED)
def test_every_type_is_what_format_arrow_gives(cells, decoder, ending, server):
    for type_name, literals in LITERALS.items():
        if type_name == "int4multirange" and server.version < 14:
            continue
        same(*both(cells, values(type_name, literals), ending, before="set timezone = 'Europe/Berlin'; "))


@pytest.mark.parametrize("ending", TYPED)
def test_every_built_in_type_has_its_column(cells, database, ending):
    with psycopg.connect(database) as conn:
        known = conn.execute("select oid::int, format_type(oid, null) from pg_type where typtype <> 'p'").fetchall()
    names = [name for oid, name in known if oid in BUILTIN]
    assert len(names) > 100
    columns = ", ".join(f"null::{name} as c{i}" for i, name in enumerate(names))
    same(*both(cells, f"select {columns} union all select {columns} limit 1", ending))


@pytest.mark.parametrize("ending", TYPED)
def test_no_rows_have_the_same_schema(cells, ending):
    sql = "select 1 as i, 1.5::numeric(5,2) as n, now() as z, 'a'::text as t, array[1] as a, '1'::jsonb as j"
    same(*both(cells, f"{sql} where false", ending))
    assert read(f"out.{ending}").num_rows == 0


@pytest.mark.parametrize("ending", TYPED)
@pytest.mark.parametrize("options", ["", "--limit 3"])
def test_types_of_ones_own_even_of_the_open_transaction(cells, ending, options):
    cells.run(
        "%%sql\nbegin; create type mood as enum ('sad', 'o,k', 'ha\"ppy'); create type thing as (a text, b int, d mood);"
        "create domain positive as int check (value > 0); create temp table mine (m mood, t thing, p positive, ms mood[])"
    )
    cells.run("""%sql insert into mine values ('sad', ('x', 1, 'o,k'), 1, '{sad,NULL}'), (null, null, null, null)""")
    cells.run(f"%%sql --format arrow {options} expected <<\nselect * from mine")
    cells.run(f"%%sql {options} --to out.{ending}\nselect * from mine")
    table, expected = read(f"out.{ending}"), cells.ns["expected"]
    assert table.schema.field("m").type.ordered
    if ending == "parquet":
        # its reader gives the labels as string where they were large_string
        assert table.schema.field("m").type == pa.dictionary(pa.int32(), pa.string(), ordered=True)
        assert table.to_pylist() == expected.to_pylist()
        table, expected = table.drop_columns("m"), expected.drop_columns("m")
    same(table, expected)
    assert cells.ns["expected"]["m"].to_pylist() == ["sad", None]
    assert "transaction open" in cells.run("%sql rollback; begin").displayed[-1]


CSV_OPTIONS = "(format csv, header)"


def copied(database, sql, *settings):
    with psycopg.connect(database) as conn:
        for setting in settings:
            conn.execute(setting)
        with conn.cursor().copy(f"copy ({sql}) to stdout {CSV_OPTIONS}") as copy:
            return b"".join(map(bytes, copy))


def test_csv_is_what_copy_writes(cells, database, decoder, server):
    settings = ["set timezone = 'Europe/Berlin'", "set datestyle = 'German'", "set intervalstyle = 'sql_standard'"]
    for type_name, literals in LITERALS.items():
        if type_name == "bool" or (type_name == "int4multirange" and server.version < 14):
            continue
        extremes = ["infinity", "-infinity"] if type_name in {"date", "timestamp", "timestamptz"} else []
        sql = f'select i, x as "x,""", x from (select row_number() over () as i, * from ({values(type_name, [*literals, *extremes])}) v) w'
        cells.run(f"%%sql --to out.csv\n{'; '.join(settings)}; {sql}; reset datestyle")
        expected = copied(database, sql, *settings)
        header, _, rest = expected.partition(b"\n")
        assert header == b'i,"x,""",x'
        assert Path("out.csv").read_bytes() == expected, type_name
        assert len(rest) > 5


def test_csv_of_one_column_is_what_copy_writes(cells, database):
    sql = r"select unnest(array['\.', '', 'a', null, '\N', 'b''\.', 'x\.']) as x"
    reply = cells.run(f"%%sql --to out.csv\n{sql}")
    assert Path("out.csv").read_bytes() == copied(database, sql)
    assert "note: 1 of the lines are empty, for NULL" in reply.displayed[-1]


def test_csv_writes_booleans_out_and_loads_back(cells, database):
    cells.run("%%sql\ncreate table t (b bool, s text, a int[], n numeric, z timestamptz, j jsonb, y bytea)")
    cells.run(
        """%%sql\ninsert into t values (true, '', '{1,NULL}', 'NaN', 'infinity', '{"a": "b,c"}', '\\x00'), """
        "(false, null, null, 1e-30, null, 'null', ''), (null, E'a\\nb\"c', '{}', 1, '2024-01-01', null, null)"
    )
    cells.run("%sql --to out.csv select * from t")
    with Path("out.csv").open(newline="") as file:
        assert [row["b"] for row in csv.DictReader(file)] == ["true", "false", ""]
    with psycopg.connect(database) as conn:
        conn.execute("create table back (like t)")
        with conn.cursor().copy(f"copy back from stdin {CSV_OPTIONS}") as copy:
            copy.write(Path("out.csv").read_bytes())
        differing = conn.execute("(table t except table back) union all (table back except table t)").fetchall()
        assert differing == []
        assert conn.execute("select count(*) from back").fetchone() == (3,)


def test_a_numeric_that_declares_nothing_is_text_and_said_to_be(cells):
    sql = "select 1.5::numeric as n, 2::numeric(5,2) as d, avg(i) as a from generate_series(1, 2) i"
    reply = cells.run(f"%%sql --to out.parquet\n{sql}")
    assert "numeric without a declared scale has no size that the file could declare: 'n', 'a'" in reply.displayed[-1]
    table = read("out.parquet")
    assert table.to_pylist() == [{"n": "1.5", "d": Decimal("2.00"), "a": "1.5000000000000000"}]
    assert "declare" not in cells.run(f"%%sql --to out.csv\n{sql}").displayed[-1]
    cells.run("%config Tusk.arrow_numeric = 'double'")
    assert "declare" not in cells.run(f"%%sql --to out.parquet\n{sql}").displayed[-1]
    assert read("out.parquet")["n"].to_pylist() == [1.5]


@pytest.mark.parametrize("ending", ENDINGS)
def test_repeated_names_are_numbered_with_a_note(cells, ending):
    reply = cells.run(f"%%sql --to out.{ending}\nselect 1 as a, 2 as a, 3 as a_1")
    assert "note: repeated column names are numbered: 'a' is 'a_2'" in reply.displayed[-1]
    if ending == "csv":
        assert Path("out.csv").read_text() == "a,a_2,a_1\n1,2,3\n"
    else:
        assert read(f"out.{ending}").to_pydict() == {"a": [1], "a_2": [2], "a_1": [3]}


# -- many rows --------------------------------------------------------------------------------------------------------


@pytest.fixture
def held(monkeypatch):
    """What is held at the moment each batch is written: rows of the batch, bytes of all that Arrow holds."""
    seen = []
    write = files.ResultFile.write

    def watched(self, batch):
        write(self, batch)
        seen.append((batch.rowcount, pa.total_allocated_bytes() + sum(a.nbytes for c in batch.chunks for a in c)))

    monkeypatch.setattr(files.ResultFile, "write", watched)
    return seen


@pytest.mark.parametrize("ending", ENDINGS)
def test_memory_does_not_grow_with_the_rows(cells, decoder, held, ending):
    sql = "select i, i::float8 as f, 'text ' || i as t, i::numeric(12,2) as n, now() as z from generate_series(1, {}) i"
    before = pa.total_allocated_bytes()
    cells.run(f"%%sql --to out.{ending}\n{sql.format(400_000)}")
    few = max(size for _, size in held) - before
    held.clear()
    rows = 2_000_000 if decoder == "compiled" else 1_200_000
    cells.run(f"%%sql --to out.{ending}\n{sql.format(rows)}")
    assert sum(rows for rows, _ in held) == rows
    assert max(rows for rows, _ in held) < files.ROWS_AT_ONCE + 2_000 + 1
    assert max(size for _, size in held) - before < 1.5 * few + 10 * 2**20
    if ending == "parquet":
        told = parquet.read_metadata("out.parquet")
        assert (told.num_rows, told.num_row_groups) == (rows, len(held))
    elif ending == "arrow":
        with pa.memory_map("out.arrow") as source:
            assert sum(pa.ipc.open_file(source).get_batch(i).num_rows for i in range(len(held))) == rows
    else:
        with Path("out.csv").open("rb") as file:
            assert sum(1 for _ in file) == rows + 1


def test_wide_rows_are_written_sooner(cells, held):
    cells.run("%%sql --to out.parquet\nselect repeat('x', 20000) as x from generate_series(1, 10000)")
    assert len(held) >= 5
    assert read("out.parquet").num_rows == 10_000


def test_every_row_is_there_in_its_order(cells, monkeypatch, decoder):
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 5_000)
    sql = "select i, nullif(i % 7, 0) as n, i::text as t, (array['a','b'])[1 + i % 2] as e from generate_series(1, 33333) i"
    for ending in TYPED:
        table, expected = both(cells, sql, ending)
        assert table.schema.equals(expected.schema)
        assert table.equals(expected)
    cells.run(f"%%sql --to out.csv\n{sql}")
    with Path("out.csv").open(newline="") as file:
        assert [int(row[0]) for row in list(csv.reader(file))[1:]] == list(range(1, 33334))


# -- what the cell says ----------------------------------------------------------------------------------------------


def test_the_line_and_the_result(cells):
    reply = cells.run("before = 1\n%sql --to out.parquet select i from generate_series(1, 1234) i")
    assert reply.value is None
    (line,) = reply.displayed
    size = Path("out.parquet").stat().st_size
    assert line.startswith(f"SELECT 1234 · 1,234 rows, {size / 1000:.3g} kB written to out.parquet · ")
    assert line.endswith(" · db")
    result = api.last_result()
    assert (result.rowcount, result.frame, result.rows) == (1234, None, [])
    assert [(c.name, c.type) for c in result.columns] == [("i", "integer")]
    assert (result.written.path, result.written.size) == (os.path.realpath("out.parquet"), size)
    assert result.to_dict()["file"] == os.path.realpath("out.parquet")
    assert "the file before it was replaced" in cells.run("%sql --to out.parquet select 1").displayed[-1]
    assert read("out.parquet").num_rows == 1


def test_limit_parameters_connection_and_quiet(cells, database):
    api.connect(database, name="other")
    cells.ns["most"] = 1000
    reply = cells.run("%%sql db --limit 10 --to out.csv\nselect i, :most::int as m from generate_series(1, :most) i")
    assert "10 rows" in reply.displayed[-1]
    assert "more rows exist (--limit 10)" in reply.displayed[-1]
    assert Path("out.csv").read_text().splitlines()[-1] == "10,1000"
    assert cells.run("%sql db --quiet --to out.csv select 1").outputs == []
    assert ask(database, "select count(*) from pg_cursors") == 0


def test_names_with_blanks_and_other_alphabets(cells, here):
    (here / "größe 数").mkdir()
    reply = cells.run('%sql --to "größe 数/é x.csv" select 1 as a')
    assert (here / "größe 数" / "é x.csv").read_text() == "a\n1\n"
    assert "written to größe 数/é x.csv" in reply.displayed[-1]


def test_the_history_knows_the_statement(cells, tusk):
    cells.run("%%sql --to out.csv\nselect i as a from generate_series(1, 5) i")
    cells.run("h = %tusk history generate_series")
    table = cells.ns["h"]
    assert table["rows"].tolist() == [5]
    assert table["sql"].tolist() == ["select i as a from generate_series(1, 5) i"]


def test_other_statements_may_stand_around_the_one(cells):
    cells.run("%%sql --to out.csv\ncreate temp table t (a int); insert into t values (1), (2); table t; drop table t")
    assert Path("out.csv").read_text() == "a\n1\n2\n"
    cells.run("%%sql --to out.csv\ncreate temp table t (a int); insert into t values (3) returning a as b")
    assert Path("out.csv").read_text() == "b\n3\n"
    cells.run("%sql --to out.csv show work_mem")
    assert Path("out.csv").read_text() == "work_mem\n4MB\n"
    cells.run("%sql --to out.csv explain (costs off) select 1")
    assert Path("out.csv").read_text() == "QUERY PLAN\nResult\n"


def test_a_read_only_connection(cells, database):
    api.connect(database, name="careful", read_only=True)
    cells.run("%sql careful --to out.csv select 1 as a")
    assert Path("out.csv").read_text() == "a\n1\n"


# -- what is refused --------------------------------------------------------------------------------------------------

REFUSED = [
    ("--to out.txt select 1", InvalidInput, "no ending", "Nothing was run"),
    ("--to out.csv -o x select 1", InvalidInput, "both --to and an assignment to x", "Nothing was run"),
    ("--to out.csv x << select 1", InvalidInput, "both --to and an assignment to x", "Nothing was run"),
    ("--to out.csv --format arrow select 1", InvalidInput, "--format says what comes back", "Nothing was run"),
    ("--to out.csv --exact select 1", InvalidInput, "--exact says what comes back", "Nothing was run"),
    ("--to out.csv --to b.csv select 1", InvalidInput, "given twice", "Nothing was run"),
    ("--to nowhere/out.csv select 1", IoError, "there is no folder", "Nothing was run"),
    ("--to out.csv insert into t values (1) returning a; select 1; select 2", InvalidInput, "2 statements return rows", "Nothing was run"),
    ("--to out.csv insert into t values (1); set work_mem = '5MB'", InvalidInput, "no statement returns rows", "Nothing was run"),
    ("--to out.csv select from t", InvalidInput, "without a column", "It was not run"),
    ("--to out.csv select nothing_such from t", QueryFailed, "does not exist", ""),
    ("--to out.csv select 1/a from t", QueryFailed, "division by zero", ""),
]  # fmt: skip


@pytest.mark.parametrize(("line", "kind", "message", "advice"), REFUSED, ids=[r[2] for r in REFUSED])
def test_refused(cells, database, line, kind, message, advice):
    cells.run("%%sql\ncreate table t (a int); insert into t values (0)")
    reply = cells.run(f"%sql {line}", ok=False)
    assert type(reply.exception) is kind
    assert message in reply.exception.message
    assert advice in reply.exception.advice
    assert left() == []
    assert ask(database, "select count(*) from t") == 1


def test_the_second_that_returns_rows_is_not_run_and_the_first_ones_file_stays(cells, database):
    cells.run("%sql create table t (a int)")
    reply = cells.run("%%sql --to out.csv\nselect 1 as first; insert into t values (7) returning a", ok=False)
    assert "has the rows of an earlier statement" in reply.exception.message
    assert Path("out.csv").read_text() == "first\n1\n"
    assert ask(database, "select count(*) from t") == 0


def test_a_cell_that_returned_nothing_after_all_fails(cells):
    reply = cells.run("%sql --to out.csv do $$ begin end $$", ok=False)
    assert "no statement returned rows" in reply.exception.message
    assert "The statements have run" in reply.exception.advice
    assert left() == []


def test_the_caret_stands_where_it_does_without_a_file(cells):
    carets = []
    for first in ("%%sql", "%%sql --to out.csv"):
        error = cells.run(f"{first}\nselect 1,\n  nothing_such", ok=False).exception
        carets.append(error.place.text[error.place.offset :].strip())
    assert carets == ["nothing_such"] * 2


# -- what is left when it fails --------------------------------------------------------------------------------------

UNFIT = [
    ("select case when i = 70000 then 'infinity' else '2024-01-01' end::timestamp as t from generate_series(1, 70005) i",
     "row 70000, column 't': 'infinity' does not fit timestamp[us]"),
    ("select case when i = 3 then 'NaN' else '1' end::numeric(5,2) as \"a b\" from generate_series(1, 5) i",
     "row 3, column 'a b': 'NaN' does not fit decimal128(5, 2)"),
    ("select array['2024-01-01'::date, 'infinity'] as d", "row 1, column 'd'"),
]  # fmt: skip


@pytest.mark.parametrize("ending", TYPED)
@pytest.mark.parametrize(("sql", "message"), UNFIT)
def test_a_value_that_does_not_fit(cells, monkeypatch, decoder, sql, message, ending):
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 20_000)
    Path(f"out.{ending}").write_text("before")
    error = cells.run(f"%%sql --to out.{ending}\n{sql}", ok=False).exception
    assert type(error) is ConversionError
    assert message in error.message
    assert error.advice.startswith("No file was written. Cast the column in SQL (column::text), or write .csv")
    assert left() == [f"out.{ending}"]
    assert Path(f"out.{ending}").read_text() == "before"
    cells.run(f"%%sql --to out.csv\n{sql}")


def test_the_server_is_stopped_when_a_value_does_not_fit(cells, connection):
    pid = connection.session().backend_pid
    sql = "select case when i = 1 then 'infinity' else '2024-01-01' end::date as d from (select generate_series(1, 1e12::int8) i) s"
    assert type(cells.run(f"%%sql --to out.parquet\n{sql}", ok=False).exception) is ConversionError
    cells.run("%sql p << select pg_backend_pid() as p")
    assert cells.ns["p"]["p"].tolist() == [pid]


@pytest.mark.parametrize("option", ["", "--on-error savepoint"])
def test_the_open_transaction_survives_a_value_that_does_not_fit(cells, database, option):
    cells.run("%%sql\ncreate table t (a int); begin; insert into t values (1)")
    sql = "select 'infinity'::date as d from generate_series(1, 300000)"
    reply = cells.run(f"%%sql --to out.parquet {option}\n{sql}", ok=False)
    assert type(reply.exception) is ConversionError
    error = cells.run("%sql release savepoint tusk_statement", ok=False).exception
    assert error.sqlstate == "3B001"
    cells.run("%sql rollback")
    cells.run("%%sql\nbegin; insert into t values (1)")
    cells.run(f"%%sql --to out.parquet {option}\n{sql}", ok=False)
    cells.run("%sql commit")
    assert ask(database, "select count(*) from t") == 1
    assert left() == []


@pytest.mark.parametrize("rows", [2, 100_000])
def test_a_statement_that_has_run_though_its_rows_do_not_fit(cells, database, rows):
    cells.run("%sql create table t (a int)")
    sql = f"insert into t select generate_series(1, {rows}) returning case when a = 2 then 'infinity'::date end as d"
    error = cells.run(f"%%sql --to out.parquet\n{sql}", ok=False).exception
    assert type(error) is ConversionError
    assert error.advice.startswith("The statement itself has run. No file was written.")
    assert (ask(database, "select count(*) from t"), left()) == (rows, [])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_gets_too_large_for_its_place(cells, connection, ending):
    pid = connection.session().backend_pid
    Path(f"out.{ending}").write_text("before")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, before[1]))
    try:
        sql = "select md5(i::text) as x from (select generate_series(1, 1e10::int8) i) s"
        error = cells.run(f"%%sql --to out.{ending}\n{sql}", ok=False).exception
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert type(error) is IoError
    assert error.message == f"writing the rows: file too large 'out.{ending}'"
    assert error.advice.startswith("No file was written.")
    assert left() == [f"out.{ending}"]
    assert Path(f"out.{ending}").read_text() == "before"
    cells.run(f"%sql --to out.{ending} select pg_backend_pid() as p")
    assert connection.session().backend_pid == pid


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_lost_session_leaves_nothing(cells, ending):
    sql = "select i, case when i = 250000 then pg_terminate_backend(pg_backend_pid()) end from (select generate_series(1, 1e9::int8) i) s"
    assert isinstance(cells.run(f"%%sql --to out.{ending}\n{sql}", ok=False).exception, ConnectionLost)
    assert left() == []


def test_a_time_out_and_an_error_late_in_the_rows_leave_nothing(cells):
    sql = "select i, pg_sleep(case when i > 200000 then 0.01 else 0 end)::text from generate_series(1, 300000) i"
    assert isinstance(cells.run(f"%%sql --timeout 1s --to out.parquet\n{sql}", ok=False).exception, QueryTimeout)
    error = cells.run("%sql --to out.parquet select 1 / (200000 - i) from generate_series(1, 300000) i", ok=False).exception
    assert error.sqlstate == "22012"
    assert left() == []


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_session_in_another_encoding(cells, ending):
    cells.run(f"%%sql --to out.{ending}\nset client_encoding = 'LATIN1'; select 'é' as \"ä\"")
    if ending == "csv":
        assert Path("out.csv").read_text(encoding="utf-8") == "ä\né\n"
    else:
        assert read(f"out.{ending}").to_pylist() == [{"ä": "é"}]


@pytest.mark.parametrize("change", ["alter t rename a to c", "alter t alter a type int8", "drop t", "alter t add d int"])
def test_the_columns_must_be_those_that_were_announced(cells, database, monkeypatch, change):
    from tusk_jupyter.queries import file_rows

    cells.run("%sql create table t as select 1 a, 2 b")
    start = file_rows.FileSink.begin

    def altered(self, described, statement):
        start(self, described, statement)
        with psycopg.connect(database, autocommit=True) as other:
            what, _, rest = change.partition(" t")
            other.execute(f"{what} table t{rest}")
            if what == "drop":
                other.execute("create table t as select 1 b, 2 a")

    monkeypatch.setattr(file_rows.FileSink, "begin", altered)
    error = cells.run("%sql --to out.csv select * from t", ok=False).exception
    assert "not those that the server had announced" in error.message
    assert left() == []


@pytest.mark.usefixtures("decoder")
def test_a_numeric_too_wide_for_any_decimal_is_postgresqls_text(cells):
    values = "values (0), (0.0000000001), (-1.5), (12345678), (null)"
    written, returned = both(cells, f"select v::numeric(80, 10) as v from ({values}) t (v)", "parquet")
    wanted = ["0.0000000000", "0.0000000001", "-1.5000000000", "12345678.0000000000", None]
    assert written["v"].to_pylist() == returned["v"].to_pylist() == wanted
