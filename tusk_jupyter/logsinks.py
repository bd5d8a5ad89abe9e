"""Where lines of the log end: a file per day and process, and a console that is not ours.

Both take what comes and raise nothing: a full disk, a directory that was deleted, a console that nobody reads must not
end a query, and there is nobody to tell (whoever logged has gone on long ago). What is lost is counted. A deleted
file is noticed, because the system goes on writing to a name that is no more, and made again.

A console is a pipe or a terminal that somebody else reads, or does not: it is written only while it takes more, since
a write that waits would hold up the file as well, and making it non-blocking would make it so for the server too.
"""

from __future__ import annotations

import logging
import os
import re
import select
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tusk_jupyter.paths import make_directory

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEEP_DAYS = 14
# what a pipe that has room takes without waiting
_PIECE = getattr(select, "PIPE_BUF", 512)
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(9), *range(0x0B, 0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)}


class Layout(logging.Formatter):
    r"""``2026-11-21 14:02:07.123Z INFO tusk_jupyter.storage tusk-storage: …``, in UTC as the names of the files.

    Colours are taken out, other control characters shown as ``\x07``; further lines are indented, so that a text can
    never look like another record.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(threadName)s: %(message)s")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        when = datetime.fromtimestamp(record.created, UTC)
        return f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03}Z"

    def line(self, record: logging.LogRecord) -> bytes:
        """Return a record as it is written."""
        text = self.format(record).replace("\r\n", "\n")
        plain = _ANSI.sub("", text).translate(_CONTROL)
        return (plain.replace("\n", "\n    ") + "\n").encode("utf-8", "backslashreplace")


class Console:
    """Writes to a file descriptor that is not ours to close."""

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def write(self, lines: Sequence[tuple[float, bytes]]) -> None:
        text = b"".join(line for _, line in lines)
        for start in range(0, len(text), _PIECE):
            if not self._takes_more():
                return
            try:
                os.write(self._fd, text[start : start + _PIECE])
            except OSError:  # it is gone
                return

    def _takes_more(self) -> bool:
        if not hasattr(select, "poll"):
            return True
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return bool(poll.poll(0))

    def close(self) -> None:
        """Nothing is ours here."""


class DailyFile:
    """Appends to ``tusk-YYYY-MM-DD-PID.log``; a new day is a new name, so nothing is ever renamed.

    :raises OSError: where the first one cannot be opened; later nothing is raised.
    """

    def __init__(self, directory: Path) -> None:
        self.lost = 0
        self._directory = directory
        self._fd = -1
        self._torn = False
        self._cleared = ""
        self._day = ""
        self.path = directory
        self._open(_day(time.time()))

    def write(self, lines: Sequence[tuple[float, bytes]]) -> None:
        if self._day != self._cleared:
            self._cleared = self._day
            _forget_old(self._directory)
        start = 0
        for end in range(1, len(lines) + 1):
            if end == len(lines) or _day(lines[end][0]) != _day(lines[start][0]):
                self._write(_day(lines[start][0]), [line for _, line in lines[start:end]])
                start = end

    def reopen(self) -> None:
        """Open this process's own file at the next line: a child has another pid."""
        self.close()
        self._day = ""

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self, day: str, lines: list[bytes]) -> None:
        text = (b"\n" if self._torn else b"") + b"".join(lines)
        try:
            if day > self._day or self._gone():
                self._try_open(max(day, self._day))
            written = os.write(self._fd, text)
        except OSError:
            written = 0
        if written < len(text):
            self._torn = self._torn or written > 0
            self.lost += max(1, text[written:].count(b"\n"))
        else:
            self._torn = False

    def _gone(self) -> bool:
        return self._fd < 0 or os.fstat(self._fd).st_nlink == 0

    def _try_open(self, day: str) -> None:
        # where it fails: yesterday's file then, or the one without a name
        with suppress(OSError, ValueError):
            make_directory(self._directory)
            self._open(day)
        self._day = day

    def _open(self, day: str) -> None:
        path = self._directory / f"tusk-{day}-{os.getpid()}.log"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
        fd = os.open(path, flags, 0o600)
        with suppress(OSError, AttributeError):  # a umask may have taken more away than others' rights
            os.fchmod(fd, 0o600)
        if self._fd >= 0:
            os.close(self._fd)
        self._day, self._fd, self.path = day, fd, path


def _day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _forget_old(directory: Path) -> None:
    limit = time.time() - KEEP_DAYS * 86400
    with suppress(OSError):
        for path in directory.glob("tusk-*.log"):
            with suppress(OSError):  # another kernel was faster
                if path.stat().st_mtime < limit:
                    path.unlink()
