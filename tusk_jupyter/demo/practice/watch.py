"""Take the practice servers away when the process that uses them is gone, however it ended.

It holds a lock on a file in their folder; this process waits for it, as the embedded server's watchdog does, and
clears what is left: after a proper ``close()`` that is nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tusk_jupyter.connections import embedded
from tusk_jupyter.connections.embedded import watchdog
from tusk_jupyter.errors import InvalidInput

_GIVES_UP_S = 20.0


def hold(root: Path) -> int:
    """Lock the folder for this process, start who watches, and return what to close when it is cleared."""
    fd = watchdog.open_lock(_lock(root))
    watchdog.try_lock(fd)
    dog = subprocess.Popen(  # noqa: S603 - this interpreter, our own module
        [sys.executable, "-P", "-m", __name__, str(root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # a Stop button is a SIGINT to the kernel's whole group
        cwd=os.sep,
    )
    if sys.platform == "win32":
        dog.returncode = 0  # it stays our child there; nothing waits for it
    else:
        dog.wait()  # it has left us at once; waiting is reaping
    return fd


def clear(root: Path, name: str) -> None:
    """Stop the database and delete the folder.

    :raises InvalidInput: when another process uses it.
    """
    directory = root / "embedded"
    if (directory / name).exists():
        embedded.drop(name, directory)
    shutil.rmtree(root, ignore_errors=True)


def main(root: Path, name: str) -> None:
    """Leave the parent, wait for its end, clear."""
    if sys.platform != "win32":
        if os.fork():
            os._exit(0)
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # the folder is gone already
        watchdog.wait_lock(watchdog.open_lock(_lock(root)))
    deadline = time.monotonic() + _GIVES_UP_S
    while root.exists() and time.monotonic() < deadline:
        # a process that is being killed loses its locks one after the other
        with contextlib.suppress(InvalidInput):
            clear(root, name)
        time.sleep(0.05)


def _lock(root: Path) -> str:
    return str(root / "in-use.lock")


if __name__ == "__main__":
    from tusk_jupyter.demo.practice.database import NAME

    main(Path(sys.argv[1]), NAME)
