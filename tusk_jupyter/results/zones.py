"""The session's ``TimeZone`` as Python's ``tzinfo``; pure.

The server writes each ``timestamptz`` with its offset, so the instant is never in doubt; the zone only decides how it
is shown. A zone that Python does not know, or knows under another meaning, gives ``None``: then UTC is shown, and said.
"""

from __future__ import annotations

import re
from datetime import UTC, timedelta, timezone
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from datetime import tzinfo

# POSIX counts west as positive: <+03>-3 is three hours east
_POSIX: Final = re.compile(r"(?:<[^<>]+>|[A-Za-z]{3,})([+-]?)(\d{1,3})(?::(\d{1,2}))?(?::(\d{1,2}))?")
# of the machine the client runs on, not of the server
_LOCAL_MEANING: Final = frozenset({"localtime", "posixrules", "Factory"})


def session_zone(name: str) -> tzinfo | None:
    """Return the zone PostgreSQL calls ``name``, None where Python cannot show it."""
    if name == "UTC":
        return UTC
    if name in _LOCAL_MEANING or name.startswith("right/"):
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return _fixed(name)


def _fixed(name: str) -> tzinfo | None:
    match = _POSIX.fullmatch(name)
    if match is None:
        return None
    sign, hours, minutes, seconds = match.groups(default="0")
    west = timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    if west >= timedelta(days=1):
        return None
    return timezone(west if sign == "-" else -west)
