"""``--to FILE.parquet``: 5 GB of rows, and a tenth of them, beside the raw read; is its memory flat?

The rows are a view's, lineitem over and over, so that the server has no table of that size to read from the disk; 5 GB
is what they are on the wire as text. One round, which takes minutes: a longer time is its own average. The memory added
at the peak must not depend on the result's size, so the peak of the tenth is what that of the whole is divided by.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.shell import time_code

from measurements import datasets, headline, rawread, readers
from measurements.rawread import CPU, LIMIT, PEAK, WALL

if TYPE_CHECKING:
    from side_by_side.place import Place

TABLE = "lineitem"
WIRE_BYTES, QUICK_BYTES = 5e9, 5e7
TENTH = 10
OURS, OURS_TENTH = readers.OURS.name, f"{readers.OURS.name}, a tenth of the rows"
FILE = "file"
CELL = "get_ipython().run_cell_magic('sql', '--to {file}', {sql!r})"


def plan(place: Place, *, quick: bool) -> Measurement:
    """The views, then the raw read and ours; the tenth of ours alone."""
    datasets.make(place, TABLE, quick=quick)
    rows = datasets.ALL[TABLE].size(quick=quick)
    copies = _copies(place, rows, QUICK_BYTES if quick else WIRE_BYTES)
    with place.connect() as conn:
        for name, wanted in (("many", rows * copies), ("tenth", rows * copies // TENTH)):
            parts = [f"select * from {TABLE}"] * (wanted // rows) + [f"(select * from {TABLE} limit {wanted % rows})"]
            conn.execute(f"create or replace view {name} as {' union all '.join(parts)}")
    size = "50 MB" if quick else "5 GB"
    return Measurement(
        name="to-file",
        title=f"--to FILE.parquet: {rows * copies:,} x 16, {size} on the wire",
        unit="s",
        units={PEAK: "MB", FILE: "MB", "on the wire": "MB"},
        cases=[
            *rawread.cases(place, "many", rows * copies),
            Case(OURS, partial(_sample, place, "many")),
            Case(OURS_TENTH, partial(_sample, place, "tenth")),
        ],
        aims=[
            Aim(WALL, OURS, over=LIMIT, at_most=1.3, row=headline.TO_FILE),
            Aim(PEAK, OURS, over=OURS_TENTH, at_most=1.2, row=headline.FLAT),
        ],
        rounds=1,
        warm_up=False,
        limit=LIMIT,
    )


def _copies(place: Place, rows: int, wanted: float) -> int:
    """Return how often lineitem has to come for a result of that many bytes, by a raw read of one."""
    text, _ = rawread.cases(place, TABLE, rows)
    return round(wanted / (text.run()["on the wire"][0] * 1e6))


def _sample(place: Place, view: str) -> Sample:
    file = f"{place.fresh_directory()}.parquet"
    setup = readers.OURS.setup + CELL.format(file=f"{file}.ten.parquet", sql=f"select * from {TABLE} limit 10")
    done = time_code(
        place,
        readers.OURS,
        setup=f"import os\n{setup}",
        timed={WALL: CELL.format(file=file, sql=f"select * from {view}")},
        asked={FILE: f"os.stat({file!r}).st_size / 1e6"},
        label=f"to-file {view}",
    )[WALL]
    Path(file).unlink()
    return {WALL: done.seconds, CPU: [done.cpu_s], PEAK: [done.added_mb], FILE: [done.asked[FILE]]}
