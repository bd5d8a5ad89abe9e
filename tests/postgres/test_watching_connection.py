"""The connection that a watch borrows: given up to whoever wants it, and nothing to anybody when it is lost."""

from __future__ import annotations

import itertools
import os
import threading
import time

import pytest

import tusk_jupyter
from tests.postgres.test_watching import Flight, idle_in, sessions, waits, watchers  # noqa: F401
from tests.waiting import ask, backends, wait_until
from tusk_jupyter import running
from tusk_jupyter.errors import PoolTimeout
from tusk_jupyter.queries.progress import Seen


@pytest.fixture
def fly(tusk, monkeypatch):
    """Let statements fly on a connection of the test's own making: ``fly(conninfo, pool_size=…)``."""
    monkeypatch.setattr(running, "WATCHED_FROM_MS", 0)
    flights = []

    def begin(conninfo, **options):
        tusk_jupyter.connect(conninfo, name="db", **options)
        flights.append(Flight(tusk, conninfo))
        return flights[-1]

    yield begin
    for flight in flights:
        flight.close()


@pytest.fixture(scope="module")
def own_server(make_server):
    """A server that may be stopped."""
    server = make_server()
    yield server
    if not (server.root / "data" / "postmaster.pid").exists():
        server.start()


def running_there(database, execution):
    """Whether the server has begun to wait for a lock for it."""
    waiting = "select wait_event_type = 'Lock' from pg_stat_activity where pid = %s"
    return ask(database, waiting, execution.session.backend_pid)


def watched(tusk, name="db"):
    """Wait until a connection's watch has its connection; return that one's pid."""
    pool = tusk.connections.get(name).pool
    return wait_until(lambda: next((conn.pgconn.backend_pid for conn in list(pool._lent)), None))


def test_half_a_second_without_it(tusk, connection, executions_that_are_watched, database):
    tusk_jupyter.sql("select pg_sleep(0.3)")
    assert executions_that_are_watched == []
    assert "watching" not in tusk.__dict__

    tusk_jupyter.sql("select pg_sleep(0.6)")
    assert len(executions_that_are_watched) >= 1
    assert min(executions_that_are_watched) >= 0.5


@pytest.fixture
def executions_that_are_watched(monkeypatch):
    """How old each was when it was seen to."""
    from tusk_jupyter.queries import watching

    ages, watch = [], watching.Watching.watch

    def noted(self, execution, connection):
        ages.append(execution.elapsed_ms / 1000)
        watch(self, execution, connection)

    monkeypatch.setattr(watching.Watching, "watch", noted)
    return ages


def test_a_pool_of_one_has_none_to_lend(fly, tusk, database, sessions):  # noqa: F811
    other = sessions()
    other.execute("create table orders()")
    idle_in(other, "lock table orders")
    flight = fly(database, pool_size=1)

    execution = flight.run("select from orders")

    wait_until(lambda: execution.elapsed_ms > 300)
    assert not watchers()
    assert execution.seen.wait is None
    assert tusk.connections.get("db").pool.status().size == 1


def test_whoever_wants_the_last_connection_gets_it(fly, tusk, database):
    flight = fly(database, pool_size=2)
    flight.run("select pg_sleep(60)")
    pid = watched(tusk)
    pool = tusk.connections.get("db").pool

    with pool.borrow(10) as conn:
        assert conn.info.backend_pid == pid
        assert pool.status().size == 2
        # and it is not taken back from behind him
        with pytest.raises(PoolTimeout), pool.borrow(0.6):
            pass
        assert watchers()

    assert watched(tusk) == pid


def test_one_that_borrows_never_waits_for_the_next_look(fly, tusk, database, monkeypatch):
    from tusk_jupyter.queries import watch

    monkeypatch.setattr(watch, "LOOK_S", 60.0)
    flight = fly(database, pool_size=2)
    flight.run("select pg_sleep(60)")
    watched(tusk)

    with tusk.connections.get("db").pool.borrow(10) as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_a_borrowed_connection_has_nothing_left_of_the_watch(fly, tusk, database):
    flight = fly(database, pool_size=2)
    flight.run("select pg_sleep(60)")
    pid = watched(tusk)

    with tusk.connections.get("db").pool.borrow(10) as conn:
        assert conn.info.backend_pid == pid
        settings = ("statement_timeout", "lock_timeout", "default_transaction_read_only", "plan_cache_mode")
        assert [conn.execute(f"show {name}").fetchone()[0] for name in settings] == ["0", "0", "off", "auto"]
        assert conn.execute("select count(*) from pg_prepared_statements").fetchone() == (0,)


