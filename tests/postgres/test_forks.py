"""A forked child never uses, closes or ends what is its parent's, and gets connections of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.fix_postgres import PASSWORD
from tests.fix_tls import BY_PASSWORD

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")

# what the child says comes by a pipe; it leaves as the test wants it to
START = """
import gc, json, os, sys, threading
import tusk_jupyter as tusk
from tusk_jupyter.errors import TuskError

def in_child(act, *, leave=os._exit):
    read, write = os.pipe()
    if not (child := os.fork()):
        try:
            said = act()
        except (TuskError, Exception) as error:
            said = f"{type(error).__name__}: {error}"
        os.write(write, json.dumps(said).encode())
        os.close(write)
        leave(0)
    os.close(write)
    with open(read) as pipe:
        said = json.load(pipe)
    status = os.waitpid(child, 0)[1]
    assert status == 0, status
    return said

def pid():
    return int(tusk.sql("select pg_backend_pid()").iat[0, 0])

connection = tusk.connect(sys.argv[1], name="db")
"""


def run(tmp_path, conninfo, code):
    """Return what the process printed last, as JSON; a child that hangs is killed with it."""
    environment = {**os.environ, "TUSK_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", START + code, conninfo],
        env=environment, capture_output=True, text=True, check=False, timeout=40,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("leave", ["os._exit", "sys.exit"])
def test_a_cell_of_the_child_has_a_session_of_its_own(tmp_path, database, leave):
    code = f"""
before = pid()
tusk.sql("create temp table mine as select 1 as i")
child = in_child(lambda: [pid(), pid()], leave={leave})
print(json.dumps([before, child, pid(), int(tusk.sql("select i from mine").iat[0, 0])]))
"""
    before, child, after, kept = run(tmp_path, database, code)
    assert (after, kept) == (before, 1)
    assert child[0] == child[1] != before


def test_the_childs_first_cell_does_not_run_outside_the_transaction_that_the_parent_has_open(tmp_path, database):
    code = """
def child():
    try:
        pid()
    except TuskError as error:
        return [str(error), pid()]

before = pid()
tusk.sql("begin")
print(json.dumps([before, in_child(child), pid(), connection.live_session.transaction_status]))
"""
    before, (refused, own), after, status = run(tmp_path, database, code)
    assert "this process was forked" in refused
    assert own != before
    assert (after, status) == (before, "INTRANS")


@pytest.mark.parametrize("leave", ["os._exit", "sys.exit"])
def test_idle_and_borrowed_connections_stay_with_the_parent(tmp_path, database, leave):
    code = f"""
import time
pool = connection.pool
with pool.borrow() as idle, pool.borrow() as lent:
    pass
while pool.status().available < 2:
    time.sleep(0.005)

def child():
    with connection.pool.borrow() as conn:
        mine = conn.execute("select pg_backend_pid()").fetchone()[0]
    gc.collect()
    return [mine, connection.pool.status().size]

with pool.borrow() as lent:
    theirs = [c.pgconn.backend_pid for c in (idle, lent)]
    said = in_child(child, leave={leave})
    alive = [c.execute("select pg_backend_pid()").fetchone()[0] for c in (lent,)]
print(json.dumps([theirs, said, alive, [lent.pgconn.backend_pid], pool.status().size]))
"""
    theirs, (mine, size), alive, lent, after = run(tmp_path, database, code)
    assert mine not in theirs
    assert alive == lent
    assert (size, after) == (1, 3)


def test_a_block_that_borrowed_before_the_fork_closes_nothing_in_the_child(tmp_path, database):
    code = """
def child():
    held.close()
    return "left"

from contextlib import ExitStack
held = ExitStack()
conn = held.enter_context(connection.pool.borrow())
said = in_child(child, leave=sys.exit)
print(json.dumps([said, conn.execute("select 1").fetchone()[0]]))
held.close()
"""
    assert run(tmp_path, database, code) == ["left", 1]


def test_disconnecting_in_the_child_leaves_the_parent_connected(tmp_path, database):
    code = """
before = pid()
said = in_child(lambda: tusk.state().connections.disconnect("db").status, leave=sys.exit)
print(json.dumps([said, before == pid()]))
"""
    assert run(tmp_path, database, code) == ["disconnected", True]


def test_a_fork_while_a_statement_runs(tmp_path, database):
    code = """
job = threading.Thread(target=lambda: slow.append(int(tusk.sql("select 7 from pg_sleep(0.5)").iat[0, 0])))
slow = []
held = connection.live_session
job.start()
while held.transaction_status != "ACTIVE":
    pass
child = in_child(pid)
in_child(lambda: held.cancel(held._running), leave=sys.exit)
refused = in_child(lambda: held.submit(lambda: 1).result(5))
job.join()
in_child(lambda: held.abandon("over"), leave=sys.exit)
print(json.dumps([child != held.backend_pid, pid() == held.backend_pid, slow, refused]))
"""
    own, same, slow, refused = run(tmp_path, database, code)
    assert own
    assert same
    assert slow == [7]
    assert "this process was forked" in refused


def test_a_transaction_block_of_the_parent_does_not_go_on_in_the_child(tmp_path, database):
    code = """
with tusk.transaction("db"):
    tusk.sql("create table t as select 1 as i")
    said = in_child(pid)
print(json.dumps([said, int(tusk.sql("select i from t").iat[0, 0])]))
"""
    said, kept = run(tmp_path, database, code)
    assert said.startswith("ConnectionLost")
    assert kept == 1


def test_processes_of_multiprocessing_work_side_by_side(tmp_path, database):
    code = """
import multiprocessing

def work(i):
    return int(tusk.sql("select :i * 2 as x", i=i).iat[0, 0]), pid()

before = pid()
with multiprocessing.get_context("fork").Pool(3) as pool:
    found = pool.map(work, range(20), chunksize=1)
print(json.dumps([found, before, pid()]))
"""
    found, before, after = run(tmp_path, database, code)
    assert [value for value, _ in found] == [2 * i for i in range(20)]
    assert before == after
    assert before not in {pid for _, pid in found}


def test_a_session_with_tls_survives_the_end_of_a_child(tmp_path, tls_server, monkeypatch):
    tls_server.reload(BY_PASSWORD)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    where = f"host=127.0.0.1 port={tls_server.port} user=secretive dbname=postgres sslmode=require"
    code = """
before = pid()
child = in_child(lambda: [pid(), tusk.state().connections.disconnect("db").status], leave=sys.exit)
in_child(lambda: gc.collect(), leave=sys.exit)
print(json.dumps([before == pid(), child[0] != before, connection.server.encryption.text]))
"""
    same, other, tls = run(tmp_path, where, code)
    assert (same, other) == (True, True)
    assert tls.startswith("TLS")
