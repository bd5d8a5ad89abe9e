"""Where in a cell the cursor is: on the line of one of our magics, or below it. Pure.

IPython decides what a magic is, and this follows its rules: a cell magic begins the cell, behind blank lines and
indentation at most; a line magic begins a line, or stands behind ``name =``, and a backslash continues its line. Its
own transformer was not asked: it works on cells that are finished, and a cell that wants Tab seldom is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    Kind = Literal["line", "cell"]
    # (kind, name as typed) → the magic of ours that answers to it
    Owned = Callable[[Kind, str], str | None]

_CELL = re.compile(r"(?:[ \t\r\f\v]*\n)*[ \t]*%%(\w+)(?: |(?=\n)|\Z)")
_LINE = re.compile(r"[ \t]*(?:[^\s%#=][^%#=\n]*=[ \t]*)?%(\w+) ")
_CONTINUED = re.compile(r"\\(?=\n)")
# below these stands Python, with line magics of its own
_RUN_PYTHON = frozenset({"capture", "debug", "prun", "time", "timeit"})


@dataclass(frozen=True, slots=True)
class Place:
    """A magic's text is ``text[start:end]``, its first line ends at ``line_end``; ``cursor`` is within.

    ``text`` has the offsets of the cell; where a backslash joined two lines it has blanks.
    """

    magic: str
    is_cell: bool
    text: str
    start: int
    line_end: int
    end: int
    cursor: int


def find(text: str, cursor: int, owned: Owned) -> Place | None:
    """Return the place of the cursor, or ``None`` where it is none of ours: in Python, or on a magic's name."""
    if (match := _CELL.match(text)) is not None:
        if (magic := owned("cell", match[1])) is not None:
            return _in_cell(magic, text, match.end(), cursor)
        if match[1] not in _RUN_PYTHON:
            return None
    return _in_line(text, cursor, owned)


def _in_cell(magic: str, text: str, start: int, cursor: int) -> Place | None:
    if cursor < start or (cursor == start and text[start - 1] != " "):
        return None
    line_end = text.find("\n", start)
    return Place(magic, True, text, start, line_end if line_end >= 0 else len(text), len(text), cursor)


def _in_line(text: str, cursor: int, owned: Owned) -> Place | None:
    start = _line_start(text, cursor)
    match = _LINE.match(text, start)
    if match is None or match.end() > cursor or _in_string(text, start):
        return None
    if (magic := owned("line", match[1])) is None:
        return None
    end = _line_end(text, cursor)
    joined = text[start:end].replace("\\\n", "  ")
    return Place(magic, False, text[:start] + joined + text[end:], match.end(), end, end, cursor)


def _line_start(text: str, cursor: int) -> int:
    start = text.rfind("\n", 0, cursor) + 1
    while start >= 2 and text[start - 2] == "\\":  # noqa: PLR2004 - a backslash and the line break
        start = text.rfind("\n", 0, start - 1) + 1
    return start


def _line_end(text: str, cursor: int) -> int:
    end = text.find("\n", cursor)
    while end > 0 and text[end - 1] == "\\":
        end = text.find("\n", end + 1)
    return end if end >= 0 else len(text)


def _in_string(text: str, start: int) -> bool:
    """Tell whether a line begins inside a string of three quotes; a comment that holds some is not worth a lexer."""
    opened = ""
    for match in re.finditer(r'"""|\'\'\'', text[:start]):
        if not opened:
            opened = match[0]
        elif opened == match[0]:
            opened = ""
    return bool(opened)
