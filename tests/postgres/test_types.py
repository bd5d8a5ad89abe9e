"""The type table of the interface, row by row, against a real server: with NULLs, without, empty, and hostile."""

import uuid
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Context, Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from psycopg.types.multirange import Multirange
from psycopg.types.range import Range

from tests import fix_results as run
from tusk_jupyter.errors import ConversionError
from tusk_jupyter.results.intervals import Interval
from tusk_jupyter.results.spelling import format_type
from tusk_jupyter.results.types import TYPE_INFO_SQL

BERLIN = ZoneInfo("Europe/Berlin")
# every test here runs with the decoder in Python, then with the compiled one
pytestmark = pytest.mark.usefixtures("decoder")
EXACT = Context(prec=2000, Emax=10**6, Emin=-(10**6))


@pytest.fixture
def conn(server):
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def own(database):
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def quote(text):
    return psycopg.sql.Literal(text).as_string()


def column(conn, sql, **options):
    """The one column ``x`` of a statement, which must have nothing to note."""
    frame, notes = run.frame(conn, sql, **options)
    assert notes == ()
    return frame["x"]


def noted(conn, sql, **options):
    frame, notes = run.frame(conn, sql, **options)
    assert len(notes) == 1, notes
    return frame["x"], notes[0]


# type, literals, dtype, values, dtype of the same with a NULL
PLAIN = [
    ("int2", ["-32768", "32767"], "int64", [-32768, 32767], "Int64"),
    ("int4", ["-2147483648", "2147483647"], "int64", [-(2**31), 2**31 - 1], "Int64"),
    ("int8", ["-9223372036854775808", "9223372036854775807"], "int64", [-(2**63), 2**63 - 1], "Int64"),
    ("oid", ["0", "4294967295"], "int64", [0, 2**32 - 1], "Int64"),
    (
        "float4",
        ["1.5", "-0.1", "Infinity", "3.4028235e38"],
        "float32",
        [1.5, np.float32(-0.1), np.inf, np.float32(3.4028235e38)],
        "float32",
    ),
    (
        "float8",
        ["1.5", "0.1", "-Infinity", "1e308", "5e-324"],
        "float64",
        [1.5, 0.1, -np.inf, 1e308, 5e-324],
        "float64",
    ),
    ("bool", ["t", "f"], "bool", [True, False], "boolean"),
    ("numeric", ["1.5", "123456789012345", "0.000"], "float64", [1.5, 123456789012345.0, 0.0], "float64"),
    ("numeric(10,2)", ["1.50", "-12345678.99"], "float64", [1.5, -12345678.99], "float64"),
    ("text", ["a", "", "  é\U0001f600\n\\"], "str", ["a", "", "  é\U0001f600\n\\"], "str"),
    ("varchar(3)", ["abc"], "str", ["abc"], "str"),
    ("char(3)", ["a"], "str", ["a  "], "str"),
    ('"char"', ["a"], "str", ["a"], "str"),
    ("name", ["a"], "str", ["a"], "str"),
    ("xml", ["<a/>"], "str", ["<a/>"], "str"),
    ("money", ["12345.67"], "str", ["$12,345.67"], "str"),
    ("uuid", ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"], "str", ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], "str"),
    ("inet", ["192.168.0.1/24", "::1"], "str", ["192.168.0.1/24", "::1"], "str"),
    ("cidr", ["10.0.0.0/8"], "str", ["10.0.0.0/8"], "str"),
    ("macaddr", ["08-00-2b-01-02-03"], "str", ["08:00:2b:01:02:03"], "str"),
    ("point", ["1,2"], "str", ["(1,2)"], "str"),
    ("tsvector", ["b a"], "str", ["'a' 'b'"], "str"),
    ("xid", ["4294967295"], "str", ["4294967295"], "str"),
    ("regclass", ["pg_class"], "str", ["pg_class"], "str"),
    ("bit(3)", ["101"], "str", ["101"], "str"),
    ("timetz", ["10:11:12.5+02", "24:00:00+00"], "str", ["10:11:12.5+02", "24:00:00+00"], "str"),
    (
        "date",
        ["2024-02-29", "0001-01-01", "0044-03-15 BC", "5874897-12-31"],
        "datetime64[s]",
        ["2024-02-29", "0001-01-01", "-043-03-15", "5874897-12-31"],
        "datetime64[s]",
    ),
    (
        "timestamp",
        ["2024-02-29 12:34:56.789012", "0044-03-15 01:02:03 BC", "20000-01-01"],
        "datetime64[us]",
        ["2024-02-29T12:34:56.789012", "-043-03-15T01:02:03", "20000-01-01"],
        "datetime64[us]",
    ),
    (
        "interval",
        ["1 day 02:03:04.5", "-00:00:00.000001", "0"],
        "timedelta64[us]",
        [93784500000, -1, 0],
        "timedelta64[us]",
    ),
]


def values_sql(type_name, literals):
    rows = ",".join("(null)" if v is None else f"({quote(v)})" for v in literals)
    return f"select v::{type_name} x from (values {rows}) t(v)"


def skip_unless_built_in(conn, type_name):
    if type_name == "xml":
        try:
            conn.execute("select '<a/>'::xml")
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("this server was built without libxml")


def same(series, expected):
    if series.dtype.kind in "mM":
        np.testing.assert_array_equal(series.to_numpy(), np.array(expected, series.dtype))
    else:
        assert series.tolist() == expected


@pytest.mark.parametrize("case", PLAIN, ids=[p[0] for p in PLAIN])
def test_plain_types(conn, case):
    type_name, literals, dtype, values, null_dtype = case
    skip_unless_built_in(conn, type_name)
    full = column(conn, values_sql(type_name, literals))
    assert full.dtype == dtype
    same(full, values)
    # through several chunks, with a NULL in the middle of each
    many = column(conn, values_sql(type_name, [*literals, None, *literals] * 7))
    assert many.dtype == null_dtype
    size = 2 * len(literals) + 1
    assert many.isna().tolist() == ([False] * len(literals) + [True] + [False] * len(literals)) * 7
    same(many[many.notna()].iloc[-len(literals) :].astype(dtype), values)
    assert len(many) == size * 7
    empty = column(conn, values_sql(type_name, literals) + " where false")
    assert empty.dtype == dtype
    nulls = column(conn, values_sql(type_name, [None, None]))
    assert nulls.dtype == null_dtype
    assert nulls.isna().all()


@pytest.mark.parametrize("type_name", sorted({p[0] for p in PLAIN if p[2] == "str"}))
def test_text_is_postgresqls_text(conn, type_name):
    skip_unless_built_in(conn, type_name)
    literals = next(p[1] for p in PLAIN if p[0] == type_name)
    frame, _ = run.frame(
        conn, values_sql(type_name, literals).replace(" x from", f" x, format('%s', v::{type_name}) t from")
    )
    assert frame["x"].str.rstrip().tolist() == frame["t"].str.rstrip().tolist()


def test_null_and_the_empty_string_stay_apart(conn):
    x = column(conn, "select * from (values (''), (null)) t(x)")
    assert x.isna().tolist() == [False, True]
    assert x[0] == ""


def test_float_nan_and_null_are_one_and_it_is_said(conn):
    x, note = noted(conn, values_sql("float8", ["NaN", None, "1"]))
    assert x.isna().tolist() == [True, True, False]
    assert note == "column 'x': NULL and NaN are both NaN here"
    assert column(conn, values_sql("float8", ["NaN"])).isna().all()


def test_int8_beyond_a_float_keeps_its_digits_beside_null(conn):
    assert column(conn, values_sql("int8", ["9007199254740993", None]))[0] == 9007199254740993


# numeric ------------------------------------------------------------------------------------------------------------


def test_the_mean_of_a_numeric_column_is_right(conn):
    x = column(conn, "select x from (values (1::numeric), (2), (2)) t(x)")
    assert x.mean() == 5 / 3


def test_avg_is_rounded_and_says_so(conn):
    x, note = noted(conn, "select avg(i) x from generate_series(1, 9) i group by i % 2 union all select 1/3.0")
    assert x.dtype == "float64"
    assert 1 / 3 in x.tolist()
    assert note == "column 'x': rounded to float64, some values have more than 15 digits"


@pytest.mark.parametrize(
    ("type_name", "literals"),
    [
        ("numeric", ["1", "9" * 60]),
        ("numeric", ["1234567890123456"]),
        ("numeric(20,2)", ["123456789012345678.90", "1.00"]),
        ("numeric(30,20)", ["0.12345678901234567890"]),
        ("numeric", ["1e400"]),
        ("numeric", ["1e-400"]),
        ("numeric", ["NaN", None]),
    ],
)
def test_numeric_that_a_float_would_change_is_decimal(conn, type_name, literals):
    x, note = noted(conn, values_sql(type_name, literals))
    assert x.dtype == object
    assert [None if v is None else str(v.normalize(EXACT)) for v in x] == [
        None if v is None else str(Decimal(v).normalize(EXACT)) for v in literals
    ]
    assert "float64 would change some of its values" in note


@pytest.mark.parametrize(
    ("literal", "value"),
    [("NaN", np.nan), ("Infinity", np.inf), ("-Infinity", -np.inf), ("1e300", 1e300), ("1e-200", 1e-200)],
)
def test_numeric_specials_alone_are_floats(conn, literal, value):
    np.testing.assert_array_equal(column(conn, values_sql("numeric", [literal])).to_numpy(), [value])


@pytest.mark.parametrize(
    ("type_name", "literal", "value"), [("numeric(5,-2)", "12345", 12300.0), ("numeric(3,5)", "0.00123", 0.00123)]
)
def test_scales_below_zero_and_beyond_the_precision(conn, type_name, literal, value):
    if conn.info.server_version < 150000:
        pytest.skip("since PostgreSQL 15")
    assert column(conn, values_sql(type_name, [literal])).tolist() == [value]
    table, _ = run.table(conn, values_sql(type_name, [literal]))
    assert table["x"].to_pylist() == [Decimal(str(value))]


def test_decimal_by_preference(conn):
    x = column(conn, values_sql("numeric(10,2)", ["1.50", None]), numeric="decimal")
    assert x.dtype == object
    assert x.tolist() == [Decimal("1.50"), None]
    assert column(conn, "select 1::numeric x where false", numeric="decimal").dtype == object


# dates and times ----------------------------------------------------------------------------------------------------


def test_an_infinite_date_turns_its_column_to_dates_and_text(conn):
    x, note = noted(conn, values_sql("date", ["2024-01-01", "infinity", "-infinity", None, "0044-03-15 BC"]))
    assert x.tolist() == [date(2024, 1, 1), "infinity", "-infinity", None, "0044-03-15 BC"]
    assert "3 values are PostgreSQL's text, the first 'infinity'" in note


def test_infinity_in_a_late_chunk_changes_nothing_in_the_early_ones(conn):
    sql = "select case when i = 30 then 'infinity' else date '2024-01-01' + i end x from generate_series(1, 40) i"
    x, _ = noted(conn, sql)
    assert x[29] == "infinity"
    assert x.drop(29).tolist() == [date(2024, 1, 1) + timedelta(days=i) for i in range(1, 41) if i != 30]


def test_dates_by_preference(conn):
    x = column(conn, values_sql("date", ["2024-01-01", None]), dates="object")
    assert x.tolist() == [date(2024, 1, 1), None]
    assert column(conn, "select null::date x where false", dates="object").dtype == object


def test_a_timestamp_beyond_64_bits_and_infinity_stay_text(conn):
    x, _ = noted(conn, values_sql("timestamp", ["294276-12-31 23:59:59", "-infinity", "2024-01-01"]))
    assert x.tolist() == ["294276-12-31 23:59:59", "-infinity", datetime(2024, 1, 1)]  # noqa: DTZ001


@pytest.mark.parametrize(
    ("zone", "dtype", "offset"),
    [
        ("UTC", "datetime64[us, UTC]", timedelta(0)),
        ("Europe/Berlin", "datetime64[us, Europe/Berlin]", timedelta(hours=1)),
        ("3", "datetime64[us, UTC+03:00]", timedelta(hours=3)),
        ("-8.5", "datetime64[us, UTC-08:30]", -timedelta(hours=8, minutes=30)),
    ],
)
def test_timestamptz_is_in_the_sessions_zone(conn, zone, dtype, offset):
    conn.execute(f"set time zone {zone if zone[-1].isdigit() else quote(zone)}")
    literals = ["2024-01-01 00:00:00.000001+00", "1970-01-01 00:00+00"]
    x = column(conn, values_sql("timestamptz", literals))
    assert x.dtype == dtype
    assert x.tolist() == [pd.Timestamp("2024-01-01 00:00:00.000001", tz="UTC"), pd.Timestamp(0, tz="UTC")]
    assert {v.utcoffset() for v in x} == {offset}
    assert column(conn, values_sql("timestamptz", literals) + " where false").dtype == dtype
    assert column(conn, values_sql("timestamptz", [None])).dtype == dtype


def test_local_mean_time_is_exact_to_the_second(conn):
    conn.execute("set time zone 'Europe/Berlin'")
    x = column(conn, values_sql("timestamptz", ["1800-01-01 00:00:00+00", "2024-07-01 12:00+00"]))
    assert x.dtype == "datetime64[us, Europe/Berlin]"
    assert x[0].isoformat() == "1800-01-01T00:53:28+00:53:28"
    assert x[1].isoformat() == "2024-07-01T14:00:00+02:00"


def test_a_zone_python_does_not_know_is_utc_and_said(conn):
    conn.execute("set time zone 'AAA-1BBB,M3.5.0,M10.5.0'")
    x, note = noted(conn, values_sql("timestamptz", ["2024-07-01 12:00+00"]))
    assert x[0] == pd.Timestamp("2024-07-01 12:00", tz="UTC")
    assert "shown in UTC" in note
    assert "AAA-1BBB" in note


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
def test_years_that_cannot_be_shown_in_a_zone_are_objects(conn, zone):
    conn.execute(f"set time zone '{zone}'")
    literals = [
        "infinity",
        "2024-01-01 00:00+00",
        "20000-01-01 00:00+00",
        "0044-03-15 00:00+00 BC",
        "9999-12-31 23:59+00",
    ]
    frame, (note,) = run.frame(
        conn, values_sql("timestamptz", literals).replace(" x from", " x, v::timestamptz::text t from")
    )
    assert "is object" in note
    for value, text in zip(frame["x"], frame["t"], strict=True):
        if isinstance(value, str):
            assert value == text
        else:
            assert value == datetime.fromisoformat(text)
    assert frame["x"][1] == datetime(2024, 1, 1, tzinfo=UTC)
    assert frame["x"][0] == "infinity"


@pytest.mark.parametrize(
    ("zone", "local"),
    [("America/New_York", "9999-12-31 23:00"), ("Europe/Berlin", "0001-01-01 00:00"), ("-5", "9999-12-31 23:00")],
)
def test_local_years_python_has_whose_utc_years_it_has_not_stay_text(conn, zone, local):
    conn.execute(f"set time zone {zone if zone[-1].isdigit() else quote(zone)}")
    frame, (note,) = run.frame(
        conn, values_sql("timestamptz", [local, None]).replace(" x from", " x, v::timestamptz::text t from")
    )
    assert frame["x"].tolist() == [frame["t"][0], None]
    assert "is object" in note


@pytest.mark.parametrize("style", ["ISO", "SQL, DMY", "SQL, MDY", "German", "Postgres, DMY", "Postgres, MDY"])
def test_every_date_style_gives_the_same_dates(conn, style):
    conn.execute(f"set datestyle = '{style}'")
    sql = """select date '2024-02-03' d, timestamp '2024-02-03 04:05:06.7' t, array[date '2024-02-03'] a,
             daterange('2024-02-03', '2024-02-05') r, date '0044-02-03 BC' b, timestamp '0044-02-03 01:00 BC' c"""
    frame, notes = run.frame(conn, sql)
    assert notes == ()
    assert frame["d"][0] == pd.Timestamp("2024-02-03")
    assert frame["t"][0] == pd.Timestamp("2024-02-03 04:05:06.7")
    assert frame["a"][0] == [date(2024, 2, 3)]
    assert frame["r"][0] == Range(date(2024, 2, 3), date(2024, 2, 5), "[)")
    assert frame["b"].to_numpy()[0] == np.datetime64("-043-02-03", "s")
    assert frame["c"].to_numpy()[0] == np.datetime64("-043-02-03T01:00:00", "us")


@pytest.mark.parametrize("style", ["SQL, DMY", "German", "Postgres, MDY"])
def test_abbreviated_zones_stay_text(conn, style):
    conn.execute(f"set datestyle = '{style}'; set time zone 'America/New_York'")
    frame, (note,) = run.frame(
        conn, "select x, x::text t from (values ('2024-02-03 04:05+00'::timestamptz), (null)) v(x)"
    )
    assert frame["x"].tolist() == [frame["t"][0], None]
    assert frame["x"][0].endswith("EST")
    assert "PostgreSQL's text" in note


def test_time(conn):
    x = column(conn, values_sql("time", ["10:11:12.5", "00:00", None]))
    assert x.tolist() == [time(10, 11, 12, 500_000), time(0), None]
    x, note = noted(conn, values_sql("time", ["10:11", "24:00"]))
    assert x.tolist() == [time(10, 11), "24:00:00"]
    assert "24:00:00" in note
    assert column(conn, "select null::time x where false").dtype == object


@pytest.mark.parametrize("style", ["postgres", "postgres_verbose", "iso_8601", "sql_standard"])
def test_interval_with_months_keeps_its_three_numbers_in_every_style(conn, style):
    literals = [
        "1 mon",
        "-1 year -2 mons +3 days -04:05:06.7",
        "1 day",
        "0",
        None,
        "-1 day +00:00:00.5",
        "200000000 days",
    ]
    with_months = values_sql("interval", literals)
    conn.execute(f"set intervalstyle = '{style}'")
    x = column(conn, with_months)
    assert x.tolist() == [
        Interval(1),
        Interval(-14, 3, -14_706_700_000),
        Interval(0, 1),
        Interval(),
        None,
        Interval(0, -1, 500_000),
        Interval(0, 200_000_000),
    ]
    conn.execute("set intervalstyle = postgres")
    texts = column(conn, with_months.replace(" x from", "::text x from"))
    assert [None if v is None else str(v) for v in x] == [None if pd.isna(t) else t for t in texts]


def test_interval_without_months_that_is_too_long_is_an_object(conn):
    x = column(conn, values_sql("interval", ["200000000 days", "1 second"]))
    assert x.tolist() == [Interval(0, 200_000_000), Interval(0, 0, 1_000_000)]


# everything that is an object -----------------------------------------------------------------------------------------

OBJECTS = [
    (
        "'{\"a\": [1, null, 0.1, 12345678901234567890, 0.1234567890123456789]}'::jsonb",
        {"a": [1, None, 0.1, 12345678901234567890, Decimal("0.1234567890123456789")]},
    ),
    ("'[1e400]'::json", [Decimal("1e400")]),
    ("'\"x\"'::json", "x"),
    (r"'\x00ff5c'::bytea", b"\x00\xff\\"),
    ("array[1,null,3]", [1, None, 3]),
    ("'{}'::int[]", []),
    ("'{{1,2},{3,4}}'::int[]", [[1, 2], [3, 4]]),
    ("'[2:4]={a,b,c}'::text[]", ["a", "b", "c"]),
    (
        "array['NULL', null, '', ' a ', '{', '\"', '\\', 'a,b', E'\\n', 'null']",
        ["NULL", None, "", " a ", "{", '"', "\\", "a,b", "\n", "null"],
    ),
    ("array[box '(1,2),(0,0)', '(3,4),(1,1)']", ["(1,2),(0,0)", "(3,4),(1,1)"]),
    ("array[true, null]", [True, None]),
    ("array[1.50, 'NaN'::numeric]::numeric(10,2)[]", "[Decimal('1.50'), Decimal('NaN')]"),
    ("array[0.1::float4, 'Infinity']", [0.1, float("inf")]),
    ("array[date '2024-01-01', null]", [date(2024, 1, 1), None]),
    ("array[timestamp '2024-01-01 00:00:00.5']", [datetime(2024, 1, 1, 0, 0, 0, 500_000)]),  # noqa: DTZ001
    ("array[timestamptz '2024-01-01 00:00+00']", [datetime(2024, 1, 1, tzinfo=UTC)]),
    ("array[time '10:11']", [time(10, 11)]),
    ("array[interval '1 day', '1 mon']", [timedelta(days=1), Interval(1)]),
    ("array['{\"a\":1}'::jsonb]", [{"a": 1}]),
    (r"array['\x01'::bytea, '\x']", [b"\x01", b""]),
    ("int4range(1,5)", Range(1, 5, "[)")),
    ("'empty'::int8range", Range(empty=True)),
    ("numrange(null, 2.50, '[]')", Range(None, Decimal("2.50"), "(]")),
    ("tstzrange('2024-01-01 00:00+00', null)", Range(datetime(2024, 1, 1, tzinfo=UTC), None, "[)")),
    ("tsrange('2024-01-01', '2024-01-02 03:00')", Range(datetime(2024, 1, 1), datetime(2024, 1, 2, 3), "[)")),  # noqa: DTZ001
    ("array[int4range(1,5), null]", [Range(1, 5, "[)"), None]),
    ("array[row(1,2)]", ["(1,2)"]),
]


@pytest.mark.parametrize(("expression", "value"), OBJECTS, ids=[e[:40] for e, _ in OBJECTS])
def test_objects(conn, expression, value):
    x = column(conn, f"select {expression} x")
    if isinstance(value, str) and value != "x":
        assert repr(x[0]) == value  # NaN equals nothing
    else:
        assert x[0] == value
        assert isinstance(x[0], type(value))
    if x.dtype == object:
        assert column(conn, f"select nullif(true, true)::int y, {expression} x where false").dtype == object
        beside = column(conn, f"select case when i % 2 = 0 then {expression} end x from generate_series(1, 20) i")
        assert beside[0::2].tolist() == [None] * 10


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("row(1, 'a b', null)", '(1,"a b",)'),
        ("'1 2'::int2vector", "1 2"),
    ],
)
def test_types_without_parts_stay_text(conn, expression, text):
    x = column(conn, f"select {expression} x")
    assert x.dtype == "str"
    assert x[0] == text


