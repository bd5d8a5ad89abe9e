"""Amounts as a person reads them: three digits are enough, and nobody divides bytes by 1,000,000."""

from __future__ import annotations

from tusk_jupyter.connections.durations import age, duration

__all__ = ["age", "counted", "duration", "size"]


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
