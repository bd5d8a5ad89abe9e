r"""What a look around is made of: how it asks, what it was asked for, and the table it answers with.

``\d`` and its family answer with one :class:`Listing` or several, in psql's columns, title and footers; ``%tusk
describe`` and its family with the same. Whoever shows them makes text, HTML and a DataFrame of each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Ask(Protocol):
    """Asks one statement, with values for ``$1`` …, and returns its rows as PostgreSQL's text."""

    def __call__(self, statement: str, *values: str | None) -> list[list[str | None]]: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    r"""One command as it was typed: ``\dtS+ app.*`` is ``dt``, ``('app.*',)``, verbose, system.

    ``version`` is the server's ``server_version_num``.
    """

    command: str
    arguments: tuple[str, ...] = ()
    verbose: bool = False  # a + in it
    system: bool = False  # an S in it
    version: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """One table as psql prints it: title, column headers, rows of text (None is NULL), footers."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    footers: tuple[str, ...] = ()
