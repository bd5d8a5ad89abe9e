"""The notebook's names that can be bound, for completion and inspection after ``:``.

Nothing of the user's is called: no property, no ``__getattr__``, no ``__repr__``, and no ``isinstance``, which asks an
object for its ``__class__``. What an object has is read where Python keeps it (``object.__getattribute__``, the slots
and properties of its type by name), what it is by its type's name. The only properties that are asked are those of
pandas' own frames and series, which nobody has overridden.
"""

from __future__ import annotations

import datetime as dt
import decimal
import re
import types
import uuid
from typing import TYPE_CHECKING, Any, cast

from tusk_jupyter.queries.placeholders import find_placeholders
from tusk_jupyter.redaction import names_secret, redact
from tusk_jupyter.schema.suggestions import Suggestion, Suggestions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tusk_jupyter.queries.placeholders import Placeholder

_NAME = r"[^\W\d]\w*"
# what is typed of a parameter: its sign, the steps that are complete, the one that is being typed
_TYPED = re.compile(
    rf"(?P<sign>:['\"]?|\{{\{{\s*)(?:(?P<root>{_NAME})(?P<step>\.|\[(?P<quote>['\"])))?(?P<part>[^\W\d]\w*|)\Z"
)
_IN_QUOTES = re.compile(rf"(?P<sign>:|\{{\{{\s*)(?P<root>{_NAME})(?P<step>\[(?P<quote>['\"]))(?P<part>[^'\"\\\n]*)\Z")
_CLOSED = {":": "", ":'": "'", ':"': '"'}
_NO_VALUES = (
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.GeneratorType,
    types.CoroutineType,
    type,
)
_PLAIN = (bool, int, float, complex, str, bytes, type(None), decimal.Decimal, uuid.UUID)
_TIMES = (dt.date, dt.datetime, dt.time, dt.timedelta)
_LONGEST, _LONGEST_READ = 60, 10_000
_MOST_KEYS = 1000


def suggestions(text: str, cursor: int, names: Mapping[str, object]) -> Suggestions | None:
    """Return what could be bound at the cursor, or ``None`` where no parameter is being typed."""
    line = text[max(text.rfind("\n", 0, cursor) + 1, cursor - 500) : cursor]
    match = _TYPED.search(line) or _IN_QUOTES.search(line)
    if match is None or not _is_placeholder(text[: cursor - len(match[0])], match):
        return None
    start = cursor - len(match["part"])
    if match["root"] is None:
        found = names.items()
        return Suggestions(start, cursor, _matching(match["part"], ((n, named(v, n)) for n, v in found)))
    if match["root"] not in names:
        return Suggestions(start, cursor)
    value = names[match["root"]]
    if match["quote"] is None:
        there = ((name, kind) for name, kind in members(value) if name.isidentifier())
        return Suggestions(start, cursor, _matching(match["part"], there))
    quote = match["quote"]
    keyed = ((f"{key}{quote}]", kind) for key, kind in keys(value) if not set(key) & {quote, "\\", "\n"})
    closing = re.match(r"['\"]?\]?", text[cursor:])
    end = cursor + (closing.end() if closing is not None else 0)
    return Suggestions(start, end, _matching(match["part"], keyed))


def _is_placeholder(before: str, match: re.Match[str]) -> bool:
    """Tell whether the sign is one of ours there: not in a literal or a comment, no cast, no slice."""
    sign = match["sign"]
    rest = match[0][len(sign) :]
    if match["quote"] is not None:
        rest = f"{match['root']}[{match['quote']}k{match['quote']}]"
    elif not match["part"]:
        rest += "x"
    closed = _CLOSED.get(sign, "}}")
    return any(found.start == len(before) for found in find_placeholders(f"{before}{sign}{rest}{closed}"))


def at(text: str, cursor: int) -> Placeholder | None:
    """Return the placeholder that the cursor is on."""
    return next((p for p in find_placeholders(text) if p.start <= cursor <= p.end), None)


