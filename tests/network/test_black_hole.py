"""A network that drops every packet and tells nobody: found out in bounded time, said, and nothing is run twice."""

from __future__ import annotations

import select
import signal
import socket
import threading

import psycopg
import pytest

from tests.waiting import ask, meanwhile, running, wait_until
from tusk_jupyter.errors import ConnectionLost, ConnectionTimeout, PoolTimeout, QueryInterrupted
from tusk_jupyter.queries import execution

# the socket's own limits are not to end what something else is to end
PATIENT = {"keepalives_idle": 60, "tcp_user_timeout": 60_000}
BIG = "x" * 8_000_000  # more than the buffers of both ends take


@pytest.fixture
def cells(hole, shell):
    """Cells whose connection ``far`` goes past the hole; a table ``t`` behind it."""
    with psycopg.connect(hole.near, autocommit=True) as conn:
        conn.execute("create table t (a int)")
    connect(shell, hole)
    return shell


def connect(cells, hole, **parameters):
    cells.run(f"%tusk_connect {hole.far(**parameters)} --name far --connect-timeout 2s --pool-timeout 2s")


def reconnect(cells, hole, **parameters):
    cells.run("%tusk disconnect far")
    connect(cells, hole, **parameters)


def count(hole, table="t"):
    return ask(hole.near, f"select count(*) from {table}")


def pid(cells):
    return int(cells.run("x = %sql select pg_backend_pid() as pid\nprint(x.pid[0])").stdout)


def died(tusk):
    """Whether the operating system has given the session's socket up."""
    poll = select.poll()
    poll.register(tusk.connection("far").live_session.adapt.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))


def until_running(hole, fragment):
    return lambda: wait_until(lambda: running(hole.near, fragment))


def in_flight(tusk):
    (active,) = tusk.queries.active()
    return tusk.queries.get(active.id)


def interrupt():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def goes_on(cells, hole, before):
    """The next cell has a session of its own and runs, once."""
    hole.close()
    had = count(hole)
    cells.run("%sql insert into t values (100)")
    assert count(hole) == had + 1
    assert pid(cells) != before


def test_an_idle_session_is_found_dead_and_nothing_is_sent(cells, hole, tusk):
    before = pid(cells)
    cells.run("%%sql\ncreate temp table mine (a int); begin; insert into t values (1)")
    hole.open()
    wait_until(lambda: died(tusk), timeout=20)
    assert hole.swallowed()
    hole.close()
    reply = cells.run("%sql insert into t values (2)", ok=False)
    assert type(reply.exception) is ConnectionLost
    panel = reply.displayed[-1]
    assert "The statement was not sent" in panel
    assert "open transaction (1 statement)" in panel
    assert "temp tables" in panel
    assert "timed out" in panel
    assert count(hole) == 0
    goes_on(cells, hole, before)


def test_what_is_sent_into_the_hole_has_an_unknown_outcome_and_is_not_sent_again(cells, hole):
    before = pid(cells)
    hole.open()
    reply = cells.run("%sql insert into t values (1)", ok=False)
    assert type(reply.exception) is ConnectionLost
    assert "Outcome unknown" in reply.displayed[-1]
    refused = cells.run("%sql insert into t values (2)", ok=False)
    assert type(refused.exception) is ConnectionTimeout
    assert refused.exception.duration_s == pytest.approx(2, abs=0.1)
    assert count(hole) == 0
    goes_on(cells, hole, before)
    assert count(hole) == 1


def test_a_long_statement_into_the_hole(cells, hole):
    before = pid(cells)
    cells.ns["big"] = BIG
    cells.run("%sql begin")
    hole.open()
    reply = cells.run("%sql insert into t values (length(:big))", ok=False)
    assert type(reply.exception) is ConnectionLost
    assert "open transaction (0 statements)" in reply.displayed[-1]
    hole.close()
    assert count(hole) == 0
    goes_on(cells, hole, before)


def test_a_statement_that_runs_when_the_hole_opens_runs_once(cells, hole):
    before = pid(cells)
    statement = "insert into t select 1 from pg_sleep(1.5)"
    with meanwhile(until_running(hole, "pg_sleep(1.5)"), hole.open):
        reply = cells.run(f"%sql {statement}", ok=False)
    assert type(reply.exception) is ConnectionLost
    assert "Outcome unknown" in reply.displayed[-1]
    # the server knew nothing of the hole, and finished
    wait_until(lambda: count(hole) == 1)
    goes_on(cells, hole, before)
    assert count(hole) == 2


