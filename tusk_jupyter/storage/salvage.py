"""Copying the rows of the known tables out of a database that may be damaged, as many as can be read.

Rows are read in the order of their rowids until one cannot be; the next one that can is found by doubling steps and
bisection, so that a bad page costs its rows and a hundred reads (19,978 of 20,001 kept, measured). Read row by row
here rather than by ``INSERT … SELECT``: that would take back everything it has read when it meets the bad page.
Rows that break a rule of the new file are left behind.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.storage import failures
from tusk_jupyter.storage.migrations import added_columns, required_tables, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

LAST_ROWID = 2**63 - 1
BATCH = 500
_VIRTUAL = "create virtual"


@dataclass(frozen=True, slots=True)
class Table:
    """A table of ours, with what is declared of its columns, by which a row without a name is recognised."""

    name: str
    columns: tuple[str, ...]
    types: tuple[str, ...]
    required: tuple[bool, ...]
    rowid_column: int | None
    added: int

    @property
    def insert(self) -> str:
        """The statement that adds a row unless it breaks a rule, such as being there already."""
        marks = ", ".join("?" for _ in self.columns)
        return f"insert or ignore into {quoted(self.name)} ({self.names}) values ({marks})"

    @property
    def names(self) -> str:
        """Its columns, as SQL has them."""
        return ", ".join(quoted(column) for column in self.columns)


@dataclass(slots=True)
class Tally:
    """How many rows of which table were kept, and how many at most were not; ``whole``: every page could be read."""

    kept: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    whole: bool = True


def quoted(name: str) -> str:
    """Return a name as SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def tables(conn: sqlite3.Connection) -> list[Table]:
    """Return the tables whose rows are the user's: not the record of migrations, nor what full text search keeps."""
    made = conn.execute("select name, sql from sqlite_master where type = 'table' and name not like 'sqlite_%'")
    known = {name: sql.lower() for name, sql in made}
    search = [name for name, sql in known.items() if sql.startswith(_VIRTUAL)]
    own = (n for n in known if n != "migrations" and not any(n == s or n.startswith(f"{s}_") for s in search))
    return [_table(conn, name) for name in own]


def _table(conn: sqlite3.Connection, name: str) -> Table:
    columns = conn.execute(f"pragma table_info({quoted(name)})").fetchall()
    keys = [number for number, column in enumerate(columns) if column[5] and column[2].lower() == "integer"]
    return Table(
        name,
        columns=tuple(column[1] for column in columns),
        types=tuple(column[2].lower() for column in columns),
        required=tuple(bool(column[3]) for column in columns),
        rowid_column=keys[0] if len(keys) == 1 else None,
        added=added_columns(name),
    )


def copy(source: sqlite3.Connection, target: sqlite3.Connection, tally: Tally, *, newest: int | None = None) -> None:
    """Copy the rows of all known tables and count them; the caller commits.

    :param newest: of each table only so many, those with the highest rowids.
    """
    source.text_factory = lambda raw: raw.decode("utf-8", "replace")
    for table in tables(target):
        try:
            _copy_table(source, target, table, tally, newest)
        except sqlite3.DatabaseError as error:
            _tolerate(error)
            tally.whole = False


def keep(target: sqlite3.Connection, table: Table, rows: Iterable[Sequence[Any]], columns: tuple[str, ...]) -> int:
    """Insert rows, leaving behind those that break a rule; return how many went in."""
    chosen, pending = replace(table, columns=columns), list(rows)
    target.execute("savepoint salvage")
    try:
        kept = target.executemany(chosen.insert, pending).rowcount if pending else 0
    except (sqlite3.Error, ValueError, OverflowError) as error:
        _tolerate(error)
        target.execute("rollback to salvage")
        kept = sum(_keep_one(target, chosen, row) for row in pending)
    target.execute("release salvage")
    return kept


def _keep_one(target: sqlite3.Connection, table: Table, row: Sequence[Any]) -> int:
    try:
        return max(target.execute(table.insert, row).rowcount, 0)
    except (sqlite3.Error, ValueError, OverflowError) as error:
        _tolerate(error)
        return 0


def _copy_table(
    source: sqlite3.Connection, target: sqlite3.Connection, table: Table, tally: Tally, newest: int | None
) -> None:
    there = {column[1] for column in source.execute(f"pragma table_info({quoted(table.name)})")}
    columns = tuple(column for column in table.columns if column in there)  # an older file has fewer
    if not columns:
        tally.whole = tally.whole and _is_younger(source, table)
        return
    start = -LAST_ROWID if newest is None else _nth_last(source, table, newest)
    for batch, gap in _readable(source, table, columns, start):
        kept = keep(target, table, (row[1:] for row in batch), columns)
        tally.kept[table.name] = tally.kept.get(table.name, 0) + kept
        if gap is not None:
            tally.whole = False
            tally.lost[table.name] = tally.lost.get(table.name, 0) + gap


