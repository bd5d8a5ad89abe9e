"""What a user types to find a statement again, and what it finds."""

from __future__ import annotations

from contextlib import closing

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from tusk_jupyter.storage import schema
from tusk_jupyter.storage.database import Database
from tusk_jupyter.storage.history import History, HistoryRow, record

TEXTS = {
    "delays": "SELECT avg(dep_delay) AS mean_delay FROM flights WHERE origin = 'JFK'",
    "orders": 'select "OrderId", o.total::numeric from shop.orders o join shop.customers c using (customer_id)',
    "json": "select doc ->> 'größe', doc @> '{\"a\": 1}' from docs -- 🦆 quack",
    "other": "insert into shopping (updated_at) values (1)",
    "update": "update flights set tail_num = null where updated_at < now()",
    "cyrillic": "select * from заказы where имя = 'Ёлка'",
}


@pytest.fixture(scope="module")
def history(tmp_path_factory):
    with closing(Database(tmp_path_factory.mktemp("history") / "tusk.db")) as file:
        for name, text in TEXTS.items():
            error = 'relation "заказы" does not exist' if name == "cyrillic" else None
            record(file, HistoryRow(name, "c", "my-shop", "d", text, (), "2026-11-21T12:00:00+00:00", 1.0, 1, "X", None,
                                    error, "none"))  # fmt: skip
        yield History(lambda: file)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        # a name, as it is, in part, as far as it is typed, behind its schema or not, quoted or not
        ("dep_delay", ["delays"]),
        ("dep_del", ["delays"]),
        ("dep_d", ["delays"]),
        ("dep_", ["delays"]),
        ("dep", ["delays"]),
        ("delay", ["delays"]),
        ("elay", []),
        ("delay_dep", []),
        ("shop.orders", ["orders"]),
        ("shop.ord", ["orders"]),
        ("orders", ["orders"]),
        ("shop.", ["orders"]),
        ("shop", ["other", "orders"]),
        ('"shop"."orders"', ["orders"]),
        ("orders.shop", []),
        ("customer_id", ["orders"]),
        ('"OrderId"', ["orders"]),
        ("orderid", ["orders"]),
        ("avg(dep", ["delays"]),
        ("o.total::num", ["orders"]),
        # in any case
        ("FLIGHTS", ["update", "delays"]),
        ("jfk", ["delays"]),
        ("ЗАКАЗЫ", ["cyrillic"]),
        ("ёлка", ["cyrillic"]),
        ("GRÖSSE", []),
        ("GRÖßE", ["json"]),
        ("grosse", []),
        # all of the words, in any order and place
        ("flights avg", ["delays"]),
        ("avg \t flights", ["delays"]),
        ("flights orders", []),
        # a word of SQL's own is whole, others may go on
        ("update", ["update"]),
        ("updated", ["update", "other"]),
        ("select from flights", ["delays"]),
        ("sel flights", ["delays"]),
        # signs
        ("->>", ["json"]),
        ("@>", ["json"]),
        ("->> docs", ["json"]),
        ("->> flights", []),
        ("🦆", ["json"]),
        ("*", ["cyrillic"]),
        # what FTS5 would read as its own
        ("flights AND avg", []),
        ("flights OR orders", []),
        ("NOT flights", []),
        ("NEAR(flights avg)", []),
        ("sql:flights", []),
        ("{sql}:flights", []),
        ("^select", ["cyrillic", "json", "orders", "delays"]),
        ("flights*", ["update", "delays"]),
        ("flights)", ["update", "delays"]),
        ('"flights', ["update", "delays"]),
        ("flights\0avg", ["delays"]),
        ("null", ["update"]),
        # an error's words
        ("relation", ["cyrillic"]),
        # the columns of the index that are no text of the user's
        ("completed", []),
        ("failed", []),
        ("my-shop", []),
        ("", ["cyrillic", "update", "other", "json", "orders", "delays"]),
        (" \n ", ["cyrillic", "update", "other", "json", "orders", "delays"]),
    ],
)
def test_what_is_found(history, typed, found):
    assert [row.query_id for row in history.search(typed)] == found


@pytest.mark.parametrize("connection", ["my-shop", "my", "shop", "MY-SHOP", "my shop", '"', "\0", "\ud800", ""])
def test_a_connection_is_its_whole_name(history, connection):
    expected = ["update", "delays"] if connection == "my-shop" else []
    assert [row.query_id for row in history.search("flights", connection=connection)] == expected
    assert len(history.search(connection=connection)) == (6 if connection == "my-shop" else 0)


PIECES = st.sampled_from(
    ['"', "'", "*", "(", ")", "^", "+", "-", ":", "{", "}", "\0", "\\", "%", "_", "AND", "OR", "NOT", "NEAR", "sql", "select",
     "flights", "dep_delay", " ", "\n", "🦆", "é", "e\u0301", "\ud83e", "ﬀ", "ß", "İ", "９", "\u200d", "文", "--", "/*", "$$"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=5), max_size=8).map("".join), st.booleans(), st.none() | PIECES)
@settings(deadline=None)
def test_nothing_typed_is_an_error(history, typed, failed, connection):
    found = history.search(typed, failed=failed, connection=connection)
    assert all(row.error is not None for row in found if failed)
    assert all(row.connection == connection for row in found if connection is not None)


@given(st.sampled_from(sorted(TEXTS)), st.data())
@settings(deadline=None)
def test_every_word_of_a_statement_finds_it_as_far_as_it_is_typed(history, name, data):
    word = data.draw(st.sampled_from(TEXTS[name].split()))
    typed = word[: data.draw(st.integers(1, len(word)))]
    assert name in [row.query_id for row in history.search(typed)] or is_whole_word_only(typed, word)


def is_whole_word_only(typed, word):
    """Whether what is typed happens to be a word of SQL's own, or ends with one, where the statement goes on."""
    return typed != word and typed.lower() in {"as", "in", "is", "on", "or", "set", "null", "join", "update", "select"}


def test_a_word_in_very_many_rows_is_read_from_the_newest(tmp_path):
    """The index yields rows as they are asked for: no plan sorts them, none looks at other rows first."""
    from tusk_jupyter.storage import matching

    with closing(Database(tmp_path / "tusk.db")) as file:
        for wanted in (
            matching.Wanted("word"),
            matching.Wanted("word", failed=True, connection="c", since="2026"),
            matching.Wanted("", failed=True),
            matching.Wanted("", connection="c"),
            matching.Wanted("", connection="c", failed=True),
            matching.Wanted(""),
        ):
            plan = file.write(lambda conn, wanted=wanted: planned(conn, wanted)).result(timeout=5)
            assert not [line for line in plan if "TEMP B-TREE" in line], plan
            assert schema.INDEX in plan[0] if wanted.text else "USING" in plan[0] or wanted == matching.Wanted("")


def planned(conn, wanted):
    from tusk_jupyter.storage import matching

    asked = []
    conn.set_trace_callback(asked.append)
    matching.search(conn, "history.id", wanted)
    conn.set_trace_callback(None)
    (statement,) = [one for one in asked if "order by" in one and not one.startswith("--")]
    return [row[3] for row in conn.execute(f"explain query plan {statement}")]
