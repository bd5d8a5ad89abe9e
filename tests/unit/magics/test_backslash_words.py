"""Tab behind a backslash: psql's commands where they may stand, and what their arguments name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import catalogs
from tusk_jupyter.magics import backslash_words, psql, psql_lists, psql_words
from tusk_jupyter.queries.backslash import ENDINGS
from tusk_jupyter.schema.suggestions import Suggestion


def relations(kind, typed):
    return (Suggestion(f"{kind} of {typed}", "table"),)


def offered(marked):
    cursor = marked.index("|")
    text = marked.replace("|", "", 1)
    found = backslash_words.suggestions(text, cursor, catalogs.flights(), relations)
    return None if found is None else [text[: found.start] + one.text + text[found.end :] for one in found.items]


@pytest.mark.parametrize(
    ("marked", "first"),
    [
        (r"\|", [r"\d", r"\da"]),
        (r"\dt|", [r"\dt"]),
        ("select 1;\n\\dn|", ["select 1;\n\\dn"]),
        ("-- '\n\\dn|", ["-- '\n\\dn"]),
        (r"select 1 \gs|", [r"select 1 \gset"]),
        (r"select 1 \gd|", [r"select 1 \gdesc"]),
        (r"\d fl|", [r"\d relation of fl"]),
        (r"\d+ |", [r"\d+ relation of "]),
        (r"\dtS+ fl|", [r"\dtS+ relation of fl"]),
        (r"\dtv fl|", [r"\dtv relation of fl"]),
        (r"\df date_|", [r"\df function of date_"]),
        (r"\sf date_|", [r"\sf function of date_"]),
        (r"\du ana|", [r"\du analyst"]),
        (r"\du App|", [r'\du "App Owner"']),
        (r"\x o|", [r"\x on", r"\x off"]),
        (r"\dconfig work_m|", [r"\dconfig work_mem"]),
        (r"\dn pu|", [r"\dn public"]),
        (r"\nothing_like_it x|", []),
    ],
)
def test_what_may_stand_there(marked, first):
    assert offered(marked)[: len(first) or None] == first


@pytest.mark.parametrize("marked", ["select 'a\\d|", "-- \\d|", 'select "\\d|', "select 1|", "\\d flights\nselect fl|", "select $$ \\d |"])
def test_where_no_command_is_typed(marked):
    assert offered(marked) is None


def test_every_command_is_offered_with_what_it_does():
    beginning = {text[1:]: text for text in offered(r"\|")}
    there = {*psql_lists.names(), *psql.COMMANDS, *psql.BEFORE_ENDINGS}
    said_elsewhere = {name for name in there if name.endswith("+")} | {"qecho", "warn", "help"}
    assert there - said_elsewhere - set(beginning) == set()
    assert not set(beginning) & set(psql_words.INSTEAD)
    assert {text.split("\\")[1] for text in offered(r"select 1 \|")} == {*ENDINGS, "bind"}
    for one in (*backslash_words._beginning(), *backslash_words._ending()):
        assert one.signature


def test_a_command_says_what_it_does():
    assert backslash_words.help_of(r"\dt flights", 2) == (r"\dt", "tables")
    assert backslash_words.help_of(r"\dt flights", 6) is None
    assert backslash_words.help_of("select '\\dt'", 10) is None


@given(st.text(alphabet="\\dtgx+S 'a\";\n-$", max_size=40))
def test_never_fails(text):
    for cursor in range(len(text) + 1):
        backslash_words.suggestions(text, cursor, catalogs.flights(), relations)
        backslash_words.help_of(text, cursor)
