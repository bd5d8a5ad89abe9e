r"""The arguments of a backslash command, by psql's rules: white space parts them, quotes keep them together.

In single quotes ``''`` is a quote and a backslash an escape, as in C; double quotes stay, with what is in them, because
they are part of a name. ``:name`` inserts a variable as text, ``:'name'`` a literal, ``:"name"`` an identifier; they
are looked up as parameters of SQL are, and one that is missing is an error (psql leaves it as it stands). Backquotes
are refused: in psql they run a program.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tusk_jupyter.errors import BindingError, InvalidInput
from tusk_jupyter.queries import binding
from tusk_jupyter.queries.quoting import plain_text
from tusk_jupyter.queries.split import Statement

if TYPE_CHECKING:
    from tusk_jupyter.queries.backslash import Command
    from tusk_jupyter.queries.script import Names

_PLAIN = re.compile(r"""[^\s'"`:]+""")
_SINGLE = re.compile(r"'((?:[^'\\]|\\.|'')*)'")
_DOUBLE = re.compile(r'"[^"]*"')
_ESCAPE = re.compile(r"\\(x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|.)|''")
_ESCAPED: Final = {"n": "\n", "t": "\t", "b": "\b", "r": "\r", "f": "\f"}


def arguments(command: Command, names: Names, *, ends: bool = True) -> tuple[str, ...]:
    """Return the arguments of a command; a ``;`` at their end is dropped, where ``ends``.

    :raises InvalidInput: for a quote that is not closed, or a backquote; :raises BindingError: for a variable.
    """
    text = command.arguments.rstrip("; \t") if ends else command.arguments
    found: list[str] = []
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        argument = ""
        while position < len(text) and not text[position].isspace():
            piece, position = _piece(command, text, position, names)
            argument += piece
        found.append(argument)
    return tuple(found)


def whole_line(command: Command) -> str:
    """Return the argument of a command that takes the rest of its line, without a ``;`` at its end."""
    return command.arguments.rstrip("; \t")


def _piece(command: Command, text: str, position: int, names: Names) -> tuple[str, int]:
    if match := _PLAIN.match(text, position):
        return match[0], match.end()
    if match := _SINGLE.match(text, position):
        return _ESCAPE.sub(_unescaped, match[1]), match.end()
    if match := _DOUBLE.match(text, position):
        return match[0], match.end()
    if text[position] == ":":
        return _variable(text, position, names)
    if text[position] == "`":
        raise InvalidInput(
            f"\\{command.name}: a program in backquotes is not run from a cell",
            advice="Nothing was run. Take its output in Python (name = !program), and write :name.",
        )
    raise InvalidInput(f"\\{command.name}: a quote in its arguments is not closed", advice="Nothing was run.")


def _unescaped(match: re.Match[str]) -> str:
    if match[0] == "''":
        return "'"
    code = match[1]
    if code[0] == "x" and len(code) > 1:
        return chr(int(code[1:], 16))
    return chr(int(code, 8)) if code[0] in "01234567" else _ESCAPED.get(code, code)


def _variable(text: str, position: int, names: Names) -> tuple[str, int]:
    if text.startswith("::", position):
        return "::", position + 2
    rest = text[position:]
    found = binding.find_placeholders(rest)
    if not found or found[0].start:
        return ":", position + 1
    piece = rest[: found[0].end]
    bound = binding.bind(Statement(piece, 0, len(piece), ()), lookup=names.lookup, known=names.known)
    if found[0].style != "bind":
        return bound.text, position + found[0].end
    try:
        return plain_text(bound.values[0]), position + found[0].end
    except (TypeError, ValueError) as error:
        raise BindingError(
            f"parameter {found[0].expression!r} cannot be an argument: {error}", name=found[0].expression
        ) from error
