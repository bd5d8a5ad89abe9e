"""What a statement puts in scope, and where: FROM, JOIN, UPDATE, INSERT INTO, MERGE, CTEs, subqueries, functions.

Read tolerantly, because completion asks in the middle of typing and did-you-mean about what the server refused: a
clause is what stands between two words that begin one, and what is in none is passed over. A :class:`Query` is one
SELECT, INSERT, UPDATE, DELETE, MERGE or VALUES with what it names; those within it see what it sees, so the scope of an
offset is the path of queries that lead to it. Nothing is looked up here: :mod:`tusk_jupyter.schema.outputs` asks the
catalog for columns.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tusk_jupyter.lexer import significant
from tusk_jupyter.schema.from_clause import Source, sources_of
from tusk_jupyter.schema.nesting import Item, is_query, items_of, nested, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tusk_jupyter.lexer import Token

__all__ = ["Clause", "Cte", "Query", "Source", "path_to", "read", "visible"]

_SET_OPERATIONS = words("union intersect except")
# what begins a clause wherever it stands alone on its level
_CLAUSE_WORDS = words(
    "select from where group having window order limit offset fetch values returning set using join into"
)
_NOT_A_STATEMENT_AFTER = words("for key do on or then of before after grant revoke ,")
_STATEMENTS = words("select insert update delete merge values table")


@dataclass(frozen=True, slots=True)
class Clause:
    """The items behind the word that begins a clause, up to the next one; ``word`` in upper case."""

    word: str
    start: int
    end: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Cte:
    """``name (columns) AS (query)``; ``start`` and ``end`` are its name's."""

    name: str
    columns: tuple[str, ...]
    query: Query | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Query:
    """One query, or with ``arms`` what UNION, WITH or INSERT … SELECT puts together: ``text[start:end]``.

    ``kind`` is its first word in upper case, empty for what is none. ``target`` is what INSERT, UPDATE, DELETE or MERGE
    writes; ``sources`` has it too. ``inner`` are the queries nested in it, arms included.
    """

    start: int
    end: int
    kind: str = ""
    clauses: tuple[Clause, ...] = ()
    sources: tuple[Source, ...] = ()
    target: Source | None = None
    ctes: tuple[Cte, ...] = ()
    arms: tuple[Query, ...] = ()
    inner: tuple[Query, ...] = ()

    def clause(self, word: str) -> Clause | None:
        """Return its first clause of that word."""
        return next((clause for clause in self.clauses if clause.word == word), None)


def read(text: str, tokens: Iterable[Token] | None = None) -> Query:
    """Return the queries of one statement, ``text`` or these ``tokens`` of it."""
    return read_items(text, items_of(text, significant(text) if tokens is None else tokens))


def read_items(text: str, items: Iterable[Item]) -> Query:
    """Return the queries of one statement whose tokens are items already."""
    return query_of(nested(text, items), 0, len(text))


def path_to(query: Query, offset: int) -> list[Query]:
    """Return the queries that contain ``offset``, the innermost first."""
    path = [query]
    while inner := next((one for one in path[0].inner if one.start <= offset <= one.end), None):
        path.insert(0, inner)
    return path


def visible(path: Sequence[Query]) -> Iterator[Source]:
    """Yield what a column may come from, the nearest first, by the path of :func:`path_to`."""
    for query in path:
        yield from query.sources


def query_of(items: Sequence[Item], start: int, end: int) -> Query:
    """Return the query that these items of one level are."""
    while len(items) == 1 and items[0].word == "()":
        items = items[0].inside or ()
    ctes, rest = _with(items)
    parts = _parts(rest)
    arms = [
        _arm(
            part,
            part[0].start if number or ctes else start,
            parts[number + 1][0].start - 1 if number + 1 < len(parts) else end,
        )
        for number, part in enumerate(parts)
    ]
    arms = _with_target(arms)
    if len(arms) == 1 and not ctes:
        return arms[0]
    bodies = tuple(cte.query for cte in ctes if cte.query is not None)
    kind = next((arm.kind for arm in arms if arm.kind), "")
    return Query(start, end, kind, ctes=tuple(ctes), arms=tuple(arms), inner=(*bodies, *arms))


def _with(items: Sequence[Item]) -> tuple[list[Cte], Sequence[Item]]:
    """Return the CTEs, and the items behind them."""
    begin = next((n for n, item in enumerate(items) if item.word == "WITH"), None)
    if begin is None or not _is_cte(items, begin):
        return [], items
    at = begin + 1 + (items[begin + 1 : begin + 2] != [] and items[begin + 1].word == "RECURSIVE")
    ctes: list[Cte] = []
    while at < len(items) and items[at].name and items[at].word not in _STATEMENTS:
        name = items[at]
        body = next((n for n in range(at + 1, len(items)) if items[n].word in {"()", ","}), len(items))
        columns: tuple[str, ...] = ()
        if body < len(items) and items[body].word == "()" and items[body - 1].word not in {"AS", "MATERIALIZED"}:
            columns = tuple(item.name for item in items[body].inside or () if item.name)
            body = next((n for n in range(body + 1, len(items)) if items[n].word in {"()", ","}), len(items))
        group = items[body] if body < len(items) and items[body].word == "()" else None
        query = query_of(group.inside or (), group.start + 1, group.end - 1) if group else None
        ctes.append(Cte(name.name, columns, query, name.start, name.end))
        at = _behind_cte(items, body + (group is not None))
    return ctes, [*items[:begin], *items[at:]]


