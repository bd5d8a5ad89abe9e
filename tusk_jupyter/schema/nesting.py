"""SQL text into items nested by their parentheses, however unfinished it is.

Completion reads text in which the parenthesis that the cursor is in is seldom closed, and what follows the cursor
belongs to the statement all the same: in ``select count( from flights`` the FROM is not count's. So a parenthesis that
is never closed holds the rest of the text only where it begins a query; any other is one sign among its neighbours. A
parser that recovers from errors was refused: it knows what is wrong, not what was meant, and costs ten times as much.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tusk_jupyter.lexer import Kind, Token, significant, upper

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


TAKES_FROM = frozenset({"EXTRACT", "SUBSTRING", "TRIM", "OVERLAY"})  # extract(epoch from …)
_ASCII_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_CLOSES = {")": "(", "]": "["}
_OPENS = frozenset(_CLOSES.values())
_DEEPEST = 60  # what is nested deeper is passed over: nobody wrote it, and Python's stack ends


def words(text: str) -> frozenset[str]:
    """Return the words of a text in upper case, as those of items are compared."""
    return frozenset(text.upper().split())


QUERY_WORDS = words("select with values table insert update delete merge")


class Item(NamedTuple):
    """A token, or all that a pair of parentheses or brackets holds: ``text[start:end]``.

    ``word`` is an unquoted word or a sign as keywords are compared, ``()`` or ``[]`` of a group, else empty. ``name``
    is what an identifier names: folded to lower case, or taken out of its quotes. A query that is never closed ends
    one character behind the text, so that what is in a group always ends one before it.
    """

    kind: Kind
    start: int
    end: int
    word: str = ""
    name: str = ""
    inside: Sequence[Item] | None = None


class _Open(NamedTuple):
    sign: Item
    before: str
    inside: list[Item]


def items_of(text: str, tokens: Iterable[Token]) -> list[Item]:
    """Return tokens as items, none in another."""
    return [_item(text, token) for token in tokens]


def nested(text: str, items: Iterable[Item] | None = None) -> list[Item]:
    """Return the items of ``text``, or these, in their groups; a stray closing sign is left out."""
    level: list[Item] = []
    opened: list[_Open] = []
    deeper = 0
    for item in items_of(text, significant(text)) if items is None else items:
        if deeper or (len(opened) == _DEEPEST and item.word in _OPENS):
            deeper += (item.word in _OPENS) - (item.word in _CLOSES)
        elif item.word in _OPENS:
            opened.append(_Open(item, level[-1].word if level else "", level))
            level = []
        elif item.word in _CLOSES:
            level = _close(opened, level, item)
        else:
            level.append(item)
    while opened:
        level = _leave_open(opened.pop(), level, len(text))
    return level


def is_query(items: Sequence[Item]) -> bool:
    """Return whether these items begin a query."""
    first = items[0] if items else None
    if first is not None and first.word == "()":
        return is_query(first.inside or ())
    return first is not None and first.word in QUERY_WORDS


def _item(text: str, token: Token) -> Item:
    kind, start, end, closed = token
    if kind is Kind.IDENTIFIER:
        word = upper(text, token)
        return Item(kind, start, end, word, folded(text[start:end]))
    if kind is Kind.QUOTED_IDENTIFIER:
        return Item(kind, start, end, "", unquoted(text[start:end], closed=closed))
    return Item(kind, start, end, text[start:end] if kind in {Kind.PUNCTUATION, Kind.OPERATOR} else "")


def folded(name: str) -> str:
    """Return an unquoted name as PostgreSQL folds it: ASCII letters alone, as it does in UTF-8."""
    return name.lower() if name.isascii() else name.translate(_ASCII_LOWER)


def unquoted(text: str, *, closed: bool = True) -> str:
    """Return what a quoted identifier names."""
    inside = text[text.index('"') + 1 : -1 if closed and len(text) > 1 else None]
    return inside.replace('""', '"')


def _close(opened: list[_Open], level: list[Item], sign: Item) -> list[Item]:
    wanted = _CLOSES[sign.word]
    if not any(one.sign.word == wanted for one in opened):
        return level
    while opened[-1].sign.word != wanted or _was_meant_for_outer(opened, level):
        level = _leave_open(opened.pop(), level, sign.start)
    group = opened.pop()
    pair = wanted + sign.word
    group.inside.append(Item(Kind.PUNCTUATION, group.sign.start, sign.end, pair, "", level))
    return group.inside


def _was_meant_for_outer(opened: Sequence[_Open], level: Sequence[Item]) -> bool:
    """Return whether the innermost parenthesis was forgotten: ``(select count( from t)``."""
    top = opened[-1]
    if top.before in TAKES_FROM or is_query(level) or not any(item.word == "FROM" for item in level):
        return False
    return any(outer.sign.word == "(" and is_query(inner.inside) for outer, inner in pairwise(opened))


def _leave_open(group: _Open, level: list[Item], end: int) -> list[Item]:
    if group.sign.word == "(" and is_query(level):
        group.inside.append(Item(Kind.PUNCTUATION, group.sign.start, end + 1, "()", "", level))
    else:
        group.inside.append(group.sign)
        group.inside.extend(level)
    return group.inside


def levels(items: Iterable[Item]) -> list[list[Item]]:
    """Return the levels that are open at the end of these items, the innermost last; closed groups are one item."""
    open_levels: list[list[Item]] = [[]]
    for item in items:
        if item.word in _CLOSES:
            if len(open_levels) > 1 and open_levels[-2][-1].word == _CLOSES[item.word]:
                inside = open_levels.pop()
                sign = open_levels[-1].pop()
                open_levels[-1].append(sign._replace(end=item.end, word=sign.word + item.word, inside=inside))
            continue
        open_levels[-1].append(item)
        if item.word in _OPENS:
            open_levels.append([])
    return open_levels
