"""value → PostgreSQL → frame → PostgreSQL: whatever the value, nothing fails and nothing changes without a note."""

import json
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.range import Range

from tests import fix_results as run

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.text(
    '{}()[],"\\ NULL', max_size=6
)
DIGITS = st.integers(0, 60).flatmap(lambda n: st.decimals(-(10**n), 10**n, places=60 - n, allow_nan=False))
NUMERIC = st.sampled_from(["NaN", "Infinity", "-Infinity", "0", "1e400", "1e-400", "1e20", "0.10"]) | DIGITS.map(
    "{:f}".format
)
INSTANT = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(str)  # noqa: DTZ001
FAR = st.sampled_from(
    ["infinity", "-infinity", "20000-01-01", "0044-03-15 BC", "4713-01-01 BC", "0001-01-01", "9999-12-31"]
)
INTERVAL = st.builds(
    "{} months {} days {} microseconds".format,
    st.just(0) | st.integers(-20_000, 20_000),
    st.integers(-1_000_000, 1_000_000),
    st.integers(-(2**55), 2**55),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
).map(json.dumps)

SCALARS = {
    "int2": st.integers(-(2**15), 2**15 - 1).map(str),
    "int4": st.integers(-(2**31), 2**31 - 1).map(str),
    "int8": st.integers(-(2**63), 2**63 - 1).map(str),
    "oid": st.integers(0, 2**32 - 1).map(str),
    "float4": st.floats(width=32).map(repr),
    "float8": st.floats().map(repr),
    "bool": st.sampled_from(["t", "f"]),
    "numeric": NUMERIC,
    "numeric(30,5)": st.decimals(-(10**20), 10**20, places=5, allow_nan=False).map(str) | st.just("NaN"),
    "text": TEXT,
    "varchar(20)": TEXT,
    "bytea": st.binary(max_size=12).map(lambda b: "\\x" + b.hex()),
    "date": st.dates().map(str) | FAR,
    "timestamp": INSTANT | FAR,
    "timestamptz": INSTANT.map("{}+00".format)
    | FAR.map(lambda t: t if "inf" in t else t.replace(" BC", " 00:00+00 BC")),
    "time": st.times().map(str) | st.just("24:00"),
    "timetz": st.times().map("{}+05:30".format),
    "interval": INTERVAL,
    "uuid": st.uuids().map(str),
    "inet": st.ip_addresses().map(str),
    "jsonb": JSON,
    "json": JSON,
    "mood": st.sampled_from(["sad", "o,k", 'ha"ppy', "{}"]),
}
RANGES = {
    "int4range": "int4",
    "int8range": "int8",
    "numrange": "numeric",
    "daterange": "date",
    "tsrange": "timestamp",
    "tstzrange": "timestamptz",
}


def _array_text(values):
    quoted = ("NULL" if v is None else '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values)
    return "{" + ",".join(quoted) + "}"


def _row_text(values):
    return (
        "("
        + ",".join("" if v is None else '"' + v.replace("\\", "\\\\").replace('"', '""') + '"' for v in values)
        + ")"
    )


def array_of(value):
    return st.lists(st.none() | value, max_size=4).map(_array_text)


def matrix_of(value):
    rows = st.lists(st.tuples(st.none() | value, st.none() | value).map(_array_text), min_size=1, max_size=3)
    return rows.map(lambda texts: "{" + ",".join(texts) + "}")


def range_of(value):
    lower = (st.none() | value).map(lambda bound: "(" if bound is None else f'["{bound}"')
    return lower.map("{},)".format) | st.just("empty")


THING = st.tuples(*(st.none() | SCALARS[t] for t in ("text", "numeric", "date", "mood"))).map(_row_text)
TYPES = {
    **SCALARS,
    "thing": THING,
    "thing[]": array_of(THING),
    **{name: range_of(SCALARS[bound]) for name, bound in RANGES.items()},
    **{f"{name}[]": array_of(value) | matrix_of(value) for name, value in SCALARS.items()},
}
COLUMNS = {name: st.lists(st.none() | value, max_size=20) for name, value in TYPES.items()}
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "<+03>-3"])


