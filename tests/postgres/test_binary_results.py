"""Binary and text, compiled and in Python: four ways to one frame, whatever the server holds."""

import numpy as np
import pandas as pd
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import fix_results as run
from tests import made_results as made
from tests.postgres.test_decoders import SPECIAL, quote, values
from tests.postgres.test_types_property import SCALARS
from tusk_jupyter.results import native
from tusk_jupyter.results.binary import TYPES
from tusk_jupyter.results.decode import STORAGE, TEXT, Decoder, columns_of
from tusk_jupyter.results.frame import FrameOptions, to_arrow, to_pandas, to_rows
from tusk_jupyter.results.iso import iso_date, iso_timestamp, iso_timestamptz
from tusk_jupyter.results.zones import session_zone

pytestmark = pytest.mark.usefixtures("compiled")

FIXED_SET = ["int2", "int4", "int8", "oid", "float4", "float8", "bool", "date", "timestamp", "timestamptz", "uuid",
             "bytea", "text", "varchar(20)", "char(5)", "json"]  # fmt: skip
SPELLED_AS = {"char(5)": "text"}
# any moment that PostgreSQL has, not Python's alone
DAYS = st.integers(-2_451_545, 2_145_031_948)
MICROSECONDS = st.integers(-211_813_488_000_000_000, 9_223_371_331_199_999_999)
# interval's own multiplication goes through float8
AFTER_2000 = """(timestamp '2000-01-01' + make_interval(days => ({0} / 86400000000)::int)
                 + make_interval(secs => ({0} % 86400000000) / 1e6::float8))"""
FAR = {
    "date": DAYS.map("date '2000-01-01' + {}".format),
    "timestamp": MICROSECONDS.map("{}::int8".format).map(AFTER_2000.format),
    "timestamptz": MICROSECONDS.map("{}::int8".format).map(f"{AFTER_2000} at time zone 'UTC'".format),
}
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/St_Johns", "Asia/Kathmandu", "Pacific/Apia", "Africa/Monrovia",
         "Europe/Dublin", "Africa/Casablanca", "Australia/Lord_Howe", "<+03>-3", "<-0530>5:30", "EST5EDT"]  # fmt: skip


@pytest.fixture(scope="module")
def conn(server):
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        yield connection


@pytest.fixture(autouse=True)
def as_it_comes(conn):
    conn.execute("reset all")


def decoded_by(decoder, conn, sql, *, binary):
    made_of = None
    for chunk in run.chunks(conn, sql, binary=binary):
        if made_of is None:
            how = run.settings_of(conn, binary=binary)
            columns = columns_of(chunk, how.encoding)
            made_of = Decoder(columns, how) if decoder == "python" else native.NativeDecoder(columns, how, native.addresses())
        made_of.append(chunk)
    return made_of.finish({})


def all_ways(conn, sql):
    """Decode a result in each of four ways, demand one frame of every kind, and return the binary ones' columns."""
    text, python, compiled = (
        decoded_by(decoder, conn, sql, binary=binary)
        for decoder, binary in (("compiled", False), ("python", True), ("compiled", True))
    )
    made.assert_same(python, compiled)
    for make in (to_pandas, to_arrow, to_rows):
        (wanted, said), *others = ([outcome(make, decoded) for decoded in (text, python, compiled)])
        for frame, notes in others:
            assert_same_frame(wanted, frame)
            assert notes == said
    return compiled


def outcome(make, decoded):
    try:
        return make(decoded, FrameOptions())
    except Exception as error:  # noqa: BLE001 - which error it is, is the outcome
        return repr(error), ()


def assert_same_frame(one, other):
    assert type(one) is type(other)
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True)
        for name in one.select_dtypes("floating"):
            assert np.array_equal(one[name].to_numpy().view(np.uint8), other[name].to_numpy().view(np.uint8))
    elif isinstance(one, list):
        assert list(map(repr, one)) == list(map(repr, other))
    elif isinstance(one, str):
        assert one == other
    else:
        assert one.schema == other.schema
        for mine, its in zip(one.itercolumns(), other.itercolumns(), strict=True):
            assert made.bits(mine.combine_chunks()).equals(made.bits(its.combine_chunks()))


