"""What ``NOTIFY`` brought: the record, and the box in which a session keeps those that nobody has seen yet.

A busy channel can bring 10,000 of 8 kB while a cell runs that is about something else. The first and the last 500 are
kept, the rest counted: 8 MB at the most, and O(1) for each.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

KEEP: Final = 500
_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Notification:
    """One NOTIFY: its channel, its payload (empty without one), and the process that sent it.

    ``received_at`` is when it was read; what arrives while no cell runs is read by the next one. ``own``: the session
    sent it itself.
    """

    channel: str
    payload: str
    pid: int
    received_at: datetime
    own: bool = False


@dataclass(frozen=True, slots=True)
class Heard:
    """Notifications in the order of their arrival; ``left_out`` were only counted, between the first and the last."""

    kept: tuple[Notification, ...] = ()
    left_out: int = 0


class Inbox:
    """Filled and emptied by the session's worker."""

    def __init__(self) -> None:
        self._first: list[Notification] = []
        self._last: deque[Notification] = deque(maxlen=KEEP)
        self._count = 0

    def add(self, notification: Notification) -> None:
        """Keep one more, or count it."""
        if self._count < KEEP:
            self._first.append(notification)
        else:
            self._last.append(notification)
        self._count += 1

    def take(self) -> Heard:
        """Return what has come since the last time."""
        if not self._count:
            return Heard()
        heard = Heard((*self._first, *self._last), max(0, self._count - 2 * KEEP))
        self._first, self._count = [], 0
        self._last.clear()
        return heard


def silence(channels: set[str]) -> str:
    """Return the sentence for channels that were listened to by a session that is lost; empty without any."""
    if not channels:
        return ""
    named = ", ".join(sorted(channels)[:_NAMED]) + (" …" if len(channels) > _NAMED else "")
    return f" It no longer listens to {named}: LISTEN again."
