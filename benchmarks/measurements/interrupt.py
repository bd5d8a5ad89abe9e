"""Interrupt: SIGINT to a real kernel in the middle of a statement → prompt back, and backend no longer at it.

The statement is interrupted a while after the server is seen at it, at a different phase of any polling each time. The
backend is watched from another session every 5 ms, which is the resolution of that figure. psycopg2 cannot be
interrupted: its prompt comes when the statement ends, so it gets one of 5 s, and its figures are the rest of that.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.kernel import started
from side_by_side.subjects import JUPYSQL_PSYCOPG2, JUPYSQL_PSYCOPG3, TUSK

if TYPE_CHECKING:
    from side_by_side.kernel import Kernel
    from side_by_side.place import Place
    from side_by_side.subjects import Subject

PROMPT, BACKEND = "prompt back", "backend idle"
POLL_S = 0.005
LIMIT_S = 90.0
BUSY = "select count(*) from pg_stat_activity where state = 'active' and query like %s and pid <> pg_backend_pid()"


def plan(place: Place, *, quick: bool) -> Measurement:
    """Ours, and JupySQL with a driver that can be interrupted and with one that cannot."""
    times = 2 if quick else 6
    return Measurement(
        name="interrupt",
        title="Interrupt of pg_sleep(60) (psycopg2: pg_sleep(5), which runs to its end)",
        unit="s",
        cases=[
            Case(TUSK.name, partial(_sample, place, TUSK, times=times)),
            Case(JUPYSQL_PSYCOPG3.name, partial(_sample, place, JUPYSQL_PSYCOPG3, times=times)),
            Case(JUPYSQL_PSYCOPG2.name, partial(_sample, place, JUPYSQL_PSYCOPG2, times=1, sleep_s=5)),
        ],
        aims=[
            Aim(PROMPT, TUSK.name, at_most=0.5),
            Aim(BACKEND, TUSK.name, at_most=0.3),
            Aim(PROMPT, TUSK.name, over=JUPYSQL_PSYCOPG3.name),
            Aim(PROMPT, TUSK.name, over=JUPYSQL_PSYCOPG2.name),
        ],
        rounds=1 if quick else 2,
        warm_up=False,
    )


def _sample(place: Place, subject: Subject, *, times: int, sleep_s: int = 60) -> Sample:
    sample: Sample = {PROMPT: [], BACKEND: []}
    with started(place, subject) as kernel:
        kernel.run(subject.load_code() + subject.connect_code() + subject.line_code("select 1"))
        for turn in range(times):
            prompt, backend = _interrupted(place, kernel, subject, sleep_s, wait_s=0.3 + 0.017 * turn)
            sample[PROMPT].append(prompt)
            sample[BACKEND].append(backend)
        kernel.run(subject.line_code("select 1"))
    return sample


def _interrupted(place: Place, kernel: Kernel, subject: Subject, sleep_s: int, *, wait_s: float) -> tuple[float, float]:
    """Run the statement, interrupt it, and return seconds to the prompt and to an idle backend."""
    watch = _Watch(place, f"%pg_sleep({sleep_s})%")
    cell = kernel.send(subject.cell_code(f"select pg_sleep({sleep_s})"))
    watch.until_busy()
    time.sleep(wait_s)
    watch.start()
    start = time.monotonic()
    kernel.interrupt()
    kernel.collect(cell)
    return time.monotonic() - start, watch.idle_at() - start


class _Watch:
    """Another session that looks whether the server is at a statement."""

    def __init__(self, place: Place, pattern: str) -> None:
        self._conn = place.connect()
        self._pattern = pattern
        self._idle_at: float | None = None
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)

    def until_busy(self) -> None:
        deadline = time.monotonic() + LIMIT_S
        while not self._busy():
            if time.monotonic() > deadline:
                raise TimeoutError("the server never got the statement")
            time.sleep(POLL_S)

    def start(self) -> None:
        self._thread.start()

    def idle_at(self) -> float:
        self._thread.join(LIMIT_S)
        self._conn.close()
        if self._idle_at is None:
            raise TimeoutError("the server is still at the statement")
        return self._idle_at

    def _busy(self) -> bool:
        row = self._conn.execute(BUSY, [self._pattern]).fetchone()
        return bool(row and row[0])

    def _look(self) -> None:
        while self._busy():
            time.sleep(POLL_S)
        self._idle_at = time.monotonic()
