"""Slices of a feed → COPY's CSV, and the way back from a line that the server refused to its row.

One slice is encoded ahead, on a thread of its own, while the one before it is sent: Arrow's kernels do without the GIL.

CSV takes everything: pyarrow writes it column by column without a Python object per value, its quotes tell '' from
NULL, and the server reads any type's text. A load takes 1.07 times what the same CSV does when it is encoded
beforehand, and twice what COPY BINARY does, because the server parses text: so :mod:`copy_binary` comes first.
The server counts lines, not rows: a text with line ends in it is several. Where a slice holds such texts, how many
there are in each row is remembered for the last 256 slices: the server is no further behind than its socket's buffers.
"""

from __future__ import annotations

import io
import struct
from bisect import bisect_right
from collections import deque
from concurrent import futures
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from tusk_jupyter import interrupts
from tusk_jupyter.errors import ConversionError, InvalidInput, TuskError
from tusk_jupyter.results.outgoing import wire

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from typing_extensions import Buffer

    from tusk_jupyter.results.feeds import Feed, FeedColumn

_KEPT: Final = 256
_OPTIONS: Final = pa.csv.WriteOptions(include_header=False, quoting_style="needed")


@dataclass(frozen=True, slots=True)
class _Sent:
    """Rows that were sent: the first one, its line, how many there are, and how many lines each has if not one."""

    row: int
    line: int
    rows: int
    lines: tuple[int, ...] | None


