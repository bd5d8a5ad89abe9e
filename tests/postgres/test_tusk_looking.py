"""``%tusk schemas``, ``tables``, ``functions``, ``indexes``, ``find``: what they show, what they return, what they offer."""

from __future__ import annotations

import psycopg
import pytest

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.around_table import SHOWN_ROWS, size
from tusk_jupyter.schema.around_words import AT_MOST

SAMPLE = """%%sql
create schema app; comment on schema app is 'what the shop sells';
create table app.customers (id int primary key, email text unique, "Größe" numeric);
comment on table app.customers is 'who buys'; comment on column app.customers."Größe" is 'height in cm';
insert into app.customers select n, n || '@example.org', n from generate_series(1, 1000) n; analyze app.customers;
create table app."Order" (id int, customer int references app.customers, placed date) partition by range (placed);
create table app.order_2030 partition of app."Order" for values from ('2030-01-01') to ('2031-01-01');
create index on app."Order" (placed desc, lower(id::text)) where id > 7;
create view app.buyers as select * from app.customers; create type app.mood as enum ('sad', 'ok');
create function app.buy(customer int, item text default 'x') returns int language sql as 'select 1';
comment on function app.buy is 'a customer buys something'; create table plain (a int)
"""


@pytest.fixture
def sample(cells, connection):
    cells.run(SAMPLE)
    return cells


def found(cells, line):
    cells.run(f"table = %tusk {line}")
    return cells.ns["table"]


def listed(table, *columns):
    shown = table[list(columns)].astype(object)
    return list(shown.where(shown.notna(), None).itertuples(index=False, name=None))


def test_schemas(sample):
    table = found(sample, "schemas")
    assert list(table.columns) == ["name", "owner", "relations", "size", "rights", "comment"]
    assert listed(table, "name", "relations", "rights") == [("app", 4, "usage, create"), ("public", 1, "usage, create")]
    assert table.dtypes["size"] == table.dtypes["relations"] == "Int64"
    assert table["size"][0] > 100_000
    assert "what the shop sells" in repr(table)


def test_tables_without_a_pattern_are_all_that_are_not_the_systems(sample):
    table = found(sample, "tables")
    assert listed(table, "schema", "name", "kind") == [
        ("app", "Order", "partitioned table"), ("app", "buyers", "view"), ("app", "customers", "table"),
        ("app", "order_2030", "table"), ("public", "plain", "table"),
    ]  # fmt: skip
    assert (table.dtypes["rows"], table.dtypes["size"]) == ("Int64", "Int64")
    rows, sizes = table["rows"].set_axis(table["name"]), table["size"].set_axis(table["name"])
    assert rows["customers"] == 1000
    assert rows[["buyers", "plain", "Order"]].isna().all()
    assert sizes["Order"] == sizes["order_2030"] > 0
    text = repr(table)
    assert "1,000" in text
    assert "kB" in text
    assert "<td" in table._repr_html_()


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ('"Order"', ["Order"]), ("app.c*", ["customers"]), ("CUSTOMERS", ["customers"]), ('app."O"*', ["Order"]),
        ("plain|buyers", ["buyers", "plain"]), ("pg_stat_activity", ["pg_stat_activity"]),
    ],
)  # fmt: skip
def test_a_pattern_is_psqls_in_every_schema(sample, pattern, names):
    table = found(sample, f"tables {pattern}")
    assert list(table["name"]) == names
    assert "have it in their name" not in repr(table)


def test_a_word_is_looked_for_in_names_when_nothing_is_called_so(sample):
    table = found(sample, "tables order")
    assert list(table["name"]) == ["Order", "order_2030"]
    assert "nothing is called order: these have it in their name" in repr(table)


def test_near_names_are_offered_when_there_is_nothing(sample):
    table = found(sample, "tables custmers")
    assert len(table) == 0
    assert list(table.columns) == ["schema", "name", "kind", "rows", "size", "comment"]
    assert "did you mean customers?" in repr(table)
    assert "%tusk find custmers" in table._repr_html_()


def test_functions(sample):
    table = found(sample, "functions app.*")
    assert listed(table, "name", "arguments", "returns", "kind", "language", "comment") == [
        (
            "buy",
            "customer integer, item text DEFAULT 'x'::text",
            "integer",
            "function",
            "sql",
            "a customer buys something",
        )
    ]
    assert list(found(sample, "functions pg_advisory_lock")["arguments"]) == ["bigint", "integer, integer"]


def test_indexes(sample):
    for _ in range(3):
        sample.run("%%sql\nset enable_seqscan = off; select * from app.customers where id = 7")
    sample.run("%%sql\nselect pg_stat_clear_snapshot()")
    table = found(sample, "indexes customers")
    assert listed(table, "name", "columns", "unique", "primary", "valid") == [
        ("customers_email_key", "email", True, False, True), ("customers_pkey", "id", True, True, True),
    ]  # fmt: skip
    assert (table.dtypes["unique"], table.dtypes["scans"]) == ("boolean", "Int64")
    assert table["size"].min() > 8000
    [order] = found(sample, 'indexes app."Order"').itertuples()
    assert order.columns == "placed DESC, lower(id::text)"
    assert order.definition.endswith("WHERE (id > 7)")
    assert list(found(sample, "indexes customers_pkey")["table"]) == ["customers"]


