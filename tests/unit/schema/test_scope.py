"""What a statement puts in scope, finished or not, and the columns that come of it."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.catalogs import flights, hostile
from tests.sql_texts import sql_texts
from tusk_jupyter.schema.outputs import columns_of, outputs, relation_of
from tusk_jupyter.schema.scope import path_to, read, visible

SOURCES = {
    "select | from flights": ["flights"],
    "select | from flights f": ["flights f"],
    "select | from flights as f, public.airlines": ["flights f", "public.airlines"],
    'select | from "Order" as "O"': ["Order O"],
    "select | from FLIGHTS F": ["flights f"],
    "select | from only flights * f": ["flights f"],
    "select | from shop.public.flights": ["public.flights"],
    "select | from flights f join airlines a using (carrier) left join planes on true": ["flights f", "airlines a", "planes"],
    "select | from flights natural join airlines cross join planes p": ["flights", "airlines", "planes p"],
    "select | from ((flights f join airlines a on true) join planes on true)": ["flights f", "airlines a", "planes"],
    "select | from (select 1) x, lateral (select 2) y": [" x", " y"],
    "select | from generate_series(1, 2) with ordinality as g(i, n)": ["generate_series g"],
    "select | from rows from (now(), now()) r": [" r"],
    "select | from flights tablesample system (1) where a": ["flights"],
    "select a is distinct from |b from flights": ["flights"],
    "select distinct | from flights": ["flights"],
    "select extract(epoch from |x) from flights": ["flights"],
    "select count(| from flights where x": ["flights"],
    "select (select count(| from airlines) from flights": ["airlines", "flights"],
    "select | from flights where a in (1, 2 order by": ["flights"],
    "select * from flights where exists (select 1 from airlines where |)": ["airlines", "flights"],
    "select * from (select | from airlines) a, flights": ["airlines", " a", "flights"],
    "select 1 from airlines union select | from flights": ["flights"],
    "(select 1 from airlines) union all (select | from flights)": ["flights"],
    "select 1 from airlines\n\nselect | from flights": ["flights"],
    "select 1 from flights for update of |": ["flights"],
    "update flights f set | from airlines": ["flights f", "airlines"],
    "update only flights set |": ["flights"],
    "delete from flights using airlines where |": ["flights", "airlines"],
    "insert into flights (|": ["flights", "flights excluded"],
    "insert into flights as f select | from airlines": ["airlines"],
    "insert into flights select 1 from airlines on conflict do update set |": ["flights", "flights excluded"],
    "insert into flights (a) values (1) returning |": ["flights", "flights excluded"],
    "insert into flights (a) select 1 from airlines returning |": ["flights", "flights excluded"],
    "merge into flights f using airlines a on | when matched then update set x = 1": ["flights f", "airlines a"],
    "merge into flights f using (select 1) a on true when not matched then insert (x) values (|": ["flights f", " a"],
    "with a as (select 1) select | from a, flights": ["a", "flights"],
    "with a as (select | from flights) select 1 from a": ["flights"],
    "with a as (select | from flights": ["flights"],
    "with recursive a(x) as (select 1 union all select | from a) search depth first by x set y, b as (select 1) table a": ["a"],
    "with a as (insert into flights (b) select | from airlines returning *) select 1": ["airlines"],
    "create view v as with a as (select 1) select | from a": ["a"],
    "create table t as select | from flights": ["flights"],
    "insert into flights with a as (select 1) select | from a": ["a"],
    "explain (analyze) select | from flights": ["flights"],
    "copy (select | from flights) to stdout": ["flights"],
    "declare c cursor for select | from flights": ["flights"],
    "select | from": [],
    "select | from where": [],
    "select | from flights join": ["flights"],
    "select | from flights join on": ["flights"],
    "select | from public. where": ["public."],
    "select | from flights, ": ["flights"],
    "select | from flights f order by (select 1 from airlines)": ["flights f"],
    "grant select | on flights": [],
    "select | from (values (1, 2)) as v(a, b)": [" v"],
    "|": [],
}


def shown(source):
    schema = f"{source.schema}." if source.schema else ""
    return f"{schema}{source.name}" + (f" {source.alias}" if source.alias else "")


def scope(marked):
    offset = marked.index("|")
    text = marked.replace("|", "")
    return text, path_to(read(text), offset)


@pytest.mark.parametrize("marked", SOURCES)
def test_what_is_in_scope(marked):
    text, path = scope(marked)
    found = list(visible(path))
    assert [shown(source) for source in found] == SOURCES[marked]
    for source in found:
        if source.kind == "relation" and source.name:
            assert source.name.lower() in text[source.start : source.end].lower()


COLUMNS = {
    "select | from airlines": {"airlines": "carrier text, name text"},
    "select | from airlines a(x)": {"a": "x text, name text"},
    "select | from (select f.carrier as c, dep_delay / 2, avg(dep_delay), a.name::text, case when true then 1 end, distance d, now(), a.* from flights f join airlines a using (carrier)) x": {
        "x": "c text, ?column? , avg , name text, case , d integer, now timestamp with time zone, carrier text, name text"
    },
    "select | from (select * from flights join airlines using (carrier)) x": {"x": "year smallint, month smallint, day smallint, dep_time smallint, sched_dep_time smallint, dep_delay integer, arr_time smallint, sched_arr_time smallint, arr_delay integer, carrier text, flight smallint, tailnum text, origin iata_code, dest iata_code, air_time integer, distance integer, hour smallint, minute smallint, time_hour timestamp with time zone, name text"},
    "with a(x, y) as (select carrier, count(*) from flights group by 1) select | from a": {"a": "x text, y bigint"},
    "with recursive a(n) as (select 1 union all select n + 1 from a) select | from a": {"a": "n "},
    "with recursive a as (select * from a) select | from a": {"a": None},
    "with a as (insert into airlines values ('x', 'y') returning name as n, *) select | from a": {"a": "n text, carrier text, name text"},
    "with a as (delete from airlines) select | from a": {"a": ""},
    "with a as (select 1 as one), b as (select * from a) select | from b": {"b": "one "},
    "with flights as (select 1 as one) select | from flights": {"flights": "one "},
    "with flights as (select 1 as one) select | from public.airlines, flights": {"airlines": "carrier text, name text", "flights": "one "},
    "select | from (values (1, 2), (3, 4)) v": {"v": "column1 , column2 "},
    "select | from (values (1, 2)) v(a)": {"v": "a , column2 "},
    "select | from json_to_record('{}') as r(a int, b text)": {"r": "a int, b text"},
    "select | from jsonb_each('{}') with ordinality": {"jsonb_each": "key text, value jsonb, ordinality bigint"},
    "select | from now() n": {"n": "n timestamp with time zone"},
    "select | from nothing": {"nothing": None},
    "select | from (select * from nothing) x": {"x": None},
    "select | from (select distinct on (carrier, name) carrier from airlines) x": {"x": "carrier text"},
    "select | from (select 1::int4, 'x'::text as t, true, array[1], (select 2)) x": {"x": "int4 int4, t text, true , array , ?column? "},
    "select | from (table airlines) x": {"x": "carrier text, name text"},
    "select | from (select carrier from airlines union select 1) x": {"x": "carrier text"},
}  # fmt: skip


@pytest.mark.parametrize("marked", COLUMNS)
def test_columns_of_what_is_in_scope(marked):
    _, path = scope(marked)
    found = {source.called: columns_of(source, path, flights()) for source in visible(path)}
    texts = {name: columns if columns is None else ", ".join(f"{c.name} {c.type}" for c in columns) for name, columns in found.items()}
    assert texts == COLUMNS[marked]


def test_functions_with_tables_for_results():
    _, path = scope("select | from top_orders(3), orders_of('x') o, public.top_orders() t(a)")
    names = [[c.name for c in columns_of(source, path, hostile())] for source in visible(path)]
    assert names == [["id", "total"], ["id", "customer_id", "mood", "placed"], ["a", "total"]]


def test_the_relation_of_a_source_is_not_that_of_a_cte():
    _, path = scope("with airlines as (select 1) select | from airlines, flights")
    assert [relation_of(source, path, flights()) and source.name for source in visible(path)] == [None, "flights"]


def test_a_thousand_ctes_that_refer_to_each_other_come_to_an_end():
    names = [f"c{n}" for n in range(1000)]
    body = ", ".join(f"{name} as (select * from c{(n + 1) % 1000})" for n, name in enumerate(names))
    _, path = scope(f"with {body} select | from c1")
    assert columns_of(path[0].sources[0], path, flights()) is None


@given(sql_texts)
def test_any_text_is_read(text):
    query = read(text)
    for offset in {0, len(text) // 2, len(text)}:
        path = path_to(query, offset)
        for source in visible(path):
            columns_of(source, path, flights())
        outputs(path[0], path, flights())
