"""The soak: threads on connections of one kernel's state, while much is cancelled, killed and restarted.

Every result carries a nonce of its own query and is checked against it; every row that is written has one too, and is
counted at the end: one for what was said to have worked, none for what was said not to have been sent, never two. A
session is marked with the name of its connection and a borrowed connection with nothing: none is ever another's. The
numbers of the pools are looked at all the while, the server's sessions, threads and files at the end. The choices are
those of one seed; what meets what is the machine's.

It runs in a process of its own (``main``, for the benchmark) or in a test, whose disturbances come more often.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

import tusk_jupyter
from tusk_jupyter.errors import (
    ConnectionFailed,
    ConnectionLost,
    ConnectionTimeout,
    PoolTimeout,
    QueryCancelled,
    QueryFailed,
    TuskError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tusk_jupyter.connections.connection import Connection

APPLICATION = "tusk-soak"
POLL_S = 0.005
PATIENCE_S = 30.0
SCHEMA = """
drop table if exists soak_rows;
create table soak_rows (nonce text not null, part int not null);
"""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often what disturbs comes, in seconds: a cancel, the end of a backend, a restart of the server."""

    cancel_s: float = 0.02
    kill_s: float = 0.4
    restart_s: float = 6.0


@dataclass(slots=True)
class Report:
    """What happened how often, what was wrong, and the most there was of threads and files at a time."""

    seconds: float
    seed: int
    counts: dict[str, int] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    threads: int = 0
    files: int = 0


