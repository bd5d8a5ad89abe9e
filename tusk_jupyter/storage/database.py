"""``tusk.db``: SQLite shared by all kernels of a user, written by one thread of each.

WAL and ``busy_timeout`` let kernels write side by side (4,000 of 4,000 rows from eight writers); every write is a
``BEGIN IMMEDIATE``, because a read that becomes a write loses at once (759 of 2,000, measured), whatever the
time-out. What is damaged, gone or locked away is dealt with below this: there is always a database to write to, if
need be in memory, and ``take_notices()`` has what the user must know.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing, suppress
from typing import TYPE_CHECKING, TypeVar

from tusk_jupyter import interrupts
from tusk_jupyter.errors import StorageError, TuskError
from tusk_jupyter.paths import ensure_dir
from tusk_jupyter.storage import failures, integrity
from tusk_jupyter.storage.handle import Handle
from tusk_jupyter.storage.integrity import DatabaseHealth
from tusk_jupyter.storage.reading import Reader
from tusk_jupyter.storage.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

T = TypeVar("T")
CHECK_AFTER_S = 1.0
OPEN_S = 2.0
READ_S = 10.0
REPAIR_S = 60.0


class Database:
    """An open ``tusk.db``; ``None`` for a path, or one that cannot be used, is a database in memory."""

    def __init__(self, path: Path | None) -> None:
        if path is not None:
            with suppress(TuskError):  # opening the file meets the same, and says it better
                ensure_dir(path.parent)
        self.path = path
        self._handle = Handle(path)
        self._reader = Reader(path) if path is not None else None
        self._writer = Writer(self._handle)
        self._untold = True
        with suppress(TimeoutError):
            self._writer.opened.result(OPEN_S)
        self._closing = threading.Event()
        self._checking: sqlite3.Connection | None = None
        if not self.in_memory:
            self._check = interrupts.spawn("storage-check", self._check_later)

    @classmethod
    def memory(cls) -> Database:
        """Return a database that ends with the kernel."""
        return cls(None)

    @property
    def in_memory(self) -> bool:
        """Whether nothing is kept beyond this kernel."""
        return self._handle.in_memory

    def write(self, job: Callable[[sqlite3.Connection], T], *, soon: bool = True) -> Future[T]:
        """Run ``job(connection)`` in a transaction on the writer thread; return its future.

        The job may be run more than once: what a failed transaction did is taken back.

        :param soon: ``False`` lets it wait up to 50 ms for others, with which it shares a transaction, and for room
            on the disk where there is none.
        """
        return self._writer.write(job, soon=soon)

    def read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``job(connection)`` here and now, on the last commit; it may not write.

        :raises StorageError: when that fails.
        """
        self._wait_until_open()
        for attempt in (1, 2):
            if self.in_memory or self._reader is None:
                return self.write(job).result()
            try:
                return self._reader.run(job)
            except (sqlite3.Error, OSError) as error:
                failure = error
            if attempt == 2 or not self._made_good(failure):  # noqa: PLR2004 - the second
                break
        raise failures.problem(failure, doing="reading tusk.db", path=self.path)

    def flush(self, timeout_s: float = 1.0) -> None:
        """Wait until what is queued has been written, so that ``read`` sees it; not for longer than ``timeout_s``."""
        with suppress(TimeoutError, TuskError):
            self.write(lambda _conn: None).result(timeout_s)

    def adopt(self, other: Database) -> None:
        """Take over what another one has kept in memory alone, before it is closed."""
        if not other.in_memory:
            return
        from tusk_jupyter.storage import salvage

        with suppress(TimeoutError, TuskError):
            found = other.write(lambda conn: salvage.contents(conn, other.copied)).result(OPEN_S)
            if any(found.values()):
                self.write(lambda conn: salvage.merge(conn, found)).result(OPEN_S)

    @property
    def waiting(self) -> int:
        """How many rows of history wait in memory for room on the disk."""
        return self._writer.waiting

    @property
    def copied(self) -> dict[str, int]:
        """The last row of each table that was copied from a file which cannot be used."""
        return self._handle.copied

    def tell(self, notice: str) -> None:
        """Add a line that the user must be told, unless it waits already."""
        if notice not in self._handle.notices:
            self._handle.notices.append(notice)

    def take_notices(self) -> list[str]:
        """Return, once each, the lines that the user must be told."""
        notices, taken = self._handle.notices, []
        if self._untold and not self._writer.opened.done():
            self._untold = False
            taken.append("tusk.db is damaged and being repaired; what was kept is told when that is done")
        while notices:
            taken.append(notices.popleft())
        return taken

    def health(self) -> DatabaseHealth:
        """Check the whole file, have it repaired where it is damaged, and return what was found."""
        self._wait_until_open()
        if self.in_memory or self.path is None:
            return DatabaseHealth(True, (), self._backup(), True)
        try:
            with closing(integrity.connect_readonly(self.path)) as conn:
                errors = integrity.check(conn, "integrity_check")
        except sqlite3.Error as error:
            errors = (str(error),)
        if errors:
            with suppress(TimeoutError, TuskError):
                self._writer.suspect(errors[0]).result(REPAIR_S)
        return DatabaseHealth(not errors, errors, self._backup(), self.in_memory)

    check_database_health = health

    def close(self) -> None:
        """Write what is queued and close the file; closing twice is fine."""
        self._closing.set()
        if (checking := self._checking) is not None:
            with suppress(sqlite3.Error):
                checking.interrupt()
        if self._reader is not None:
            self._reader.close()
        self._writer.close()

    def _wait_until_open(self) -> None:
        """:raises StorageError: when a repair takes long."""
        with suppress(TimeoutError):
            self._writer.opened.result(READ_S)
            return
        raise StorageError(
            "tusk.db is being repaired", name=str(self.path), advice="Cells run meanwhile; do it again in a minute."
        )

    def _backup(self) -> str | None:
        backup = self._handle.backup
        return str(backup) if backup is not None else None

    def _made_good(self, error: Exception) -> bool:
        """Have the file repaired, or opened anew; return whether reading may be tried again."""
        if self._reader is not None:
            self._reader.close()
        corrupt = failures.is_corruption(error)
        if not corrupt and not isinstance(error, FileNotFoundError):
            return False
        asked = self._writer.suspect(str(error) if corrupt else "", failures.code(error))
        try:
            asked.result(REPAIR_S)
        except (TimeoutError, TuskError):
            return False
        return True

    def _check_later(self) -> None:
        """Read every page once, after the start: damage further in stops nothing until a statement meets it."""
        if self._closing.wait(CHECK_AFTER_S) or self.path is None:
            return
        try:
            with closing(integrity.connect_readonly(self.path)) as conn:
                self._checking = conn
                errors = () if self._closing.is_set() else integrity.check(conn, "quick_check", limit=1)
        except sqlite3.Error as error:  # closed meanwhile, or something that the next statement meets, too
            errors = (str(error),) if failures.is_corruption(error) else ()
        finally:
            self._checking = None
        if errors and not self._closing.is_set():
            self._writer.suspect(errors[0])
