"""The processes that use a cluster, each a locked file; the start lock under which they come and go.

POSIX record locks belong to a process and are lost when it closes *any* descriptor of the file: nothing here opens a
file twice in one process, and threads queue on a lock of their own before they ask for the cluster's.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import threading
import time
from typing import TYPE_CHECKING

from tusk_jupyter.connections.embedded import watchdog
from tusk_jupyter.errors import ConnectionTimeout, IoError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TURN_LIMIT_S = 120.0
_threads = threading.Lock()
# (process id, folder) → (file name, descriptor): a forked child finds its parent's entry under another process id
_joined: dict[tuple[int, str], tuple[str, int]] = {}


@contextlib.contextmanager
def turn(path: Path) -> Iterator[None]:
    """Hold the start lock of a cluster: one process and one thread at a time start, stop or drop it."""
    deadline = time.monotonic() + TURN_LIMIT_S
    with _threads:
        fd = watchdog.open_lock(str(path))
        try:
            while not watchdog.try_lock(fd):
                if time.monotonic() > deadline:
                    raise ConnectionTimeout(
                        "another process has been starting this embedded server for too long",
                        duration_s=TURN_LIMIT_S,
                        advice="Wait for it, or end the process that holds " + str(path),
                    )
                time.sleep(watchdog.TICK_S)
            yield
        finally:
            os.close(fd)


def join(folder: Path) -> None:
    """Register this process as a user of the cluster, for as long as it lives or until :func:`leave`."""
    key = (os.getpid(), str(folder))
    if key in _joined and (folder / "users" / _joined[key][0]).exists():
        return
    leave(folder)
    (folder / "users").mkdir(mode=0o700, exist_ok=True)
    for _ in range(100):
        path = folder / "users" / f"{os.getpid()}-{secrets.token_hex(4)}"
        fd = watchdog.open_lock(str(path))
        # the watchdog may have seen the file before it was locked, and have taken it for a dead process's
        if watchdog.try_lock(fd) and path.exists():
            _joined[key] = (path.name, fd)
            return
        os.close(fd)
    raise IoError(
        f"files in {str(folder / 'users')!r} cannot be locked", advice="Use a data directory on a local disk."
    )


def leave(folder: Path) -> None:
    """Stop being a user of the cluster."""
    name, fd = _joined.pop((os.getpid(), str(folder)), ("", -1))
    if fd >= 0:
        with contextlib.suppress(OSError):  # Windows keeps an open file; the watchdog removes it
            (folder / "users" / name).unlink()
        os.close(fd)


def others(folder: Path) -> list[int]:
    """Return the ids of the other processes that use the cluster."""
    own, _ = _joined.get((os.getpid(), str(folder)), ("", -1))
    return [int(name.partition("-")[0]) for name in watchdog.living_users(str(folder), besides=own)]


def using(folder: Path) -> list[int]:
    """Return the ids of all processes that use the cluster."""
    return [*([os.getpid()] if joined(folder) else []), *others(folder)]


def joined(folder: Path) -> bool:
    """Whether this process is a user of the cluster."""
    return (os.getpid(), str(folder)) in _joined
