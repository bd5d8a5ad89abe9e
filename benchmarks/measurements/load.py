"""``%load_ext``: milliseconds it adds to an IPython that is ready, state, SQLite file and log included.

In a bare InteractiveShell and in a real ipykernel, where part of what an extension imports is loaded already and a
console log is added. Warm: all bytecode is cached and read once before; with a data directory that has to be made, and
with one that is there. Cold: no bytecode at all, as after an installer that compiles nothing; what the load needs of
Python's own modules is compiled again as well, which no installation has to do.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.kernel import started
from side_by_side.shell import time_code
from side_by_side.subjects import JUPYSQL_PSYCOPG2, TUSK

if TYPE_CHECKING:
    from side_by_side.place import Place
    from side_by_side.subjects import Subject

LIMIT_MS = 100.0
SHELL, KERNEL = "in IPython", "in a kernel"
FRESH = f"{TUSK.name}, new data directory"
COLD = f"{TUSK.name}, no bytecode"
TIMED_IN_KERNEL = """
import time as _time
_start = _time.perf_counter()
{load}
print("seconds", _time.perf_counter() - _start)
"""


def plan(place: Place, *, quick: bool) -> Measurement:
    """Four cases, each in a shell and in a kernel."""
    return Measurement(
        name="load",
        title="%load_ext added to a start",
        unit="ms",
        cases=[
            Case(TUSK.name, partial(_sample, place, TUSK)),
            Case(FRESH, partial(_sample, place, TUSK, anew=("TUSK_DATA_DIR",))),
            Case(COLD, partial(_sample, place, TUSK, anew=("PYTHONPYCACHEPREFIX",))),
            Case("jupysql", partial(_sample, place, JUPYSQL_PSYCOPG2)),
        ],
        aims=[
            *(Aim(figure, case, at_most=LIMIT_MS) for figure in (SHELL, KERNEL) for case in (TUSK.name, FRESH, COLD)),
            *(Aim(figure, TUSK.name, over="jupysql", at_most=0.3) for figure in (SHELL, KERNEL)),
        ],
        rounds=1 if quick else 7,
    )


def _sample(place: Place, subject: Subject, *, anew: tuple[str, ...] = ()) -> Sample:
    """Measure both; each process gets a new directory for the variables ``anew``."""
    variables = {name: place.fresh_directory() for name in anew}
    in_shell = time_code(place, subject, timed={SHELL: subject.load_code()}, variables=variables)[SHELL].seconds[0]
    variables = {name: place.fresh_directory() for name in anew}
    with started(place, subject, **variables) as kernel:
        printed = kernel.run(TIMED_IN_KERNEL.format(load=subject.load_code()))
    in_kernel = float(printed.rsplit("seconds", 1)[1])
    return {SHELL: [in_shell * 1000], KERNEL: [in_kernel * 1000]}
