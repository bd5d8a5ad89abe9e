"""The log: one file per day and process in the data directory, and the server's console; never a cell.

One file per *process*, because handlers that rotate a shared file lose lines (319 of 800, measured), and per day, kept
14 days. The console is the terminal of the notebook server. In a kernel neither ``sys.stderr`` nor ``sys.__stderr__``
is that: ipykernel puts a pipe to the cell under file descriptor 2 as well, and keeps a copy of the original one, which
its own log uses too. In a terminal the console is where the user works, so there it gets nothing. Passwords
are masked in every finished line. A file that cannot be opened costs one warning, not one
traceback per record.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tusk_jupyter.paths import ensure_dir
from tusk_jupyter.redaction import redact

if TYPE_CHECKING:
    from pathlib import Path

    from tusk_jupyter.errors import TuskError

KEEP_DAYS = 14
ROOT = logging.getLogger("tusk_jupyter")
# psycopg's warnings (a pool that cannot reconnect) would go to the cell otherwise, by logging's handler of last resort
LOGGERS = (ROOT, logging.getLogger("psycopg"))
for _logger in LOGGERS:
    _logger.addHandler(logging.NullHandler())
_handlers: list[logging.Handler] = []


class _Redacted(logging.Formatter):
    """Masks passwords in the finished line: a traceback's last line is text of somebody else's, too."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _Console(logging.Handler):
    """Writes to a file descriptor that is not ours to close."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd

    def emit(self, record: logging.LogRecord) -> None:
        try:
            os.write(self._fd, (self.format(record) + "\n").encode("utf-8", "backslashreplace"))
        except OSError:  # a full disk, or a console that is gone, must not end a query
            return


class _DailyFile(_Console):
    """Appends to ``tusk-YYYY-MM-DD-PID.log``; a new day is a new name, so nothing is ever renamed."""

    def __init__(self, directory: Path) -> None:
        super().__init__(-1)
        self._directory = directory
        self._day = ""
        self._open(datetime.now(UTC).strftime("%Y-%m-%d"))

    def _open(self, day: str) -> None:
        path = self._directory / f"tusk-{day}-{os.getpid()}.log"
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
        if self._fd >= 0:
            os.close(self._fd)
        self._day, self._fd = day, fd

    def emit(self, record: logging.LogRecord) -> None:
        day = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d")
        if day != self._day:
            try:
                self._open(day)
            except OSError:  # yesterday's file then
                self._day = day
        super().emit(record)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        super().close()


def start(directory: Path | None) -> TuskError | None:
    """Log to ``directory`` (``None``: no file) and, in a kernel, to the server's console; return why there is no file.

    The level is ``TUSK_LOG_LEVEL``, else ``DEBUG`` with ``TUSK_DEV=1``, else ``INFO``.
    """
    stop()
    default = "DEBUG" if os.environ.get("TUSK_DEV") == "1" else "INFO"
    level = logging.getLevelName(os.environ.get("TUSK_LOG_LEVEL", default).upper())
    ROOT.setLevel(level if isinstance(level, int) else logging.INFO)
    ROOT.propagate = False
    layout = _Redacted("%(asctime)s %(levelname)s %(name)s %(threadName)s: %(message)s")
    if (console := _console()) is not None:
        _add(_Console(console), layout)
    from tusk_jupyter.errors import InitializationError

    if directory is None:
        return None
    try:
        ensure_dir(directory)
        _add(_DailyFile(directory), layout)
    except InitializationError as error:
        failure: TuskError | None = error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        failure = InitializationError(f"no log can be written in {str(directory)!r}: {reason}", name=str(directory))
    else:
        _forget_old(directory)
        return None
    ROOT.warning("%s", failure)
    return failure


def _console() -> int | None:
    """Return the file descriptor of the server's console, in a kernel."""
    copy = getattr(sys.stderr, "_original_stdstream_copy", None)
    return copy if isinstance(copy, int) else None


def stop() -> None:
    """Close what :func:`start` opened."""
    while _handlers:
        handler = _handlers.pop()
        for logger in LOGGERS:
            logger.removeHandler(handler)
        handler.close()


def _add(handler: logging.Handler, layout: logging.Formatter) -> None:
    handler.setFormatter(layout)
    _handlers.append(handler)
    for logger in LOGGERS:
        logger.addHandler(handler)


def _forget_old(directory: Path) -> None:
    limit = time.time() - KEEP_DAYS * 86400
    for path in directory.glob("tusk-*.log"):
        try:
            if path.stat().st_mtime < limit:
                path.unlink()
        except OSError:  # another kernel was faster
            continue
