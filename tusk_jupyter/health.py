"""How this kernel is, one line per subsystem: ``ok: …``, or what is wrong and what to do; and which versions it has.

Asked when something is wrong already, so each part answers for itself: one that raises, or that does not come back (a
network disk that hangs), is a line, not the end of the list. Parts have limits of their own; above them stands one of
ten seconds, and an interrupt is heard at once.
"""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from tusk_jupyter import interrupts, log, paths
from tusk_jupyter.errors import TuskError, one_line
from tusk_jupyter.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.credentials import Credentials
    from tusk_jupyter.connections.registry import Connections
    from tusk_jupyter.storage.files import Files

LIMIT_S = 10.0


@dataclass(frozen=True, slots=True)
class AppInfo:
    """Which versions are at work."""

    name: str
    version: str
    platform: str
    python: str
    ipython: str | None
    ipykernel: str | None
    psycopg: str | None
    libpq: str | None


def versions() -> AppInfo:
    """Return the versions at work; a part that is not loaded yet is looked up without importing it."""
    libpq = None
    if "psycopg" in sys.modules:
        number = sys.modules["psycopg"].pq.version()
        libpq = f"{number // 10000}.{number % 10000}"
    return AppInfo(
        "tusk-jupyter", __version__, platform.platform(), platform.python_version(),
        _installed("ipython"), _installed("ipykernel"), _installed("psycopg"), libpq,
    )  # fmt: skip


def examine(files: Files, credentials: Credentials, connections: Connections) -> dict[str, str]:
    """Return subsystem → state."""
    parts: dict[str, Callable[[], str]] = {
        "data directory": lambda: _directory(files),
        "storage": lambda: _storage(files),
        "keychain": lambda: _keychain(credentials),
        "logs": log.state,
        "connections": lambda: f"ok: {len(connections)} active",
    }
    return {name: _answer(part) for name, part in parts.items()}


def _installed(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _answer(part: Callable[[], str]) -> str:
    try:
        return interrupts.call("health", part, timeout=LIMIT_S)
    except TimeoutError:
        return f"no answer within {LIMIT_S:g} s"
    except TuskError as error:
        return f"{error.message}. {error.advice}"
    except Exception as error:  # noqa: BLE001 - whatever is broken, the other lines are wanted
        return one_line(error)


def _directory(files: Files) -> str:
    directory = files.directory
    if files.problems:
        return "; ".join(f"{problem.message}. {problem.advice}" for problem in files.problems)
    if directory is None or not directory.is_dir():
        return f"{directory} is not there any more. %tusk data-dir PATH makes it again, or takes another."
    if not os.access(directory, os.W_OK | os.X_OK):
        return f"{directory} cannot be written any more. %tusk data-dir PATH takes another."
    exposed = paths.exposure(directory)
    return f"ok: {directory}" + (f", but {exposed}" if exposed else "")


def _storage(files: Files) -> str:
    found = files.database.health()
    backup = f"; what was there before is in {found.backup_path}" if found.backup_path else ""
    if found.errors:
        return f"damaged: {'; '.join(found.errors)}{backup}"
    if found.in_memory:
        return f"in memory only: history and what is saved end with this kernel{backup}"
    if waiting := files.database.waiting:
        return f"no room on the disk: {waiting:,} rows of history wait in memory; {files.database.path}{backup}"
    return f"ok: {files.database.path}{backup}"


def _keychain(credentials: Credentials) -> str:
    found = credentials.available()
    if found.ok:
        return f"ok: {found.backend}"
    return f"not available: {found.reason}. Passwords are kept in this kernel's memory only."
