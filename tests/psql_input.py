r"""A psql script as the statements that psql would send: what a file needs of psql, and no cell has, is done here.

Backslash commands act on the statement that is being read, wherever in it they stand: those that send it (``\g`` and
its family) end it, ``\;`` separates two, ``\set``, ``\getenv``, ``\gset`` and ``\if`` are obeyed, ``\c`` is handed on,
and all others, which show something or change how psql shows it, are left out. ``:name`` of a variable that is set
becomes its text, as in psql; ``:'name'`` and ``:"name"`` stay, because a cell understands them too. The data below a
``COPY … FROM STDIN`` is passed over. Not done: ``AUTOCOMMIT off``, ``ON_ERROR_ROLLBACK``, and one request for several
statements joined by ``\;``. A guard ``\if :skip_test`` is passed by: a test that this server is not made for fails in
its own way, and has more statements.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.lexer import Kind, tokens
from tusk_jupyter.queries import split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SENDS = ("g", "gx", "gset", "gexec", "gdesc", "crosstabview", "watch")
WHOLE_LINE = ("copy", "!", "w", "o", "out", "write")
_COMMAND = re.compile(r"\\([A-Za-z_]+\+?|[\s\S])")
_ARGUMENT = re.compile(r"""[ \t]*((?:'(?:[^'\\\n]|\\.|'')*'|"[^"\n]*"|[^\s\\'"]|['"](?=[^\n]*))+)""")
_PIECE = re.compile(r"""'((?:[^'\\]|\\.|'')*)'|:'(\w+)'|:"(\w+)"|:\{\?(\w+)\}|:(\w+)|(.)""", re.DOTALL)
_NAME = re.compile(r"\w+")
_DEFINED = re.compile(r"\{\?(\w+)\}")
# «FROM STDOUT» is the same to PostgreSQL
_COPY_IN = re.compile(r"^\s*\\?copy\b.*\bfrom\s+std(in|out)\b", re.IGNORECASE | re.DOTALL)
_COPY_IN_LINE = re.compile(r"\bcopy\b.*\bfrom\s+std(in|out)\b", re.IGNORECASE)
_END_OF_DATA = re.compile(r"^\\\.$", re.MULTILINE)
_TRUE = ("true", "yes", "on", "1")


@dataclass(frozen=True)
class Query:
    """A statement to send, and the command that ended it: ``;``, ``g``, ``gset``, ``gexec``, …, with its argument."""

    text: str
    ended_by: str = ";"
    argument: str = ""


@dataclass(frozen=True)
class Connect:
    r"""``\c``: a new session."""


