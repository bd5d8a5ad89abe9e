"""Where in a statement the name stands that the server refused, and how an expression around it is written.

The server's position is where it is; without one (DROP, ALTER, COMMENT and their like) the name is what the message
quotes. Messages are translated, so nothing is read off their words: a name is looked for that stands in the statement
and, between quotes of whatever kind, in the message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from tusk_jupyter import lexer
from tusk_jupyter.errors import Correction
from tusk_jupyter.lexer import Kind
from tusk_jupyter.schema.nesting import folded, nested, unquoted, words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.lexer import Token
    from tusk_jupyter.schema.nesting import Item

_NAMES = frozenset({Kind.IDENTIFIER, Kind.QUOTED_IDENTIFIER})
_EDGES = words(", ( = select where and or not on having when then else case by distinct returning in filter values set")
LONGEST = 20_000  # characters of a statement that are looked at: 20 ms


@dataclass(frozen=True, slots=True)
class Refused:
    """What the server refused: ``statement`` as typed, and the 0-based ``offset`` in it that it named."""

    sqlstate: str
    message: str
    statement: str
    offset: int | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Suggested:
    """What was meant: advice (None where what is there says enough), where the slip is, the edit that mends it."""

    advice: str | None
    offset: int
    correction: Correction | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """One name of a dotted chain, as PostgreSQL reads it: ``statement[start:end]``."""

    name: str
    start: int
    end: int
    is_quoted: bool
    text: str


def replaced(parts: Sequence[Part], by: str) -> Correction:
    """Return the edit that puts something in the place of these names."""
    return Correction(parts[0].start, parts[-1].end, by)


def chain_at(statement: str, offset: int) -> tuple[Part, ...]:
    """Return the names with dots between them that begin at ``offset``; empty where none does."""
    found: list[Part] = []
    if not 0 <= offset < len(statement):
        return ()
    wants_name = True
    for token in lexer.significant(statement, offset):
        if wants_name and token.kind in _NAMES and token.closed:
            found.append(_part(statement, token))
        elif wants_name or statement[token.start : token.end] != ".":
            break
        wants_name = not wants_name
    return tuple(found)


def _part(statement: str, token: Token) -> Part:
    text = statement[token.start : token.end]
    quoted = token.kind is Kind.QUOTED_IDENTIFIER
    return Part(unquoted(text) if quoted else folded(text), token.start, token.end, quoted, text)


def chains(statement: str) -> list[tuple[Part, ...]]:
    """Return every dotted chain of a statement, in order."""
    found: list[tuple[Part, ...]] = []
    for token in lexer.significant(statement):
        if token.kind in _NAMES and (not found or token.start >= found[-1][-1].end):
            chain = chain_at(statement, token.start)
            if chain:
                found.append(chain)
    return found


def chains_named(refused: Refused) -> list[tuple[Part, ...]]:
    """Return the chains of the statement that the message quotes, whole or by their last name."""
    found = []
    for chain in chains(refused.statement):
        joined = ".".join(part.name for part in chain)
        if _is_quoted_in(refused.message, joined) or (
            len(chain) > 1 and _is_quoted_in(refused.message, chain[-1].name)
        ):
            found.append(chain)
    return found


def _is_quoted_in(message: str, name: str) -> bool:
    at = message.find(name)
    while at >= 0:
        before, behind = message[at - 1 : at], message[at + len(name) : at + len(name) + 1]
        if (
            before
            and behind
            and not (before + behind).isalnum()
            and not any(c.isalnum() or c in " _.(" for c in (before, behind))
        ):
            return True
        at = message.find(name, at + 1)
    return False


def called_in(message: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the function that a message names, and its arguments' types: ``round(double precision, integer)``."""
    match = re.search(r"""([^\s("'«»„“”]+)\(([^()]*(?:\([^()]*\)[^()]*)*)\)""", message)
    if match is None:
        return None
    types = tuple(part.strip() for part in match[2].split(",")) if match[2].strip() else ()
    return match[1], types


class Level(NamedTuple):
    """The items within one pair of parentheses, the number of one of them, and the word before the pair."""

    items: Sequence[Item]
    at: int
    before: str

    def word(self, back: int) -> str:
        """Return the word so many items before this one, or ''."""
        return self.items[self.at - back].word if self.at >= back else ""


def level_at(statement: str, offset: int) -> Level | None:
    """Return the innermost level that has an item beginning at ``offset``."""
    items: Sequence[Item] = nested(statement)
    before = ""
    while True:
        at = next((n for n, item in enumerate(items) if item.start <= offset < item.end), None)
        if at is None:
            return None
        if items[at].start == offset or items[at].inside is None:
            return Level(items, at, before)
        before = items[at - 1].word if at else ""
        items = items[at].inside or ()


def arguments_at(statement: str, chain: Sequence[Part]) -> list[list[Item]] | None:
    """Return the arguments of the function call whose name this is; None where it is not called with ``(``."""
    from tusk_jupyter.schema.from_clause import divided

    found = level_at(statement, chain[-1].start)
    if found is None:
        return None
    items, at, _ = found
    if at + 1 >= len(items) or items[at + 1].word != "()":
        return None
    return [part for part in divided(items[at + 1].inside or ()) if part]


def is_simple(items: Sequence[Item]) -> bool:
    """Return whether an expression is one operand: a name, a literal, a call, parentheses, with casts behind."""
    return bool(items) and operand_end(items, 0) == len(items)


def operand_end(items: Sequence[Item], at: int) -> int:
    """Return where the operand that begins at an item ends; ``at`` itself where none begins there."""
    begin = at
    if at >= len(items):
        return begin
    item = items[at]
    if item.kind in _NAMES:
        at += 1
        while at + 1 < len(items) and items[at].word == "." and items[at + 1].kind in _NAMES:
            at += 2
        if at < len(items) and items[at].word == "()":
            at += 1
    elif item.word == "()" or item.kind in {Kind.STRING, Kind.NUMBER, Kind.PARAMETER}:
        at += 1
    else:
        return begin
    while at < len(items) and items[at].word == "[]":
        at += 1
    while at + 1 < len(items) and items[at].word == "::" and items[at + 1].kind in _NAMES:
        at = operand_end(items, at + 1)
    return at


def operand_before(items: Sequence[Item], at: int) -> tuple[int, int] | None:
    """Return the numbers (from, to) of the operand that ends before an item, where it surely is all of it."""
    for begin in range(at - 1, max(-1, at - 12), -1):
        if operand_end(items, begin) == at and (begin == 0 or _is_edge(items[begin - 1])):
            return begin, at
    return None


def _is_edge(item: Item) -> bool:
    """Return whether an expression begins behind this item."""
    return item.word in _EDGES


def span(items: Sequence[Item]) -> tuple[int, int]:
    """Return where these items begin and end in their text."""
    return items[0].start, items[-1].end


def cast(statement: str, items: Sequence[Item], target: str) -> str:
    """Return an expression with a cast behind it, in parentheses where it needs them."""
    start, end = span(items)
    text = statement[start:end]
    return f"{text}::{target}" if is_simple(items) else f"({text})::{target}"
