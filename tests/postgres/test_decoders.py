"""Both decoders on the very chunks that a real server sends: every built-in type, every style it can write in."""

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import fix_results as run
from tests import made_results as made
from tests.postgres.test_types_property import COLUMNS, SCALARS, TYPES
from tusk_jupyter.results import native
from tusk_jupyter.results.decode import BYTES, STORAGE, TEXT, Decoder, columns_of

pytestmark = pytest.mark.usefixtures("compiled")


@pytest.fixture(scope="module")
def conn(server):
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("create schema decoders; set search_path = decoders, public")
        connection.execute("""create type mood as enum ('sad', 'o,k', 'ha"ppy', '{}')""")
        connection.execute("create type thing as (a text, b numeric, c date, d mood)")
        yield connection
        connection.execute("drop schema decoders cascade")


@pytest.fixture(autouse=True)
def as_it_comes(conn):
    """The styles that an earlier test has chosen are gone."""
    conn.execute("reset all; set search_path = decoders, public")


def both(conn, sql):
    """Decode each chunk twice, demand equality, and return what the compiled decoder made of it."""
    decoders = None
    for chunk in run.chunks(conn, sql):
        if decoders is None:
            how = run.settings_of(conn)
            columns = columns_of(chunk, how.encoding)
            decoders = Decoder(columns, how), native.NativeDecoder(columns, how, native.addresses())
        for decoder in decoders:
            decoder.append(chunk)
    python, compiled = (decoder.finish({}) for decoder in decoders)
    made.assert_same(python, compiled)
    return compiled


def quote(text):
    return psycopg.sql.Literal(text).as_string()


def values(type_name, literals):
    rows = ",".join(f"({i},{'null' if v is None else quote(v)})" for i, v in enumerate([None, *literals]))
    return f"select v::{type_name} x from (values {rows}) t(i, v) where i > 0 order by i"


STYLES = st.fixed_dictionaries(
    {
        "datestyle": st.sampled_from(["ISO, MDY"] * 4 + ["ISO, DMY", "SQL, DMY", "SQL, MDY", "German", "Postgres, YMD"]),
        "intervalstyle": st.sampled_from(["postgres", "postgres_verbose", "iso_8601", "sql_standard"]),
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns", "Asia/Kathmandu", "<+03>-3", "<-15>15"]),
        "bytea_output": st.sampled_from(["hex", "hex", "escape"]),
        "extra_float_digits": st.integers(-15, 3).map(str),
    }
)


@pytest.mark.parametrize("name", TYPES)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), styles=STYLES)
def test_both_decoders_agree(conn, name, data, styles):
    conn.execute(";".join(f"set {setting} = {quote(value)}" for setting, value in styles.items()))
    both(conn, values(name, data.draw(COLUMNS[name])))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), names=st.lists(st.sampled_from(sorted(SCALARS)), max_size=8), styles=STYLES)
def test_both_decoders_agree_on_rows_of_several_types(conn, data, names, styles):
    conn.execute(";".join(f"set {setting} = {quote(value)}" for setting, value in styles.items()))
    row = st.tuples(*(st.none() | SCALARS[name] for name in names))
    expressions = ", ".join(f"v[{i}]::{name} x{i}" for i, name in enumerate(names, 1))
    rows = data.draw(st.lists(row, max_size=30))
    arrays = ",".join(
        f"({number}, array[{','.join('null' if v is None else quote(v) for v in values)}]::text[])"
        for number, values in enumerate([(None,) * len(names), *rows])
    )
    both(conn, f"select {expressions} from (values {arrays}) t(i, v) where i > 0 order by i")


SPECIAL = {
    "int8": ["-9223372036854775808", "9223372036854775807", None, "0"],
    "float4": ["NaN", "Infinity", "-Infinity", "3.4028235e38", "1e-45", "-0", "0.1", None],
    "float8": ["NaN", "Infinity", "-Infinity", "1.7976931348623157e308", "5e-324", "-0", "0.1", "1e22", "1e23", None],
    "numeric": ["NaN", "Infinity", "-Infinity", "9" * 60, "0." + "1" * 60, "1e1000", "0", None],
    "text": ["", None, " ", "\u20ac\U0001f600", "NULL", "\\N"],
    "date": ["infinity", "-infinity", "0001-01-01", "0044-03-15 BC", "4714-11-24 BC", "5874897-12-31", "2024-02-29", None],
    "timestamp": ["infinity", "-infinity", "4714-11-24 00:00 BC", "294276-12-31 23:59:59.999999", "2024-02-29", None],
    "timestamptz": ["infinity", "-infinity", "4714-11-24 00:00+00 BC", "294276-12-31 23:59+00", "1800-01-01 00:00+00",
                    "0001-01-01 00:00+00", "9999-12-31 23:59+00", "2024-01-01 00:00+00", None],
    "time": ["24:00", "00:00", None],
    "timetz": ["24:00:00-15:59", "00:00+05:30", None],
    "bytea": ["", "\\x", "\\x00", None],
    "bool": ["t", "f", None],
    "interval": ["-178000000 years", "1 mon -1 day", None],
    "jsonb": ["null", '"\\u00e9"', None],
    "xid8": ["18446744073709551615", None],
    "int2vector": ["1 2", None],
    "varbit": ["", "101", None],
}  # fmt: skip


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("name", SPECIAL)
def test_the_extremes_of_each_type_alone_and_together(conn, name, zone):
    if name == "xid8" and conn.info.server_version < 130000:
        pytest.skip("since PostgreSQL 13")
    conn.execute(f"set timezone = '{zone}'")
    for literal in SPECIAL[name]:
        both(conn, values(name, [literal]))
    both(conn, values(name, SPECIAL[name]))
    both(conn, values(name, SPECIAL[name] * 20))