class Soak:
    """One run: ``run()`` returns its report."""

    pool_size = 3

    def __init__(
        self, conninfo: str, *, seconds: float, seed: int, threads: int = 10, pace: Pace | None = None
    ) -> None:
        self._conninfo = conninfo
        self._seconds = seconds
        self._seed = seed
        self._pace = pace or Pace()
        self._names = [f"soak{number}" for number in range(threads)]
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._wrong: list[str] = []
        self._most = [0, 0]
        # nonce → how many rows there may be of it, by what was said to the one who wrote them
        self._written: dict[str, tuple[int, ...]] = {}

    def run(self) -> Report:
        """Connect, disturb, heal, close; nothing of it is left in this process but modules."""
        self._ask(SCHEMA)
        # what is opened once and stays, the history's file and its readers
        with tusk_jupyter.transaction(self._connect("warm").name):
            tusk_jupyter.sql("select 1", "warm")
        tusk_jupyter.state().connections.close()
        with self._nothing_left():
            for name in self._names:
                self._connect(name)
            self._disturbed()
            self._heal()
            self._check_rows()
            self._check_server()
            tusk_jupyter.state().connections.close()
        return Report(self._seconds, self._seed, dict(sorted(self._counts.items())), self._wrong, *self._most)

    def _connect(self, name: str) -> Connection:
        return tusk_jupyter.connect(
            self._conninfo, name=name, application_name=APPLICATION, pool_size=self.pool_size, pool_timeout="10s"
        )

    def _disturbed(self) -> None:
        threads = [
            threading.Thread(
                target=self._guarded, args=(act, random.Random(self._seed + number)), name=f"soak-{number}"
            )
            for number, act in enumerate(self._acting())
        ]
        for thread in threads:
            thread.daemon = True
            thread.start()
        self._over.wait(self._seconds)
        self._over.set()
        until = time.monotonic() + PATIENCE_S
        for thread in threads:
            thread.join(max(0.1, until - time.monotonic()))
        frames = sys._current_frames()  # noqa: SLF001 - its documented name
        for thread in threads:
            if thread.is_alive():
                stack = "".join(traceback.format_stack(frames[thread.ident or 0]))
                self._complain(f"{thread.name} hangs:\n{stack}")

    def _acting(self) -> list[Callable[[random.Random], None]]:
        """Return what is done until it is over, each on a thread of its own."""
        return [
            *(lambda chance, name=name: self._work(name, chance) for name in self._names),  # type: ignore[misc]
            self._cancel,
            self._kill,
            self._restart,
            self._poll,
        ]

    def _guarded(self, job: Callable[[random.Random], None], chance: random.Random) -> None:
        try:
            job(chance)
        except BaseException:  # noqa: BLE001 - it is what the report is for
            self._complain(traceback.format_exc())

    # -- what is done on the connections --------------------------------------------------------------------------

    def _work(self, name: str, chance: random.Random) -> None:
        acts = (self._read, self._sleep, self._write, self._write_twice, self._borrow, self._own)
        while not self._over.is_set():
            nonce = f"{name}-{chance.getrandbits(64):x}"
            act = chance.choice(acts)
            try:
                act(name, nonce, chance)
            except (QueryCancelled, QueryFailed, ConnectionFailed, ConnectionLost, ConnectionTimeout) as error:
                self._count(self._expected(error, act.__name__))
            except PoolTimeout:
                self._count("a pool had none in time")
            except psycopg.OperationalError as error:
                if act.__name__ != "_borrow":
                    raise
                self._count(f"borrowed, {type(error).__name__}")
            else:
                self._count(f"{act.__name__.strip('_')}: right")

    def _expected(self, error: TuskError, act: str) -> str:
        # a statement between BEGIN and COMMIT of another thread's block may find it failed
        if type(error) is QueryFailed and error.sqlstate != "25P02" and "nothing was saved" not in str(error):
            self._complain(f"{act}: {error}")
        if "Somebody else" in (error.advice or ""):
            self._complain(f"{act} was hit by a cancel that was not its own: {error}")
        return type(error).__name__

    def _frame(self, text: str, name: str, /, **values: Any) -> list[dict[str, Any]]:
        frame = tusk_jupyter.sql(text, name, **values)
        rows: list[dict[str, Any]] = frame.to_dict("records")
        return rows

    def _read(self, _name: str, nonce: str, chance: random.Random) -> None:
        """Read on any connection, also beside what its own thread does there."""
        where, rows = chance.choice(self._names), chance.choice((1, 3, 700, 3000))
        text = (
            "select :nonce as nonce, i, coalesce(current_setting('soak.owner', true), '') as owner "
            "from generate_series(1, :rows) i"
        )
        found = self._frame(text, where, nonce=nonce, rows=rows)
        right = [(row["nonce"], row["i"]) for row in found] == [(nonce, i) for i in range(1, rows + 1)]
        self._check(right, f"{nonce}: {len(found)} rows of {rows}, {found[:2]}")
        self._check({row["owner"] or where for row in found} == {where}, f"{where} has another's session: {found[:1]}")

    def _sleep(self, name: str, nonce: str, chance: random.Random) -> None:
        """Something to hit for a cancel."""
        found = self._frame("select :nonce as nonce from pg_sleep(:s)", name, nonce=nonce, s=chance.uniform(0, 0.3))
        self._check([row["nonce"] for row in found] == [nonce], f"{nonce}: {found}")

    def _own(self, name: str, _nonce: str, _chance: random.Random) -> None:
        """Mark the session as its connection's."""
        found = self._frame("select set_config('soak.owner', :name, false) as owner", name, name=name)
        self._check([row["owner"] for row in found] == [name], f"{name}: {found}")

    def _write(self, name: str, nonce: str, chance: random.Random) -> None:
        """One row, in a statement of its own."""
        text = "insert into soak_rows select :nonce, 1 from pg_sleep(:s) returning nonce"
        with self._writes(nonce, 1):
            found = self._frame(text, name, nonce=nonce, s=chance.choice((0, 0, 0.05)))
        self._check([row["nonce"] for row in found] == [nonce], f"{nonce}: {found}")

    def _write_twice(self, name: str, nonce: str, _chance: random.Random) -> None:
        """Two rows, both or none."""
        with self._writes(nonce, 2), tusk_jupyter.transaction(name):
            for part in (1, 2):
                tusk_jupyter.sql("insert into soak_rows values (:nonce, :part)", name, nonce=nonce, part=part)

    @contextmanager
    def _writes(self, nonce: str, rows: int) -> Iterator[None]:
        """Note how many rows there may be: as many or none where nobody can know."""
        self._written[nonce] = (0, rows)
        try:
            yield
        except (QueryCancelled, QueryFailed, ConnectionLost, ConnectionFailed, ConnectionTimeout) as error:
            self._written[nonce] = self._may_be(error, rows)
            raise
        self._written[nonce] = (rows,)

    def _may_be(self, error: TuskError, rows: int) -> tuple[int, ...]:
        said = error.transaction or ""
        if "took effect:" in said:
            self._count("COMMIT looked up")
            return (rows,)
        unknown = (
            "unknown" in said
            or "not taken effect yet" in said
            or (isinstance(error, QueryCancelled) and "given up" in error.message)
        )
        return (0, rows) if unknown else (0,)

    def _borrow(self, _name: str, nonce: str, chance: random.Random) -> None:
        """What the pool lends is clean, and nobody else's."""
        pool = tusk_jupyter.state().connection(chance.choice(self._names)).pool
        with pool.borrow() as conn:
            text = "select %s, current_setting('soak.owner', true), to_regclass('pg_temp.soak_mine')::text"
            found = conn.execute(text, [nonce]).fetchone()
            self._check(found is not None and (found[0], found[1] or "", found[2]) == (nonce, "", None), f"{found}")
            conn.execute("select set_config('soak.owner', 'a borrower', false)")
            conn.execute("create temp table soak_mine ()")
            time.sleep(chance.uniform(0, 0.02))

    # -- what disturbs it -----------------------------------------------------------------------------------------

    def _cancel(self, chance: random.Random) -> None:
        queries = tusk_jupyter.state().queries
        while not self._over.wait(chance.uniform(0, 2 * self._pace.cancel_s)):
            active = queries.active()
            if active and queries.cancel(chance.choice(active).id):
                self._count("! cancel")

    def _kill(self, chance: random.Random) -> None:
        while not self._over.wait(chance.uniform(0, 2 * self._pace.kill_s)):
            with suppress(psycopg.Error):
                pids = self._pids()
                if not pids:
                    continue
                pid = chance.choice(sorted(pids))
                if chance.random() < 0.05:
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        self._count("! backend crashed")
                elif self._ask(f"select pg_terminate_backend({pid})") == [(True,)]:
                    self._count("! backend terminated")

    def _restart(self, chance: random.Random) -> None:
        modes = ("fast", "immediate")
        turn = 0
        while not self._over.wait(chance.uniform(0.5, 1.5) * self._pace.restart_s):
            mode = modes[turn % 2]
            with suppress(psycopg.Error):
                restart(self._conninfo, mode)
                self._count(f"! restart, {mode}")
                turn += 1

    def _poll(self, _chance: random.Random) -> None:
        pools = [tusk_jupyter.state().connection(name).pool for name in self._names]
        while not self._over.wait(POLL_S):
            for pool in pools:
                now = pool.status()
                right = 0 <= now.available <= now.size <= now.max_size and now.waiting >= 0
                self._check(right, f"{pool.name}: {now}")
                self._count("status looked at")
            self._count_most()

    def _count_most(self) -> None:
        self._most = [max(self._most[0], threading.active_count()), max(self._most[1], _files())]

    # -- the end --------------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        """Every connection goes on at once, with what it lost said at most once."""
        for name in self._names:
            with suppress(ConnectionLost):
                tusk_jupyter.sql("select 1", name)
            try:
                found = self._frame("select :nonce as nonce", name, nonce=name)
                self._check(found == [{"nonce": name}], f"{name} at the end: {found}")
                with tusk_jupyter.state().connection(name).pool.borrow() as conn:
                    conn.execute("select 1")
            except Exception:  # noqa: BLE001 - it is what the report is for
                self._complain(f"{name} at the end: {traceback.format_exc()}")

    def _check_rows(self) -> None:
        found = dict(self._ask("select nonce, count(*) from soak_rows group by nonce"))
        for nonce, may_be in self._written.items():
            self._check(found.get(nonce, 0) in may_be, f"{nonce}: {found.get(nonce, 0)} rows, not {may_be}")
        self._check(found.keys() <= self._written.keys(), "rows that nobody wrote")

    def _check_server(self) -> None:
        pools = [tusk_jupyter.state().connection(name).pool for name in self._names]

        def agree() -> bool:
            return len(self._pids()) == sum(pool.status().size for pool in pools)

        if not comes_true(agree):
            said = {pool.name: asdict(pool.status()) for pool in pools}
            self._complain(f"the server has {len(self._pids())} sessions, status says {said}")

    @contextmanager
    def _nothing_left(self) -> Iterator[None]:
        threads, files = set(threading.enumerate()), len(_named())
        yield

        def left() -> list[str]:
            return [thread.name for thread in threading.enumerate() if thread not in threads]

        if not comes_true(lambda: not self._pids()):
            self._complain(f"sessions are left on the server: {self._pids()}")
        if not comes_true(lambda: not left()):
            self._complain(f"threads are left: {left()}")
        if not comes_true(lambda: len(_named()) <= files):
            self._complain(f"{files} files were open, and now there are {_named()}")

    # -- by-standers ----------------------------------------------------------------------------------------------

    def _pids(self) -> set[int]:
        return {
            pid for (pid,) in self._ask(f"select pid from pg_stat_activity where application_name = '{APPLICATION}'")
        }

    def _ask(self, text: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._conninfo, autocommit=True) as conn:
            cursor = conn.execute(text)
            return cursor.fetchall() if cursor.description else []

    def _count(self, what: str) -> None:
        with self._lock:
            self._counts[what] += 1

    def _check(self, right: bool, otherwise: str) -> None:
        if not right:
            self._complain(otherwise)

    def _complain(self, text: str) -> None:
        with self._lock:
            self._wrong.append(text)


