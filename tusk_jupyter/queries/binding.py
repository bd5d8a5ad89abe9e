"""``:name`` → ``$n`` and its value: the text to send, the values, and the way back from its offsets to the cell's.

Values never become text: what a placeholder stands for goes to the server beside the statement, so nothing in a value
can act as SQL. Only ``:'name'`` and ``:"name"`` insert text, quoted. Templating (Jinja, as JupySQL has it) was refused:
a name in quotes, ``'{{name}}'``, ran whatever the variable held, and ``'{{1,2},{3,4}}'::int[]`` did not run at all.

Pure: values stay Python objects, their PostgreSQL types are chosen where they are sent.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from tusk_jupyter.errors import BindingError
from tusk_jupyter.lexer import is_identifier_character
from tusk_jupyter.queries.classify import takes_parameters
from tusk_jupyter.queries.namespace import resolve
from tusk_jupyter.queries.placeholders import (
    Membership,
    Placeholder,
    Scan,
    find_placeholders,
    may_hold_placeholders,
    scan,
)
from tusk_jupyter.queries.quoting import quote_identifier, quote_literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tusk_jupyter.queries.split import Statement

__all__ = ["Bound", "OffsetMap", "Placeholder", "bind", "find_placeholders"]

_MISSING = object()


class Edit(NamedTuple):
    """``source[start:end]`` was sent as ``sent[sent_start:sent_end]``."""

    start: int
    end: int
    sent_start: int
    sent_end: int


@dataclass(frozen=True, slots=True)
class OffsetMap:
    """0-based offsets between a statement as typed (source) and as sent; without edits they are the same.

    Both directions are monotone, and inverse to each other on untouched text. Inside a replacement they answer with
    the start of what was replaced, or of what replaced it.
    """

    edits: tuple[Edit, ...] = ()

    def to_source(self, sent: int) -> int:
        """Return the offset in the typed text for one in the sent text."""
        return self._map(sent, key=2, into=0)

    def to_sent(self, source: int) -> int:
        """Return the offset in the sent text for one in the typed text."""
        return self._map(source, key=0, into=2)

    def _map(self, offset: int, *, key: int, into: int) -> int:
        index = bisect_right(self.edits, offset, key=lambda edit: edit[key]) - 1
        if index < 0:
            return offset
        edit = self.edits[index]
        past = offset - edit[key + 1]
        return edit[into] if past < 0 else edit[into + 1] + past


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement ready to send; ``values[i]`` is ``$i+1``, and ``names[i]`` what it was called."""

    text: str
    values: tuple[object, ...] = ()
    names: tuple[str, ...] = ()
    offsets: OffsetMap = OffsetMap()
    notes: tuple[str, ...] = ()


def bind(
    statement: Statement,
    *,
    lookup: Callable[[str], object],
    known: Callable[[], Iterable[str]],
    standard_conforming_strings: bool | None = None,
) -> Bound:
    """Return ``statement`` with its placeholders replaced.

    :param lookup: gives a name's value, or raises KeyError.
    :param known: gives all names, for «did you mean»; called only when one is missing.
    :param standard_conforming_strings: by default as the statement was split.
    :raises BindingError: with ``position``, 1-based in ``statement.text``; nothing else, whatever the text.
    """
    if not may_hold_placeholders(statement.text):
        return Bound(statement.text)
    if standard_conforming_strings is None:
        standard_conforming_strings = statement.standard_conforming_strings
    found = scan(statement.text, standard_conforming_strings=standard_conforming_strings)
    names = _Names(lookup, known)
    notes = tuple(dict.fromkeys(note for name, quote in found.quoted for note in _quoted_note(names, name, quote)))
    if found.malformed is not None:
        _refuse_template(*found.malformed)
    if not found.placeholders:
        return Bound(statement.text, notes=notes)
    _check(statement, found)
    return _Writer(statement.text, found, names).write(notes)


class _Names:
    __slots__ = ("_known", "_lookup", "_values")

    def __init__(self, lookup: Callable[[str], object], known: Callable[[], Iterable[str]]) -> None:
        self._lookup = lookup
        self._known = known
        self._values: dict[str, object] = {}

    def find(self, name: str) -> object:
        """Return a first name's value, ``_MISSING`` where there is none."""
        if name not in self._values:
            try:
                self._values[name] = self._lookup(name)
            except KeyError:
                self._values[name] = _MISSING
        return self._values[name]

    def value(self, placeholder: Placeholder) -> object:
        """Return what the whole expression stands for."""
        try:
            root = self.find(placeholder.name)
        except Exception as error:
            problem = f"parameter {placeholder.name!r} cannot be looked up: {type(error).__name__}"
            raise BindingError(problem, name=placeholder.name, position=placeholder.start + 1) from error
        return self._refuse_missing(placeholder) if root is _MISSING else resolve(root, placeholder)

    def _refuse_missing(self, placeholder: Placeholder) -> NoReturn:
        folded = {str(name).lower(): str(name) for name in self._known()}
        near = [folded[name] for name in get_close_matches(placeholder.name.lower(), folded)]
        advice = f"Did you mean {', '.join(':' + name for name in near)}? " if near else ""
        raise BindingError(
            f"parameter {placeholder.name!r} is not defined",
            name=placeholder.name,
            position=placeholder.start + 1,
            advice=f"{advice}{BindingError.default_advice}",
        )


