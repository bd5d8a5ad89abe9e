from __future__ import annotations

import pickle

import pytest

from tusk_jupyter.errors import Diagnostic, InvalidInput, QueryFailed
from tusk_jupyter.queries.endings import Source
from tusk_jupyter.queries.script import Names, Script
from tusk_jupyter.translate import query_error

STATEMENT = "alter role a password 'canary-Zq7' nonsense"


def test_a_place_keeps_no_password_and_its_offset():
    place = Source("%%sql\n", STATEMENT).place(STATEMENT.index("nonsense"))
    assert place.text[place.offset :] == "nonsense"
    assert place.position == len("%%sql\n") + STATEMENT.index("nonsense") + 1
    assert place.text.startswith("%%sql\nalter role a password *******")
    assert b"canary" not in pickle.dumps(QueryFailed("a message", place=place))


def test_of_a_long_text_a_place_keeps_the_lines():
    before = "select 'password=canary-Zq7';\n" * 10_000
    place = Source("", before + STATEMENT + before).place(len(before) + STATEMENT.index("nonsense"))
    assert place.text.startswith("nonsense", place.offset)
    assert place.text.count("\n", 0, place.offset) == 10_000
    assert place.position == len(before) + STATEMENT.index("nonsense") + 1
    assert "canary" not in place.text
    assert len(place.text) < 200_000


def test_of_one_long_line_a_place_keeps_what_is_near():
    place = Source("", "select password, " * 10_000 + STATEMENT).place(170_000 + STATEMENT.index("nonsense"))
    assert place.text[place.offset :] == "nonsense"
    assert place.position == 170_001 + STATEMENT.index("nonsense")
    assert "canary" not in place.text


def test_of_a_long_text_without_passwords_a_place_keeps_all():
    script = "select 1;\n" * 20_000
    assert Source("", script).place(100_000).text == script


def test_an_error_says_the_position_in_what_was_typed():
    place = Source("", "select password, " * 10_000 + STATEMENT).place(170_000)
    assert query_error(Diagnostic(sqlstate="42703"), place=place).position == 170_001


def test_a_nul_is_told_at_its_position_in_what_was_typed():
    script = Script(None, Source("", "select password, " * 10_000 + "\0"), Names(None, None), None)
    with pytest.raises(InvalidInput, match="at position 170001") as caught:
        next(script.steps())
    assert caught.value.position == 170_001
