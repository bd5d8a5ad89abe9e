"""What of a line fits into a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.magics.live_terminal import cells, cut


@pytest.mark.parametrize(
    ("text", "columns", "kept"),
    [
        ("12.4 s · runs on shop", 80, "12.4 s · runs on shop"),
        ("12.4 s · runs on shop", 21, "12.4 s · runs on shop"),
        ("12.4 s · runs on shop", 10, "12.4 s · …"),
        ("表表表", 6, "表表表"),
        ("表表表", 5, "表表…"),
        ("表表表", 4, "表…"),
        ("e\u0301e\u0301e\u0301", 3, "e\u0301e\u0301e\u0301"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
    ],
)
def test_a_line_is_cut_by_what_it_covers(text, columns, kept):
    assert cut(text, columns) == kept


@given(st.text(), st.integers(0, 40))
def test_it_never_covers_more(text, columns):
    assert cells(cut(text, columns)) <= columns
