"""A password in memory that no repr, format, pickle, copy, JSON or comparison gives away.

A dataclass field with ``repr=False`` still leaks through ``asdict`` and ``pickle``; a closure in a slot does not: there
is no ``__dict__`` to read, and what ``dir`` shows is a function. :meth:`Secret.reveal` is the one way out, called where
the value goes to libpq, SSH or the keychain and nowhere else.

On purpose: ``bool`` tells whether it is empty (``given or stored`` is how passwords are chosen); two are compared by
value, in a time that does not depend on where they differ, and never equal a plain string; the hash is the same for
all of them, because a hash of the value would confirm a guess wherever it was printed. ``copy``, ``pickle`` and
``dataclasses.asdict`` raise instead of quietly making a second one. traitlets offers a value no way to refuse a trait:
an ``Any`` trait may hold a Secret in the kernel, but a synced one cannot send it, since it is in no form that JSON has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn, final

if TYPE_CHECKING:
    from collections.abc import Callable


@final
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
        if not isinstance(other, Secret):
            return NotImplemented
        from hmac import compare_digest  # loads OpenSSL: 6 ms

        mine, others = (secret.reveal().encode(errors="surrogatepass") for secret in (self, other))
        return compare_digest(mine, others)

    def __hash__(self) -> int:
        return hash(Secret)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")
