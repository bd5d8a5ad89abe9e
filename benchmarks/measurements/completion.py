"""Completion over 100,000 tables with 1,000,000 columns and 33,000 foreign keys: milliseconds per Tab, by text.

The catalog is made, not read: what is measured is what a key press waits for. Everyone gets the same names and texts,
and is called as its front end calls it: ours by ``complete``, pgcli's completer by ``get_completions`` of a document.
Each text is asked five times, or until a second is spent, and the fastest counts, in processor time of the thread:
nobody waits for anything else. The figures are the median and the worst over the texts. pgcli lives in the peers'
environment and has none of our catalog's comments and constraints to carry.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.shell import ChildFailed

if TYPE_CHECKING:
    from side_by_side.place import Place

NAME, PGCLI = "tusk-jupyter", "pgcli"
TABLES, QUICK_TABLES = 100_000, 1_000
MEDIAN, WORST, PREPARED = "median over the texts", "worst of the texts", "what is made once per catalog"
PROGRAM = Path(__file__).parents[1] / "side_by_side" / "completing.py"
TEXTS = [
    "|", "sel|", "select |", "select c| from orders_items_000004", "select | from orders_items_000004 o",
    "select o.| from orders_items_000004 o", "select o.cre| from orders_items_000004 o", "select * from |",
    "select * from o|", "select * from orders_c|", "select * from zzzz|", "select * from tenant_1.|",
    "select * from tenant_1.ord|", "select * from orders_items_000004 o |",
    "select * from orders_items_000004 o where |",
    "select * from orders_items_000004 o where o.region = 'x' and |", "select * from orders_items_000004 o join |",
    "select * from orders_items_000004 o join items_log_000008 i on |", "insert into |", "insert into ord|",
    "insert into orders_items_000004 (|", "update orders_items_000004 set |", "delete from e|",
    "select count(|) from orders_items_000004", "select coun|", "select a::|",
    "select region from orders_items_000004 group by |",
    "select * from orders_items_000004 order by |", "with q as (select id from orders_items_000004) select | from q",
    "select * from (select id, region from orders_items_000004) x where x.|", "drop table o|", "alter table orders|",
]  # fmt: skip


def plan(place: Place, *, quick: bool) -> Measurement:
    """Complete every text over the same made-up database."""
    tables = QUICK_TABLES if quick else TABLES
    return Measurement(
        name="completion",
        title=f"Completion over {tables:,} tables, {len(TEXTS)} texts",
        unit="ms",
        cases=[
            Case(NAME, partial(_sample, place, "own", "tusk", tables)),
            Case(PGCLI, partial(_sample, place, "peers", "pgcli", tables), rounds=1, may_fail=True),
        ],
        aims=[
            Aim(MEDIAN, NAME, at_most=20.0),
            Aim(WORST, NAME, at_most=20.0),
            Aim(MEDIAN, NAME, over=PGCLI),
            Aim(WORST, NAME, over=PGCLI),
            Aim(PREPARED, NAME),
        ],
        rounds=1 if quick else 3,
        warm_up=False,
    )


def _sample(place: Place, environment: str, who: str, tables: int) -> Sample:
    with tempfile.TemporaryDirectory(dir=place.scratch) as folder:
        answer = Path(folder) / "answer.json"
        job = json.dumps({"who": who, "tables": tables, "texts": TEXTS, "answer": str(answer)})
        command = [str(place.pythons[environment]), str(PROGRAM), job]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=place.environment())
        if done.returncode:
            raise ChildFailed(who, done.stderr)
        found: Sample = json.loads(answer.read_text("utf-8"))
        return found
