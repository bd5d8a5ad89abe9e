"""What is said of the thing at the cursor."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import catalogs
from tusk_jupyter.queries.classify import STATEMENT_KEYWORDS
from tusk_jupyter.schema.catalog import Catalog
from tusk_jupyter.schema.inspection import inspect
from tusk_jupyter.schema.synopses import SYNOPSES


def at(marked, catalog=None):
    cursor = marked.index("|")
    return inspect(marked.replace("|", "", 1), cursor, catalog or catalogs.flights())


def named(marked, catalog=None):
    sheet = at(marked, catalog)
    return (sheet.kind, sheet.title) if sheet is not None else None


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("select * from fl|ights", ("table", "flights")),
        ("select * from flights|", ("table", "flights")),
        ("select * from |flights", ("table", "flights")),
        ("select * from public.fli|ghts", ("table", "flights")),
        ("select f|.origin from flights f", ("table", "flights")),
        ("select f.ori|gin from flights f", ("column of flights", "origin")),
        ("select ori|gin from flights", ("column of flights", "origin")),
        ("select flights.ori|gin from flights", ("column of flights", "origin")),
        ("select public.flights.ori|gin from flights", ("column of flights", "origin")),
        ("select a.na|me from flights f join airlines a using (carrier)", ("column of airlines", "name")),
        ("select x.n| from (select 1 as n) x", ("column of x", "n")),
        ("with late as (select origin from flights) select * from la|te", ("subquery", "late")),
        ("with late as (select origin from flights) select ori|gin from late", ("column of late", "origin")),
        ("update flights set ori|gin = 'EWR'", ("column of flights", "origin")),
        ("insert into flig|hts (origin) values (1)", ("table", "flights")),
        ("select date_tr|unc('day', now())", ("function", "date_trunc")),
        ("select date_trunc(|", ("function", "date_trunc")),
        ("select date_trunc('day', |", ("function", "date_trunc")),
        ("select date_trunc('day', (|", ("function", "date_trunc")),
        ("select pg_catalog.date_tr|unc('day', now())", ("function", "date_trunc")),
        ("select cou|nt(*) from flights", ("aggregate", "count")),
        ("select row_num|ber() over ()", ("window function", "row_number")),
        ("select 1::nume|ric", ("type", "numeric")),
        ("set work_m|em = '1GB'", ("setting", "work_mem")),
        ("show Work_Mem|", ("setting", "work_mem")),
        ("|select 1", ("statement", "SELECT")),
        ("sel|ect 1", ("statement", "SELECT")),
        ("select (sel|ect 1)", ("statement", "SELECT")),
        ("create table| t (a int)", ("statement", "CREATE TABLE")),
        ("cre|ate or replace view v as select 1", ("statement", "CREATE VIEW")),
        ("create unique ind|ex on flights (origin)", ("statement", "CREATE INDEX")),
        ("create materialized vi|ew v as select 1", ("statement", "CREATE MATERIALIZED VIEW")),
        ("refresh materialized view|", None),
        ("drop tab|le flights", ("statement", "DROP TABLE")),
        ("drop table fli|ghts", ("table", "flights")),
        ("with x as (sele|ct 1) select 1", ("statement", "SELECT")),
        ("select 'flig|hts'", None),
        ("select 1 -- fli|ghts", None),
        ("select nothing_li|ke_it", None),
        ("|", None),
    ],
)
def test_what_the_name_is(marked, expected):
    found = named(marked)
    assert found == expected


def test_a_relation_has_columns_keys_who_refers_to_it_and_how_large_it_is():
    sheet = at("select * from flig|hts")
    assert sheet.lead[0] == "about 336,776 rows"
    rows = {row[0]: row[1:] for row in sheet.rows}
    assert rows["carrier"][2].endswith("→ airlines (carrier)")
    sheet = at("select * from air|lines")
    assert ("referred to by", "flights (carrier)") in sheet.facts
    assert sheet.rows[0][3] == "primary key"


def test_keys_of_several_columns_and_tables_that_are_not_on_the_search_path():
    sheet = at("select * from sales.custo|mers", catalogs.hostile())
    assert sheet.title == "customers"
    assert at("select * from app.custo|mers", catalogs.hostile()).title == "app.customers"
    assert ("foreign key", "(region_code, region_no) → regions (code, no)") in sheet.facts
    assert ("referred to by", "orders (customer_id)") in sheet.facts
    assert at("select * from sales.employ|ees", catalogs.hostile()).facts == (("referred to by", "employees (manager_id)"),)


def test_names_that_need_quotes():
    catalog = catalogs.hostile()
    assert named('select * from "Or|der"', catalog) == ("table", "Order")
    assert named('select "Customer Id|" from "Order"', catalog) == ("column of Order", "Customer Id")
    assert named("select * from mixedCA|SE", catalog) == ("table", "mixedcase")
    assert named('select * from "MixedCa|se"', catalog) == ("table", "MixedCase")
    assert named("select 数量| from 数据", catalog) == ("column of 数据", "数量")
    assert named('select "Odd Schema"."a b|" from x', catalog) == ("table", "Odd Schema.a b")
    assert named('select from "we""ird|"', catalog) == ("table", 'we"ird')


def test_a_wide_table_is_cut_and_says_so():
    sheet = at("select * from wi|de", catalogs.hostile())
    assert len(sheet.rows) == 200
    assert sheet.left_out == "and 1,400 more columns"


def test_a_column_says_what_may_stand_in_it():
    sheet = at("select moo|d from app.orders", catalogs.hostile())
    facts = dict(sheet.facts)
    assert facts["type"] == "app.mood"
    assert facts["values"].split(", ")[0] in facts["values"]


def test_signatures_of_a_function_all_of_them():
    sheet = at("select date_trunc(|")
    signatures = {row[0]: row[1] for row in sheet.rows}
    assert signatures["date_trunc(text, timestamp with time zone)"] == "timestamp with time zone"
    assert len(signatures) >= 3


def test_a_setting_says_its_unit_and_who_may_set_it():
    facts = dict(at("set work_m|em = 1").facts)
    assert facts["unit"] == "kB"
    assert facts["context"] == "set by anybody"


def test_every_statement_has_a_synopsis_that_fits_into_a_line_or_two():
    words = {name.split()[0] for name in SYNOPSES}
    assert words == STATEMENT_KEYWORDS
    assert max(map(len, SYNOPSES.values())) < 200
    for name, line in SYNOPSES.items():
        assert all(word in line for word in name.split() if word != "ANALYSE"), name
        kind, title = named(f"|{name.lower()} x")
        assert (kind, title) == ("statement", name)


@settings(deadline=None)
@given(st.text(alphabet="select from flights f.,()'\"\\:;$origin 🐘\n", max_size=60), st.integers(0, 60))
def test_never_fails(text, cursor):
    for catalog in (catalogs.flights(), Catalog()):
        inspect(text, min(cursor, len(text)), catalog)
