"""What the file system under ``tusk.db`` can do: locks between kernels, shared memory, telling one file from another.

A lock file beside the database, because SQLite's own locks go with the file that is being replaced: whoever writes
or opens holds it shared, whoever repairs or creates holds it alone, so that no row is committed to a file that has
just been copied (15 µs per write, measured). ``flock`` and not ``fcntl`` locks: those are lost as soon as anything
in the process closes the file. It is polled, so that a kernel that is frozen while it holds it stops nobody for ever.

WAL needs memory shared by everybody who has the file open, which no network file system gives; there SQLite may
report success and fail at the first write. The kernel's mount table says which one it is; ``statvfs`` does not.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK_S = 30.0
# file systems without locks: SQLite's own kind may work there all the same
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
POLL_S = 0.002
MOUNTS = "/proc/self/mounts"
# fmt: off
NETWORK = frozenset({
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2",
    "orangefs", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf", "virtiofs", "vmhgfs",
})
# fmt: on


def identity(path: Path) -> tuple[int, int] | None:
    """Return what tells this file from another one of its name; ``None`` where there is none, or an empty one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return (found.st_dev, found.st_ino) if found.st_size else None


def is_writable(path: Path) -> bool:
    """Return whether ``path``, where it exists, and its directory can be written: SQLite needs files beside it."""
    directory = os.access(path.parent, os.W_OK | os.X_OK)
    return directory and (not path.exists() or os.access(path, os.R_OK | os.W_OK))


@contextmanager
def locked(path: Path, *, shared: bool, timeout_s: float = LOCK_S) -> Iterator[None]:
    """Hold the lock file of ``path``; :raises TimeoutError: when others hold it for longer than ``timeout_s``."""
    lock = path.with_name(path.name + ".lock")
    until = time.monotonic() + timeout_s
    while (fd := _taken(lock, shared=shared)) is None:
        if time.monotonic() >= until:
            raise TimeoutError(f"another kernel has kept {str(path)!r} locked for {timeout_s:g} s")
        time.sleep(POLL_S)
    try:
        yield
    finally:
        _unlock(fd)  # not only closed: a process forked meanwhile has it, too
        os.close(fd)


class Presence:
    """A lock held for as long as the file is open: whoever gets it alone is the first since the last one has gone."""

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0)
        self._fd: int | None = os.open(path.with_name(path.name + ".open"), flags, 0o600)
        self.alone = sys.platform != "win32" and _lock(self._fd, shared=False)

    def settle(self) -> None:
        """Let others be present as well."""
        if self._fd is not None and sys.platform != "win32":
            until = time.monotonic() + LOCK_S
            while not _lock(self._fd, shared=True) and time.monotonic() < until:
                time.sleep(POLL_S)
        self.alone = False

    def close(self) -> None:
        """Be gone; closing twice is fine."""
        if self._fd is not None:
            _unlock(self._fd)
            os.close(self._fd)
            self._fd = None


def _taken(lock: Path, *, shared: bool) -> int | None:
    fd = os.open(lock, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        # a lock on a file that somebody has deleted meanwhile keeps nobody out
        if _lock(fd, shared=shared) and os.path.samestat(os.fstat(fd), lock.stat()):
            return fd
    except FileNotFoundError:
        pass
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


if sys.platform == "win32":
    import msvcrt

    def _lock(fd: int, *, shared: bool) -> bool:  # noqa: ARG001 - there are no shared ones of this kind
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(fd: int) -> None:
        """Closing does it."""

else:
    import fcntl

    def _lock(fd: int, *, shared: bool) -> bool:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        return True

    def _unlock(fd: int) -> None:
        with suppress(OSError):
            fcntl.flock(fd, fcntl.LOCK_UN)


def is_network(path: Path) -> bool:
    """Return whether ``path`` is known to lie on a network file system."""
    if sys.platform == "win32":
        import ctypes

        drive = os.path.splitdrive(path.resolve())[0]
        return drive.startswith("\\\\") or ctypes.windll.kernel32.GetDriveTypeW(f"{drive}\\") == 4  # noqa: PLR2004 - DRIVE_REMOTE
    try:
        with open(MOUNTS, encoding="utf-8", errors="surrogateescape") as file:  # noqa: PTH123 - no Path, 20 µs less
            kind = mounted_as(os.path.realpath(path), file.read())
    except OSError:  # no such table on this system: opening tries WAL out
        return False
    return kind in NETWORK or kind.startswith("fuse.")


def mounted_as(path: str, mounts: str) -> str:
    """Return the type of the file system that ``path`` lies on, by a table in the form of ``/proc/mounts``."""
    best, kind = "", ""
    for line in mounts.splitlines():
        _device, _, rest = line.partition(" ")
        point, _, rest = rest.partition(" ")
        point = point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        if len(point) >= len(best) and (path == point or path.startswith(point.rstrip("/") + "/")):
            best, kind = point, rest.partition(" ")[0]
    return kind