def test_multiranges(conn):
    if conn.info.server_version < 140000:
        pytest.skip("since PostgreSQL 14")
    x = column(conn, "select '{[1,2),[5,7)}'::int4multirange x union all select '{}'")
    assert x.tolist() == [Multirange([Range(1, 2, "[)"), Range(5, 7, "[)")]), Multirange()]
    x = column(conn, "select '{[2024-01-01 00:00,2024-01-02 00:00)}'::tsmultirange x")
    assert x[0][0].upper == datetime(2024, 1, 2)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("array[date 'infinity', '2024-01-01']", ["infinity", date(2024, 1, 1)]),
        ("array[array[timestamp '-infinity']]", [["-infinity"]]),
        ("array[time '24:00', '10:00']", ["24:00:00", time(10)]),
        ("daterange('2024-01-01', 'infinity', '[]')", Range(date(2024, 1, 1), "infinity", "[]")),
        ('\'{"a":1,"a":2}\'::json', '{"a":1,"a":2}'),
        ("array['\"\\ud800\"'::json, '1']", ['"\\ud800"', 1]),
    ],
)
def test_an_element_python_cannot_hold_is_text_in_its_place(conn, expression, value):
    x, note = noted(conn, f"select {expression} x")
    assert x[0] == value
    assert "1 value is PostgreSQL's text" in note


