"""Names for the columns of a frame and the fields of a row; pure."""

from __future__ import annotations

import functools
import keyword
import re
from collections import namedtuple
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NAMED: Final = 3
_NOT_A_WORD: Final = re.compile(r"\W")


def unique_names(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names with repeated ones numbered (``a``, ``a_1``), and the note that says so."""
    taken = set(names)
    seen: set[str] = set()
    unique: list[str] = []
    renamed: list[str] = []
    for name in names:
        if name in seen:
            free = next(c for n in range(1, len(names) + 1) if (c := f"{name}_{n}") not in taken)
            taken.add(free)
            renamed.append(f"{name!r} is {free!r}")
            unique.append(free)
        else:
            seen.add(name)
            unique.append(name)
    return tuple(unique), (_renamed(renamed),) if renamed else ()


def _renamed(renamed: Sequence[str]) -> str:
    more = f" and {len(renamed) - _NAMED} more" if len(renamed) > _NAMED else ""
    return f"repeated column names are numbered: {', '.join(renamed[:_NAMED])}{more}"


def row_type(name: str, fields: Iterable[str]) -> type[Any]:
    """Return a named tuple class whose values can be pickled, with each field name made an identifier."""
    return _row_type(_identifier(name.rpartition(".")[2]), tuple(fields))


@functools.lru_cache(maxsize=256)
def _row_type(name: str, fields: tuple[str, ...]) -> type[Any]:
    identifiers, _ = unique_names([_identifier(field) for field in fields])
    make: Any = namedtuple  # noqa: PYI024 - its fields are known at run time only
    base = make(name, identifiers)
    return type(name, (base,), {"__slots__": (), "__reduce__": lambda row: (_rebuild, (name, fields, tuple(row)))})


def _rebuild(name: str, fields: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    return _row_type(name, fields)._make(values)


def _identifier(name: str) -> str:
    word = _NOT_A_WORD.sub("_", name)
    if not word or word[0].isdigit() or word[0] == "_":
        word = "f" + word
    return word + "_" if keyword.iskeyword(word) or not word.isidentifier() else word
