"""``%tusk describe`` and ``%tusk ddl`` in a cell: what is shown, what is returned, where it is asked."""

from __future__ import annotations

import pandas as pd
import pytest

TABLES = """%%sql
create schema "my app";
create table "my app"."Order" (id int primary key, "what <b>" text not null default 'x', seen timestamptz);
create table trip (id int primary key, "order" int references "my app"."Order", check (id > 0));
comment on column trip.id is E'a \\u202e b';
create view trips as select * from trip
"""


def value_of(cells, line):
    assert cells.run(f"found = {line}").outputs == []
    return cells.ns["found"]


@pytest.fixture(autouse=True)
def _tables(cells):
    cells.run(TABLES)


def test_describe_shows_what_psql_shows_and_returns_the_columns(cells):
    reply = cells.run('%tusk describe "my app"."Order"')
    assert 'Table "my app.Order"' in str(reply.value)
    assert '"Order_pkey" PRIMARY KEY, btree (id)' in str(reply.value)
    assert 'TABLE "trip" CONSTRAINT "trip_order_fkey"' in str(reply.value)
    frame = value_of(cells, '%tusk describe "my app"."Order"')
    assert isinstance(frame, pd.DataFrame)
    assert frame["column"].tolist() == ["id", "what <b>", "seen"]
    assert frame["nullable"].tolist() == ["not null", "not null", ""]
    assert list(frame)[:5] == ["column", "type", "collation", "nullable", "default"]
    assert frame.attrs == {}
    html = frame._repr_html_()
    assert "what &lt;b&gt;" in html
    assert "<b>" not in html


def test_it_is_shown_once(cells):
    reply = cells.run("%tusk describe trip")
    assert reply.displayed == []
    assert "\\u202e" in str(reply.value)


def test_a_pattern_and_several_names(cells):
    frame = value_of(cells, "%tusk describe trip*")
    assert 'View "public.trips"' in str(frame)
    frame = value_of(cells, '%tusk describe trip "my app".*')
    assert set(frame["listing"]) == {'Table "public.trip"', 'Table "my app.Order"', 'Index "my app.Order_pkey"'}


def test_what_is_not_there_fails_with_near_names_and_leaves_the_transaction(cells, connection):
    cells.run("%sql begin")
    error = cells.run("%tusk describe tripp", ok=False).exception
    assert error.message == "there is no relation named 'tripp'"
    assert "Did you mean trip" in error.advice
    assert connection.live_session.transaction_status == "INTRANS"
    cells.run("%sql rollback")


def test_it_sees_the_session(cells):
    cells.run('%%sql\ncreate temp table mine (a int); set search_path = "my app", public')
    assert "pg_temp" in str(cells.run("%tusk describe mine").value)
    assert 'Table "my app.Order"' in str(cells.run('%tusk describe "Order"').value)


def test_it_is_asked_where_it_is_said(cells, tusk, database):
    cells.run(f"%tusk_connect {database} --name other")
    cells.run("%tusk use db")
    assert 'Table "public.trip"' in str(cells.run("%tusk describe trip --connection other").value)
    assert tusk.connections.get("other").live_session is not None


@pytest.mark.parametrize("line", ["describe", "ddl", "describe --connection db", "describe trip --nope", "ddl trip -- x"])
def test_what_is_not_understood(cells, line):
    error = cells.run(f"%tusk {line}", ok=False).exception
    assert error.advice


def test_ddl_is_text_to_read_and_a_str(cells):
    script = value_of(cells, "%tusk ddl trip")
    assert isinstance(script, str)
    expected = [
        "create table public.trip (",
        "    id integer not null,",
        '    "order" integer,',
        "    constraint trip_pkey PRIMARY KEY (id),",
        "    constraint trip_id_check CHECK ((id > 0))",
        ");",
        "alter table public.trip",
        '    add constraint trip_order_fkey FOREIGN KEY ("order") REFERENCES "my app"."Order"(id);',
        "comment on column public.trip.id is 'a \u202e b';",
    ]
    assert script.splitlines() == expected
    assert script.endswith("\n")
    [output] = cells.run("%tusk ddl trip").outputs
    assert output["output_type"] == "execute_result"
    assert output["data"]["text/plain"] == script.rstrip("\n").replace("\u202e", "\\u202e")
    assert output["data"]["text/html"].startswith("<pre")
    assert "\u202e" not in output["data"]["text/html"]


def test_ddl_leaves_the_search_path_and_the_transaction_as_they_are(cells):
    def path():
        cells.run("shown = %sql show search_path")
        return cells.ns["shown"].iloc[0, 0]

    mine = '"my app", public'
    cells.run(f"%%sql\nset search_path = public; begin; set local search_path = {mine}")
    assert '"my app"."Order"' in value_of(cells, '%tusk ddl "Order"')
    assert path() == mine
    cells.run("%tusk ddl nothing_like_it", ok=False)
    assert path() == mine
    cells.run("%sql rollback")
    assert path() == "public"
    cells.run("%tusk ddl trip")
    assert path() == "public"


def test_ddl_in_a_failed_transaction_says_where_it_asked(cells):
    cells.run("%%sql\nbegin; select 1 / 0", ok=False)
    reply = cells.run("%tusk ddl trip")
    assert "create table public.trip" in reply.value
    assert "the transaction has failed" in " ".join(reply.displayed)
    cells.run("%sql rollback")
