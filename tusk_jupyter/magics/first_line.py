"""Completion on the line of ``%sql``, ``%%sql``, ``%tusk`` and ``%tusk_connect``: connections, options, their values.

What there is comes from where it is read when the line runs: the options' tables, the subcommands' docstrings. Only
what a subcommand's words are (a relation, a saved connection) is said here, by its name.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.connections.keywords import CHOICES, KEYWORDS
from tusk_jupyter.magics import line_choices
from tusk_jupyter.magics.arguments import CELL_OPTIONS, LINE_OPTIONS
from tusk_jupyter.magics.connect_line import CONNECT_OPTIONS
from tusk_jupyter.magics.line_choices import Known, matching
from tusk_jupyter.magics.line_words import Reading, read
from tusk_jupyter.schema.suggestions import Suggestion, Suggestions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tusk_jupyter.magics.options import Option, Options

    # (relation or function, what is typed of its name, the connection) → the names that it may become
    Relations = Callable[[str, str, str | None], tuple[Suggestion, ...]]

_SCHEMES = ("postgresql://",)
_PAIR = re.compile(r"(?P<keyword>\w+)=(?P<value>.*)", re.DOTALL)


def on_sql(line: str, cursor: int, known: Known, *, is_cell: bool) -> tuple[Suggestions | None, Reading]:
    """Complete the line of ``%sql`` or ``%%sql``; no suggestions (``None``) where the cursor is in its SQL."""
    options = CELL_OPTIONS if is_cell else LINE_OPTIONS
    reading = read(line, cursor, options, sql=True)
    if reading.at.kind == "sql":
        return None, reading
    if (found := of_option(reading, options, known)) is not None:
        return found, reading
    items = () if reading.before else matching(reading.typed, line_choices.connections(known))
    if not reading.typed:
        items = (*items, *option_names(options, reading.given))
    return _at(reading, items), reading


def on_connect(line: str, cursor: int, known: Known) -> Suggestions:
    """Complete the line of ``%tusk_connect``."""
    reading = read(line, cursor, CONNECT_OPTIONS)
    if (found := of_option(reading, CONNECT_OPTIONS, known)) is not None:
        return found
    if pair := _PAIR.match(reading.typed):
        return _of_keyword(reading, pair, known)
    if any(option.field == "embedded" for option in reading.given):
        return _at(reading, matching(reading.typed, line_choices.choices("cluster", known, "")))
    items: list[Suggestion] = []
    if not reading.before:
        items += line_choices.connections(known)
        items += line_choices.choices("url", known, "")
        items += [Suggestion(scheme, "value", "user@host:port/database") for scheme in _SCHEMES]
    if not any("://" in word for word in reading.before):
        given = {word.partition("=")[0] for word in reading.before}
        items += [Suggestion(f"{word}=", "keyword") for word in KEYWORDS if word not in given]
    if not reading.typed:
        items += option_names(CONNECT_OPTIONS, reading.given)
    return _at(reading, matching(reading.typed, items))


def _of_keyword(reading: Reading, pair: re.Match[str], known: Known) -> Suggestions:
    """Complete the value of ``service=…`` and of what is one of a few words."""
    found = [Suggestion(word, "value") for word in CHOICES.get(pair["keyword"], ())]
    if pair["keyword"] == "service":
        found = line_choices.choices("service", known, "")
    start = reading.at.start + pair.start("value")
    return Suggestions(start, reading.at.end, matching(pair["value"], found))


def on_tusk(line: str, cursor: int, known: Known, relations: Relations) -> Suggestions:
    """Complete the line of ``%tusk``: the subcommand, its words, its options."""
    from tusk_jupyter.magics import tusk_words  # all the subcommands, which a cell of SQL does not need

    first = read(line, cursor, None)
    if not first.before:
        return _at(first, matching(first.typed, tusk_words.subcommands()))
    options = tusk_words.options_of(first.before)
    reading = read(line, cursor, options)
    option = reading.at.option if reading.at.kind == "value" else None
    if option is not None and option.takes == "relation":
        return _at(reading, relations("relation", reading.typed, connection_named(line)))
    if options is not None and (found := of_option(reading, options, known)) is not None:
        return found
    takes = tusk_words.takes(reading.before)
    if takes in {"relation", "function"}:
        return _at(reading, relations(takes, reading.typed, connection_named(line)))
    items = tusk_words.words_of(reading.before, known, reading.typed)
    if options is not None and not reading.typed:
        items += option_names(options, reading.given)
    return _at(reading, matching(reading.typed, items))


def of_option(reading: Reading, options: Options, known: Known) -> Suggestions | None:
    """Complete an option's name or value; ``None`` where neither is being typed."""
    if reading.at.kind == "option" or (reading.at.kind == "word" and reading.typed.startswith("-")):
        return _at(reading, matching(reading.typed, option_names(options, reading.given, reading.typed)))
    if reading.at.kind == "value" and (option := reading.at.option) is not None:
        return _at(reading, matching(reading.typed, values_of(option, known, reading.typed)))
    return None


def option_names(options: Options, given: Iterable[Option], typed: str = "") -> list[Suggestion]:
    """Return the options that are not given yet: by their long names, or by the short ones where one is begun."""
    left = [option for option in options.all if option not in given]
    short = len(typed) == 2 and not typed.startswith("--")  # noqa: PLR2004 - a dash and a letter
    return [Suggestion(_spelled(option, typed, short=short), "option", _meaning(option)) for option in left]


def _spelled(option: Option, typed: str, *, short: bool) -> str:
    fitting = [name for name in option.names if name.startswith(typed)] if short else []
    long = [name for name in option.names if name.startswith("--") and name.startswith(typed)]
    return (fitting or long or [name for name in option.names if name.startswith("--")] or list(option.names))[0]


def _meaning(option: Option) -> str:
    short = [name for name in option.names if not name.startswith("--")]
    return option.meaning + (f" ({', '.join(short)})" if short else "")


def values_of(option: Option, known: Known, typed: str) -> list[Suggestion]:
    """Return what an option's value may be."""
    if option.choices:
        return [Suggestion(word, "value", option.meaning) for word in option.choices]
    return line_choices.choices(option.takes, known, typed)


def connection_named(line: str) -> str | None:
    """Return the connection that a line names with ``--connection``."""
    match = re.search(r"(?<!\S)--connection(?:=|\s+)(\S+)", line)
    return match[1].strip("\"'") if match else None


def _at(reading: Reading, items: Iterable[Suggestion]) -> Suggestions:
    return Suggestions(reading.at.start, reading.at.end, tuple(items))


def moved(found: Suggestions, by: int) -> Suggestions:
    """Return suggestions for a text in which theirs begins at that offset."""
    return replace(found, start=found.start + by, end=found.end + by)