def test_a_watch_that_was_ended_by_the_server_begins_again(fly, tusk, database):
    flight = fly(database)
    execution = flight.run("select pg_sleep(60)")
    pid = watched(tusk)

    ask(database, "select pg_terminate_backend(%s)", pid)

    wait_until(lambda: watched(tusk) != pid)
    assert execution.state == "running"


def test_disconnecting_ends_the_watch_and_its_connection(fly, tusk, database):
    flight = fly(database)
    flight.run("select pg_sleep(60)")
    watched(tusk)

    tusk.connections.disconnect("db")

    wait_until(lambda: not watchers())
    wait_until(lambda: not backends(database))


def test_a_wait_is_not_said_of_what_nobody_looks_at(fly, tusk, database, sessions):  # noqa: F811
    other = sessions()
    other.execute("create table orders()")
    idle_in(other, "lock table orders")
    flight = fly(database, pool_size=2)
    execution = flight.run("select from orders")
    assert waits(execution).what == "a lock on orders"

    with tusk.connections.get("db").pool.borrow(10):
        assert execution.progress.seen == Seen()

    assert waits(execution).what == "a lock on orders"


@pytest.mark.parametrize("is_fresh", [True, False])
def test_an_error_says_no_wait_that_is_long_past(fly, tusk, database, sessions, monkeypatch, is_fresh):  # noqa: F811
    from tusk_jupyter.queries import watch

    other = sessions()
    other.execute("create table orders()")
    idle_in(other, "lock table orders")
    flight = fly(database)
    execution = flight.run("select from orders")
    waits(execution)

    if not is_fresh:
        monkeypatch.setattr(watch.Watch, "look", lambda *_: False)
        wait_until(lambda: time.monotonic() > execution.seen.until)
    flight.stop(execution)

    [error] = execution.results
    assert ("waited for" in dict(error.facts)) is is_fresh


def test_a_look_that_nobody_could_answer_leaves_no_watch(fly, tusk, database):
    flight = fly(database, pool_size=2)
    connection = tusk.connections.get("db")
    with connection.pool.borrow():
        execution = flight.run("select pg_sleep(60)")
        wait_until(watchers)

        assert tusk.watching.look(connection, [execution]) == {execution.id: execution.seen}

        flight.stop(execution)
        wait_until(lambda: not watchers())


def test_what_was_asked_in_vain_is_not_done_later(fly, tusk, database):
    flight = fly(database, pool_size=2)
    connection = tusk.connections.get("db")
    with connection.pool.borrow():
        execution = flight.run("select pg_sleep(60)")
        wait_until(watchers)
        watch = tusk.watching._watches[connection.id]
        late = []

        assert watch.ask(late.append, 0.2) is None

    watched(tusk)
    assert watch.ask(lambda _: "done", 10) == "done"
    assert late == []
    assert execution.state == "running"


def test_a_closed_pool_ends_the_watch_whatever_it_follows(fly, tusk, database):
    flight = fly(database, pool_size=2)
    execution = flight.run("select pg_sleep(60)")
    watched(tusk)

    tusk.connections.get("db").pool.close()

    wait_until(lambda: not watchers())
    assert execution.state == "running"


def test_a_watch_that_ends_leaves_its_successors_word_with_the_pool(connection):
    pool = connection.pool
    first, second = threading.Event(), threading.Event()
    pool.tell_when_wanted(first.set)
    pool.tell_when_wanted(second.set)

    pool.tell_no_more(first.set)
    pool.close()

    assert second.is_set()
    assert not first.is_set()
    pool.tell_no_more(second.set)
    assert pool.on_wanted is None


def test_the_end_of_the_kernel_ends_the_watch(fly, tusk, database):
    flight = fly(database)
    flight.run("select pg_sleep(60)")
    watched(tusk)

    tusk.close()

    assert not watchers()
    wait_until(lambda: not backends(database))


def test_a_server_that_restarts_ends_the_statement_and_leaves_no_watch(fly, tusk, own_server):
    flight = fly(own_server.conninfo())
    execution = flight.run("select pg_sleep(60)")
    watched(tusk)

    own_server.stop()
    own_server.start()

    [error] = wait_until(lambda: execution.results)
    assert type(error).__name__ == "ConnectionLost"
    wait_until(lambda: not watchers())
    assert tusk_jupyter.sql("select 1 as x")["x"][0] == 1


