from __future__ import annotations

import pickle

from tusk_jupyter.errors import QueryFailed
from tusk_jupyter.queries.endings import Source

STATEMENT = "alter role a password 'canary-Zq7' nonsense"


def test_a_place_keeps_no_password_and_its_offset():
    place = Source("%%sql\n", STATEMENT).place(STATEMENT.index("nonsense"))
    assert place.text[place.offset :] == "nonsense"
    assert place.text.startswith("%%sql\nalter role a password *******")
    assert b"canary" not in pickle.dumps(QueryFailed("a message", place=place))


def test_of_a_long_text_a_place_keeps_the_lines():
    before = "select 'password=canary-Zq7';\n" * 10_000
    place = Source("", before + STATEMENT + before).place(len(before) + STATEMENT.index("nonsense"))
    assert place.text.startswith("nonsense", place.offset)
    assert place.text.count("\n", 0, place.offset) == 10_000
    assert "canary" not in place.text
    assert len(place.text) < 200_000


def test_of_one_long_line_a_place_keeps_what_is_near():
    place = Source("", "select password, " * 10_000 + STATEMENT).place(170_000 + STATEMENT.index("nonsense"))
    assert place.text[place.offset :] == "nonsense"
    assert "canary" not in place.text


def test_of_a_long_text_without_passwords_a_place_keeps_all():
    script = "select 1;\n" * 20_000
    assert Source("", script).place(100_000).text == script
