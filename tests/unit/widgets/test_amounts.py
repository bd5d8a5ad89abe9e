from __future__ import annotations

import math

import pytest

from tusk_jupyter.widgets.amounts import age, counted, duration, size


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"),
        (-5, "0 ms"),
        (math.nan, "0 ms"),
        (0.04, "0 ms"),
        (0.4, "0.4 ms"),
        (0.949, "0.9 ms"),
        (0.96, "1 ms"),
        (41, "41 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (1_240, "1.24 s"),
        (9_994, "9.99 s"),
        (9_996, "10.0 s"),
        (12_400, "12.4 s"),
        (59_949, "59.9 s"),
        (59_951, "1 min 00 s"),
        (123_000, "2 min 03 s"),
        (3_599_600, "1 h 00 min"),
        (3_725_000, "1 h 02 min"),
        (273_600_000, "3 d 04 h"),
        (math.inf, "0 s"),
    ],
)
def test_a_duration_has_three_digits_and_the_unit_that_fits(ms, text):
    assert duration(ms) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.2, "0 s"), (48, "48 s"), (59.6, "1 min 00 s"), (-1, "0 s")])
def test_an_age_is_in_whole_seconds(seconds, text):
    assert age(seconds) == text


def test_one_is_one():
    assert [counted(n, "row") for n in (0, 1, 2, 1_000)] == ["0 rows", "1 row", "2 rows", "1,000 rows"]


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1_000, "1 kB"),
        (4_123, "4.12 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (12_400_000, "12.4 MB"),
        (5_030_000_000, "5.03 GB"),
        (7_000_000_000_000, "7 TB"),
    ],
)
def test_a_size(number, text):
    assert size(number) == text
