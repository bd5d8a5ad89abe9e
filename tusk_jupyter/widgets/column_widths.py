"""How a column of an HTML table of ours behaves: what is short stays on one line, prose wraps, numbers go to the right.

A browser that must narrow a table breaks whatever has a space in it, ``704 kB`` and ``not null`` first, before it takes
room from a comment. So only a column with something long in it may wrap, and keeps a width that can be read. By its
cells, not by a list of headers alone: a name may have 63 characters, and a table that never wraps pushes what is behind
it out of sight. Styles are literal, as :mod:`tusk_jupyter.widgets.markup` says.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROSE = frozenset({"comment", "description", "definition", "default"})
_PROSE_FITS = 24
_FITS = 48
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?(?: (?:bytes|[kMGTP]B))?")
_WORDS = ("name", "column", "schema", "table", "default", "value", "comment", "description")
_LINE = "white-space:pre"
_WRAPS = "white-space:pre-wrap;min-width:22em"


def width_of(header: str, cells: Sequence[str]) -> str:
    """Return the style of a column's cells, in which lines of text are kept."""
    longest = max((len(line) for cell in cells for line in cell.split("\n")), default=0)
    is_prose = header.lower() in _PROSE
    if longest > (_PROSE_FITS if is_prose else _FITS):
        return _WRAPS
    return f"{_LINE};text-align:{'right' if _are_numbers(header, cells) else 'left'}"


def _are_numbers(header: str, cells: Sequence[str]) -> bool:
    """Return whether there are numbers alone; what is called 2024 is a name all the same."""
    if header.lower().endswith(_WORDS):
        return False
    said = [cell for cell in cells if cell]
    return bool(said) and all(map(_NUMBER.fullmatch, said))
