"""What stands at the cursor on a line that is being typed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.magics.arguments import CELL_OPTIONS
from tusk_jupyter.magics.line_words import read


def at(marked):
    cursor = marked.index("|")
    line = marked.replace("|", "", 1)
    reading = read(line, cursor, CELL_OPTIONS, sql=True)
    assert reading.typed == line[reading.at.start : cursor]
    option = reading.at.option.names[-1] if reading.at.option else None
    return reading.at.kind, reading.typed, option, line[reading.at.start : reading.at.end]


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("|", ("word", "", None, "")),
        ("sh|", ("word", "sh", None, "sh")),
        ("sh|op --quiet", ("word", "sh", None, "shop")),
        ("shop |", ("word", "", None, "")),
        ("shop --li|", ("option", "--li", None, "--li")),
        ("--limit |", ("value", "", "--limit", "")),
        ("--limit 5|", ("value", "5", "--limit", "5")),
        ("--limit 5 |", ("word", "", None, "")),
        ("--format=pa|", ("value", "pa", "--format", "pa")),
        ("--for|mat=pa", ("option", "--for", "--format", "--format=pa")),
        ("-o x|", ("value", "x", "--out", "x")),
        ("--to 'my fi|", ("value", "'my fi", "--to", "'my fi")),
        ("--|", ("option", "--", None, "--")),
        ("select a|", ("sql", "select a", None, "select a")),
        ("shop select |a", ("sql", "select ", None, "select a")),
        ("x << select a|", ("sql", " select a", None, " select a")),
        ("x = << sel|", ("sql", " sel", None, " sel")),
        ("-- --lim|", ("sql", " --lim", None, " --lim")),
        (r"\d fl|", ("sql", r"\d fl", None, r"\d fl")),
    ],
)
def test_at_the_cursor(marked, expected):
    assert at(marked) == expected


def test_what_is_given_counts_before_and_after_the_cursor_but_not_at_it():
    reading = read("--quiet --lim --to x", 13, CELL_OPTIONS, sql=True)
    assert {option.field for option in reading.given} == {"quiet", "to"}
    reading = read("shop --limit", 12, CELL_OPTIONS, sql=True)
    assert reading.given == ()
    assert reading.before == ("shop",)


@given(st.text(alphabet="-=shop limit'\"\\<( select\t🐘", max_size=40), st.integers(0, 40))
def test_never_fails(line, cursor):
    at(f"{line[:cursor]}|{line[cursor:]}")
