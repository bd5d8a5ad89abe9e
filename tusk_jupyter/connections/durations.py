"""A duration as PostgreSQL writes it (``500ms``, ``2min``), for every time-out that a user gives."""

from __future__ import annotations

import re

from tusk_jupyter.errors import InvalidInput

# https://www.postgresql.org/docs/current/config-setting.html#CONFIG-SETTING-NAMES-VALUES
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
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