def test_every_builtin_type_as_the_catalog_has_it(conn):
    sql = """select array_agg(format('null::%s', format_type(t.oid, null))) from pg_type t
             where t.typtype in ('b', 'r', 'm', 'd', 'c', 'e') and t.oid < 16384 and t.typname not like 'pg_toast%'"""
    (expressions,) = conn.execute(sql).fetchone()
    decoded = both(conn, f"select {', '.join(expressions)} union all select {', '.join(expressions)}")
    assert len(decoded.columns) == len(expressions) > 300


def test_the_catalog_itself(conn):
    for relation in ("pg_type", "pg_class", "pg_proc where oid < 2000", "pg_attribute where attrelid < 1300", "pg_settings"):
        assert both(conn, f"select * from {relation}").rowcount > 50


def test_what_is_typed_when_postgresql_writes_iso(conn):
    decoded = both(conn, "select 1::int2 a, 1.5::float8 b, true c, '\\x01'::bytea d, date '2024-01-01' e, now() f, 'a' g")
    assert [chunks[0].type for chunks in decoded.chunks] == [STORAGE.get(column.oid, TEXT) for column in decoded.columns]


@pytest.mark.parametrize(
    ("setting", "value", "expression", "stays_text"),
    [
        ("datestyle", "German", "date '2024-01-31'", True),
        ("datestyle", "ISO, DMY", "date '2024-01-31'", False),
        ("datestyle", "Postgres", "timestamptz '2024-01-31 00:00+00'", True),
        ("timezone", "Europe/Berlin", "timestamptz '1800-01-01 00:00+00'", True),
        ("bytea_output", "escape", "'\\x00ff5c41'::bytea", False),
        ("bytea_output", "escape", "'\\x61'::bytea", False),
        ("extra_float_digits", "-15", "sqrt(2::float8)", False),
        ("extra_float_digits", "0", "sqrt(2::float8)", False),
    ],
)
def test_styles_that_are_not_iso(conn, setting, value, expression, stays_text):
    conn.execute(f"set {setting} = {quote(value)}")
    decoded = both(conn, f"select {expression} x from generate_series(1, 20)")
    assert {array.type for array in decoded.chunks[0]} == {TEXT if stays_text else STORAGE[decoded.columns[0].oid]}


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_no_rows_and_no_columns(conn, rows):
    assert both(conn, f"select from generate_series(1, {rows})").rowcount == rows
    decoded = both(conn, f"select 1 a, 'x' b from generate_series(1, {rows}) where {rows} > 2")
    assert decoded.rowcount == (rows if rows > 2 else 0)


def test_as_many_columns_as_there_can_be(conn):
    kinds = ["i", "i::text", "i::float8", "i % 2 = 0", "nullif(i, 5)::int8", "date '2024-01-01' + i", "null::text", "''"]
    expressions = ", ".join(f"{kinds[c % len(kinds)]} c{c}" for c in range(1600))
    decoded = both(conn, f"select {expressions} from generate_series(1, 20) i")
    assert len(decoded.columns) == 1600
    assert decoded.chunks[1592][0].to_pylist() == list(range(1, 21))


def test_many_chunks_with_something_refused_here_and_there(conn):
    sql = """select i a, case when i % 1000 = 0 then 'infinity' else date '2024-01-01' + i end b,
             case when i % 7 > 0 then i / 3.0::float8 end c, case when i % 3 > 0 then repeat('é', i % 50) end d,
             case when i % 500 = 3 then 1e300 else i end e from generate_series(1, 5000) i"""
    decoded = both(conn, sql)
    assert {array.type for array in decoded.chunks[1]} == {STORAGE[1082], TEXT}
    assert sum(map(len, decoded.chunks[1])) == 5000


@pytest.fixture
def ascii_database(server):
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute("create database no_encoding encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0")
        yield server.conninfo("no_encoding")
        conn.execute("drop database no_encoding with (force)")


def test_bytes_of_no_encoding(ascii_database):
    # to a client that said UTF8 such a server sends an error in their place
    with psycopg.connect(ascii_database, autocommit=True, client_encoding="SQL_ASCII") as conn:
        conn.execute("create function raw(h text) returns text language sql as $$ select convert_from(decode(h, 'hex'), 'SQL_ASCII') $$")
        hexes = [b"\xff".hex(), "é".encode().hex(), "", b"\xed\xa0\x80".hex(), b"\xc3".hex(), b"a\xe9b".hex(), b"plain".hex()]
        types = set()
        for texts in ([*hexes, *hexes], hexes[1:3], hexes[:1]):
            decoded = both(conn, "select raw(h) x, 1 y from unnest(array['{}']) h".format("','".join(texts)))
            types |= {array.type for array in decoded.chunks[0]}
        assert types == {TEXT, BYTES}
