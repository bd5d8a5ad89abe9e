from datetime import timedelta

import pytest

from tusk_jupyter.results.intervals import Interval, parse_interval

SECOND = 1_000_000
HOUR = 3600 * SECOND


@pytest.mark.parametrize(
    ("value", "postgres", "verbose", "iso", "sql"),
    [
        (Interval(), "00:00:00", "@ 0", "PT0S", "0"),
        (
            Interval(14, 3, 4 * HOUR + 5 * 60 * SECOND + 6_700_000),
            "1 year 2 mons 3 days 04:05:06.7",
            "@ 1 year 2 mons 3 days 4 hours 5 mins 6.7 secs",
            "P1Y2M3DT4H5M6.7S",
            "+1-2 +3 +4:05:06.7",
        ),
        (
            Interval(-1, 1, -HOUR),
            "-1 mons +1 day -01:00:00",
            "@ 1 mon -1 days 1 hour ago",
            "P-1M1DT-1H",
            "-0-1 +1 -1:00:00",
        ),
        (Interval(-14, 0, 0), "-1 years -2 mons", "@ 1 year 2 mons ago", "P-1Y-2M", "-1-2"),
        (
            Interval(0, -1, -HOUR - 500_000),
            "-1 days -01:00:00.5",
            "@ 1 day 1 hour 0.5 secs ago",
            "P-1DT-1H-0.5S",
            "-1 1:00:00.5",
        ),
        (Interval(0, 0, -500_000), "-00:00:00.5", "@ 0.5 secs ago", "PT-0.5S", "-0:00:00.5"),
        (Interval(0, 1, 0), "1 day", "@ 1 day", "P1D", "1 0:00:00"),
        (Interval(0, 0, 25 * HOUR), "25:00:00", "@ 25 hours", "PT25H", "25:00:00"),
        (Interval(0, -1, HOUR), "-1 days +01:00:00", "@ 1 day -1 hours ago", "P-1DT1H", "+0-0 -1 +1:00:00"),
        (Interval(0, 0, SECOND), "00:00:01", "@ 1 sec", "PT1S", "0:00:01"),
        (
            Interval(1, 0, 1),
            "1 mon 00:00:00.000001",
            "@ 1 mon 0.000001 secs",
            "P1MT0.000001S",
            "+0-1 +0 +0:00:00.000001",
        ),
    ],
)
def test_interval_in_all_four_styles(value, postgres, verbose, iso, sql):
    assert [parse_interval(text) for text in (postgres, verbose, iso, sql)] == [value] * 4
    assert str(value) == postgres


@pytest.mark.parametrize("text", ["", "infinity", "-infinity", "1 fortnight", "P1X", "@ x", "one day"])
def test_what_is_no_interval_is_refused(text):
    with pytest.raises(ValueError):
        parse_interval(text)


def test_interval_is_a_timedelta_only_where_nothing_is_lost():
    assert Interval(0, 1, HOUR).as_python() == timedelta(days=1, hours=1)
    assert Interval(1, 0, 0).as_python() == Interval(1)
    assert Interval(0, 2**31 - 1, 0).as_python() == Interval(0, 2**31 - 1)
