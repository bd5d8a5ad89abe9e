from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.advice.keys import key_values


@pytest.mark.parametrize(
    ("detail", "columns", "values"),
    [
        ("Key (a)=(1) already exists.", ["a"], ("1",)),
        ("Schlüssel »(a, b)=(1, x)« existiert bereits.", ["a", "b"], ("1", "x")),
        ('Key ("We""ird")=(x, y) already exists.', ['"We""ird"'], ("x, y",)),
        ("Key (a)=(x)y) already exists.", ["a"], ("x)y",)),
        ("Key (a)=() already exists.", ["a"], ("",)),
        ("Key (a, b)=(1, x, y) already exists.", ["a", "b"], None),
        ("Key (a, b)=(1, 2) already exists.", ["a"], None),
        ("Key (a)=(null) already exists.", ["a"], None),
        ("Key (a)=(1", ["a"], None),
        ("Key (a)=((a)=(1)) already exists.", ["a"], None),
        ("", ["a"], None),
        ("Key (a)=(1) already exists.", [], None),
    ],
)
def test_values_of_a_key(detail, columns, values):
    assert key_values(detail, columns) == values


@given(st.lists(st.text(max_size=8), min_size=1, max_size=4))
def test_what_is_read_is_what_was_written_or_nothing(values):
    columns = [f"c{n}" for n in range(len(values))]
    detail = f"Key ({', '.join(columns)})=({', '.join(values)}) already exists."
    assert key_values(detail, columns) in {tuple(values), None}