def _is_cte(items: Sequence[Item], begin: int) -> bool:
    """Return whether a WITH begins CTEs: the first word always, another one before ``name AS``."""
    following = [item.word for item in items[begin + 1 : begin + 4]]
    return begin == 0 or (following[:1] != ["ORDINALITY"] and ("AS" in following[1:] or "RECURSIVE" in following[:1]))


def _behind_cte(items: Sequence[Item], at: int) -> int:
    """Return where the next CTE or the statement begins: SEARCH and CYCLE may stand before."""
    while at < len(items) and items[at].word not in _STATEMENTS | {",", "()"}:
        at += 1
    if at < len(items) and items[at].word == ",":
        return at + 1
    return at


def last_part(items: Sequence[Item]) -> Sequence[Item]:
    """Return the items of the query that a level ends with."""
    return _parts(items)[-1] if items else items


def _parts(items: Sequence[Item]) -> list[list[Item]]:
    """Divide a level where a query begins beside another: UNION, INSERT … SELECT, CREATE VIEW … AS SELECT."""
    parts: list[list[Item]] = []
    merging = writes = False
    for n, item in enumerate(items):
        before = items[n - 1].word if n else ""
        first = item.word if _begins(item, before) else ""
        if merging and first in {"INSERT", "UPDATE", "DELETE", "VALUES"}:
            first = ""
        if first == "VALUES" and parts and parts[-1] and parts[-1][0].word == "INSERT":
            first = ""
        merging |= first == "MERGE"
        back = writes and item.word in {"RETURNING", "CONFLICT"} and parts[-1][0].word != "INSERT"
        writes |= first == "INSERT"
        joined = before in _SET_OPERATIONS or (
            before in {"ALL", "DISTINCT"} and n > 1 and items[n - 2].word in _SET_OPERATIONS
        )
        if first or back or (joined and item.word == "()") or item.word in _SET_OPERATIONS or not parts:
            parts.append([])
        parts[-1].append(item)
    return parts


def _begins(item: Item, before: str) -> bool:
    if item.word in {"INSERT", "UPDATE", "DELETE", "MERGE"}:
        return before not in _NOT_A_STATEMENT_AFTER
    return item.word in {"SELECT", "VALUES"} and before not in {"GRANT", "REVOKE", ",", "FOR"}


def _arm(items: Sequence[Item], start: int, end: int) -> Query:
    """Return one query without CTEs and set operations around it."""
    if items and items[0].word == "()" and is_query(items):
        inner = query_of(items[0].inside or (), items[0].start + 1, items[0].end - 1)
        return Query(start, end, inner.kind, arms=(inner,), inner=(inner,))
    kind = items[0].word if items else ""
    sources = tuple(sources_of(items))
    target = next((source for source in sources if source.is_target), None)
    return Query(start, end, kind, tuple(_clauses(items, end)), sources, target, inner=tuple(_inner(items)))


def _clauses(items: Sequence[Item], end: int) -> Iterator[Clause]:
    begin: int | None = None
    for n, item in enumerate(items):
        word = item.word
        if word not in _CLAUSE_WORDS or (
            word == "FROM" and n and items[n - 1].word == "DISTINCT" and _is_comparison(items, n)
        ):
            continue
        if begin is not None:
            yield Clause(items[begin].word, items[begin].start, item.start, tuple(items[begin + 1 : n]))
        begin = n
    if begin is not None:
        yield Clause(items[begin].word, items[begin].start, end, tuple(items[begin + 1 :]))


def _is_comparison(items: Sequence[Item], n: int) -> bool:
    return n > 1 and items[n - 2].word in {"IS", "NOT"}


def _inner(items: Iterable[Item]) -> list[Query]:
    """Return the queries in the groups of a level, however deep the parentheses between."""
    found: list[Query] = []
    for item in items:
        if item.inside is None:
            continue
        if item.word == "()" and is_query(item.inside):
            found.append(query_of(item.inside, item.start + 1, item.end - 1))
        else:
            found.extend(_inner(item.inside))
    return found


def _with_target(arms: list[Query]) -> list[Query]:
    """Give RETURNING and ON CONFLICT behind INSERT … SELECT the table that is written."""
    first = next((arm for arm in arms if arm.target is not None), None)
    if first is None:
        return arms
    return [
        replace(arm, kind="INSERT", sources=first.sources, target=first.target)
        if arm.kind in {"RETURNING", "CONFLICT"}
        else arm
        for arm in arms
    ]
