from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sql_texts import sql_texts
from tests.tricky_sql import TRICKY
from tusk_jupyter.lexer import Kind, significant, tokens, upper
from tusk_jupyter.queries import split as splitting
from tusk_jupyter.queries.split import next_statement, split, standard_conforming_strings_after


def statements(script, *, conforming=True):
    """All statements, with one rule throughout."""
    found, start = [], 0
    while True:
        statement, start = next_statement(script, start, standard_conforming_strings=conforming)
        if statement is None:
            return found, start
        found.append(statement)


@pytest.mark.parametrize("tricky", TRICKY, ids=lambda t: t.name)
def test_tricky_scripts(tricky):
    found = split(tricky.script)
    assert tuple(s.text for s in found) == tricky.statements
    assert all(tricky.script[s.start : s.end] == s.text for s in found)


@given(sql_texts, st.booleans())
def test_no_character_is_lost(script, conforming):
    found, end = statements(script, conforming=conforming)
    assert end == len(script)
    position = 0
    for statement in found:
        between = script[position : statement.start]
        assert {between[t.start : t.end] for t in significant(between, standard_conforming_strings=conforming)} <= {";"}
        assert script[statement.start : statement.end] == statement.text != ""
        assert position <= statement.start
        position = statement.end
    rest = script[position:]
    assert {rest[t.start : t.end] for t in significant(rest, standard_conforming_strings=conforming)} <= {";"}


@given(sql_texts, st.booleans())
def test_a_statement_is_more_than_space_and_comments(script, conforming):
    for statement in statements(script, conforming=conforming)[0]:
        first, *_ = significant(statement.text, standard_conforming_strings=conforming)
        assert statement.text[first.start] != ";"


@given(sql_texts, st.booleans())
def test_landmarks_end_a_statement_where_tokens_do(script, conforming):
    depth, expected = 0, len(script)
    for token in tokens(script, standard_conforming_strings=conforming):
        word = upper(script, token)
        depth += (word == "(") - (word == ")")
        if word == ";" and depth <= 0:
            expected = token.start
            break
    assert splitting._end(script, 0, conforming) == expected


def test_a_statement_knows_its_place_words_and_rule():
    script = "/* a */ ; \n (( select 1)); create or replace function public.f()"
    first, second = split(script)
    assert (first.text, first.start, first.end) == ("(( select 1))", 12, 25)
    assert first.words == ("(", "(", "SELECT")
    assert second.words == ("CREATE", "OR", "REPLACE", "FUNCTION", "PUBLIC")
    assert second.standard_conforming_strings is True


def test_words_stop_at_eight_and_fold_in_ascii_only():
    assert split("a b c d e f g h i")[0].words == tuple("ABCDEFGH")
    assert split("( " * 20)[0].words == ("(",) * 8
    assert split("ınsert into")[0].words == ("ınsert", "INTO")
    assert split("'a' select")[0].words == ()


def test_the_caller_may_change_the_rule_between_statements():
    script = r"select 1; select 'a\';b'"
    first, start = next_statement(script)
    second, end = next_statement(script, start, standard_conforming_strings=False)
    assert (first.text, second.text, end) == ("select 1", r"select 'a\';b'", len(script))
    assert next_statement(script, end) == (None, len(script))


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("set standard_conforming_strings = off", False),
        ("SET SESSION Standard_Conforming_Strings TO 'Off'", False),
        ('set "standard_conforming_strings" = f', False),
        ("set local standard_conforming_strings=true", True),
        ("set /* x */ standard_conforming_strings to 0", False),
        ("set standard_conforming_strings to of", False),
        ("set standard_conforming_strings to o", None),
        ("set standard_conforming_strings to default", True),
        ("set standard_conforming_strings to maybe", None),
        ("set standard_conforming_strings", None),
        ("reset standard_conforming_strings", True),
        ("reset all", True),
        ("discard all", True),
        ("discard plans", None),
        ("set search_path = off", None),
        ("select 'set standard_conforming_strings = off'", None),
        ("show standard_conforming_strings", None),
    ],
)
def test_settings_of_the_rule_are_recognised(text, after):
    assert standard_conforming_strings_after(split(text)[0]) is after


def test_deep_and_long_scripts():
    deep = "select " + "(" * 100_000 + ")" * 100_000
    assert [s.text for s in split(deep + ";select 2")] == [deep, "select 2"]
    literal = "select '" + "x;" * 1_000_000 + "'"
    assert [s.text for s in split(f"{literal};{literal}")] == [literal, literal]
    assert len(split("select 1;" * 20_000)) == 20_000


def test_searches_never_start_twice_at_one_place(monkeypatch):
    places = []

    class Recorded:
        def search(self, text, start):
            places.append(start)
            return pattern.search(text, start)

    pattern = splitting._LANDMARK
    monkeypatch.setattr(splitting, "_LANDMARK", Recorded())
    split("insert into t values (1, 'a', $$b$$, e'c', a$b, $1); " * 200)
    assert len(places) == len(set(places))
    assert places == sorted(places)


def test_a_comment_belongs_to_the_statement_it_precedes():
    found = split("select 1; /*+ SeqScan(t) */ select 2; -- end")
    assert [s.text for s in found] == ["select 1", "/*+ SeqScan(t) */ select 2"]


def test_tokens_of_every_statement_are_the_scripts_tokens():
    script = "select 'a;b' -- ;\n, $$;$$; /* ; */ select \";\""
    whole = [script[t.start : t.end] for t in tokens(script) if t.kind > Kind.COMMENT]
    parts = [s.text[t.start : t.end] for s in split(script) for t in significant(s.text)]
    assert [piece for piece in whole if piece != ";"] == parts
