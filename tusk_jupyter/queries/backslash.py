r"""psql's backslash commands in a script: where one stands, and the statements around it.

psql takes any backslash outside of quotes and comments for a command. Here it is one where it cannot be a slip in SQL:
where a statement would begin, behind white space, or where its name is one that ends a statement (``select 1\gset``).
Any other backslash goes to PostgreSQL, whose syntax error points at it. A script without a backslash is never read by
this module, and what a statement's text and offsets are does not depend on it.

A statement that a command ends has no ``;``. psql runs the last statement again where there is none before ``\gset``
or ``\watch``: an INSERT twice, because of a ``;`` too many. Here nothing runs a second time by itself.

Pure: what the commands do is for who runs the cell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tusk_jupyter.lexer import WHITESPACE, significant
from tusk_jupyter.queries import split
from tusk_jupyter.queries.split import Statement

# they end a statement, in place of its ;
ENDINGS: Final = frozenset({"g", "gx", "gset", "gexec", "gdesc", "crosstabview", "watch"})
# their argument is the rest of the line, whatever is in it
WHOLE_LINE: Final = frozenset({"!", "copy", "ef", "ev", "h", "help", "sf", "sf+", "sv", "sv+"})
_NAME = re.compile(r"\\([?!]|[A-Za-z][A-Za-z0-9_]*\+?[A-Za-z]*)")
# up to the next command: a backslash in single quotes is an escape, in double quotes or backquotes a character
_ARGUMENTS = re.compile(
    r"""(?:[^\\'"`\r\n]|'(?:[^'\\\r\n]|\\[^\r\n])*(?:'|$)|"[^"\r\n]*(?:"|$)|`[^`\r\n]*(?:`|$))*""", re.MULTILINE
)
_SEPARATOR = re.compile(r"\\\\(?!\S)")  # psql's own, between a command and SQL on one line
_LINE = re.compile(r"[^\r\n]*")
# what a command may look like, quotes or not: most backslashes are escapes within a literal
_LIKELY = re.compile(
    r"\\(?:(?:(?<=\A\\)|(?<=[\s;/]\\))[A-Za-z?!]|(?:g|gx|gset|gexec|gdesc|crosstabview|watch)(?![A-Za-z0-9_]))"
)


@dataclass(frozen=True, slots=True)
class Command:
    r"""``script[start:end]`` is a command: ``\name`` and its arguments, as typed."""

    name: str
    arguments: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"\\{self.name} {self.arguments}".rstrip()


@dataclass(frozen=True, slots=True)
class Called:
    """``script[start:end]`` is a command, or a statement with the commands that stand behind it in place of its ``;``.

    ``commands`` are those of one line; only the last may be one of the :data:`ENDINGS`.
    """

    commands: tuple[Command, ...]
    statement: Statement | None
    start: int
    end: int

    @property
    def last(self) -> Command:
        """What is to be done."""
        return self.commands[-1]

    @property
    def text(self) -> str:
        """What was typed, for the eye."""
        commands = " ".join(map(str, self.commands))
        return f"{self.statement.text} {commands}" if self.statement is not None else commands


def next_part(
    script: str, start: int = 0, *, standard_conforming_strings: bool = True
) -> tuple[Statement | Called | None, int]:
    """Return the first statement or command at or after ``start``, and the offset to go on from."""
    start, first = _first(script, start, standard_conforming_strings)
    if first is not None and script[first] == "\\" and (command := _command(script, first)) is not None:
        return Called((command,), None, command.start, command.end), command.end
    statement, position = split.next_statement(script, start, standard_conforming_strings=standard_conforming_strings)
    if statement is None or "\\" not in statement.text or first is None:
        return statement, position
    found = _commands(script, first, statement.end, standard_conforming_strings)
    if not found:
        return statement, position
    text = script[statement.start : found[0].start].rstrip(WHITESPACE)
    end = statement.start + len(text)
    cut = Statement(text, statement.start, end, statement.words, standard_conforming_strings)
    return Called(found, cut, statement.start, found[-1].end), found[-1].end


def divide(script: str, *, standard_conforming_strings: bool = True) -> list[Statement | Called]:
    """Return all parts of ``script``, believing every ``SET standard_conforming_strings`` in it."""
    found: list[Statement | Called] = []
    part, start = next_part(script, standard_conforming_strings=standard_conforming_strings)
    while part is not None:
        found.append(part)
        if isinstance(part, Statement):
            after = split.standard_conforming_strings_after(part)
            standard_conforming_strings = standard_conforming_strings if after is None else after
        part, start = next_part(script, start, standard_conforming_strings=standard_conforming_strings)
    return found


def may_hold_commands(script: str) -> bool:
    """Return whether a script has to be divided; what it costs to ask is one search."""
    return "\\" in script and _LIKELY.search(script) is not None


def first_command(script: str) -> Command | None:
    """Return the first command in a script, if there is one."""
    if not may_hold_commands(script):
        return None
    return next((part.commands[0] for part in divide(script) if isinstance(part, Called)), None)


def _first(script: str, start: int, conforming: bool) -> tuple[int, int | None]:
    r"""Return where to read on, and where the next part begins: comments, ``;`` and psql's ``\\`` are none."""
    while True:
        for token in significant(script, start, standard_conforming_strings=conforming):
            if script[token.start] != ";":
                break
        else:
            return start, None
        if not _SEPARATOR.match(script, token.start):
            return start, token.start
        start = token.start + 2


def _commands(script: str, start: int, stop: int, conforming: bool) -> tuple[Command, ...]:
    """Return the commands that end the statement at ``start``: from the first one on, those of its line."""
    for at in split.backslashes(script, start, stop, standard_conforming_strings=conforming):
        command = _command(script, at)
        if command is None or not (script[at - 1] in WHITESPACE or command.name in ENDINGS):
            continue
        found = [command]
        while found[-1].name not in ENDINGS and (following := _command(script, found[-1].end)) is not None:
            found.append(following)
        return tuple(found)
    return ()


def _command(script: str, start: int) -> Command | None:
    name = _NAME.match(script, start)
    if name is None:
        return None
    arguments = (_LINE if name[1] in WHOLE_LINE else _ARGUMENTS).match(script, name.end())
    assert arguments is not None  # noqa: S101 - both patterns take nothing too
    return Command(name[1], arguments[0].strip(), start, arguments.end())
