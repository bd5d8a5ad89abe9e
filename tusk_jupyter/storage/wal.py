"""The write-ahead log beside ``tusk.db``, read without SQLite: what it has committed, and whether it is damaged.

SQLite reads a log up to the first frame whose checksum is wrong and forgets the rest without a word, because that is
what a transaction looks like that a crash has cut off. Where a later frame of the same log ends a transaction,
something that was committed is behind the bad one. That is looked for by the first kernel that opens the file after
the last one has gone, and only where that one left a log: 80 ms for 4 MB, the size at which SQLite begins it anew.

The format: https://www.sqlite.org/fileformat2.html, sections 4.1 and 4.2. Each frame's checksum starts from the one
before, which stands in that one's header: one bad frame does not spoil those after it.
"""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEADER, FRAME_HEADER = 32, 24
LITTLE, BIG = 0x377F0682, 0x377F0683
CHECK_LIMIT = 32 * 2**20
_MASK = 0xFFFFFFFF
_SIZES = {512 << power for power in range(8)}


@dataclass(frozen=True, slots=True)
class Frame:
    """A page in the log; ``commit`` is not zero where a transaction ends, ``sound`` whether its checksum is right."""

    page: int
    commit: int
    start: int
    sound: bool


def beside(path: Path) -> Path:
    """Return the log of the database at ``path``."""
    return path.with_name(path.name + "-wal")


def page_size(log: bytes) -> int | None:
    """Return the size of the log's pages, ``None`` where its header makes no sense."""
    size = int.from_bytes(log[8:12], "big")
    return size if size in _SIZES else None


def is_damaged(path: Path, *, default_size: int = 4096) -> bool:
    """Return whether the log beside ``path`` holds transactions behind a damaged part."""
    try:
        with beside(path).open("rb") as file:
            log = file.read(CHECK_LIMIT + 1)
    except FileNotFoundError:
        return False
    if len(log) > CHECK_LIMIT:
        return False
    found = frames(log, page_size(log) or default_size)
    sound = _header_is_sound(log)
    for frame in found:
        if frame.commit and not sound:
            return True
        sound = sound and frame.sound
    return False


def committed(log: bytes, size: int) -> dict[int, bytes]:
    """Return the last version of each page that a transaction has committed, damaged frames left out."""
    found: dict[int, bytes] = {}
    transaction: dict[int, bytes] = {}
    for frame in frames(log, size):
        if frame.sound:
            transaction[frame.page] = log[frame.start : frame.start + size]
        if frame.commit:
            found |= transaction
            transaction = {}
    return found


def frames(log: bytes, size: int) -> list[Frame]:
    """Return the frames of this log; those of an earlier one in the same file, further back, have another salt."""
    starts = range(HEADER, len(log) - FRAME_HEADER - size + 1, FRAME_HEADER + size)
    if _header_is_sound(log):
        salt, before, order = log[16:24], log[24:32], "<" if int.from_bytes(log[:4], "big") == LITTLE else ">"
    else:
        salt, before, order = _first_salt(log, starts), b"", "<" if sys.byteorder == "little" else ">"
    found: list[Frame] = []
    for start in starts:
        page, commit = struct.unpack_from(">II", log, start)
        stored, body = log[start + 16 : start + 24], start + FRAME_HEADER
        if log[start + 8 : start + 16] == salt:
            parts = log[start : start + 8], log[body : body + size]
            found.append(Frame(page, commit, body, sound=bool(before) and _checksum(parts, before, order) == stored))
        else:
            found.append(Frame(0, 0, 0, sound=False))
        before = stored
    return found


def _first_salt(log: bytes, starts: range) -> bytes:
    """Return the first salt that two frames in a row have."""
    salts = [log[start + 8 : start + 16] for start in starts]
    return next((one for one, two in pairwise(salts) if one == two), b"")


def _header_is_sound(log: bytes) -> bool:
    magic = int.from_bytes(log[:4], "big")
    if len(log) < HEADER or magic not in {LITTLE, BIG}:
        return False
    return _checksum((log[:24],), bytes(8), "<" if magic == LITTLE else ">") == log[24:32]


def _checksum(parts: tuple[bytes, ...], before: bytes, order: str) -> bytes:
    one, two = struct.unpack(">II", before)
    for part in parts:
        words = struct.unpack(f"{order}{len(part) // 4}I", part)
        for first, second in zip(words[::2], words[1::2], strict=True):
            one = (one + first + two) & _MASK
            two = (two + second + one) & _MASK
    return struct.pack(">II", one, two)
