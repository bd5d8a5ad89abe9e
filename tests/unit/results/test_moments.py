from datetime import UTC, date, datetime, time, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.results.moments import (
    date_of,
    datetime_in,
    datetime_of,
    parse_date,
    parse_time,
    parse_timestamp,
    parse_timestamptz,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01", "1970-01-01"),
        ("2024-02-29", "2024-02-29"),
        ("0001-01-01", "0001-01-01"),
        ("0001-12-31 BC", "0000-12-31"),
        ("0044-03-15 BC", "-043-03-15"),
        ("4713-11-24 BC", "-4712-11-24"),
        ("20000-01-01", "20000-01-01"),
        ("5874897-12-31", "5874897-12-31"),
    ],
)
def test_date_in_the_whole_of_postgresqls_calendar(text, expected):
    assert parse_date(text) == np.datetime64(expected, "D").astype(int)


@pytest.mark.parametrize(
    ("style", "text", "stamp"),
    [
        ("ISO, DMY", "2024-02-03", "2024-02-03 04:05:06.7"),
        ("German, DMY", "03.02.2024", "03.02.2024 04:05:06.7"),
        ("SQL, DMY", "03/02/2024", "03/02/2024 04:05:06.7"),
        ("SQL, MDY", "02/03/2024", "02/03/2024 04:05:06.7"),
        ("Postgres, DMY", "03-02-2024", "Sat 03 Feb 04:05:06.7 2024"),
        ("Postgres, MDY", "02-03-2024", "Sat Feb 03 04:05:06.7 2024"),
    ],
)
def test_every_date_style(style, text, stamp):
    moment = datetime(2024, 2, 3, 4, 5, 6, 700_000)  # noqa: DTZ001 - it has no zone
    assert date_of(parse_date(text, date_style=style)) == date(2024, 2, 3)
    assert datetime_of(parse_timestamp(stamp, date_style=style)) == moment
    bc = parse_timestamp(stamp + " BC", date_style=style)
    assert np.datetime64(bc, "us") == np.datetime64("-2023-02-03T04:05:06.700000")


@pytest.mark.parametrize(
    "text", ["infinity", "-infinity", "", "2024-13-01", "2024-02-30", "24-01-01", "2024-01-01 10:00:00"]
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError):
        parse_date(text)


@pytest.mark.parametrize("text", ["infinity", "2024-01-01", "2024-01-01 10:00:00+00", "294276-12-31 00:00:00"])
def test_what_is_no_timestamp_in_64_bits_from_1970_is_refused(text):
    with pytest.raises(ValueError):
        parse_timestamp(text)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2024-01-01 00:00:00+00", "2024-01-01T00:00:00"),
        ("2024-01-01 00:00:00-05:30", "2024-01-01T05:30:00"),
        ("1800-01-01 00:53:28+00:53:28", "1800-01-01T00:00:00"),
        ("1800-01-01 00:00:00.25-00:01:15", "1800-01-01T00:01:15.25"),
        ("0044-03-15 00:00:00+01 BC", "-043-03-14T23:00:00"),
        ("20000-01-01 00:00:00+14", "19999-12-31T10:00:00"),
    ],
)
def test_timestamptz_reads_the_offset_to_the_second(text, utc):
    assert np.datetime64(parse_timestamptz(text), "us") == np.datetime64(utc)


@pytest.mark.parametrize(
    "text",
    [
        "infinity",
        "2024-01-01 00:00:00",
        "2024-01-01 00:00:00 PST",
        "03/02/2024 04:05:06 CET",
        "Sat Feb 03 04:05:06 2024 CET",
        "03.02.2024 04:05:06 +03",
    ],
)
def test_timestamptz_without_a_sure_offset_is_refused(text):
    with pytest.raises(ValueError):
        parse_timestamptz(text)


@given(
    st.datetimes(
        timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30)), timezone(timedelta(seconds=3208))])
    )
)
def test_timestamptz_reads_back_what_postgresql_would_write(moment):
    offset = moment.strftime("%z")
    offset = ":".join(filter(None, (offset[:3], offset[3:5], offset[5:7])))
    text = f"{moment.year:04}-{moment:%m-%d %H:%M:%S.%f}{offset}"
    expected = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert parse_timestamptz(text) == expected


def test_python_ends_where_its_calendar_ends():
    assert date_of(parse_date("9999-12-31")) == date.max
    assert datetime_in(0, UTC) == datetime(1970, 1, 1, tzinfo=UTC)
    for days in (parse_date("10000-01-01"), parse_date("0001-01-01 BC")):
        with pytest.raises(ValueError):
            date_of(days)
    with pytest.raises(OverflowError):
        datetime_in(parse_timestamp("9999-12-31 23:30:00"), timezone(timedelta(hours=1)))


def test_time():
    assert parse_time("10:11:12.5") == time(10, 11, 12, 500_000)
    with pytest.raises(ValueError):
        parse_time("24:00:00")