def test_json_deeper_and_longer_than_python_goes_stays_text(conn):
    conn.execute("set max_stack_depth = '7MB'")
    deep = "repeat('[', 5000) || repeat(']', 5000)"
    x, note = noted(
        conn,
        f"select ({deep})::json x union all select ('[' || repeat('9', 5000) || ']')::json union all select '{{}}'",
    )
    assert x[0] == "[" * 5000 + "]" * 5000
    assert x[1] == "[" + "9" * 5000 + "]"
    assert x[2] == {}
    assert "2 values are" in note
    assert len(note) < 200


def test_bytea_in_the_escape_format(conn):
    conn.execute("set bytea_output = 'escape'")
    x = column(conn, r"select '\x00ff5c41'::bytea x union all select null")
    assert x.tolist() == [b"\x00\xff\\A", None]
    assert column(conn, r"select array['\x00ff5c41'::bytea] x")[0] == [b"\x00\xff\\A"]


def test_uuid_by_preference(conn):
    text = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"
    x = column(conn, f"select '{text}'::uuid x union all select null", uuid="object")
    assert x.tolist() == [uuid.UUID(text), None]
    assert column(conn, f"select array['{text}'::uuid] x", uuid="object")[0] == [uuid.UUID(text)]


# types of the user's own ----------------------------------------------------------------------------------------------


