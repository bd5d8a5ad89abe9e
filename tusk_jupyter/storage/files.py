"""What Tusk keeps on disk: the data directory with log, ``tusk.db`` and markers of open transactions, opened as one.

What cannot be opened is a problem that is told, not a reason to stop: everything that needs no file works without,
and there is always a database, if need be in memory.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tusk_jupyter import log, paths
from tusk_jupyter.errors import TuskError
from tusk_jupyter.storage.departed import OpenTransactions

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from tusk_jupyter.storage.database import Database

logger = logging.getLogger("tusk_jupyter.storage")


class Files:
    """The files of one kernel; ``open()`` again moves to another directory."""

    def __init__(self) -> None:
        self.directory: Path | None = None
        self._database: Database | None = None
        self.problems: list[TuskError] = []
        self._transactions: OpenTransactions | None = None

    @property
    def database(self) -> Database:
        """The SQLite file, or the database in memory that stands in for it; the last one after ``close()``."""
        if self._database is None:
            from tusk_jupyter.storage.database import Database

            self._database = Database.memory()
        return self._database

    def open(self, directory: Path) -> list[TuskError]:
        """(Re)open log, storage and markers in ``directory``; return what failed.

        What was kept in memory alone, because the directory before could not be used, goes along.
        """
        before = self._database
        if before is not None and before.in_memory:
            self._database = None
        self.close()
        self.directory, self.problems = directory, []
        try:
            paths.ensure_dir(directory)
        except TuskError as error:
            self.problems.append(error)
            log.start(None)
            logger.warning("%s", error)
            self._open_database(directory, before)  # what is there may be read all the same
            self.notices()  # the problem says it
            return self.problems
        if problem := log.start(directory / "logs"):
            self.problems.append(problem)
        self._open_database(directory, before)
        self._transactions = OpenTransactions(directory / "transactions")
        return self.problems

    def _open_database(self, directory: Path, before: Database | None) -> None:
        from tusk_jupyter.storage.database import Database

        self._database = Database(directory / "tusk.db")
        if before is not None:
            self._database.adopt(before)
            before.close()

    def mark(self, connection_id: str, connection: str, *, since: str | None, statements: int) -> None:
        """Keep the marker of a connection's open transaction in step with it."""
        if self._transactions is not None:
            self._transactions.note(connection_id, connection, since=since, statements=statements)

    def notices(self) -> list[str]:
        """Return, once each, what the user has to be told of storage: damage, repair, no room, in memory only."""
        return self._database.take_notices() if self._database is not None else []

    def departed(self) -> list[str]:
        """Return one line for each transaction that a kernel took with it when it died; each is told once."""
        left = self._transactions.departed() if self._transactions is not None else []
        return [
            f"an earlier kernel ended with an open transaction on {t.connection} "
            f"({t.statements} statement{'' if t.statements == 1 else 's'}, since {t.since}): "
            "the server has rolled it back"
            for t in left
        ]

    def close(self, *, left: Collection[str] = ()) -> None:
        """Write what is queued and close everything; closing twice is fine.

        :param left: ids of the connections whose open transactions are still to be announced.
        """
        if self._transactions is not None:
            self._transactions.clear_but(left)
            self._transactions = None
        if self._database is not None:
            self._database.close()
        log.stop()
