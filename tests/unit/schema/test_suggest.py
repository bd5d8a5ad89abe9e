"""Did you mean: what is said of a refused name, and where the edit goes, with the catalog of the sample data."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.catalogs import catalog, flights, foreign, hostile, relation
from tests.sql_texts import sql_texts
from tusk_jupyter.schema.suggest import CODES, Refused, suggest
from tusk_jupyter.schema.suggest_words import LONGEST, Suggested


def refused(code, sql, message="x"):
    """A statement with ``|`` where the server points, or without."""
    offset = sql.find("|")
    return Refused(code, message, sql.replace("|", "", 1), offset if offset >= 0 else None)


def after(code, sql, message="x", known=None):
    """The statement as the suggestion would have it."""
    asked = refused(code, sql, message)
    found = suggest(asked, known or flights())
    if found is None or found.correction is None:
        return None
    edit = found.correction
    return asked.statement[: edit.start] + edit.replacement + asked.statement[edit.end :]


CORRECTED = [
    ("42703", "select |dep_dely from flights", "select dep_delay from flights"),
    ("42703", "select\n\t|f . dep_dely\nfrom flights f", "select\n\tf . dep_delay\nfrom flights f"),
    ("42703", "select '漢', |carier /* carier */ from flights", "select '漢', carrier /* carier */ from flights"),
    ("42703", 'select |"Origin" from flights', "select origin from flights"),
    ("42703", 'select 1 from flights where origin = |"O\'Hare"', "select 1 from flights where origin = 'O''Hare'"),
    ("42703", 'select * from airlines where name == |"United Air Lines Inc."', "select * from airlines where name = 'United Air Lines Inc.'"),
    ("42703", 'select * from airlines where name==|"UA" limit 1', "select * from airlines where name='UA' limit 1"),
    ("42703", 'select * from airlines where name ==\n|"U A"', "select * from airlines where name ==\n'U A'"),
    ("42703", 'select * from airlines where name ~* |"^united "', "select * from airlines where name ~* '^united '"),
    ("42703", "select |a.dest from flights f, airlines a", "select f.dest from flights f, airlines a"),
    ("42703", "select dep_delay/60.0 h from flights where |h > 1", "select dep_delay/60.0 h from flights where (dep_delay/60.0) > 1"),
    ("42703", "select (select |nam from airlines) from flights", "select (select name from airlines) from flights"),
    ("42703", "select 1 from flights f where exists (select 1 from airlines where carrier = |f.carier)",
     "select 1 from flights f where exists (select 1 from airlines where carrier = f.carrier)"),
    ("42703", "update flights set |dep_dely = 1", "update flights set dep_delay = 1"),
    ("42703", "insert into airlines (|nmae) values ('x')", "insert into airlines (name) values ('x')"),
    ("42P01", "select * from |flihgts f", "select * from flights f"),
    ("42P01", "select |flights.dest from flights f", "select f.dest from flights f"),
    ("42P01", "with late as (select 1) select * from |lates", "with late as (select 1) select * from late"),
    ("42P01", "delete from |public . flihgts", "delete from public.flights"),
    ("42883", "select |coutn(*) from flights", "select count(*) from flights"),
]  # fmt: skip
AMBIGUOUS = "select |carrier from flights f join airlines a on true cross join airports p"
BY_MESSAGE = [
    ("42P01", "drop table flihgts", 'table "flihgts" does not exist', "drop table flights"),
    ("42P01", "drop table flihgts", "Tabelle »flihgts« existiert nicht", "drop table flights"),
    ("42703", "create index on flights (tail_num)", 'column "tail_num" does not exist', "create index on flights (tailnum)"),
    ("42703", "comment on column flights.dep_dely is 'x'", 'column "dep_dely" of relation "flights" does not exist',
     "comment on column flights.dep_delay is 'x'"),
    ("42883", "select |round(lat + lon, 1) from airports", "function round(double precision, integer) does not exist",
     "select round((lat + lon)::numeric, 1) from airports"),
    ("42883", "select |upper(flight) from flights", "function upper(smallint) does not exist", "select upper(flight::text) from flights"),
    ("42883", "select |upper(flight) from flights", "Funktion upper(smallint) existiert nicht", "select upper(flight::text) from flights"),
    ("42883", "select 1 from flights where month |like '1%'", "operator does not exist: smallint ~~ unknown",
     "select 1 from flights where month::text like '1%'"),
    ("42883", "select 1 from flights where month not |like '1%'", "operator does not exist: smallint !~~ unknown",
     "select 1 from flights where month::text not like '1%'"),
    ("42883", "select 1 from flights where carrier |= 5", "operator does not exist: text = integer",
     "select 1 from flights where carrier = '5'"),
    ("42883", "select name |+ ' x' from airlines", "operator does not exist: text + unknown", "select name || ' x' from airlines"),
    ("42883", "select 1 from flights where carrier |== 'UA'", "operator does not exist: text == unknown",
     "select 1 from flights where carrier = 'UA'"),
    ("3F000", "create table pubic.x (a int)", 'schema "pubic" does not exist', "create table public.x (a int)"),
    ("42704", "select 1::|integr", 'type "integr" does not exist', "select 1::integer"),
    ("42704", "set statement_timeot = 1", 'unrecognized configuration parameter "statement_timeot"', "set statement_timeout = 1"),
    ("42704", "grant select on flights to analist", 'role "analist" does not exist', "grant select on flights to analyst"),
]  # fmt: skip


def test_an_ambiguous_column_is_spelt_for_the_tables_that_have_it():
    found = suggest(refused("42702", AMBIGUOUS), flights())
    assert found.advice == "Say which table's: `f.carrier` or `a.carrier`"
    assert found.correction is None
    assert suggest(refused("42702", AMBIGUOUS.replace("airports p", "unknown_here p")), flights()) is None


SILENT = [
    ("42703", "select |passengers from flights", ""),
    ("42703", "select |dep_dely from flights, unknown_here", ""),  # it may have the column
    ("42703", "select |custmer from json_to_record('{}') as r", ""),
    ("42P01", "select * from |flights", ""),  # the catalog has it: the session knows better
    ("42P01", "select * from |flights_2013", ""),
    ("42P01", "select * from pg_temp.|flihgts", ""),
    ("42883", "select |sum(carrier) from flights", "function sum(text) does not exist"),
    ("42883", "select |nvl(dep_delay, 0) from flights", "function nvl(integer, integer) does not exist"),
    ("42883", "select 1 from flights where time_hour |= 2013", "operator does not exist: timestamp with time zone = integer"),
    ("42883", "select a * lat |% 2 from airports", "operator does not exist: double precision % integer"),
    ("42704", "select 1::|string", 'type "string" does not exist'),
    ("42601", "selct 1", 'syntax error at or near "selct"'),
    ("42703", "", ""),
    ("42P01", "|", ""),
]


@pytest.mark.parametrize(("code", "sql", "expected"), CORRECTED, ids=lambda value: str(value)[:60])
def test_corrected(code, sql, expected):
    assert after(code, sql) == expected


@pytest.mark.parametrize(("code", "sql", "message", "expected"), BY_MESSAGE, ids=lambda value: str(value)[:60])
def test_corrected_by_what_the_message_names(code, sql, message, expected):
    assert after(code, sql, message) == expected


@pytest.mark.parametrize(("code", "sql", "message"), SILENT, ids=lambda value: str(value)[:60])
def test_silence(code, sql, message):
    assert suggest(refused(code, sql, message), flights()) is None


def test_the_advice_says_where_it_is():
    assert suggest(refused("42703", "select |dep_dely from flights"), flights()).advice == "`dep_delay` is in `flights`"
    joined = suggest(refused("42703", "select |tzone from flights f"), flights())
    assert joined == Suggested(
        "`tzone` is not in FROM, but in `airports`: `join airports on airports.faa = f.origin`", len("select ")
    )


def test_a_schema_that_is_not_on_the_search_path():
    found = suggest(refused("42P01", "select * from |orders"), replace(hostile(), search_path=("pg_catalog", "public")))
    assert found.advice == "There are `app.orders` and `sales.orders`, in schemas that are not on the search_path: say which."
    assert found.correction is None
    found = suggest(refused("42P01", "select * from |addresses"), replace(hostile(), search_path=("pg_catalog", "public")))
    assert "`set search_path = public, sales`" in found.advice
    assert after("42P01", "table |addresses", known=replace(hostile(), search_path=("pg_catalog",))) == "table sales.addresses"


def test_names_are_quoted_where_they_need_it():
    names = catalog([relation("public", 'a"b', '"Select me" text'), relation("public", "x", "select integer")])
    assert after("42703", 'select |select_me from "a""b"', known=names) == 'select "Select me" from "a""b"'
    assert after("42703", "select |selct from x", known=names) == 'select "select" from x'


def test_what_is_not_loaded_is_not_judged():
    for code in CODES:
        for _, sql, *_ in (*CORRECTED, *BY_MESSAGE):
            assert suggest(refused(code, sql, 'x "flihgts"'), replace(flights(), loaded=frozenset())) is None
    partly = replace(flights(), loaded=frozenset({"schemas", "relations"}))
    assert after("42P01", "select * from |flihgts", known=partly) == "select * from flights"
    assert suggest(refused("42703", "select |dep_dely from flights"), partly) is None


def test_a_long_statement_is_left_alone():
    assert suggest(refused("42703", f"select |dep_dely, {'1, ' * LONGEST}1 from flights"), flights()) is None


def test_two_foreign_keys_to_one_table_are_both_named():
    known = catalog(
        [relation("public", "trips", "a_id integer; b_id integer"), relation("public", "towns", "id integer; mayor text")],
        [foreign("public", "trips", "a_id", "public.towns", "id"), foreign("public", "trips", "b_id", "public.towns", "id")],
    )
    advice = suggest(refused("42703", "select |mayor from trips"), known).advice
    assert "towns.id = trips.a_id" in advice
    assert "towns.id = trips.b_id" in advice


@given(
    st.sampled_from(sorted(CODES)),
    sql_texts | st.sampled_from([sql.replace("|", "") for _, sql, *_ in (*CORRECTED, *BY_MESSAGE)]),
    st.none() | st.integers(-2, 120),
    st.text(max_size=60) | st.sampled_from([message for *_, message, _ in BY_MESSAGE]),
    st.sampled_from([flights, hostile, catalog]),
)
def test_it_never_fails_whatever_was_refused(code, sql, offset, message, known):
    found = suggest(Refused(code, message, sql, offset), known())
    if found is not None:
        assert 0 <= found.offset <= len(sql)
        assert found.advice or found.correction
        if found.correction is not None:
            assert 0 <= found.correction.start <= found.correction.end <= len(sql)
