"""A password in memory that no repr, pickle, copy or format gives away.

A dataclass field with ``repr=False`` still leaks through ``asdict`` and ``pickle``; a closure in a slot does not.
:meth:`Secret.reveal` is the one way out, called where the value goes to libpq and nowhere else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


class Secret:
    """Holds one string; prints as ``Secret(****)``."""

    __slots__ = ("_reveal",)

    def __init__(self, value: str) -> None:
        self._reveal: Callable[[], str] = lambda: value

    def reveal(self) -> str:
        """Return the string itself."""
        return self._reveal()

    def __repr__(self) -> str:
        return "Secret(****)"

    def __format__(self, spec: str) -> str:
        return "****"

    def __bool__(self) -> bool:
        return bool(self._reveal())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._reveal() == other._reveal()

    def __hash__(self) -> int:
        return hash(self._reveal())

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")
