"""What completion and inspection answer, as records: every door (kernel, terminal, front end) reads the same ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One thing that could stand at the cursor.

    ``text`` replaces what :class:`Suggestions` says, quoted where it needs to be. ``kind`` is keyword, schema, table,
    view, column, function, type, value, join, parameter, setting, role, connection, option or the like. ``signature``
    is short and for the eye: a column's type, a function's arguments, a table's comment.
    """

    text: str
    kind: str
    signature: str = ""


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Likeliest first; each replaces ``text[start:end]`` of the text that was asked about (offsets in characters)."""

    start: int
    end: int
    items: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class Inspection:
    """What is known of the thing at the cursor: a complete plain text, and the same as HTML of our own making."""

    text: str
    html: str
