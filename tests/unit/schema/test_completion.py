"""What is offered at the cursor, ``|`` in these texts: the first items, what must and what must not be among them."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest

from tests.catalogs import catalog, flights, hostile, relation
from tests.completion_cases import FLIGHTS, HOSTILE
from tusk_jupyter.lexer import Kind, significant
from tusk_jupyter.schema.catalog import Catalog, Column, Keyword
from tusk_jupyter.schema.completion import complete
from tusk_jupyter.schema.nesting import folded, nested, unquoted
from tusk_jupyter.schema.suggestions import Suggestion

NAMES = (Suggestion("origin", "parameter", "str"), Suggestion("limit_", "parameter", "int"))
NAMED = {
    "table", "view", "materialized view", "foreign table", "sequence", "index", "column", "schema", "alias", "cte",
    "role", "extension", "database", "constraint",
}  # fmt: skip


def asked(marked, known):
    cursor = marked.index("|")
    return complete(marked.replace("|", "", 1), cursor, known, names=NAMES)


def texts(marked, known):
    return [item.text for item in asked(marked, known).items]


@pytest.mark.parametrize(("marked", "first"), FLIGHTS)
def test_first_items_over_the_sample_data(marked, first):
    assert texts(marked, flights())[:4] == (first.split(" · ") if first else [])


@pytest.mark.parametrize(("marked", "first"), HOSTILE)
def test_first_items_over_hostile_names(marked, first):
    assert texts(marked, hostile())[:4] == (first.split(" · ") if first else [])


AMONG = [
    # text; some that must be there; some that must not
    ("select | from flights", "dep_delay avg( case exists_(", "airlines name from where flights. pg_class"),
    ("select * from |", "airlines public generate_series( lateral", "dep_delay count( where select avg("),
    ("select * from flights |", "where join group_by order_by limit union", "select dep_delay flights set values"),
    ("select * from flights where |", "dep_delay flights not exists_( date_trunc(", "airlines name from group_by *"),
    ("select * from flights where dep_delay |", "and or is_null in_( between group_by", "dep_delay select from airlines"),
    ("select * from flights f where f.|", "dep_delay carrier *", "f flights count( and not"),
    ("update flights set |", "dep_delay", "count( airlines where *"),
    ("update flights set dep_delay = |", "dep_delay default null coalesce_(", "where * airlines"),
    ("insert into airlines (|", "carrier name select", "dep_delay count( values_("),
    ("insert into airlines (carrier, name) values (|", "default null now()", "carrier name * from"),
    ("insert into airlines values (ma|", "make_date(", "max("),
    ("select * from flights where su|", "substr(", "sum("),
    ("update flights set dep_delay = a|", "abs(", "avg("),
    ("select * from flights group by carrier having ra|", "random()", "row_number("),
    ("create index on flights (m|", "month", "max("),
    ("insert into |", "airlines", "generate_series( select where lateral"),
    ("delete from |", "airlines only", "generate_series( where"),
    ("select a::|", "integer text timestamptz iata_code plane_type", "dep_delay count( from"),
    ("drop view |", "if_exists", "airlines flights"),
    ("drop table |", "airlines flights if_exists", "count( select"),
    ("alter table flights |", "add_column drop_column rename_to owner_to", "select where cascade"),
    ("select row_number() |", "over_( from", "dep_delay"),
    ("select count(*) |", "from filter_(where over_(", "dep_delay"),
    ("set |", "search_path work_mem local role", "select airlines"),
    ("show |", "search_path all", "to ="),
    ("explain |", "analyze select verbose", "airlines"),
    ("select * from flights f join airlines a on a.carrier = f.carrier |", "and where left_join order_by", "on using_("),
    ("select * from flights order by dep_delay |", "desc nulls_last limit", "where group_by dep_delay"),
    ("select * from flights limit |", "all", "where dep_delay"),
    ("with x as (select 1) |", "select insert_into update delete_from", "where from"),
    ("select * from pg|", "pg_catalog pg_class pg_settings", "airlines"),
    ("select case when true |", "then and or", "case"),
    ("select case when true then 1 |", "when else end", "then"),
    ("select extract(|", "year epoch dow", "dep_delay"),
    ("select * from flights f where exists (|", "select with", "airlines"),
    ("grant |", "select all_privileges analyst", "airlines dep_delay"),
    ("grant select on |", "flights all_tables_in_schema schema", "dep_delay analyst"),
    ("create table t (id |", "integer bigint text serial", "dep_delay select"),
    ("create table t (id integer |", "primary_key not_null default references", "integer select"),
    ("copy flights |", "from to", "where"),
    ("begin |", "read_only isolation_level_serializable", "select"),
    ("select f.carrier, a.| from flights f, airlines a", "carrier name", "dep_delay"),
    ("select * from (select carrier from flights) x where |", "carrier x", "dep_delay"),
    ("select * from (select | from airlines) x, flights f", "carrier name", "dep_delay f"),
    ("select * from flights f, lateral (select | from airlines) x", "carrier name dep_delay f", "x"),
    ("select * from lateral (select | from airlines) x, flights f", "carrier name", "dep_delay f"),
    ("select (select | from airlines) from flights", "carrier name dep_delay", "faa"),
    ("with q as (select carrier from flights) select | from q", "carrier", "dep_delay"),
    ("with q as (select carrier from flights) select * from q, |", "q airlines", "carrier"),
    ("with a as (select | from b), b as (select 1 as one) select 2", "count(", "dep_delay"),
    ("select 1 from airlines union select | from planes", "tailnum", "carrier"),
    ("merge into airlines a using flights f on true when matched then update set |", "name carrier", "dep_delay"),
    ("select | from airlines a join flights f using (carrier)", "carrier name dep_delay", "a.carrier f.carrier"),
    ("select | from airlines a join flights f on true", "a.carrier f.carrier name dep_delay", "carrier"),
    ("delete from flights using airlines where |", "flights.carrier airlines.carrier name dep_delay", "carrier"),
    ("select * from flights where carrier in (|", "select carrier", "in_( where"),
    ("vacuum (|", "full analyze", "flights"),
    ("create index on flights using |", "btree gin brin", "dep_delay"),
    ("reset |", "all search_path", "to"),
    ("alter table flights alter column dep_delay |", "type set_not_null drop_default", "dep_delay cascade"),
    ("comment on |", "table column", "flights"),
    ("truncate flights |", "cascade restart_identity", "flights"),
    ("select dep_delay from flights where dep_delay > 5 and |", "arr_delay", "where from"),
    ("select dep_|", "dep_delay dep_time", "sched_arr_time arr_delay"),
    ("select delay|", "dep_delay arr_delay", "dep_time"),
    ("select x.| from flights f", "", "dep_delay"),
    ("select cash|", "cash_words(", "cashlarger("),
    ("select pg_catalog.cash|", "cashlarger(", ""),
    ("select carrier as |", "", "carrier from dep_delay"),
    ("select * from flights as |", "", "where flights"),
]  # fmt: skip


@pytest.mark.parametrize(("marked", "present", "absent"), AMONG)
def test_what_is_offered_and_what_is_not(marked, present, absent):
    found = set(texts(marked, flights()))
    assert {name.replace("_(", " (") if name.endswith("_(") else name for name in present.split()} <= {
        *found, *(text.replace(" ", "_") for text in found)
    }  # fmt: skip
    assert not set(absent.split()) & found


@pytest.mark.parametrize(("marked", "known"), [(m, flights) for m, _ in FLIGHTS] + [(m, hostile) for m, _ in HOSTILE])
def test_what_is_put_into_the_text_reads_back_as_the_name(marked, known):
    text, found = marked.replace("|", "", 1), asked(marked, known())
    begin = found.start if "$" in text else 0  # in the body of a function the whole is one token
    for item in (*found.items[:30], *found.items[30::31]):
        new = text[: found.start] + item.text + text[found.end :]
        alone = [item.text[token.start : token.end] for token in significant(item.text)]
        inside = [token for token in significant(new, begin) if found.start <= token.start < found.start + len(item.text)]
        assert [new[token.start : token.end] for token in inside] == alone, new
        if item.kind in NAMED and item.text != "*":
            last = inside[-1]
            part = new[last.start : last.end]
            name = unquoted(part) if last.kind is Kind.QUOTED_IDENTIFIER else folded(part)
            assert name in known_names(known) | set(words(text)), (item, name)


@functools.cache
def known_names(made):
    known = made()
    names = {name for schema in known.by_schema.values() for name in schema}
    names |= {column for relation in known.relations() for column in relation.column_names}
    names |= {*known.schemas, *(name for kind in known.names.values() for name in kind), *(k.name for k in known.keys)}
    return frozenset(names | {"excluded", "count", "total"})


def words(text):
    """The names that the statement itself gives."""
    return {token.name for token in flat(nested(text)) if token.name}


def flat(items):
    for item in items:
        yield item
        yield from flat(item.inside or ())


def test_keywords_follow_the_case_that_is_typed():
    assert texts("SELECT * FROM flights |", flights())[:2] == ["WHERE", "JOIN"]
    assert texts("SELECT * FROM flights wh|", flights()) == ["where"]
    assert texts("select * from flights WH|", flights()) == ["WHERE"]
    assert texts("SELECT coun|", flights()) == ["count("]
    assert texts("SELECT COUN|", flights()) == ["COUNT("]


def test_signatures_say_what_a_thing_is():
    shown = {item.text: (item.kind, item.signature) for item in asked("select | from flights", flights()).items}
    assert shown["dep_delay"] == ("column", "integer")
    assert shown["count("] == ("function", 'count("any") → bigint (+1)')
    assert shown["now()"] == ("function", "now() → timestamp with time zone")
    tables = {item.text: (item.kind, item.signature) for item in asked("select * from |", flights()).items}
    assert tables["airlines"] == ("table", "Carriers by their two-letter code")


def test_what_is_replaced():
    found = asked("select f.dep_|delay from flights f", flights())
    assert (found.start, found.end) == (9, 18)
    assert asked("select * from planes where type = 'R|", flights()).start == 34
    assert asked("select | from flights", flights()).start == asked("select | from flights", flights()).end == 7


def test_a_parenthesis_that_is_there_already_is_not_put_twice():
    assert texts("select coun|(*) from flights", flights()) == ["count"]
    assert "in" in texts("select * from flights where dep_delay i|(1, 2)", flights())


def test_nothing_is_offered_in_comments_strings_and_numbers():
    for marked in ("-- sel|", "/* sel| */", "select 'sel|", "select 'sel|'", "select $$ sel| $$", "select 12|", "select $1|",
                   'select U&"a|', "select e'a|'", "select 'a'|"):  # fmt: skip
        assert texts(marked, flights()) == []


def test_an_empty_catalog_has_keywords_and_what_the_statement_says():
    assert texts("select * from t |", Catalog())[0] == "where"
    assert texts("with q as (select 1 as one) select o| from q", Catalog())[0] == "one"
    assert texts("|", Catalog())[0] == "select"
    assert texts("select * from left_|", Catalog()) == []


def test_the_servers_keywords_decide_what_is_quoted():
    table = relation("public", "t", "shiny integer; left integer; time integer")
    assert texts("select | from t", catalog([table]))[1:4] == ["shiny", '"left"', "time"]
    newer = replace(catalog([table]), keywords=(Keyword("shiny", "R"), Keyword("left", "T")))
    assert texts("select | from t", newer)[1:4] == ['"shiny"', '"left"', "time"]
    assert texts("select | from t", catalog([table], keywords=()))[1:4] == ["shiny", '"left"', "time"]


def test_another_search_path_is_another_order():
    path = hostile().with_search_path(["pg_catalog", "app"])
    assert texts("select * from ord|", path)[:2] == ["orders", 'public."Order"']
    assert texts("select * from orders where |", path)[:2] == ["id", "customer_id"]


def test_columns_of_all_tables_while_no_from_says_which():
    items = asked("select seat|", flights()).items
    assert [(item.text, item.signature) for item in items] == [("seats", "integer of planes")]


def test_many_columns_are_all_offered():
    many = catalog([relation("public", "t", [Column(f"c{n}", "integer") for n in range(1600)])])
    assert len([text for text in texts("select t.| from t", many) if text.startswith("c")]) == 1600


def test_names_of_the_notebook_stand_behind_a_colon():
    assert texts("select * from flights where origin = :|", flights()) == ["origin", "limit_"]
    assert texts("select * from flights where origin = :o|", flights()) == ["origin"]
    assert texts("select * from flights where origin = |", flights())[0] == ":origin"
    assert texts("select dep_delay::|", flights())[0] == "integer"
    assert "origin" not in texts("select (array[1])[1:|]", flights())


def test_in_front_of_a_word_a_space_keeps_them_apart():
    assert texts("select |from flights", flights())[:2] == ["* ", "year "]
    assert texts("select * from flights |where true", flights())[0] == "where "