def test_a_server_that_says_nothing_any_more_costs_only_the_watch(fly, tusk, proxy, database, monkeypatch):
    from tusk_jupyter.queries import watch

    monkeypatch.setattr(watch, "TIMEOUT_S", 0.3)
    flight = fly(proxy.conninfo(database.rpartition("=")[2]))
    execution = flight.run("select pg_sleep(60)")
    watched(tusk)
    pool = tusk.connections.get("db").pool

    proxy.freeze()

    wait_until(lambda: not pool._lent)
    assert execution.state == "running"
    proxy.thaw()


def test_ten_executions_are_seen_on_one_connection(fly, tusk, database, sessions):  # noqa: F811
    other = sessions()
    other.execute("select pg_advisory_lock(n) from generate_series(1, 9) n")
    flight = fly(database, pool_size=12)
    connection = tusk.connections.get("db")
    own = flight.run("select pg_advisory_lock(1)")
    background = Background(tusk, connection, 8)

    with background as executions:
        wait_until(lambda: all(e.seen.wait for e in (own, *executions)))
        assert [e.seen.wait.what for e in executions] == [f"advisory lock {n + 2}" for n in range(8)]
        assert watchers() == ["tusk-watch-db"]
        assert len(connection.pool._lent) == 9
        assert all(h.pid == other.info.backend_pid for e in executions for h in e.seen.wait.holders)
        own.cancel()


class Background:
    """Statements on connections of the pool, as background queries have them."""

    def __init__(self, tusk, connection, count):
        self.tusk, self.connection, self.count = tusk, connection, count

    def __enter__(self):
        from contextlib import ExitStack

        from tusk_jupyter.connections.session import Session
        from tusk_jupyter.queries.binding import Bound
        from tusk_jupyter.queries.endings import Source
        from tusk_jupyter.queries.execution import Execution
        from tusk_jupyter.queries.split import split

        self.stack, self.executions, self.threads = ExitStack(), [], []
        tick = running.ticking(self.tusk, self.connection, None)
        for number in range(self.count):
            conn = self.stack.enter_context(self.connection.pool.borrow())
            session = Session(conn, name="db")
            self.stack.callback(session.release)
            [statement] = split(f"select pg_advisory_lock({number + 2})")
            execution = Execution(
                session, statement=statement, bound=Bound(statement.text), source=Source("", statement.text),
                options=running.delivery_options(self.tusk, running.CellOptions(), self.connection),
            )  # fmt: skip
            self.executions.append(execution)
            self.threads.append(threading.Thread(target=lambda e=execution: e.wait(lambda: tick(e))))
            self.threads[-1].start()
        return self.executions

    def __exit__(self, *_):
        for execution, thread in zip(self.executions, self.threads, strict=True):
            execution.cancel()
            thread.join(20)
        self.stack.close()


def test_progress_is_told_four_times_a_second_and_only_to_who_listens(fly, tusk, database):
    flight = fly(database)
    heard = []
    unsubscribe = tusk.events.subscribe(heard.append)
    execution = flight.run("select generate_series(1, 10), pg_sleep(0.1)")
    wait_until(lambda: execution.results)
    unsubscribe()

    told = [event for event in heard if getattr(event, "status", "") == "progress"]
    assert 2 <= len(told) <= 1 + execution.elapsed_ms / 250
    assert {event.query_id for event in told} == {execution.id}
    gaps = [(b.at - a.at).total_seconds() for a, b in itertools.pairwise(told)]
    assert min(gaps) > 0.2


def test_a_fresh_look_says_what_they_wait_for(fly, tusk, database, sessions):  # noqa: F811
    other = sessions()
    other.execute("create table orders()")
    idle_in(other, "lock table orders")
    flight = fly(database)
    execution = flight.run("select from orders")
    wait_until(lambda: running_there(database, execution))

    seen = tusk.watching.look(tusk.connections.get("db"), [execution])

    assert seen[execution.id].wait.what == "a lock on orders"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_no_watch_and_leaves_the_parents_alone(fly, tusk, database):
    flight = fly(database)
    execution = flight.run("select pg_sleep(60)")
    pid = watched(tusk)
    read, write = os.pipe()

    child = os.fork()
    if child == 0:
        answer = b"no"
        try:
            if not tusk.watching._watches:
                answer = b"ok"
        finally:
            os.write(write, answer)
            os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read, 2) == b"ok"
    os.close(read)
    os.close(write)
    assert watched(tusk) == pid
    assert execution.state == "running"
    assert tusk.watching.look(tusk.connections.get("db"), [execution])
