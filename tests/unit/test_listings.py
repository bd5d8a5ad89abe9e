"""A listing as psql shows it, as HTML, and as a frame that shows what is in it."""

from __future__ import annotations

import pickle

import pandas as pd
import pytest

from tusk_jupyter.magics.listings import SHOWN_ROWS, show, snake_case
from tusk_jupyter.schema.asking import Listing

FOOTERS = ("Indexes:", '    "trip_pkey" PRIMARY KEY, btree (id)', '    "a<b>"', "Access method: heap")
TRIP = Listing(
    'Table "public.trip"',
    ("Column", "Type", "Stats target", "Type"),
    (("id", "integer", None, ""), ("né\nx", "text", "", "y"), ("日本", "\x1b[31m\u202e", None, "<b>")),
    FOOTERS,
)


def test_the_text_is_psqls_aligned_format():
    assert str(show([TRIP])) == "\n".join([
        '              Table "public.trip"',
        " Column |      Type      | Stats target | Type",
        "--------+----------------+--------------+------",
        " id     | integer        |              |",
        " né    +| text           |              | y",
        " x      |                |              |",
        " 日本   | \\x1b[31m\\u202e |              | <b>",
        *FOOTERS,
    ])  # fmt: skip


def test_html_escapes_and_lists_the_footers():
    html = show([TRIP])._repr_html_()
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert "\x1b" not in html
    assert "\u202e" not in html
    assert "script" not in html
    assert html.count("<li") == 2
    assert html.count("<ul") == html.count("</ul>") == 1
    assert html.index("Indexes:") < html.index("trip_pkey") < html.index("Access method")


def test_the_frame_has_the_rows_and_nothing_of_the_look():
    frame = show([TRIP])
    assert list(frame) == ["column", "type", "stats_target", "type_1"]
    assert frame["column"].tolist() == ["id", "né\nx", "日本"]
    assert frame["stats_target"].isna().tolist() == [True, False, True]
    assert frame.attrs == {}
    assert type(frame.head(1)) is pd.DataFrame
    assert "Indexes" not in repr(frame[["column"]])


def test_a_frame_that_was_changed_shows_what_is_in_it():
    frame = show([TRIP])
    frame.loc[0, "type"] = "changed"
    assert "changed" in repr(frame)
    assert "changed" in frame._repr_html_()
    assert "Indexes" not in repr(frame)


def test_a_frame_survives_pickle_as_a_frame():
    again = pickle.loads(pickle.dumps(show([TRIP])))
    assert again["column"].tolist() == ["id", "né\nx", "日本"]
    assert "日本" in repr(again)


def test_several_listings_are_one_frame_that_says_which():
    index = Listing('Index "public.trip_pkey"', ("Column", "Definition"), (("id", "id"),))
    frame = show([TRIP, index])
    assert list(frame) == ["listing", "column", "type", "stats_target", "type_1", "definition"]
    assert frame["listing"].tolist() == ['Table "public.trip"'] * 3 + ['Index "public.trip_pkey"']
    assert repr(frame).count("public.trip_pkey") == 1
    assert repr(frame).index("Access method: heap\n\n") > 0


def test_nothing_says_so():
    assert str(show([])) == "(nothing)"
    assert "(nothing)" in show([])._repr_html_()


def test_what_is_too_much_to_show_is_counted():
    many = [Listing(f"t{n}", ("A",), (("x",),) * 1000) for n in range(10)]
    frame = show(many)
    assert len(frame) == 10_000 > SHOWN_ROWS
    assert repr(frame).count("\n x") < SHOWN_ROWS
    assert "… and 6 more" in repr(frame)
    assert "… and 6 more" in frame._repr_html_()


def test_no_password_is_shown():
    listing = Listing("", ("FDW options",), (("(password 'hunter2', \"user\" 'x')",),))
    frame = show([listing])
    assert "hunter2" not in repr(frame) + frame._repr_html_()


@pytest.mark.parametrize(
    ("header", "name"), [("Stats target", "stats_target"), ("Key?", "key"), ("Null?", "null"), ("", "column")]
)
def test_headers_become_names(header, name):
    assert snake_case(header) == name
