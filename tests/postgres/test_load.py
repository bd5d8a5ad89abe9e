"""``%tusk load``: frames and files into tables, all rows or none, with the row that was refused named."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from tests.waiting import ask
from tusk_jupyter.errors import InvalidInput, IoError, QueryFailed

pytestmark = pytest.mark.usefixtures("copy_form")
FORMS = {"csv": "format csv, encoding 'UTF8'", "auto": "format binary"}


def read(database, statement):
    with psycopg.connect(database, autocommit=True) as conn:
        return conn.execute(statement).fetchall()


def types(database, table):
    return dict(
        read(
            database,
            "select attname, format_type(atttypid, atttypmod) from pg_attribute "
            f"where attrelid = '{table}'::regclass and attnum > 0",
        )
    )


def load(cells, value, line="--to t", *, ok=True):
    cells.ns["df"] = value
    return cells.run(f"%tusk load df {line}", ok=ok)


BERLIN = ZoneInfo("Europe/Berlin")
MOMENT = dt.datetime(2024, 2, 29, 23, 59, 59, 999999)  # noqa: DTZ001 - a column without a zone
COLUMNS = {
    "small": (pd.Series([1, -2], dtype="int8"), "smallint", [1, -2]),
    "nullable": (pd.array([2**62, None], "Int64"), "bigint", [2**62, None]),
    "unsigned": (pd.Series([2**64 - 1, 0], dtype="uint64"), "numeric(20,0)", [decimal.Decimal(2**64 - 1), 0]),
    "single": (pd.Series([0.1, np.inf], dtype="float32"), "real", [pytest.approx(0.1), np.inf]),
    "double": ([0.1 + 0.2, None], "double precision", [0.1 + 0.2, None]),
    "flag": ([True, False], "boolean", [True, False]),
    "maybe": (pd.array([True, None], "boolean"), "boolean", [True, None]),
    "text": (["", None], "text", ["", None]),
    "hostile": (['a"b,\\.\n\r\\N', "\\."], "text", ['a"b,\\.\n\r\\N', "\\."]),
    "category": (pd.Categorical(["x", None]), "text", ["x", None]),
    "stamp": (pd.Series([MOMENT, None]), "timestamp without time zone", [MOMENT, None]),
    "zoned": (
        pd.Series([dt.datetime(1890, 1, 1, tzinfo=BERLIN), MOMENT.replace(tzinfo=BERLIN)]),
        "timestamp with time zone",
        [dt.datetime(1890, 1, 1, tzinfo=BERLIN), MOMENT.replace(tzinfo=BERLIN)],
    ),
    "date": (pd.Series([dt.date(1, 1, 1), None], dtype=object), "date", [dt.date(1, 1, 1), None]),
    "time": (
        pd.Series([dt.time(1, 2, 3, 4), None], dtype=object),
        "time without time zone",
        [dt.time(1, 2, 3, 4), None],
    ),
    "span": (
        pd.to_timedelta([-90_000_000_001, None], "us"),
        "interval",
        [dt.timedelta(microseconds=-90_000_000_001), None],
    ),
    "money": (
        pd.Series([decimal.Decimal("1.10"), decimal.Decimal("NaN")], dtype=object),
        "numeric",
        [decimal.Decimal("1.10"), pytest.approx(decimal.Decimal("NaN"), nan_ok=True)],
    ),
    "exact": (
        pd.array([decimal.Decimal("1.10"), None], pd.ArrowDtype(pa.decimal128(5, 2))),
        "numeric(5,2)",
        [decimal.Decimal("1.10"), None],
    ),
    "bytes": (pd.Series([b"\0\\x'", None], dtype=object), "bytea", [b"\0\\x'", None]),
    "uuid": (pd.Series([uuid.UUID(int=1), None], dtype=object), "uuid", [uuid.UUID(int=1), None]),
    "list": (pd.Series([[1, None], []], dtype=object), "bigint[]", [[1, None], []]),
    "words": (
        pd.Series([['a"b', "NULL", "\\", None, "", "{,}"], [["x"], ["y"]]], dtype=object),
        "text[]",
        [['a"b', "NULL", "\\", None, "", "{,}"], [["x"], ["y"]]],
    ),
    "json": (
        pd.Series([{"a": [1, None], "ü": '"'}, [{"b": 1}]], dtype=object),
        "jsonb",
        [{"a": [1, None], "ü": '"'}, [{"b": 1}]],
    ),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_types_and_values_of_pandas(cells, database, name):
    values, kind, expected = COLUMNS[name]
    load(cells, pd.DataFrame({name: values}))
    assert types(database, "t")[name] == kind
    assert [v for (v,) in read(database, "select * from t")] == expected


def test_types_and_values_of_arrow(cells, database):
    table = pa.table(
        {
            "nan": [float("nan"), None],
            "old": pa.array([-62135596800_000_000 - 1, 0], pa.timestamp("us")),
            "tag": pa.array(["a", None]).dictionary_encode(),
            "id": pa.array([b"\1" * 16, None], pa.uuid()),
            "half": pa.array([np.float16(1.5), None], pa.float16()),
            "clock": pa.array([1, None], pa.time32("s")),
            "where": pa.array([{"x": 1}, None]),
            "days": pa.array([[dt.date(2024, 1, 1)], None]),
            "nothing": pa.nulls(2),
            "gap": pa.array([86_400_000_000 * 40 + 1, -1], pa.duration("us")),
            "wide": pa.array([decimal.Decimal("1" * 60), None], pa.decimal256(60, 0)),
            "view": pa.array(["v", None], pa.string_view()),
        }
    )
    load(cells, table)
    assert types(database, "t") == {
        "nan": "double precision", "old": "timestamp without time zone", "tag": "text", "id": "uuid", "half": "real",
        "clock": "time without time zone", "where": "jsonb", "days": "date[]", "nothing": "text", "gap": "interval",
        "wide": "numeric(60,0)", "view": "text",
    }  # fmt: skip
    with psycopg.connect(database) as conn:
        row = conn.execute("select old::text, gap::text, wide, nan, half, days from t limit 1").fetchone()
    assert row[:3] == ("0001-12-31 23:59:59.999999 BC", "40 days 00:00:00.000001", decimal.Decimal("1" * 60))
    assert np.isnan(row[3])
    assert row[4:] == (1.5, [dt.date(2024, 1, 1)])
    assert read(database, "select tag, id, clock, nan from t offset 1") == [(None, None, None, None)]


@pytest.mark.parametrize(
    "value",
    [
        pl.DataFrame({"a": [1, None], "b": ["x", ""]}),
        pa.record_batch({"a": [1, None], "b": ["x", ""]}),
        pa.table({"a": [1, None], "b": ["x", ""]}).to_reader,
        {"a": [1, None], "b": ["x", ""]},
    ],
    ids=["polars", "batch", "reader", "dict"],
)
def test_other_sources(cells, database, value):
    # a reader can be read once
    load(cells, value() if callable(value) else value)
    assert types(database, "t") == {"a": "bigint", "b": "text"}
    assert read(database, "select * from t") == [(1, "x"), (None, "")]


def test_intervals_whatever_the_style(cells, database):
    cells.run("%sql set intervalstyle = 'sql_standard'")
    spans = [dt.timedelta(days=-1, seconds=3), dt.timedelta(seconds=-3), dt.timedelta(days=2)]
    load(cells, pa.table({"a": spans}), "--to t")
    load(cells, pd.DataFrame({"a": pd.Series(spans, dtype=object)}), "--to t --append")
    assert [v for (v,) in read(database, "select a from t")] == spans * 2


def test_status_line_and_history(cells, tusk, database, copy_form):
    shown = load(cells, pd.DataFrame({"a": [1, 2]}), "--to public.t").displayed[-1]
    for part in ("COPY 2", 'created "public"."t"', "db"):
        assert part in shown
    found = tusk.storage.write(lambda conn: conn.execute("select sql, rows, command_tag from history").fetchall())
    assert found.result(timeout=5) == [
        (
            f'create table "public"."t" ("a" bigint);\ncopy "public"."t" ("a") from stdin ({FORMS[copy_form]})',
            2,
            "COPY 2",
        )
    ]


HOSTILE = ["Odd Name", 'semi"; drop table x; --', "ünï", "a.b", "%s"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names(cells, database, name):
    quoted = '"' + name.replace('"', '""') + '"'
    load(cells, pd.DataFrame({name: [1]}), f"--to public.{quoted}")
    load(cells, pd.DataFrame({name: [2]}), f"--to {quoted} --append")
    cells.run(f"%sql create unique index on {quoted} ({quoted})")
    if '"' not in name:
        load(cells, pd.DataFrame({name: [2, 3]}), f'--to {quoted} --upsert "{name}"')
    with psycopg.connect(database) as conn:
        found = conn.execute(psycopg.sql.SQL("select * from {}").format(psycopg.sql.Identifier(name))).fetchall()
    assert found == [(1,), (2,)] + ([(3,)] if '"' not in name else [])


def test_an_existing_table_is_refused_by_default(cells, database):
    load(cells, pd.DataFrame({"a": [1]}))
    reply = load(cells, pd.DataFrame({"a": [2]}), ok=False)
    assert isinstance(reply.exception, InvalidInput)
    assert all(option in reply.exception.advice for option in ("--append", "--replace", "--upsert"))
    assert read(database, "select * from t") == [(1,)]


def test_append_by_name_with_defaults(cells, database):
    cells.run("%sql create table t (a int, b text default 'd', c jsonb)")
    load(cells, pd.DataFrame({"c": pd.Series([[1, 2], {"x": "y"}, None], dtype=object), "a": [1, 2, 3]}), "--to t --append")
    assert read(database, "select * from t") == [(1, "d", [1, 2]), (2, "d", {"x": "y"}), (3, "d", None)]
    reply = load(cells, pd.DataFrame({"A": [1]}), "--to t --append", ok=False)
    assert "has no column 'A'" in reply.exception.message
    assert "Did you mean 'a'?" in reply.exception.advice


def test_replace_empties_and_keeps_the_table(cells, database):
    cells.run("%%sql\ncreate table t (a int check (a > 0)); create view v as select * from t; insert into t values (7)")
    load(cells, pd.DataFrame({"a": [1]}), "--to t --replace")
    assert read(database, "select * from v") == [(1,)]
    load(cells, pd.DataFrame({"a": [2, -1]}), "--to t --replace", ok=False)
    assert read(database, "select * from v") == [(1,)]


def test_upsert(cells, database):
    cells.run("%%sql\ncreate table t (a int, b int, c text, d int default 9, primary key (a, b));"
              "insert into t values (1, 1, 'old', 5), (2, 2, 'kept', 5)")  # fmt: skip
    reply = load(cells, pd.DataFrame({"c": ["new", "more"], "b": [1, 3], "a": [1, 3]}), "--to t --upsert a,b")
    assert "INSERT 0 2" in reply.displayed[-1]
    assert read(database, "select * from t order by a") == [(1, 1, "new", 5), (2, 2, "kept", 5), (3, 3, "more", 9)]
    reply = load(cells, pd.DataFrame({"a": [1], "c": ["x"]}), "--to t --upsert a", ok=False)
    assert reply.exception.sqlstate == "42P10"
    assert "unique index" in reply.exception.advice
    assert "there is no column 'k'" in load(cells, {"a": [1]}, "--to t --upsert k", ok=False).exception.message


def test_missing_table(cells):
    reply = load(cells, pd.DataFrame({"a": [1]}), "--to nope --append", ok=False)
    assert "there is no table" in reply.exception.message


def facts(reply):
    return dict(reply.exception.facts)


def test_a_refused_row_is_named(cells, database):
    cells.run("%sql create table t (s text, a int not null)")
    frame = pd.DataFrame({"s": ["two\nli\nnes\r", "three\n\n", "x", "y"], "a": ["1", "2", "no", "4"]}, index=list("pqrs"))
    reply = load(cells, frame, "--to t --append", ok=False)
    assert isinstance(reply.exception, QueryFailed)
    assert facts(reply) == {"row": "2 (index 'r')", "column": "a", "value": '"no"'}
    assert "2 (index 'r')" in reply.displayed[-1]
    assert read(database, "select * from t") == []


@pytest.mark.parametrize("row", [0, 1, 5_000, 40_000])
def test_a_refused_row_is_named_wherever_it_is(cells, row):
    cells.run("%sql create table t (s text, a int check (a <> -1))")
    frame = pd.DataFrame({"s": ["a\nb"] * 50_000, "a": range(50_000)})
    frame.loc[row, "a"] = -1
    assert facts(load(cells, frame, "--to t --append", ok=False))["row"] == str(row)


def test_an_error_ends_the_sending(cells, database):
    cells.run("%sql create table t (a int)")
    sent = []

    def batches():
        for n in range(2_000):
            sent.append(n)
            yield pa.record_batch({"a": ["no"] + ["1"] * 16_383})

    reader = pa.RecordBatchReader.from_batches(pa.schema({"a": pa.string()}), batches())
    reply = load(cells, reader, "--to t --append", ok=False)
    assert reply.exception.sqlstate == "22P02"
    assert facts(reply)["row"] == "0"
    assert len(sent) < 2_000


def test_notices_do_not_end_the_sending(cells, database):
    cells.run(
        "%%sql\ncreate table t (a int);"
        "create function f() returns trigger language plpgsql as $$ begin if new.a % 10000 = 0 then raise notice 'at %', new.a; "
        "perform pg_sleep(0.03); end if; return new; end $$;"
        "create trigger f before insert on t for each row execute function f()"
    )
    load(cells, pd.DataFrame({"a": range(300_000)}), "--to t --append")
    assert read(database, "select count(*) from t") == [(300_000,)]


@pytest.mark.parametrize(("value", "dtype"), [("a\0b", "str"), ("a\0b", object), ("a\ud800", object)])
def test_what_cannot_be_sent_is_named(cells, database, value, dtype):
    load(cells, pd.DataFrame({"n": [1, 2], "s": pd.Series(["ok", value], dtype=dtype)}), ok=False)
    reply = cells.run("%tusk load df --to t", ok=False)
    assert (facts(reply)["row"], facts(reply)["column"]) == ("1", "s")
    assert read(database, "select to_regclass('t')") == [(None,)]


def test_mixed_columns_are_refused_with_two_values(cells):
    reply = load(cells, pd.DataFrame({"m": pd.Series([1, "two", None], dtype=object)}), ok=False)
    assert reply.exception.message == "column 'm' mixes values that no one type holds: 1 and 'two'"


def test_nanoseconds_are_noted(cells, database):
    shown = load(cells, pd.DataFrame({"a": pd.to_datetime([1, 1000], unit="ns")})).displayed[-1]
    assert "a: cut to microseconds" in shown
    assert read(database, "select a::text from t") == [("1970-01-01 00:00:00",), ("1970-01-01 00:00:00.000001",)]


def test_an_open_transaction_survives_a_refusal(cells, database):
    cells.run("%%sql\ncreate table t (a int unique); begin; insert into t values (1)")
    load(cells, pd.DataFrame({"a": [2, 1]}), "--to t --append", ok=False)
    load(cells, pd.DataFrame({"a": [3]}), "--to t --append")
    assert read(database, "select * from t") == []
    cells.run("%sql commit")
    assert read(database, "select * from t") == [(1,), (3,)]


def test_a_failed_transaction_takes_nothing(cells):
    cells.run("%sql begin")
    cells.run("%sql select nope", ok=False)
    assert load(cells, pd.DataFrame({"a": [1]}), ok=False).exception.sqlstate == "25P02"
    cells.run("%sql rollback")


def test_a_deferred_constraint_fails_the_load(cells, database):
    cells.run("%sql create table t (a int unique deferrable initially deferred)")
    assert load(cells, pd.DataFrame({"a": [1, 1]}), "--to t --append", ok=False).exception.sqlstate == "23505"
    assert read(database, "select * from t") == []


def test_read_only_is_refused_by_the_server(cells, tusk, database):
    cells.run(f"%tusk_connect {database} --name only --read-only")
    assert load(cells, pd.DataFrame({"a": [1]}), "--to t --connection only", ok=False).exception.sqlstate == "25006"
    assert ask(database, "select to_regclass('t')") is None


def test_temp_tables_of_the_session(cells):
    cells.run("%sql create temp table mine (a int primary key)")
    load(cells, {"a": [1]}, "--to mine --append")
    load(cells, {"a": [1, 2]}, "--to mine --upsert a")
    load(cells, {"a": [1, 2]}, "--to mine --upsert a")
    assert cells.run("%sql select count(*) n from mine").exception is None
    assert cells.ns["_"]["n"][0] == 2


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".csv"])
def test_files(cells, database, tmp_path, suffix):
    table = pa.table({"a": range(40_000), "s": ["", None] * 20_000})
    path = tmp_path / f"trips{suffix}"
    if suffix == ".parquet":
        pa.parquet.write_table(table, path, row_group_size=15_000)
    elif suffix == ".csv":
        pa.csv.write_csv(table, path)
    else:
        with pa.ipc.new_file(path, table.schema) as file:
            file.write_table(table)
    cells.run(f'%tusk load "{path}" --to trips')
    assert types(database, "trips") == {"a": "bigint", "s": "text"}
    assert read(database, "select count(*), sum(a), count(s) from trips") == [(40_000, 799_980_000, 20_000)]


def test_csv_values_reach_the_server_as_they_stand(cells, database, tmp_path):
    path = tmp_path / "c.csv"
    path.write_text('zip,n,big,day,s\n01234,1.10,12345678901234567890,2024-02-29,"a\nb"\n00001,2,1,,\n')
    cells.run(f"%tusk load {path} --to t")
    assert types(database, "t") == {
        "zip": "text", "n": "double precision", "big": "numeric", "day": "date", "s": "text",
    }  # fmt: skip
    assert read(database, "select zip, big, day, s from t") == [
        ("01234", decimal.Decimal(12345678901234567890), dt.date(2024, 2, 29), "a\nb"),
        ("00001", 1, None, None),
    ]
    path.write_text("a\n" + "1234567\n" * 400_000 + "oops\n")
    reply = cells.run(f"%tusk load {path} --to u", ok=False)
    assert facts(reply) == {"row": "400000", "column": "a", "value": '"oops"'}


def test_csv_of_a_header_alone(cells, database, tmp_path):
    (tmp_path / "h.csv").write_text("a,b\n")
    cells.run(f"%tusk load {tmp_path / 'h.csv'} --to t")
    assert types(database, "t") == {"a": "text", "b": "text"}


@pytest.mark.parametrize(("name", "content"), [("x.parquet", b"no"), ("x.csv", b""), ("x.arrow", b"no"), ("x.txt", b"")])
def test_files_that_are_none(cells, tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    reply = cells.run(f"%tusk load {tmp_path / name} --to t", ok=False)
    assert isinstance(reply.exception, InvalidInput)
    assert isinstance(cells.run(f"%tusk load {tmp_path / 'gone.csv'} --to t", ok=False).exception, IoError)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("df", "which table?"),
        ("df --to", "--to needs a value"),
        ("df dg --to t", "one name or file"),
        ("dff --to t", "there is no variable 'dff'"),
        ("df --to t --apend", "no option '--apend'"),
        ("df --to t --append --replace", "both given"),
        ("df --to a.b.c", "is not the name of a table"),
        ("len(df) --to t", "there is no variable"),
        ("number --to t", "number is a int"),
        ("df --to " + "x" * 64, "64 bytes"),
        ("twice --to t", "is there 2 times"),
        ("empty --to t", "no columns"),
    ],
)
def test_lines_that_are_refused(cells, line, said):
    cells.ns.update({
        "df": pd.DataFrame({"a": [1]}),
        "number": 1,
        "twice": pd.DataFrame([[1, 2]], columns=["a", "a"]),
        "empty": pd.DataFrame(index=[1]),
    })
    reply = cells.run(f"%tusk load {line}", ok=False)
    assert isinstance(reply.exception, InvalidInput)
    assert said in reply.exception.message


def test_jupysql_spellings(cells, database):
    cells.ns["Trips"] = pd.DataFrame({"a": [1]})
    cells.run("%sql --persist Trips")
    cells.run("%sql --append Trips")
    assert read(database, "select * from trips") == [(1,), (1,)]
    cells.run("%sql --persist Trips", ok=False)
    cells.run("%sql --persist-replace Trips")
    assert read(database, "select * from trips") == [(1,)]
    cells.ns["fresh"] = pd.DataFrame({"a": [1]})
    cells.run("%sql db --append fresh")
    assert read(database, "select * from fresh") == [(1,)]
    cells.run("%sql --persist Trips select 1", ok=False)


def test_no_rows_and_one_column_of_nulls(cells, database):
    load(cells, pd.DataFrame({"a": pd.Series([], dtype="Int64")}))
    load(cells, pd.DataFrame({"a": pd.array([None, 1, None], "Int64")}), "--to t --append")
    assert read(database, "select a from t") == [(None,), (1,), (None,)]


def test_what_was_selected_goes_back_as_it_was(cells, database):
    cells.run(
        "%%sql\ncreate table a as select i, i::numeric(40, 20) / 3 n, now() + i * interval '1 hour' z, "
        "i * interval '1 month 2 days 3 seconds' s, array[i, null] l, jsonb_build_object('i', i) j, "
        "'\\x00'::bytea b, gen_random_uuid() u, date '4713-01-01 BC' + i d from generate_series(1, 50) i;"
        "create table b (like a)"
    )
    cells.run("df = %sql --exact select * from a")
    cells.run("%tusk load df --to b --append")
    assert read(database, "select count(*) from (table a except table b) x") == [(0,)]
    assert read(database, "select count(*) from b") == [(50,)]


BY_TYPE = {
    "int2": (pa.array([2**15 - 1, 2**15]), "22003"),
    "int4": (pa.array([-(2**31), -(2**31) - 1]), "22003"),
    "int8": (pa.array([1, 2**63], pa.uint64()), "22003"),
    "date": (pa.array([0, -2_500_000], pa.date32()), "22008"),
    "timestamp": (pa.array([0, -220_000_000_000_000_000], pa.timestamp("us")), "22008"),
    "uuid": (pa.array([str(uuid.UUID(int=1)), "{00000000-0000-0000-0000-000000000001"]), "22P02"),
    "varchar(3)": (pa.array(["abc", "abcd"]), "22001"),
    "numeric(3,1)": (pa.array([decimal.Decimal("99.9"), decimal.Decimal("100.0")]), "22003"),
    "json": (pa.array(["{}", "{"]), "22P02"),
    "jsonb": (pa.array(["{}", "{"]), "22P02"),
    "mood": (pa.array(["sad", "glad"]), "22P02"),
    "small": (pa.array([1, 10]), "23514"),
    "smallint[]": (pa.array([[1], [40_000]]), "22003"),
    "numeric": (pd.Series([decimal.Decimal(1), decimal.Decimal("sNaN")], dtype=object), "22P02"),
}


@pytest.mark.parametrize("kind", BY_TYPE)
def test_what_a_type_does_not_hold_is_named(cells, database, kind):
    cells.run("%%sql\ncreate type mood as enum ('sad'); create domain small as int4 check (value < 10);"
              f"create table t (n int, a {kind})")  # fmt: skip
    values, sqlstate = BY_TYPE[kind]
    value = pd.DataFrame({"n": [0, 1], "a": values}) if isinstance(values, pd.Series) else pa.table({"n": [0, 1], "a": values})
    reply = load(cells, value, "--to t --append", ok=False)
    assert isinstance(reply.exception, QueryFailed)
    assert reply.exception.sqlstate == sqlstate
    assert (facts(reply)["row"], facts(reply)["column"]) == ("1", "a")
    assert facts(reply)["value"].startswith('"')
    assert read(database, "select * from t") == []
