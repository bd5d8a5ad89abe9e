"""The cursor in SQL: the statement around it, the word being typed, and what it stands in.

Every ``;`` divides, also one within parentheses: an unclosed one would otherwise swallow the rest of the cell, and what
BEGIN ATOMIC and CREATE RULE hold are statements too. In the body of a function or of DO the statement around the cursor
is one of the body's. Only a window around the cursor is read, because a cell may hold a megabyte of INSERTs: beyond it
the text is taken up where a line begins, and of a long statement the beginning and what is near the cursor count.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tusk_jupyter.lexer import Kind, Token, passed_over, significant, token_at, upper
from tusk_jupyter.schema.nesting import folded, unquoted, words

if TYPE_CHECKING:
    from collections.abc import Iterator

# characters: where the statement is sought, what of it is read before and behind the cursor
_FAR, _HEAD, _NEAR, _AFTER = 128_000, 1_000, 3_000, 3_000
_STOPS = 3_000
_OPENS_BLOCK = words("begin declare if elsif for foreach while loop exception when else")
_DIVIDES_BODY = words("begin loop then else declare")
_DOLLAR = re.compile(r"\$[^$]*\$")
_NAMES = {Kind.IDENTIFIER, Kind.QUOTED_IDENTIFIER}


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is at the cursor: a suggestion replaces ``text[start:end]``.

    ``typed`` is what of the name is there already, out of its quotes; ``quote`` the sign that opens it: ``"`` of a
    name, ``'`` of a literal. ``qualifier`` are the names before it, as in ``schema.table.``. ``before`` and ``after``
    are the significant tokens of the statement without all of that. ``touches``: a token ends right at ``start``;
    ``called``: a parenthesis follows.
    """

    text: str
    start: int
    end: int
    typed: str = ""
    quote: str = ""
    qualifier: tuple[str, ...] = ()
    before: tuple[Token, ...] = ()
    after: tuple[Token, ...] = ()
    touches: bool = False
    called: bool = False


class _Window(NamedTuple):
    """What of the text may be read: a cell to its end, the body of a function to its closing sign."""

    end: int
    is_body: bool = False


def at_cursor(text: str, offset: int) -> Cursor | None:
    """Return what is at ``offset``; None where nothing can be completed: in a comment, in a number."""
    offset = max(0, min(offset, len(text)))
    return _at(text, 0, offset, _Window(len(text)))


def _at(text: str, begin: int, offset: int, window: _Window) -> Cursor | None:
    begin = _statement(text, begin, offset)
    before = list(_near(text, begin, offset))
    last = before[-1] if before and before[-1].end >= offset else None
    if last is None or last.kind is Kind.SPACE or (last.end == offset and last.kind >= Kind.OPERATOR):
        return _made(text, before, (offset, offset), window)
    inner = before[:-1]
    if last.kind is Kind.COMMENT:
        done = last.end == offset and last.closed and text.startswith("/*", last.start)
        return _made(text, inner, (offset, offset), window) if done else None
    if last.kind in _NAMES:
        return _name(text, inner, last, offset, window)
    if last.kind is Kind.STRING:
        return _string(text, inner, last, offset, window)
    return None


def _statement(text: str, begin: int, offset: int) -> int:
    """Return where the statement begins that ``offset`` is in, sought from further away first."""
    for far in (_FAR, _NEAR):
        start = begin
        if offset - begin > far:
            line = text.find("\n", offset - far, offset)
            start = line + 1 if line >= 0 else offset - far
        found = _statement_from(text, start, offset)
        if found is not None:
            return found
    return offset


def _statement_from(text: str, begin: int, offset: int) -> int | None:
    """Return where the last statement begins; None where there are too many to look at."""
    at = begin
    for _ in range(_STOPS):
        at = passed_over(text, at, offset)
        if at >= offset:
            return begin
        token = token_at(text, at)
        at = token.end
        if text[token.start] == ";" and at <= offset:
            begin = at
        if at >= offset:
            return begin
    return None


