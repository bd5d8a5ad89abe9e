"""The sources of one query: what stands behind FROM, JOIN, USING, INTO and UPDATE, with aliases and column lists.

Commas and JOIN are what divides them, so a condition that is not finished does not hide the table behind it. An alias
is any name that is not a word the grammar reserves for what may follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tusk_jupyter.advice.slip_words import RESERVED
from tusk_jupyter.schema.nesting import Item, is_query, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

JOINS = words("cross full inner left natural right outer join")
# what cannot be an alias without AS, or would never be meant as one
NO_ALIAS = (
    words(" ".join(RESERVED))
    | JOINS
    | words("tablesample set values overriding isnull notnull is in like ilike similar do conflict merge")
)
_ENDS = words(
    "where group having window order limit offset fetch for returning set select values union intersect except when "
    "default overriding do"
)
_PASSED = frozenset({"LATERAL", "ONLY", "ROWS", "FROM"})


@dataclass(frozen=True, slots=True)
class Source:
    """What a column may come from; ``text[start:end]`` is its name, or the parentheses that it is.

    ``kind`` is relation, function, subquery or excluded; whether a relation is a CTE's is seen by its name.
    ``columns`` are the names of its alias's column list, ``types`` theirs where it is a definition list. ``body`` is
    where a subquery's text begins. ``using`` are the columns that its JOIN merges, ``before`` the word that put it
    there (FROM, JOIN, USING, INTO, UPDATE, LEFT …).
    """

    kind: str
    name: str
    start: int
    end: int
    schema: str | None = None
    alias: str | None = None
    columns: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    body: int | None = None
    before: str = "FROM"
    using: tuple[str, ...] = ()
    ordinality: bool = False
    lateral: bool = False
    is_target: bool = False

    @property
    def called(self) -> str:
        """The name by which its columns are qualified."""
        return self.alias or self.name


def sources_of(items: Sequence[Item]) -> list[Source]:
    """Return the sources of one query, given the items of its level."""
    found: list[Source] = []
    kind = items[0].word if items else ""
    before, at = "", 0  # the word that makes the next item a source
    listed = False
    while at < len(items):
        item = items[at]
        at += 1
        if _opens(items, at - 1, kind):
            before, listed = item.word, item.word in {"FROM", "USING"}
        elif item.word == "JOIN":
            before, listed = _join(items, at - 1), True
        elif listed and item.word == ",":
            before = ","
        elif item.word in _ENDS:
            before, listed = "", False
        elif item.word == "USING" and found and at < len(items) and items[at].word == "()":
            found[-1] = replace(found[-1], using=_names(items[at]))
        elif before and item.word not in _PASSED:
            start = at - 1
            new, at = _source(items, start, before, kind)
            lateral = start > 0 and items[start - 1].word == "LATERAL"
            found.extend(replace(one, lateral=lateral) for one in new)
            before = "" if new else before
    return found


def _opens(items: Sequence[Item], at: int, kind: str) -> bool:
    """Return whether a table is wanted behind this word, be it FROM or its like."""
    word, before = items[at].word, items[at - 1].word if at else ""
    if word == "FROM":
        return before != "DISTINCT" or items[at - 2].word not in {"IS", "NOT"}
    if word == "INTO":
        return kind in {"INSERT", "MERGE"}
    if word == "USING":
        merges = at + 1 < len(items) and items[at + 1].word == "()" and not is_query(items[at + 1].inside or ())
        return kind in {"DELETE", "MERGE"} and not merges
    return word in {"UPDATE", "TABLE"} and at == 0


def _join(items: Sequence[Item], at: int) -> str:
    """Return the kind of a JOIN: the words before it."""
    begin = at
    while begin and items[begin - 1].word in JOINS - {"JOIN"}:
        begin -= 1
    return " ".join(item.word for item in items[begin : at + 1])


def _source(items: Sequence[Item], at: int, before: str, kind: str) -> tuple[list[Source], int]:
    """Return the source that begins at an item, those of a join in parentheses, and where the next item is."""
    item = items[at]
    if item.word == "()":
        inside = item.inside or ()
        if items[at - 1].word == "FROM" and items[at - 2].word == "ROWS":
            return _aliased(items, at + 1, Source("function", "", item.start, item.end, before=before))
        if is_query(inside):
            source = Source("subquery", "", item.start, item.end, body=item.start + 1, before=before)
            return _aliased(items, at + 1, source)
        return sources_of([item._replace(word="FROM", inside=None), *inside]), at + 1
    if not item.name or (item.word in _ENDS | {"SELECT", "ON"}):
        return [], at + 1
    parts, behind = _dotted(items, at)
    name, schema = parts[-1], parts[-2] if len(parts) > 1 else None
    source = Source("relation", name, item.start, items[behind - 1].end, schema, before=before)
    if behind < len(items) and items[behind].word == "*":
        behind += 1
    called = behind < len(items) and items[behind].word == "()"
    if called and before not in {"INTO", "UPDATE"}:
        source, behind = replace(source, kind="function", end=items[behind].end), behind + 1
    is_target = before in {"INTO", "UPDATE"} or (before == "FROM" and kind == "DELETE")
    found, behind = _aliased(items, behind, replace(source, is_target=is_target))
    if kind == "INSERT" and is_target:
        found.append(replace(found[0], kind="excluded", alias="excluded", is_target=False))
    return found, behind


def _dotted(items: Sequence[Item], at: int) -> tuple[list[str], int]:
    parts = [items[at].name]
    at += 1
    while at < len(items) and items[at].word == ".":
        at += 1
        if at < len(items) and items[at].name and items[at].start == items[at - 1].end:
            parts.append(items[at].name)
            at += 1
        else:
            parts.append("")
    return parts, at


def _aliased(items: Sequence[Item], at: int, source: Source) -> tuple[list[Source], int]:
    """Return the source with what follows it: WITH ORDINALITY, AS, the alias, a list of columns."""
    if [item.word for item in items[at : at + 2]] == ["WITH", "ORDINALITY"]:
        source, at = replace(source, ordinality=True), at + 2
    if at < len(items) and items[at].word == "AS":
        at += 1
    if at < len(items) and items[at].name and items[at].word not in NO_ALIAS:
        source, at = replace(source, alias=items[at].name), at + 1
    if at < len(items) and items[at].word == "()" and source.before not in {"INTO", "UPDATE"}:
        source, at = replace(source, columns=_names(items[at]), types=_types(items[at])), at + 1
    return [source], at


def _names(group: Item) -> tuple[str, ...]:
    """Return the first name of each part of a list."""
    return tuple(part[0].name for part in divided(group.inside or ()) if part and part[0].name)


def _types(group: Item) -> tuple[str, ...]:
    """Return the types of a column definition list, empty where it is a list of names."""
    parts = [part for part in divided(group.inside or ()) if part]
    if not all(len(part) > 1 for part in parts):
        return ()
    return tuple(" ".join(item.name or item.word for item in part[1:]) for part in parts)


def divided(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield the parts of a list, divided at the commas of its level."""
    part: list[Item] = []
    for item in items:
        if item.word == ",":
            yield part
            part = []
        else:
            part.append(item)
    yield part
