"""Decode: what turning a result into columns adds to reading it, for both decoders; no frame is made.

The limit is the same session reading the same text of the same result in the same chunks, and dropping each: what a
decoder costs beyond it is its own. The three data sets of ``datasets.py``, part of their
rows. One fresh process per case; imports, the connection and a ten-row read are not in it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.shell import time_code
from side_by_side.subjects import TUSK

from measurements import datasets

if TYPE_CHECKING:
    from side_by_side.place import Place

# table → rows
TABLES = {"narrow": 600_000, "lineitem": 300_000, "texts": 150_000}
# case → the decoder that the environment asks for; "" reads and drops
READ, COMPILED, PYTHON = "read and dropped", "compiled", "Python"
CASES = {READ: "", COMPILED: "compiled", PYTHON: "python"}
SETUP = """
import psycopg
from tusk_jupyter.connections.session import Session
from tusk_jupyter.connections.wire import Command
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
    """Read part of the data sets in the three ways."""
    sizes = {name: rows // 100 if quick else rows for name, rows in TABLES.items()}
    datasets.make(place, *TABLES, quick=quick)
    return Measurement(
        name="decode",
        title="Decode: narrow 600,000 x 6, lineitem 300,000 x 16, texts 150,000 x 20",
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
