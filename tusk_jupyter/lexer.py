"""SQL text into tokens, by the rules of PostgreSQL's own scanner (``src/backend/parser/scan.l``).

One regular expression finds where a token starts; what a regular language cannot close (nested comments, dollar
quotes, doubled quotes, strings that go on after a line break) is closed by searches that never look twice at the same
text, so the cost is linear: 0.8 µs a token, and a literal of 50 MB is one C-level search. Tokens cover the text
exactly. sqlparse was refused: it knows neither ``standard_conforming_strings`` nor PostgreSQL's operators, and
rewrites what it reads, so that error positions no longer match the cell.

Where versions differ (``1_000``, ``0x1F`` since 16), the newest rule is taken: older servers refuse such text anyway.
A construct that never ends takes the rest of the text and is marked; the server words that error best.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

WHITESPACE = " \t\n\r\f\v"
# every character from U+0080 on is a letter to PostgreSQL, the no-break space included; said by the ASCII that is none,
# because re needs 5 ms for each set that reaches up to U+10FFFF, and every load waits for this module
_LETTER = r"[^\x00-@\[-^`{-\x7f]"
_LETTER_DIGIT = r"[^\x00-/:-@\[-^`{-\x7f]"
_IDENTIFIER = rf"{_LETTER}[^\x00-#%-/:-@\[-^`{{-\x7f]*"  # $ too
_DIGITS = r"[0-9]+(?:_[0-9]+)*"
_NUMBER = (
    r"0[xX]_?[0-9A-Fa-f]+(?:_[0-9A-Fa-f]+)*|0[oO]_?[0-7]+(?:_[0-7]+)*|0[bB]_?[01]+(?:_[01]+)*"
    rf"|(?:{_DIGITS}(?:\.(?!\.)(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][-+]?{_DIGITS})?"
)
# PostgreSQL refuses operators of more than 63 bytes; without a bound, a long run of signs would be quadratic
_OPERATOR = r"[-+*/<>=~!@#^&|`?%]{1,128}"


class Kind(IntEnum):
    """What a token is."""

    SPACE = 1
    COMMENT = 2
    STRING = 3  # every literal in quotes: '' E'' B'' X'' U&'' $$, with its continuation lines
    IDENTIFIER = 4  # keywords too
    QUOTED_IDENTIFIER = 5
    NUMBER = 6
    PARAMETER = 7  # $1
    OPERATOR = 8
    PUNCTUATION = 9  # ( ) [ ] , ; : . :: := ..
    OTHER = 10  # what PostgreSQL has no rule for: { } \ and a lone $


class Token(NamedTuple):
    """``text[start:end]``; ``closed`` is false where the text ends inside it."""

    kind: Kind
    start: int
    end: int
    closed: bool = True


_TOKEN = re.compile(
    rf"(?P<SPACE>[{WHITESPACE}]+)|(?P<LINE_COMMENT>--[^\n\r]*)|(?P<COMMENT>/\*)"
    r"|(?P<ESCAPE_STRING>[eE]')|(?P<BIT_STRING>[bBxX]')|(?P<UNICODE_STRING>[uU]&')|(?P<STRING>')"
    rf"|(?P<QUOTED_IDENTIFIER>(?:[uU]&)?\")|(?P<IDENTIFIER>{_IDENTIFIER})"
    rf"|(?P<DOLLAR>\$(?:{_LETTER}{_LETTER_DIGIT}*)?\$)|(?P<PARAMETER>\$[0-9]+)|(?P<NUMBER>{_NUMBER})"
    rf"|(?P<OPERATOR>{_OPERATOR})|(?P<PUNCTUATION>::|:=|\.\.|[][(),;:.])|(?P<OTHER>[\s\S])"
)
_WHOLE = {name: Kind[name] for name in ("SPACE", "IDENTIFIER", "PARAMETER", "NUMBER", "PUNCTUATION", "OTHER")}
_WHOLE["LINE_COMMENT"] = Kind.COMMENT
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_COMMENT_IN_OPERATOR = re.compile(r"--|/\*")
_QUOTES = re.compile(r"'+")
_QUOTES_OR_ESCAPE = re.compile(r"'+|\\[\s\S]?")
_DOUBLE_QUOTES = re.compile(r'"+')
# a string goes on when only white space and line comments, with at least one line break, part it from the next quote
_CONTINUATION = re.compile(rf"[ \t\f\v]*(?:--[^\n\r]*)?[\n\r][{WHITESPACE}]*(?:--[^\n\r]*[\n\r][{WHITESPACE}]*)*'")
_BEYOND_SQL = frozenset("~!@#^&|`?%")


# one search for what a caller passes over: words, numbers, signs, and literals without a prefix and a continuation
_PASSED = (
    r"(?:[ \t\n\r\f\v0-9.,()\[\]:=<>+*%^~!?#@&|`]++|-(?!-)|/(?!\*)"
    rf"|{_IDENTIFIER}+(?![&'\"])|'(?:[^']++|'')*+'(?!\s*+(?:--|')))*+"
)
_PASSED_OVER = {True: re.compile(_PASSED), False: re.compile(_PASSED.replace("[^']", r"[^'\\]"))}


def passed_over(text: str, start: int, stop: int, *, standard_conforming_strings: bool = True) -> int:
    """Return the end of plain tokens from ``start`` on, at most ``stop``: 20 times as fast as to look at each."""
    end = _PASSED_OVER[standard_conforming_strings].match(text, start, stop).end()  # type: ignore[union-attr]
    while end > start and is_identifier_character(text[end - 1]):
        end -= 1
    return end


def tokens(text: str, start: int = 0, *, standard_conforming_strings: bool = True) -> Iterator[Token]:
    """Yield the tokens of ``text`` from offset ``start``, which has to be where one begins."""
    length = len(text)
    while start < length:
        token = token_at(text, start, standard_conforming_strings=standard_conforming_strings)
        yield token
        start = token.end


def significant(text: str, start: int = 0, *, standard_conforming_strings: bool = True) -> Iterator[Token]:
    """Yield the tokens that PostgreSQL's grammar sees: no white space, no comments."""
    for token in tokens(text, start, standard_conforming_strings=standard_conforming_strings):
        if token.kind > Kind.COMMENT:
            yield token


