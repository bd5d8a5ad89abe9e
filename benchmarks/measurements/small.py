"""Small queries: what one magic costs when the server has nothing to do, beside psycopg, by hand, and ADBC.

Median of 500 calls of ``run_line_magic`` per process, after 50 unmeasured ones, in a tight loop: the history that the
last call queued is written while the next one runs. Our status line, shown after the cell, is not in it, nor is
JupySQL's feedback, which is switched off.
"""

from __future__ import annotations

import statistics
from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.shell import time_code
from side_by_side.subjects import JUPYSQL_PSYCOPG2, JUPYSQL_PSYCOPG3, TUSK

from measurements import headline, readers

if TYPE_CHECKING:
    from side_by_side.place import Place
    from side_by_side.subjects import Reader, Subject

BY_HAND = "psycopg + DataFrame"
ADBC = readers.FAST_PEERS[0]
ONE, TEN = "select 1", "10 x 6"
QUERIES = {ONE: "select 1", TEN: "select * from ten"}
TABLE = """
create table ten as
select i, i * 1.5::float8 as f, 'name ' || i as t, i % 2 = 0 as b, date '2020-01-01' + i as d, i * 1000000::int8 as n
from generate_series(1, 10) i
"""
BY_HAND_SETUP = "import psycopg, pandas as pd\nconn = psycopg.connect(autocommit=True)\n"
BY_HAND_CODE = "c = conn.execute({sql!r})\npd.DataFrame(c.fetchall(), columns=[d.name for d in c.description])"


def plan(place: Place, *, quick: bool) -> Measurement:
    """Make a table, then three magics and the hand-written way."""
    repeat = 20 if quick else 500
    with place.connect() as conn:
        conn.execute(TABLE)
    subjects = (TUSK, JUPYSQL_PSYCOPG2, JUPYSQL_PSYCOPG3)
    return Measurement(
        name="small",
        title="Small queries by run_line_magic, median of 500 per process",
        unit="µs",
        cases=[
            *(Case(subject.name, partial(_magic, place, subject, repeat)) for subject in subjects),
            Case(BY_HAND, partial(_by_hand, place, repeat)),
            Case(ADBC.name, partial(_adbc, place, repeat), may_fail=True),
        ],
        aims=[
            Aim(ONE, TUSK.name, over=JUPYSQL_PSYCOPG2.name, at_most=0.35, row=headline.SMALL),
            Aim(ONE, TUSK.name, over=BY_HAND, at_most=2.0),
            Aim(ONE, TUSK.name, over=ADBC.name),
            Aim(TEN, TUSK.name, over=JUPYSQL_PSYCOPG2.name),
            Aim(TEN, TUSK.name, over=BY_HAND),
            Aim(TEN, TUSK.name, over=ADBC.name),
        ],
        rounds=1 if quick else 5,
        warm_up=False,
    )


def _magic(place: Place, subject: Subject, repeat: int) -> Sample:
    timed = {name: subject.line_code(query) for name, query in QUERIES.items()}
    return _medians(place, subject, subject.load_code() + subject.connect_code(), timed, repeat)


def _by_hand(place: Place, repeat: int) -> Sample:
    timed = {name: BY_HAND_CODE.format(sql=query) for name, query in QUERIES.items()}
    return _medians(place, TUSK, BY_HAND_SETUP, timed, repeat)


def _adbc(place: Place, repeat: int) -> Sample:
    timed = {name: ADBC.read_code(query) for name, query in QUERIES.items()}
    return _medians(place, ADBC, ADBC.setup, timed, repeat)


def _medians(place: Place, subject: Subject | Reader, setup: str, timed: dict[str, str], repeat: int) -> Sample:
    done = time_code(place, subject, setup=setup, timed=timed, warm_up=max(1, repeat // 10), repeat=repeat)
    return {name: [statistics.median(timing.seconds) * 1e6] for name, timing in done.items()}
