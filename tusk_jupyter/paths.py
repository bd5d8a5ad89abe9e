"""The data directory: which one it is, making it, and keeping it private.

``TUSK_DATA_DIR``, else ``./.tusk-dev`` when ``TUSK_DEV=1``, else platformdirs' user data directory. It holds history
and what passwords open, so what we make is 0700 whatever the umask (a umask of 0777 makes a directory that its owner
cannot enter). Every way it can fail, a NUL or a home directory that nobody knows included, becomes one
:class:`~tusk_jupyter.errors.InitializationError` that names the path, what is in the way, and the way out.

A directory that was there before is tightened where nothing in it is anybody else's; where something is, it may be a
home or a project that colleagues share, so its mode is left alone and :func:`exposure` says what it is. The files in it
are 0600 in any case.
"""

from __future__ import annotations

import fnmatch
import os
import stat
from contextlib import suppress
from pathlib import Path

from tusk_jupyter.errors import InitializationError

OURS = ("tusk.db*", "tusk-*.log", "logs", "embedded", "transactions", "*.corrupt-*", "*.lock")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def data_dir() -> Path:
    """Return the data directory of this environment; nothing is created, nothing raised."""
    if chosen := os.environ.get("TUSK_DATA_DIR", "").strip():
        return directory(chosen)
    if os.environ.get("TUSK_DEV") == "1":
        return directory(".tusk-dev")
    import platformdirs

    return directory(platformdirs.user_data_dir("tusk-jupyter", appauthor=False))


def directory(text: str) -> Path:
    """Return the path that a user means: ``~`` is the home directory, a relative one begins where the kernel is.

    Where neither is known it comes back as it is, for :func:`ensure_dir` to refuse.
    """
    path = Path(text)
    with suppress(RuntimeError):  # no home directory
        path = path.expanduser()
    if path.parts[:1] and path.parts[0].startswith("~"):
        return path
    try:
        return path.absolute()
    except OSError:  # the directory the kernel was started in is gone
        return path


def ensure_dir(path: Path) -> Path:
    """Create ``path`` (0700) where it is missing and return it; an existing directory's mode is left alone.

    :raises InitializationError: naming the path and what is in the way.
    """
    try:
        if path.parts[:1] and path.parts[0].startswith("~"):
            reason = "no home directory is known"
        elif _made(path) or os.access(path, os.W_OK | os.X_OK):
            return path
        else:
            reason = "permission denied"
    except (OSError, ValueError) as error:
        reason = _reason(path, error)
    raise InitializationError(f"the data directory {str(path)!r} cannot be used: {reason}", name=str(path))


def _made(path: Path) -> bool:
    """Create ``path`` and return whether it was missing."""
    try:
        path.mkdir(mode=0o700, parents=True)
    except FileExistsError:
        if not path.is_dir():
            raise
        return False
    path.chmod(0o700)
    return True


def make_directory(path: Path) -> None:
    """Create a directory of the data directory, which may have gone as well: both 0700.

    :raises OSError: when it cannot be.
    """
    # of the parents that mkdir() makes by itself, the mode is everybody's
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.mkdir(mode=0o700, exist_ok=True)


def _reason(path: Path, error: OSError | ValueError) -> str:
    if not isinstance(error, OSError):
        return str(error)
    reason = (error.strerror or type(error).__name__).lower()
    with suppress(OSError):
        nearest = next(p for p in (path, *path.parents) if os.path.lexists(p))
        if nearest.is_symlink() and not nearest.exists():
            return f"{str(nearest)!r} is a symbolic link to nothing"
        if not nearest.is_dir():
            return f"{str(nearest)!r} is not a directory"
        if nearest != path:
            return f"{reason} in {str(nearest)!r}"
    return reason


def make_private(path: Path) -> str | None:
    """Take an existing directory of ours from everybody else; return what is open about one that is left alone."""
    mode = _mode(path)
    if mode is None or not mode & _OTHERS:
        return None
    with suppress(OSError):
        if path.stat().st_uid == os.geteuid() and _only_ours(path):
            path.chmod(0o700)
    return exposure(path)


def exposure(path: Path) -> str | None:
    """Return what other users of this machine may do with a directory, if anything."""
    mode = _mode(path)
    if mode is None or not mode & _OTHERS:
        return None
    others = "write in" if mode & (stat.S_IWGRP | stat.S_IWOTH) else "list"
    return f"other users may {others} {str(path)!r} (mode {mode:04o}), which holds files of others too"


def _mode(path: Path) -> int | None:
    """Return the permissions, ``None`` where they say nothing: on Windows, and where there is no directory."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return None
    return stat.S_IMODE(mode) if os.name == "posix" and stat.S_ISDIR(mode) else None


def _only_ours(path: Path) -> bool:
    with os.scandir(path) as entries:
        return all(any(fnmatch.fnmatch(entry.name, ours) for ours in OURS) for entry in entries)
