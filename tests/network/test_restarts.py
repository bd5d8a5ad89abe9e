"""A server that restarts, crashes or ends a backend: said at once, nothing is run again, and everything heals at once."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

from tests.waiting import ask, meanwhile, running, terminate, wait_until
from tusk_jupyter.errors import ConnectionLost


@pytest.fixture(scope="module")
def own_server(make_server):
    """A server that nobody else needs; what was committed outlives its crashes."""
    server = make_server()
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute("alter system set synchronous_commit = on")
    server.stop()
    server.start()
    return server


@pytest.fixture
def near(own_server):
    """Conninfo of the test's own look at the server; there is an empty table ``t``."""
    with psycopg.connect(own_server.conninfo(), autocommit=True) as conn:
        conn.execute("drop table if exists t; create table t (a int)")
    return own_server.conninfo()


@pytest.fixture
def cells(shell, near):
    shell.run(f"%tusk_connect {near} --name db --pool-size 5")
    return shell


def value(cells, text):
    return cells.run(f"x = %sql {text}\nprint(x.iat[0, 0])").stdout.strip()


def count(near):
    return ask(near, "select count(*) from t")


def until_running(near, fragment):
    return lambda: wait_until(lambda: running(near, fragment))


def crash(near, pid):
    """Kill one backend as the out-of-memory killer does: the server ends all the others and recovers."""
    os.kill(int(pid), signal.SIGKILL)
    wait_until(lambda: recovered(near, pid))


def recovered(near, pid):
    """Whether the server answers and knows the backend no more: it answers for a moment before it hears of the crash."""
    try:
        return ask(near, "select count(*) from pg_stat_activity where pid = %s", pid) == 0
    except psycopg.OperationalError:
        return False


def restarted(server, mode):
    server.stop(mode)
    server.start()


def fill(pool):
    """Have all the connections of a pool open and idle; return their backends."""
    with ExitStack() as stack:
        pids = {stack.enter_context(pool.borrow()).info.backend_pid for _ in range(4)}
    wait_until(lambda: pool.status().available == 4)
    return pids


ENDS = {
    "fast": lambda server, near, pid: restarted(server, "fast"),
    "immediate": lambda server, near, pid: restarted(server, "immediate"),
    "crash": lambda server, near, pid: crash(near, pid),
}


@pytest.fixture(params=ENDS)
def end(request, own_server, near):
    """Restart the server in one way or the other; called with a backend's pid."""
    return lambda pid: ENDS[request.param](own_server, near, pid)


def test_an_open_transaction_is_lost_and_said_to_be_and_nothing_is_sent(cells, near, end):
    before = value(cells, "select pg_backend_pid()")
    cells.run("%%sql\nset work_mem = '7MB'; create temp table mine (a int); begin; insert into t values (1)")
    end(before)
    reply = cells.run("%sql insert into t values (2)", ok=False)
    assert type(reply.exception) is ConnectionLost
    panel = reply.displayed[-1]
    assert "The statement was not sent" in panel
    assert "open transaction (1 statement)" in panel
    assert "temp tables, settings" in panel
    assert count(near) == 0
    assert value(cells, "select pg_backend_pid()") != before
    assert value(cells, "select current_setting('work_mem') || coalesce(to_regclass('mine')::text, '')") == "4MB"
    cells.run("%sql insert into t values (3)")
    assert count(near) == 1


def test_a_running_write_is_an_unknown_outcome_and_is_not_run_again(cells, near, end):
    before = value(cells, "select pg_backend_pid()")
    with meanwhile(until_running(near, "pg_sleep(81)"), lambda: end(before)):
        reply = cells.run("%sql insert into t select 1 from pg_sleep(81)", ok=False)
    assert type(reply.exception) is ConnectionLost
    assert "Outcome unknown" in reply.displayed[-1]
    assert value(cells, "select pg_backend_pid()") != before
    assert not running(near, "pg_sleep(81)")
    assert count(near) == 0


def test_every_connection_of_the_pool_heals_at_once(cells, near, end, tusk):
    pool = tusk.connection("db").pool
    before = value(cells, "select pg_backend_pid()")
    dead = fill(pool)
    end(before)
    # what is dead is counted as there no more
    wait_until(lambda: pool.status().size == 0)
    alive = fill(pool)
    assert len(alive) == 4
    assert not alive & dead
    cells.run("%sql select 1", ok=False)
    assert value(cells, "select 41") == "41"
    now = pool.status()
    assert (now.size, now.available, now.waiting) == (5, 4, 0)


# -- a COMMIT ---------------------------------------------------------------------------------------------------------


def test_a_backend_that_ends_before_its_commit_is_done(cells, near):
    cells.run(
        "%%sql\ncreate or replace function slow() returns trigger language plpgsql as $$\n"
        "begin perform pg_sleep(82); return null; end $$;\n"
        "create constraint trigger slow after insert on t deferrable initially deferred\n"
        "for each row execute function slow();\n"
        "begin; insert into t values (1)"
    )
    before = value(cells, "select pg_backend_pid()")

    def committing():
        return ask(near, "select pid from pg_stat_activity where query ilike 'commit' and state = 'active'")

    with meanwhile(lambda: wait_until(committing), lambda: terminate(near, before)):
        reply = cells.run("%sql commit", ok=False)
    assert type(reply.exception).__mro__[1] is ConnectionLost
    assert "The COMMIT did not take effect" in reply.displayed[-1]
    assert "temp tables" in reply.displayed[-1]
    assert count(near) == 0


def test_a_backend_that_ends_after_its_commit_was_done_but_not_said_to_be(cells, near):
    """It is saved here, and waits to be elsewhere as well, where nobody is."""
    before = value(cells, "select pg_backend_pid()")
    cells.run("%%sql\nbegin; insert into t values (1)")

    def waiting():
        return ask(near, "select pid from pg_stat_activity where wait_event = 'SyncRep' and pid = %s", before)

    with nobody_to_replicate_to(near):
        with meanwhile(lambda: wait_until(waiting), lambda: terminate(near, before)):
            reply = cells.run("%sql commit", ok=False)
        assert "The COMMIT took effect" in reply.displayed[-1]
    assert count(near) == 1


@contextmanager
def nobody_to_replicate_to(near):
    def wants(name):
        ask_nothing(near, f"alter system set synchronous_standby_names = '{name}'")
        ask_nothing(near, "select pg_reload_conf()")
        wait_until(lambda: ask(near, "show synchronous_standby_names") == name)

    wants("nobody")
    try:
        yield
    finally:
        wants("")


def ask_nothing(near, statement):
    with psycopg.connect(near, autocommit=True) as conn:
        conn.execute(statement)
