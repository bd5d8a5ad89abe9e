"""Stop an embedded server when the last process that uses it is gone; run by its path, on the standard library alone.

Every user process holds an exclusive POSIX record lock on a file of its own under ``users/``. The kernel of the OS
releases it however the process ends, ``kill -9`` included (measured: without this a killed notebook kernel leaves its
server running for good), and neither a forked child nor a ``!command`` inherits it, which a ``flock`` or a pipe would
do. The watchdog blocks on these locks one after the other: no polling, no port, 10 MB. It shares this module with the
package so that both sides agree, and imports nothing else: pathlib and subprocess would be a third of its memory.

No race with a process that attaches at that very moment: attaching and stopping both happen under the cluster's start
lock, the users are looked at again under it, and the watchdog gives up its own lock before the start lock, so that
whoever comes next starts a new watchdog. A second one, started in between, waits on the first one's lock.
"""

# pathlib is 2 MB of a process that does nothing but wait
# ruff: noqa: PTH108, PTH112, PTH118, PTH123, PTH208
from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

STOP_LIMIT_S = 60.0
TICK_S = 0.02
# no process has this id (Linux' limit is 2**22): what a lock file that names somebody else's process is given instead
NO_PROCESS = 2**31 - 2


def open_lock(path: str) -> int:
    """Open a lock file; the descriptor is not inherited by commands."""
    return os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)


def try_lock(fd: int) -> bool:
    """Take the lock if it is free."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def wait_lock(fd: int) -> None:
    """Wait until the lock is free, and take it."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # a file system that cannot block on locks: poll instead
            fcntl.lockf(fd, fcntl.LOCK_EX)
            return
    while not try_lock(fd):
        time.sleep(0.5)


def living_users(folder: str, *, besides: str = "") -> list[str]:
    """Return the files of the processes that use the cluster, without ``besides``.

    That one is the caller's own: closing a second descriptor of it would release the caller's lock.
    """
    try:
        names = sorted(os.listdir(os.path.join(folder, "users")))
    except OSError:
        return []
    return [name for name in names if name != besides and _locked(os.path.join(folder, "users", name))]


def _locked(path: str) -> bool:
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    except PermissionError:  # Windows, while its owner has it open
        return True
    try:
        return not try_lock(fd)
    finally:
        os.close(fd)


def wait_for_users(folder: str) -> None:
    """Return when no process uses the cluster any more; files of dead ones are removed."""
    users = os.path.join(folder, "users")
    while True:
        try:
            names = os.listdir(users)
        except OSError:
            return
        if not names:
            return
        for name in names:
            path = os.path.join(users, name)
            with contextlib.suppress(OSError):
                fd = os.open(path, os.O_RDWR)
                try:
                    wait_lock(fd)
                    os.unlink(path)
                finally:
                    os.close(fd)


def read_pid_file(data: str) -> list[str]:
    """Return the lines of ``postmaster.pid``: pid, data, start, port, socket directory, address, shmem, status."""
    try:
        with open(os.path.join(data, "postmaster.pid"), encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return []


def postmaster(data: str) -> int | None:
    """Return the process id of the living server of this data directory.

    Never of a zombie (nobody reaps in a container without init), nor of what got its id after a reboot: the process
    must have been started on this directory. The file alone says nothing of the kind.
    """
    lines = read_pid_file(data)
    try:
        pid = int(lines[0])
    except (IndexError, ValueError):
        return None
    return pid if is_server(pid, data) else None


def is_server(pid: int, data: str) -> bool:
    """Whether this process was started on this data directory."""
    if os.path.isdir("/proc/self"):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return os.fsencode(data) in file.read().split(b"\0")
        except OSError:
            return False
    import subprocess

    listed = ["tasklist", "/fi", f"PID eq {pid}"] if sys.platform == "win32" else ["ps", "-ww", "-o", "command=", "-p"]
    command = listed if sys.platform == "win32" else [*listed, str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, errors="replace")  # noqa: S603 - fixed
    return ("postgres" if sys.platform == "win32" else data) in done.stdout


def stop(data: str, pg_ctl: str) -> bool:
    """Stop the server: fast, then immediate if it does not come down; return whether it is gone."""
    for sig, mode in ((signal.SIGINT, "fast"), (getattr(signal, "SIGQUIT", signal.SIGTERM), "immediate")):
        pid = postmaster(data)
        if pid is None:
            return True
        if sys.platform == "win32":
            import subprocess

            subprocess.run([pg_ctl, "-D", data, "-m", mode, "-w", "stop"], capture_output=True, check=False)  # noqa: S603
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sig)
        deadline = time.monotonic() + STOP_LIMIT_S
        while time.monotonic() < deadline:
            if not is_server(pid, data):
                return True
            time.sleep(TICK_S)
    return postmaster(data) is None


def watch(folder: str, data: str, start_lock: str, pg_ctl: str) -> None:
    """Wait for the last user, stop the server, return."""
    try:
        own = open_lock(os.path.join(folder, "watchdog.lock"))
        wait_lock(own)
    except OSError:  # the folder was deleted: the server still has to be stopped
        own = -1
    while True:
        wait_for_users(folder)
        try:
            turn = open_lock(start_lock)
            wait_lock(turn)
        except OSError:
            turn = -1
        if not living_users(folder):
            stop(data, pg_ctl)
            for fd in (own, turn):
                if fd >= 0:
                    os.close(fd)
            return
        os.close(turn)


def main(arguments: list[str]) -> None:
    """Leave the parent (its child would stay a zombie, or a warning, in the user's kernel), then watch."""
    if sys.platform != "win32":
        if os.fork():
            os._exit(0)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
    watch(*arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
