"""``:name`` in cells: where values come from, and what type each has on the server."""

from __future__ import annotations

import datetime as dt
import enum
import ipaddress
import uuid
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from psycopg.types.range import Range

import tusk_jupyter
from tests.waiting import ask
from tusk_jupyter.errors import BindingError


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


UUID = uuid.UUID("f47ac10b-58cc-4372-a567-0e02b2c3d479")
ZONED = dt.datetime(2024, 2, 29, 12, 0, 0, 123456, tzinfo=dt.UTC)
TYPED = [
    (1, "integer", "1"),
    (-(2**31), "integer", "-2147483648"),
    (2**31, "bigint", "2147483648"),
    (2**63, "numeric", "9223372036854775808"),
    (True, "boolean", "true"),
    (1.5, "double precision", "1.5"),
    (float("nan"), "double precision", "NaN"),
    (float("-inf"), "double precision", "-Infinity"),
    (Decimal("1.50"), "numeric", "1.50"),
    (dt.date(2024, 2, 29), "date", "2024-02-29"),
    (ZONED.replace(microsecond=5, tzinfo=None), "timestamp without time zone", "2024-02-29 12:00:00.000005"),
    (ZONED, "timestamp with time zone", "2024-02-29 12:00:00.123456+00"),
    (dt.time(12, 30), "time without time zone", "12:30:00"),
    (dt.timedelta(days=1, seconds=2), "interval", "1 day 00:00:02"),
    (UUID, "uuid", str(UUID)),
    (b"\x00\xff", "bytea", "\\x00ff"),
    (ipaddress.ip_address("192.168.1.5"), "inet", "192.168.1.5/32"),
    (Level.HIGH, "integer", "3"),
    (Range(dt.date(2024, 1, 1), None), "daterange", "[2024-01-01,)"),
    (Range(Decimal("1.5"), Decimal(2), "[]"), "numrange", "[1.5,2]"),
    ({"a": [1, None, "ü"]}, "jsonb", '{"a": [1, null, "ü"]}'),
    (tusk_jupyter.json([1, "x"]), "jsonb", '[1, "x"]'),
    (tusk_jupyter.json("x"), "jsonb", '"x"'),
    ([1, 2, None], "integer[]", "{1,2,NULL}"),
    ([2**40, 1], "bigint[]", "{1099511627776,1}"),
    ([1, 2.5], "double precision[]", "{1,2.5}"),
    ([Decimal("1.5"), 2], "numeric[]", "{1.5,2}"),
    ([[1, 2], [3, 4]], "integer[]", "{{1,2},{3,4}}"),
    ((1, 2), "integer[]", "{1,2}"),
    ([dt.date(2024, 1, 1)], "date[]", "{2024-01-01}"),
    ([True, None], "boolean[]", "{t,NULL}"),
    ([UUID], "uuid[]", f"{{{UUID}}}"),
    ([{"a": 1}], "jsonb[]", '{"{\\"a\\": 1}"}'),
    (np.int64(7), "integer", "7"),
    (np.float32(1.5), "double precision", "1.5"),
    (np.bool_(True), "boolean", "true"),
    (np.datetime64("2024-02-29T12:00:00.000001"), "timestamp without time zone", "2024-02-29 12:00:00.000001"),
    (np.array([1, 2]), "integer[]", "{1,2}"),
    (np.array([[1.5, 2], [3, 4]]), "double precision[]", "{{1.5,2},{3,4}}"),
    (pd.Timestamp("2024-02-29 12:00"), "timestamp without time zone", "2024-02-29 12:00:00"),
    (pd.Timestamp("2024-02-29 12:00", tz="Europe/Berlin"), "timestamp with time zone", "2024-02-29 11:00:00+00"),
    (pd.Timedelta(days=2), "interval", "2 days"),
    (pd.Series([1, None], dtype="Int64"), "integer[]", "{1,NULL}"),
    (pd.Series(pd.to_datetime(["2024-02-29", None])), "timestamp without time zone[]", '{"2024-02-29 00:00:00",NULL}'),
    (pa.array([1, None]), "integer[]", "{1,NULL}"),
    (pa.scalar(5), "integer", "5"),
]


