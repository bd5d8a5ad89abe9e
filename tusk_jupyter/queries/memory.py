"""How much memory is left, and whether a result may take more of it.

A result that does not fit does not fail: the system kills the kernel, or swaps until nobody can stop it, and every
variable of the notebook is gone. So what is left is looked at while rows come, each time they have taken another 16 MB
(40 µs a look), and the statement is stopped while there is still room to say so. A container's limit counts as well as
the machine's, because there it is the container that is killed. What cannot be known (macOS, Windows) refuses nothing;
``memory_limit_mb`` is a limit of the user's own, everywhere.

Rows become a frame column by column, each let go when it is converted. What the compiled decoder has read is the
frame's own memory; dates, integers with NULL and everything that was decoded in Python need up to half of what they
take once more, columns of Python objects (arrays, composites, ``Decimal``) several times their text.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MB = 2**20
RESERVE = 256 * MB
LOOK_EVERY = 16 * MB
_PLAIN_SHARE, _OBJECT_SHARE = 0.5, 6.0
_UNLIMITED = 2**60


@dataclass(frozen=True, slots=True)
class Overflow:
    """Where a result was stopped: the rows and bytes it had then, and the limit that it met."""

    rows: int
    nbytes: int
    limit_mb: int


class Guard:
    """Decides for one result.

    :param limit_mb: the most it may take; 0 for what is free.
    """

    def __init__(self, limit_mb: int, *, left: Callable[[], int | None] | None = None) -> None:
        self._limit_mb = limit_mb
        self._left = left or available
        self._next = LOOK_EVERY

    def overflow(self, nbytes: int, *, rows: int, objects: float) -> Overflow | None:
        """Return where a result of that size ends, ``None`` where it may go on.

        :param objects: the share of its columns that become Python objects.
        """
        if self._limit_mb:
            return Overflow(rows, nbytes, self._limit_mb) if nbytes > self._limit_mb * MB else None
        if nbytes < self._next:
            return None
        self._next = nbytes + LOOK_EVERY
        left = self._left()
        wanted = nbytes * (_PLAIN_SHARE + objects * _OBJECT_SHARE)
        return Overflow(rows, nbytes, 0) if left is not None and left < RESERVE + wanted else None


def available(root: Path = Path("/")) -> int | None:
    """Return the bytes that this process can still take before the system kills it; ``None`` where nobody says."""
    found = [left for left in (_machine(root), *_containers(root)) if left is not None]
    return min(found, default=None)


def _machine(root: Path) -> int | None:
    return _number(_table(root / "proc/meminfo").get("MemAvailable:"), unit=1024)


def _containers(root: Path) -> Iterator[int | None]:
    """Yield what each control group above this process leaves, of either version of them."""
    for line in _lines(root / "proc/self/cgroup"):
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if not controllers:
            base, names = root / "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            base = root / "sys/fs/cgroup/memory"
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        # inside a container the path may be the host's, and its own group is the root of what it sees
        group = base / path.lstrip("/")
        yield from (_left_in(place, *names) for place in {base, group, *group.parents} if place.is_relative_to(base))


def _left_in(group: Path, limit: str, usage: str, cache: str) -> int | None:
    most, used = (_number(next(_lines(group / name), None)) for name in (limit, usage))
    if most is None or used is None or most >= _UNLIMITED:
        return None
    # files that are cached count as used, and go when the memory is wanted
    return most - used + (_number(_table(group / "memory.stat").get(cache)) or 0)


def _lines(path: Path) -> Iterator[str]:
    try:
        yield from path.read_text("ascii", "replace").splitlines()
    except OSError:
        return


def _table(path: Path) -> dict[str, str]:
    return {words[0]: words[1] for line in _lines(path) if len(words := line.split()) > 1}


def _number(text: str | None, *, unit: int = 1) -> int | None:
    return int(text) * unit if text is not None and text.isdigit() else None
