"""The rows of ``snippets``: SQL that a user wants again, by name, with passwords masked as in the history."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.masking import masked

if TYPE_CHECKING:
    import builtins
    import sqlite3
    from collections.abc import Callable

    from tusk_jupyter.storage.database import Database

NAME_LIMIT = 200
_COLUMNS = "id, name, sql, created_at, updated_at"
_UPSERT = f"""
    insert into snippets ({_COLUMNS}) values (?, ?, ?, ?, ?)
    on conflict (id) do update set name = excluded.name, sql = excluded.sql, updated_at = excluded.updated_at
"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """SQL under a name; ``id`` empty for one that is to be made."""

    name: str
    sql: str
    id: str = ""
    created_at: str = ""
    updated_at: str = ""


class Snippets:
    """Reads and writes the rows of whatever database is open now."""

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database

    def list(self) -> builtins.list[Snippet]:
        """Return them all by name, upper and lower case alike; :raises TuskError: where the file cannot be read."""
        found = self._database().read(lambda conn: conn.execute(f"select {_COLUMNS} from snippets").fetchall())
        return sorted((_snippet(row) for row in found), key=lambda s: (s.name.casefold(), s.name))

    def get(self, name: str) -> Snippet | None:
        """Return the one of that name, ``None`` where there is none."""
        return next((snippet for snippet in self.list() if snippet.name == name), None)

    def save(self, snippet: Snippet) -> Snippet:
        """Insert or update by id (an empty one is made), and return it as it is kept.

        :raises InvalidInput: that names the field: an empty or taken name, no SQL.
        :raises TuskError: where it cannot be written.
        """
        snippet = replace(snippet, id=snippet.id or str(uuid.uuid4()), sql=masked(_storable(snippet.sql)))
        written: Snippet | InvalidInput
        if (found := _problem(snippet)) is not None:
            written = _refusal(*found)
        else:
            written = self._database().write(lambda conn: _save(conn, snippet)).result()
        if isinstance(written, InvalidInput):
            raise written
        return written

    def delete(self, snippet_id: str) -> bool:
        """Delete the one with that id and return whether there was one."""

        def delete(conn: sqlite3.Connection) -> bool:
            return conn.execute("delete from snippets where id = ?", (snippet_id,)).rowcount > 0

        return self._database().write(delete).result()


def _snippet(row: tuple[str, ...]) -> Snippet:
    row_id, name, sql, created_at, updated_at = row
    return Snippet(name, sql, row_id, created_at, updated_at)


def _save(conn: sqlite3.Connection, snippet: Snippet) -> Snippet | InvalidInput:
    if conn.execute("select 1 from snippets where name = ? and id <> ?", (snippet.name, snippet.id)).fetchone():
        return _refusal("name", f"there is a snippet named {snippet.name!r} already")
    before = conn.execute("select created_at from snippets where id = ?", (snippet.id,)).fetchone()
    now = datetime.now(UTC).isoformat()
    snippet = replace(snippet, created_at=before[0] if before else now, updated_at=now)
    conn.execute(_UPSERT, (snippet.id, snippet.name, snippet.sql, snippet.created_at, snippet.updated_at))
    return snippet


def _refusal(field: str, message: str) -> InvalidInput:
    return InvalidInput(
        f"the snippet cannot be saved: {message}",
        advice="Nothing was changed. %tusk snippets lists the names there are.",
        facts=((field, message),),
    )


def _storable(text: str) -> str:
    # a lone surrogate is no UTF-8
    return text.encode("utf-8", "backslashreplace").decode()


def _problem(snippet: Snippet) -> tuple[str, str] | None:
    if not snippet.name.strip():
        return "name", "the name is empty"
    if len(snippet.name) > NAME_LIMIT or not snippet.name.isprintable():
        return "name", f"a name has no line break, no control character and at most {NAME_LIMIT} characters"
    return None if snippet.sql.strip() else ("sql", "there is no SQL in it")
