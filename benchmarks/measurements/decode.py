"""Decode: what turning a result into columns adds to reading it, for both decoders; no frame is made.

The limit is the same session reading the same text of the same result in the same chunks, and dropping each: what a
decoder costs beyond it is its own. Three shapes: six numbers and dates, TPC-H's lineitem, twenty texts with NULLs,
uuid, jsonb and an array. One fresh process per case; imports, the connection and a ten-row read are not in it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.shell import time_code
from side_by_side.subjects import TUSK

if TYPE_CHECKING:
    from side_by_side.place import Place

NUMBERS = """
create table numbers as
select i::int4 as a, i::int8 * 1000003 as b, i * 0.25::float8 as c, sqrt(i) as d, (i * 0.01)::numeric(12, 2) as e,
       timestamp '2020-01-01' + i * interval '1 second' as f
from generate_series(1, {rows}) i
"""
LINEITEM = """
create table lineitem as
select i::int8 / 4 as orderkey, (i::int8 * 7919 % 200000)::int4 as partkey, (i::int8 * 104729 % 10000)::int4 as suppkey,
       (i % 7)::int4 as linenumber, (i % 50 + 1)::numeric(15, 2) as quantity,
       (i * 1.37 % 100000)::numeric(15, 2) as extendedprice, (i % 11 * 0.01)::numeric(15, 2) as discount,
       (i % 9 * 0.01)::numeric(15, 2) as tax, substr('NRA', i % 3 + 1, 1)::char(1) as returnflag,
       substr('OF', i % 2 + 1, 1)::char(1) as linestatus, date '1992-01-02' + i % 2500 as shipdate,
       date '1992-02-02' + i % 2500 as commitdate, date '1992-01-12' + i % 2500 as receiptdate,
       ('{{DELIVER IN PERSON,COLLECT COD,NONE,TAKE BACK RETURN}}'::text[])[i % 4 + 1]::char(25) as shipinstruct,
       ('{{REG AIR,AIR,RAIL,SHIP,TRUCK,MAIL,FOB}}'::text[])[i % 7 + 1]::char(10) as shipmode,
       ('carefully ' || md5(i::text))::varchar(44) as comment
from generate_series(1, {rows}) i
"""
TEXTS = """
create table texts as
select {columns}, md5(i::text)::uuid as u, jsonb_build_object('id', i, 'name', 'n' || i) as j, array[i, i + 1] as a
from generate_series(1, {rows}) i
"""
# table → rows
TABLES = {"numbers": 600_000, "lineitem": 300_000, "texts": 150_000}
# case → the decoder that the environment asks for; "" reads and drops
READ, COMPILED, PYTHON = "read and dropped", "compiled", "Python"
CASES = {READ: "", COMPILED: "compiled", PYTHON: "python"}
SETUP = """
import psycopg
from tusk_jupyter.connections.session import Command, Session
from tusk_jupyter.results import decode, native

session = Session(psycopg.connect(autocommit=True), name="benchmark")

def read(table, rows):
    decoders = []
    def take(chunk):
        if not decoders:
            decoders.append(native.decoder_for(decode.columns_of(chunk, "UTF8"), decode.Settings()))
        decoders[0].append(chunk)
    command = Command(f"select * from {{table}} limit {{rows}}".encode())
    session.submit(lambda: session.run(None, command, on_rows={on_rows})).result()
    return decoders and decoders[0].finish({{}})

read("{table}", 10)
"""


def plan(place: Place, *, quick: bool) -> Measurement:
    """Make the tables, then read them in the three ways."""
    sizes = {name: rows // 100 if quick else rows for name, rows in TABLES.items()}
    texts = ", ".join(
        f"case when i % {c + 2} > 0 then '{c:02} ' || i || ' some words of text' end as t{c}" for c in range(17)
    )
    with place.connect() as conn:
        for name, sql in {"numbers": NUMBERS, "lineitem": LINEITEM, "texts": TEXTS}.items():
            conn.execute(sql.format(rows=sizes[name], columns=texts))
            conn.execute(f"vacuum analyze {name}")
    return Measurement(
        name="decode",
        title="Decode: numbers 600,000 x 6, lineitem 300,000 x 16, texts 150,000 x 20",
        unit="s",
        units={f"{table}, peak": "MB" for table in TABLES},
        cases=[Case(name, partial(_sample, place, decoder, sizes)) for name, decoder in CASES.items()],
        aims=[
            Aim(table, case, over=READ, at_most=most)
            for case, most in ((COMPILED, 1.1), (PYTHON, 2))
            for table in TABLES
        ],
        rounds=1 if quick else 7,
    )


def _sample(place: Place, decoder: str, sizes: dict[str, int]) -> Sample:
    sample: Sample = {}
    for table, rows in sizes.items():
        setup = SETUP.format(table=table, on_rows="take" if decoder else "None")
        timed = {table: f"kept = read('{table}', {rows})"}
        done = time_code(place, TUSK, setup=setup, timed=timed, variables={"TUSK_DECODER": decoder})[table]
        sample[table] = done.seconds
        sample[f"{table}, peak"] = [done.added_mb]
    return sample