class _Writer:
    """Puts the text to send together, from left to right."""

    __slots__ = ("_done", "_edits", "_found", "_length", "_names", "_numbers", "_out", "_text", "_values")

    def __init__(self, text: str, found: Scan, names: _Names) -> None:
        self._text = text
        self._found = found
        self._names = names
        self._values: list[object] = []
        self._numbers: dict[str, int] = {}
        self._out: list[str] = []
        self._edits: list[Edit] = []
        self._done = 0  # of the source
        self._length = 0  # of what is written

    def write(self, notes: tuple[str, ...]) -> Bound:
        for placeholder in self._found.placeholders:
            self._replace(placeholder)
        self._copy(len(self._text))
        return Bound(
            "".join(self._out), tuple(self._values), tuple(self._numbers), OffsetMap(tuple(self._edits)), notes
        )

    def _replace(self, placeholder: Placeholder) -> None:
        if placeholder.style != "bind":
            self._edit(placeholder.start, placeholder.end, _quoted(placeholder, self._names.value(placeholder)))
            return
        if placeholder.expression not in self._numbers:
            self._values.append(self._names.value(placeholder))
            self._numbers[placeholder.expression] = len(self._values)
        number = self._numbers[placeholder.expression]
        membership = self._found.memberships.get(placeholder.start)
        parameter = f"${number}"
        if membership is not None:
            parameter = self._member(membership, parameter, is_list=isinstance(self._values[number - 1], list))
        self._edit(placeholder.start, placeholder.end, parameter)

    def _member(self, membership: Membership, parameter: str, *, is_list: bool) -> str:
        if is_list:
            self._edit(membership.start, membership.end, "<> all" if membership.negated else "= any")
        return parameter if membership.parenthesised else f"({parameter})"

    def _edit(self, start: int, end: int, replacement: str) -> None:
        before, after = self._text[start - 1 : start], self._text[end : end + 1]
        if _melts(before, replacement[0]):
            replacement = " " + replacement
        if _melts(after, replacement[-1]):
            replacement += " "
        self._copy(start)
        self._out.append(replacement)
        self._edits.append(Edit(start, end, self._length, self._length + len(replacement)))
        self._length += len(replacement)
        self._done = end

    def _copy(self, end: int) -> None:
        self._out.append(self._text[self._done : end])
        self._length += end - self._done
        self._done = end


def _melts(neighbour: str, edge: str) -> bool:
    # a quote or & before a quote would make another token of it (E'', U&'', ''), a letter or digit beside $1 or a word
    if not neighbour or edge in "()=<":
        return False
    return is_identifier_character(neighbour) or neighbour in "'\"&"


def _quoted(placeholder: Placeholder, value: object) -> str:
    try:
        return quote_literal(value) if placeholder.style == "literal" else quote_identifier(value)
    except (TypeError, ValueError) as error:
        raise BindingError(
            f"parameter {placeholder.expression!r} cannot be inserted as {placeholder.style}: {error}",
            name=placeholder.expression,
            position=placeholder.start + 1,
            advice="Nothing was run. Give it a str, or for a qualified identifier a tuple of str.",
        ) from error


def _quoted_note(names: _Names, name: str, quote: str) -> list[str]:
    try:
        if names.find(name) is _MISSING:
            return []
    except Exception:  # noqa: BLE001 (a note is no reason to fail)
        return []
    instead = f"{{{{{name}}}}} without the quotes" if quote == "'" else f':"{name}"'
    return [f"{quote}{{{{{name}}}}}{quote} in quotes is text, not the variable; to use its value write {instead}"]


def _refuse_template(start: int, template: str) -> NoReturn:
    raise BindingError(
        f"there is no templating, and {template[:80]!r} is not a name",
        position=start + 1,
        advice="Nothing was run. {{name}} binds a variable; compute anything else in Python first.",
    )


def _check(statement: Statement, found: Scan) -> None:
    bound = next((item for item in found.placeholders if item.style == "bind"), None)
    touching = next((item for item in found.placeholders if item.start in found.touching), None)
    if touching is not None:
        raise BindingError(
            f"parameter {touching.expression!r} stands beside another string, and PostgreSQL would join the two",
            name=touching.expression,
            position=touching.start + 1,
            advice="Nothing was run. Write || between them.",
        )
    if bound is None:
        return
    name, position = bound.expression, bound.start + 1
    if found.dollar is not None:
        raise BindingError(
            f"$n stands beside :{name}, and both would be parameters",
            name=name,
            position=found.dollar + 1,
            advice="Nothing was run. Use names for all of them.",
        )
    if not takes_parameters(statement):
        raise BindingError(
            f"PostgreSQL takes no parameters in {statement.words[0]}, so {name!r} cannot be bound",
            name=name,
            position=position,
            advice=f"Nothing was run. Write :'{name}' for a quoted literal, or :\"{name}\" for a quoted identifier.",
        )
