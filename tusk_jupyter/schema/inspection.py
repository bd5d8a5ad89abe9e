"""What is known of the thing at the cursor of a statement, from the catalog: a :class:`Sheet` of words, not yet drawn.

Who has the cursor on a name wants to know what it is here, so it is looked up in the order in which PostgreSQL would:
the tables of the statement, their aliases, their columns, then the catalog. A keyword is only asked about where a
statement begins. Inside the parentheses of a call, on nothing, the function is meant, as in Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.lexer import Kind, significant, upper
from tusk_jupyter.schema import outputs, scope
from tusk_jupyter.schema.nesting import folded, unquoted
from tusk_jupyter.schema.sheets import (
    Sheet,
    of_column,
    of_functions,
    of_relation,
    of_schema,
    of_setting,
    of_source,
    of_type,
)
from tusk_jupyter.schema.synopses import SYNOPSES, synopsis

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.lexer import Token
    from tusk_jupyter.schema.catalog import Catalog
    from tusk_jupyter.schema.scope import Query, Source

__all__ = ["Sheet", "inspect"]

_NAMES = (Kind.IDENTIFIER, Kind.QUOTED_IDENTIFIER)
_QUERIES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "VALUES", "WITH", "TABLE"})
_SETTINGS = frozenset({"SET", "RESET", "SHOW", "ALTER"})
_BEFORE_QUERY = frozenset({"(", ")", "ALL", "AS", "DISTINCT", "EXCEPT", "INTERSECT", "UNION"})
_BEFORE_TYPE = frozenset({"::", "AS"})


@dataclass(frozen=True, slots=True)
class _Name:
    """A name with what qualifies it up to the cursor: ``parts`` of ``tokens[first:last + 1]``."""

    parts: tuple[str, ...]
    first: int
    last: int


def inspect(text: str, cursor: int, catalog: Catalog) -> Sheet | None:
    """Return what is known of the name at an offset of one statement; ``None`` where nothing is."""
    tokens = list(significant(text))
    at = _token_at(tokens, cursor)
    if at is None or tokens[at].kind not in _NAMES:
        called = _call_around(text, tokens, cursor)
        return _function(called, catalog) if called is not None else None
    if (found := _keyword(text, tokens, at)) is not None:
        return found
    name = _name(text, tokens, at)
    return _of_setting(text, tokens, name, catalog) or _resolved(text, tokens, name, catalog)


def _token_at(tokens: Sequence[Token], cursor: int) -> int | None:
    """Return the token that the cursor is in or directly behind, a name before a sign."""
    touching = [n for n, token in enumerate(tokens) if token.start <= cursor <= token.end]
    names = [n for n in touching if tokens[n].kind in _NAMES]
    return names[0] if names else (touching[0] if touching else None)


def _keyword(text: str, tokens: Sequence[Token], at: int) -> Sheet | None:
    """Return the synopsis where a statement begins, or on the word that says what is created."""
    words = [upper(text, token) for token in tokens[: max(8, at + 1)]]
    word, before = words[at], words[at - 1] if at else ""
    if at == 0 or words[0] in {"CREATE", "ALTER", "DROP", "REFRESH", "IMPORT"}:
        found = synopsis(words)
        if found is None or word not in found[0].split():
            return None
    elif word in _QUERIES and (before in _BEFORE_QUERY or (word == "SELECT" and before != ".")):
        found = (word, SYNOPSES[word])
    else:
        return None
    return Sheet(found[0], "statement", (found[1],))


def _name(text: str, tokens: Sequence[Token], at: int) -> _Name:
    first = at
    while first >= 2 and _sign(text, tokens[first - 1]) == "." and tokens[first - 2].kind in _NAMES:  # noqa: PLR2004
        first -= 2
    parts = tuple(_read(text, tokens[n]) for n in range(first, at + 1, 2))
    return _Name(parts, first, at)


def _read(text: str, token: Token) -> str:
    spelled = text[token.start : token.end]
    return unquoted(spelled, closed=token.closed) if token.kind is Kind.QUOTED_IDENTIFIER else folded(spelled)


def _sign(text: str, token: Token) -> str:
    return text[token.start : token.end] if token.kind is Kind.PUNCTUATION else ""


def _following(text: str, tokens: Sequence[Token], at: int) -> str:
    return _sign(text, tokens[at + 1]) if at + 1 < len(tokens) else ""


def _of_setting(text: str, tokens: Sequence[Token], name: _Name, catalog: Catalog) -> Sheet | None:
    if upper(text, tokens[0]) not in _SETTINGS:
        return None
    setting = catalog.settings.get(".".join(name.parts)) or catalog.settings.get(".".join(name.parts).lower())
    return of_setting(setting) if setting is not None else None


def _resolved(text: str, tokens: Sequence[Token], name: _Name, catalog: Catalog) -> Sheet | None:
    query = scope.read(text, tokens)
    position = tokens[name.last].start
    path = scope.path_to(query, position)
    if len(name.parts) > 1:
        return _qualified(name, path, catalog)
    (word,) = name.parts
    if (source := _source_at(path, tokens[name.first].start)) is not None:
        return _relation_or_source(source, path, catalog)
    before = upper(text, tokens[name.first - 1]) if name.first else ""
    if before in _BEFORE_TYPE and (kind := catalog.type(word)) is not None:
        return of_type(kind)
    if _following(text, tokens, name.last) == "(" and (functions := _function((word,), catalog)) is not None:
        return functions
    return (
        _column(word, list(scope.visible(path)), path, catalog)
        or next((_relation_or_source(one, path, catalog) for one in scope.visible(path) if one.called == word), None)
        or _of_catalog(word, catalog)
    )


def _of_catalog(word: str, catalog: Catalog) -> Sheet | None:
    if (relation := catalog.relation(word)) is not None:
        return of_relation(relation, catalog)
    if (kind := catalog.type(word)) is not None:
        return of_type(kind)
    if (functions := _function((word,), catalog)) is not None:
        return functions
    schema = catalog.schemas.get(word)
    return of_schema(schema, catalog) if schema is not None else None


def _qualified(name: _Name, path: Sequence[Query], catalog: Catalog) -> Sheet | None:
    *qualifier, word = name.parts
    if len(qualifier) == 1:
        sources = [one for one in scope.visible(path) if one.called == qualifier[0]][:1]
        if sources and (found := _column(word, sources, path, catalog)) is not None:
            return found
    schema = qualifier[-1]
    if len(qualifier) == 1 and (relation := catalog.relation(word, schema)) is not None:
        return of_relation(relation, catalog)
    if len(qualifier) == 1 and (functions := _function((schema, word), catalog)) is not None:
        return functions
    if (kind := catalog.type(f"{schema}.{word}")) is not None:
        return of_type(kind)
    owner = catalog.relation(qualifier[-1], qualifier[-2] if len(qualifier) > 1 else None)
    column = next((one for one in owner.columns if one.name == word), None) if owner is not None else None
    return of_column(column, owner, catalog) if column is not None else None


def _source_at(path: Sequence[Query], position: int) -> Source | None:
    return next((one for one in scope.visible(path) if one.start <= position < one.end and one.body is None), None)


def _relation_or_source(source: Source, path: Sequence[Query], catalog: Catalog) -> Sheet | None:
    if source.kind == "function":
        qualified = (source.schema, source.name) if source.schema else (source.name,)
        return _function(qualified, catalog)
    relation = outputs.relation_of(source, path, catalog)
    if relation is not None:
        return of_relation(relation, catalog)
    columns = outputs.columns_of(source, path, catalog)
    return of_source(source.called, columns) if columns is not None else None


def _column(word: str, sources: Sequence[Source], path: Sequence[Query], catalog: Catalog) -> Sheet | None:
    """Return what the column is, of the nearest source that has it."""
    for source in sources:
        columns = outputs.columns_of(source, path, catalog) or ()
        column = next((one for one in columns if one.name == word), None)
        if column is not None:
            relation = outputs.relation_of(source, path, catalog) if not source.columns else None
            return of_column(column, relation, catalog, source.called)
    return None


def _function(name: tuple[str, ...], catalog: Catalog) -> Sheet | None:
    found = catalog.functions(name[-1], name[0] if len(name) > 1 else None)
    return of_functions(found) if found else None


def _call_around(text: str, tokens: Sequence[Token], cursor: int) -> tuple[str, ...] | None:
    """Return the name of the call whose parentheses the cursor is in."""
    depth = 0
    before = [n for n, token in enumerate(tokens) if token.end <= cursor]
    for n in reversed(before):
        sign = _sign(text, tokens[n])
        depth += (sign == ")") - (sign == "(")
        if depth < 0:
            if n > 0 and tokens[n - 1].kind in _NAMES:
                return _name(text, tokens, n - 1).parts
            depth = 0
    return None
