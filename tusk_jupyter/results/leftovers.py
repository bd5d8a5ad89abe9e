"""What killed kernels leave beside ``--to``'s files: as large as what had been written, hidden, and wanted by nobody.

Who writes such a file holds a lock on it (``flock``: the system lets go of it with the process, however that ends, and
it tells kernels of other machines and containers apart, which a process id in the name does not). What nobody holds is
removed when the next file is made in that folder. Where there is no ``flock`` (Windows), or none on that file system,
nothing is removed: a file too many is better than one too few.
"""

from __future__ import annotations

import contextlib
import os
import secrets
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


def temporary_name() -> str:
    """Return a name for a file that is being written."""
    return f".tusk-{os.getpid()}-{secrets.token_hex(4)}.part"


def hold(handle: int) -> None:
    """Keep an open file from being swept until it is closed."""
    if fcntl is not None:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def sweep(folder: Path) -> None:
    """Remove what nobody writes any more; never raises."""
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        for path in folder.glob(".tusk-*-*.part"):
            with contextlib.suppress(OSError):
                _remove_if_free(path)


def _remove_if_free(path: Path) -> None:
    if path.is_symlink() or not path.is_file() or time.time() - path.stat().st_mtime < GRACE_S:
        return
    handle = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # BlockingIOError: somebody writes it
        path.unlink()
    finally:
        os.close(handle)
