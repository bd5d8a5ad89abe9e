"""What a diagnosis is: a text or an SQLSTATE that a server or libpq gives, how far we came, what to tell the user."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tusk_jupyter.errors import TuskError


class Reached(IntEnum):
    """The last step that certainly worked; of several addresses, the one that came furthest is reported."""

    NOTHING = 0
    RESOLVED = 1
    TCP = 2
    SERVER = 3
    LOGIN = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """A text and its meaning; ``message`` is ``None`` where the server's own words are best.

    ``message`` and ``advice`` may name the groups of the pattern and ``{host}``, ``{port}``, ``{user}``, ``{dbname}``,
    ``{sslmode}``, ``{timeout}``, ``{tries}``. A ``weak`` rule gives way to what a later line says. ``codes`` are the
    SQLSTATEs that mean the same in any language, with the server's routine (``28000 auth_failed``) where one has
    several meanings.
    """

    pattern: re.Pattern[str]
    error: type[TuskError]
    message: str | None
    advice: str
    reached: Reached
    weak: bool = False
    codes: tuple[str, ...] = ()


def rule(
    pattern: str,
    error: type[TuskError],
    message: str | None,
    advice: str,
    reached: Reached = Reached.SERVER,
    *,
    weak: bool = False,
    codes: tuple[str, ...] = (),
) -> Rule:
    """Return a rule; the advice is always given, the message where the server's own words are not the best."""
    return Rule(re.compile(pattern), error, message, advice, reached, weak, codes)