class PsqlInput:
    """Iterate over what the script asks for; ``variables`` may change in between, as ``\\gset`` does."""

    def __init__(
        self, text: str, *, variables: dict[str, str], environment: dict[str, str], conforming: Callable[[], bool]
    ) -> None:
        self.variables = variables
        self.left_out = 0
        self._environment = environment
        self._conforming = conforming
        self._text = text
        self._at = 0
        self._branches: list[str] = []
        self._last = ""

    def __iter__(self) -> Iterator[Query | Connect]:
        while True:
            statement, after = split.next_statement(
                self._text, self._at, standard_conforming_strings=self._conforming()
            )
            end = len(self._text) if statement is None else after
            found = self._find(end)
            if found is not None:
                yield from self._obey(found)
            elif statement is None:
                return
            else:
                self._last = self._text[statement.start : end]
                self._at = end
                yield Query(self._last)
                self._pass_over_data(self._last)

    def _find(self, end: int) -> int | None:
        """Return where the first backslash command before ``end`` stands, or −1 after a variable was replaced."""
        for token in tokens(self._text, self._at, standard_conforming_strings=self._conforming()):
            if token.start >= end:
                return None
            sign = self._text[token.start]
            if token.kind is Kind.OTHER and sign == "\\":
                return token.start
            if (
                token.kind is Kind.PUNCTUATION
                and self._text[token.start : token.end] == ":"
                and self._interpolate(token)
            ):
                return -1
        return None

    def _interpolate(self, token) -> bool:
        if defined := _DEFINED.match(self._text, token.end):
            self._splice(token.start, defined.end(), "TRUE" if defined[1] in self.variables else "FALSE")
            return True
        name = _NAME.match(self._text, token.end)
        if name is None or name[0] not in self.variables:
            return False
        self._splice(token.start, name.end(), self.variables[name[0]])
        return True

    def _obey(self, slash: int) -> Iterator[Query | Connect]:
        if slash < 0:
            return
        name, arguments, past = self._command(slash)
        if name in SENDS:
            buffer = self._text[self._at : slash]
            self._last = buffer if _has_statement(buffer) else self._last
            self._at = past
            if self._last:
                yield Query(self._last, name, arguments[0] if arguments else "")
        elif name in {"c", "connect"}:
            self._splice(slash, past, "")
            yield Connect()
        elif name in {"r", "reset"}:
            self._at = past
        elif name == ";":
            self._splice(slash, past, ";")
        else:
            self._change(name, arguments, slash, past)

    def _change(self, name: str, arguments: list[str], slash: int, past: int) -> None:
        if name == "set" and arguments:
            self.variables[arguments[0]] = "".join(map(self._value, arguments[1:]))
        elif name == "unset" and arguments:
            self.variables.pop(arguments[0], None)
        elif name == "getenv" and len(arguments) == 2 and arguments[1] in self._environment:
            self.variables[arguments[0]] = self._environment[arguments[1]]
        elif name in {"if", "elif", "else", "endif"}:
            self._branch(name, arguments)
            past = past if self._active else self._next_branch(past)
        elif name != "\\":
            self.left_out += 1
        line = self._text[slash:past]
        self._splice(slash, past, "")
        if name == "copy" and _COPY_IN.match(line):
            self._pass_over_data(line)

    @property
    def _active(self) -> bool:
        return all(branch == "taken" for branch in self._branches)

    def _branch(self, name: str, arguments: list[str]) -> None:
        true = self._is_true("".join(arguments))
        if name == "if":
            self._branches.append(("taken" if true else "waiting") if self._active else "over")
        elif not self._branches:
            return  # psql complains, and goes on
        elif name == "endif":
            self._branches.pop()
        elif self._branches[-1] != "waiting":
            self._branches[-1] = "over"
        elif name == "else" or true:
            self._branches[-1] = "taken"

    def _is_true(self, text: str) -> bool:
        return text != ":skip_test" and self._value(text).lower() in _TRUE

    def _next_branch(self, start: int) -> int:
        """Return where the script goes on after the part that its ``\\if`` leaves out."""
        while not self._active:
            for token in tokens(self._text, start):
                if token.kind is Kind.OTHER and self._text[token.start] == "\\":
                    break
            else:
                return len(self._text)
            name, arguments, start = self._command(token.start)
            if name in {"if", "elif", "else", "endif"}:
                self._branch(name, arguments)
        return start

    def _command(self, slash: int) -> tuple[str, list[str], int]:
        """Return name and arguments of the command at ``slash``, and where its text ends."""
        match = _COMMAND.match(self._text, slash)
        name, past = match[1], match.end()
        if name in {";", "\\"}:
            return name, [], past
        if name in WHOLE_LINE:
            end = self._text.find("\n", past)
            return name, [], len(self._text) if end < 0 else end
        arguments = []
        while argument := _ARGUMENT.match(self._text, past):
            arguments.append(argument[1])
            past = argument.end()
        return name, arguments, past

    def _value(self, argument: str) -> str:
        return "".join(map(self._piece, _PIECE.finditer(argument)))

    def _piece(self, match: re.Match[str]) -> str:
        quoted, literal, identifier, defined, plain, other = match.groups()
        if quoted is not None:
            unescaped = re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), quoted)
            return unescaped.replace("''", "'")
        if defined is not None:
            return "TRUE" if defined in self.variables else "FALSE"
        name = literal or identifier or plain
        if name is None or name not in self.variables:
            return other or match[0]
        value = self.variables[name]
        quote = "'" if literal else '"' if identifier else ""
        return quote + (value.replace(quote, quote * 2) if quote else value) + quote

    def _pass_over_data(self, command: str) -> None:
        """Go on after the data; where another COPY stands before its end, the server refused this one at once."""
        if not _COPY_IN.match(_without_comments(command)):
            return
        line = self._text.find("\n", self._at)
        data_end = _END_OF_DATA.search(self._text, line) if line >= 0 else None
        if data_end is None or _COPY_IN_LINE.search(self._text, line, data_end.start()):
            return
        self._text = self._text[:line] + self._text[data_end.end() :]

    def _splice(self, start: int, end: int, text: str) -> None:
        self._text = self._text[:start] + text + self._text[end:]


def _has_statement(text: str) -> bool:
    return split.next_statement(text)[0] is not None


def _without_comments(text: str) -> str:
    return "".join(text[t.start : t.end] for t in tokens(text) if t.kind is not Kind.COMMENT)