def comes_true(condition: Callable[[], bool]) -> bool:
    """Wait for what takes the server or a thread a moment."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        with suppress(psycopg.Error):
            if condition():
                return True
        time.sleep(0.05)
    return False


def _files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a Path for each, every few milliseconds


def _named() -> list[str]:
    """Return what is open; SQLite closes the history's files when it sees fit, some of them late."""
    names = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            names.append(str(entry.readlink()))
    return [name for name in names if "/tusk.db" not in name]


def restart(conninfo: str, mode: str) -> None:
    """Restart the server behind a conninfo, which is on this machine, as its own user."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        row = conn.execute("show data_directory").fetchone()
    if row is None:
        raise LookupError("data_directory")
    data = Path(row[0])
    postmaster = int((data / "postmaster.pid").read_text().split()[0])
    pg_ctl = Path(f"/proc/{postmaster}/exe").resolve().with_name("pg_ctl")
    owner = data.stat()
    ids: dict[str, Any] = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    command = [str(pg_ctl), "-D", str(data), "-m", mode, "-w", "restart"]
    quiet = subprocess.DEVNULL  # the server would keep a pipe open
    subprocess.run(command, check=True, cwd="/", stdin=quiet, stdout=quiet, stderr=quiet, **ids)


def main(kind: type[Soak] = Soak) -> None:
    """Run what the argument says, as JSON, and print the report, as JSON."""
    print(json.dumps(asdict(kind(**json.loads(sys.argv[1])).run())))


if __name__ == "__main__":
    main()
