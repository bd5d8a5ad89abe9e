"""What a column of a table takes in COPY BINARY, and a value that has no binary form; pure.

A domain takes what its base type takes and checks it, an enum its label's text, an array says what its elements are:
their type's own OID must stand before them, or the server refuses the array.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from tusk_jupyter.results import builtin

_TYPMOD: Final = re.compile(r"\([^)]*\)")
_SHORT: Final = {"timestamp": "timestamp without time zone", "time": "time without time zone"}


@dataclass(frozen=True, slots=True)
class Target:
    """A column's type: as SQL has it, the OID of the type whose format its values have (an array: its elements), and,
    of an array, its elements' own OID. 0 is an OID that says nothing.
    """

    type: str
    oid: int = 0
    element: int = 0


def target_of(declared: str) -> Target:
    """Return the target that a column made with this type will be."""
    name = _TYPMOD.sub("", declared).removesuffix("[]")
    oid = _oids().get(_SHORT.get(name, name), 0)
    return Target(declared, oid, oid if declared.endswith("[]") else 0)


@cache
def _oids() -> dict[str, int]:
    rows = (line.split(" ", 3) for line in builtin.BASE_TYPES.splitlines())
    return {name: int(oid) for oid, _, _, name in rows}


class UnfitError(Exception):
    """A value that its column's type cannot hold; only the server can say so in its own words.

    ``text`` is the value as PostgreSQL reads it, ``row`` where a person finds it.
    """

    def __init__(self, row: str, column: str, text: str, target: Target) -> None:
        super().__init__(f"row {row}, column {column!r}")
        self.row = row
        self.column = column
        self.text = text
        self.target = target
