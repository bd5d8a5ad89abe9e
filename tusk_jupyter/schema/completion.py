"""Completion: what could stand at the cursor of a text of SQL, likeliest first.

Pure: text, offset and a catalog in, records out; no server is asked, nothing is raised for any text. Three steps, each
a module: where the cursor is (:mod:`~tusk_jupyter.schema.cursor`), what is in scope and what is wanted there
(:mod:`~tusk_jupyter.schema.scope`, :mod:`~tusk_jupyter.schema.places`), which names there are
(:mod:`~tusk_jupyter.schema.offers`). A name that begins with what is typed comes before one that merely has it, and
within that the order of the place counts. pgcli ranks by how often a name was used; here the same text has the same
answer, so that fingers learn it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.lexer import Kind, is_identifier_character
from tusk_jupyter.schema.cursor import Cursor, at_cursor
from tusk_jupyter.schema.finding import index_of
from tusk_jupyter.schema.ground import Candidate, Ground
from tusk_jupyter.schema.nesting import QUERY_WORDS, items_of, levels, words
from tusk_jupyter.schema.offers import offered
from tusk_jupyter.schema.places import places
from tusk_jupyter.schema.scope import path_to, read_items
from tusk_jupyter.schema.suggestions import Suggestion, Suggestions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.schema.catalog import Catalog

MOST = 2_000
_TELLING = QUERY_WORDS | words("from where join on and or as set group order by into create alter drop limit having")


def complete(text: str, cursor: int, catalog: Catalog, *, names: Sequence[Suggestion] = ()) -> Suggestions:
    """Return what could stand at offset ``cursor`` (in characters) of ``text``, which is SQL alone.

    :param names: what ``:name`` may name, without the colon.
    """
    at = at_cursor(text, cursor)
    if at is None:
        return Suggestions(cursor, cursor)
    found = _candidates(at, catalog, tuple(names))
    # in front of a word, as in «select |from t», a name needs a space to stay one
    space = " " if at.end < len(at.text) and is_identifier_character(at.text[at.end]) else ""
    items: dict[str, Suggestion] = {}
    for candidate in found:
        offered_text = candidate.text + space
        items.setdefault(offered_text, Suggestion(offered_text, candidate.kind, candidate.signature))
        if len(items) >= MOST:
            break
    return Suggestions(at.start, at.end, tuple(items.values()))


def _candidates(at: Cursor, catalog: Catalog, names: tuple[Suggestion, ...]) -> list[Candidate]:
    before = items_of(at.text, at.before)
    path = tuple(path_to(read_items(at.text, [*before, *items_of(at.text, at.after)]), at.start))
    ground = Ground(at, catalog, index_of(catalog), path, names, _writes_capitals(at))
    wants = places(levels(before), literal=at.quote == "'")
    found = [candidate for want in wants for candidate in offered(ground, want)]
    if _is_glued(at):
        found = [candidate for candidate in found if candidate.kind not in {"keyword", "join"}]
    return sorted(found, key=lambda candidate: candidate.how)


def _is_glued(at: Cursor) -> bool:
    """Return whether a word at the cursor would melt into what ends there, or look so: ``f(x)from``."""
    if not at.touches or at.qualifier:
        return False
    last = at.before[-1]
    return last.kind in {Kind.STRING, Kind.NUMBER, Kind.OPERATOR} or at.text[last.end - 1] in ")]"


def _writes_capitals(at: Cursor) -> bool:
    """Return whether the user types keywords in capitals: by the word at the cursor, else by those before it."""
    typed = at.text[at.start : at.end] if not at.quote else ""
    if any(character.isalpha() for character in typed):
        return typed.isupper()
    for token in reversed(at.before):
        word = at.text[token.start : token.end]
        if token.kind is Kind.IDENTIFIER and word.upper() in _TELLING:
            return word.isupper()
    return False
