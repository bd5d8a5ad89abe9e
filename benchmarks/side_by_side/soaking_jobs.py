"""The soak of the background: ten queries there and one in the foreground, on one connection, with random stops.

As in :mod:`~side_by_side.soaking` every result and row carries a nonce. The pool has fewer connections than there are
jobs, so that some always wait; any of them is stopped at any moment: by its own ``cancel()``, by id as ``%tusk cancel``
does, by a cancelled ``await``, and all together by a disconnect. What ``%tusk queries`` says is held against the jobs
themselves all the while, and in the end against the server: no backend, no connection, no thread is left.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import tusk_jupyter
from side_by_side.soaking import APPLICATION, POLL_S, Soak, comes_true, main
from tusk_jupyter.errors import PoolTimeout, QueryCancelled

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tusk_jupyter.jobs import Job

ROWS = "select :nonce as nonce, i from generate_series(1, :rows) i, pg_sleep(:s)"
WRITE = "select pg_sleep(:s); insert into soak_rows values (:nonce, 1) returning nonce"
FINAL = {"completed", "cancelled", "timeout", "failed"}


class JobSoak(Soak):
    """One run of it."""

    pool_size = 8

    def __init__(self, conninfo: str, *, seconds: float, seed: int, jobs: int = 10, disconnect_s: float = 5.0) -> None:
        super().__init__(conninfo, seconds=seconds, seed=seed, threads=1)
        self._jobs = jobs
        self._disconnect_s = disconnect_s
        self._name = self._names[0]
        self._flying: dict[str, Job] = {}
        self._stopped: set[str] = set()
        self._turns = 0  # one for each time that it is left or there again: odd while it is away

    def _acting(self) -> list[Callable[[random.Random], None]]:
        return [*[self._background] * self._jobs, self._foreground, self._stop, self._look, self._leave]

    # -- what runs ------------------------------------------------------------------------------------------------

    def _background(self, chance: random.Random) -> None:
        while not self._over.is_set():
            nonce = f"job-{chance.getrandbits(64):x}"
            writes = chance.random() < 0.3
            values: dict[str, Any] = {"nonce": nonce, "s": chance.choice((0, 0.05, 0.2, 30))}
            values |= {} if writes else {"rows": chance.choice((1, 700, 30_000))}
            turns = self._turns
            try:
                job = tusk_jupyter.submit(WRITE if writes else ROWS, self._name, **values)
            except tusk_jupyter.errors.TuskError:
                self._check(self._was_away(turns), f"{nonce} was not taken")
                time.sleep(POLL_S)
                continue
            self._flying[job.id] = job
            if writes:
                self._written[nonce] = (0, 1)
            self._see_it_through(job, nonce, values, chance, turns)
            if writes:
                self._written[nonce] = (1,) if job.state == "completed" else (0,)
            self._flying.pop(job.id)
            self._check(job.state in FINAL and job.pid is None, f"{job} at its end")

    def _see_it_through(self, job: Job, nonce: str, values: dict[str, Any], chance: random.Random, turns: int) -> None:
        try:
            # what sleeps long is stopped by somebody, at the latest by whom it is waited for
            if values["s"] > 1 or chance.random() < 0.3:
                self._impatiently(job, chance)
                return
            self._right(job.df(60).to_dict("records"), nonce, values)
        except QueryCancelled:
            self._count(f"QueryCancelled, {job.state}")
            asked = job.id in self._stopped or self._was_away(turns)
            self._check(asked and job.state == "cancelled", f"{job} was stopped by nobody")
        except PoolTimeout:
            self._count("the pool had none in time")

    def _impatiently(self, job: Job, chance: random.Random) -> None:
        limit_s = chance.uniform(0, 0.4)

        async def wait() -> None:
            await asyncio.wait_for(job, limit_s)

        try:
            if chance.random() < 0.5:
                self._stopped.add(job.id)
                asyncio.run(wait())
            else:
                job.result(limit_s)
        except TimeoutError:
            self._count("did not wait for it")
        self._stopped.add(job.id)
        job.cancel()
        job.exception(60)
        self._check(job.done(), f"{job} does not end")

    def _right(self, found: list[dict[str, Any]], nonce: str, values: dict[str, Any]) -> None:
        wanted = [nonce] * values.get("rows", 1)
        self._check([row["nonce"] for row in found] == wanted, f"{nonce}: {len(found)} rows, {found[:2]}")
        self._count("background: right")

    def _foreground(self, chance: random.Random) -> None:
        while not self._over.is_set():
            nonce, turns = f"cell-{chance.getrandbits(64):x}", self._turns
            try:
                text = "select :nonce as nonce from pg_sleep(:s)"
                found = self._frame(text, self._name, nonce=nonce, s=chance.choice((0, 0.02, 0.3)))
            except QueryCancelled as error:
                self._count(self._expected(error, "foreground"))
            except tusk_jupyter.errors.TuskError as error:
                self._check(self._was_away(turns), f"{nonce}: {error}")
            else:
                self._check([row["nonce"] for row in found] == [nonce], f"{nonce}: {found}")
                self._count("foreground: right")

    # -- what stops it, and who looks -----------------------------------------------------------------------------

    def _stop(self, chance: random.Random) -> None:
        queries = tusk_jupyter.state().queries
        while not self._over.wait(chance.uniform(0, 2 * self._pace.cancel_s)):
            active = queries.active()
            if not active:
                continue
            one = chance.choice(active)
            self._stopped.add(one.id)
            if queries.cancel(one.id[:8]):
                self._count(f"! cancel, {one.state}")

    def _look(self, _chance: random.Random) -> None:
        queries = tusk_jupyter.state().queries
        while not self._over.wait(POLL_S):
            before = {key for key, job in list(self._flying.items()) if not job.done()}
            rows = queries.active()
            after = {key for key, job in list(self._flying.items()) if not job.done()}
            listed = [row.id for row in rows]
            self._check(len(set(listed)) == len(listed), f"listed twice: {listed}")
            self._check(before & after <= set(listed), f"not listed: {before & after - set(listed)}")
            self._check(len(rows) <= self._jobs + 1, f"{len(rows)} rows")
            states = {row.state for row in rows}
            self._check(states <= {"waiting", "running"}, f"in flight: {states}")
            pids = [row.pid for row in rows if row.pid is not None and row.state == "running"]
            self._check(len(set(pids)) == len(pids), f"one backend for two: {rows}")
            self._count("queries looked at")
            self._look_at_pool()
            self._count_most()

    def _look_at_pool(self) -> None:
        for connection in tusk_jupyter.state().connections.active():
            now = connection.pool.status()
            right = 0 <= now.available <= now.size <= now.max_size and 0 <= now.waiting <= self._jobs
            self._check(right, f"{connection.name}: {now}")

    def _was_away(self, turns: int) -> bool:
        """Whether it was disconnected since there were so many turns."""
        return turns % 2 == 1 or turns != self._turns

    def _leave(self, chance: random.Random) -> None:
        """Disconnect: what is in flight is over when that returns."""
        while not self._over.wait(chance.uniform(0.5, 1.5) * self._disconnect_s):
            held = [job for job in list(self._flying.values()) if not job.done()]
            self._turns += 1
            tusk_jupyter.state().connections.disconnect(self._name)
            left = [str(job) for job in held if not job.done()]
            self._check(not left, f"left by a disconnect: {left}")
            self._count("! disconnected")
            self._connect(self._name)
            self._turns += 1

    def _heal(self) -> None:
        super()._heal()
        self._check(tusk_jupyter.state().queries.active() == [], "something is in flight at the end")
        idle = f"select pid, query from pg_stat_activity where state <> 'idle' and application_name = '{APPLICATION}'"
        if not comes_true(lambda: self._ask(idle) == []):
            self._complain(f"still running: {self._ask(idle)}")


if __name__ == "__main__":
    main(JobSoak)
