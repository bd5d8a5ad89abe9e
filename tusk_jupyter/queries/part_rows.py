"""Where the rows of a query go that several connections read: each part decoded by itself, joined in their order.

A part is an ordinary result with an ordinary sink, on its own worker; what is said of the whole (rows so far, memory,
the frame, the folder) is the sum of them. Memory is watched over the sum, because each part alone may well fit.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.queries.file_rows import FileSink
from tusk_jupyter.queries.memory import Guard, Overflow
from tusk_jupyter.queries.rows import RowSink, framed
from tusk_jupyter.results.dataset import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.delivery import Options
    from tusk_jupyter.results.types import Column

    Finished = tuple[Any, tuple[Column, ...], tuple[str, ...]]


class PartsSink(RowSink):
    """The whole of a result in parts: :meth:`open` gives each part its sink, :meth:`finish` joins them to a frame."""

    def __init__(self, session: Session, options: Options, *, stop: Callable[[], object]) -> None:
        super().__init__(session, None)
        self._options = options
        self._stop = stop
        self._counting = threading.Lock()
        self._parts: Sequence[RowSink] = ()

    def open(self, sessions: Sequence[Session]) -> Sequence[RowSink]:
        """Return one sink for each session, in their order."""
        guard = _Sum(Guard(self._options.memory_limit_mb), self._overflowed)
        self._parts = [RowSink(session, None, guard=guard.part(), stop=self._stop) for session in sessions]
        return self._parts

    def count(self, rows: int) -> None:
        """Note rows that a part has received (on its worker)."""
        with self._counting:
            self.received += rows
            self.kept += rows
            self.nbytes = sum(part.nbytes for part in self._parts)

    def part_ended(self, part: RowSink) -> None:
        """Do what can be done for one part alone (on its worker)."""

    def finish(self, options: Options) -> Finished:
        """Return the frame of all parts, its columns and what is to be noted."""
        from tusk_jupyter.results.joining import joined

        parts = [decoded for part in self._parts if (decoded := part.decoded()) is not None]
        self._parts = ()
        return framed(joined(parts), options) if parts else (None, (), ())

    def discard(self) -> None:
        """Let go of rows that nobody will get."""
        super().discard()
        for part in self._parts:
            part.discard()
        self._parts = ()

    def _overflowed(self, overflow: Overflow) -> None:
        self.overflow = overflow


class PartFiles(PartsSink):
    """The same into a folder: each part writes its own file, and finishes it on its own worker."""

    def __init__(self, session: Session, options: Options, folder: Folder, *, stop: Callable[[], object]) -> None:
        super().__init__(session, options, stop=stop)
        self._folder = folder
        self._finished: dict[RowSink, Finished] = {}

    @staticmethod
    def warm_up() -> None:
        """Import what decodes and writes rows."""
        FileSink.warm_up()

    def open(self, sessions: Sequence[Session]) -> Sequence[RowSink]:
        """Return one sink for each session, in their order."""
        files = self._folder.files(len(sessions))
        self._parts = [
            FileSink(session, replace(self._options, destination=file, limit=None))
            for session, file in zip(sessions, files, strict=True)
        ]
        return self._parts

    def part_ended(self, part: RowSink) -> None:
        """Complete the part's file."""
        self._finished[part] = part.finish(self._options)

    def finish(self, options: Options) -> Finished:  # noqa: ARG002 - known since the files were opened
        """Put the folder under its name.

        :raises IoError: when it cannot be.
        """
        notes = dict.fromkeys(note for part in self._parts for note in self._finished[part][2])
        columns = self._finished[self._parts[0]][1]
        try:
            self.written = self._folder.finish()
        except OSError as error:
            raise self._folder.failed(error) from error
        return None, columns, tuple(notes)

    def discard(self) -> None:
        """Remove what was not finished."""
        super().discard()
        self._folder.discard()

    def abandon(self) -> None:
        """Let the folder not appear when nobody waits for it any more."""
        self._folder.abandon()


def sink_for(session: Session, options: Options, *, stop: Callable[[], object]) -> PartsSink:
    """Return where all rows of a query in parts go."""
    if isinstance(options.destination, Folder):
        return PartFiles(session, options, options.destination, stop=stop)
    return PartsSink(session, options, stop=stop)


class _Sum:
    """One guard for the results of all parts."""

    def __init__(self, guard: Guard, on_overflow: Callable[[Overflow], None]) -> None:
        self._guard = guard
        self._on_overflow = on_overflow
        self._lock = threading.Lock()
        self._seen: list[tuple[int, int]] = []

    def part(self) -> Guard:
        """Return the guard that one part asks."""
        self._seen.append((0, 0))
        return _PartGuard(self, len(self._seen) - 1)

    def look(self, part: int, nbytes: int, rows: int, objects: float) -> Overflow | None:
        with self._lock:
            self._seen[part] = (nbytes, rows)
            whole = [sum(numbers) for numbers in zip(*self._seen, strict=True)]
            overflow = self._guard.overflow(whole[0], rows=whole[1], objects=objects)
            if overflow is not None:
                self._on_overflow(overflow)
            return overflow


class _PartGuard(Guard):
    def __init__(self, whole: _Sum, number: int) -> None:
        super().__init__(0)
        self._whole = whole
        self._number = number

    def overflow(self, nbytes: int, *, rows: int, objects: float) -> Overflow | None:
        return self._whole.look(self._number, nbytes, rows, objects)
