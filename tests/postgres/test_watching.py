"""What the server knows of a statement in flight: phases, locks and who holds them, on a connection of nobody's way."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

import tusk_jupyter
from tests.waiting import ask, wait_until
from tusk_jupyter.errors import TuskError


class Flight:
    """Statements that run on threads of their own, as cells do in a kernel, until the test is over."""

    def __init__(self, tusk) -> None:
        self.tusk = tusk
        self.threads = []

    def run(self, statement, connection=None):
        """Run a statement; return its execution, once it is in flight, which keeps its ``outcome``."""
        known = {active.id for active in self.tusk.queries.active()}
        outcome = []

        def work():
            try:
                outcome.append(tusk_jupyter.sql(statement, connection))
            except TuskError as error:
                outcome.append(error)

        thread = threading.Thread(target=work)
        self.threads.append(thread)
        thread.start()
        found = wait_until(lambda: [a.id for a in self.tusk.queries.active() if a.id not in known])
        execution = self.tusk.queries.get(found[0])
        execution.results = outcome
        return execution

    def close(self):
        self.tusk.queries.cancel_all()
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def flight(tusk, connection):
    flight = Flight(tusk)
    yield flight
    flight.close()


@pytest.fixture
def sessions(database):
    """Open other people's sessions: ``sessions(application_name=…)``."""
    with ExitStack() as stack:

        def opened(**more):
            conn = stack.enter_context(psycopg.connect(database, autocommit=True, **more))
            conn.cancelling = stack.callback(conn.cancel_safe)
            return conn

        yield opened


@contextmanager
def in_a_thread(call):
    """Do something that takes its time, and see that it ends."""
    thread = threading.Thread(target=call)
    thread.start()
    yield
    thread.join(20)
    assert not thread.is_alive()


def waits(execution):
    """Return what an execution waits for, once it is known."""
    return wait_until(lambda: execution.progress.seen.wait, otherwise=f"nothing was seen: {execution.progress}")


def watchers():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("tusk-watch-")]


def test_who_holds_a_lock_is_seen_and_what_he_does(flight, sessions, database):
    other = sessions(application_name="psql")
    other.execute("create table orders(id int primary key, status text)")
    other.execute("begin")
    other.execute("update orders set  status =\n'sent'")

    wait = waits(flight.run("alter table orders add note text"))

    assert wait.what == "a lock on orders"
    [holder] = wait.holders
    assert (holder.pid, holder.level, holder.application) == (other.info.backend_pid, 1, "psql")
    assert holder.user == "tester"
    assert holder.client == "local socket"
    assert holder.state == "idle in transaction"
    assert holder.query == "update orders set status = 'sent'"
    assert holder.remedy == "terminate"
    assert holder.connection is None
    started = ask(database, "select backend_start::text from pg_stat_activity where pid = %s", holder.pid)
    assert holder.backend_start.replace("+00", "") == started.replace("+00", "")
    assert 0 <= holder.state_s <= holder.transaction_s < 60
    assert 0 <= wait.for_s < 60


def test_what_held_it_is_let_go_and_the_statement_goes_on(flight, sessions):
    other = sessions()
    other.execute("create table orders(id int)")
    other.execute("begin")
    other.execute("lock table orders")
    execution = flight.run("do $$ begin lock table orders in row exclusive mode; perform pg_sleep(60); end $$")
    assert waits(execution).what == "a lock on orders"

    other.execute("commit")

    wait_until(lambda: execution.seen.wait is None)
    assert execution.state == "running"


def test_the_thread_and_its_connection_are_there_as_long_as_there_is_something_to_see(flight, connection):
    execution = flight.run("select pg_sleep(60)")
    wait_until(lambda: connection.pool.status().size == 2)
    assert watchers() == ["tusk-watch-db"]

    execution.cancel()

    wait_until(lambda: not watchers())
    wait_until(lambda: connection.pool.status().available == 1)
    assert connection.pool.on_wanted is None
