"""What a place wants: a kind of thing, and what narrows it."""

from __future__ import annotations

from typing import NamedTuple


class Want(NamedTuple):
    """A kind of thing, and its detail: relkinds, keywords, the parts of a name."""

    kind: str
    detail: tuple[str, ...] = ()


def keywords(*listed: str) -> Want:
    """Return the wish for some keywords, in this order."""
    return Want("keywords", listed)
