r"""psql's listings in a cell: ``\d`` and its family.

What they list is :mod:`tusk_jupyter.schema.lists`' and :mod:`tusk_jupyter.schema.describe`'s; here a name is taken
apart (``dtS+`` is ``dt``, system objects, verbose) and the answer becomes the value of the cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tusk_jupyter.magics import listings, psql, psql_looks
from tusk_jupyter.queries.backslash_arguments import arguments
from tusk_jupyter.schema import describe, lists
from tusk_jupyter.schema.asking import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tusk_jupyter.magics.psql import Call

_LETTERS = "S+x"
_MOST = 101  # \df takes a name and 100 types


@dataclass(frozen=True, slots=True)
class Look:
    """A command that lists or describes, with what its letters say."""

    name: str
    verbose: bool
    system: bool
    expanded: bool


def find(name: str) -> Look | None:
    """Return the command that a name is; S, ``+`` and x may stand behind it in any order."""
    base = name
    while lists.find(base) is None:
        if len(base) == 1 or base[-1] not in _LETTERS:
            return None
        base = base[:-1]
    letters = name[len(base) :]
    return Look(base, "+" in letters, "S" in letters, "x" in letters)


def names() -> list[str]:
    """Return the names of all listings."""
    return list(lists.COMMANDS)


def helped() -> Iterator[tuple[str, str]]:
    r"""Yield each listing as ``\?`` has it."""
    for name, command in lists.COMMANDS.items():
        letters = f"[{command.letters}]" if command.letters else ""
        yield f"\\{name}{letters} {command.arguments}".rstrip(), command.help


def listed(call: Call, wanted: Look) -> Any:
    """Ask for a listing, or describe relations; return a DataFrame that shows it."""
    found = arguments(call.command, call.cell.names)
    describes = wanted.name == "d" and bool(found)
    command = lists.COMMANDS["dt"] if describes else lists.find(wanted.name)
    assert command is not None  # noqa: S101 - find() has found it
    most = 0 if not command.arguments else _MOST if "…" in command.arguments else command.arguments.count("[")
    call.arguments(most)
    asked = Wanted(wanted.name, found, wanted.verbose, wanted.system, psql_looks.version(call))
    answer = psql.look(call, lambda ask: describe.describe(ask, asked) if describes else command.list(ask, asked))
    if not wanted.expanded:
        return listings.show(answer)
    from tusk_jupyter.magics.expanded import RecordTable

    return RecordTable(listings.show(answer))
