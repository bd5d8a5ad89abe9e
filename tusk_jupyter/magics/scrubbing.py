"""Taking a typed password out of IPython's input history: ``In``, ``_i…`` and ``history.sqlite`` (mode 0644).

IPython stores a cell before it runs it, in lists and, by a thread of its own, in its SQLite file: by the time a magic
runs, the row is mostly there already. So both are corrected, under the lock that the thread writes under, and the file
with ``secure_delete``: an UPDATE alone leaves the old text in a free part of the page. The notebook file is the front
end's: nothing here can reach it, and the user is told.
"""

from __future__ import annotations

import logging
import re
from contextlib import closing
from typing import TYPE_CHECKING, Any

from tusk_jupyter.queries.classify import starts_like_statement
from tusk_jupyter.redaction import redact_line, redact_typed

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

log = logging.getLogger("tusk_jupyter.magics")
_LONGEST_WORD = 64


def scrub_history(shell: Any, line: str, *, sql: str = "") -> bool:
    """Replace a password in ``line`` wherever IPython keeps the cell; return whether there was one.

    :param sql: a statement that the line ends with, in which ``pw = 1`` is none.
    """
    clean = redact_line(line.removesuffix(sql)) + redact_typed(sql)
    if clean == line:
        return False
    # the parsed input holds the line as a Python literal
    _replace(shell, ((line, clean), (repr(line)[1:-1], repr(clean)[1:-1])))
    return True


def statement_in(line: str) -> str:
    """Return the statement that a line ends with; none behind a URL, which takes the rest of it."""
    before = ""
    for word in re.finditer(r"\S+", line):
        if starts_like_statement(line[word.start() : word.start() + _LONGEST_WORD]):
            return line[word.start() :]
        if "://" in word[0] and not before.startswith("-"):
            return ""
        before = word[0]
    return ""


def scrub_argument(shell: Any, value: str) -> None:
    """Replace a string that a cell gave as a password, wherever IPython keeps the cell."""
    _replace(shell, tuple((form, "'****'") for form in (repr(value), f"'{value}'", f'"{value}"')))


def _replace(shell: Any, pairs: tuple[tuple[str, str], ...]) -> None:
    def replaced(text: str) -> str:
        for typed, safe in pairs:
            text = text.replace(typed, safe)
        return text

    history = getattr(shell, "history_manager", None)
    if history is not None:
        _scrub_memory(shell, history, replaced)
        with history.db_input_cache_lock:
            cache = history.db_input_cache
            cache[:] = [tuple(replaced(v) if isinstance(v, str) else v for v in row) for row in cache]
            _scrub_file(history, replaced)


def _scrub_memory(shell: Any, history: Any, replaced: Callable[[str], str]) -> None:
    for name in ("input_hist_parsed", "input_hist_raw"):
        kept = getattr(history, name, [])
        kept[:] = [replaced(text) for text in kept]
    for name, value in list(shell.user_ns.items()):
        if name.startswith("_i") and isinstance(value, str):
            shell.user_ns[name] = replaced(value)
    for name in ("_i", "_ii", "_iii", "_i00"):
        if isinstance(getattr(history, name, None), str):
            setattr(history, name, replaced(getattr(history, name)))


def _scrub_file(history: Any, replaced: Callable[[str], str]) -> None:
    if not history.enabled or str(history.hist_file) == ":memory:":
        return
    import sqlite3

    try:
        with closing(sqlite3.connect(str(history.hist_file), timeout=2.0)) as conn, conn:
            _scrub_rows(conn, history.session_number, replaced)
    except sqlite3.Error as error:
        log.warning("IPython's history could not be corrected: %s", error)


def _scrub_rows(conn: sqlite3.Connection, session: int, replaced: Callable[[str], str]) -> None:
    conn.execute("pragma secure_delete = on")
    found = conn.execute("select line, source, source_raw from history where session = ?", (session,)).fetchall()
    for number, source, raw in found:
        if (replaced(source), replaced(raw)) != (source, raw):
            conn.execute(
                "update history set source = ?, source_raw = ? where session = ? and line = ?",
                (replaced(source), replaced(raw), session, number),
            )
