"""Dates and timestamps → the text that PostgreSQL writes for them in ``DateStyle`` ISO; pure.

Needed for what no column of a frame can hold: a binary result says ``infinity``, a year BC or one of five digits as a
number, and what follows has rules for PostgreSQL's text of it. PostgreSQL's calendar and zones repeat every 400 years
before 1 and after 9999, as Python's do between: a moment is moved by whole cycles, and the year moved back.

Source: EncodeDateOnly, EncodeDateTime and EncodeTimezone in PostgreSQL's ``datetime.c``.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from tusk_jupyter.results.moments import DAY, SECOND

if TYPE_CHECKING:
    from datetime import tzinfo

INFINITY: Final = "infinity"
MINUS_INFINITY: Final = "-infinity"

_EPOCH: Final = date(1970, 1, 1).toordinal()
_CYCLE: Final = 146_097  # days in 400 years
_EARLIEST: Final = date(401, 1, 1).toordinal()  # no zone has changed so early, or was still to change so late
_LATEST: Final = date(9600, 1, 1).toordinal()


def iso_date(days: int) -> str:
    """Return the text of a date, from its days since 1970-01-01."""
    text, era = _day(days)
    return text + era


def iso_timestamp(microseconds: int) -> str:
    """Return the text of a timestamp, from its microseconds since 1970-01-01 00:00."""
    return _moment(microseconds, "")


def iso_timestamptz(microseconds: int, zone: tzinfo) -> str:
    """Return the text of a moment in a zone, from its microseconds since 1970-01-01 00:00 UTC."""
    days, rest = divmod(microseconds, DAY)
    ordinal, _ = _within(days + _EPOCH)
    moment = datetime.combine(date.fromordinal(ordinal), datetime.min.time(), UTC) + timedelta(microseconds=rest)
    shift = moment.astimezone(zone).utcoffset() or timedelta()
    seconds = shift // timedelta(seconds=1)
    return _moment(microseconds + seconds * SECOND, _offset(seconds))


def _within(ordinal: int) -> tuple[int, int]:
    """Return the day moved by whole cycles to where Python's calendar has it, and by how many years."""
    if ordinal < _EARLIEST:
        cycles = (_EARLIEST - ordinal + _CYCLE - 1) // _CYCLE
    elif ordinal >= _LATEST:
        cycles = -((ordinal - _LATEST) // _CYCLE + 1)
    else:
        cycles = 0
    return ordinal + cycles * _CYCLE, cycles * 400


def _day(days: int) -> tuple[str, str]:
    ordinal, moved = _within(days + _EPOCH)
    day = date.fromordinal(ordinal)
    year = day.year - moved
    era = "" if year > 0 else " BC"
    return f"{year if year > 0 else 1 - year:04}-{day.month:02}-{day.day:02}", era


def _moment(microseconds: int, offset: str) -> str:
    days, rest = divmod(microseconds, DAY)
    text, era = _day(days)
    seconds, fraction = divmod(rest, SECOND)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    tail = f".{fraction:06}".rstrip("0") if fraction else ""
    return f"{text} {clock}{tail}{offset}{era}"


def _offset(seconds: int) -> str:
    sign, seconds = ("+", seconds) if seconds >= 0 else ("-", -seconds)
    hours, minutes, rest = seconds // 3600, seconds // 60 % 60, seconds % 60
    text = f"{sign}{hours:02}"
    if minutes or rest:
        text += f":{minutes:02}"
    return text + (f":{rest:02}" if rest else "")
