"""What a user types → the rows of the history that hold it, newest first, whatever is typed.

Every word goes to FTS5 as a string in quotes, which its tokenizer parts as it parted the text: no character is an
operator there, so no input is a syntax error. The word may go on (``orders*``) unless it is one of SQL's own:
``select*`` would gather its million rows before the first is returned (40 ms each such word, measured), and whoever
types ``select`` means the statement. Signs that are no part of any word (``->>``, ``::``) are looked for in the text.

Without FTS5 it is ``LIKE``, on one row after the other.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tusk_jupyter.storage import schema

if TYPE_CHECKING:
    import sqlite3

# in nearly every statement, and seldom the beginning of a name; «order», «group», «date» are names all the time
_SQL = """
    select from where and or not in is on as by null join left right inner outer with insert into values update set
    delete limit having union all distinct case when then else end between like returning begin commit rollback
"""
_SQL_WORDS = frozenset(_SQL.split())


@dataclass(frozen=True, slots=True)
class Wanted:
    """A search; ``since`` as ISO 8601 in UTC, as the rows have it."""

    text: str = ""
    failed: bool = False
    connection: str | None = None
    since: str | None = None
    limit: int = 50


def search(conn: sqlite3.Connection, columns: str, wanted: Wanted) -> list[tuple[Any, ...]]:
    """Return the newest matching rows of ``history``, at most ``limit``."""
    words = wanted.text.replace("\0", " ").split()
    in_index = [word for word in words if _has_token(word)] if schema.is_indexed(conn) else []
    conditions, values = _conditions(conn, wanted, [word for word in words if word not in in_index])
    if in_index:
        # a cross join keeps the order of the tables: the index first, which yields rowids from the highest on
        source, order = (
            f"{schema.INDEX} cross join history on history.id = {schema.INDEX}.rowid",
            f"{schema.INDEX}.rowid",
        )
        conditions.insert(0, f"{schema.INDEX} match ?")
        values.insert(0, _expression(in_index, wanted))
    else:
        source, order = "history", "history.id"
    where = " and ".join(condition.replace("{id}", order) for condition in conditions) or "true"
    statement = f"select {columns} from {source} where {where} order by {order} desc limit ?"
    return conn.execute(statement, [*values, max(0, min(wanted.limit, 2**63 - 1))]).fetchall()


def _conditions(conn: sqlite3.Connection, wanted: Wanted, words: list[str]) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if wanted.since is not None:
        # rows are in the order in which statements ended, so those before the first of these need no look at all;
        # the plus keeps SQLite from walking up the ids to the first that fits (180 ms)
        first = conn.execute("select min(+id) from history where started_at >= ?", (wanted.since,)).fetchone()[0]
        conditions += ["{id} >= ?", "history.started_at >= ?"]
        values += [first if first is not None else 2**63 - 1, wanted.since]
    if wanted.failed:
        conditions.append("history.error is not null")
    if wanted.connection is not None:
        conditions.append("history.connection = ?")
        values.append(_encodable(wanted.connection))
    for word in words:
        conditions.append(r"(history.sql like ? escape '\' or history.error like ? escape '\')")
        values += [_pattern(word)] * 2
    return conditions, values


def _expression(words: list[str], wanted: Wanted) -> str:
    parts = ["{sql error} : (" + " AND ".join(map(_phrase, words)) + ")"]
    if wanted.failed:
        parts.append('outcome : "failed"')
    if wanted.connection is not None and _has_token(wanted.connection):
        parts.append("connection : " + _quoted(wanted.connection))
    return " AND ".join(parts)


def _phrase(word: str) -> str:
    whole = not _is_token(word[-1]) or word.lower() in _SQL_WORDS
    return _quoted(word) if whole else f"{_quoted(word)} *"


def _quoted(text: str) -> str:
    return '"' + _encodable(text).replace("\0", " ").replace('"', '""') + '"'


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def _pattern(word: str) -> str:
    return "%" + _encodable(word).replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


def _has_token(text: str) -> bool:
    return any(map(_is_token, text))


def _is_token(character: str) -> bool:
    # what unicode61 takes for a part of a word: https://sqlite.org/fts5.html#unicode61_tokenizer
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "Co"
