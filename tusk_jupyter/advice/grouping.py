"""What GROUP BY lacks, and where an aggregate cannot stand (42803)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice.names import place_in
from tusk_jupyter.advice.slip_words import Place, Slip, code, inserted
from tusk_jupyter.advice.sources import around

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.advice.tokens import Token
    from tusk_jupyter.errors import Diagnostic

_AGGREGATES = frozenset(
    [
        "count",
        "sum",
        "avg",
        "min",
        "max",
        "array_agg",
        "string_agg",
        "bool_and",
        "bool_or",
        "every",
        "json_agg",
        "jsonb_agg",
        "stddev",
        "variance",
    ]
)
_AFTER_GROUPS = frozenset(
    ["having", "window", "order", "limit", "offset", "fetch", "for", "union", "except", "intersect", ";"]
)
_IN_WHERE = "WHERE comes before grouping: a condition on an aggregate belongs into HAVING, as in `having count(*) > 1`."
_NESTED = (
    "An aggregate of an aggregate takes a subquery: `select max(n) from (select count(*) as n from t group by a) x`."
)


def ungrouped(diag: Diagnostic, statement: str) -> Slip | str | None:
    """Advise on a column that is not grouped, or an aggregate in a place that has none."""
    place = place_in(diag, statement)
    if place is None or place.at is None:
        return None
    if diag.source_function == "check_agg_arguments":
        return _NESTED
    if diag.source_function == "check_agglevels_and_constraints":
        words = [token.lower for depth, token in around(place) if depth == 0 and token.start < place.at.start]
        clauses = [w for w in words if w in {"where", "on", "group", "having", "set", "select", "from"}]
        if clauses[-1:] == ["where"]:
            return _IN_WHERE
        return "No aggregate can stand here: take it from a subquery, `(select max(a) from t)`."
    if place.next() == "(" or place.at.kind not in {"word", "quoted"}:
        return None
    column = "".join(token.text for token in _reference(place))
    said = f"Add {code(column)} to GROUP BY, or aggregate it, as in {code(f'max({column})')}."
    return _corrected(place, said) or said


def _reference(place: Place) -> Sequence[Token]:
    found = [place.at, *place.after]
    end = 1
    while end + 1 < len(found) and (dot := found[end]) is not None and dot.text == ".":
        end += 2
    return [token for token in found[:end] if token is not None]


def _corrected(place: Place, said: str) -> Slip | None:
    """Return the slip with the columns added, if every item of the select list is a column or an aggregate."""
    tokens = around(place)
    own = [token for depth, token in tokens if depth == 0]
    words = [token.lower for token in own]
    if words[:1] != ["select"] or "from" not in words or not set(words).isdisjoint({"union", "except", "intersect"}):
        return None
    start = words.index("from")
    begins, ends = own[0].start, own[start].start
    items = _items([(depth, token) for depth, token in tokens if begins < token.start < ends])
    if items is None or place.at is None or place.at.start > ends:
        return None
    at = next((n for n, w in enumerate(words) if w in _AFTER_GROUPS and n > start), len(own))
    grouped = _grouped(own[:at])
    columns = [item for item in items if item and item.lower() not in grouped]
    if not columns:
        return None
    text = ", ".join(dict.fromkeys(columns))
    last = next(token for _, token in reversed(tokens) if at == len(own) or token.start < own[at].start)
    return inserted(said, last.end, f", {text}" if grouped or "group" in words[:at] else f" group by {text}")


def _grouped(own: Sequence[Token]) -> set[str]:
    words = [token.lower for token in own]
    if "group" not in words:
        return set()
    behind = own[words.index("group") + 2 :]
    return {part.strip() for part in "".join(token.lower for token in behind).split(",")}


def _items(listed: Sequence[tuple[int, Token]]) -> list[str] | None:
    """Return each item of a select list as the column it is, '' for an aggregate; None where one is neither."""
    items: list[list[tuple[int, Token]]] = [[]]
    for depth, token in listed:
        if depth == 0 and token.text == ",":
            items.append([])
        else:
            items[-1].append((depth, token))
    found = [_item([token for _, token in item], [depth for depth, _ in item]) for item in items]
    return None if None in found else [item for item in found if item is not None]


def _item(tokens: Sequence[Token], depths: Sequence[int]) -> str | None:
    if not tokens:
        return None
    if tokens[0].lower in _AGGREGATES and len(tokens) > 1 and tokens[1].text == "(":
        close = next((n for n in range(2, len(tokens)) if depths[n] == 0 and tokens[n].text == ")"), None)
        return "" if close is not None and _is_alias(tokens[close + 1 :]) else None
    end = 1
    while end + 1 < len(tokens) and tokens[end].text == ".":
        end += 2
    names = tokens[0:end:2]
    plain = all(token.kind in {"word", "quoted"} for token in names)
    return "".join(t.text for t in tokens[:end]) if plain and _is_alias(tokens[end:]) else None


def _is_alias(tokens: Sequence[Token]) -> bool:
    named = tokens[1:] if tokens and tokens[0].lower == "as" else tokens
    return len(named) <= 1 and all(token.kind in {"word", "quoted"} for token in named)
