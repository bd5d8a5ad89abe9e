"""Durations: as PostgreSQL writes them (``500ms``, ``2min``), for every time-out that a user gives; and as people do.

A time-out is said exactly (``1 min 30 s``), what was measured in three digits: nobody divides milliseconds by 60,000.
"""

from __future__ import annotations

import re

from tusk_jupyter.errors import InvalidInput

# https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_STEPS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "min"))
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_LONGEST_S = (2**31 - 1) / 1000  # time-outs are int4 milliseconds to the server


def parse_duration(text: str) -> float:
    """Return seconds from a duration as PostgreSQL writes it (``500ms``, ``2min``); a number alone is seconds."""
    found = re.fullmatch(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(us|ms|s|min|h|d)?\s*", text, re.ASCII)
    seconds = float(found[1]) * _UNITS[found[2] or "s"] if found else 0.0
    if found is None or seconds > _LONGEST_S:
        raise InvalidInput(
            f"{text[:40]!r} is not a duration" if found is None else f"{text[:40]!r} is longer than 24 days",
            advice="Write a number and a unit: 500ms, 30s, 2min, 1h, 1d; a number alone is seconds.",
        )
    return seconds


def span(ms: float) -> str:
    """Return a time-out exactly: ``200 ms``, ``1.5 s``, ``30 s``, ``5 min``, ``1 h 30 min``."""
    if ms < 1_000:  # noqa: PLR2004 a second
        return f"{ms:g} ms"
    words = []
    for step, unit in _STEPS:
        whole, ms = divmod(ms, step)
        words += [f"{whole:g} {unit}"] if whole else []
    return " ".join([*words, *([f"{ms / 1000:.6g} s"] if ms else [])])


def setting(ms: float) -> str:
    """Return a time-out of whole milliseconds as PostgreSQL reads it, in the largest unit that fits: ``5min``."""
    for step, unit in (*_STEPS, (1_000, "s")):
        if ms and ms % step == 0:
            return f"{ms // step:g}{unit}"
    return f"{ms:g}ms" if ms else "0"


def duration(ms: float) -> str:
    """Return ``0.4 ms``, ``41 ms``, ``1.24 s``, ``12.4 s``, ``2 min 03 s``, ``1 h 02 min`` or ``3 d 04 h``.

    The limits are those of the rounded figure, so that there is never a ``1000 ms`` or a ``60.0 s``. What is no time (a
    clock that went back, NaN) is ``0 ms``.
    """
    if not ms >= 0.05:  # noqa: PLR2004 rounds to 0.0
        return "0 ms"
    seconds = ms / 1000
    for limit, text in (
        (0.95, f"{ms:.1f} ms"),
        (999.5, f"{ms:.0f} ms"),
        (9_995, f"{seconds:.2f} s"),
        (59_950, f"{seconds:.1f} s"),
    ):
        if ms < limit:
            return text
    return age(seconds)


def age(seconds: float) -> str:
    """Return ``48 s``, ``2 min 03 s``, ``1 h 02 min`` or ``3 d 04 h``."""
    whole = round(seconds) if 0 < seconds < 1e12 else 0  # noqa: PLR2004 30,000 years, and not NaN
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02} min"
    return f"{whole // _DAY:,} d {whole % _DAY // _HOUR:02} h"
