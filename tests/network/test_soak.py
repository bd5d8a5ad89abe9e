"""Ten threads on ten connections, while statements are cancelled, backends killed and the server restarted; ten
background queries and a foreground one, stopped at any moment."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SECONDS = 15


@pytest.fixture(scope="module")
def soaking():
    """What benchmarks/run.py runs for longer, importable for as long as it is needed."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from side_by_side import soaking, soaking_jobs

        yield SimpleNamespace(Pace=soaking.Pace, Soak=soaking.Soak, JobSoak=soaking_jobs.JobSoak)
    finally:
        sys.path.remove(str(BENCHMARKS))
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "side_by_side":
                del sys.modules[name]


@pytest.fixture
def disposable(make_server):
    """Conninfo of a server that nobody else needs."""
    server = make_server()
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        # what was said to be saved outlives a crash, unlike in the other tests' servers
        conn.execute("alter system set synchronous_commit = on")
        conn.execute("select pg_reload_conf()")
    return server.conninfo()


def chosen_seed():
    seed = int(os.environ.get("TUSK_SOAK_SEED") or random.randrange(1_000_000))
    sys.stdout.write(f"TUSK_SOAK_SEED={seed} repeats the choices\n")
    return seed


@pytest.mark.timeout(150)
def test_soak(soaking, disposable, server, tusk):
    seed = chosen_seed()
    pace = soaking.Pace(cancel_s=0.02, kill_s=0.25, restart_s=2.5)
    report = soaking.Soak(disposable, seconds=SECONDS, seed=seed, pace=pace).run()
    sys.stdout.write(f"{report}\n")
    assert report.wrong == []
    # what disturbs came, and was met
    for kind in ("! cancel", "! backend terminated", "! restart, fast", "! restart, immediate"):
        assert report.counts.get(kind), report.counts
    for met in ("QueryCancelled", "ConnectionLost", "status looked at"):
        assert report.counts.get(met), report.counts
    for act in ("read", "sleep", "write", "write_twice", "borrow", "own"):
        assert report.counts.get(f"{act}: right"), report.counts


@pytest.mark.timeout(150)
def test_soak_of_the_background(soaking, database, tusk):
    soak = soaking.JobSoak(database, seconds=SECONDS, seed=chosen_seed(), disconnect_s=3.0)
    report = soak.run()
    sys.stdout.write(f"{report}\n")
    assert report.wrong == []
    for met in ("! cancel, waiting", "! cancel, running", "! disconnected", "did not wait for it", "QueryCancelled"):
        assert report.counts.get(met), report.counts
    for act in ("background: right", "foreground: right", "queries looked at", "QueryCancelled, cancelled"):
        assert report.counts.get(act), report.counts
