"""Fetch: a large result as a DataFrame through ``run_cell_magic``, wall time and the memory it adds at its peak.

Two tables: a million rows of six numbers and dates, 300,000 rows of twenty texts. One fresh process per fetch; imports,
the connection and a ten-row fetch are not in it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.shell import time_code
from side_by_side.subjects import JUPYSQL_PSYCOPG2, TUSK

if TYPE_CHECKING:
    from side_by_side.place import Place
    from side_by_side.subjects import Subject

NARROW = """
create table narrow as
select i::int4 as a, i::int8 * 1000003 as b, i * 0.25::float8 as c, sqrt(i) as d, (i * 0.01)::numeric(12, 2) as e,
       timestamp '2020-01-01' + i * interval '1 second' as f
from generate_series(1, {rows}) i
"""
WIDE = "create table wide as select {columns} from generate_series(1, {rows}) i"
TABLES = {"narrow": 1_000_000, "wide": 300_000}


def plan(place: Place, *, quick: bool) -> Measurement:
    """Make the tables, then ours and JupySQL with its usual driver."""
    _make_tables(place, {name: rows // 100 if quick else rows for name, rows in TABLES.items()})
    tables = tuple(TABLES)
    return Measurement(
        name="fetch",
        title="Fetch into a DataFrame: narrow 1,000,000 x 6 numbers, wide 300,000 x 20 texts",
        unit="s",
        units={f"{table}, peak": "MB" for table in tables},
        cases=[Case(subject.name, partial(_sample, place, subject)) for subject in (TUSK, JUPYSQL_PSYCOPG2)],
        aims=[
            Aim(f"{table}{figure}", TUSK.name, over=JUPYSQL_PSYCOPG2.name)
            for table in tables
            for figure in ("", ", peak")
        ],
        rounds=1 if quick else 3,
        warm_up=False,
    )


def _make_tables(place: Place, sizes: dict[str, int]) -> None:
    columns = ", ".join(f"'{c:02} ' || i || ' some words of text' as t{c}" for c in range(20))
    with place.connect() as conn:
        conn.execute(NARROW.format(rows=sizes["narrow"]))
        conn.execute(WIDE.format(columns=columns, rows=sizes["wide"]))
        for table in sizes:
            conn.execute(f"vacuum analyze {table}")


def _sample(place: Place, subject: Subject) -> Sample:
    sample: Sample = {}
    for table in TABLES:
        setup = subject.load_code() + subject.connect_code() + subject.cell_code(f"select * from {table} limit 10")
        timed = {table: "df = " + subject.cell_code(f"select * from {table}")}
        done = time_code(place, subject, setup=setup, timed=timed)[table]
        sample[table] = done.seconds
        sample[f"{table}, peak"] = [done.added_mb]
    return sample
