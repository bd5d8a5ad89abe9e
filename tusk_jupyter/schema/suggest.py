"""Did you mean …: what the catalog says of a name that the server does not know, and the edit that corrects it.

Pure, from the cache, no round trip. A suggestion is shown only when it is right: where two things may have been meant,
where a part of the catalog is not loaded, where the session has objects that the catalog does not know, there is none.
How often it is right is measured on ``tests/mistakes``, half of which no rule was made for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.schema.suggest_columns import ambiguous, column
from tusk_jupyter.schema.suggest_functions import function
from tusk_jupyter.schema.suggest_objects import schema, thing
from tusk_jupyter.schema.suggest_relations import relation
from tusk_jupyter.schema.suggest_words import LONGEST, Refused, Suggested, chains

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.schema.catalog import Catalog

__all__ = ["CODES", "Refused", "Suggested", "suggest"]

CODES: dict[str, Callable[[Refused, Catalog], Suggested | None]] = {
    "3F000": schema,
    "42702": ambiguous,
    "42703": column,
    "42704": thing,
    "42883": function,
    "42P01": relation,
}


def suggest(refused: Refused, catalog: Catalog, doubtful: frozenset[str] = frozenset()) -> Suggested | None:
    """Return what was meant, or None where that is not clear.

    :param doubtful: names of which the session knows more than the catalog.
    """
    rule = CODES.get(refused.sqlstate)
    if rule is None or not catalog.loaded or len(refused.statement) > LONGEST:
        return None
    found = rule(refused, catalog)
    if found is None or not doubtful:
        return found
    said = f"{refused.statement} {found.advice or ''} {found.correction.replacement if found.correction else ''}"
    words = {keyword.word for keyword in catalog.keywords}
    names = {part.name for chain in chains(said) for part in chain} - words
    return found if names.isdisjoint(doubtful) else None
