"""The lines of a cell around an error, with a caret under the exact character.

PostgreSQL counts characters, a screen counts cells: a tab is up to eight of them, 漢 is two, a combining accent none,
and what is spelt out (an ESC) as many as its spelling. So the caret's column is measured on what is shown. In HTML a
wide character is padded with the ideographic space: browsers draw both from the same font, whose width is seldom
exactly two of the code font's.

Cost does not grow with the cell but for ``str.find`` and ``str.count``: 4,000 characters to each side are looked at.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.advice.tokens import token_at
from tusk_jupyter.widgets.markup import LINE, MONO, MUTED, escape, masked, shown, tag

if TYPE_CHECKING:
    from tusk_jupyter.errors import Correction, Place

REACH = 4_000
WIDTH = 100
_BEFORE = 60
_TAB = 8
_PRE = (
    f"margin:8px 0;padding:6px 10px;border:1px solid {LINE};overflow-x:auto;white-space:pre;line-height:1.5;"
    f"font-size:12.5px;background:var(--jp-layout-color0,var(--vscode-editor-background,transparent));{MONO}"
)
_WAVY = (
    "text-decoration:underline;text-decoration:underline wavy var(--jp-error-color1,#d14b41);text-underline-offset:3px"
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """One line cut into what stands before, at and after the caret, and its neighbours; all of it safe to show.

    ``pad`` has the shown width of ``head``, in spaces and ideographic spaces.
    """

    number: int
    head: str
    token: str
    tail: str
    pad: str
    before: str | None = None
    after: str | None = None
    internal: bool = False

    def text(self) -> str:
        """Return two lines as psql prints them."""
        label = f"LINE {self.number} of the function's query: " if self.internal else f"LINE {self.number}: "
        width = len(label) + _columns(self.pad)
        return f"{label}{self.head}{self.token}{self.tail}\n{' ' * width}^"

    def html(self) -> str:
        """Return up to three numbered lines and the caret's."""
        digits = len(str(self.number + (self.after is not None)))
        here = escape(self.head) + (tag("u", escape(self.token), _WAVY) if self.token else "") + escape(self.tail)
        rows = [
            (self.number - 1, None if self.before is None else escape(self.before)),
            (self.number, here),
            (None, f"{self.pad}^"),
            (self.number + 1, None if self.after is None else escape(self.after)),
        ]
        label = tag("div", "in the function's own query:", f"margin-top:6px;{MUTED}") if self.internal else ""
        return label + tag("pre", "\n".join(_row(no, digits, line) for no, line in rows if line is not None), _PRE)


def _row(number: int | None, digits: int, line: str) -> str:
    gutter = f"{'' if number is None else number:>{digits}} "
    return tag("span", gutter, f"{MUTED};user-select:none") + line


def excerpt(place: Place) -> Excerpt:
    """Return what to show of a place; an offset beyond the text points at its end."""
    text, offset = place.text, min(max(place.offset, 0), len(place.text))
    if not text[offset : offset + REACH].strip():
        # PostgreSQL puts the end of input behind the last newline, where there is nothing to see.
        offset = len(text[:offset].rstrip())
    start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    end = len(text) if end < 0 else end
    line, caret = _line(text, start, end, offset)
    found = None if line[caret : caret + 1].isspace() else token_at(line, caret)
    stop = found.end if found else caret
    head, token, tail = _fit(line[:caret], line[caret:stop], line[stop:])
    head, pad = _cells(head, 0)
    token, token_pad = _cells(token, _columns(pad))
    tail, _ = _cells(tail, _columns(pad + token_pad))
    before = _line(text, text.rfind("\n", 0, start - 1) + 1, start - 1, 0)[0] if start else None
    after = _line(text, end + 1, text.find("\n", end + 1), 0)[0] if end + 1 < len(text) else None
    number = text.count("\n", 0, start) + 1
    return Excerpt(number, head, token, tail, pad, _whole(before), _whole(after), place.internal)


def corrected_line(place: Place, correction: Correction) -> tuple[int, str] | None:
    """Return the number of the line that a correction changes, and what it would read: safe to show, and cut.

    It stands in a sentence, so it is not indented, and what is cut away is what is far from the edit.
    """
    if place.internal or (found := correction.line(place.text)) is None:
        return None
    number, head, tail = found
    low = max(0, len(head) - REACH)
    line = masked((head[low:] + tail)[: 2 * REACH])
    head, tail = line[: len(head) - low].lstrip(), line[len(head) - low :].rstrip()
    head, token, tail = _fit(head, tail[: len(correction.replacement)], tail[len(correction.replacement) :])
    return number, _cells(head + token + tail, 0)[0]


def _line(text: str, start: int, end: int, offset: int) -> tuple[str, int]:
    """Return what is within reach of a line, passwords masked, and the offset in it."""
    end = len(text) if end < 0 else end
    offset = max(offset, start)
    low, high = max(start, offset - REACH), min(end, offset + REACH)
    base = max(0, low - REACH)
    line = masked(text[base : high + REACH])[low - base : high - base].rstrip("\r")
    return line, min(offset - low, len(line))


def _fit(head: str, token: str, tail: str) -> tuple[str, str, str]:
    if len(head) + len(token) + len(tail) <= WIDTH:
        return head, token, tail
    if len(head) > _BEFORE:
        head = f"…{head[-_BEFORE:]}"
    token = _cut(token, WIDTH - len(head))
    return head, token, _cut(tail, WIDTH - len(head) - len(token))


def _whole(line: str | None) -> str | None:
    return None if line is None else _cells(_cut(line, WIDTH), 0)[0]


def _cells(text: str, column: int) -> tuple[str, str]:
    """Return what is shown of a part of a line that begins in ``column``, and a padding of the same width."""
    out: list[str] = []
    pad: list[str] = []
    for char in text:
        part = " " * (_TAB - column % _TAB) if char == "\t" else shown(char)
        fill = "\u3000" if _width(char) > 1 else " " * _columns(part)
        column += _columns(fill)
        out.append(part)
        pad.append(fill)
    return "".join(out), "".join(pad)


def _columns(text: str) -> int:
    return sum(map(_width, text))


def _width(char: str) -> int:
    if char < "\u0300":
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _cut(line: str, width: int) -> str:
    return line if len(line) <= width else f"{line[: max(width - 1, 0)]}…"
