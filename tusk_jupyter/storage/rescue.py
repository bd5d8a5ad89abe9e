"""What can be read of a file that cannot be used, copied into the database in memory that stands in for it.

In a directory that cannot be written SQLite cannot read a WAL database at all, unless it is told that nobody writes
it (``immutable``), and then it leaves out the log. A log that holds something is therefore read from a copy of both
files elsewhere, up to a size that costs a start 50 ms.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from tusk_jupyter.storage import salvage, wal
from tusk_jupyter.storage.integrity import connect_readonly

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger("tusk_jupyter.storage")
COPY_LIMIT = 64 * 2**20


def readable_copy(path: Path, conn: sqlite3.Connection, before: sqlite3.Connection | None, *, newest: int) -> bool:
    """Copy what can be read of the file at ``path``, of each table the newest rows; return whether there was any.

    :param before: a connection to the file from when it could be used.
    """
    if before is not None and _copied(before, conn, newest):
        return True
    ways: tuple[Callable[[Path, Path], sqlite3.Connection | None], ...] = (_beside_others, _from_a_copy, _as_it_lies)
    try:
        if not path.exists() or not path.stat().st_size:
            return False
        with tempfile.TemporaryDirectory(prefix="tusk-") as directory:
            return any(_read(way, path, Path(directory), conn, newest) for way in ways)
    except OSError as error:
        log.warning("nothing could be read of %s: %s", path, error)
        return False


def _beside_others(path: Path, _directory: Path) -> sqlite3.Connection:
    return connect_readonly(path)


def _from_a_copy(path: Path, directory: Path) -> sqlite3.Connection | None:
    log_file = wal.beside(path)
    if not log_file.exists() or not 0 < log_file.stat().st_size <= COPY_LIMIT - path.stat().st_size:
        return None
    for file in (path, log_file):
        shutil.copyfile(file, directory / file.name)
    return sqlite3.connect(directory / path.name, isolation_level=None)


def _as_it_lies(path: Path, _directory: Path) -> sqlite3.Connection:
    return connect_readonly(path, immutable=True)


def _read(
    way: Callable[[Path, Path], sqlite3.Connection | None],
    path: Path,
    directory: Path,
    conn: sqlite3.Connection,
    newest: int,
) -> bool:
    try:
        source = way(path, directory)
        if source is None:
            return False
        with closing(source):
            return _copied(source, conn, newest)
    except (sqlite3.Error, OSError) as error:
        log.info("%s cannot be read%s: %s", path, way.__name__.replace("_", " "), error)
        return False


def _copied(source: sqlite3.Connection, conn: sqlite3.Connection, newest: int) -> bool:
    tally = salvage.Tally()
    conn.execute("pragma foreign_keys = off")  # a connection may come before its group
    conn.execute("begin")
    try:
        salvage.copy(source, conn, tally, newest=newest)
    except sqlite3.Error as error:
        log.info("not all of it could be read: %s", error)
    salvage.unlink_orphans(conn)
    conn.execute("commit")
    conn.execute("pragma foreign_keys = on")
    return any(tally.kept.values())
