"""The table that a statement writes, from its first words, and those that it names with their schemas."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.advice.tokens import tokens

if TYPE_CHECKING:
    from tusk_jupyter.advice.tokens import Token

_FIRST = frozenset({"insert", "update", "delete", "truncate", "copy", "merge"})
_PASSED = frozenset({"into", "from", "only", "table"})
_LOOKED_AT = 8_000


def written(statement: str) -> tuple[str | None, str] | None:
    """Return (schema or None, name) as PostgreSQL keeps them, or None where the statement begins with another word."""
    words = tokens(statement[:_LOOKED_AT])
    first = next(words, None)
    if first is None or first.lower not in _FIRST:
        return None
    names: list[str] = []
    for token in words:
        if token.lower in _PASSED and not names:
            continue
        if token.text == ".":
            continue
        if token.kind not in {"word", "quoted"} or (names and not _follows_dot(statement, token)):
            break
        names.append(_kept(token))
    if not 1 <= len(names) <= 2:  # noqa: PLR2004 schema and name
        return None
    return (names[0], names[1]) if len(names) > 1 else (None, names[0])


def named(statement: str) -> set[tuple[str, str]]:
    """Return every ``schema.name`` in a statement, as PostgreSQL keeps them."""
    found = [token for token in tokens(statement[:_LOOKED_AT]) if token.kind != "string"]
    return {
        (_kept(first), _kept(last))
        for n, (first, dot, last) in enumerate(zip(found, found[1:], found[2:], strict=False))
        if dot.text == "." and {first.kind, last.kind} <= {"word", "quoted"} and (not n or found[n - 1].text != ".")
    }


def _follows_dot(statement: str, token: Token) -> bool:
    return statement[: token.start].rstrip().endswith(".")


def _kept(token: Token) -> str:
    return token.text[1:-1].replace('""', '"') if token.kind == "quoted" else token.lower