def test_what_has_no_index_and_what_is_not_there(sample):
    assert "plain has no index" in repr(found(sample, "indexes plain"))
    assert "no table or index is called custom: did you mean app.customers?" in repr(found(sample, "indexes custom"))
    assert "did you mean customers?" in repr(found(sample, "indexes custmers"))
    reply = sample.run("%tusk indexes", ok=False)
    assert isinstance(reply.exception, InvalidInput)


def test_find_has_the_likeliest_first(sample):
    table = found(sample, "find customer")
    assert listed(table, "kind", "name", "table")[:3] == [
        ("column", "customer", "Order"), ("table", "customers", None), ("index", "customers_email_key", "customers"),
    ]  # fmt: skip
    assert listed(table, "kind", "name")[-1] == ("function", "buy")
    assert "order_2030" not in set(table["table"].dropna())
    assert listed(found(sample, "find HEIGHT in"), "kind", "table", "name") == [("column", "customers", "Größe")]
    assert listed(found(sample, "find mood"), "kind", "type") == [("enum", "app.mood")]
    assert listed(found(sample, "find app"), "kind", "name")[0] == ("schema", "app")


def test_find_asks_the_system_only_where_nothing_else_has_it(sample):
    table = found(sample, "find advisory_unlock_all")
    assert "only the system's schemas have it" in repr(table)
    assert listed(table, "kind", "name") == [("function", "pg_advisory_unlock_all")]
    nothing = found(sample, "find emial_zzz")
    assert len(nothing) == 0
    assert "no name and no comment has emial_zzz" in repr(nothing)


def test_find_is_capped_with_a_note(cells, connection):
    columns = ", ".join(f"found_{n} int" for n in range(AT_MOST + 5))
    cells.run(f"%%sql\ncreate table wide ({columns})")
    table = found(cells, "find found_")
    assert len(table) == AT_MOST
    assert f"the first {AT_MOST} are here" in repr(table)


def test_a_locked_table_is_not_waited_for(sample, database):
    with psycopg.connect(database) as other:
        other.execute("lock table app.customers in access exclusive mode")
        table = found(sample, "tables app.*")
        assert table.set_index("name")["size"].isna()["customers"]
        assert len(found(sample, "schemas")) == 2
        assert found(sample, "indexes app.customers")["size"].isna().all()
    assert found(sample, "tables customers")["size"].notna().all()


def test_in_a_transaction_it_sees_what_was_made(sample):
    sample.run("%%sql\nbegin; create table app.fresh (a int)")
    assert list(found(sample, "tables fresh")["name"]) == ["fresh"]
    sample.run("%sql select 1 / 0", ok=False)
    table = found(sample, "tables fresh")
    assert len(table) == 0
    assert "the transaction has failed" in repr(table)
    sample.run("%sql rollback")


def test_it_is_shown_as_it_was_found_until_it_is_changed(sample):
    table = found(sample, "tables customers")
    assert "1,000" in repr(table)
    computed = table[table["rows"] > 5]
    assert type(computed).__name__ == "DataFrame"
    table["rows"] = 7
    assert "1,000" not in repr(table)


def test_another_connection_is_asked_by_name(sample, server, tusk):
    import tusk_jupyter

    tusk_jupyter.connect(server.conninfo("postgres"), name="other")
    assert len(found(sample, "tables --connection other customers")) == 0
    assert len(found(sample, "tables customers --connection db")) == 1


def test_too_many_words_are_refused_before_anything_is_asked(cells, connection):
    reply = cells.run("%tusk tables a b", ok=False)
    assert isinstance(reply.exception, InvalidInput)
    assert "%tusk tables [PATTERN]" in reply.exception.advice


def test_names_of_a_hostile_server_are_text(cells, connection):
    cells.run("""%%sql\ncreate table "<script>alert(1)</script>" (a int)""")
    shown = found(cells, "tables")._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown


def test_a_long_list_is_cut_where_it_is_shown_alone(cells, connection):
    cells.run(
        f"%%sql\ndo $$begin for n in 1..{SHOWN_ROWS + 1} loop execute format('create table t%s ()', n); end loop; end$$"
    )
    table = found(cells, "tables")
    assert len(table) == SHOWN_ROWS + 1
    assert "… and 1 more: the DataFrame has them" in repr(table)


@pytest.mark.parametrize("count", [0, 1, 8192, 10239, 10240, 24 * 1024**2, 3 * 1024**4])
def test_sizes_are_written_as_postgresql_writes_them(database, count):
    with psycopg.connect(database) as conn:
        assert size(count) == conn.execute("select pg_size_pretty(%s::bigint)", [count]).fetchone()[0]
