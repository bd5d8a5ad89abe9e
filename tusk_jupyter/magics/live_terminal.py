"""The live line in a terminal: one line, rewritten in place, and wiped before anything else is written.

Carriage returns and spaces only, no escape sequences: they work in every terminal, and the text of a server is never
mixed with any. The line is cut to the terminal's width, or it would wrap, and what wraps cannot be rewritten. Where the
output goes to a file or a pipe there is no line at all.
"""

from __future__ import annotations

import os
import sys
import time
import unicodedata
from typing import TYPE_CHECKING, Any

from tusk_jupyter.magics.live import EVERY_S, line_of

if TYPE_CHECKING:
    from tusk_jupyter.queries.execution import Execution

_HOW = " · Ctrl-C stops it"


class TerminalLine:
    """The line of the statement that runs; it has the life of :class:`~tusk_jupyter.magics.live.CellLine`."""

    def __init__(self) -> None:
        self._drawn = 0.0
        self._width = 0

    def draw(self, execution: Execution) -> None:
        """Write how far ``execution`` has come over what was written last."""
        now = time.monotonic()
        if now - self._drawn < EVERY_S or not sys.stdout.isatty():
            return
        self._drawn = now
        said = line_of(execution).one_line()
        text = cut(said if execution.is_cancelled else said + _HOW, _columns() - 1)
        width = cells(text)
        sys.stdout.write(f"\r{text}{' ' * (self._width - width)}")
        sys.stdout.flush()
        self._width = width

    def rest(self, *, over: bool = False) -> None:
        """Wipe the line."""
        del over
        if self._width:
            sys.stdout.write(f"\r{' ' * self._width}\r")
            sys.stdout.flush()
        self._width, self._drawn = 0, 0.0

    def place(self, *, free: bool = False) -> Any:
        """Make room for what is written next; there is no output to be replaced."""
        self.rest(over=free)

    def close(self) -> None:
        """Wipe the line."""
        self.rest()


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(map(_cells, text))


def _cells(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def cut(text: str, columns: int) -> str:
    """Return as much of a text as fits, with an ellipsis where it does not."""
    if cells(text) <= columns:
        return text
    kept, left = [], columns - 1
    for char in text:
        left -= _cells(char)
        if left < 0:
            break
        kept.append(char)
    return "".join(kept) + "…" if columns > 0 else ""