class Encoder:
    """Encodes a feed, a chunk of CSV for each of its slices."""

    # what COPY is told of it
    form = "format csv, encoding 'UTF8'"
    NUL: Final = "holds a NUL character, which PostgreSQL's text cannot"
    UNWRITABLE: Final = (ValueError, TypeError, OverflowError, RecursionError, AttributeError, struct.error)

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.columns = tuple((column.name, column.type) for column in feed.columns)
        # those whose lists are documents, not arrays, because the table says so
        self.json_columns: frozenset[str] = frozenset()
        self._sent: deque[_Sent] = deque(maxlen=_KEPT)
        self._lines = 0
        self._changed: dict[str, None] = {}
        self._ahead: Future[Buffer | None] | None = None
        self.rows = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What was changed on the way, and what was left out."""
        return (*self._feed.notes, *self._changed)

    def chunk(self) -> Buffer | None:
        """Return the next slice as COPY takes it, ``None`` at the end; it is gone after the next but one.

        :raises TuskError: for a value that cannot be sent, naming row and column.
        """
        ahead = self._begun()
        data = ahead.result()
        self._ahead = interrupts.spawn("load", self._encode) if data is not None else ahead
        return data

    def wait(self, seconds: float) -> bool:
        """Wait for the next slice at most so long; return whether it is there."""
        return bool(futures.wait([self._begun()], seconds).done)

    def _begun(self) -> Future[Buffer | None]:
        if self._ahead is None:
            self._ahead = interrupts.spawn("load", self._encode)
        return self._ahead

    def close(self) -> None:
        """Let go of the feed, as soon as the slice that is being encoded is done; closing twice is fine."""
        if self._ahead is not None:
            self._ahead.add_done_callback(lambda _: self._feed.close())
        else:
            self._feed.close()

    def _encode(self) -> Buffer | None:
        part = next(self._feed.slices, None)
        if part is None:
            return None
        arrays = [self._array(values, column) for values, column in zip(part, self._feed.columns, strict=True)]
        out = io.BytesIO()
        # by position: a schema may not repeat names, and what they are does not matter here
        pa.csv.write_csv(pa.record_batch(arrays, [str(i) for i in range(len(arrays))]), out, _OPTIONS)
        data = out.getvalue()
        if b"\0" in data:
            raise self._nul(arrays)
        self._remember(data, arrays, len(arrays[0]))
        return data

    def row_of(self, line: int) -> int | None:
        """Return the 0-based row that a 1-based line of the data belongs to, if it is still known."""
        # a copy: the slice ahead may be on its way
        for sent in reversed(list(self._sent)):
            offset = line - 1 - sent.line
            if offset >= 0:
                found = offset if sent.lines is None else bisect_right(tuple(accumulate(sent.lines)), offset)
                return sent.row + found if found < sent.rows else None
        return None

    def value_of(self, row: int, name: str) -> str | None:  # noqa: ARG002 - in CSV the server shows it
        """Return what is in a row and column, if the server does not say so itself."""
        return None

    def where(self, row: int) -> str:
        """Return a row as a person finds it: by position, and by its label where it has one."""
        label = self._feed.label(row)
        return f"{row}" if label is None else f"{row} (index {label})"

    def _array(self, values: Any, column: FeedColumn) -> pa.Array:
        as_json = column.name in self.json_columns
        try:
            if column.kind is None:
                return wire(values, as_json=as_json, note=self._note(column))
            return self._objects(values, column, as_json=as_json)
        except self.UNWRITABLE as error:
            problem = str(error).partition("\n")[0]
        raise self._unwritable(column, problem)

    def _note(self, column: FeedColumn) -> Callable[[str], None]:
        return _Note(self._changed, column.name)

    def _unwritable(self, column: FeedColumn, problem: str) -> TuskError:
        return ConversionError(
            f"column {column.name!r} holds a value that cannot be written: {problem}",
            advice="Nothing was loaded. Convert the column first.",
            facts=(("column", column.name), ("rows", f"from {self.rows} on")),
        )

    def _objects(self, values: list[Any], column: FeedColumn, *, as_json: bool) -> pa.Array:
        from tusk_jupyter.results.outgoing_json import json_text
        from tusk_jupyter.results.outgoing_objects import is_missing

        text = column.kind.text if column.kind is not None else str
        if as_json and column.type != "text":
            text = json_text
        texts: list[str | None] = []
        try:
            for value in values:
                texts.append(None if is_missing(value) else text(value))  # noqa: PERF401 - its length tells the row
            return pa.array(texts, pa.large_string())
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            said = str(error).partition("\n")[0]
        row = len(texts) if len(texts) < len(values) else _unsendable(texts)
        raise self._refused(row, column.name, values[row], f"cannot be written: {said}", ConversionError)

    def _nul(self, arrays: list[pa.Array]) -> TuskError:
        for array, column in zip(arrays, self._feed.columns, strict=True):
            if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
                for row, value in enumerate(array.to_pylist()):
                    if value is not None and "\0" in value:
                        return self._refused(row, column.name, value, self.NUL, InvalidInput)
        return InvalidInput("the data holds a NUL character, which PostgreSQL's text cannot")

    def _refused(self, offset: int, column: str, value: Any, said: str, kind: type[TuskError]) -> TuskError:
        row = self.where(self.rows + offset)
        shown = repr(value)
        shown = shown if len(shown) <= 200 else f"{shown[:199]}…"  # noqa: PLR2004 - what a line of a panel holds
        return kind(
            f"row {row}, column {column!r} {said}",
            advice=f"Nothing was loaded. Correct the value, or take the character out of column {column!r}.",
            facts=(("row", row), ("column", column), ("value", shown)),
        )

    def _remember(self, data: bytes, arrays: list[pa.Array], rows: int) -> None:
        lines = None
        if data.count(b"\n") != rows or b"\r" in data:
            lines = _lines(arrays, rows, first=self.rows == 0)
        last = self._sent[-1] if self._sent else None
        if last is not None and last.lines is None and lines is None:
            self._sent[-1] = replace(last, rows=last.rows + rows)
        else:
            self._sent.append(_Sent(self.rows, self._lines, rows, lines))
        self.rows += rows
        self._lines += rows if lines is None else sum(lines)


class _Note:
    """Keeps a remark on a column once."""

    def __init__(self, notes: dict[str, None], name: str) -> None:
        self._notes = notes
        self._name = name

    def __call__(self, text: str) -> None:
        self._notes[f"{self._name}: {text}"] = None


def _lines(arrays: list[pa.Array], rows: int, *, first: bool) -> tuple[int, ...]:
    """Return how many lines each row is to the server, which knows what ends a line only after the first one."""
    texts = [a for a in arrays if pa.types.is_string(a.type) or pa.types.is_large_string(a.type)]
    counts = [1] * rows
    for array in texts:
        for row, found in enumerate(pc.count_substring(array, "\n").to_pylist()):
            counts[row] += found or 0
    if first and rows:
        counts[0] = 1 + sum((array[0].as_py() or "").count("\r") for array in texts)
    return tuple(counts)


def _unsendable(texts: list[str | None]) -> int:
    for row, text in enumerate(texts):
        try:
            (text or "").encode()
        except UnicodeEncodeError:
            return row
    return 0
