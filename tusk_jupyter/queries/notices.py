"""What a statement had to say on the way: NOTICE and its kind, kept within bounds.

A loop in PL/pgSQL can raise 10,000 notices of 10 kB: the first and the last 50 are kept, the rest are counted.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

from tusk_jupyter import translate
from tusk_jupyter.errors import Diagnostic

KEEP = 50


class NoticeLog:
    """Filled by the worker, read by the main thread while it waits."""

    def __init__(self) -> None:
        self._first: list[Diagnostic] = []
        self._last: deque[Diagnostic] = deque(maxlen=KEEP)
        self.count = 0
        self._lock = threading.Lock()

    def add(self, diag: Any) -> None:
        """Take psycopg's notice (called on the worker, in the order of arrival)."""
        record = translate.notice(diag)
        with self._lock:  # the parts of one query have a worker each
            if self.count < KEEP:
                self._first.append(record)
            else:
                self._last.append(record)
            self.count += 1

    @property
    def first(self) -> int:
        """How many are kept from the beginning on."""
        return len(self._first)

    @property
    def left_out(self) -> int:
        """How many were only counted."""
        return max(0, self.count - 2 * KEEP)

    def so_far(self) -> tuple[Diagnostic, ...]:
        """Return the first, while the statement runs, and a record of how many there are besides."""
        first, more = tuple(self._first), self.count - KEEP
        if more <= 0:
            return first
        return (*first, Diagnostic(severity="NOTE", message_primary=f"{more:,} more notices so far"))

    def records(self) -> tuple[Diagnostic, ...]:
        """Return what was kept, in order; where some were left out, a record in the middle says how many."""
        middle: tuple[Diagnostic, ...] = ()
        if self.left_out:
            middle = (Diagnostic(severity="NOTE", message_primary=f"{self.left_out:,} notices are not shown"),)
        return (*self._first, *middle, *self._last)