def test_a_query_that_runs_when_the_hole_opens(cells, hole):
    before = pid(cells)
    cells.run("%%sql\nbegin; insert into t values (1)")
    with meanwhile(until_running(hole, "pg_sleep(51)"), hole.open):
        reply = cells.run("%sql select pg_sleep(51)", ok=False)
    assert type(reply.exception) is ConnectionLost
    assert "open transaction (1 statement)" in reply.displayed[-1]
    assert "unknown" not in reply.displayed[-1]
    goes_on(cells, hole, before)


def test_a_commit_into_the_hole_is_unknown_by_its_number(cells, hole):
    cells.run("%%sql\nbegin; insert into t values (1)")
    number = ask(hole.near, "select backend_xid::text from pg_stat_activity where backend_xid is not null")
    # the id is asked for first: only what follows it is to vanish
    cells.run("from tusk_jupyter.queries import execution")
    asked = execution.Execution._transaction_id

    def then_open(self):
        found = asked(self)
        hole.open()
        return found

    execution.Execution._transaction_id = then_open
    try:
        reply = cells.run("%sql commit", ok=False)
    finally:
        execution.Execution._transaction_id = asked
    assert f"outcome of the COMMIT is unknown (transaction {number})" in reply.displayed[-1]
    hole.close()
    assert ask(hole.near, "select pg_xact_status(%s::text::xid8)", number) in {"in progress", "aborted"}
    assert count(hole) == 0


def test_connecting_into_the_hole_takes_as_long_as_it_may(shell, hole):
    hole.open()
    line = f"%tusk_connect {hole.far()} --name far --connect-timeout 2s"
    reply = shell.run(line, ok=False)
    assert type(reply.exception) is ConnectionTimeout
    assert "no answer within 2 s" in str(reply.exception)
    assert "far" not in repr(shell.run("%tusk connections").outputs)
    hole.close()
    shell.run(line)
    assert shell.run("%sql select 41").value


def test_an_interrupt_leaves_a_connect_into_the_hole(shell, hole):
    hole.open()
    with meanwhile(lambda: wait_until(hole.swallowed), interrupt):
        reply = shell.run(f"%tusk_connect {hole.far()} --name far --connect-timeout 50s", ok=False)
    assert type(reply.exception) is QueryInterrupted
    assert "was interrupted" in reply.displayed[-1]


def test_a_checkout_into_the_hole_ends_and_the_pool_heals(cells, hole, tusk):
    pool = tusk.connection("far").pool
    with pool.borrow() as one, pool.borrow() as other:
        dead = {one.info.backend_pid, other.info.backend_pid}
    wait_until(lambda: pool.status().available == 2)
    hole.open()
    # longer than a check may take: what fails one takes the others with it
    with pytest.raises(PoolTimeout), pool.borrow(timeout_s=4):
        pass
    status = pool.status()
    assert 0 <= status.available <= status.size <= status.max_size
    assert status.waiting == 0
    hole.close()
    with pool.borrow(timeout_s=20) as conn:
        assert conn.info.backend_pid not in dead
        assert conn.execute("select 1").fetchone() == (1,)


def test_status_and_disconnect_need_no_network(cells, hole):
    hole.open()
    assert "far" in cells.run("%tusk status").value
    cells.run("%tusk disconnect far")
    hole.close()
    connect(cells, hole)
    assert cells.run("%sql select 41").value


# -- interrupts -------------------------------------------------------------------------------------------------------


def test_one_interrupt_gives_up_after_five_seconds(cells, hole):
    reconnect(cells, hole, **PATIENT)
    before = pid(cells)
    cells.run("%%sql\nbegin; insert into t values (1)")
    with meanwhile(until_running(hole, "pg_sleep(52)"), hole.open, interrupt):
        reply = cells.run("%sql select pg_sleep(52)", ok=False)
    assert type(reply.exception) is QueryInterrupted
    panel = reply.displayed[-1]
    assert "given up after" in panel
    assert f"pid {before}" in panel
    assert "open transaction (1 statement)" in panel
    assert "temp tables" in panel
    goes_on(cells, hole, before)


def test_the_second_interrupt_gives_up_at_once(cells, hole, tusk, monkeypatch):
    monkeypatch.setattr(execution, "GIVE_UP_S", 600)
    reconnect(cells, hole, **PATIENT)
    before = pid(cells)

    def asked():
        return in_flight(tusk).is_cancelled

    with meanwhile(
        until_running(hole, "pg_sleep(53)"), hole.open, interrupt, lambda: wait_until(asked), interrupt
    ):
        reply = cells.run("%sql select pg_sleep(53)", ok=False)
    assert type(reply.exception) is QueryInterrupted
    assert "given up after" in reply.displayed[-1]
    goes_on(cells, hole, before)


