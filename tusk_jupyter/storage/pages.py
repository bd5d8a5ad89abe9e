"""Reading rows from the pages of an SQLite file whose header, schema or tree cannot be trusted.

Rows lie in the leaves of their table's tree, each leaf complete in itself: with the page size alone they can be read
when SQLite refuses the file (a bad header), cannot find the tables (a bad first page) or their leaves (a bad inner
page, which takes thousands of rows with it). Which table a row is of, its shape says: the number, types and
NOT NULLs of its columns. What the write-ahead log has committed covers the file's own pages, as it does for SQLite.
Pages that are free hold rows that were deleted; they are left out while the list of them can be read.

The formats: https://www.sqlite.org/fileformat2.html, sections 1.5, 1.6 and 2.1.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO

from tusk_jupyter.storage import wal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tusk_jupyter.storage.salvage import Table

MAGIC = b"SQLite format 3\0"
LEAF = 0x0D
PAGE_SIZE = 4096
PAGE_1_HEADER = 100
_MAX_SIZE = 65536
_MIN_SIZE = 512
_INTEGERS = {1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8}
_FLOAT, _ZERO, _ONE, _BLOB, _TEXT = 7, 8, 9, 12, 13

Row = tuple[int, list[Any]]


def leaf_rows(path: Path) -> Iterator[Row]:
    """Yield (rowid, values) of every row in every leaf of a table that can be made sense of."""
    log = wal.beside(path).read_bytes() if wal.beside(path).exists() else b""
    with path.open("rb") as file:
        size = _page_size(file.read(PAGE_1_HEADER), log)
        pages = _Pages(file, size, wal.committed(log, size))
        free = pages.free()
        for number in range(1, pages.count + 1):
            if number not in free:
                yield from _rows(pages, number)


def fits(table: Table, rowid: int, values: list[Any]) -> list[Any] | None:
    """Return the values as a row of this table, ``None`` when it cannot be one."""
    missing = len(table.columns) - len(values)
    if not 0 <= missing <= table.added:
        return None
    row = [*values, *(None for _ in range(missing))]
    if table.rowid_column is not None:
        if row[table.rowid_column] is not None:  # SQLite stores it in the key alone
            return None
        row[table.rowid_column] = rowid
    declared = zip(row, table.types, table.required, strict=True)
    return row if all(_is_a(value, kind, required=required) for value, kind, required in declared) else None


def is_schema(values: list[Any]) -> bool:
    """Return whether it is a row of ``sqlite_master``."""
    return len(values) == 5 and values[0] in {"table", "index", "trigger", "view"}  # noqa: PLR2004 - its columns


def _is_a(value: Any, kind: str, *, required: bool) -> bool:
    if value is None:
        return not required
    if kind == "text":
        return isinstance(value, str)
    if kind in {"integer", "int"}:
        return isinstance(value, int)
    if kind == "real":
        return isinstance(value, (int, float))
    return True


class _Pages:
    """The pages by number, from 1, those of the log over those of the file."""

    def __init__(self, file: BinaryIO, size: int, log: dict[int, bytes]) -> None:
        self._file = file
        self._log = log
        self.size = size
        self.count = max(file.seek(0, 2) // size, max(log, default=0))

    def __getitem__(self, number: int) -> bytes:
        if number in self._log:
            return self._log[number]
        self._file.seek((number - 1) * self.size)
        return self._file.read(self.size)

    def free(self) -> set[int]:
        """Return the numbers of the pages that are free, as far as their list can be read."""
        head, found = self[1][:PAGE_1_HEADER], set[int]()
        if not head.startswith(MAGIC):
            return found
        trunk = int.from_bytes(head[32:36], "big")
        while 1 < trunk <= self.count and trunk not in found:
            found.add(trunk)
            page = self[trunk]
            if len(page) < self.size:
                break
            count = min(int.from_bytes(page[4:8], "big"), self.size // 4 - 2)
            found.update(struct.unpack_from(f">{count}I", page, 8))
            trunk = int.from_bytes(page[:4], "big")
        return found


def _page_size(head: bytes, log: bytes) -> int:
    size = int.from_bytes(head[16:18], "big")
    whole = _MAX_SIZE if size == 1 else size
    return whole if _MIN_SIZE <= whole <= _MAX_SIZE and whole & (whole - 1) == 0 else wal.page_size(log) or PAGE_SIZE


def _rows(pages: _Pages, number: int) -> Iterator[Row]:
    page = pages[number]
    head = PAGE_1_HEADER if number == 1 else 0
    if len(page) < pages.size or page[head] != LEAF:
        return
    count = int.from_bytes(page[head + 3 : head + 5], "big")
    if head + 8 + 2 * count > pages.size:
        return
    for start in struct.unpack_from(f">{count}H", page, head + 8):
        try:
            yield _cell(pages, page, start)
        except (IndexError, ValueError, struct.error):  # this cell is damaged, the next one may not be
            continue


def _cell(pages: _Pages, page: bytes, start: int) -> Row:
    length, start = _varint(page, start)
    rowid, start = _varint(page, start)
    if rowid >= 1 << 63:
        rowid -= 1 << 64
    usable = pages.size
    most, least = usable - 35, (usable - 12) * 32 // 255 - 23
    if length <= most:
        payload = page[start : start + length]
    else:
        local = least + (length - least) % (usable - 4)
        local = local if local <= most else least
        following = int.from_bytes(page[start + local : start + local + 4], "big")
        payload = page[start : start + local] + _overflow(pages, following, length - local)
    if len(payload) != length:
        raise ValueError("cut short")
    return rowid, _record(payload)


def _overflow(pages: _Pages, number: int, wanted: int) -> bytes:
    parts: list[bytes] = []
    while wanted > 0:
        page = pages[number] if 1 < number <= pages.count else b""
        part = page[4 : 4 + min(wanted, pages.size - 4)]
        if not part:
            raise ValueError("a page of a long row is missing")
        parts.append(part)
        wanted -= len(part)
        number = int.from_bytes(page[:4], "big")
    return b"".join(parts)


def _record(payload: bytes) -> list[Any]:
    """Return the values of a record; :raises ValueError: when its parts do not add up."""
    end, start = _varint(payload, 0)
    kinds: list[int] = []
    while start < end:
        kind, start = _varint(payload, start)
        kinds.append(kind)
    if start != end or not kinds or end + sum(_width(kind) for kind in kinds) != len(payload):
        raise ValueError("not a record")
    values = []
    for kind in kinds:
        width = _width(kind)
        values.append(_value(kind, payload[start : start + width]))
        start += width
    return values


def _width(kind: int) -> int:
    if kind >= _BLOB:
        return (kind - _BLOB) // 2
    return 8 if kind == _FLOAT else _INTEGERS.get(kind, 0)


def _value(kind: int, raw: bytes) -> Any:
    if kind >= _BLOB:
        return raw.decode() if kind % 2 == _TEXT % 2 else raw  # UnicodeDecodeError is a ValueError: no such row
    if kind in _INTEGERS:
        return int.from_bytes(raw, "big", signed=True)
    if kind == _FLOAT:
        return struct.unpack(">d", raw)[0]
    return {_ZERO: 0, _ONE: 1}.get(kind)


def _varint(data: bytes, start: int) -> tuple[int, int]:
    """Return a variable-length integer and where it ends: seven bits per byte, eight in the ninth."""
    value = 0
    for place in range(start, start + 8):
        byte = data[place]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:  # noqa: PLR2004 - the bit that says there is more
            return value, place + 1
    return value << 8 | data[start + 8], start + 9