@pytest.fixture
def types(own):
    own.execute("""
        create type mood as enum ('sad', 'o,k', 'ha"ppy', '{}', 'é');
        create domain positive as numeric(20,2) check (value > 0);
        create domain moods as mood[];
        create type point3 as ("x y" int, "class" text, z positive, m mood, day date);
        create type line3 as (a point3, points point3[], span int4range);
        create type floatrange as range (subtype = float8);
        create schema "Odd ""one";
        create type "Odd ""one"."En,um" as enum ('b', 'a');
    """)
    return own


def test_enum_is_a_category_in_the_types_order(types):
    types.execute("alter type mood add value 'first' before 'sad'")
    x = column(types, "select unnest(array['ha\"ppy', null, 'sad', 'é']::mood[]) x")
    assert x.cat.ordered
    assert x.cat.categories.tolist() == ["first", "sad", "o,k", 'ha"ppy', "{}", "é"]
    assert x.tolist()[0] == 'ha"ppy'
    assert x.min() == "sad"
    assert x.isna().tolist() == [False, True, False, False]
    empty = column(types, "select 'sad'::mood x where false")
    assert empty.dtype == x.dtype
    odd = column(types, 'select \'a\'::"Odd ""one"."En,um" x')
    assert odd.cat.categories.tolist() == ["b", "a"]