def bindable(spaces: Iterable[Mapping[str, object]], hidden: Iterable[str] = ()) -> dict[str, object]:
    """Return name → value of what a parameter could be; the first space wins, names with ``_`` first are left out."""
    found: dict[str, object] = {}
    left_out = frozenset(hidden)
    for space in spaces:
        for name, value in dict(space).items():  # a copy: another thread may add names
            if (
                name not in found
                and name[:1] != "_"
                and name not in left_out
                and not issubclass(type(value), _NO_VALUES)
            ):
                found[name] = value
    return found


def named(value: object, name: str) -> str:
    """Return the type of a value and, where it is a plain one and no secret, the value: ``int = 5``."""
    kind = _type_name(value)
    said = spelled(value, name)
    return f"{kind} = {said}" if said is not None else kind


def spelled(value: object, name: str) -> str | None:
    """Return a plain value in a few characters; ``None`` for one whose ``repr`` may be somebody's code."""
    if type(value) not in (*_PLAIN, *_TIMES):
        return None
    if names_secret(name) and value is not None and not isinstance(value, bool):
        return "****"
    if isinstance(value, str | bytes):
        if len(value) > _LONGEST_READ:  # a part of a URL may be a part of its password
            return None
        shown = redact(repr(value))
    elif isinstance(value, int) and value.bit_length() > 1000:  # noqa: PLR2004 - Python refuses to write longer ones
        return None
    else:
        shown = repr(value) if type(value) in _PLAIN else str(value)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


def members(value: object) -> list[tuple[str, str]]:
    """Return what ``.name`` may follow with: attributes and properties, the columns of a frame, the keys of a dict."""
    if issubclass(type(value), dict) or _pandas(value):
        return keys(value)
    found = {name: _type_name(item) for name, item in _attributes(value).items()}
    for base in reversed(type(value).__mro__[:-1]):
        for name, item in type.__getattribute__(base, "__dict__").items():
            if isinstance(item, property | types.MemberDescriptorType | types.GetSetDescriptorType):
                found.setdefault(name, "")
    return [(name, kind) for name, kind in found.items() if name[:1] != "_"]


def keys(value: object) -> list[tuple[str, str]]:
    """Return what ``['name']`` may be: the keys of a dict, the columns of a frame, the labels of a series."""
    if issubclass(type(value), dict):
        first = (item for item, _ in zip(dict.items(cast("dict[Any, Any]", value)), range(_MOST_KEYS), strict=False))
        return [(key, _type_name(item)) for key, item in first if type(key) is str]
    which = _pandas(value)
    frame: Any = value
    if which == "DataFrame":
        types_of = [str(dtype) for dtype in frame.dtypes]
        return [(key, kind) for key, kind in zip(frame.columns, types_of, strict=False) if type(key) is str][
            :_MOST_KEYS
        ]
    if which == "Series":
        return [(key, "") for key in frame.index[:_MOST_KEYS] if type(key) is str]
    return []


def _pandas(value: object) -> str:
    """Return the name of pandas' own type; a subclass may have properties of its own."""
    kind = type(value)
    own = kind.__module__.partition(".")[0] == "pandas" and kind.__name__ in {"DataFrame", "Series"}
    return kind.__name__ if own else ""


def _attributes(value: object) -> dict[str, object]:
    try:
        found = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return dict(found) if type(found) is dict else {}


def _type_name(value: object) -> str:
    return type(value).__name__


def _matching(typed: str, found: Iterable[tuple[str, str]]) -> tuple[Suggestion, ...]:
    """Return the names that begin so, then those that begin so in another case."""
    folded = typed.casefold()
    items = [Suggestion(name, "parameter", kind) for name, kind in found if name.casefold().startswith(folded)]
    return tuple(sorted(items, key=lambda item: (not item.text.startswith(typed), item.text.casefold())))
