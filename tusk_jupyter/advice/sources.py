"""What the FROM around a place names: (name, alias) of each table there, by the tokens of its parentheses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice.slip_words import RESERVED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.advice.slip_words import Place
    from tusk_jupyter.advice.tokens import Token

_OPENS = frozenset({"from", "join", ",", "update", "into", "using"})
_CLAUSES = frozenset(
    [
        "where",
        "group",
        "having",
        "order",
        "limit",
        "offset",
        "fetch",
        "window",
        "union",
        "except",
        "intersect",
        "returning",
        "set",
        "on",
        "for",
        ";",
    ]
)


def around(place: Place) -> list[tuple[int, Token]]:
    """Return the tokens of the query that the place is in, each with its depth below it (0: its own level)."""
    every = [*place.before, *([place.at] if place.at else []), *place.after]
    here = len(place.before)
    depths, depth = [], 0
    for token in every:
        depth -= token.text == ")"
        depths.append(depth)
        depth += token.text == "("
    level = depths[here] if here < len(every) else 0
    # out of a call or a list, to the parenthesis that a query opened
    while True:
        start = next((n for n in range(here - 1, -1, -1) if depths[n] < level), -1)
        first = every[start + 1].lower if start + 1 < len(every) else ""
        if start < 0 or first in {"select", "with", "values"}:
            break
        level -= 1
    end = next((n for n in range(here, len(every)) if depths[n] < level), len(every))
    return [(depths[n] - level, every[n]) for n in range(start + 1, end)]


def sources_at(place: Place) -> list[tuple[str, str]]:
    """Return the tables of the place's query as (name, what it is called), names as PostgreSQL keeps them."""
    tokens = [token for depth, token in around(place) if depth == 0]
    found, inside, n = list[tuple[str, str]](), False, 0
    while n < len(tokens):
        word = tokens[n].lower
        if word in {"from", "join", "update", "into", "using"}:
            inside = True
        elif word in _CLAUSES:
            inside = False
        if inside and word in _OPENS and n + 1 < len(tokens):
            source, n = _source(tokens, n + 1)
            found += [source] if source is not None else []
            continue
        n += 1
    return found


def _source(tokens: Sequence[Token], n: int) -> tuple[tuple[str, str] | None, int]:
    while n < len(tokens) and tokens[n].lower in {"only", "lateral"}:
        n += 1
    name = ""
    while n < len(tokens) and _is_name(tokens[n]):
        name = kept(tokens[n])
        if n + 1 < len(tokens) and tokens[n + 1].text == ".":
            n += 2
            continue
        n += 1
        break
    while n < len(tokens) and tokens[n].text in {"(", ")"}:
        n += 1
    if n < len(tokens) and tokens[n].lower == "as":
        n += 1
    alias = name
    if n < len(tokens) and _is_name(tokens[n]) and tokens[n].lower not in _NOT_ALIASES:
        alias, n = kept(tokens[n]), n + 1
    return ((name, alias) if alias else None), n


_NOT_ALIASES = frozenset({"join", "inner", "left", "right", "full", "cross", "natural", "values", "set", *_CLAUSES})


def _is_name(token: Token) -> bool:
    return token.kind == "quoted" or (token.kind == "word" and token.lower not in RESERVED)


def kept(token: Token) -> str:
    """Return a name as PostgreSQL keeps it."""
    return token.text[1:-1].replace('""', '"') if token.kind == "quoted" else token.lower