def test_type_made_in_the_open_transaction(own):
    own.execute("begin")
    own.execute("create type brief as enum ('b', 'a')")
    assert column(own, "select 'a'::brief x").cat.categories.tolist() == ["b", "a"]
    own.execute("rollback")


def test_composites_nested_in_composites_and_arrays(types):
    point = """row(1, 'a,b(")', 1.50, 'o,k', '2024-01-01')::point3"""
    x = column(types, f"select row({point}, array[{point}, null], int4range(1, 3))::line3 x")
    value = x[0]
    assert value.a._fields == ("x_y", "class_", "z", "m", "day")
    assert value.a == (1, 'a,b(")', Decimal("1.50"), "o,k", date(2024, 1, 1))
    assert value.points == [value.a, None]
    assert value.span == Range(1, 3, "[)")
    nulls = column(types, "select row(null,null,null,null,null)::point3 x union all select null")
    assert nulls.tolist() == [(None,) * 5, None]


def test_a_composite_with_one_field_python_cannot_hold(types):
    x, note = noted(types, "select row(1, null, null, null, 'infinity')::point3 x")
    assert x[0].day == "infinity"
    assert x[0].x_y == 1
    assert "'infinity'" in note


def test_a_whole_row_of_a_table_without_its_dropped_columns(own):
    own.execute(
        "create table t (a int, b text, c date); alter table t drop column b; insert into t values (1, '2024-01-01')"
    )
    assert column(own, "select t x from t")[0] == (1, date(2024, 1, 1))
    assert column(own, "select array_agg(t) x from t")[0] == [(1, date(2024, 1, 1))]


