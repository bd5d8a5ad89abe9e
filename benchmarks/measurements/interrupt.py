"""Interrupt: SIGINT to a real kernel in the middle of a statement, and what is left of the session afterwards.

Everybody reaches the server through a relay on loopback (``side_by_side/relay.py``), which sees the cancel request
arrive and the server's answer leave. Each statement is interrupted a while after the server is seen at it, in another
phase of any polling each time, by turns as front ends do it (``interrupt_kernel``) and with ``kill -INT`` of the kernel
process. Before each a temporary table is made; afterwards the next cell writes a row into another, which is looked for
from another session, and then the temporary one is asked for.

psycopg2 cannot be interrupted: its prompt comes when the statement ends, so it gets a short one, and its figures are
the rest of that. Where the session is beyond use the next turn has a new kernel.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from side_by_side.cases import Aim, Case, Measurement, Sample
from side_by_side.kernel import started
from side_by_side.relay import ANSWERED, ASKED, relay
from side_by_side.subjects import JUPYSQL_PSYCOPG2, JUPYSQL_PSYCOPG3, PSYCOPG, TUSK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from side_by_side.kernel import Kernel
    from side_by_side.place import Place
    from side_by_side.relay import Relay
    from side_by_side.subjects import Subject

REQUEST, ANSWER, REPLY = "cancel request at the server", "server's answer", "cell's reply"
NEXT = "reply to the next cell, run at once"
STOPPED, ALIVE = "stopped at the server", "temporary table still there"
TAKEN, KEPT = "the next cell, which writes a row, succeeds", "… and its row is there"
SHARES = (STOPPED, TAKEN, KEPT, ALIVE)
WAYS = ("interrupt_kernel", "kill -INT")
POLL_S = 0.005
LIMIT_S = 90.0
PEERS = (PSYCOPG, JUPYSQL_PSYCOPG3)
BUSY = "select count(*) from pg_stat_activity where state = 'active' and query like %s and pid <> pg_backend_pid()"


def plan(place: Place, *, quick: bool) -> Measurement:
    """Ours, psycopg in a cell, and JupySQL with a driver that can be interrupted and with one that cannot."""
    times = 2 if quick else 10
    with place.connect() as conn:
        conn.execute("create table written (turn text)")
    return Measurement(
        name="interrupt",
        title="Interrupt of pg_sleep(60) (psycopg2: pg_sleep(3), which runs to its end)",
        unit="ms",
        cases=[
            *(Case(subject.name, partial(_sample, place, subject, times=times)) for subject in (TUSK, PSYCOPG)),
            # a new kernel for each turn
            Case(JUPYSQL_PSYCOPG3.name, partial(_sample, place, JUPYSQL_PSYCOPG3, times=times), rounds=1),
            Case(JUPYSQL_PSYCOPG2.name, partial(_sample, place, JUPYSQL_PSYCOPG2, times=2, sleep_s=3), rounds=1),
        ],
        aims=[*_aims(), *(Aim(share, TUSK.name, at_least=1.0) for share in SHARES)],
        rounds=1 if quick else 2,
        warm_up=False,
        units=dict.fromkeys(SHARES, "of 1"),
    )


def _aims() -> Iterable[Aim]:
    for way in WAYS:
        yield Aim(_of(REQUEST, way), TUSK.name, at_most=50.0, is_worst=True)
        yield Aim(_of(ANSWER, way), TUSK.name, at_most=20.0)
        yield Aim(_of(REPLY, way), TUSK.name)
        for peer in PEERS:
            yield Aim(_of(ANSWER, way), TUSK.name, over=peer.name)
            yield Aim(_of(REPLY, way), TUSK.name, over=peer.name)


def _of(figure: str, way: str) -> str:
    return f"{way} → {figure}"


@dataclass(frozen=True, slots=True)
class _Scene:
    """Who is interrupted, in the middle of what, and who looks on."""

    place: Place
    subject: Subject
    between: Relay
    sleep_s: int

    def environment(self) -> dict[str, str]:
        return {"PGHOST": "127.0.0.1", "PGPORT": str(self.between.port)}

    def is_busy(self) -> bool:
        with self.place.connect() as conn:
            row = conn.execute(BUSY, [f"%pg_sleep({self.sleep_s})%"]).fetchone()
        return bool(row and row[0])


def _sample(place: Place, subject: Subject, *, times: int, sleep_s: int = 60) -> Sample:
    timed = (_of(figure, way) for way in WAYS for figure in (REQUEST, ANSWER, REPLY, NEXT))
    sample: Sample = {figure: [] for figure in (*timed, *SHARES)}  # in the order of the table
    left = [(way, turn) for turn in range(times) for way in WAYS]
    with relay(f"{place.server.host}/.s.PGSQL.{place.server.port}") as between:
        scene = _Scene(place, subject, between, sleep_s)
        while left:
            with started(place, subject, **scene.environment()) as kernel:
                kernel.run(subject.load_code() + subject.connect_code() + subject.line_code("select 1"))
                is_usable = True
                while left and is_usable:
                    way, turn = left.pop(0)
                    is_usable = _interrupted(scene, kernel, sample, way, wait_s=0.3 + 0.017 * turn)
    return {figure: values for figure, values in sample.items() if values}


def _interrupted(scene: _Scene, kernel: Kernel, sample: Sample, way: str, *, wait_s: float) -> bool:
    """Run the statement and interrupt it; return whether the session can be used for another turn."""
    subject = scene.subject
    mark = f"{os.getpid()}_{time.monotonic_ns()}"
    kernel.run(subject.cell_code(f"create temporary table mark_{mark} (n int)"))
    cell = kernel.send(subject.cell_code(f"select pg_sleep({scene.sleep_s})"))
    _wait(scene.is_busy, until=True)
    time.sleep(wait_s)
    start = time.monotonic()
    kernel.interrupt(directly=way == WAYS[1])
    kernel.collect(cell)
    replied = time.monotonic()
    taken, _ = kernel.collect(kernel.send(subject.cell_code(f"insert into written values ('{mark}')")))
    again = time.monotonic()
    was_busy = scene.is_busy()
    for figure, at in (
        (REQUEST, scene.between.first(ASKED, start)),
        (ANSWER, scene.between.first(ANSWERED, start)),
        (REPLY, replied),
        (NEXT, again),
    ):
        if at is not None:
            sample[_of(figure, way)].append((at - start) * 1000)
    is_stopped = scene.between.first(ANSWERED, start) is not None and not was_busy
    alive, _ = kernel.collect(kernel.send(subject.cell_code(f"insert into mark_{mark} values (1)")))
    _wait(scene.is_busy, until=False)
    found = _is_there(scene.place, mark)
    for share, is_so in zip(SHARES, (is_stopped, taken == "ok", found, alive == "ok"), strict=True):
        sample[share].append(float(is_so))
    return found and alive == "ok"


def _wait(asked: Callable[[], bool], *, until: bool) -> None:
    deadline = time.monotonic() + LIMIT_S
    while asked() is not until:
        if time.monotonic() > deadline:
            raise TimeoutError("the server never got the statement, or is still at it")
        time.sleep(POLL_S)


def _is_there(place: Place, mark: str) -> bool:
    with place.connect() as conn:
        return conn.execute("select 1 from written where turn = %s", [mark]).fetchone() is not None