@pytest.fixture(scope="module")
def conn(server):
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("create schema property; set search_path = property, public")
        connection.execute("""create type mood as enum ('sad', 'o,k', 'ha"ppy', '{}')""")
        connection.execute("create type thing as (a text, b numeric, c date, d mood)")
        yield connection
        connection.execute("drop schema property cascade")


def back(value):
    """The text that PostgreSQL reads as the value a frame holds, written without any of the package's own code."""
    if isinstance(value, list):
        return (
            "{"
            + ",".join(
                "NULL" if v is None else back(v) if isinstance(v, list) else _array_text([back(v)])[1:-1] for v in value
            )
            + "}"
        )
    if isinstance(value, tuple):
        return _row_text([None if v is None else back(v) for v in value])
    if isinstance(value, Range):
        if value.isempty:
            return "empty"
        lower, upper = ("" if b is None else f'"{back(b)}"' for b in (value.lower, value.upper))
        return f"{value.bounds[0]}{lower},{upper}{value.bounds[1]}"
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, np.datetime64):
        return back_of_numpy(value)
    if isinstance(value, pd.Timedelta | timedelta):
        return f"{value // timedelta(microseconds=1)} microseconds"
    if isinstance(value, bool | str | Decimal | date | time | int | np.integer) or type(value).__name__ == "Interval":
        return str(value)
    return repr(float(value))


def back_of_numpy(value):
    text = str(value)
    day, _, clock = text.partition("T")
    year, month, day_of_month = day.rsplit("-", 2)
    era = " BC" if int(year) <= 0 else ""
    return f"{1 - int(year) if era else int(year):04}-{month}-{day_of_month} {clock}{era}".strip()


def values_of(series):
    missing = series.isna() if series.dtype != object else [v is None for v in series]
    values = series.to_numpy() if series.dtype.kind == "M" and series.dt.tz is None else series.tolist()
    return [None if gone else value for value, gone in zip(values, missing, strict=True)]


@pytest.mark.usefixtures("decoder")
@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), zone=ZONES)
def test_nothing_fails_and_nothing_changes_unsaid(conn, name, data, zone):
    literals = data.draw(COLUMNS[name])
    quoted = ",".join(f"({i},{psycopg.sql.Literal(v).as_string(conn)})" for i, v in enumerate([None, *literals]))
    conn.execute(f"set time zone '{zone}'")
    source = f"select i, v::{name} x, format('%s', v::{name}) t from (values {quoted}) s(i, v) where i > 0 order by i"
    frame, notes = run.frame(conn, source)
    assert len(frame) == len(literals)
    if "rounded" in "".join(notes):
        assert frame["x"].tolist() == pytest.approx(
            [float("nan") if v is None else float(v) for v in literals], nan_ok=True
        )
        return
    for value, text, literal in zip(values_of(frame["x"]), frame["t"], literals, strict=True):
        if literal is None:
            assert value is None
        elif value is None:
            assert (name, text) in {
                ("float4", "NaN"),
                ("float8", "NaN"),
                ("numeric", "NaN"),
                ("numeric(30,5)", "NaN"),
                ("json", "null"),
                ("jsonb", "null"),
            }
        elif "json" in name:
            assert_same_json(conn, name, value, text)
        else:
            assert_same(conn, name, value, text)


def assert_same(conn, name, value, text):
    sql = f"select %s::text::{name} is not distinct from %s::text::{name}"
    same = conn.execute(sql, (back(value), text)).fetchone()[0]
    assert same, (name, value, text)


def assert_same_json(conn, name, value, text):
    (written,) = conn.execute(f"select to_json(%s::text::{name})::text", (text,)).fetchone()
    assert value == json.loads(written)
