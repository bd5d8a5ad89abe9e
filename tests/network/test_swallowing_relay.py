"""A relay that takes every byte and passes none on: no keepalive finds that out, for somebody does answer."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager

import psycopg
import pytest

import tusk_jupyter
from tests.waiting import ask, meanwhile, running, terminate, wait_until
from tusk_jupyter.errors import (
    ConnectionLost,
    ConnectionTimeout,
    PoolTimeout,
    QueryInterrupted,
    QueryTimeout,
)
from tusk_jupyter.queries import execution
from tusk_jupyter.queries.lost import CommitLostError


@pytest.fixture
def near(database):
    """Conninfo that does not go through the relay; there is a table ``t``."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("create table t (a int)")
    return database


@pytest.fixture
def far(near, proxy):
    return proxy.conninfo(near.rpartition("=")[2])


@pytest.fixture
def cells(shell, far):
    """Cells whose connection ``far`` goes through the relay."""
    shell.run(f"%tusk_connect {far} --name far --connect-timeout 2s --pool-timeout 2s")
    return shell


def pid(cells):
    return int(cells.run("x = %sql select pg_backend_pid() as pid\nprint(x.pid[0])").stdout)


def count(near):
    return ask(near, "select count(*) from t")


def until_running(near, fragment):
    return lambda: wait_until(lambda: running(near, fragment))


def interrupt():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def goes_on(cells, proxy, near, before):
    """The next cell has a session of its own and runs, once."""
    proxy.thaw()
    had = count(near)
    cells.run("%sql insert into t values (100)")
    assert count(near) == had + 1
    assert pid(cells) != before


# -- what ends it -----------------------------------------------------------------------------------------------------


def test_an_interrupted_write_is_an_unknown_outcome_that_is_not_sent_again(cells, proxy, near, monkeypatch):
    monkeypatch.setattr(execution, "GIVE_UP_S", 0.5)
    before = pid(cells)
    steps = (until_running(near, "pg_sleep(1)"), proxy.freeze, interrupt)
    with meanwhile(*steps):
        reply = cells.run("%sql insert into t select 1 from pg_sleep(1)", ok=False)
    assert type(reply.exception) is QueryInterrupted
    assert "given up after" in reply.displayed[-1]
    assert "Outcome unknown" in reply.displayed[-1]
    wait_until(lambda: count(near) == 1)
    goes_on(cells, proxy, near, before)
    assert count(near) == 2


def test_the_cells_own_time_limit_gives_up_as_an_interrupt_does(cells, proxy, near, monkeypatch):
    monkeypatch.setattr(execution, "GIVE_UP_S", 0.5)
    before = pid(cells)
    cells.run("%%sql\nbegin; insert into t values (1)")
    with meanwhile(until_running(near, "pg_sleep(71)"), proxy.freeze):
        reply = cells.run("%sql --timeout 700ms select pg_sleep(71)", ok=False)
    assert type(reply.exception) is QueryTimeout
    assert reply.exception.duration_s == pytest.approx(0.7)
    assert "given up after" in str(reply.exception)
    assert "open transaction (1 statement)" in reply.displayed[-1]
    terminate(near, before)
    goes_on(cells, proxy, near, before)
    assert count(near) == 1


def test_a_statement_timeout_of_the_server_is_heard_when_the_relay_flows_again(cells, proxy, near):
    before = pid(cells)
    cells.run("%sql set statement_timeout = '300ms'")

    def ended():
        return not running(near, "pg_sleep(72)")

    steps = (until_running(near, "pg_sleep(72)"), proxy.freeze, lambda: wait_until(ended), proxy.thaw)
    with meanwhile(*steps):
        reply = cells.run("%sql select pg_sleep(72)", ok=False)
    assert type(reply.exception) is QueryTimeout
    assert pid(cells) == before


