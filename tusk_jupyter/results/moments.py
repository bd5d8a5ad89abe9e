"""Dates, times and timestamps out of PostgreSQL's text, in every ``DateStyle``; pure.

Everything becomes an integer first (days, or microseconds since 1970), because PostgreSQL's calendar is wider than
Python's: BC, five-digit years and ``infinity`` exist there. Offsets are read with their seconds: before time zones
were standardised Berlin was at +00:53:28, and a parser that stops at the minute is 28 seconds off.

The style is recognised by its layout, which a ``SET DateStyle`` in mid-session cannot fool; only day and month of the
styles ``SQL`` and ``Postgres`` need the setting. An abbreviation such as ``PST`` names no offset anybody can rely on:
a ``timestamptz`` that has only that stays text.

Source: EncodeDateOnly and EncodeDateTime in PostgreSQL's ``datetime.c``.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import tzinfo

SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
INT64_MAX: Final = 2**63 - 1

_EPOCH: Final = date(1970, 1, 1).toordinal()
_CYCLE: Final = 146_097  # days in 400 years
_YEAR_ONE: Final = date(1, 1, 1).toordinal() - _EPOCH
_YEAR_LAST: Final = date(9999, 12, 31).toordinal() - _EPOCH

_CLOCK: Final = r"(?P<H>\d{2}):(?P<M>\d{2}):(?P<S>\d{2})(?:\.(?P<f>\d{1,6}))?"
_ZONE: Final = r"(?P<zone>[+-]\d{2,3}(?::\d{2}(?::\d{2})?)?|(?! BC) ?[A-Za-z][^ ]*| [<+-][^ ]*)?"
_TAIL: Final = rf"(?:[ T]{_CLOCK}{_ZONE})?(?P<bc> BC)?"
_LAYOUTS: Final = (
    re.compile(rf"(?P<year>\d{{4,}})-(?P<month>\d\d)-(?P<day>\d\d){_TAIL}"),  # ISO
    re.compile(rf"(?P<day>\d\d)\.(?P<month>\d\d)\.(?P<year>\d{{4,}}){_TAIL}"),  # German
    re.compile(rf"(?P<a>\d\d)[/-](?P<b>\d\d)[/-](?P<year>\d{{4,}}){_TAIL}"),  # SQL; dates of Postgres
    re.compile(
        rf"[A-Z][a-z]{{2}} (?:(?P<mon>[A-Z][a-z]{{2}}) (?P<day>\d\d)|(?P<day_>\d\d) (?P<mon_>[A-Z][a-z]{{2}})) "
        rf"{_CLOCK} (?P<year>\d{{4,}})(?P<zone>(?:(?! BC) [^ ]+)?)(?P<bc> BC)?"
    ),  # Postgres
)
_MONTHS: Final = dict(
    zip(("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), range(1, 13), strict=True)
)
_OFFSET: Final = re.compile(r"([+-])(\d{2,3})(?::(\d{2})(?::(\d{2}))?)?")


def parse_date(text: str, *, date_style: str = "ISO, MDY") -> int:
    """Return days since 1970-01-01 in the proleptic Gregorian calendar; ``infinity`` is a ValueError."""
    match = _layout(text)
    if match["H"] is not None:
        raise ValueError("not a date")
    return _days(match, date_style)


def parse_timestamp(text: str, *, date_style: str = "ISO, MDY") -> int:
    """Return microseconds since 1970-01-01 00:00, whatever zone that is in."""
    match = _layout(text)
    if match["H"] is None or match["zone"]:
        raise ValueError("not a timestamp without time zone")
    return _in_range(_days(match, date_style) * DAY + _microseconds(match))


def parse_timestamptz(text: str) -> int:
    """Return microseconds since 1970-01-01 00:00 UTC; only ISO writes an offset that can be relied on."""
    match = _LAYOUTS[0].fullmatch(text)
    if match is None or match["H"] is None:
        raise ValueError("not a timestamp with a numeric offset")
    offset = _OFFSET.fullmatch(match["zone"] or "")
    if offset is None:
        raise ValueError("not a timestamp with a numeric offset")
    sign, hours, minutes, seconds = offset.groups(default="0")
    shift = (int(hours) * 60 + int(minutes)) * 60 + int(seconds)
    local = _days(match, "ISO") * DAY + _microseconds(match)
    return _in_range(local - (-shift if sign == "-" else shift) * SECOND)


def parse_time(text: str) -> time:
    """Return a ``time``; ``24:00:00``, which PostgreSQL has, is a ValueError."""
    return time.fromisoformat(text)


def date_of(days: int) -> date:
    """Return a ``date``, or raise ValueError where Python's calendar ends."""
    if not _YEAR_ONE <= days <= _YEAR_LAST:
        raise ValueError("outside the years 1 to 9999")
    return date.fromordinal(days + _EPOCH)


def datetime_of(microseconds: int) -> datetime:
    """Return a ``datetime`` without zone, or raise ValueError where Python's calendar ends."""
    days, rest = divmod(microseconds, DAY)
    return datetime.combine(date_of(days), time()) + timedelta(microseconds=rest)


def datetime_in(microseconds: int, zone: tzinfo) -> datetime:
    """Return a ``datetime`` in ``zone``, or raise ValueError or OverflowError where Python's calendar ends."""
    return datetime_of(microseconds).replace(tzinfo=UTC).astimezone(zone)


def _layout(text: str) -> re.Match[str]:
    for layout in _LAYOUTS:
        if match := layout.fullmatch(text):
            return match
    raise ValueError("not a date or timestamp")


def _days(match: re.Match[str], date_style: str) -> int:
    fields = match.groupdict()
    if "a" in fields:
        day_first = "DMY" in date_style.upper()
        month, day = (fields["b"], fields["a"]) if day_first else (fields["a"], fields["b"])
    elif "mon" in fields:
        month, day = str(_MONTHS[fields["mon"] or fields["mon_"]]), fields["day"] or fields["day_"]
    else:
        month, day = fields["month"], fields["day"]
    # 1 BC is the year 0; Python's calendar starts at 1, so count in whole cycles of 400 years
    year = 1 - int(fields["year"]) if fields["bc"] else int(fields["year"])
    cycles, year_of_cycle = divmod(year - 1, 400)
    return date(year_of_cycle + 1, int(month), int(day)).toordinal() - _EPOCH + cycles * _CYCLE


def _microseconds(match: re.Match[str]) -> int:
    seconds = (int(match["H"]) * 60 + int(match["M"])) * 60 + int(match["S"])
    return seconds * SECOND + int((match["f"] or "").ljust(6, "0"))


def _in_range(microseconds: int) -> int:
    if not -INT64_MAX <= microseconds <= INT64_MAX:
        raise ValueError("beyond 64 bits of microseconds around 1970")
    return microseconds
