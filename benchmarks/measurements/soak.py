"""The soaks, for a minute each: nothing may be wrong, whatever is cancelled, killed or restarted meanwhile.

One is of ten threads on ten connections, one of ten background queries and a foreground one that are stopped at any
moment. No race against anybody: the figures say how much was done and disturbed in one run, and the aims are that
nothing was wrong. Each is a process of its own, the first on a server that restarts under it; what they do and check is
in ``side_by_side/soaking.py`` and ``soaking_jobs.py``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import side_by_side
from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.place import DATABASE
from side_by_side.shell import ChildFailed

from measurements import headline

if TYPE_CHECKING:
    from collections.abc import Callable

    from side_by_side.place import Place

NAME = "tusk-jupyter"
SECONDS, QUICK_SECONDS = 60, 8
THREADS = 10
JOBS = 10
LIMIT_S = 120
WRONG = "wrong results, rows, sessions, numbers, or anything left"
# figure → what of the report it adds up
FIGURES = {
    "done, and right": lambda name: name.endswith(": right"),
    "cancelled": lambda name: name == "QueryCancelled",
    "sessions lost, and said to be": lambda name: name in {"ConnectionLost", "CommitLostError"},
    "backends ended": lambda name: name.startswith("! backend"),
    "restarts": lambda name: name.startswith("! restart"),
    "looks at a pool's numbers": lambda name: name == "status looked at",
}
JOB_FIGURES = {
    "background queries, right": lambda name: name == "background: right",
    "foreground queries, right": lambda name: name == "foreground: right",
    "stops asked for": lambda name: name.startswith("! cancel"),
    "cancelled": lambda name: name.startswith("QueryCancelled"),
    "disconnects": lambda name: name == "! disconnected",
    "looks at `%tusk queries`": lambda name: name == "queries looked at",
}


def plan(place: Place, *, quick: bool) -> Measurement:
    """One run of ten threads on ten connections."""
    seconds = QUICK_SECONDS if quick else SECONDS
    return Measurement(
        name="soak",
        title=f"Soak: {THREADS} threads on {THREADS} connections for {seconds} s, cancels, dead backends, restarts",
        unit="count",
        cases=[Case(NAME, partial(_sample, place, seconds, "soaking", FIGURES, threads=THREADS))],
        aims=[Aim(WRONG, NAME, at_most=0, row=headline.SOAK)],
        rounds=1,
        warm_up=False,
    )


def background_plan(place: Place, *, quick: bool) -> Measurement:
    """One run of ten background queries and a foreground one."""
    seconds = QUICK_SECONDS if quick else SECONDS
    return Measurement(
        name="soak-background",
        title=f"Soak: {JOBS} background queries and a foreground one for {seconds} s, stopped at any moment",
        unit="count",
        cases=[Case(NAME, partial(_sample, place, seconds, "soaking_jobs", JOB_FIGURES, jobs=JOBS))],
        aims=[Aim(WRONG, NAME, at_most=0, row=headline.SOAK_BACKGROUND)],
        rounds=1,
        warm_up=False,
    )


def _sample(
    place: Place, seconds: int, module: str, figures: dict[str, Callable[[str], bool]], **options: int
) -> Sample:
    seed = int(time.time())
    print(f"{module}: seed {seed}", file=sys.stderr)
    job = {"conninfo": f"dbname={DATABASE}", "seconds": seconds, "seed": seed, **options}
    done = subprocess.run(
        [sys.executable, "-m", f"side_by_side.{module}", json.dumps(job)],
        cwd=Path(side_by_side.__path__[0]).parent,
        env=place.environment(),
        capture_output=True,
        text=True,
        timeout=seconds + LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise ChildFailed(NAME, done.stderr)
    report = json.loads(done.stdout.splitlines()[-1])
    for wrong in report["wrong"]:
        print(f"{module}: {wrong}", file=sys.stderr)
    counts = report["counts"]
    sample = {figure: [float(sum(n for name, n in counts.items() if of(name)))] for figure, of in figures.items()}
    return sample | {WRONG: [float(len(report["wrong"]))], "threads at most": [float(report["threads"])]}
