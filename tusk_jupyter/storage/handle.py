"""The writer's hold on ``tusk.db``: a connection, the check that it is still the file of that name, and what follows.

Before each transaction one ``stat`` tells whether another kernel has replaced the file, or somebody deleted it: a
kernel would go on writing to the one that was moved away, silently. What meets damage has the file repaired and is
done again; where no file can be used, all of it goes on in memory, with what could be read. Only the writer thread
calls this; the others read its flags.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import deque
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import MigrationError, TuskError
from tusk_jupyter.storage import failures, filesystem
from tusk_jupyter.storage.opening import Suspicion, open_file, prepare
from tusk_jupyter.storage.schema import index_history, rebuild_index
from tusk_jupyter.storage.transaction import transaction

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tusk_jupyter.storage.opening import Identity

log = logging.getLogger("tusk_jupyter.storage")
NEWEST = 10_000
ATTEMPTS = 4
_FAILURES = (sqlite3.Error, OSError, TuskError)


class Handle:
    """An open ``tusk.db``, or the database in memory that stands in for it."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.identity: Identity | None = None
        self.backup: Path | None = None
        self.notices: deque[str] = deque()
        self.in_memory = path is None
        self._conn: sqlite3.Connection | None = None
        self._presence: filesystem.Presence | None = None
        self._indexed = True
        self.copied: dict[str, int] = {}

    def open(self) -> None:
        """Open the file, however long its repair takes."""
        if self.path is None:
            self._conn = _memory()
        else:
            self._open_first(self.path)

    def transaction(self, jobs: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
        """Run functions in one ``BEGIN IMMEDIATE`` and return what they return; a busy file is tried again.

        :raises BaseException: whatever they raise; nothing is changed then.
        """
        repaired = False
        for attempt in range(ATTEMPTS):
            last = attempt == ATTEMPTS - 1
            try:
                with self._shared():
                    if self._is_current():
                        return _within(self._connection(), jobs)
                self._reopen()
            except (FileNotFoundError, NotADirectoryError, PermissionError):  # the directory is gone, or shut
                self._reopen()
            except sqlite3.DatabaseError as error:
                if failures.is_corruption(error) and not repaired and not self.in_memory and not last:
                    repaired = True
                    self.suspect(str(error), failures.code(error))
                elif not failures.is_busy(error) or last:
                    raise
        raise TimeoutError("tusk.db is replaced all the time")

    def suspect(self, reason: str, code: int = 0) -> None:
        """Read the whole file, and repair it when it is damaged; by SQLite's result code it may be the index alone."""
        if self.in_memory:
            return
        log.warning("%s may be damaged: %s", self.path, reason)
        if code == sqlite3.SQLITE_CORRUPT_VTAB:
            with self._shared():
                _within(self._connection(), [rebuild_index])
        else:
            self._reopen(Suspicion(reason, self.identity, failures.is_certain(code)))

    def index(self) -> None:
        """Have the full text of the history indexed, after a repair or the first time: seconds for a large one."""
        if self._indexed or self.in_memory:
            return
        self._indexed = True
        try:
            with self._shared():
                if self._is_current():
                    index_history(self._connection())
        except (sqlite3.Error, OSError) as error:  # searching goes on without, and the next kernel tries again
            log.warning("the history in %s could not be indexed: %s", self.path, error)

    def refresh(self) -> None:
        """Open the file that has the name now."""
        if not self._is_current():
            self._reopen()

    def close(self) -> None:
        """Close the connection; closing twice is fine."""
        if self._conn is not None:
            with suppress(sqlite3.Error):
                self._conn.close()
            self._conn = None
        if self._presence is not None:
            self._presence.close()
            self._presence = None

    def _connection(self) -> sqlite3.Connection:
        if self._conn is None:
            self._conn = _memory()
        return self._conn

    def _shared(self) -> AbstractContextManager[None]:
        if self.in_memory or self.path is None:
            return nullcontext()
        return filesystem.locked(self.path, shared=True)

    def _is_current(self) -> bool:
        if self.in_memory or self.path is None:
            return True
        return self.identity is not None and filesystem.identity(self.path) == self.identity

    def _open_first(self, path: Path) -> None:
        with suppress(OSError, ValueError):  # opening the file meets the same
            self._presence = filesystem.Presence(path)
        self._open(path, first=self._presence is not None and self._presence.alone)
        if self._presence is not None:
            self._presence.settle()

    def _open(
        self,
        path: Path,
        *,
        first: bool = False,
        suspicion: Suspicion | None = None,
        before: sqlite3.Connection | None = None,
    ) -> None:
        try:
            opened = open_file(path, first=first, suspicion=suspicion, before=before)
        except _FAILURES as error:
            failure = error
        else:
            self._conn, self.identity = opened.conn, opened.identity
            self.backup = opened.backup or self.backup
            self._indexed = False
            if opened.notice:
                log.warning("%s", opened.notice)
                self.notices.append(opened.notice)
            return
        self._go_on_in_memory(path, failure, before)

    def _reopen(self, suspicion: Suspicion | None = None) -> None:
        """Open the file anew; the old connection is closed last: SQLite writes no log back into a file that moved."""
        before, self._conn = self._conn, None
        if self.path is not None:
            self._open(self.path, suspicion=suspicion, before=before)
        if before is not None:
            with suppress(sqlite3.Error):
                before.close()

    def _go_on_in_memory(self, path: Path, error: BaseException, before: sqlite3.Connection | None) -> None:
        from tusk_jupyter.storage import salvage
        from tusk_jupyter.storage.rescue import readable_copy

        self.in_memory, self.identity = True, None
        self._conn = _memory()
        found = failures.problem(error, doing="opening tusk.db", path=path)
        log.warning("%s", found)
        told = f"{found.message}; what this kernel saves is kept in memory and ends with it"
        if isinstance(error, MigrationError):
            told += "; the file is unchanged"
        if readable_copy(path, self._conn, before, newest=NEWEST):
            told += "; what could be read of the file is there"
            self.copied = salvage.last_rowids(self._conn)
        self.notices.append(told)


def _memory() -> sqlite3.Connection:
    conn = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    prepare(conn)
    index_history(conn)
    return conn


def _within(conn: sqlite3.Connection, jobs: Sequence[Callable[[sqlite3.Connection], Any]]) -> list[Any]:
    with transaction(conn):
        return [job(conn) for job in jobs]
