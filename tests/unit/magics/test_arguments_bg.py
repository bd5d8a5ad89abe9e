"""``--bg`` on the line: what it goes with, and what it does not."""

from __future__ import annotations

import pytest

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.arguments import parse_cell


def parsed(line, body=None):
    return parse_cell(line, body, connections=lambda: ["shop"])


def test_it_is_an_option_like_others():
    assert parsed("--bg select 1").bg
    assert not parsed("select 1").bg
    request = parsed("shop --bg --timeout 5s --on-error continue late <<", "select 1")
    assert (request.bg, request.out, request.display, request.timeout_s) == (True, "late", False, 5.0)
    assert parsed("--bg -f script.sql").file == "script.sql"


def test_a_name_beside_a_file_is_the_jobs():
    request = parsed("--bg --to out.parquet job <<", "select 1")
    assert (request.to, request.out) == ("out.parquet", "job")
    with pytest.raises(InvalidInput, match="both --to and an assignment"):
        parsed("--to out.parquet job <<", "select 1")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("--bg --parallel 2 select 1", "--parallel"),
        ("--bg --persist df", "--persist"),
        ("--bg --persist-replace df", "--persist-replace"),
        ("--bg --append df", "--append"),
        ("--bg --close shop", "--close"),
        ("--bg --connections", "--connections"),
    ],
)
def test_what_it_cannot_go_with_is_named(line, named):
    with pytest.raises(InvalidInput, match=named) as caught:
        parsed(line)
    assert "Nothing was run" in caught.value.advice