def literal(name):
    value = SCALARS[SPELLED_AS.get(name, name)].map(quote).map(f"{{}}::{name}".format)
    return value | FAR[name] if name in FAR else value


def rows_of(rows, names):
    """A statement with these rows; what it says in one line need not be a result's order."""
    lines = [", ".join("null" if v is None else f"({v})::{n}" for v, n in zip(row, names, strict=True)) for row in rows]
    nothing = ", ".join(f"null::{name} x{i}" for i, name in enumerate(names))
    return " union all ".join([f"select 0 n, {nothing}", *(f"select {n}, {line}" for n, line in enumerate(lines, 1))])


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
@pytest.mark.parametrize("name", FIXED_SET)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_one_frame_for_each_type(conn, name, zone, data):
    conn.execute(f"set timezone = '{zone}'")
    drawn = data.draw(st.lists(st.none() | literal(name), max_size=20))
    all_ways(conn, f"select * from ({rows_of([(v,) for v in drawn], [name])}) x order by n")


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), names=st.lists(st.sampled_from(FIXED_SET), min_size=1, max_size=6), zone=st.sampled_from(ZONES))
def test_one_frame_for_rows_of_several_types(conn, data, names, zone):
    conn.execute(f"set timezone = '{zone}'")
    rows = data.draw(st.lists(st.tuples(*(st.none() | literal(name) for name in names)), max_size=20))
    all_ways(conn, f"select * from ({rows_of(rows, names)}) x order by n")


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("name", sorted(set(FIXED_SET) & set(SPECIAL)))
def test_the_extremes_of_each_type_alone_and_together(conn, name, zone):
    conn.execute(f"set timezone = '{zone}'")
    for one in SPECIAL[name]:
        all_ways(conn, values(name, [one]))
    all_ways(conn, values(name, SPECIAL[name]))
    all_ways(conn, values(name, SPECIAL[name] * 20))


def test_a_chunk_is_typed_unless_it_holds_what_no_array_can(conn):
    conn.execute("set timezone = 'Europe/Berlin'")
    sql = """select case when i = 1000 then 'infinity' else timestamptz '1800-01-01' + i * interval '1 day' end a,
             date '2024-01-01' + i b, i / 7.0::float8 c, i % 2 = 0 d, nullif(i % 3, 0) e from generate_series(1, 2000) i"""
    decoded = all_ways(conn, sql)
    assert {array.type for array in decoded.chunks[0]} == {STORAGE[1184], TEXT}
    for index, oid in enumerate((1082, 701, 16, 23), 1):
        assert {array.type for array in decoded.chunks[index]} == {STORAGE[oid]}


def test_a_nan_of_any_bits_is_the_one_that_text_gives(conn):
    all_ways(conn, "select x, x::float4 y from (values ('NaN'::float8), (-'NaN'::float8), (0), (-0.0::float8)) v(x)")


def test_the_tests_name_the_whole_set(conn):
    described = [run.chunks(conn, f"select null::{name}", binary=True) for name in FIXED_SET]
    assert {chunk.ftype(0) for chunks in described for chunk in chunks} == TYPES


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(days=st.lists(DAYS, min_size=1), moments=st.lists(MICROSECONDS, min_size=1), zone=st.sampled_from(ZONES))
def test_texts_are_postgresqls_own(conn, days, moments, zone):
    conn.execute(f"set timezone = '{zone}'")
    shown = conn.execute(
        "select (date '2000-01-01' + d)::text from unnest(%s::int[]) with ordinality u(d, i) order by i", (days,)
    ).fetchall()
    assert [iso_date(day + 10_957) for day in days] == [text for (text,) in shown]
    shown = conn.execute(
        f"""select m::text, (m at time zone 'UTC')::text
            from (select {AFTER_2000.format("m")} m, i from unnest(%s::int8[]) with ordinality u(m, i)) x
            order by i""".replace("% 8", "%% 8"), (moments,)
    ).fetchall()  # fmt: skip
    since_1970 = [moment + 946_684_800_000_000 for moment in moments]
    name = run.parameter(conn, b"TimeZone")
    assert [(iso_timestamp(m), iso_timestamptz(m, session_zone(name))) for m in since_1970] == shown
