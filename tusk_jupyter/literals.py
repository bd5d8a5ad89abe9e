"""A string literal of SQL taken apart into what it says, and put together again: ``''``, ``E''``, ``U&''``, ``$$``.

For looking into literals (passwords in a conninfo, in a statement that is EXECUTEd): a pattern over the text as typed
has to know each doubling of each level, and missed ``''`` within a doubled quote. Escapes by number are read as the
character of that number; an ``UESCAPE`` stands behind the literal and is not looked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DOLLAR = re.compile(r"\$[^$]*\$")
_OPENING = re.compile(r"[eE]'|[uU]&'|'")
# a quote that is neither doubled nor the end parts a literal from its continuation on the next line
_JOINED = r"''|'\s*(?:--[^\n\r]*[\n\r]\s*)*'"
_PLAIN = re.compile(_JOINED)
_ESCAPED = re.compile(rf"{_JOINED}|\\(?:x[0-9A-Fa-f]{{1,2}}|u[0-9A-Fa-f]{{4}}|U[0-9A-Fa-f]{{8}}|[0-7]{{1,3}}|[\s\S])")
_BY_UNICODE = re.compile(rf"{_JOINED}|\\(?:\\|[0-9A-Fa-f]{{4}}|\+[0-9A-Fa-f]{{6}})")
_BY_LETTER = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True)
class Literal:
    """What a literal says, with its marks; ``closing`` is empty where the text ended inside it."""

    opening: str
    body: str
    closing: str
    escapes: bool = False

    @property
    def is_dollar_quoted(self) -> bool:
        """Whether it stands between ``$$``, as function bodies do."""
        return self.opening.startswith("$")

    def saying(self, body: str) -> str:
        """Return the literal as it would be typed with another body."""
        if not self.is_dollar_quoted:
            body = (body.replace("\\", "\\\\") if self.escapes else body).replace("'", "''")
        return self.opening + body + self.closing


def taken_apart(text: str, *, closed: bool = True, standard_conforming_strings: bool = True) -> Literal | None:
    """Return the literal that ``text`` is, as the lexer cut it out; ``None`` for bits (``B''``, ``X''``)."""
    if delimiter := _DOLLAR.match(text):
        end = len(text) - len(delimiter[0]) if closed else len(text)
        return Literal(delimiter[0], text[delimiter.end() : end], text[end:])
    opening = _OPENING.match(text)
    if opening is None:
        return None
    end = len(text) - 1 if closed else len(text)
    raw = text[opening.end() : end]
    if opening[0] in {"E'", "e'"} or (opening[0] == "'" and not standard_conforming_strings):
        return Literal(opening[0], _ESCAPED.sub(_meant, raw), text[end:], escapes=True)
    if opening[0] != "'":
        return Literal(opening[0], _BY_UNICODE.sub(_meant, raw), text[end:], escapes=True)
    return Literal(opening[0], _PLAIN.sub(_meant, raw), text[end:])


def _meant(hit: re.Match[str]) -> str:
    found = hit[0]
    if found == "''":
        return "'"
    if found[0] == "'":
        return ""
    code = found[1:]
    if len(code) == 4 or (code[0] in "xuU+" and len(code) > 1):  # noqa: PLR2004 - U&'\0441'
        return _character(int(code.lstrip("xuU+"), 16))
    return _character(int(code, 8)) if code[0] in "01234567" else _BY_LETTER.get(code, code)


def _character(number: int) -> str:
    return chr(number) if number <= 0x10FFFF else "\ufffd"  # noqa: PLR2004 - the last one there is