def token_at(text: str, start: int, *, standard_conforming_strings: bool = True) -> Token:
    """Return the token that begins at ``start``, an offset inside ``text``."""
    match = _TOKEN.match(text, start)
    assert match is not None  # noqa: S101 (the last alternative takes any character)
    name, end = match.lastgroup or "", match.end()
    if name in _WHOLE:
        return Token(_WHOLE[name], start, end)
    if name == "OPERATOR":
        return Token(Kind.OPERATOR, start, start + _operator_length(match[0]))
    if name == "COMMENT":
        return Token(Kind.COMMENT, start, *_comment_end(text, end))
    if name == "QUOTED_IDENTIFIER":
        return Token(Kind.QUOTED_IDENTIFIER, start, *_quoted_identifier_end(text, end))
    if name == "DOLLAR":
        return Token(Kind.STRING, start, *_dollar_end(text, end, match[0]))
    escapes = name == "ESCAPE_STRING" or (name == "STRING" and not standard_conforming_strings)
    return Token(Kind.STRING, start, *_string_end(text, end, escapes=escapes, doubling=name != "BIT_STRING"))


def upper(text: str, token: Token) -> str:
    """Return an unquoted word or a sign as keywords are compared: ASCII letters in upper case; ``""`` for the rest.

    Only ASCII folds: ``ınsert`` is no keyword, although ``str.upper`` makes one of it.
    """
    if token.kind is Kind.PUNCTUATION:
        return text[token.start : token.end]
    if token.kind is not Kind.IDENTIFIER:
        return ""
    word = text[token.start : token.end]
    return word.upper() if word.isascii() else word


def is_identifier_character(character: str) -> bool:
    """Tell whether ``character`` would melt into an identifier beside it; false for ``""``."""
    return character.isascii() and (character.isalnum() or character in "_$") if character < "\x80" else True


def _operator_length(run: str) -> int:
    comment = _COMMENT_IN_OPERATOR.search(run)
    run = run[: comment.start()] if comment else run
    if run[-1] in "+-" and _BEYOND_SQL.isdisjoint(run):
        # so that «=-» is two operators, while «?-» and «@-» may be names of one
        return max(1, len(run.rstrip("+-")))
    return len(run)


def _comment_end(text: str, start: int) -> tuple[int, bool]:
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end(), True
    return len(text), False


def _quoted_identifier_end(text: str, start: int) -> tuple[int, bool]:
    for quotes in _DOUBLE_QUOTES.finditer(text, start):
        if (quotes.end() - quotes.start()) % 2:
            return quotes.end(), True
    return len(text), False


def _dollar_end(text: str, start: int, delimiter: str) -> tuple[int, bool]:
    end = text.find(delimiter, start)
    return (len(text), False) if end < 0 else (end + len(delimiter), True)


def _string_end(text: str, start: int, *, escapes: bool, doubling: bool) -> tuple[int, bool]:
    stops = _QUOTES_OR_ESCAPE if escapes else _QUOTES
    while stop := stops.search(text, start):
        start = stop.end()
        if text[stop.start()] == "\\":
            continue
        if not doubling:
            start = stop.start() + 1
        elif (stop.end() - stop.start()) % 2 == 0:
            continue
        continuation = _CONTINUATION.match(text, start)
        if continuation is None:
            return start, True
        start = continuation.end()
    return len(text), False
