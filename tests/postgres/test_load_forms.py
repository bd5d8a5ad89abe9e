"""What COPY BINARY brings is what CSV brings: values of every pair of types, and what is refused."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import pandas as pd
import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tusk_jupyter.connections.session import Session
from tusk_jupyter.connections.wire import Command
from tusk_jupyter.queries.load_plan import Table
from tusk_jupyter.queries.loading import look_up
from tusk_jupyter.results.copy_binary import encoder_for
from tusk_jupyter.results.copy_target import Target
from tusk_jupyter.results.feeds import feed_of
from tusk_jupyter.results.intervals import Interval

pytestmark = pytest.mark.usefixtures("compiled")
LIKELY = {"max_examples": 20, "deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture]}
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
HOURS = st.integers(-99_999, 99_999)
TYPES = """
create type mood as enum ('sad', 'so so', 'ü');
create domain small as int4 check (value < 30000);
create domain smaller as small;
create domain code as varchar(4);
create domain money_of as numeric(12, 3);
create domain several as int2[];
create domain ident as uuid;
"""


def arrays(kind, values):
    return st.lists(st.none() | values, min_size=3, max_size=3).map(lambda v: pa.array(v, kind))


def integers(low, high):
    return st.integers(low, high) | st.sampled_from([low, high, 0])


def decimals(precision, scale):
    digits = st.integers(0, precision).flatmap(lambda n: st.integers(-(10**n) + 1, 10**n - 1))
    # the context's 28 digits would round
    return digits.map(lambda n: decimal.Decimal((n < 0, tuple(map(int, str(abs(n)))), -scale)))


INT2, INT4, INT8 = (integers(-(2**bits), 2**bits - 1) for bits in (15, 31, 63))
UUIDS = st.uuids().flatmap(
    lambda u: st.sampled_from([str(u), u.hex.upper(), "{" + str(u) + "}", "-".join(u.hex[i : i + 4] for i in range(0, 32, 4))])
)
MICROS = st.integers(-210_000_000_000_000_000, 252_000_000_000_000_000)
DAYS = st.integers(-2_400_000, 2_900_000)
FLOATS = st.floats(allow_nan=False) | st.just(-0.0) | st.integers(-(10**6), 10**6).map(lambda n: n / 100)
SINGLES = st.floats(width=32, allow_nan=False)
# the type of a table's column, Arrow's type, values
PAIRS = [
    ("bool", pa.bool_(), st.booleans()),
    ("int2", pa.int8(), st.integers(-128, 127)),
    ("int2", pa.int64(), INT2),
    ("int4", pa.uint16(), integers(0, 2**16 - 1)),
    ("int4", pa.int32(), INT4),
    ("int8", pa.int64(), INT8),
    ("int8", pa.uint32(), integers(0, 2**32 - 1)),
    ("int8", pa.uint64(), integers(0, 2**63 - 1)),
    ("float4", pa.int64(), INT8),
    ("float8", pa.int64(), INT8),
    ("float8", pa.uint64(), integers(0, 2**64 - 1)),
    ("float4", pa.float32(), SINGLES),
    ("float4", pa.float16(), st.floats(width=16, allow_nan=False).map(np.float16)),
    ("float8", pa.float64(), FLOATS),
    ("numeric", pa.int64(), INT8),
    ("numeric(20)", pa.uint64(), integers(0, 2**64 - 1)),
    ("numeric", pa.float64(), FLOATS),
    ("numeric", pa.float32(), SINGLES),
    ("numeric(15,2)", pa.float64(), st.floats(-1e12, 1e12)),
    ("numeric", pa.decimal128(38, 10), decimals(38, 10)),
    ("numeric", pa.decimal128(7, -3), decimals(7, -3)),
    ("numeric", pa.decimal128(19, 0), decimals(19, 0)),
    ("numeric", pa.decimal128(20, 7), decimals(20, 7)),
    ("numeric", pa.decimal256(76, 37), decimals(76, 37)),
    ("numeric(9,1)", pa.decimal128(11, 5), decimals(11, 5)),
    ("numeric(4,-2)", pa.decimal128(5, 1), decimals(5, 1)),
    ("date", pa.date32(), DAYS),
    ("date", pa.date64(), DAYS.map(lambda n: n * 86_400_000)),
    ("date", pa.timestamp("us"), MICROS),
    ("date", pa.timestamp("s"), MICROS.map(lambda n: n // 10**6)),
    ("date", pa.timestamp("us", "Asia/Tokyo"), MICROS),
    ("timestamp", pa.timestamp("us"), MICROS),
    ("timestamp(1)", pa.timestamp("ms"), MICROS.map(lambda n: n // 1000)),
    ("timestamp", pa.timestamp("s"), MICROS.map(lambda n: n // 10**6)),
    ("timestamp", pa.timestamp("ns"), st.integers(-(2**61), 2**61)),
    ("timestamp", pa.timestamp("us", "America/St_Johns"), MICROS),
    ("timestamptz", pa.timestamp("us", "Europe/Berlin"), MICROS),
    ("timestamptz(0)", pa.timestamp("ms", "+05:45"), MICROS.map(lambda n: n // 1000)),
    ("time", pa.time32("s"), st.integers(0, 86_399)),
    ("time", pa.time64("us"), st.integers(0, 86_399_999_999)),
    ("time(2)", pa.time64("ns"), st.integers(0, 86_399_999_999_999)),
    ("interval", pa.duration("us"), st.integers(-(2**62), 2**62)),
    ("interval", pa.duration("s"), st.integers(-(10**11), 10**11)),
    ("uuid", pa.string(), UUIDS),
    ("uuid", pa.uuid(), st.uuids().map(lambda u: u.bytes)),
    ("ident", pa.string_view(), UUIDS),
    ("text", pa.string(), TEXT),
    ("text", pa.null(), st.none()),
    ("varchar(12)", pa.large_string(), TEXT),
    ("char(13)", pa.dictionary(pa.int8(), pa.string()), TEXT),
    ("json", pa.string(), TEXT.map(lambda t: '{"a": 1}')),
    ("jsonb", pa.string(), st.sampled_from(["[1, 2]", '"\\u00fc"', "1.10"])),
    ("jsonb", pa.list_(pa.int64()), st.lists(st.none() | INT8)),
    ("jsonb", pa.struct([("x", pa.string())]), st.fixed_dictionaries({"x": TEXT})),
    ("bytea", pa.binary(), st.binary()),
    ("bytea", pa.binary(3), st.binary(min_size=3, max_size=3)),
    ("mood", pa.string(), st.sampled_from(["sad", "so so", "ü"])),
    ("smaller", pa.int64(), st.integers(-30000, 29999)),
    ("code", pa.string(), st.sampled_from(["", "abcd", "ü  ", "ab        "])),
    ("money_of", pa.float64(), st.floats(-1e8, 1e8)),
    ("several", pa.list_(pa.int64()), st.lists(st.none() | INT2)),
    ("int4[]", pa.list_(pa.int8()), st.lists(st.none() | st.integers(-128, 127))),
    ("int8[]", pa.large_list(pa.int64()), st.lists(st.none() | INT8)),
    ("float8[]", pa.list_(pa.float64()), st.lists(st.none() | FLOATS)),
    ("float4[]", pa.list_(pa.float32()), st.lists(st.none() | SINGLES)),
    ("bool[]", pa.list_(pa.bool_()), st.lists(st.none() | st.booleans())),
    ("text[]", pa.list_(pa.string()), st.lists(st.none() | TEXT)),
    ("varchar(12)[]", pa.list_(pa.large_string()), st.lists(st.none() | TEXT)),
    ("mood[]", pa.list_(pa.string()), st.lists(st.none() | st.sampled_from(["sad", "ü"]))),
    ("uuid[]", pa.list_(pa.string()), st.lists(st.none() | UUIDS)),
    ("numeric(9,2)[]", pa.list_(pa.decimal128(9, 3)), st.lists(st.none() | decimals(9, 3))),
    ("timestamp[]", pa.list_(pa.timestamp("us")), st.lists(st.none() | st.datetimes())),
    ("date[]", pa.list_(pa.date32()), st.lists(st.none() | st.dates())),
]  # fmt: skip


@pytest.fixture
def session(database):
    session = Session(psycopg.connect(database, autocommit=True), name="db")
    session.submit(lambda: session.run(None, Command(b"set extra_float_digits = 1"))).result(timeout=5)
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(TYPES)
    yield session
    session.close()


def sliced(array, before):
    """The same values behind others: an offset that is no multiple of eight."""
    return pa.concat_arrays([array[:1]] * before + [array])[before:] if before and len(array) else array


def arrived(session, database, value, types, form, monkeypatch):
    """Load columns into a table of these types in one form; what the server keeps, or why it does not."""
    monkeypatch.setenv("TUSK_COPY", form)
    feed = feed_of(value, "df")
    listed = ", ".join(f"c{i} {kind}" for i, kind in enumerate(types))
    names = ", ".join(f"c{i}" for i in range(len(types)))

    def job():
        session.run(None, Command(b"drop table if exists f"))
        created = session.run(None, Command(f"create table f (n int generated always as identity, {listed})".encode()))
        assert created.error is None, created.error.error_message
        existing = look_up(session, Table("f"))
        known = {name: Target(kind, *oids) for (name, kind), oids in zip(existing.columns, existing.oids, strict=True)}
        encoder = encoder_for(feed, [known[column.name] for column in feed.columns], encoding="UTF8")
        encoder.json_columns = frozenset(n for n, kind in existing.columns if kind in ("json", "jsonb"))

        class Source:
            chunk = staticmethod(encoder.chunk)

            @staticmethod
            def stopped():
                return False

        reply = session.run(None, Command(f"copy f ({names}) from stdin ({encoder.form})".encode()), source=Source)
        return reply, encoder.notes

    reply, notes = session.submit(job).result(timeout=20)
    if reply.error is not None:
        return reply.error.error_field(psycopg.pq.DiagnosticField.SQLSTATE), notes
    with psycopg.connect(database) as conn:
        texts = ", ".join(f"c{i}::text" for i in range(len(types)))
        return conn.execute(f"select {texts} from f order by n").fetchall(), notes


@settings(**LIKELY)
@given(data=st.data(), before=st.integers(0, 9))
def test_every_pair(session, database, data, before):
    with pytest.MonkeyPatch.context() as monkeypatch:
        table = pa.table({f"c{i}": sliced(data.draw(arrays(kind, values)), before) for i, (_, kind, values) in enumerate(PAIRS)})
        types = [kind for kind, _, _ in PAIRS]
        csv = arrived(session, database, table, types, "csv", monkeypatch)
        assert isinstance(csv[0], list), csv
        assert arrived(session, database, table, types, "binary", monkeypatch) == csv


OBJECTS = [
    ("int4", INT4),
    ("float8", INT8.filter(lambda n: abs(n) < 2**53)),
    ("numeric", st.integers(-(2**80), 2**80)),
    ("numeric", st.decimals(allow_infinity=False).filter(lambda d: str(d) == "NaN" or (d.is_finite() and abs(d.adjusted()) < 999))),
    ("numeric(9,3)", st.decimals(-99_999, 99_999, allow_nan=False)),
    ("numeric", st.floats(allow_nan=False) | st.just(0.1)),
    ("float8", st.floats() | st.integers(-100, 100)),
    ("bool", st.booleans()),
    ("text", TEXT),
    ("mood", st.sampled_from(["sad", "ü"])),
    ("timestamp", st.datetimes()),
    ("timestamptz", st.datetimes(min_value=dt.datetime(2, 1, 1), max_value=dt.datetime(9998, 1, 1), timezones=st.timezones())),  # noqa: DTZ001
    ("date", st.dates()),
    ("time", st.times()),
    ("interval", st.timedeltas(dt.timedelta(-(10**7)), dt.timedelta(10**7))),
    ("interval", st.builds(Interval, HOURS, HOURS, INT4)),
    ("bytea", st.binary()),
    ("uuid", st.uuids()),
    ("jsonb", st.dictionaries(TEXT, st.lists(INT8))),
    ("json", st.lists(TEXT)),
    ("int8[]", st.lists(st.none() | INT4).map(lambda v: [*v, 1])),
    ("float8[]", st.lists(st.none() | FLOATS).map(lambda v: (*v, 0.5))),
    ("text[]", st.lists(st.none() | TEXT)),
    ("int2[]", st.lists(INT2, min_size=1).map(np.array)),
]


@settings(**LIKELY)
@given(data=st.data())
def test_objects(session, database, data):
    with pytest.MonkeyPatch.context() as monkeypatch:
        columns = [data.draw(st.tuples(values, st.none() | values)) for _, values in OBJECTS]
        frame = pd.DataFrame({f"c{i}": pd.Series(values, dtype=object) for i, values in enumerate(columns)})
        types = [kind for kind, _ in OBJECTS]
        csv = arrived(session, database, frame, types, "csv", monkeypatch)
        assert arrived(session, database, frame, types, "binary", monkeypatch) == csv
        assert isinstance(csv[0], list), csv


def test_moments_with_a_zone_keep_their_clock_where_there_is_none(session, database, monkeypatch):
    zone = dt.timezone(dt.timedelta(hours=5))
    frame = pd.DataFrame({"c0": pd.Series([dt.datetime(2020, 1, 1, 23, tzinfo=zone), None], dtype=object)})
    for form in ("csv", "auto"):
        assert arrived(session, database, frame, ["timestamp"], form, monkeypatch)[0] == [("2020-01-01 23:00:00",), (None,)]


def test_a_nan_is_the_servers_whatever_its_bits(session, database, monkeypatch):
    doubles = np.array([0xFFF8000000000001, 0x7FF0000000000001], "u8").view("f8")
    singles = np.array([0xFFC00001, 0x7F800001], "u4").view("f4")
    table = pa.table({"c0": doubles, "c1": singles})
    arrived(session, database, table, ["float8", "float4"], "binary", monkeypatch)
    with psycopg.connect(database) as conn:
        kept = conn.execute("select distinct float8send(c0), float4send(c1), float8send('NaN'), float4send('NaN') from f")
        ((double, single, *wanted),) = kept.fetchall()
    assert [double, single] == wanted
