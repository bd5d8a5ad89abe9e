"""``%tusk load``: the frame of lineitem, as a cell gives it, into a new table, beside COPY BINARY encoded before.

The limit sends the same rows as COPY … TO STDOUT (FORMAT BINARY) gave them, out of memory, through psycopg. To create
the table and to commit is in the time of both. Each fills a table that does not exist: an earlier one is dropped, and a
checkpoint taken, before.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.shell import time_code
from side_by_side.subjects import Reader

from measurements import datasets, headline, readers
from measurements.rawread import CPU, PEAK, WALL

if TYPE_CHECKING:
    from side_by_side.place import Place

TABLE = "lineitem"
COPIED = "COPY BINARY, encoded before"
LIMIT_SETUP = f"""
import psycopg
conn = psycopg.connect()
with conn.cursor().copy("copy {TABLE} to stdout (format binary)") as copy:
    blocks, block = [], bytearray()
    for row in copy:
        block += row
        if len(block) >= 1 << 18:
            blocks.append(bytes(block))
            block.clear()
    blocks.append(bytes(block))
conn.commit()
"""
LIMIT = f"""
conn.execute("create table copied (like {TABLE})")
with conn.cursor().copy("copy copied from stdin (format binary)") as copy:
    for block in blocks:
        copy.write(block)
conn.commit()
"""
SUBJECTS = {
    COPIED: (Reader(COPIED, "own", LIMIT_SETUP, LIMIT, ""), "copied"),
    readers.OURS.name: (
        Reader(
            readers.OURS.name,
            "own",
            f"{readers.OURS.setup}\n{readers.OURS.read_code(f'select * from {TABLE}')}\n",
            "get_ipython().run_line_magic('tusk', 'load df --to loaded')",
            "",
        ),
        "loaded",
    ),
}


def plan(place: Place, *, quick: bool) -> Measurement:
    """The limit and ours."""
    datasets.make(place, TABLE, quick=quick)
    data = datasets.ALL[TABLE]
    return Measurement(
        name="into-table",
        title=f"%tusk load of {data.size(quick=quick):,} x {data.columns} into a new table",
        unit="s",
        units={PEAK: "MB"},
        cases=[Case(name, partial(_sample, place, *SUBJECTS[name], quick=quick)) for name in SUBJECTS],
        aims=[Aim(WALL, readers.OURS.name, over=COPIED, at_most=1.2, row=headline.LOAD, label=TABLE)],
        rounds=1 if quick else 5,
        warm_up=False,
        limit=(COPIED,),
    )


def _sample(place: Place, subject: Reader, table: str, *, quick: bool) -> Sample:
    with place.connect() as conn:
        conn.execute(f"drop table if exists {table}")
        conn.execute("checkpoint")
    done = time_code(place, subject, setup=subject.setup, timed={WALL: subject.read}, label=table)[WALL]
    rows = datasets.ALL[TABLE].size(quick=quick)
    with place.connect() as conn:
        found = conn.execute(f"select count(*) from {table}").fetchone()
    if found != (rows,):
        raise RuntimeError(f"{found} rows in {table} instead of {rows}")
    return {WALL: done.seconds, CPU: [done.cpu_s], PEAK: [done.added_mb]}
