"""What the words of ``%tusk …`` may be: the subcommands from their docstrings, their words by what they name."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

from tusk_jupyter.magics import line_choices
from tusk_jupyter.magics.loading import LOAD_OPTIONS
from tusk_jupyter.magics.options import Option, Options
from tusk_jupyter.magics.tusk import TuskCommands
from tusk_jupyter.magics.tusk_connections import ACTIONS
from tusk_jupyter.magics.tusk_describe import DDL_OPTIONS, DESCRIBE_OPTIONS
from tusk_jupyter.magics.tusk_history import CLEAR_OPTIONS, HISTORY_OPTIONS, SAVE_OPTIONS
from tusk_jupyter.magics.tusk_listen import LISTEN_OPTIONS
from tusk_jupyter.magics.tusk_looking import LOOK_OPTIONS
from tusk_jupyter.magics.tusk_password import PASSWORD_OPTIONS
from tusk_jupyter.magics.tusk_preferences import RESET
from tusk_jupyter.magics.tusk_transfer import EXPORT_OPTIONS, IMPORT_OPTIONS
from tusk_jupyter.magics.tusk_watch import WATCH_OPTIONS
from tusk_jupyter.preferences import PREFERENCES
from tusk_jupyter.schema.suggestions import Suggestion

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.magics.line_choices import Known

# what each word behind a subcommand names: a key of line_choices, or a relation or function of the database
_TAKES = {
    "cancel": ("query",),
    "connections color": ("saved",),
    "connections delete": ("saved",),
    "connections disconnect": ("active",),
    "connections duplicate": ("saved",),
    "connections export": ("file",),
    "connections group": ("", "group", "group"),
    "connections import": ("file",),
    "connections move": ("saved", "group"),
    "connections rename": ("connection",),
    "connections save": ("active",),
    "connections test": ("connection",),
    "connections use": ("connection",),
    "data-dir": ("folder",),
    "ddl": ("relation",),
    "describe": ("relation",),
    "disconnect": ("active",),
    "embedded drop": ("cluster",),
    "functions": ("function",),
    "get": ("preference",),
    "history rerun": ("statement",),
    "indexes": ("relation",),
    "load": ("source",),
    "password": ("role",),
    "refresh": ("active",),
    "rerun": ("statement",),
    "set": ("preference",),
    "snippet": ("snippet",),
    "snippet delete": ("snippet",),
    "snippet save": ("snippet", "statement"),
    "tables": ("relation",),
    "use": ("connection",),
}
_OPTIONS = {
    "connections export": EXPORT_OPTIONS,
    "connections import": IMPORT_OPTIONS,
    "ddl": DDL_OPTIONS,
    "describe": DESCRIBE_OPTIONS,
    "find": LOOK_OPTIONS,
    "functions": LOOK_OPTIONS,
    "history": HISTORY_OPTIONS,
    "history clear": CLEAR_OPTIONS,
    "indexes": LOOK_OPTIONS,
    "listen": LISTEN_OPTIONS,
    "load": LOAD_OPTIONS,
    "password": PASSWORD_OPTIONS,
    "schemas": LOOK_OPTIONS,
    "snippet save": SAVE_OPTIONS,
    "tables": LOOK_OPTIONS,
    "watch": WATCH_OPTIONS,
}
_USAGE = re.compile(r"``%tusk ([^`]*)``:?\s*(.*)")
_ANY_NUMBER = ("ddl", "describe")
_COLORED = ("connections color", "connections group color")


def subcommands() -> list[Suggestion]:
    """Return the subcommands with their one line of help."""
    return [Suggestion(name, "command", help_of(name)) for name in _names()]


def help_of(name: str) -> str:
    """Return what a subcommand does, from its docstring."""
    return _documented(name)[1].replace("``", "")


def documentation_of(name: str) -> list[str]:
    """Return all that the docstring of a subcommand says, without its marks; nothing where there is none."""
    method = getattr(TuskCommands, f"do_{name.replace('-', '_')}", None)
    paragraphs = inspect.cleandoc(method.__doc__ or "").split("\n\n") if method is not None else []
    return [" ".join(paragraph.replace("``", "").split()) for paragraph in paragraphs]


def options_of(words: Sequence[str]) -> Options | None:
    """Return the options of the subcommand that the words name, the longer the better."""
    pair = " ".join(words[:2])
    return _OPTIONS.get(pair) or _OPTIONS.get(words[0]) or _from_usage(words[0])


def takes(words: Sequence[str]) -> str:
    """Return what the next word names, ``""`` where it names nothing that is known."""
    pair = " ".join(words[:2])
    if pair in _TAKES:
        kinds, position = _TAKES[pair], len(words) - 2
    else:
        kinds, position = _TAKES.get(words[0], ()), len(words) - 1
        if words[0] in _ANY_NUMBER:
            position = 0
    return kinds[position] if position < len(kinds) else ""


def words_of(words: Sequence[str], known: Known, typed: str) -> list[Suggestion]:
    """Return what the next word may be."""
    found = line_choices.choices(takes(words), known, typed)
    if words[0] == "set" and len(words) == 2:  # noqa: PLR2004 - set KEY
        return _values(words[1])
    if words[0] == "connections" and len(words) == 1:
        return [Suggestion(name, "command", arguments) for name, arguments in _actions()]
    if " ".join(words[:2]) in _COLORED or " ".join(words[:3]) in _COLORED:
        return [*found, *_colors(words)]
    if len(words) == 1:
        found += [Suggestion(word, "command") for word in _literals(words[0])]
    elif words[:2] == ("connections", "group") and len(words) == 2:  # noqa: PLR2004
        found = [Suggestion(name, "command") for name in ("add", "rename", "move", "order", "color", "delete")]
    return found


def _colors(words: Sequence[str]) -> list[Suggestion]:
    from tusk_jupyter.connections.saved import COLORS

    expected = 3 if words[1] == "color" else 4  # connections color NAME, connections group color PATH
    return [Suggestion(color, "value") for color in (*COLORS, "none")] if len(words) == expected else []


def _values(name: str) -> list[Suggestion]:
    preference = PREFERENCES.get(name) or PREFERENCES.get(name.lower().replace("-", "_"))
    if preference is None:
        return []
    values = preference.choices or (("on", "off") if isinstance(preference.default, bool) else ())
    return [
        *(Suggestion(value, "value", preference.meaning) for value in values),
        Suggestion(RESET, "value", "resets it"),
    ]


def _names() -> list[str]:
    return sorted(name[3:].replace("_", "-") for name in dir(TuskCommands) if name.startswith("do_"))


def _actions() -> list[tuple[str, str]]:
    """Return the actions of ``%tusk connections`` with what they take."""
    usages = (" ".join(usage.split()).partition(" ") for usage in ACTIONS.split("·"))
    return [(name, arguments) for name, _, arguments in usages]


def _documented(name: str) -> tuple[str, str]:
    """Return the usage of a subcommand without its name, and its meaning."""
    method = getattr(TuskCommands, f"do_{name.replace('-', '_')}", None)
    match = _USAGE.match((method.__doc__ or "").splitlines()[0]) if method is not None else None
    return (match[1].removeprefix(name), match[2]) if match else ("", "")


def _literals(name: str) -> list[str]:
    """Return the words that a usage has in lower case: ``[drop NAME]``, ``NAME | save NAME``."""
    return re.findall(r"(?<![\w-])[a-z]{3,}(?![\w-])", re.sub(r"--[\w-]+ \S+|\"[^\"]*\"", "", _documented(name)[0]))


def _from_usage(name: str) -> Options | None:
    """Return the options that a usage names, of a subcommand whose table is not here."""
    found = re.findall(r"(--[a-z][\w-]*)( [A-Z]+)?", _documented(name)[0])
    if not found:
        return None
    made = (
        Option((option,), option, str if value else None, takes="connection" if option == "--connection" else "")
        for option, value in found
    )
    return Options(*made, magic=f"%tusk {name}")