def test_domains_are_what_they_are_made_of(types):
    assert column(types, "select 1.50::positive x").dtype == "float64"
    assert column(types, "select array[1.50::positive] x")[0] == [Decimal("1.50")]
    assert column(types, "select '{sad,NULL,\"o,k\"}'::moods x")[0] == ["sad", None, "o,k"]


def test_ranges_of_the_users_own(types):
    assert column(types, "select floatrange(1.5, 2) x")[0] == Range(1.5, 2.0, "[)")
    assert column(types, "select array[floatrange(1.5, 2)] x")[0] == [Range(1.5, 2.0, "[)")]
    if types.info.server_version >= 140000:
        assert column(types, "select '{[1.5,2)}'::floatmultirange x")[0] == Multirange([Range(1.5, 2.0, "[)")])


def test_array_of_enums(types):
    assert column(types, "select array['o,k', 'ha\"ppy', '{}', null]::mood[] x")[0] == ["o,k", 'ha"ppy', "{}", None]


def extension(conn, name):
    if not conn.execute("select 1 from pg_available_extensions where name = %s", (name,)).fetchone():
        pytest.skip(f"this server has no {name}")
    conn.execute(f"create schema elsewhere; create extension {name} schema elsewhere")


def test_vector(own):
    extension(own, "vector")
    x = column(own, "select '[1,2.5]'::elsewhere.vector x union all select null")
    np.testing.assert_array_equal(x[0], np.array([1, 2.5], np.float32))
    assert x[1] is None
    (inside,) = column(own, "select array['[1,2]'::elsewhere.vector] x")[0]
    np.testing.assert_array_equal(inside, [1, 2])


def test_hstore(own):
    extension(own, "hstore")
    own.execute("set search_path = public, elsewhere")
    x = column(own, """select 'a=>1, b=>NULL, "c\\"d"=>"x, \\\\y", ""=>"NULL"'::hstore x union all select null""")
    assert x.tolist() == [{"a": "1", "b": None, 'c"d': "x, \\y", "": "NULL"}, None]
    assert column(own, "select array['a=>1'::hstore] x")[0] == [{"a": "1"}]


def test_columns_are_spelled_as_the_server_spells_them(types):
    decoded = run.decode(
        types, 'select 1::int a, \'sad\'::mood b, 1.5::numeric(10,2) c, array[\'b\']::"Odd ""one"."En,um"[] d'
    )
    assert [c.type for c in decoded.columns] == ["integer", "mood", "numeric(10,2)", '"Odd ""one"."En,um"[]']


@pytest.mark.parametrize(
    "declaration",
    [
        "varchar(10)",
        "varchar",
        "char(5)",
        "char",
        "bpchar",
        "text",
        '"char"',
        "bit(9)",
        "bit varying(9)",
        "bit varying",
        "numeric",
        "numeric(10)",
        "numeric(10,2)",
        "numeric(10,2)[]",
        "varchar(3)[]",
        "time(3)",
        "timetz(2)",
        "timestamp(0)",
        "timestamptz(6)",
        "interval",
        "interval(3)",
        "interval year to month",
        "interval day to second(3)",
        "interval second(2)",
        "interval hour",
        "int4range",
        "oidvector",
        "float4",
        "float8[]",
        "regclass",
    ],
)
def test_format_type_is_the_servers(conn, declaration):
    sql = """select c.oid, c.typmod, format_type(c.oid, c.typmod) from (select a.atttypid oid, a.atttypmod typmod
              from pg_attribute a where a.attrelid = 'pg_temp.t'::regclass and a.attnum = 1) c"""
    conn.execute(f"create temp table t (a {declaration})")
    oid, typmod, spelled = conn.execute(sql).fetchone()
    assert format_type(oid, typmod) == spelled
    assert run.decode(conn, "select * from t").columns[0].type == spelled


def test_every_type_of_the_server_is_read_without_failing(own):
    sql = """select array_agg(format('null::%s', format_type(t.oid, null))) from pg_type t
             where t.typtype in ('b', 'r', 'm', 'd', 'c', 'e') and t.oid < 16384 and t.typname not like 'pg_toast%'"""
    (expressions,) = own.execute(sql).fetchone()
    assert len(expressions) > 300
    for start in range(0, len(expressions), 100):
        frame, notes = run.frame(own, "select " + ", ".join(expressions[start : start + 100]))
        assert frame.isna().all(axis=None)
        assert not [n for n in notes if "repeated column names" not in n]


# shapes ---------------------------------------------------------------------------------------------------------------


def test_repeated_names(conn):
    frame, notes = run.frame(conn, "select 1 a, 2 a, 3 a_1")
    assert frame.columns.tolist() == ["a", "a_2", "a_1"]
    assert frame.iloc[0].tolist() == [1, 2, 3]
    assert notes == ("repeated column names are numbered: 'a' is 'a_2'",)


@pytest.mark.parametrize("rows", [0, 1, 20])
def test_zero_columns_keep_their_rows(conn, rows):
    sql = f"select from generate_series(1, {rows})"
    assert run.frame(conn, sql)[0].shape == (rows, 0)
    assert run.table(conn, sql)[0].num_rows == rows
    assert run.polars_frame(conn, sql)[0].height == rows
    assert run.rows(conn, sql)[0] == [()] * rows


