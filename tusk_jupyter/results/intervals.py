"""PostgreSQL's ``interval``: three numbers that no Python type keeps apart; pure.

A ``timedelta`` cannot say "1 month", and calling it 30 days (as drivers do) changes the value. The four values of
``IntervalStyle`` are told apart by how they are written, so a style changed in the middle of a session harms nothing.

Source: EncodeInterval in PostgreSQL's ``datetime.c``;
https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-INTERVAL-OUTPUT
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND


@dataclass(frozen=True, slots=True)
class Interval:
    """Months, days and microseconds, none of which PostgreSQL ever turns into another by itself."""

    months: int = 0
    days: int = 0
    microseconds: int = 0

    def __str__(self) -> str:
        parts = []
        negative_before = False
        years, months = _split(self.months, 12)
        for number, unit in ((years, "year"), (months, "mon"), (self.days, "day")):
            if number:
                # a positive field after a negative one carries its sign, as PostgreSQL writes it
                sign = "+" if negative_before and number > 0 else ""
                parts.append(f"{sign}{number} {unit}{'' if number == 1 else 's'}")
                negative_before = number < 0
        if self.microseconds or not parts:
            parts.append(self._clock(plus=negative_before))
        return " ".join(parts)

    def _clock(self, *, plus: bool) -> str:
        sign = "-" if self.microseconds < 0 else "+" if plus else ""
        seconds, fraction = divmod(abs(self.microseconds), _SECOND)
        minutes, seconds = divmod(seconds, 60)
        tail = f".{fraction:06}".rstrip("0") if fraction else ""
        return f"{sign}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}{tail}"

    def total_microseconds(self) -> int | None:
        """Return the length where it is one number, which it is not with months."""
        return None if self.months else self.days * _DAY + self.microseconds

    def as_python(self) -> Interval | timedelta:
        """Return a ``timedelta`` where it can hold the value, else the value itself."""
        total = self.total_microseconds()
        try:
            return self if total is None else timedelta(microseconds=total)
        except OverflowError:
            return self


def _split(number: int, by: int) -> tuple[int, int]:
    whole = abs(number) // by
    rest = abs(number) % by
    return (-whole, -rest) if number < 0 else (whole, rest)


_UNITS: Final = r"""
    (?:(?P<years>[+-]?\d+)\ years?\ ?)?
    (?:(?P<months>[+-]?\d+)\ mons?\ ?)?
    (?:(?P<days>[+-]?\d+)\ days?\ ?)?
"""
_ONLY_CLOCK: Final = re.compile(r"(?P<sign>-?)(?P<h>\d+):(?P<m>\d+):(?P<s>\d+)(?:\.(?P<f>\d+))?")
_POSTGRES: Final = re.compile(
    _UNITS + r"(?P<clock>(?P<sign>[+-]?)(?P<h>\d+):(?P<m>\d+):(?P<s>\d+)(?:\.(?P<f>\d+))?)?", re.VERBOSE
)
_VERBOSE: Final = re.compile(
    r"@\ (?:0|"
    + _UNITS
    + r"""(?:(?P<h>[+-]?\d+)\ hours?\ ?)?(?:(?P<m>[+-]?\d+)\ mins?\ ?)?
    (?:(?P<s>[+-]?\d+)(?:\.(?P<f>\d+))?\ secs?)?)(?P<ago>\ ?ago)?""",
    re.VERBOSE,
)
_ISO: Final = re.compile(
    r"P(?:(?P<years>-?\d+)Y)?(?:(?P<months>-?\d+)M)?(?:(?P<days>-?\d+)D)?"
    r"(?:T(?:(?P<h>-?\d+)H)?(?:(?P<m>-?\d+)M)?(?:(?P<s>-?\d+)(?:\.(?P<f>\d+))?S)?)?"
)
_SQL: Final = re.compile(
    r"""(?:(?P<ysign>[+-]?)(?P<years>\d+)-(?P<months>\d+)(?:\ |$))?
    (?:(?P<dsign>[+-]?)(?P<days>\d+)(?:\ |$))?
    (?:(?P<sign>[+-]?)(?P<h>\d+):(?P<m>\d+):(?P<s>\d+)(?:\.(?P<f>\d+))?)?""",
    re.VERBOSE,
)


def parse_interval(text: str) -> Interval:
    """Return the value of an interval written in any ``IntervalStyle``; ``infinity`` is a ValueError."""
    if clock := _ONLY_CLOCK.fullmatch(text):
        return Interval(0, 0, -_clock(clock) if clock["sign"] else _clock(clock))
    if text.startswith("P"):
        return _from_units(_match(_ISO, text))
    if text.startswith("@"):
        match = _match(_VERBOSE, text)
        value = _from_units(match)
        return Interval(-value.months, -value.days, -value.microseconds) if match["ago"] else value
    postgres = _POSTGRES.fullmatch(text) if text else None
    return _from_clock(postgres) if postgres else _from_sql(_match(_SQL, text))


def _match(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.fullmatch(text) if text else None
    if match is None:
        raise ValueError("not an interval")
    return match


def _number(match: re.Match[str], name: str) -> int:
    return int(match[name] or 0)


def _fraction(match: re.Match[str]) -> int:
    return int((match["f"] or "").ljust(6, "0")[:6])


def _calendar(match: re.Match[str]) -> tuple[int, int]:
    return _number(match, "years") * 12 + _number(match, "months"), _number(match, "days")


def _clock(match: re.Match[str]) -> int:
    hours, minutes, seconds = _number(match, "h"), _number(match, "m"), _number(match, "s")
    return ((hours * 60 + minutes) * 60 + seconds) * _SECOND + _fraction(match)


def _from_units(match: re.Match[str]) -> Interval:
    # here every unit has its own sign, and "-0.5" has it only in its text
    fraction = -_fraction(match) if (match["s"] or "").startswith("-") else _fraction(match)
    minutes = _number(match, "h") * 60 + _number(match, "m")
    return Interval(*_calendar(match), (minutes * 60 + _number(match, "s")) * _SECOND + fraction)


def _from_clock(match: re.Match[str]) -> Interval:
    microseconds = _clock(match)
    return Interval(*_calendar(match), -microseconds if match["sign"] == "-" else microseconds)


def _from_sql(match: re.Match[str]) -> Interval:
    months, days, microseconds = *_calendar(match), _clock(match)
    year_sign, day_sign, clock_sign = match["ysign"], match["dsign"], match["sign"]
    # a leading minus stands for all that follows unless that has a sign of its own
    clock_sign = clock_sign or day_sign or year_sign
    day_sign = day_sign or year_sign
    return Interval(
        -months if year_sign == "-" else months,
        -days if day_sign == "-" else days,
        -microseconds if clock_sign == "-" else microseconds,
    )
