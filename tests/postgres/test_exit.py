"""A process ends at once, whatever it has open: a pool, a borrowed connection, a statement, a server that is silent."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg
import pytest

from tests.waiting import ask, backends, running, wait_until

START = """
import sys, threading
import tusk_jupyter as tusk, tusk_jupyter.errors

def meanwhile(function, *arguments):
    def run():
        try:
            function(*arguments)
        except tusk.errors.TuskError:
            pass
    threading.Thread(target=run, daemon=True).start()

connection = tusk.connect(sys.argv[1], name="db")
"""
END = """
print("ready", flush=True)
sys.stdin.readline()
"""
KINDS = {
    "idle": "",
    "a pool": """
from contextlib import ExitStack
with ExitStack() as stack:
    conns = [stack.enter_context(connection.pool.borrow()) for _ in range(3)]
""",
    "a borrowed connection": """
held = connection.pool.borrow()
conn = held.__enter__()
conn.execute("begin")
""",
    "somebody who waits for one": """
held = [connection.pool.borrow() for _ in range(4)]
conns = [one.__enter__() for one in held]
meanwhile(lambda: connection.pool.borrow().__enter__())
while not connection.pool.status().waiting:
    pass
""",
    "a statement": """
meanwhile(tusk.sql, "select 'still running' from pg_sleep(600)")
""",
    "background queries": """
jobs = [tusk.submit("select 'in the background' from pg_sleep(600)") for _ in range(6)]
while sum(job.state == "running" for job in jobs) < 4:
    pass
""",
    "a transaction": """
tusk.sql("begin")
tusk.sql("create table never ()")
""",
}


@pytest.fixture
def process(tmp_path):
    """Start a process, wait until it has everything open, and return what ends it and its complaints."""
    started = []

    def start(conninfo, code):
        environment = {**os.environ, "TUSK_DATA_DIR": str(tmp_path)}
        one = subprocess.Popen(
            [sys.executable, "-c", START + code + END, conninfo],
            env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        started.append(one)
        assert one.stdout.readline() == "ready\n", one.communicate(timeout=20)

        def end():
            _, complaints = one.communicate("\n", timeout=25)
            assert one.returncode == 0
            return complaints

        return end

    yield start
    for one in started:
        one.kill()
        one.wait()


@pytest.mark.parametrize("kind", KINDS)
def test_an_exit_ends_everything_on_the_server(process, database, kind):
    end = process(database, KINDS[kind])
    assert backends(database)
    if kind == "a statement":
        wait_until(lambda: running(database, "still running"))
    assert "Traceback" not in end()
    wait_until(lambda: not backends(database))
    assert not running(database, "still running")
    assert ask(database, "select to_regclass('never')") is None


@pytest.mark.parametrize("kind", KINDS)
def test_an_exit_waits_for_no_server_that_is_silent(process, proxy, database, kind):
    dbname = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    end = process(proxy.conninfo(dbname), KINDS[kind])
    if kind == "a statement":
        wait_until(lambda: running(database, "still running"))
    proxy.freeze()
    assert "Traceback" not in end()


def test_many_silent_servers_take_no_longer_than_one(process, proxy, database):
    """Each takes up to four seconds, and an exit one after the other would take 32."""
    dbname = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    code = """
others = [tusk.connect(sys.argv[1] + f" application_name=c{i}", name=f"c{i}") for i in range(8)]
for i, one in enumerate(others):
    meanwhile(tusk.sql, "select pg_sleep(600)", f"c{i}")
"""
    end = process(proxy.conninfo(dbname), code)
    wait_until(lambda: ask(database, "select count(*) = 8 from pg_stat_activity where query = 'select pg_sleep(600)'"))
    proxy.freeze()
    assert "Traceback" not in end()
