"""The lexer's tokens as reports want them: with their text, a name for their kind, and ``:name`` in one piece.

Space and comments are left out, but for a comment that never ends: that is the slip then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter import lexer
from tusk_jupyter.lexer import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES = {
    Kind.SPACE: "space",
    Kind.COMMENT: "comment",
    Kind.STRING: "string",
    Kind.IDENTIFIER: "word",
    Kind.QUOTED_IDENTIFIER: "quoted",
    Kind.NUMBER: "number",
    Kind.PARAMETER: "parameter",
    Kind.OPERATOR: "operator",
    Kind.PUNCTUATION: "other",
    Kind.OTHER: "other",
}
_NAMED = (Kind.IDENTIFIER, Kind.QUOTED_IDENTIFIER, Kind.STRING)


@dataclass(frozen=True, slots=True)
class Token:
    """``text[start:end]``; ``open`` when its closing quote, tag or ``*/`` is missing."""

    kind: str
    text: str
    start: int
    end: int
    open: bool = False

    @property
    def lower(self) -> str:
        """The text as PostgreSQL folds keywords."""
        return self.text.lower()


def token_at(text: str, offset: int) -> Token | None:
    """Return the token that begins at ``offset``, or None at the end."""
    if offset >= len(text):
        return None
    found = lexer.token_at(text, offset)
    kind, end = _NAMES[found.kind], found.end
    if found.kind is Kind.STRING and text[offset] == "$":
        kind = "dollar"
    elif found.kind is Kind.PUNCTUATION and text[offset:end] in {"::", ":=", ".."}:
        kind = "cast"
    elif text[offset:end] == ":" and end < len(text):
        name = lexer.token_at(text, end)
        if name.kind in _NAMED:
            kind, end = "parameter", name.end
    return Token(kind, text[offset:end], offset, end, not found.closed)


def tokens(text: str, start: int = 0) -> Iterator[Token]:
    """Yield the tokens from ``start``, which is no place inside a token, without space and comments."""
    while (token := token_at(text, start)) is not None:
        start = token.end
        if token.kind != "space" and (token.kind != "comment" or token.open):
            yield token
