"""The test run's own server ends with the run, also with one that is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
RUN = """
from tests import fix_postgres
servers = fix_postgres.make_server.__wrapped__()
server = next(servers)()
print(server.root, flush=True)
input()
"""


@pytest.mark.usefixtures("server")  # so that it runs where a server can be had
def test_a_killed_run_leaves_no_server():
    run = subprocess.Popen(
        [sys.executable, "-c", RUN], cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    root = Path(run.stdout.readline().strip())
    assert (root / "data" / "postmaster.pid").exists()
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    wait_until(lambda: not root.exists(), timeout=30)  # which goes when the server has been stopped
