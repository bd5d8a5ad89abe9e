"""The raw read as a case of a measurement: see ``side_by_side/rawread.py``, whose text runs in the child."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import side_by_side
from side_by_side.cases import Case, Sample
from side_by_side.shell import time_code
from side_by_side.subjects import Reader

if TYPE_CHECKING:
    from side_by_side.place import Place

PROGRAM = Path(side_by_side.__file__).parent / "rawread.py"
WALL, CPU, PEAK = "wall", "CPU", "peak"
TEXT, BINARY = "raw read, text", "raw read, binary"
LIMIT = (TEXT, BINARY)
READ = "size = received(sock, {sql!r}, {format}, {rows})"


def cases(place: Place, table: str, rows: int) -> list[Case]:
    """Return a raw read of a table in each format; the limit is the faster one."""
    return [
        Case(name, partial(_sample, place, name, number, table, rows), returns="nothing")
        for number, name in enumerate(LIMIT)
    ]


def _sample(place: Place, name: str, number: int, table: str, rows: int) -> Sample:
    reader = Reader(name, "own", "", "", "")
    setup = PROGRAM.read_text("utf-8") + "\nconn, sock = connected()\n"
    setup += READ.format(sql="select * from generate_series(1, 10)", format=number, rows=10)
    timed = {WALL: READ.format(sql=f"select * from {table}", format=number, rows=rows)}
    done = time_code(place, reader, setup=setup, timed=timed, asked={"size": "size"}, label=table)[WALL]
    return {WALL: done.seconds, CPU: [done.cpu_s], PEAK: [done.added_mb], "on the wire": [done.asked["size"] / 1e6]}
