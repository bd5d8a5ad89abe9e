"""A script into statements, each with its place, by the rules that psql splits by.

One statement at a time: a ``SET standard_conforming_strings`` changes the rules for what follows, and only the server
knows whether it took effect, so whoever runs the script asks for the next statement with the setting of the moment.

A ``;`` ends a statement outside parentheses (``CREATE RULE … DO (a; b)``), quotes, comments, and the ``BEGIN ATOMIC``
body of a routine. Only landmarks are looked at, what lies between them is skipped by C-level searches: 50 MB of INSERT
with a string in each row take 5 s, all their tokens would take 20. In two points psql's guesses are refined, never its
results on valid SQL: only ``BEGIN ATOMIC`` opens a body (psql takes any ``BEGIN``, as in ``CREATE FUNCTION begin()``),
and ``AS end`` is a name.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.lexer import WHITESPACE, Kind, significant, token_at, tokens, upper

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORDS = 8
_SHORT = 10_000  # characters: a loop comes again with the same text, and a script of megabytes is not to be kept
_LANDMARK = re.compile(r"['\"$;]|--|/\*")
_BACKSLASH = re.compile(r"['\"$\\]|--|/\*")
_ROUTINES = (("CREATE", "FUNCTION"), ("CREATE", "PROCEDURE"))
_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Statement:
    """``script[start:end]``: from its first token or the comment before it (hints live there) to before its ``;``.

    ``words`` are its first unquoted words in upper case, at most 8, up to the first other token; opening parentheses
    that come first are kept as ``"("``. ``standard_conforming_strings`` is the rule it was read by.
    """

    text: str
    start: int
    end: int
    words: tuple[str, ...]
    standard_conforming_strings: bool = True


def next_statement(
    script: str, start: int = 0, *, standard_conforming_strings: bool = True
) -> tuple[Statement | None, int]:
    """Return the first statement at or after ``start``, and the offset to go on from; ``None`` where there is none."""
    find = _remembered if len(script) <= _SHORT else _next_statement
    return find(script, start, standard_conforming_strings)


def _next_statement(script: str, start: int, standard_conforming_strings: bool) -> tuple[Statement | None, int]:
    begin, first = _begin(script, start, standard_conforming_strings)
    if first is None:
        return None, len(script)
    words = _words(script, first, standard_conforming_strings)
    find = _routine_end if _is_routine(words) else _end
    stop = find(script, first, standard_conforming_strings)
    text = script[begin:stop].rstrip(WHITESPACE)
    statement = Statement(text, begin, begin + len(text), words, standard_conforming_strings)
    return statement, min(stop + 1, len(script))


_remembered = functools.lru_cache(maxsize=128)(_next_statement)


def split(script: str, *, standard_conforming_strings: bool = True) -> list[Statement]:
    """Return all statements of ``script``, believing every ``SET standard_conforming_strings`` in it."""
    found = []
    statement, start = next_statement(script, standard_conforming_strings=standard_conforming_strings)
    while statement is not None:
        found.append(statement)
        after = standard_conforming_strings_after(statement)
        standard_conforming_strings = standard_conforming_strings if after is None else after
        statement, start = next_statement(script, start, standard_conforming_strings=standard_conforming_strings)
    return found


def backslashes(script: str, start: int, stop: int, *, standard_conforming_strings: bool = True) -> Iterator[int]:
    """Yield where backslashes stand in ``script[start:stop]`` that are in no quotes and no comment."""
    while landmark := _BACKSLASH.search(script, start, stop):
        at = landmark.start()
        if landmark[0] == "\\":
            yield at
            start = at + 1
        else:
            start = _past(script, start, at, standard_conforming_strings)


def standard_conforming_strings_after(statement: Statement) -> bool | None:
    """Return what ``statement`` sets ``standard_conforming_strings`` to; ``None`` when it leaves it alone.

    ``RESET`` and ``DEFAULT`` count as on, PostgreSQL's own default: what the database or role was given instead, only
    the server knows, and it reports every change (``ParameterStatus``).
    """
    if statement.words[:1] not in {("SET",), ("RESET",), ("DISCARD",)}:
        return None
    if statement.words in {("RESET", "ALL"), ("DISCARD", "ALL")}:
        return True
    text = statement.text
    parts = [
        text[token.start : token.end].strip("'\"").lower()
        for token in significant(text, standard_conforming_strings=statement.standard_conforming_strings)
    ]
    if parts[1:2] in (["session"], ["local"]):
        del parts[1]
    if parts[1:2] != ["standard_conforming_strings"]:
        return None
    return True if parts[0] == "reset" else _boolean(parts[3:])


def _boolean(value: list[str]) -> bool | None:
    word = "".join(value)
    if word == "default" or (word and word != "o" and any(true.startswith(word) for true in _TRUE)):
        return True
    return False if word and word != "o" and any(false.startswith(word) for false in _FALSE) else None


def _begin(script: str, start: int, conforming: bool) -> tuple[int, int | None]:
    begin = None
    for token in tokens(script, start, standard_conforming_strings=conforming):
        if token.kind is Kind.SPACE:
            continue
        begin = token.start if begin is None else begin
        if token.kind is Kind.COMMENT:
            continue
        if script[token.start] != ";":
            return begin, token.start
        begin = None
    return len(script), None


def _words(script: str, first: int, conforming: bool) -> tuple[str, ...]:
    words: list[str] = []
    for token in significant(script, first, standard_conforming_strings=conforming):
        word = upper(script, token)
        opening = word == "(" and all(earlier == "(" for earlier in words)
        if len(words) == _WORDS or not (opening or token.kind is Kind.IDENTIFIER):
            break
        words.append(word)
    return tuple(words)


def _is_routine(words: tuple[str, ...]) -> bool:
    return words[:2] in _ROUTINES or (words[:3] == ("CREATE", "OR", "REPLACE") and (words[0], *words[3:4]) in _ROUTINES)


def _end(script: str, start: int, conforming: bool) -> int:
    depth = 0
    while landmark := _LANDMARK.search(script, start):
        stop = landmark.start()
        depth += script.count("(", start, stop) - script.count(")", start, stop)
        if landmark[0] != ";":
            start = _past(script, start, stop, conforming)
        elif depth <= 0:
            return stop
        else:
            start = stop + 1
    return len(script)


def _past(script: str, start: int, stop: int, conforming: bool) -> int:
    # what a $ is, and how a quote ends, may depend on the word that it touches: then the tokens decide
    touches = script[stop] == "$" or (
        script[stop] == "'" and (not conforming or script[max(start, stop - 1)] in "eEbBxX")
    )
    while True:
        token = token_at(script, start if touches else stop, standard_conforming_strings=conforming)
        if token.end > stop:
            return token.end
        start = token.end


def _routine_end(script: str, start: int, conforming: bool) -> int:
    depth = nesting = 0
    previous = ""
    for token in significant(script, start, standard_conforming_strings=conforming):
        word = upper(script, token)
        depth += (word == "(") - (word == ")")
        if depth <= 0 and previous not in {"AS", "."}:
            if word == ";" and not nesting:
                return token.start
            if word == "ATOMIC" and previous == "BEGIN" and not nesting:
                nesting = 1
            elif nesting:
                nesting += (word == "CASE") - (word == "END")
        previous = word
    return len(script)
