"""Options on a magic's line: ``--name value``, ``--name=value``, ``-n value``, quoted where they hold spaces.

Not argparse: that reads the whole line, and what follows our options is SQL, where ``--``, ``->`` and ``-1`` mean
something else (the incumbents' longest list of bugs). This reads one word at a time and stops where its caller says.
"""

from __future__ import annotations

import difflib
import keyword
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# behind a = a quote is libpq's, whose backslash escapes: password='it\\'s me'
_WORD = re.compile(r"""(?:[^\s"']+|"[^"]*"|(?<==)'(?:[^'\\]|\\.)*'|'[^']*')+""")


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its names, the attribute it sets, and how its value is read (``None``: a flag).

    ``meaning`` is what completion says of it, ``takes`` what completion offers as its value: connection, file, folder,
    variable, relation, cluster … where the words of :func:`one_of` do not say it.
    """

    names: tuple[str, ...]
    field: str
    read: Callable[[str], Any] | None = None
    value: Any = True
    meaning: str = ""
    takes: str = ""

    @property
    def choices(self) -> tuple[str, ...]:
        """The words its value is one of; none where it may be anything."""
        return self.read.choices if isinstance(self.read, OneOf) else ()


class Options:
    """The options of one magic, by name."""

    def __init__(self, *options: Option, magic: str, hints: Mapping[str, str] | None = None) -> None:
        self.magic = magic
        self.all = options
        self._by_name = {name: option for option in options for name in option.names}
        self._hints = hints or {}

    @property
    def names(self) -> list[str]:
        """Every spelling, for completion and for near names."""
        return list(self._by_name)

    def get(self, name: str) -> Option | None:
        """Return the option of that name."""
        return self._by_name.get(name)

    def take(self, line: str, start: int) -> tuple[Option, Any, int]:
        """Read the option at ``start``; return it, its value and where the line goes on.

        :raises InvalidInput: for an unknown option, or one whose value is missing or unusable.
        """
        word, end = next_word(line, start)
        name, equals, attached = word.partition("=")
        option = self._by_name.get(name)
        if option is None:
            raise self._unknown(name)
        if option.read is None:
            if equals:
                raise InvalidInput(f"{name} takes no value")
            return option, option.value, end
        if not equals:
            attached, end = next_word(line, end)
            if not attached:
                raise InvalidInput(f"{name} needs a value")
        return option, option.read(unquoted(attached)), end

    def _unknown(self, name: str) -> InvalidInput:
        if name in self._hints:
            return InvalidInput(f"{self.magic} has no option {name!r}", advice=f"Nothing was run. {self._hints[name]}")
        near = difflib.get_close_matches(name, self._by_name, n=3)
        if not name.startswith("--") and len(name) > 2:  # noqa: PLR2004 - a dash and a letter
            name = f"{name[:2]}…"  # -Wsecret is a slip that is not repeated
        offer = f"Did you mean {' or '.join(near)}?" if near else f"It has: {', '.join(self._by_name)}."
        return InvalidInput(f"{self.magic} has no option {name!r}", advice=f"Nothing was run. {offer}")


def next_word(line: str, start: int) -> tuple[str, int]:
    """Return the word at or after ``start`` as typed, and its end; an empty word at the end of the line."""
    while start < len(line) and line[start].isspace():
        start += 1
    match = _WORD.match(line, start)
    if match:
        return match[0], match.end()
    if start < len(line):
        # what follows it is not shown: it may be the rest of a password
        raise InvalidInput("a quote on the line is not closed")
    return "", start


def words(line: str) -> list[str]:
    """Return every word of a line, unquoted."""
    found: list[str] = []
    position = 0
    while True:
        word, position = next_word(line, position)
        if not word:
            return found
        found.append(unquoted(word))


def quoted(word: str) -> str:
    """Return a word as a line has it, so that it is read as it is; quotes of both kinds may be in it."""
    if word and not any(c.isspace() or c in "\"'" for c in word):
        return word
    return "'\"'".join(f'"{part}"' for part in word.split('"'))


def unquoted(word: str) -> str:
    """Return a word without its quotes."""
    return re.sub(r'"([^"]*)"|\'([^\']*)\'', lambda m: m[1] if m[1] is not None else m[2], word)


def whole_number(text: str) -> int:
    """Read a count."""
    if not text.isascii() or not text.replace("_", "").isdigit():
        raise InvalidInput(f"{text!r} is not a whole number")
    return int(text)


@dataclass(frozen=True, slots=True)
class OneOf:
    """Reads one of a few words."""

    choices: tuple[str, ...]

    def __call__(self, text: str) -> str:
        """Return the word; :raises InvalidInput: for any other."""
        if text not in self.choices:
            raise InvalidInput(f"{text!r} is none of {', '.join(self.choices)}")
        return text


def one_of(*choices: str) -> OneOf:
    """Read one of a few words."""
    return OneOf(choices)


def identifier(text: str) -> str:
    """Read the name of a Python variable."""
    if not text.isidentifier() or keyword.iskeyword(text):
        raise InvalidInput(f"{text!r} is not the name of a variable")
    return text
