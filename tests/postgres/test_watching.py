"""What the server knows of a statement in flight: phases, locks and who holds them, on a connection of nobody's way."""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing
from dataclasses import replace

import psycopg
import pytest

import tusk_jupyter
from tests.waiting import ask, wait_until
from tusk_jupyter import running
from tusk_jupyter.errors import TuskError
from tusk_jupyter.widgets.error_panel import everything


class Flight:
    """Statements that run on threads of their own, as cells do in a kernel, until the test is over."""

    def __init__(self, tusk, conninfo) -> None:
        self.tusk = tusk
        self.conninfo = conninfo
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

    def stop(self, execution):
        """Cancel a statement and wait until it is over."""
        execution.cancel()
        wait_until(lambda: execution.results)

    def stop_all(self, thread):
        """Cancel whatever runs, and wait for the thread that it was run on."""
        self.tusk.queries.cancel_all()
        thread.join(20)
        assert not thread.is_alive()

    def close(self):
        self.tusk.queries.cancel_all()
        for thread in self.threads:
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture
def flight(tusk, database, connection, monkeypatch):
    monkeypatch.setattr(running, "WATCHED_FROM_MS", 0)  # the half second is in one test
    flight = Flight(tusk, database)
    yield flight
    flight.close()


@pytest.fixture
def sessions(database):
    """Open other people's sessions: ``sessions(application_name=…)``."""
    with ExitStack() as stack:

        def opened(**more):
            return stack.enter_context(closing(psycopg.connect(database, autocommit=True, **more)))

        yield opened


@pytest.fixture
def executions(tusk, monkeypatch):
    """Every execution that begins, in their order."""
    kept, register = [], tusk.queries.register

    def keep(execution, **more):
        kept.append(execution)
        register(execution, **more)

    monkeypatch.setattr(tusk.queries, "register", keep)
    return kept


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


ODD = "<img src=x onerror=alert(1)>\n\x1b[31m\u202e\u200b"
PLAIN = r"<img src=x onerror=alert(1)> \x1b[31m\u202e\u200b"


@pytest.fixture
def odd_role(database):
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(f'create role "{ODD}" login superuser')
        yield ODD
        conn.execute(f'drop role "{ODD}"')


def test_names_and_queries_of_others_are_one_line_of_what_can_be_seen(flight, sessions, odd_role):
    with closing(sessions(application_name="<b>app", user=odd_role)) as other:
        other.execute(f'create table "{ODD}"()')
        other.execute("begin")
        other.execute(f'lock table "{ODD}"')
        execution = flight.run(f'select from "{ODD}"')
        wait = waits(execution)
        flight.stop(execution)
        other.execute("rollback")
        other.execute(f'drop table "{ODD}"')

    assert wait.what == f'a lock on "{PLAIN}"'
    [holder] = wait.holders
    assert (holder.user, holder.application, holder.query) == (PLAIN, "<b>app", f'lock table "{PLAIN}"')
    [error] = execution.results
    assert dict(error.facts)["waited for"].isprintable()
    panel = everything(error).html()
    assert "<img" not in panel
    assert "&lt;img" in panel


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


@pytest.mark.parametrize("options", ["", "--to {folder}/out.parquet", "--to {folder}/out.csv", "--parallel 2"])
def test_the_bytes_so_far_are_those_of_all_rows_so_far(cells, executions, tmp_path, monkeypatch, options):
    files = pytest.importorskip("tusk_jupyter.results.files")
    monkeypatch.setattr(files, "ROWS_AT_ONCE", 1_000)
    cells.run("%%sql\ncreate table numbers as select i, repeat('x', 100) as x from generate_series(1, 20000) i")
    cells.run("%sql vacuum analyze numbers")

    cells.run(f"%%sql {options.format(folder=tmp_path)}\nselect * from numbers")

    execution = executions[-1]
    assert execution.progress.rows == 20_000
    assert 20_000 * 100 < execution.progress.nbytes < 20_000 * 200


def test_the_bytes_of_a_load_are_those_that_were_sent(cells, executions):
    cells.run("import pandas as pd; df = pd.DataFrame({'x': ['y' * 100] * 5000})")

    cells.run("%tusk load df --to loaded")

    assert 500_000 < executions[-1].progress.nbytes < 800_000


def idle_in(other, *statements):
    for statement in ("begin", *statements):
        other.execute(statement)
    return other.info.backend_pid


def test_a_chain_of_three_is_followed_to_its_end(flight, sessions):
    first, second, third = (sessions(application_name=name) for name in ("first", "second", "third"))
    first.execute("create table a(); create table b(); create table c()")
    idle_in(first, "lock table a")
    idle_in(second, "lock table b")
    second.pgconn.send_query(b"lock table a")
    idle_in(third, "lock table c")
    third.pgconn.send_query(b"lock table b")

    wait = waits(flight.run("select from c"))

    assert wait.what == "a lock on c"
    assert [(h.level, h.application, h.state, h.remedy) for h in wait.holders] == [
        (1, "third", "active", "cancel"),
        (2, "second", "active", "cancel"),
        (3, "first", "idle in transaction", "terminate"),
    ]
    assert wait.holders[1].query == "lock table a"


