"""The values of a key, out of the server's DETAIL: «Key (a, b)=(1, x) already exists.»

Its words are translated, its ``(columns)=(values)`` is not. Nothing in it is quoted, so that a value with a comma and a
space looks like two: what can be read in two ways is not read at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def key_values(detail: str, columns: Sequence[str]) -> tuple[str, ...] | None:
    """Return the text of each column's value, or None where it is not certain.

    :param columns: as the server writes them there: quoted where a unique key is violated, plain for a foreign key.
    """
    head = f"({', '.join(columns)})=("
    if not columns or detail.count(head) != 1:
        return None
    rest = detail.partition(head)[2]
    end = rest.rfind(")")
    # the words behind hold none: one more is the value's own, or the referenced table's name
    if end < 0:
        return None
    inside = rest[:end]
    values = (inside,) if len(columns) == 1 else tuple(inside.split(", "))
    if len(values) != len(columns) or (len(columns) > 1 and ")=(" in inside) or "null" in values:
        return None
    return values
