"""How a background query ends that was stopped, or lost its connection: what is said of what it has done."""

from __future__ import annotations

import psycopg
import pytest

import tusk_jupyter as tusk_api
from tests.waiting import ask, terminate, wait_until
from tusk_jupyter.errors import QueryCancelled
from tusk_jupyter.queries.lost import CommitLostError
from tusk_jupyter.queries.script import Names

NOTHING = Names({}.__getitem__, list)


def starts(job):
    """Wait until the job has a statement on the server."""
    wait_until(lambda: job.execution is not None and job.execution.state == "running")


@pytest.fixture
def kept(database, connection):
    """A connection to a database with a table ``kept``."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("create table kept (n int)")
    return connection


def stopped_before(kept, script, statement):
    """Run a job that is cancelled when it has come to the statement, and has not sent it."""
    tusk = tusk_api.state()
    there = []

    def stop(job):
        enter = job.enter

        def cancel_first(execution):
            if execution.statement.text == statement:
                job.cancel()
            enter(execution)

        job.enter = cancel_first
        there.append(job)

    hold = tusk.queries.hold
    tusk.queries.hold = lambda job: (stop(job), hold(job))
    try:
        job = tusk.submit(script, names=NOTHING, connection=kept)
        return job, job.exception(20)
    finally:
        tusk.queries.hold = hold


def test_cancelled_between_two_statements_of_its_transaction(database, kept):
    script = "begin; insert into kept values (1); insert into kept values (2); commit"
    job, error = stopped_before(kept, script, "insert into kept values (2)")
    assert isinstance(error, QueryCancelled)
    assert job.state == "cancelled"
    assert "have run" not in error.message
    assert error.transaction == "The transaction (1 statement) was rolled back with the job's connection."
    assert ask(database, "select count(*) from kept") == 0


def test_cancelled_between_two_statements_outside_of_one(database, kept):
    script = "insert into kept values (1); insert into kept values (2)"
    _, error = stopped_before(kept, script, "insert into kept values (2)")
    assert "those before have run" in error.message
    assert error.transaction is None
    assert ask(database, "select count(*) from kept") == 1


def test_cancelled_before_its_first_statement(database, kept):
    _, error = stopped_before(kept, "insert into kept values (1)", "insert into kept values (1)")
    assert "nothing was sent" in error.message
    assert ask(database, "select count(*) from kept") == 0


def test_the_card_of_a_cancelled_job_says_what_became_of_its_transaction(cells, kept):
    cells.ns["job"], _ = stopped_before(kept, "begin; select 1; select 2", "select 2")
    card = cells.run("job").displayed[0]
    assert "cancelled" in card
    assert "was rolled back with the job's connection" in card


# -- its connection is closed -----------------------------------------------------------------------------------------

# for as long as it takes, whatever is asked of it
DEAF = """while clock_timestamp() < now() + interval '1 min' loop
    begin perform pg_sleep(0.5); exception when query_canceled then null; end;
  end loop;"""
WRITE = f"do $$ begin insert into kept values (1); {DEAF} end $$"


def sleeps(database, job):
    """Wait until the job's backend is in there."""
    starts(job)
    asleep = "select wait_event = 'PgSleep' from pg_stat_activity where pid = %s"
    wait_until(lambda: ask(database, asleep, job.pid))
    return job.pid


def test_disconnected_from_a_write_that_cannot_be_cancelled(database, kept):
    job = tusk_api.submit(WRITE)
    pid = sleeps(database, job)
    tusk_api.state().connections.disconnect("db")
    error = job.exception(20)
    terminate(database, pid)
    assert job.state == "cancelled"
    assert isinstance(error, QueryCancelled)
    assert "Outcome unknown: the statement may have taken effect" in error.transaction


@pytest.fixture
def deaf_commits(database, kept):
    """A COMMIT of what was inserted into the table never ends by itself."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(
            f"create function deaf() returns trigger language plpgsql as $$ begin {DEAF} return null; end $$"
        )
        conn.execute(
            "create constraint trigger deaf after insert on kept deferrable initially deferred"
            " for each row execute function deaf()"
        )
    return kept


def test_stopped_in_a_commit_whose_connection_is_lost(database, deaf_commits):
    job = tusk_api.submit("begin; insert into kept values (1); commit")
    wait_until(lambda: job.execution is not None and job.execution.statement.text == "commit")
    pid = sleeps(database, job)
    job.cancel()
    terminate(database, pid)
    error = job.exception(20)
    assert isinstance(error, CommitLostError)
    assert "The COMMIT did not take effect" in error.transaction
    assert job.state == "failed"


# -- advice -----------------------------------------------------------------------------------------------------------


def test_no_advice_speaks_of_a_session_that_is_gone(database, kept):
    cancelled, killed, stopped = jobs = [tusk_api.submit("select pg_sleep(60)") for _ in range(3)]
    for job in jobs:
        sleeps(database, job)
    cancelled.cancel()
    terminate(database, killed.pid)
    ask(database, "select pg_cancel_backend(%s)", stopped.pid)
    advice = [job.exception(20).advice for job in jobs]
    assert "Submit again what has not run" in advice[0]
    assert "Submit again what has not run" in advice[1]
    assert advice[2] == "Somebody else cancelled it (pg_cancel_backend)."
    assert not [text for text in advice if "still there" in text or "next cell" in text]
    _, between = stopped_before(kept, "select 1; select 2", "select 2")
    assert "still there" not in between.advice


# -- what is looked up afterwards -------------------------------------------------------------------------------------


def test_a_lost_commit_is_looked_up_where_the_pool_has_no_other_connection(database, deaf_commits):
    tusk_api.connect(database, name="small", pool_size=2)
    job = tusk_api.submit("begin; insert into kept values (1); commit")
    wait_until(lambda: job.execution is not None and job.execution.statement.text == "commit")
    pid = sleeps(database, job)
    waits = tusk_api.submit("select pg_sleep(60)")
    terminate(database, pid)
    assert "The COMMIT did not take effect" in job.exception(20).transaction
    waits.cancel()
    waits.exception(20)


def test_the_source_of_a_time_out_is_looked_up_where_the_pool_has_no_other_connection(database, kept):
    with psycopg.connect(database) as other:
        other.execute(
            "create function hasty() returns void language plpgsql set lock_timeout = '200ms'"
            " as $$ begin lock table kept; end $$"
        )
        other.commit()
        other.execute("lock table kept")
        tusk_api.connect(database, name="small", pool_size=2)
        error = tusk_api.submit("select hasty()").exception(20)
    assert ("set by", "the function's own SET clause (hasty())") in error.facts, error.facts


# -- where nobody asks ------------------------------------------------------------------------------------------------


def test_a_failure_that_nobody_asks_about_is_in_the_log_and_in_the_history(cells, caplog):
    cells.run("import tusk_jupyter\ntusk_jupyter.submit('select 1/0').wait(20)")
    said = "failed: QueryFailed: division by zero"
    found = wait_until(lambda: [record for record in caplog.records if said in record.getMessage()])
    assert found[0].levelname == "WARNING"
    cells.run("failed = %tusk history --failed")
    assert "division by zero" in cells.ns["failed"].to_string()