def test_a_row_an_advisory_lock_and_a_key_are_named(flight, sessions):
    other = sessions()
    other.execute("create table orders(id int primary key, n int); insert into orders values (1, 1), (2, 2)")
    idle_in(other, "update orders set n = 0 where id = 1", "insert into orders values (3, 3)")
    other.execute("select pg_advisory_lock(42), pg_advisory_lock(-7), pg_advisory_lock(3, -4)")

    for statement, what in (
        ("update orders set n = 5 where id = 1", "a row of orders"),
        ("insert into orders values (3, 5)", "another transaction to end"),
        ("select pg_advisory_lock(42)", "advisory lock 42"),
        ("select pg_advisory_lock(-7)", "advisory lock -7"),
        ("select pg_advisory_lock(3, -4)", "advisory lock (3, -4)"),
    ):
        execution = flight.run(statement)
        assert waits(execution).what == what
        assert [h.pid for h in execution.seen.wait.holders] == [other.info.backend_pid]
        execution.cancel()
        wait_until(lambda: not flight.tusk.queries.active())


def test_the_second_in_the_queue_for_a_row_waits_for_the_row_too(flight, sessions):
    first, second = sessions(application_name="first"), sessions(application_name="second")
    first.execute("create table orders(id int); insert into orders values (1)")
    idle_in(first, "update orders set id = 2")
    second.pgconn.send_query(b"update orders set id = 3")
    wait_until(lambda: ask(flight.conninfo, "select count(*) > 0 from pg_locks where locktype = 'tuple'"))

    wait = waits(flight.run("update orders set id = 4"))

    assert wait.what == "a row of orders"
    assert [(h.level, h.application) for h in wait.holders] == [(1, "second"), (2, "first")]


def test_a_table_outside_the_search_path_has_its_schema(flight, sessions):
    other = sessions()
    other.execute('create schema "Odd one"; create table "Odd one".t()')
    idle_in(other, 'lock table "Odd one".t')

    assert waits(flight.run('select from "Odd one".t')).what == 'a lock on "Odd one".t'


def test_a_schema_that_is_about_to_go_is_named(flight, sessions):
    other = sessions()
    other.execute("create schema closing")
    idle_in(other, "drop schema closing")

    assert waits(flight.run("create table closing.t()")).what in {"a lock on schema closing", "a lock on a schema"}


def test_two_connections_of_one_notebook_that_block_each_other_are_named(flight, database):
    other = tusk_jupyter.connect(database + " application_name=other", name="shop2")
    tusk_jupyter.sql("create table orders()", "shop2")
    tusk_jupyter.sql("begin; lock table orders", "shop2")

    execution = flight.run("select from orders", "db")

    [holder] = waits(execution).holders
    assert (holder.connection, holder.pid) == ("shop2", other.live_session.backend_pid)
    assert holder.remedy is None  # COMMIT there loses nothing


def test_a_prepared_transaction_has_a_name_and_no_process(flight, sessions):
    other = sessions()
    other.execute("create table orders(id int)")
    idle_in(other, "insert into orders values (1)", "prepare transaction 'ship it'")
    try:
        [holder] = waits(flight.run("alter table orders add n int")).holders
    finally:
        other.execute("rollback prepared 'ship it'")

    assert (holder.pid, holder.level, holder.user, holder.remedy) == (0, 1, "tester", None)
    assert holder.state == "prepared transaction 'ship it'"
    assert 0 <= holder.transaction_s < 60


def test_what_ran_into_a_time_out_says_what_it_waited_for(flight, sessions, cells):
    other = sessions(application_name="psql")
    other.execute("create table orders(id int)")
    pid = idle_in(other, "lock table orders")

    for statement in ("set statement_timeout = 2000", "set statement_timeout = 0; set lock_timeout = 2000"):
        cells.run(f"%sql {statement}")
        reply = cells.run("%sql select from orders", ok=False)
        facts = dict(reply.exception.facts)
        assert facts["waited for"].startswith(
            f"a lock on orders, held by pid {pid}, tester (psql), idle in transaction for "
        )
    cells.run("%sql set lock_timeout = 0")
    reply = cells.run("%%sql --timeout 2s\nselect from orders", ok=False)
    assert dict(reply.exception.facts)["waited for"].startswith("a lock on orders, held by pid")


def test_what_was_cancelled_says_what_it_waited_for(flight, sessions):
    other = sessions()
    other.execute("create table orders(id int)")
    idle_in(other, "insert into orders values (1)", "prepare transaction 'ship it'")
    try:
        execution = flight.run("alter table orders add n int")
        waits(execution)
        execution.cancel()
        [error] = wait_until(lambda: execution.results)
    finally:
        other.execute("rollback prepared 'ship it'")

    said = dict(error.facts)["waited for"]
    assert said.startswith("a lock on orders, held by prepared transaction 'ship it' for ")
    assert said.endswith("which COMMIT PREPARED or ROLLBACK PREPARED ends")


