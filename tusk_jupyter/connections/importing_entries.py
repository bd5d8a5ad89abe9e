"""What every foreign file of connections comes down to: libpq's keywords, secrets apart, and what had to be left out.

Notes name lines and keywords, never values: a value may be a password, and so may an unknown word behind one (a
password with a line break or an unquoted blank continues there).
"""

from __future__ import annotations

import colorsys
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tusk_jupyter.connections.keywords import KEYWORDS, REFUSED_KEYWORDS, SECRET_KEYWORDS
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tusk_jupyter.connections.credentials import Kind
    from tusk_jupyter.connections.saved import SshTunnel

_KINDS: dict[str, Kind] = {"password": "db", "sslpassword": "sslkey"}
# without blanks, and nothing like «password12»: there the delimiter was forgotten, and the rest is the password
_WORD = re.compile(r"(?!.*(?:pass|pwd|secret))[a-z][a-z0-9_-]{0,39}", re.IGNORECASE)
# degrees of hue, for what has a hue at all
_HUES = {"red": 0, "orange": 33, "yellow": 56, "green": 120, "blue": 215, "purple": 280}
_COLORLESS = 0.15


@dataclass(frozen=True, slots=True)
class Entry:
    """One connection of a file: its name there, libpq's keywords, and what is not libpq's."""

    name: str
    params: Mapping[str, str]
    secrets: Mapping[Kind, Secret] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    ssh: SshTunnel | None = None
    read_only: bool = False
    color: str | None = None
    group_id: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """One that cannot be imported, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Sorted:
    """Keywords told apart from secrets and from what is neither."""

    params: dict[str, str]
    secrets: dict[Kind, Secret]
    notes: tuple[str, ...]


def sort_out(pairs: Iterable[tuple[str, str, str]]) -> Sorted:
    """Sort ``(keyword, value, where)``; an empty value is none, and the first of a keyword counts, as in libpq."""
    params: dict[str, str] = {}
    secrets: dict[Kind, Secret] = {}
    notes: list[str] = []
    for keyword, value, where in pairs:
        if keyword in SECRET_KEYWORDS:
            if value:
                secrets.setdefault(_KINDS[keyword], Secret(value))
        elif keyword in REFUSED_KEYWORDS:
            notes.append(f"{keyword} is a secret that has no place in a saved connection: left out")
        elif keyword == "service":
            notes.append("it refers to another service, which is not followed")
        elif keyword not in KEYWORDS:
            named = repr(keyword) if _WORD.fullmatch(keyword) and not secrets else "a word"
            notes.append(f"{named} ({where}) is no parameter of libpq: left out")
        elif value:
            params.setdefault(keyword, value)
    return Sorted(params, secrets, tuple(notes))


def nearest_color(text: str) -> str | None:
    """Return the nearest of our colours for ``#f90``, ``#ff9900`` or ``rgb(255, 153, 0)``; ``None`` for no colour."""
    if found := re.fullmatch(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", text.strip()):
        digits = found[1] if len(found[1]) > 3 else "".join(c * 2 for c in found[1])  # noqa: PLR2004 - #rgb
        channels = [int(digits[n : n + 2], 16) for n in (0, 2, 4)]
    elif found := re.fullmatch(r"rgba?\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*(?:,[^)]*)?\)", text.strip()):
        channels = [min(int(part), 255) for part in found.groups()]
    else:
        return None
    hue, saturation, brightness = colorsys.rgb_to_hsv(*(channel / 255 for channel in channels))
    if saturation < _COLORLESS or brightness < _COLORLESS:
        return "gray"
    degrees = hue * 360
    return min(_HUES, key=lambda name: min(abs(degrees - _HUES[name]), 360 - abs(degrees - _HUES[name])))