@pytest.fixture
def server_types(cells):
    """Cells on a server session where text is printed one way."""
    cells.run("%sql set timezone = 'UTC'")
    return cells


def test_values_bind_like_literals_of_their_kind(server_types):
    got = []
    for value, _, _ in TYPED:
        server_types.ns["v"] = value
        assert (
            server_types.run("%%sql --format rows out <<\nselect pg_typeof(:v)::text, (:v)::text", ok=None).status
            == "ok"
        ), value
        got.append(tuple(server_types.ns["out"][0]))
    assert got == [(kind, text) for _, kind, text in TYPED]


def test_text_is_untyped_as_a_literal_is(cells):
    cells.ns.update(
        day="2024-02-29",
        number="42",
        colour=Colour.RED,
        u=str(UUID),
        us=[str(UUID), None],
        r=Range(1, 5),
        words=["a", "b,c", 'd"', "{", None],
        series=pd.Series(["a", None]),
    )
    cells.run("%sql create type colour as enum ('red', 'green')")
    conditions = [
        "date '2024-02-29' = :day",
        "42 = :number",
        "'red'::colour = :colour",
        f"'{UUID}'::uuid = :u",
        f"'{UUID}'::uuid = any(:us)",
        f"'{UUID}'::uuid in :us",
        "'b,c' in :words",
        """:words = array['a', 'b,c', 'd"', '{', null]""",
        ":series = array['a', null]",
        "length(:number) = 2",
        "int4range(2, 3) <@ :r",
        "int8range(2, 3) <@ :r",
    ]
    got = {}
    for condition in conditions:
        cells.run(f"%%sql out <<\nselect {condition}")
        got[condition] = bool(cells.ns["out"].iat[0, 0])
    assert got == dict.fromkeys(conditions, True)


@pytest.mark.parametrize("missing", [None, pd.NA, pd.NaT, np.datetime64("NaT"), pa.scalar(None)], ids=repr)
def test_what_is_missing_is_null(cells, missing):
    cells.ns["v"] = missing
    cells.run("%%sql --format rows out <<\nselect :v::int is null, :v::text is null")
    assert tuple(cells.ns["out"][0]) == (True, True)


def test_in_takes_lists_of_any_length(cells):
    cells.run(
        "%%sql\ncreate temp table t (a int, b text); insert into t select i, 'n' || i from generate_series(1, 5) i"
    )
    cells.ns.update(ids=[1, 3], one=(2,), none=[], names={"n4"}, keys={1: "a"}.keys(), series=pd.Series([5]))
    expected = {
        "a in :ids": [1, 3],
        "a in (:ids)": [1, 3],
        "a not in :ids": [2, 4, 5],
        "a in :one": [2],
        "a in :none": [],
        "a not in (:none)": [1, 2, 3, 4, 5],
        "b in :names": [4],
        "a in :keys": [1],
        "a in :series": [5],
        "a = any(:ids)": [1, 3],
        "a in (:ids[1], 5)": [3, 5],
    }
    got = {}
    for condition in expected:
        cells.run(f"%%sql out <<\nselect a from t where {condition} order by a")
        got[condition] = cells.ns["out"]["a"].tolist()
    assert got == expected


def test_dotted_and_subscripted_names_are_looked_up(cells):
    class Config:
        limit = 3
        rows = ({"id": 41}, {"id": 42})

    cells.ns.update(
        cfg=Config(), row={"id": 7, "odd key": 8, "n": {"x": 9}}, ids=[10, 11, 12], df=pd.DataFrame({"c": [5, 6]})
    )
    cells.run(
        "%%sql --format rows out <<\nselect :cfg.limit, :cfg.rows[1]['id'], :row['id'], :row[\"odd key\"], :row.n.x, "
        ":ids[1], :ids[-1], 6 = any(:df['c'])"
    )
    assert tuple(cells.ns["out"][0]) == (3, 42, 7, 8, 9, 11, 12, True)


