"""Memory of a real kernel process: bare, with the extension, with one idle connection, after a first result.

Both readings of «load plus one idle connection under 100 MB» are aimed at: what the two add to the bare kernel, and
the whole process. A first result brings pandas and pyarrow. RSS is the figure to compare: PSS and USS leave out what
other processes map too, and whoever else runs from the same environment, this benchmark included, makes ours smaller.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.kernel import started
from side_by_side.subjects import JUPYSQL_PSYCOPG2, JUPYSQL_PSYCOPG3, TUSK

if TYPE_CHECKING:
    from side_by_side.kernel import Memory
    from side_by_side.place import Place
    from side_by_side.subjects import Subject

LIMIT_MB = 100.0
BARE, LOADED, IDLE, USED = "bare kernel", "after load", "load + idle connection", "after a first result"


def plan(place: Place, *, quick: bool) -> Measurement:
    """Ours and JupySQL with both drivers."""
    subjects = (TUSK, JUPYSQL_PSYCOPG2, JUPYSQL_PSYCOPG3)
    return Measurement(
        name="memory",
        title="Memory of the whole kernel process",
        unit="MB",
        cases=[Case(subject.name, partial(_sample, place, subject)) for subject in subjects],
        aims=[
            Aim(f"{IDLE}, RSS", TUSK.name, less=f"{BARE}, RSS", at_most=LIMIT_MB),
            Aim(f"{IDLE}, USS", TUSK.name, less=f"{BARE}, USS"),
            Aim(f"{IDLE}, RSS", TUSK.name, at_most=LIMIT_MB),
            Aim(f"{IDLE}, RSS", TUSK.name, over=JUPYSQL_PSYCOPG2.name),
            Aim(f"{IDLE}, RSS", TUSK.name, less=f"{BARE}, RSS", over=JUPYSQL_PSYCOPG2.name),
        ],
        rounds=1 if quick else 3,
        warm_up=False,
    )


def _sample(place: Place, subject: Subject) -> Sample:
    with started(place, subject) as kernel:
        sample: Sample = {}
        kernel.run("1 + 1")
        for stage, code in (
            (BARE, "None"),
            (LOADED, subject.load_code()),
            (IDLE, subject.connect_code()),
            (USED, "_first = " + subject.line_code("select 1 as a")),
        ):
            kernel.run(code)
            sample |= _figures(stage, kernel.memory())
    return sample


def _figures(stage: str, memory: Memory) -> Sample:
    return {f"{stage}, RSS": [memory.rss], f"{stage}, PSS": [memory.pss], f"{stage}, USS": [memory.uss]}
