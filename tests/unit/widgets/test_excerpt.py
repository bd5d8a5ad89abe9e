from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.widgets.seen import first, tree
from tusk_jupyter.errors import Place
from tusk_jupyter.widgets.excerpt import excerpt

CELL = "%%sql\nselect origin, count(*),\n       avg(dep_dely) as mean_delay\nfrom flights group by origin"


def at(text, needle, **kwargs):
    return excerpt(Place(text, text.index(needle), **kwargs))


def test_the_line_of_the_cell_with_a_caret_as_psql_prints_it():
    assert at(CELL, "dep_dely").text() == ("LINE 3:        avg(dep_dely) as mean_delay\n                   ^")


def test_html_has_the_lines_around_it_numbered_and_the_token_underlined():
    html = at(CELL, "dep_dely").html()
    assert "".join(tree(html).itertext()).split("\n") == [
        "2 select origin, count(*),",
        "3        avg(dep_dely) as mean_delay",
        "             ^",
        "4 from flights group by origin",
    ]
    assert first(html, "u") == "dep_dely"


@pytest.mark.parametrize(
    ("line", "token", "column"),
    [
        ("select 'ab', nope", "nope", 13),
        ("select '漢字', nope", "nope", 15),
        ("select 'e\u0301e\u0301', nope", "nope", 13),
        ("\tselect\tnope", "nope", 16),
        ("\t\t nope", "nope", 17),
        ("select '\x1b[0m', nope", "nope", 18),
        ("select '\u202e', nope", "nope", 17),
        ("select 'ｆｕｌｌ', nope", "nope", 19),
        ("select '😀', nope", "nope", 13),
    ],
)
def test_the_caret_is_under_the_character(line, token, column):
    found = at(line, token)
    source, caret = found.text().split("\n")
    assert caret == " " * (len("LINE 1: ") + column) + "^"
    assert found.token == token
    assert source.endswith(token)
    assert "\t" not in source


def test_in_html_a_wide_character_is_padded_with_a_wide_space():
    caret = "".join(tree(at("select '漢字', nope", "nope").html()).itertext()).split("\n")[1]
    assert caret == "          　　   ^"


@pytest.mark.parametrize(
    ("text", "needle", "token"),
    [
        ("select a == b", "==", "=="),
        ('select "No Such" from t', '"No', '"No Such"'),
        ("select 'it''s' x y", "'it", "'it''s'"),
        ("select flights.dep_dely", "flights", "flights"),
        ("select 1.5e3 x y", "1.5", "1.5e3"),
        ("select naïveté from t", "naï", "naïveté"),
        ("select :minutes + x", ":min", ":minutes"),
        ("select (1))", "))", ")"),
        ("select 'two\nlines", "'two", "'two"),
    ],
)
def test_the_token_ends_where_it_ends(text, needle, token):
    assert at(text, needle).token == token


def test_a_function_s_own_query_says_so():
    found = at("select nope from t", "nope", internal=True)
    assert found.text() == "LINE 1 of the function's query: select nope from t\n" + " " * 39 + "^"
    assert "in the function's own query" in "".join(tree(found.html()).itertext())


@pytest.mark.parametrize("offset", [10, 11, 12, 99])
def test_the_end_of_input_is_behind_the_last_thing_typed(offset):
    found = excerpt(Place("select 1 +\n\n", offset))
    assert found.text() == "LINE 1: select 1 +\n" + " " * 18 + "^"
    assert found.token == ""


def test_an_empty_text_has_a_caret_too():
    assert excerpt(Place("", 5)).text() == "LINE 1: \n        ^"


def test_a_long_line_is_cut_on_both_sides_around_the_caret():
    line = "x" * 300 + " nope " + "y" * 300
    source, caret = at(line, "nope").text().split("\n")
    assert source.startswith("LINE 1: …xxx")
    assert source.endswith("y…")
    assert len(source) <= 110
    assert source[len(caret) - 1 :].startswith("nope yyy")


def test_a_line_that_fits_is_not_cut():
    line = "select " + "a, " * 28 + "nope"
    assert at(line, "nope").text().startswith(f"LINE 1: {line}\n")


def test_windows_line_ends_are_no_characters():
    found = at("select a,\r\n  nope\r\nfrom t", "nope")
    assert (found.before, found.number, found.tail, found.after) == ("select a,", 2, "", "from t")


def test_a_password_is_not_shown_and_moves_nothing():
    found = at("alter role r password 'hunter2' vlid until 'x'", "vlid")
    assert "hunter2" not in found.text()
    assert found.token == "vlid"


class Counted(str):
    """A text that counts the characters that are taken out of it, piece by piece or one by one."""

    __slots__ = ("taken",)

    def __new__(cls, text):
        made = super().__new__(cls, text)
        made.taken = 0
        return made

    def __getitem__(self, index):
        piece = super().__getitem__(index)
        self.taken += len(piece)
        return piece

    def __iter__(self):
        for char in super().__iter__():
            self.taken += 1
            yield char

    def splitlines(self, *args):
        self.taken += len(self)
        return super().splitlines(*args)

    def split(self, *args, **kwargs):
        self.taken += len(self)
        return super().split(*args, **kwargs)


def cost(text, offset):
    """Return the excerpt, and how much of the text was read for it, searching and counting apart."""
    counted = Counted(text)
    return excerpt(Place(counted, offset)), counted.taken


def test_a_huge_cell_costs_no_more_than_a_large_one():
    large, huge = ("select 1,\n" * lines + "nope" for lines in (2_000, 1_000_000))
    found, taken = cost(huge, huge.index("nope"))
    assert found.number == 1_000_001
    assert 0 < taken == cost(large, large.index("nope"))[1]


def test_a_huge_line_costs_no_more_than_a_large_one():
    large, huge = "'" * 30_000, "'" * 10_000_000
    found, taken = cost(huge, 5_000_000)
    assert len(found.html()) < 3_000
    assert 0 < taken == cost(large, 15_000)[1]


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=80), st.integers(-3, 90))
def test_no_text_and_no_offset_breaks_it(text, offset):
    found = excerpt(Place(text, offset))
    tree(found.html())
    source, caret = found.text().split("\n")
    assert source.startswith("LINE ")
    assert caret.endswith("^")
    assert not caret[:-1].strip()
