"""Ten threads on ten connections, while statements are cancelled, backends killed and the server restarted."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import psycopg
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SECONDS = 15


@pytest.fixture(scope="module")
def soaking():
    """The module that benchmarks/run.py runs for longer, importable for as long as it is needed."""
    before = set(sys.modules)
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from side_by_side import soaking

        yield soaking
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


@pytest.mark.timeout(150)
def test_soak(soaking, disposable, server, tusk):
    seed = int(os.environ.get("TUSK_SOAK_SEED") or random.randrange(1_000_000))
    sys.stdout.write(f"TUSK_SOAK_SEED={seed} repeats the choices\n")
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