def test_many_columns_and_odd_names(conn):
    names = ["a b", 'q"', "", "\n", "é", "select"]
    quoted = [psycopg.sql.Identifier(n).as_string(conn) if n else '"?column?"' for n in names]
    frame, _ = run.frame(conn, "select " + ", ".join(f"{i} as {q}" for i, q in enumerate(quoted)))
    assert frame.columns.tolist() == [n or "?column?" for n in names]
    wide, _ = run.frame(conn, "select " + ", ".join(f"{i} c{i}" for i in range(1600)))
    assert wide.iloc[0].tolist() == list(range(1600))


@pytest.mark.parametrize("encoding", ["LATIN1", "WIN1252", "EUC_JP", "SJIS", "UTF8"])
def test_client_encodings(conn, encoding):
    word = "日本" if encoding in ("EUC_JP", "SJIS") else "é"
    escaped = "".join(f"\\{ord(c):04x}" for c in word)
    conn.execute(f"set client_encoding = '{encoding}'")
    frame, notes = run.frame(conn, f"select U&'{escaped}' x, array[U&'{escaped}'] a")
    assert notes == ()
    assert frame["x"].tolist() == [word]
    assert frame["a"][0] == [word]


def test_sql_ascii_gives_text_where_it_is_and_bytes_where_it_is_not(server, conn):
    conn.execute("drop database if exists raw_bytes")
    conn.execute("create database raw_bytes template template0 encoding 'SQL_ASCII' locale 'C'")
    try:
        with psycopg.connect(server.conninfo("raw_bytes"), autocommit=True) as raw:
            sql = r"select x from (values ('a'), (E'\xc3\xa9'), (null), (E'\xff')) t(x)"
            x, note = noted(raw, sql)
            assert x.tolist() == ["a", "é", None, b"\xff"]
            assert "1 value is bytes" in note
            assert column(raw, r"select E'\xc3\xa9' x").tolist() == ["é"]
    finally:
        conn.execute("drop database raw_bytes with (force)")


# Arrow, Polars, rows --------------------------------------------------------------------------------------------------

