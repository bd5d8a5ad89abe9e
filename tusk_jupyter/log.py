"""The log: one file per day and process in the data directory, and the server's console; never a cell.

One file per *process*, because handlers that rotate a shared file lose lines (319 of 800, measured), and per day, kept
14 days. The console is the terminal of the notebook server. In a kernel neither ``sys.stderr`` nor ``sys.__stderr__``
is that: ipykernel puts a pipe to the cell under file descriptor 2 as well, and keeps a copy of the original one, which
its own log uses too. In a terminal the console is where the user works, so there it gets nothing.

Nobody waits for a disk or a console: a thread writes (:mod:`tusk_jupyter.logsinks`), and whoever logs only makes the
text, because arguments may change before the thread is there, and an exception holds frames that hold passwords. The
text is masked there and then, in the record itself (6 µs a line), by a handler that stands in front of all others, so
that a handler which a user adds to our logger gets masked text as well. The queue is bounded; what does not fit is
counted, and the count is a line of the log. At exit logging itself closes its handlers, which flushes. A forked child
has no such thread: it writes by itself, to its own file.
"""

from __future__ import annotations

import logging
import os
import queue
import sys
import threading
from typing import TYPE_CHECKING

from tusk_jupyter.logsinks import Console, DailyFile, Layout
from tusk_jupyter.paths import ensure_dir
from tusk_jupyter.redaction import redact

if TYPE_CHECKING:
    from pathlib import Path

    from tusk_jupyter.errors import TuskError

LEVELS = {name: level for name, level in logging.getLevelNamesMapping().items() if level}
ROOT = logging.getLogger("tusk_jupyter")
# psycopg's warnings (a pool that cannot reconnect) would go to the cell otherwise, by logging's handler of last resort
LOGGERS = (ROOT, logging.getLogger("psycopg"))
QUEUE_LENGTH = 10_000
BATCH = 500
FLUSH_S = 2.0


class _Lockless(logging.Handler):
    """A handler without logging's lock: nobody waits, and a signal handler may log in the midst of another record."""

    def createLock(self) -> None:  # noqa: N802 - logging's name
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        self.emit(record)
        return True