def test_a_lookup_never_calls_anything(cells):
    calls = []
    cells.ns.update(f=lambda: calls.append(1), os=__import__("os"))
    for expression in (":f", ":os.getcwd", ":f.__globals__", ":os._exit"):
        assert isinstance(cells.run(f"%sql select {expression}", ok=False).exception, BindingError)

    class Config:
        _hidden = 5

    cells.ns["cfg"] = Config()
    assert isinstance(cells.run("%sql select :cfg._hidden", ok=False).exception, BindingError)
    cells.run("%sql select :f()", ok=False)
    assert calls == []


def test_function_locals_come_before_the_notebook(cells):
    cells.ns["x"] = 1
    code = (
        "def f(x):\n    y = x + 1\n    a = get_ipython().run_line_magic('sql', 'select :x as x, :y as y')\n"
        "    b = %sql select :x as x\n    return [*a.iloc[0], *b.iloc[0]]\nfound = [int(v) for v in f(40)]"
    )
    cells.run(code)
    assert cells.ns["found"] == [40, 41, 40]
    assert isinstance(cells.run("%sql select :y", ok=False).exception, BindingError)


def test_a_missing_name_lists_near_names(cells):
    cells.ns.update(minutes=1, _minute=2)
    reply = cells.run("%sql select :minuts", ok=False)
    assert isinstance(reply.exception, BindingError)
    assert "minutes" in reply.exception.advice
    assert reply.exception.name == "minuts"


def test_one_name_is_one_value(cells):
    cells.ns["v"] = "same"
    cells.run(
        "%%sql --format rows out <<\nselect :v::text as a from (select :v::text) q(v) where v = :v group by :v::text"
    )
    assert tuple(cells.ns["out"][0]) == ("same",)


@pytest.mark.parametrize(
    "sql",
    [
        "alter table t add check (a < :x)",
        "create table u (a int default :x)",
        "set work_mem = :x",
        "create view v as select :x",
        "vacuum :x",
        "do :x",
    ],
)
def test_where_no_parameters_go_nothing_is_sent_and_the_way_out_is_named(cells, database, sql):
    cells.run("%sql create table t (a int)")
    cells.ns["x"] = 5
    reply = cells.run(f"%sql {sql}", ok=False)
    assert isinstance(reply.exception, BindingError)
    assert ":'x'" in reply.exception.advice
    assert ':"x"' in reply.exception.advice


def test_psqls_spellings_work_everywhere(cells, database):
    cells.ns.update(name='we"ird', qualified=("public", "t"), level="7MB", text="it's", low=3)
    cells.run(
        "%%sql\ncreate table :\"qualified\" (:\"name\" text default :'text'); set work_mem = :'level'; "
        "alter table t add column n int default :'low'"
    )
    cells.run("%sql insert into t default values")
    assert ask(database, 'select "we""ird" || n from t') == "it's3"
    assert "7MB" in cells.run("%sql show work_mem").value


def test_dollar_n_beside_names_is_refused(cells):
    cells.ns["x"] = 1
    assert isinstance(cells.run("%sql select :x, $1", ok=False).exception, BindingError)


@pytest.mark.parametrize(
    "value", ["a\0b", ["ok", "a\0b"], object(), [object()], {"a": {1, 2}, "b": object()}, [1, "x"]]
)
def test_what_has_no_type_is_refused_and_harms_nothing(cells, value):
    cells.run("%sql begin")
    cells.ns["v"] = value
    reply = cells.run("%sql select :v", ok=False)
    assert isinstance(reply.exception, BindingError)
    assert "v" in str(reply.exception)
    assert "transaction open" in cells.run("%sql select 1").displayed[-1]


def test_a_lone_surrogate_is_refused_and_harms_nothing(cells):
    cells.ns["v"] = "\ud800"
    assert cells.run("%sql select :v", ok=False).exception.kind == "input"
    assert "1" in cells.run("%sql select 1").value


def test_what_the_server_cannot_infer_gets_the_cast_as_advice(cells):
    cells.ns["v"] = None
    reply = cells.run("%sql select pg_typeof(:v), jsonb_build_array(:v)", ok=False)
    assert reply.exception.sqlstate == "42P18"
    assert ":name::" in reply.exception.advice