def test_connecting_through_it_takes_as_long_as_it_may(shell, proxy, far):
    proxy.freeze()
    line = f"%tusk_connect {far} --name far --connect-timeout 2s"
    reply = shell.run(line, ok=False)
    assert type(reply.exception) is ConnectionTimeout
    assert "far" not in repr(shell.run("%tusk connections").outputs)
    proxy.thaw()
    shell.run(line)
    assert shell.run("%sql select 41").value


def test_a_checkout_ends_and_the_pool_heals(cells, proxy, tusk):
    pool = tusk.connection("far").pool
    with pool.borrow() as conn:
        dead = conn.info.backend_pid
    wait_until(lambda: pool.status().available == 1)
    proxy.freeze()
    with pytest.raises(PoolTimeout), pool.borrow(timeout_s=0.5):
        pass
    status = pool.status()
    assert 0 <= status.available <= status.size <= status.max_size
    proxy.thaw()
    with pool.borrow(timeout_s=20) as conn:
        assert conn.info.backend_pid != dead


# -- a COMMIT of a block ----------------------------------------------------------------------------------------------


def block(cut, at):
    """A transaction of one row, whose line is cut in the end."""
    with tusk_jupyter.transaction("far"):
        tusk_jupyter.sql("insert into t values (1)", "far")
        cut(at)


@pytest.mark.parametrize(
    ("cut", "said", "rows"),
    [("cut_answer_to", "The COMMIT took effect", 1), ("cut_before", "The COMMIT did not take effect", 0)],
)
def test_a_blocks_commit_is_looked_up(cells, proxy, near, cut, said, rows):
    with pytest.raises(CommitLostError, match="during COMMIT") as caught:
        block(getattr(proxy, cut), b"commit")
    assert said in caught.value.transaction
    assert count(near) == rows
    # what was lost has been said
    assert cells.run("%sql select 41").value


def test_a_block_that_broke_before_its_commit_was_not_sent(cells, proxy, near):
    with pytest.raises(ConnectionLost) as caught:
        block(proxy.cut_before, b"txid_current_if_assigned")
    assert not isinstance(caught.value, CommitLostError)
    assert "which the server rolls back" in caught.value.transaction
    assert count(near) == 0
    assert cells.run("%sql select 41").value


@contextmanager
def busy(near):
    """Another thread's statement on the session ``far``, which runs when the block begins and is right at its end."""
    found = []

    def work():
        found.append(tusk_jupyter.sql("select 5 as five from pg_sleep(0.5)", "far"))

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: running(near, "pg_sleep(0.5)"))
    yield
    thread.join(10)
    assert found[0].five[0] == 5


def test_a_block_begins_when_what_runs_on_its_session_has_ended(cells, near):
    """What runs there is another thread's, or our own after a cancel: no transaction is open yet."""
    with busy(near), tusk_jupyter.transaction("far"):
        tusk_jupyter.sql("insert into t values (1)", "far")
    assert count(near) == 1


# -- beside a statement -----------------------------------------------------------------------------------------------


def test_a_session_that_is_lost_after_a_statement_is_said_to_be(cells, proxy, near, tusk):
    before = pid(cells)
    cells.run("%sql create temp table mine (a int)")
    with meanwhile(until_running(near, "pg_sleep(73)"), interrupt):
        # what follows a cancel, so that it hits nobody else's statement when it comes late
        proxy.cut_before(b"pg_sleep(0.1)")
        assert type(cells.run("%sql select pg_sleep(73)", ok=False).exception) is QueryInterrupted
    wait_until(proxy.cut.is_set)
    wait_until(lambda: tusk.connection("far").live_session is None)
    reply = cells.run("%sql insert into t values (1)", ok=False)
    assert type(reply.exception) is ConnectionLost
    assert "temp tables" in reply.displayed[-1]
    assert "The statement was not sent" in reply.displayed[-1]
    assert count(near) == 0
    goes_on(cells, proxy, near, before)