class _Masking(_Lockless):
    """Makes a record plain masked text before any other handler sees it; also keeps the last resort away."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except Exception as error:  # noqa: BLE001 - logging would print it, into the cell
            text = f"{record.msg!s:.200} (its arguments cannot be shown: {type(error).__name__})"
        record.msg, record.args = redact(text), ()
        if record.exc_info:
            try:
                record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
            except Exception as error:  # noqa: BLE001 - an exception whose text cannot be made
                record.exc_text = f"(a traceback that cannot be shown: {type(error).__name__})"
            record.exc_info = None
        if record.stack_info:
            record.stack_info = redact(record.stack_info)


for _logger in LOGGERS:
    _logger.handlers.insert(0, _Masking())


class _Queue(_Lockless):
    """Hands records to the thread ``tusk-log``, which writes them to every sink in turn."""

    def __init__(self, file: DailyFile | None, console: Console | None) -> None:
        super().__init__()
        self.file = file
        self.dropped = 0
        self._sinks = [sink for sink in (file, console) if sink is not None]
        self._layout = Layout()
        self._records: queue.SimpleQueue[logging.LogRecord | threading.Event | None] = queue.SimpleQueue()
        self._told = 0
        self._thread: threading.Thread | None = threading.Thread(target=self._work, name="tusk-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        if self._thread is None:
            self._write([record])
        elif self._records.qsize() < QUEUE_LENGTH:
            self._records.put(record)
        else:
            self.dropped += 1

    def flush(self) -> None:
        """Wait, two seconds at most, until what was logged so far is written."""
        self.drain()

    def drain(self) -> bool:
        """Flush, and return whether everything is written."""
        if self._thread is None or not self._thread.is_alive():
            return True
        written = threading.Event()
        self._records.put(written)
        return written.wait(FLUSH_S)

    def close(self) -> None:
        """Write what is queued and close the file; a sink that hangs is left behind after two seconds."""
        super().close()
        thread, self._thread = self._thread, None
        if thread is not None:
            self._records.put(None)
            thread.join(FLUSH_S)
            if thread.is_alive():
                return
        for sink in self._sinks:
            sink.close()
        self._sinks = []

    def forked(self) -> None:
        """Go on in a child: without the thread, without what the parent had queued, in a file of its own."""
        self._records, self._thread = queue.SimpleQueue(), None
        if self.file is not None:
            self.file.reopen()

    def _work(self) -> None:
        last = False
        while not last:
            item = self._records.get()
            records: list[logging.LogRecord] = []
            while isinstance(item, logging.LogRecord):
                records.append(item)
                if len(records) == BATCH or self._records.empty():
                    break
                item = self._records.get()
            if records:
                self._write(records)
            if isinstance(item, threading.Event):
                item.set()
            last = item is None

    def _write(self, records: list[logging.LogRecord]) -> None:
        if (dropped := self.dropped) > self._told:
            count, self._told = dropped - self._told, dropped
            text = f"{count} lines were dropped here: they came faster than they could be written"
            records.insert(0, ROOT.makeRecord(ROOT.name, logging.WARNING, "", 0, text, (), None))
        lines = [(record.created, self._layout.line(record)) for record in records]
        for sink in self._sinks:
            sink.write(lines)


_queue: _Queue | None = None


def start(directory: Path | None) -> TuskError | None:
    """Log to ``directory`` (``None``: no file) and, in a kernel, to the server's console; return why there is no file.

    The level is ``TUSK_LOG_LEVEL``, else ``DEBUG`` with ``TUSK_DEV=1``, else ``INFO``.
    """
    global _queue  # noqa: PLW0603 - logging is the process's
    stop()
    wanted = os.environ.get("TUSK_LOG_LEVEL", "").strip()
    default = logging.DEBUG if os.environ.get("TUSK_DEV") == "1" and not wanted else logging.INFO
    ROOT.setLevel(LEVELS.get(wanted.upper(), default))
    ROOT.propagate = False
    file, failure = _file(directory) if directory is not None else (None, None)
    fd = _console()
    _queue = _Queue(file, Console(fd) if fd is not None else None)
    for logger in LOGGERS:
        logger.addHandler(_queue)
    if wanted and wanted.upper() not in LEVELS:
        ROOT.warning("TUSK_LOG_LEVEL is %.40r, which is none of %s: INFO is used", wanted, ", ".join(LEVELS))
    if failure is not None:
        ROOT.warning("%s", failure)
    return failure


def _file(directory: Path) -> tuple[DailyFile | None, TuskError | None]:
    from tusk_jupyter.errors import InitializationError

    try:
        return DailyFile(ensure_dir(directory)), None
    except InitializationError as error:
        return None, error
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        path = str(directory)
        return None, InitializationError(f"no log can be written in {path!r}: {reason}", name=path)


def _console() -> int | None:
    """Return the file descriptor of the server's console, in a kernel."""
    copy = getattr(sys.stderr, "_original_stdstream_copy", None)
    return copy if isinstance(copy, int) else None


def flush() -> bool:
    """Wait, two seconds at most, until what was logged so far is written; return whether it is."""
    return _queue.drain() if _queue is not None else True


def stop() -> None:
    """Write what is queued and close what :func:`start` opened; stopping twice is fine."""
    global _queue  # noqa: PLW0603 - likewise
    if _queue is None:
        return
    for logger in LOGGERS:
        logger.removeHandler(_queue)
    _queue.close()
    _queue = None


def file() -> Path | None:
    """Return the file that is written now."""
    return _queue.file.path if _queue is not None and _queue.file is not None else None


def state() -> str:
    """Return one line on how the log is: ``ok: …``, or what is wrong with it."""
    level = f"level {logging.getLevelName(ROOT.level)}"
    path = file()
    if _queue is None or path is None:
        return f"no file is written; {level}"
    lost = _queue.dropped + (_queue.file.lost if _queue.file is not None else 0)
    if lost:
        return f"{lost} lines were lost; {level}: {path}"
    return f"ok: {path}; {level}"


def _forked() -> None:
    if _queue is not None:
        _queue.forked()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
