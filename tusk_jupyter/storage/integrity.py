"""Whether ``tusk.db`` is what it should be: a look at its head at each start, the whole of it in the background.

The look takes 0.2 ms: size, application, version, tables. It finds a file that is empty (SQLite takes it for a new
database), cut short, another application's, or no database. Damage further in lets statements run until one meets it:
only ``quick_check`` sees it (0.3 s for a million rows), so that runs after the start, never during it. All of it reads
through connections that are opened read-only: they do not write, not even a checkpoint when they are closed, and a
file that a newer version has written has to stay as it is.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tusk_jupyter.storage import failures, migrations
from tusk_jupyter.storage.migrations import APPLICATION_ID, MIGRATIONS

if TYPE_CHECKING:
    from pathlib import Path

BUSY_S = 5.0
_OURS = {"history", "migrations"}  # since the first version
ERROR_LIMIT = 20


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """The state of the file; ``backup_path`` is where a damaged one was moved to by this kernel."""

    healthy: bool
    errors: tuple[str, ...]
    backup_path: str | None
    in_memory: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """What a look at the file has shown; ``reason`` says what is wrong with it."""

    state: Literal["good", "missing", "empty", "damaged", "alien", "newer"]
    reason: str = ""
    version: int = 0


def connect_readonly(path: Path, *, immutable: bool = False) -> sqlite3.Connection:
    """Return a connection that reads and writes nothing.

    :param immutable: for a file whose directory cannot be written: without WAL, and nobody may write it meanwhile.
    """
    uri = f"{path.absolute().as_uri()}?{'immutable=1' if immutable else 'mode=ro'}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=BUSY_S)


def examine(path: Path, *, full: bool = False, log: bool = False) -> Finding:
    """Look at the file; ``full`` reads every page of it, ``log`` its write-ahead log: for the first that opens it.

    :raises sqlite3.Error: when it cannot be read at all: permissions, locks, the disk.
    """
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return Finding("missing")
    if size == 0:  # SQLite would delete its WAL
        return Finding("empty", "it was empty")
    if log and _log_is_damaged(path):  # before SQLite has made its own of it
        return Finding("damaged", "its write-ahead log was overwritten")
    try:
        with closing(connect_readonly(path)) as conn:
            finding = _look(conn)
            if full and finding.state == "good" and (errors := check(conn, "quick_check", limit=1)):
                return Finding("damaged", errors[0])
            return finding
    except sqlite3.DatabaseError as error:
        if failures.is_corruption(error) or failures.code(error) == sqlite3.SQLITE_ERROR:
            return Finding("damaged", str(error))
        raise


def _log_is_damaged(path: Path) -> bool:
    if not path.with_name(f"{path.name}-wal").exists():  # the last kernel has closed it, as most do
        return False
    from tusk_jupyter.storage import wal

    return wal.is_damaged(path)


def check(conn: sqlite3.Connection, pragma: str, *, limit: int = ERROR_LIMIT) -> tuple[str, ...]:
    """Run ``quick_check`` or ``integrity_check`` and return what it complains of."""
    try:
        lines = [str(line) for (line,) in conn.execute(f"pragma {pragma}({limit})")]
    except sqlite3.DatabaseError as error:
        if not failures.is_corruption(error):
            raise
        return (str(error),)
    if lines == ["ok"]:
        return ()
    return tuple(part for line in lines for part in line.splitlines() if not part.startswith("***"))[:limit] or (
        "the check failed",
    )


def _look(conn: sqlite3.Connection) -> Finding:
    application, version = migrations.application_id(conn), migrations.version_of(conn)
    if application == APPLICATION_ID and version > len(MIGRATIONS):
        return Finding("newer", version=version)
    tables = {name for (name,) in conn.execute("select name from sqlite_master where type = 'table'")}
    if not tables:
        return Finding("empty", "it had no tables")
    if application != APPLICATION_ID:
        if tables >= _OURS:
            return Finding("damaged", "its application id was overwritten")
        return Finding("alien", "it was another application's database")
    if missing := migrations.required_tables(version) - tables:
        return Finding("damaged", f"table {min(missing)} was missing")
    if conn.execute("select 1 from migrations where version = ?", (version,)).fetchone() is None:
        return Finding("damaged", f"its version {version} was never recorded")
    return Finding("good", version=version)
