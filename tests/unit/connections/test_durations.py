"""Durations as users type them."""

from __future__ import annotations

import pytest

from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("30", 30),
        ("500ms", 0.5),
        ("250us", 0.00025),
        ("2min", 120),
        ("1h", 3600),
        ("1d", 86400),
        (" 1.5 min ", 90),
        ("0", 0),
        (".5s", 0.5),
    ],
)
def test_a_duration_is_written_as_postgresql_writes_it(text, seconds):
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "-1s", "1 fortnight", "30S", "1e3", "inf", "nan", "1h30min", "25d", "３０s", "1s\0"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(InvalidInput) as caught:
        parse_duration(text)
    assert "500ms" in caught.value.advice
