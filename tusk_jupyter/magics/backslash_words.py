r"""Completion of psql's backslash commands in a cell: their names with what they do, and what their arguments name.

The names come from the tables that the commands are run by. Where a statement begins, a command may stand that begins
one; behind a statement, one that ends it (``\gset``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tusk_jupyter.advice import identifier
from tusk_jupyter.magics.line_choices import matching
from tusk_jupyter.queries import backslash, split
from tusk_jupyter.schema.suggestions import Suggestion, Suggestions

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.schema.catalog import Catalog

    # (relation or function, what is typed of its name) → the names that it may become
    Relations = Callable[[str, str], tuple[Suggestion, ...]]

_NAME = re.compile(r"\\[A-Za-z?!_]*\+?[A-Za-z]*\Z")
_WITH_ARGUMENTS = re.compile(r"\\([A-Za-z_]+)\+?[A-Za-z]*[ \t](?:.*[ \t])?([^\s\\]*)\Z")
_DOCUMENTED = re.compile(r"\\([A-Za-z?!_]+)")
_RELATIONS = frozenset({"d", "dp", "dt", "dv", "dm", "ds", "di", "dE", "dP", "z", "sv"})
_FUNCTIONS = frozenset({"da", "df", "sf"})
_NAMED = {
    "db": "tablespace",
    "dL": "language",
    "dO": "collation",
    "dRp": "publication",
    "dg": "role",
    "drg": "role",
    "du": "role",
    "dx": "extension",
    "l": "database",
    "list": "database",
    "password": "role",
}
_SWITCH = ("on", "off", "auto")


def suggestions(text: str, cursor: int, catalog: Catalog, relations: Relations) -> Suggestions | None:
    """Return what a command's name or argument may be, or ``None`` where no command is being typed."""
    line = text.rfind("\n", 0, cursor) + 1
    at = text.rfind("\\", line, cursor)
    if at < 0 or (begins := _begins(text[:cursor], at)) is None:
        return None
    if _NAME.match(text, at, cursor):
        return Suggestions(at, cursor, _commands(text[at:cursor], begins=begins))
    match = _WITH_ARGUMENTS.match(text, at, cursor)
    if match is None:
        return None
    name, typed = match[1], match[2]
    return Suggestions(cursor - len(typed), cursor, _arguments(name, typed, catalog, relations))


def help_of(text: str, cursor: int) -> tuple[str, str] | None:
    """Return the command whose name the cursor is on, and what it does."""
    line = text.rfind("\n", 0, cursor) + 1
    at = text.rfind("\\", line, cursor + 1)
    match = _DOCUMENTED.match(text, at) if at >= 0 else None
    if match is None or cursor > match.end() or _begins(text[: match.end()], at) is None:
        return None
    known = {one.text: one.signature for one in (*_beginning(), *_ending())}
    return (match[0], known[match[0]]) if match[0] in known else None


def _begins(text: str, at: int) -> bool | None:
    """Tell whether a statement could begin at a backslash; ``None`` where it is in a literal, a comment, a name."""
    start = 0
    while True:
        part, following = backslash.next_part(text, start)
        if part is None or following >= len(text):
            break
        start = following
    if part is None or part.start > at:
        return None
    if part.start == at:
        return True
    if isinstance(part, backslash.Called) and part.statement is None:
        return None
    return False if at in split.backslashes(text, part.start, len(text)) else None


def _commands(typed: str, *, begins: bool) -> tuple[Suggestion, ...]:
    found = _beginning() if begins else _ending()
    return tuple(one for one in found if one.text.startswith(typed)) or matching(typed, found)


def _documented() -> dict[str, str]:
    from tusk_jupyter.magics import psql_words

    return {match[1]: said for usage, said in psql_words.HELP if (match := _DOCUMENTED.match(usage))}


def _beginning() -> list[Suggestion]:
    from tusk_jupyter.schema import lists

    listing = {name: command.help for name, command in lists.COMMANDS.items()}
    both = listing | {name: said for name, said in _documented().items() if name not in backslash.ENDINGS}
    both["d"] = f"describe NAME; without one: {listing['d']}"
    return [Suggestion(f"\\{name}", "command", both[name]) for name in sorted(both, key=_rank)]


def _ending() -> list[Suggestion]:
    known = _documented()
    names = [name for name in (*sorted(backslash.ENDINGS), "bind") if name in known]
    return [Suggestion(f"\\{name}", "command", known[name]) for name in names]


def _rank(name: str) -> tuple[int, str, str]:
    r"""Put what is typed most first: ``\d``, the lists of one letter, then all others."""
    return (min(len(name), 3) if name.startswith("d") else 3, name.lower(), name.swapcase())


def _arguments(name: str, typed: str, catalog: Catalog, relations: Relations) -> tuple[Suggestion, ...]:
    plain = name.rstrip("S")
    if plain in _RELATIONS or (plain.startswith("d") and set(plain[1:]) <= set("tvmsiE")):
        return relations("relation", typed)
    if plain in _FUNCTIONS:
        return relations("function", typed)
    if plain == "x":
        return matching(typed, [Suggestion(word, "value") for word in _SWITCH])
    if plain == "dn":
        found = [Suggestion(identifier(one), "schema", schema.comment or "") for one, schema in catalog.schemas.items()]
    elif plain == "dconfig":
        found = [Suggestion(one.name, "setting", one.description) for one in catalog.settings.values()]
    elif plain == "dT":
        found = [Suggestion(one.name, "type", one.comment or "") for one in catalog.types if one.schema != "pg_toast"]
    else:
        kind = _NAMED.get(plain, "")
        found = [Suggestion(identifier(one), kind) for one in catalog.names.get(kind, ())]
    return matching(typed, found)
