"""Names as they are typed: quoted only where PostgreSQL would read them otherwise, by the server's own keywords.

Letters beyond ASCII need no quotes, whatever ``quote_ident`` does. A keyword that may name a column without quotes
(``time``, ``position``) stays bare for the same reason: what is offered should be what people write. Names of functions
and types have other exceptions (``left``), so the place decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.advice.slip_words import RESERVED

if TYPE_CHECKING:
    from tusk_jupyter.schema.catalog import Keyword

_PLAIN = re.compile(r"[^\x00-\x5e`{-\x7f][^\x00-#%-/:-\x5e`{-\x7f]*")  # letters as the lexer has them
# what may name a type or a function only; for a server whose keywords are not known yet
_ONLY_ROUTINES = (
    "authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join left like "
    "natural notnull outer overlaps right similar tablesample verbose"
)


@dataclass(frozen=True, slots=True)
class Taken:
    """The keywords that cannot be bare names: of relations, columns and schemas; of functions and types."""

    relations: frozenset[str]
    routines: frozenset[str]


def taken(keywords: tuple[Keyword, ...]) -> Taken:
    """Return what a server's keywords take; ours, where they are not known."""
    if not keywords:
        return Taken(RESERVED | set(_ONLY_ROUTINES.split()), RESERVED)
    kinds = {kind: {keyword.word for keyword in keywords if keyword.kind == kind} for kind in "CTR"}
    return Taken(frozenset(kinds["R"] | kinds["T"]), frozenset(kinds["R"] | kinds["C"]))


def spelled(name: str, keywords: frozenset[str], *, quoted: bool = False) -> str:
    """Return a name as it is typed, in quotes if it is one of ``keywords``, not plain, or ``quoted`` says so."""
    if not quoted and name not in keywords and _PLAIN.fullmatch(name) and _folds_to_itself(name):
        return name
    return '"{}"'.format(name.replace('"', '""'))


def _folds_to_itself(name: str) -> bool:
    """Return whether letters beyond ASCII stay as they are: capitals do not in an encoding of single bytes."""
    return name.isascii() or all(c.isascii() or (c.isalnum() and not c.isupper()) for c in name)


def literal(text: str) -> str:
    """Return a text as a literal that reads the same whatever ``standard_conforming_strings`` says."""
    escaped = text.replace("'", "''")
    return "E'{}'".format(escaped.replace("\\", "\\\\")) if "\\" in text else f"'{escaped}'"
