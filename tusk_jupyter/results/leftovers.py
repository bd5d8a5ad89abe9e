"""What killed kernels leave beside ``--to``'s files: as large as what had been written, hidden, and wanted by nobody.

Who writes such a file holds a lock on it (``flock``: the system lets go of it with the process, however that ends, and
it tells kernels of other machines and containers apart, which a process id in the name does not). A folder of such
files is held itself, so that no file of ours has to be taken out of it at the end. What nobody holds is removed when
the next file or folder is made there; a folder only if nothing is in it that we do not write. Where there is no
``flock`` (Windows), or none on that file system, nothing is removed: a file too many is better than one too few.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import time
from typing import TYPE_CHECKING, Final

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from pathlib import Path

# from its making to its lock a file is nobody's
GRACE_S: Final = 60.0
_NAME: Final = re.compile(r"\.tusk-\d+-[0-9a-f]{8}\.part")
_IN_FOLDER: Final = re.compile(rf"{_NAME.pattern}|part-\d+\.parquet")


def temporary_name() -> str:
    """Return a name for a file that is being written."""
    return f".tusk-{os.getpid()}-{secrets.token_hex(4)}.part"


def hold(handle: int) -> None:
    """Keep an open file from being swept until it is closed."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def hold_folder(folder: Path) -> int | None:
    """Keep a folder from being swept until what is returned is closed; ``None`` where it cannot be."""
    if fcntl is None:
        return None
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    hold(handle)
    return handle


def sweep(folder: Path) -> None:
    """Remove what nobody writes any more; never raises."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        for path in folder.glob(".tusk-*-*.part"):
            with contextlib.suppress(OSError):
                _remove_if_free(path)


def _remove_if_free(path: Path) -> None:
    found = path.lstat()
    is_folder = stat.S_ISDIR(found.st_mode)
    if not (is_folder or stat.S_ISREG(found.st_mode)) or time.time() - found.st_mtime < GRACE_S:
        return
    if is_folder and not _NAME.fullmatch(path.name):
        return
    handle = os.open(path, (os.O_RDONLY if is_folder else os.O_RDWR) | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody writes it
        if is_folder:
            _remove_folder(path)
        else:
            path.unlink()
    finally:
        os.close(handle)


def _remove_folder(path: Path) -> None:
    files = list(path.iterdir())
    if all(_IN_FOLDER.fullmatch(file.name) for file in files):
        for file in files:
            file.unlink()
        path.rmdir()
