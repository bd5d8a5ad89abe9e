"""A damaged ``tusk.db`` is replaced by a new one with the rows of the old, which stays beside it.

In an order in which a kill at any point loses nothing: the new file is made and filled beside the old one, the old
one gets its second name, its log is moved along, then the new one takes the first name at once. A kernel that dies in
between leaves the damaged file where it was, and the next one begins again. Everything happens while the lock file
is held alone. Where it cannot be done, nothing has been moved, and the caller works in memory.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tusk_jupyter.storage import failures, salvage, wal
from tusk_jupyter.storage.filesystem import is_network
from tusk_jupyter.storage.integrity import connect_readonly
from tusk_jupyter.storage.migrations import migrate
from tusk_jupyter.storage.schema import index_history

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tusk_jupyter.storage.integrity import Finding
    from tusk_jupyter.storage.salvage import Tally

SIDES = ("-wal", "-shm")
_NAMES = {"history": "statement of history", "connection_groups": "group", "snippets": "snippet"}
BATCH = 500


def create(path: Path, *, source: sqlite3.Connection | None = None) -> None:
    """Make the file, complete before it has its name; what a file that was deleted left beside it is moved away.

    :param source: a connection to the file that was here, whose rows are kept.
    """
    with _fresh(path) as (fresh, conn):
        if source is not None:
            salvage.copy(source, conn, salvage.Tally())
        else:
            _index(conn)
    _move_sides(path, _backup_of(path))
    fresh.replace(path)


def repair(path: Path, finding: Finding) -> tuple[Path, str]:
    """Replace the file, with its rows unless it never was ours; return where it is now, and what to tell the user."""
    backup, tally = _backup_of(path), None
    with _fresh(path) as (fresh, conn):
        if finding.state != "alien":
            tally = rescue(path, conn)
    _second_name(path, backup)
    _move_sides(path, backup)
    fresh.replace(path)
    return backup, f"{path.name} was damaged ({finding.reason}) and is replaced: {_told(tally)}; it is {backup} now"


def rescue(path: Path, conn: sqlite3.Connection) -> Tally:
    """Copy what can be read of a file into ``conn``, from its pages where SQLite cannot."""
    tally = salvage.Tally()
    if wal.is_damaged(path):  # what is behind the damage is newer than what SQLite still sees
        tally.whole = False
        _from_pages(path, conn, tally)
    try:
        if path.stat().st_size:
            with closing(connect_readonly(path)) as source:
                salvage.copy(source, conn, tally)
        else:
            tally.whole = False
    except sqlite3.DatabaseError as error:
        if failures.is_no_room(error):
            raise
        tally.whole = False
    if not tally.whole:
        _from_pages(path, conn, tally)
    return tally


def _from_pages(path: Path, conn: sqlite3.Connection, tally: Tally) -> None:
    from tusk_jupyter.storage import pages  # for those whose file is damaged

    tables = salvage.tables(conn)
    found: dict[str, list[list[object]]] = {table.name: [] for table in tables}

    def keep(most: int) -> None:
        for table in tables:
            if len(found[table.name]) > most:
                kept = salvage.keep(conn, table, found[table.name], table.columns)
                tally.kept[table.name] = tally.kept.get(table.name, 0) + kept
                tally.lost[table.name] = max(0, tally.lost.get(table.name, 0) - kept)
                found[table.name] = []

    for rowid, values in pages.leaf_rows(path):
        if pages.is_schema(values):
            continue
        for table in tables:
            if (row := pages.fits(table, rowid, values)) is not None:
                found[table.name].append(row)
                break
        keep(BATCH)
    keep(0)


def _index(conn: sqlite3.Connection) -> None:
    """Index the history while there is none; where there is, the writer does it when the file is in use again."""
    conn.execute("commit")
    index_history(conn)
    conn.execute("begin immediate")


@contextmanager
def _fresh(path: Path) -> Iterator[tuple[Path, sqlite3.Connection]]:
    """Make a database beside ``path``; the block fills it; one sync, not thirty."""
    for left in path.parent.glob(f"{path.name}.new-*"):  # of a kernel that was killed: the lock is ours alone
        left.unlink()
    fresh = path.with_name(f"{path.name}.new-{os.getpid()}")
    fd = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with closing(sqlite3.connect(fresh, isolation_level=None)) as conn:
            conn.execute("pragma journal_mode = memory")
            conn.execute("pragma synchronous = off")
            migrate(conn)
            conn.execute("begin immediate")
            yield fresh, conn
            salvage.unlink_orphans(conn)
            conn.execute("commit")
            conn.execute(f"pragma journal_mode = {'truncate' if is_network(path) else 'wal'}")
        os.fsync(fd)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)


def _backup_of(path: Path) -> Path:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    backup = path.with_name(f"{path.name}.corrupt-{now}-{os.getpid()}")
    number = 1
    while backup.exists():  # twice within a second
        number += 1
        backup = path.with_name(f"{path.name}.corrupt-{now}-{os.getpid()}-{number}")
    return backup


def _second_name(path: Path, backup: Path) -> None:
    try:
        os.link(path, backup)
    except OSError:  # a file system without links
        path.rename(backup)


def _move_sides(path: Path, backup: Path) -> None:
    for side in SIDES:
        beside = path.with_name(path.name + side)
        if beside.exists():
            beside.rename(backup.with_name(backup.name + side))


def _told(tally: Tally | None) -> str:
    if tally is None:
        return "nothing of it is ours"
    kept = ", ".join(_counted(count, name) for name, count in tally.kept.items() if count) or "no rows"
    lost = ", ".join(_counted(count, name) for name, count in tally.lost.items() if count)
    rest = f"up to {lost} lost" if lost else "the rest could not be read"
    return f"{kept} kept, {'nothing lost' if tally.whole else rest}"


def _counted(count: int, table: str) -> str:
    name = _NAMES.get(table, table.removesuffix("s"))
    plural = name.replace("statement", "statements") if "statement" in name else f"{name}s"
    return f"{count:,} {name if count == 1 else plural}"