def test_own_connections_are_said_to_be_own_in_the_error(flight, database):
    tusk_jupyter.connect(database + " application_name=other", name="shop2")
    tusk_jupyter.sql("create table orders(); begin; lock table orders", "shop2")
    execution = flight.run("select from orders", "db")
    waits(execution)

    execution.cancel()

    [error] = wait_until(lambda: execution.results)
    assert "held by your own connection shop2, idle in transaction" in dict(error.facts)["waited for"]


def relieved(flight, execution):
    [holder] = waits(execution).holders
    return flight.tusk.watching.relieve(execution, holder)


def test_a_statement_in_the_way_is_cancelled(flight, sessions):
    other = sessions()
    other.execute("create table orders(id int)")
    other.execute("begin")
    other.execute("lock table orders")
    other.pgconn.send_query(b"do $$ begin perform pg_sleep(60); end $$")
    execution = flight.run("select from orders")
    assert waits(execution).holders[0].remedy == "cancel"

    said = relieved(flight, execution)

    assert said == f"asked pid {other.info.backend_pid} to cancel its statement"
    assert other.pgconn.get_result().error_field(psycopg.pq.DiagnosticField.SQLSTATE) == b"57014"
    assert not other.closed
    # what failed holds its locks no more
    wait_until(lambda: execution.results)


def test_one_that_is_idle_in_its_transaction_is_ended(flight, sessions):
    other = sessions()
    other.execute("create table orders(id int)")
    pid = idle_in(other, "lock table orders")
    execution = flight.run("select from orders")

    assert relieved(flight, execution) == f"ended pid {pid}: its transaction is undone"

    wait_until(lambda: execution.results)
    with pytest.raises(psycopg.OperationalError):
        other.execute("select 1")


def test_one_that_was_replaced_or_has_changed_is_left_alone(flight, sessions, database):
    other = sessions()
    other.execute("create table orders(id int)")
    pid = idle_in(other, "lock table orders")
    execution = flight.run("select from orders")
    [holder] = waits(execution).holders
    relieve = flight.tusk.watching.relieve

    assert relieve(execution, replace(holder, backend_start="2001-01-01 00:00:00+00")) == (
        f"pid {pid} is gone already: nothing was done"
    )
    assert relieve(execution, replace(holder, remedy="cancel")).startswith(f"pid {pid} runs no statement any more")
    bystander = sessions()
    start = ask(database, "select backend_start::text from pg_stat_activity where pid = %s", bystander.info.backend_pid)
    said = relieve(execution, replace(holder, pid=bystander.info.backend_pid, backend_start=start))
    assert said == f"pid {bystander.info.backend_pid} is no longer in the way: nothing was done"
    other.pgconn.send_query(b"select pg_sleep(60)")
    wait_until(lambda: execution.seen.wait.holders[0].state == "active")
    assert relieve(execution, holder) == f"pid {pid} runs a statement again: nothing was done"

    assert bystander.execute("select 1").fetchone() == (1,)
    assert ask(database, "select count(*) from pg_stat_activity where pid = %s", pid) == 1
    execution.cancel()
    wait_until(lambda: execution.results)
    assert relieve(execution, holder) == "the statement does not wait any more: nothing was done"


@pytest.fixture
def low_role(database):
    """A role that may not see what others do."""
    name = "watch_low"
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(f"create role {name} login")
        conn.execute(f"grant create on schema public to {name}")
    yield name
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename = %s", [name])
        conn.execute(f"drop owned by {name}")
        conn.execute(f"drop role {name}")


def test_a_role_sees_and_ends_no_more_than_it_may(flight, sessions, database, low_role):
    other = sessions(application_name="psql")
    other.execute(f"create table orders(id int); grant all on orders to {low_role}")
    pid = idle_in(other, "lock table orders")
    tusk_jupyter.connect(database.replace("user=tester", f"user={low_role}"), name="low")

    execution = flight.run("select from orders", "low")

    [holder] = waits(execution).holders
    assert (holder.pid, holder.user, holder.application) == (pid, "tester", "psql")
    assert (holder.query, holder.state, holder.remedy) == (None, None, None)
    said = flight.tusk.watching.relieve(execution, replace(holder, remedy="terminate", backend_start="2001-01-01+00"))
    assert said == f"pid {pid} is gone already: nothing was done"
    assert other.execute("select 1").fetchone() == (1,)


def test_a_role_may_end_what_is_its_own(flight, sessions, database, low_role):
    other = sessions(user=low_role)
    other.execute("create table orders(id int)")
    pid = idle_in(other, "lock table orders")
    tusk_jupyter.connect(database.replace("user=tester", f"user={low_role}"), name="low")

    execution = flight.run("select from orders", "low")

    assert relieved(flight, execution) == f"ended pid {pid}: its transaction is undone"
    wait_until(lambda: execution.results)
