"""What a failure of SQLite is about: a damaged file, a full disk, somebody else's lock; and what to tell the user."""

from __future__ import annotations

import errno
import sqlite3
from typing import TYPE_CHECKING

from tusk_jupyter.errors import StorageError, TuskError

if TYPE_CHECKING:
    from pathlib import Path

_CORRUPTION = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
# a disk quota, or a limit on the size of files, is an error of writing to SQLite; so is room for its shared memory
_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_FSYNC}
_NO_ROOM_OS = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_UNCHECKED = {sqlite3.SQLITE_CORRUPT_INDEX, sqlite3.SQLITE_CORRUPT_SEQUENCE}


def code(error: BaseException) -> int:
    """Return SQLite's extended result code, 0 where the error has none."""
    found: int = getattr(error, "sqlite_errorcode", 0)
    return found


def is_corruption(error: BaseException) -> bool:
    """Return whether the file is damaged or no SQLite database."""
    return code(error) & 0xFF in _CORRUPTION


def is_certain(found: int) -> bool:
    """Return whether a result code is of a damage that ``quick_check`` does not look for."""
    return found in _UNCHECKED


def is_no_room(error: BaseException) -> bool:
    """Return whether there was no room to write."""
    if isinstance(error, OSError):
        return error.errno in _NO_ROOM_OS
    return code(error) in _NO_ROOM


def is_busy(error: BaseException) -> bool:
    """Return whether others held a lock for longer than the time-out."""
    return code(error) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} or isinstance(error, TimeoutError)


def is_passing(error: BaseException) -> bool:
    """Return whether it may well work later: a full disk, a lock."""
    return is_no_room(error) or is_busy(error)


def problem(error: BaseException, *, doing: str, path: Path | None) -> TuskError:
    """Return the error as ours; a full disk and a busy file come with the way out."""
    name = str(path) if path is not None else None
    if isinstance(error, TuskError):
        return error
    if is_no_room(error):
        advice = f"Free some space where {name!r} is, or go on elsewhere with %tusk data-dir PATH; then do it again."
        return StorageError(f"{doing}: there is no room on the disk", name=name, advice=advice)
    if is_busy(error):
        advice = "Do it again; if that does not help, look for a program that keeps the file open."
        return StorageError(f"{doing}: another program keeps the file locked", name=name, advice=advice)
    from tusk_jupyter import translate  # 2 ms, with what it masks; for the file that fails

    found = translate.translate(error, doing=doing, path=name)
    return found if isinstance(found, StorageError) else StorageError(found.message, name=name)
