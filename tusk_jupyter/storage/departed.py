"""Transactions that a kernel took with it when it died, announced at the next load.

A marker file per connection stands in the data directory while a transaction is open; a kernel that ends it, or is
unloaded, removes it. One that remains and whose process is gone was rolled back by the server. Files, not SQLite:
written in microseconds, twice per transaction, and readable when nothing else is.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.paths import make_directory

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Departed:
    """A transaction whose kernel is gone."""

    connection: str
    since: str
    statements: int
    pid: int


class OpenTransactions:
    """Keeps this process's markers in step with its sessions."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._marked: dict[str, int] = {}

    def note(self, connection_id: str, connection: str, *, since: str | None, statements: int) -> None:
        """Write, renew or remove the marker of a connection."""
        if since is None:
            self.clear(connection_id)
        elif self._marked.get(connection_id) != statements:
            record = {"connection": connection, "since": since, "statements": statements, "pid": os.getpid()}
            try:
                make_directory(self._directory)
                self._path(connection_id).write_text(json.dumps(record))
            except OSError:  # the announcement is a courtesy; a full disk must not cost the result
                return
            self._marked[connection_id] = statements

    def clear(self, connection_id: str) -> None:
        """Remove the marker of a connection."""
        if self._marked.pop(connection_id, None) is not None:
            self._path(connection_id).unlink(missing_ok=True)

    def clear_but(self, left: Collection[str]) -> None:
        """Remove the markers of this process, except those of some connections."""
        for known in set(self._marked) - set(left):
            self.clear(known)

    def departed(self) -> list[Departed]:
        """Return, and forget, what kernels that are gone have left."""
        found = []
        for path in sorted(self._directory.glob("*.json")) if self._directory.is_dir() else []:
            try:
                left = Departed(**json.loads(path.read_text()))
            except (OSError, ValueError, TypeError):
                path.unlink(missing_ok=True)
                continue
            if not _alive(left.pid):
                path.unlink(missing_ok=True)
                found.append(left)
        return found

    def _path(self, connection_id: str) -> Path:
        return self._directory / f"{os.getpid()}-{connection_id}.json"


def _alive(pid: int) -> bool:
    if pid == os.getpid():
        return True
    if os.name == "nt":
        return False  # no signal 0 there; the worst is an early announcement
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
