"""A column that several tables have (42702): how it is written for each of those that FROM names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice.names import place_in
from tusk_jupyter.advice.quoting import identifier
from tusk_jupyter.advice.sources import kept, sources_at

if TYPE_CHECKING:
    from tusk_jupyter.errors import Diagnostic


def column(diag: Diagnostic, statement: str) -> str | None:
    """Advise on an ambiguous column."""
    if diag.source_function in {"plpgsql_post_column_ref", "findTargetlistEntrySQL92", "findTargetlistEntrySQL99"}:
        return None
    place = place_in(diag, statement)
    if place is None or place.at is None or place.at.kind not in {"word", "quoted"} or place.next() == ".":
        return None
    name = identifier(kept(place.at))
    sources = [alias for _, alias in sources_at(place)]
    words = place.words
    if words[:1] == ["insert"] and "conflict" in words and sources:
        return (
            f"`{identifier(sources[0])}.{name}` is the row that is there, `excluded.{name}` the one that was refused."
        )
    shown = [f"`{identifier(alias)}.{name}`" for alias in dict.fromkeys(sources)]
    if len(shown) == 2:  # noqa: PLR2004 then both have it
        return f"Both tables have it: write {shown[0]} or {shown[1]}."
    if 2 < len(shown) <= 6:  # noqa: PLR2004
        return f"Several of the tables have it: say which, one of {', '.join(shown)}."
    return None