DECLARED = [
    ("int2", "1", pa.int16(), 1),
    ("int4", "1", pa.int32(), 1),
    ("int8", "1", pa.int64(), 1),
    ("float4", "1.5", pa.float32(), 1.5),
    ("float8", "1.5", pa.float64(), 1.5),
    ("bool", "t", pa.bool_(), True),
    ("numeric", "1.50", pa.large_string(), "1.50"),
    ("numeric(10,2)", "1.50", pa.decimal128(10, 2), Decimal("1.50")),
    ("numeric(50,2)", "9" * 48 + ".99", pa.decimal256(50, 2), Decimal("9" * 48 + ".99")),
    ("numeric(100,2)", "1.50", pa.large_string(), "1.50"),
    ("text", "a", pa.large_string(), "a"),
    ("uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", pa.large_string(), "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    ("jsonb", '{"a": 1}', pa.large_string(), '{"a": 1}'),
    ("bytea", r"\x00ff", pa.large_binary(), b"\x00\xff"),
    ("date", "2024-01-01", pa.date32(), date(2024, 1, 1)),
    ("time", "10:11", pa.time64("us"), time(10, 11)),
    ("timestamp", "2024-01-01 10:11", pa.timestamp("us"), datetime(2024, 1, 1, 10, 11)),  # noqa: DTZ001
    ("timestamptz", "2024-01-01 10:11+00", pa.timestamp("us", "UTC"), datetime(2024, 1, 1, 10, 11, tzinfo=UTC)),
    ("interval", "1 mon", pa.large_string(), "1 mon"),
    ("int4[]", "{1,NULL}", pa.list_(pa.int32()), [1, None]),
    ("int8[]", "[5:6]={1,-9223372036854775808}", pa.list_(pa.int64()), [1, -(2**63)]),
    ("oid[]", "{4294967295}", pa.list_(pa.int64()), [4294967295]),
    ("float4[]", "{1.5,-Infinity,NULL}", pa.list_(pa.float32()), [1.5, float("-inf"), None]),
    ("float8[]", "{0.1,1e300}", pa.list_(pa.float64()), [0.1, 1e300]),
    ("bool[]", "{t,f,NULL}", pa.list_(pa.bool_()), [True, False, None]),
    ("text[]", r'{a,NULL,"NULL","b,\"c\\","{"}', pa.list_(pa.large_string()), ["a", None, "NULL", 'b,"c\\', "{"]),
    ("varchar(3)[]", "{}", pa.list_(pa.large_string()), []),
    ("char(2)[]", "{a}", pa.list_(pa.large_string()), ["a "]),
    ("numeric(10,2)[]", "{1.5}", pa.list_(pa.decimal128(10, 2)), [Decimal("1.50")]),
    (
        "timestamptz[]",
        '{"2024-01-01 10:11+00"}',
        pa.list_(pa.timestamp("us", "UTC")),
        [datetime(2024, 1, 1, 10, 11, tzinfo=UTC)],
    ),
    ("int4range", "[1,2)", pa.large_string(), "[1,2)"),
    ("inet", "::1", pa.large_string(), "::1"),
]


@pytest.mark.parametrize(("type_name", "literal", "arrow", "value"), DECLARED, ids=[d[0] for d in DECLARED])
def test_arrow_by_declared_type(conn, type_name, literal, arrow, value):
    sql = values_sql(type_name, [literal, None])
    for suffix, expected in (("", [value, None]), (" where false", []), (" where v is null", [None])):
        table, notes = run.table(conn, sql + suffix)
        assert notes == ()
        assert table.schema.field("x").type == arrow
        assert table["x"].to_pylist() == expected


def test_arrow_numeric_as_double_by_preference(conn):
    assert run.table(conn, "select 1.5::numeric x", arrow_numeric="double")[0]["x"].type == pa.float64()


def test_arrow_enum_struct_and_far_dates(types):
    table, _ = run.table(types, "select unnest(array['ha\"ppy', null, 'sad']::mood[]) x")
    assert table["x"].type == pa.dictionary(pa.int32(), pa.large_string(), ordered=True)
    assert table["x"].to_pylist() == ['ha"ppy', None, "sad"]
    assert run.table(types, "select 'sad'::mood x where false")[0]["x"].type == table["x"].type
    table, _ = run.table(types, "select row(1, 'a', 1.50, 'sad', '2024-01-01')::point3 x")
    assert table["x"].to_pylist() == [{"x y": 1, "class": "a", "z": "1.50", "m": "sad", "day": date(2024, 1, 1)}]
    table, _ = run.table(types, "select date '20000-01-01' x, timestamptz '20000-01-01 00:00+00' y")
    assert table["x"].cast(pa.int32()).to_pylist() == [
        (np.datetime64("20000-01-01") - np.datetime64("1970-01-01")).astype(int)
    ]


def test_arrow_stops_at_what_does_not_fit(conn):
    with pytest.raises(ConversionError, match=r"row 9, column 'x': 'infinity' does not fit date32"):
        run.table(
            conn, "select case when i = 9 then 'infinity' else date '2024-01-01' end x from generate_series(1, 20) i"
        )


@pytest.mark.parametrize("element", ["int4", "float8", "bool", "text"])
def test_arrow_stops_at_an_array_of_two_dimensions(conn, element):
    value = {"int4": "1", "float8": "1.5", "bool": "t", "text": "a"}[element]
    sql = f"select (case when i = 9 then '{{{{{value}}}}}' else '{{{value}}}' end)::{element}[] x from generate_series(1, 20) i"
    with pytest.raises(ConversionError, match=r"row 9, column 'x': .* does not fit list<") as caught:
        run.table(conn, sql)
    assert f"'{{{{{value}}}}}'" in str(caught.value)


def test_polars(types):
    pl = pytest.importorskip("polars")
    sql = """select 1::int2 a, 1.50::numeric(10,2) b, repeat('9', 48)::numeric(50,2) c, 'o,k'::mood d, array[1,2] e,
             timestamptz '2024-01-01 00:00+00' f, null::text g"""
    frame, notes = run.polars_frame(types, sql)
    assert frame.schema["a"] == pl.Int16
    assert frame.schema["b"] == pl.Decimal(10, 2)
    assert frame.schema["d"] == pl.Enum(["sad", "o,k", 'ha"ppy', "{}", "é"])
    assert frame.row(0) == (1, Decimal("1.50"), "9" * 48 + ".00", "o,k", [1, 2], datetime(2024, 1, 1, tzinfo=UTC), None)
    assert notes == ("column 'c' is text: Polars has no decimals of more than 38 digits",)


def test_types_are_asked_for_without_the_jit_compiler_when_a_user_tries_plans(types):
    types.execute("set enable_seqscan = off")
    mood = types.execute("select 'mood'::regtype::oid").fetchone()[0]
    plan = types.execute("explain (format json) " + TYPE_INFO_SQL.replace("$1", f"'{{{mood}}}'")).fetchone()[0]
    assert plan[0]["Plan"]["Total Cost"] < 1e9
    assert "JIT" not in plan[0]


@pytest.mark.parametrize(
    ("inside", "beyond"),
    [
        ("date '262142-12-31'", "date '262143-01-01'"),
        ("timestamp '262142-12-31 23:59:59.999999'", "timestamp '262143-01-01'"),
        ("array[null, date '262142-12-31']", "array[null, date '262143-01-01']"),
        ("(null, null, null, null, '262142-12-31')::point3", "(null, null, null, null, '262143-01-01')::point3"),
    ],
)
def test_polars_gets_no_date_that_it_cannot_show(types, inside, beyond):
    pytest.importorskip("polars")
    frame, _ = run.polars_frame(types, f"select null a, {inside} b")
    assert "262142" in repr(frame)
    with pytest.raises(ConversionError, match="row 2, column 'b': Polars"):
        run.polars_frame(types, f"select 1 a, {inside} b union all select 2, {beyond} order by a")


def test_rows(types):
    types.execute("set time zone 'Europe/Berlin'")
    sql = """select 1 a, null::int b, 1.50 c, 0.1::float4 d, 'o,k'::mood e, date '2024-01-01' f, interval '1 mon' g,
             timestamptz '2024-01-01 00:00+00' h, '{1}'::int[] i, 'NaN'::float8 "class" """
    (row,), notes = run.rows(types, sql)
    assert notes == ()
    assert row[:9] == (
        1,
        None,
        Decimal("1.50"),
        0.1,
        "o,k",
        date(2024, 1, 1),
        Interval(1),
        datetime(2024, 1, 1, 1, tzinfo=BERLIN),
        [1],
    )
    assert row.h.utcoffset() == timedelta(hours=1)
    assert row.class_ != row.class_


def test_fixed_offsets_in_rows(conn):
    conn.execute("set time zone -3")
    (row,), _ = run.rows(conn, "select timestamptz '2024-01-01 00:00+00' x")
    assert row.x.tzinfo == timezone(timedelta(hours=-3))
