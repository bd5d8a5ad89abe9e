"""What may stand in one place of a magic's line: names of connections, files, variables, preferences, queries.

Everything here answers from memory or from a file of this machine, and never connects. ``tusk.db`` is read at most
every two seconds: whoever types asks several times a second, and what another kernel saves meanwhile can wait.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tusk_jupyter.errors import TuskError
from tusk_jupyter.magics.options import quoted, unquoted
from tusk_jupyter.schema.suggestions import Suggestion

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.schema.catalog import Catalog
    from tusk_jupyter.tusk import Tusk

T = TypeVar("T")
FRESH_S = 2.0
_MOST_FILES = 500
_SQL_SHOWN = 60
_TABLES = frozenset({"DataFrame", "Series", "Table", "RecordBatch", "LazyFrame"})


@dataclass(slots=True)
class Known:
    """Whom to ask: the kernel's state, and the notebook's names that can be bound."""

    tusk: Tusk
    names: Callable[[], Mapping[str, object]]
    catalog: Callable[[str | None], Catalog]
    _kept: dict[str, tuple[float, Any]] = field(default_factory=dict)

    def stored(self, what: str, read: Callable[[], T]) -> T | None:
        """Return what is read from ``tusk.db``, as it was up to two seconds ago; ``None`` where it cannot be."""
        now = time.monotonic()
        if what in self._kept and now - self._kept[what][0] < FRESH_S:
            kept: T | None = self._kept[what][1]
            return kept
        try:
            found = read()
        except TuskError:
            found = None
        self._kept[what] = (now, found)
        return found


def choices(takes: str, known: Known, typed: str) -> list[Suggestion]:
    """Return what may stand where a line takes that; ``typed`` is what stands there up to the cursor."""
    make = _CHOICES.get(takes)
    return make(known, typed) if make is not None else []


def matching(typed: str, found: Iterable[Suggestion]) -> tuple[Suggestion, ...]:
    """Return those that begin as it is typed, whatever the case; where none does, those that hold it."""
    folded = unquoted(typed).strip("\"'").casefold()
    first: list[Suggestion] = []
    others: list[Suggestion] = []
    for one in found:
        name = one.text.strip("\"'").casefold()
        if name.startswith(folded):
            first.append(one)
        elif folded in name:
            others.append(one)
    return tuple(first or others)


def connections(known: Known, _typed: str = "") -> list[Suggestion]:
    """Return what is connected, the current one first, then what is saved besides."""
    found = active(known)
    there = {connection.name for connection in known.tusk.connections.active()}
    return [*found, *(one for name, one in _saved(known).items() if name not in there)]


def active(known: Known, _typed: str = "") -> list[Suggestion]:
    """Return what is connected, the current one first."""
    current = known.tusk.connections.current
    every = sorted(known.tusk.connections.active(), key=lambda one: one is not current)
    return [Suggestion(quoted(one.name), "connection", where(one, is_current=one is current)) for one in every]


def where(connection: Connection, *, is_current: bool) -> str:
    """Return in a few words what an open connection is."""
    place = connection.target.conninfo.redacted()
    state = "current" if is_current else "connected"
    return f"{state} · {place}" + (" · read-only" if connection.target.settings.read_only else "")


def _saved(known: Known) -> dict[str, Suggestion]:
    found = known.stored("saved", known.tusk.saved.list) or []
    return {
        saved.name: Suggestion(
            quoted(saved.name),
            "connection",
            f"saved · {saved.username}@{saved.host}:{saved.port}/{saved.database}"
            + (" · read-only" if saved.read_only else ""),
        )
        for saved in found
    }


def _saved_only(known: Known, _typed: str) -> list[Suggestion]:
    return list(_saved(known).values())


def _groups(known: Known, _typed: str) -> list[Suggestion]:
    paths = known.stored("groups", known.tusk.saved.group_paths) or {}
    return [Suggestion(quoted(path), "group") for path in paths.values()]


def _snippets(known: Known, _typed: str) -> list[Suggestion]:
    from tusk_jupyter.storage.snippets import Snippets

    kept = known.stored("snippets", lambda: Snippets(lambda: known.tusk.files.database).list()) or []
    return [Suggestion(quoted(one.name), "snippet", _line(one.sql)) for one in kept]


def _history(known: Known, _typed: str) -> list[Suggestion]:
    from tusk_jupyter.storage.history import History

    rows = known.stored("history", lambda: History(lambda: known.tusk.files.database).search("", limit=50)) or []
    return [Suggestion(str(row.id), "statement", _line(row.sql)) for row in rows]


def _queries(known: Known, _typed: str) -> list[Suggestion]:
    return [Suggestion(one.id[:8], "query", _line(one.sql)) for one in known.tusk.queries.active()]


def _clusters(known: Known, _typed: str) -> list[Suggestion]:
    directory = known.tusk.files.directory
    try:
        found = sorted(path.name for path in (directory / "embedded").iterdir() if path.is_dir()) if directory else []
    except OSError:
        found = []
    return [Suggestion(quoted(name), "cluster", "embedded PostgreSQL") for name in found]


def _services(_known: Known, _typed: str) -> list[Suggestion]:
    from tusk_jupyter.connections import service_file

    return [Suggestion(quoted(name), "service", "pg_service.conf") for name in service_file.names()]


def _preferences(known: Known, _typed: str) -> list[Suggestion]:
    from tusk_jupyter.preferences import PREFERENCES

    return [
        Suggestion(one.name, "preference", f"{known.tusk.get_preference(one.name)} · {one.meaning}")
        for one in PREFERENCES.values()
    ]


def _variables(known: Known, _typed: str) -> list[Suggestion]:
    return [Suggestion(name, "variable", type(value).__name__) for name, value in known.names().items()]


def _mappings(known: Known, typed: str) -> list[Suggestion]:
    named = known.names()
    return [one for one in _variables(known, typed) if issubclass(type(named[one.text]), dict)]


def _frames(known: Known, typed: str) -> list[Suggestion]:
    return [one for one in _variables(known, typed) if one.signature in _TABLES]


def _urls(known: Known, typed: str) -> list[Suggestion]:
    """Return the variables that may hold where to connect; never what they hold."""
    named = known.names()
    found = (
        one for one in _variables(known, typed) if issubclass(type(named[one.text]), str) or one.signature == "URL"
    )
    return [Suggestion(f":{one.text}", "variable", one.signature) for one in found]


def _sources(known: Known, typed: str) -> list[Suggestion]:
    return [*_frames(known, typed), *_files(known, typed)]


def _environment(_known: Known, _typed: str) -> list[Suggestion]:
    return [Suggestion(name, "variable", "environment") for name in sorted(os.environ)]


def _files(_known: Known, typed: str) -> list[Suggestion]:
    """Return the files and folders that a path may go on with, as it is written: ``~`` stays ``~``."""
    path = unquoted(typed).lstrip("\"'")
    folder, slash, beginning = path.rpartition("/")
    try:
        with os.scandir(Path(folder + slash).expanduser() if folder + slash else ".") as entries:
            found = [
                (entry.name, entry.is_dir())
                for entry, _ in zip(entries, range(_MOST_FILES), strict=False)
                if entry.name[:1] != "." or beginning[:1] == "."
            ]
    except (OSError, RuntimeError):  # no such folder, no home
        return []
    return [
        Suggestion(quoted(f"{folder}{slash}{name}{'/' if is_folder else ''}"), "folder" if is_folder else "file")
        for name, is_folder in sorted(found, key=lambda one: (one[1], one[0]))
    ]


def _folders(known: Known, typed: str) -> list[Suggestion]:
    return [one for one in _files(known, typed) if one.kind == "folder"]


def _roles(known: Known, _typed: str) -> list[Suggestion]:
    from tusk_jupyter.advice import identifier

    return [Suggestion(identifier(name), "role") for name in known.catalog(None).names.get("role", ())]


def _line(sql: str) -> str:
    line = " ".join(sql.split())
    return line if len(line) <= _SQL_SHOWN else f"{line[: _SQL_SHOWN - 1]}…"


_CHOICES: dict[str, Callable[[Known, str], list[Suggestion]]] = {
    "active": active,
    "cluster": _clusters,
    "connection": connections,
    "environment": _environment,
    "file": _files,
    "folder": _folders,
    "frame": _frames,
    "group": _groups,
    "mapping": _mappings,
    "preference": _preferences,
    "query": _queries,
    "role": _roles,
    "saved": _saved_only,
    "service": _services,
    "snippet": _snippets,
    "source": _sources,
    "statement": _history,
    "url": _urls,
    "variable": _variables,
}