def _near(text: str, begin: int, offset: int) -> Iterator[Token]:
    """Yield the tokens up to the one at ``offset``, of a long statement its head and what is near."""
    at = begin
    if offset - begin > _HEAD + _NEAR:
        while at < begin + _HEAD:
            yield token_at(text, at)
            at = token_at(text, at).end
        while at < offset - _NEAR:
            at = max(passed_over(text, at, offset - _NEAR), token_at(text, at).end)
    while at < offset:
        token = token_at(text, at)
        yield token
        at = token.end


def _name(text: str, before: list[Token], word: Token, offset: int, window: _Window) -> Cursor | None:
    if word.kind is Kind.IDENTIFIER:
        return _made(text, before, (word.start, word.end), window, folded(text[word.start : offset]))
    if text[word.start] != '"':
        return None  # U&"…"
    end = _literal_end(text, word, offset)
    typed = unquoted(text[word.start : offset], closed=word.end == offset and word.closed and offset > word.start + 1)
    return _made(text, before, (word.start, end), window, typed, quote='"')


def _string(text: str, before: list[Token], string: Token, offset: int, window: _Window) -> Cursor | None:
    """Return the cursor in a literal: its own text, or in the body of a function that of the body."""
    finished = string.closed and string.end == offset
    if text[string.start] == "$":
        dollar = _DOLLAR.match(text, string.start)
        if finished or dollar is None or dollar.end() > offset or not _is_body(text, before):
            return None
        body = _Window(string.end - len(dollar[0]) * string.closed, is_body=True)
        return _at(text, dollar.end(), offset, body)
    if finished or text[string.start] != "'":
        return None
    end = _literal_end(text, string, offset)
    typed = text[string.start + 1 : offset].replace("''", "'")
    return _made(text, before, (string.start, end), window, typed, quote="'")


def _literal_end(text: str, token: Token, offset: int) -> int:
    """Return where quotes end: those that close on another line, or leave one over in theirs, are not closed yet."""
    if not token.closed or text.find("\n", offset, token.end) >= 0:
        return offset
    line = text.find("\n", token.end, token.end + _AFTER)
    over = text.count(text[token.start], token.end, line if line >= 0 else token.end + _AFTER)
    return offset if over % 2 else token.end


def _is_body(text: str, before: list[Token]) -> bool:
    first = [upper(text, token) for token in before if token.kind > Kind.COMMENT][:4]
    return first[:1] == ["DO"] or (first[:1] == ["CREATE"] and not {"FUNCTION", "PROCEDURE"}.isdisjoint(first))


def _made(
    text: str, found: list[Token], span: tuple[int, int], window: _Window, typed: str = "", *, quote: str = ""
) -> Cursor:
    start, end = span
    touches = bool(found) and found[-1].end == start and found[-1].kind > Kind.COMMENT
    before = [token for token in found if token.kind > Kind.COMMENT]
    qualifier: list[str] = []
    while not quote.startswith("'") and len(before) > 1 and _is_dot(text, before[-1]) and before[-2].kind in _NAMES:
        token = before[-2]
        part = text[token.start : token.end]
        qualifier.insert(0, unquoted(part) if token.kind is Kind.QUOTED_IDENTIFIER else folded(part))
        del before[-2:]
    before = _in_block(text, before) if window.is_body else before
    after = tuple(_after(text, end, min(window.end, end + _AFTER)))
    called = bool(after) and after[0].start == end and text[end] == "("
    return Cursor(text, start, end, typed, quote, tuple(qualifier), tuple(before), after, touches, called)


def _is_dot(text: str, token: Token) -> bool:
    return token.kind is Kind.PUNCTUATION and text[token.start : token.end] == "."


def _after(text: str, begin: int, limit: int) -> Iterator[Token]:
    for token in significant(text, begin):
        if token.start >= limit or (token.kind is Kind.PUNCTUATION and text[token.start] == ";"):
            return
        yield token


def _in_block(text: str, before: list[Token]) -> list[Token]:
    """Leave out what opens a block of PL/pgSQL before the statement; in plain SQL nothing does."""
    if not before or upper(text, before[0]) not in _OPENS_BLOCK:
        return before
    found = [upper(text, token) for token in before]
    for n in range(len(found) - 1, -1, -1):
        if found[n] in _DIVIDES_BODY and "CASE" not in found[:n]:
            return before[n + 1 :]
    return before