def _is_younger(source: sqlite3.Connection, table: Table) -> bool:
    """Return whether a file of this version has no such table; otherwise it is its schema that is damaged."""
    has_schema = source.execute("select 1 from sqlite_master").fetchone() is not None
    return has_schema and table.name not in required_tables(version_of(source))


def _nth_last(source: sqlite3.Connection, table: Table, count: int) -> int:
    statement = f"select rowid from {quoted(table.name)} order by rowid desc limit 1 offset ?"
    found = source.execute(statement, (count - 1,)).fetchone()
    return int(found[0]) if found else -LAST_ROWID


def _readable(
    source: sqlite3.Connection, table: Table, columns: tuple[str, ...], start: int
) -> Iterator[tuple[list[tuple[Any, ...]], int | None]]:
    """Yield batches of rows; with one, how many rowids in a row could not be read there (0: nobody knows)."""
    names = ", ".join(quoted(column) for column in columns)
    select = f"select rowid, {names} from {quoted(table.name)} where rowid >= ? order by rowid"
    position: int | None = start
    while position is not None and position <= LAST_ROWID:
        rows, failed = source.execute(select, (position,)), False
        while not failed:
            batch, failed = _fetch(rows)
            if batch:
                position = max(position, batch[-1][0] + 1)
                yield batch, None
            elif not failed:
                return
        bad = max(position, 1)
        position = _next_readable(source, select, bad)
        yield [], position - bad if position is not None else 0


def _fetch(rows: sqlite3.Cursor) -> tuple[list[tuple[Any, ...]], bool]:
    """Return up to a batch of rows, and whether the next one could not be read."""
    batch: list[tuple[Any, ...]] = []  # not list(islice(…)): what was read before the error is kept
    try:
        for row in rows:
            batch.append(row)
            if len(batch) >= BATCH:
                break
    except sqlite3.DatabaseError as error:
        _tolerate(error)
        return batch, True
    return batch, False


def _next_readable(source: sqlite3.Connection, select: str, position: int) -> int | None:
    """Return the lowest rowid from ``position`` on at which reading goes on, ``None`` when there is no such."""

    def works(rowid: int) -> bool:
        try:
            return source.execute(f"{select} limit 1", (rowid,)).fetchone() is not None
        except sqlite3.DatabaseError as error:
            _tolerate(error)
            return False

    step, bad = 1, position
    while not works(position + step):
        bad, step = position + step, step * 2
        if position + step > LAST_ROWID:
            return None
    low, high = bad, position + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


def contents(conn: sqlite3.Connection, after: dict[str, int]) -> dict[str, list[tuple[Any, ...]]]:
    """Return the rows of each table; of those that are numbered as they come only the ones after a number."""
    found = {}
    for table in tables(conn):
        floor = after.get(table.name, 0) if table.rowid_column is not None else -LAST_ROWID
        select = f"select {table.names} from {quoted(table.name)} where rowid > ? order by rowid"
        found[table.name] = conn.execute(select, (floor,)).fetchall()
    return found


def merge(conn: sqlite3.Connection, rows: dict[str, list[tuple[Any, ...]]]) -> None:
    """Add rows of another database to those that are there; the ones that are numbered get new numbers."""
    conn.execute("pragma defer_foreign_keys = on")  # a connection may come before its group
    for table in tables(conn):
        for row in rows[table.name]:
            values = [None if number == table.rowid_column else value for number, value in enumerate(row)]
            conn.execute(table.insert, values)
    unlink_orphans(conn)


def last_rowids(conn: sqlite3.Connection) -> dict[str, int]:
    """Return the number of the last row of each table."""
    return {t.name: conn.execute(f"select max(rowid) from {quoted(t.name)}").fetchone()[0] or 0 for t in tables(conn)}


def unlink_orphans(conn: sqlite3.Connection) -> None:
    """Set references to rows that were not kept to null, as deleting those rows would have."""
    for table, rowid, _parent, number in conn.execute("pragma foreign_key_check").fetchall():
        keys = {key[0]: key[3] for key in conn.execute(f"pragma foreign_key_list({quoted(table)})")}
        conn.execute(f"update {quoted(table)} set {quoted(keys[number])} = null where rowid = ?", (rowid,))


def _tolerate(error: BaseException) -> None:
    """Let go on what is wrong with the rows; what is wrong with the disk ends the repair."""
    if failures.is_no_room(error) or failures.is_busy(error):
        raise error
