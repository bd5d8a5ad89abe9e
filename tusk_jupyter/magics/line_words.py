"""What stands at the cursor on a magic's line: an option, the value of one, a word, or SQL. Pure, and never raises.

The line is being typed, so what :mod:`~tusk_jupyter.magics.options` refuses (a quote that is open, an option that is
none yet) is what is met here all the time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.options import Option, next_word
from tusk_jupyter.queries.classify import starts_like_statement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.magics.options import Options

_ASSIGN = re.compile(r"[^\W\d]\w*\s*(?:=\s*)?<<(?=\s|$)")


@dataclass(frozen=True, slots=True)
class Word:
    """``line[start:end]``: an option, a value of ``option``, a free word, or all the SQL that follows."""

    kind: str  # option, value, word, sql
    start: int
    end: int
    option: Option | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands at the cursor, what stands before it, and which options are given anywhere.

    ``typed`` is ``line[at.start:cursor]``; ``before`` are the free words.
    """

    at: Word
    typed: str
    before: tuple[str, ...]
    given: tuple[Option, ...]


def read(line: str, cursor: int, options: Options | None, *, sql: bool = False) -> Reading:
    """Read a line up to its end, and tell what is at the cursor.

    :param sql: whether SQL may follow; it ends the options.
    """
    words = list(_words(line, options, sql=sql))
    given = tuple(word.option for word in words if word.kind == "option" and word.option is not None)
    at, waiting, before = None, None, []
    for word in words:
        if cursor < word.start:
            break
        if cursor <= word.end or word.kind == "sql":
            at = word
            break
        if word.kind == "word":
            before.append(line[word.start : word.end])
        waiting = word.option if word.kind == "option" and "=" not in line[word.start : word.end] else None
    if at is None:
        wants_value = waiting is not None and waiting.read is not None
        at = Word("value" if wants_value else "word", cursor, cursor, waiting if wants_value else None)
    elif at.kind == "option":
        at = _attached(line, cursor, at)
        if at.kind == "option":
            given = tuple(option for option in given if option is not at.option)
    return Reading(at, line[at.start : cursor], tuple(before), given)


def _attached(line: str, cursor: int, word: Word) -> Word:
    """Return the value of ``--name=value`` where the cursor is in it."""
    equals = line.find("=", word.start, word.end)
    if equals < 0 or cursor <= equals:
        return word
    return Word("value", equals + 1, word.end, word.option)


def _words(line: str, options: Options | None, *, sql: bool) -> Iterator[Word]:
    position, wanting = 0, None
    while True:
        while position < len(line) and line[position].isspace():
            position += 1
        rest = line[position:]
        if not rest:
            return
        text, end = _next(line, position)
        if wanting is not None:
            yield Word("value", position, end, wanting)
            position, wanting = end, None
            continue
        if sql and (begin := _sql_at(rest)) is not None:
            yield Word("sql", position + begin, len(line))
            return
        if text.startswith("-"):
            name, equals, _ = text.partition("=")
            option = options.get(name) if options is not None else None
            yield Word("option", position, end, option)
            wanting = option if option is not None and option.read is not None and not equals else None
        else:
            yield Word("word", position, end)
        position = end


def _sql_at(rest: str) -> int | None:
    if match := _ASSIGN.match(rest):
        return match.end()
    if rest.startswith("--") and rest[2:3].isspace():
        return 2
    return 0 if rest.startswith("\\") or (rest != "--" and starts_like_statement(rest)) else None


def _next(line: str, position: int) -> tuple[str, int]:
    try:
        return next_word(line, position)
    except InvalidInput:  # a quote is open: it may hold blanks
        return line[position:], len(line)