def test_an_interrupt_of_a_write_in_the_hole_says_what_is_unknown(cells, hole, monkeypatch):
    monkeypatch.setattr(execution, "GIVE_UP_S", 1.0)
    reconnect(cells, hole, **PATIENT)
    before = pid(cells)
    with meanwhile(until_running(hole, "pg_sleep(2.5)"), hole.open, interrupt):
        reply = cells.run("%sql insert into t select 1 from pg_sleep(2.5)", ok=False)
    assert "Outcome unknown" in reply.displayed[-1]
    wait_until(lambda: count(hole) == 1)
    goes_on(cells, hole, before)
    assert count(hole) == 2


def test_a_cancel_that_got_no_answer_costs_the_session_and_that_is_said(cells, hole, tusk):
    reconnect(cells, hole, **PATIENT)
    before = pid(cells)
    cells.run("%%sql\ncreate temp table mine (a int); begin; insert into t values (1)")

    def unanswered():
        return in_flight(tusk)._token.unconfirmed

    steps = (
        until_running(hole, "pg_sleep(3)"),
        hole.open,
        tusk.queries.cancel_all,
        lambda: wait_until(unanswered),
        hole.close,
    )
    with meanwhile(*steps):
        reply = cells.run("%sql select 5 as five from pg_sleep(3)", ok=None)
    # it had been through before anybody could stop it, but where the cancel request is now nobody knows
    assert reply.status == "ok"
    assert "5" in reply.value
    said = reply.displayed[-1]
    assert "never used again" in said
    assert "open transaction (2 statements)" in said
    goes_on(cells, hole, before)
    assert count(hole) == 1


# -- what is sent without end -----------------------------------------------------------------------------------------


@pytest.fixture
def loading(cells, hole):
    """A frame that is larger than what both ends' buffers take, and a table that it goes into."""
    with psycopg.connect(hole.near, autocommit=True) as conn:
        conn.execute("create table big (a int primary key, b text)")
    cells.run("import pandas as pd\ndf = pd.DataFrame({'a': range(100_000), 'b': ['x' * 200] * 100_000})")
    return cells


def blocked(hole):
    return ask(hole.near, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'")


def window_closed(tusk):
    """Whether the session's data wait for a server that takes no more."""
    fileno = tusk.connection("far").live_session.adapt.pgconn.socket
    poll = select.poll()
    poll.register(fileno, select.POLLOUT)
    return not poll.poll(0)


def test_a_load_that_waits_for_a_lock_outlasts_the_sockets_time_limit(loading, hole, tusk):
    limit_s = 1
    reconnect(loading, hole, tcp_user_timeout=limit_s * 1000)
    before = pid(loading)
    with psycopg.connect(hole.near) as other:
        other.execute("insert into big values (0, '')")
        steps = (
            lambda: wait_until(lambda: blocked(hole)),
            lambda: wait_until(lambda: window_closed(tusk)),
            # the third look is at least twice the limit after the first
            lambda: [threading.Event().wait(limit_s) for _ in range(3)],
            other.rollback,
        )
        with meanwhile(*steps):
            loading.run("%tusk load df --to big --append")
    assert count(hole, "big") == 100_000
    assert pid(loading) == before
    assert user_timeout(tusk.connection("far").live_session.adapt) == limit_s * 1000


def test_a_load_into_the_hole_ends(loading, hole, tusk):
    before = pid(loading)
    with psycopg.connect(hole.near) as other:
        other.execute("insert into big values (0, '')")
        with meanwhile(lambda: wait_until(lambda: blocked(hole)), hole.open):
            reply = loading.run("%tusk load df --to big --append", ok=False)
        other.rollback()
    assert type(reply.exception) is ConnectionLost
    assert "nothing was acknowledged for 2 s" in reply.displayed[-1]
    assert count(hole, "big") == 0
    goes_on(loading, hole, before)


# -- what finds out -----------------------------------------------------------------------------------------------------


def user_timeout(conn):
    return option(conn, socket.TCP_USER_TIMEOUT)


def option(conn, name):
    with socket.fromfd(conn.pgconn.socket, socket.AF_INET, socket.SOCK_STREAM) as handle:
        return handle.getsockopt(socket.IPPROTO_TCP, name)


def limits(conn):
    names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
    return tuple(option(conn, name) for name in names)


def test_every_connection_looks_for_a_dead_network(shell, hole, tusk):
    words = [w for w in hole.far().split() if not w.startswith(("keepalives", "tcp_user"))]
    shell.run(f"%tusk_connect {' '.join(words)} --name plain")
    shell.run(f"%tusk_connect {hole.far(keepalives_idle=7)} --name given")
    for name, expected in (("plain", (10, 5, 3, 20_000)), ("given", (7, 1, 2, 2000))):
        connection = tusk.connection(name)
        assert limits(connection.live_session.adapt) == expected
        with connection.pool.borrow() as conn:
            assert limits(conn) == expected
