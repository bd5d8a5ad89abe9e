"""Durations as a person reads them: three digits are enough, and nobody divides milliseconds by 60,000."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


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


def size(number: int) -> str:
    """Return ``812 bytes``, ``4.1 kB``, ``12.4 MB``, ``5.03 GB`` (powers of 1,000, as file managers count)."""
    amount = float(number)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.5 or unit == "TB":  # noqa: PLR2004 the limit is that of the rounded figure
            break
    return counted(number, "byte") if number < 1000 else f"{amount:.3g} {unit}"  # noqa: PLR2004


def counted(number: int, noun: str) -> str:
    """Return ``1 statement``, ``2 statements``, ``1,000 statements``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
