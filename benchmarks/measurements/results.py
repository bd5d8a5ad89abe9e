"""Results: each data set read whole into columns by everyone, ours through ``run_cell_magic``, beside the raw read.

Every figure is of a fresh process; imports, the connection and a ten-row read are not in it. Wall time, processor time
of the client (user and kernel, all threads), memory added at the peak over what the process held before, and for pandas
the frame's own ``memory_usage(deep=True)``. Slow peers take part in two or three of the five rounds. «Limit» is the raw
read (``side_by_side/rawread.py``) in the faster of the two formats.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.shell import time_code

from measurements import datasets, headline, rawread, readers
from measurements.rawread import CPU, LIMIT, PEAK, WALL

if TYPE_CHECKING:
    from side_by_side.place import Place
    from side_by_side.subjects import Reader

FRAME, WIRE = "frame", "on the wire"
WARM_UP = "select * from {table}_ten"
SIZE = """
(lambda found: found.memory_usage(deep=True).sum() / 2**20 if hasattr(found, 'memory_usage') else 0)(
    get_ipython().user_ns.get('df', globals().get('df')))
"""
FAST = tuple(peer.name for peer in readers.FAST_PEERS)
OURS, PYTHON, PARALLEL = readers.OURS.name, readers.PYTHON.name, readers.PARALLEL.name
# the one with the parallel case, whose rows are the usual size
PARALLEL_DATA = "lineitem"


def plan(place: Place, *, quick: bool, name: str) -> Measurement:
    """One data set, everyone."""
    data = datasets.ALL[name]
    datasets.make(place, name, quick=quick)
    rows = data.size(quick=quick)
    ours = (readers.OURS, readers.ARROW, readers.PYTHON, *((readers.PARALLEL,) if name == PARALLEL_DATA else ()))
    others = (*readers.FAST_PEERS, readers.JUPYSQL, *readers.PANDAS)
    return Measurement(
        name=f"results, {name}",
        title=f"{name}: {rows:,} x {data.columns}",
        unit="s",
        units={PEAK: "MB", FRAME: "MB", WIRE: "MB"},
        cases=[
            *rawread.cases(place, name, rows),
            *(_case(place, reader, name, may_fail=False) for reader in ours),
            *(_case(place, reader, name, may_fail=True) for reader in others),
        ],
        aims=_aims(name),
        rounds=1 if quick else 5,
        warm_up=False,
        limit=LIMIT,
    )


PLANS = tuple(partial(plan, name=name) for name in datasets.ALL)


def _aims(name: str) -> list[Aim]:
    def aim(row: str, figure: str, case: str | tuple[str, ...], **more: object) -> Aim:
        return Aim(figure, case, row=row, label=name, **more)  # type: ignore[arg-type]

    aims = [
        aim(headline.WALL, WALL, OURS, over=LIMIT, at_most=1.1),
        aim(headline.JUPYSQL, WALL, readers.JUPYSQL.name, over=OURS, at_least=10),
        aim(headline.PEERS, WALL, FAST, over=OURS, at_least=1.4),
        aim(headline.CPU, CPU, OURS, over=FAST, chosen_by=WALL, at_most=0.5),
        aim(headline.PEAK, PEAK, OURS, over_figure=FRAME, at_most=1.2),
        aim(headline.PYTHON, WALL, PYTHON, over=LIMIT, at_most=2),
        Aim(WALL, readers.ARROW.name, over=LIMIT),
        Aim(WALL, FAST, over=readers.ARROW.name),
    ]
    if name == PARALLEL_DATA:
        aims.append(aim(headline.PARALLEL, WALL, PARALLEL, over=LIMIT, at_most=0.9))
    return aims


def _case(place: Place, reader: Reader, table: str, *, may_fail: bool) -> Case:
    run = partial(_sample, place, reader, table)
    return Case(reader.name, run, rounds=reader.rounds, may_fail=may_fail, returns=reader.returns)


def _sample(place: Place, reader: Reader, table: str) -> Sample:
    done = time_code(
        place,
        reader,
        setup=f"{reader.setup}\n{reader.read_code(WARM_UP.format(table=table))}\n",
        timed={WALL: reader.read_code(f"select * from {table}")},
        asked={FRAME: SIZE.strip()},
        label=table,
        variables={"TUSK_DECODER": "python" if reader is readers.PYTHON else ""},
    )[WALL]
    sample = {WALL: done.seconds, CPU: [done.cpu_s], PEAK: [done.added_mb]}
    return sample | {FRAME: [done.asked[FRAME]]} if done.asked[FRAME] else sample
