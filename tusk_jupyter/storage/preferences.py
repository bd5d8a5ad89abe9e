"""The rows of ``preferences``: a name, its value as JSON, when it was written.

Rows only: what a name means and whether a value is still allowed is the registry's. A row that is no JSON is left
out and logged: written by something else, it must not cost the others.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable
    from concurrent.futures import Future

    from tusk_jupyter.storage.database import Database

logger = logging.getLogger("tusk_jupyter.storage")


class Preferences:
    """Reads and writes the rows of whatever database is open now."""

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database

    def all(self) -> dict[str, Any]:
        """Return every name with its value, in one SELECT; :raises TuskError: where it cannot be read."""
        rows = self._database().read(lambda conn: conn.execute("select key, value from preferences").fetchall())
        found = {}
        for key, text in rows:
            try:
                found[key] = json.loads(text)
            except (TypeError, ValueError, RecursionError):
                logger.warning("the saved preference %r is ignored: its value is no JSON", key)
        return found

    def get(self, key: str) -> Any | None:
        """Return one value, ``None`` where there is none; :raises TuskError: where it cannot be read."""
        return self.all().get(key)

    def set(self, key: str, value: Any) -> Future[None]:
        """Write a row on the writer thread; the future is done when it is on disk."""
        row = (key, json.dumps(value), datetime.now(UTC).isoformat())

        def upsert(conn: sqlite3.Connection) -> None:
            conn.execute(
                "insert into preferences (key, value, updated_at) values (?, ?, ?) "
                "on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at",
                row,
            )

        return self._database().write(upsert)

    def unset(self, key: str) -> Future[None]:
        """Delete a row on the writer thread."""

        def delete(conn: sqlite3.Connection) -> None:
            conn.execute("delete from preferences where key = ?", (key,))

        return self._database().write(delete)
