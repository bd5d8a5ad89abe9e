from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.advice.tokens import token_at, tokens


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("select a, b", ["select", "a", ",", "b"]),
        ("x::int y:=1 a..b", ["x", "::", "int", "y", ":=", "1", "a", "..", "b"]),
        (r"'it''s' E'a\'b' U&'x' $$a$$ $t$ $$ $t$", ["'it''s'", r"E'a\'b'", "U&'x'", "$$a$$", "$t$ $$ $t$"]),
        ('"a""b".c', ['"a""b"', ".", "c"]),
        ("a--b\n/* c */d", ["a", "d"]),
        ("$1 :name 1.5e-3 .5 1..2", ["$1", ":name", "1.5e-3", ".5", "1", "..", "2"]),
        ("a<=b||c->>'d'", ["a", "<=", "b", "||", "c", "->>", "'d'"]),
        ("naïve ‘x’ 漢字", ["naïve", "‘x’", "漢字"]),
    ],
)
def test_tokens(text, expected):
    assert [t.text for t in tokens(text)] == expected
    assert not any(t.open for t in tokens(text))


@pytest.mark.parametrize(
    "text", ["'abc", "'it''", '"abc', "$$abc", "$t$ x $$", "/* abc", "/* a /* b */", r"E'a\'", "E'abc", "$$", "E'\\"]
)
def test_what_is_not_closed_is_open(text):
    last = list(tokens(f"select {text}"))[-1]
    assert last.open
    assert last.text == text


@pytest.mark.parametrize("text", ["''", "''''", "E''", r"E'\\'", r"E'\''", '""', "$$$$", "/**/ x", "/* * / ** */ x"])
def test_what_is_closed_is_not(text):
    assert not any(t.open for t in tokens(text))


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=100))
def test_no_character_is_lost_and_none_comes_twice(text):
    at = 0
    while (token := token_at(text, at)) is not None:
        assert token.text == text[at : token.end]
        assert token.end > at
        at = token.end
    assert at == len(text)


@pytest.mark.parametrize("piece", ["'", '"', "$", "$a$", "/*", "*", "\\", "E'\\", "--", "-", "a", "1.", "''", ":"])
def test_a_hostile_statement_is_read_to_its_end(piece):
    assert sum(len(t.text) for t in tokens(piece * 20_000)) <= len(piece) * 20_000
