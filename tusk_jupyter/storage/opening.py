"""Opening ``tusk.db``: looked at, made where there is none, repaired where it is damaged, brought up to date.

A file that is good is opened with the lock file held shared. Anything else needs it alone, and a second look when it
is: of kernels that start at once one makes or repairs the file and the others open the same one.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.errors import StorageError
from tusk_jupyter.paths import ensure_dir
from tusk_jupyter.storage import failures, filesystem
from tusk_jupyter.storage.integrity import BUSY_S, Finding, examine
from tusk_jupyter.storage.migrations import migrate, newer

if TYPE_CHECKING:
    from pathlib import Path

Identity = tuple[int, int]
_NO_SHARED_MEMORY = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}


@dataclass(frozen=True, slots=True)
class Suspicion:
    """Why a file that was open is to be looked at in full; ``certain``: by what such a look does not find."""

    reason: str
    identity: Identity | None
    certain: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """An open file; ``notice`` is what the user has to be told, ``backup`` where a damaged one is now."""

    conn: sqlite3.Connection
    identity: Identity | None
    notice: str | None = None
    backup: Path | None = None


def open_file(
    path: Path,
    *,
    first: bool = False,
    suspicion: Suspicion | None = None,
    before: sqlite3.Connection | None = None,
) -> Opened:
    """Open the file.

    :param first: nobody else has it open: its log is looked at, too.
    :param before: a connection to the file as it was; its rows are kept if the file is gone.
    :raises MigrationError: when a newer version has written it.
    :raises StorageError: when it cannot be written.
    :raises sqlite3.Error: or ``OSError``, when it cannot be opened for another reason.
    """
    ensure_dir(path.parent)  # it may have been deleted under a running kernel
    if not filesystem.is_writable(path):
        raise StorageError(f"{str(path)!r} cannot be written", name=str(path))
    if suspicion is None:
        with filesystem.locked(path, shared=True):
            finding = examine(path, log=first)
            if finding.state == "good":
                return Opened(connect(path), filesystem.identity(path))
    with filesystem.locked(path, shared=False):
        return _made_good(path, _second_look(path, suspicion, first=first), before)


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection for writing to a file that is good."""
    conn = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=BUSY_S)
    try:
        _choose_journal(conn, network=filesystem.is_network(path))
        prepare(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def prepare(conn: sqlite3.Connection) -> None:
    """Set what holds for a connection that writes, and bring its database up to date."""
    conn.execute("pragma synchronous = normal")
    conn.execute("pragma foreign_keys = on")
    migrate(conn)


def _second_look(path: Path, suspicion: Suspicion | None, *, first: bool) -> Finding:
    if suspicion is not None and suspicion.certain and suspicion.identity == filesystem.identity(path):
        return Finding("damaged", suspicion.reason)
    return examine(path, full=suspicion is not None, log=first)


def _made_good(path: Path, finding: Finding, before: sqlite3.Connection | None) -> Opened:
    if finding.state == "newer":
        raise newer(finding.version)
    from tusk_jupyter.storage import repair  # 4 ms, for the start that needs it

    notice = backup = None
    if finding.state == "missing":
        repair.create(path, source=before)
        if before is not None:
            notice = f"{path.name} was deleted while it was in use: it is written again, with what it held"
    elif finding.state != "good":
        backup, notice = repair.repair(path, finding)
    return Opened(connect(path), filesystem.identity(path), notice, backup)


def _choose_journal(conn: sqlite3.Connection, *, network: bool) -> None:
    """Switch to WAL, to TRUNCATE where there is no shared memory; tried again, as SQLite's time-out is not for this."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            mode = conn.execute(f"pragma journal_mode = {'truncate' if network else 'wal'}").fetchone()[0]
            conn.execute("select count(*) from sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if not network and failures.code(error) & 0xFF in _NO_SHARED_MEMORY and not failures.is_no_room(error):
                network = True
            elif not failures.is_busy(error) or time.monotonic() >= until:
                raise
            else:
                time.sleep(0.01)
        else:
            if mode in {"wal", "truncate"} or network:
                return
            network = True
