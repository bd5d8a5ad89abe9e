"""Cells through PgBouncer: transactions, cursors, loads, parts, and cancels that hit nobody else."""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager

import pandas as pd
import psycopg
import pytest

import tusk_jupyter as api
from tests.waiting import ask, at_one_moment, running, wait_until
from tusk_jupyter.errors import ConnectionLost, QueryCancelled, QueryFailed

MODES = ["transaction", "session"]


@pytest.fixture(params=MODES)
def pooled(request, shell, bouncers, database):
    """Cells that run through a pooler of each mode with five backends."""
    shell.run(f"%tusk_connect {bouncers(request.param).conninfo(database)} --name db --pool-size 4")
    return shell


@contextmanager
def strangers(bouncer, database, count):
    """Run short statements as that many other clients meanwhile, each looking at its answers."""
    over, problems, runs = threading.Event(), [], []

    def run(number):
        done = 0
        with psycopg.connect(bouncer.conninfo(database), autocommit=True, prepare_threshold=None) as conn:
            while not over.is_set():
                try:
                    row = conn.execute("select %s::int, %s::int from pg_sleep(0.002)", (number, done)).fetchone()
                except psycopg.Error as error:
                    problems.append(repr(error))
                    return
                if row != (number, done):
                    problems.append(f"{row} is not {(number, done)}")
                done += 1
        runs.append(done)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield problems
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert problems == []
    assert len(runs) == count
    assert min(runs) > 0


def cancelled_when_it_runs(tusk, database, statement):
    """Run a statement on a thread and cancel it as soon as the server works on it; return what came of it."""
    outcome = []

    def run():
        try:
            outcome.append(api.sql(statement))
        except QueryFailed as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: running(database, statement[:30]))
    assert tusk.queries.cancel_all() == 1
    thread.join()
    return outcome[0]


def test_a_transaction_goes_on_across_cells_among_strangers(pooled, bouncers, database):
    with strangers(bouncers("transaction"), database, 3):
        pooled.run("%sql create table t (i int)")
        pooled.run("%sql begin")
        pids = set()
        for i in range(10):
            pooled.run(f"%sql insert into t values ({i})")
            pooled.run("%sql p << select pg_backend_pid() as p, pg_current_xact_id()::text as x")
            pids.add(tuple(pooled.ns["p"].iloc[0]))
        assert len(pids) == 1
        assert ask(database, "select count(*) from t") == 0
        pooled.run("%sql commit")
    assert ask(database, "select count(*) from t") == 10


def test_a_failed_transaction_is_rolled_back(pooled, database):
    pooled.run("%sql create table t (i int)")
    pooled.run("%sql begin")
    pooled.run("%sql insert into t values (1)")
    pooled.run("%sql select 1/0", ok=False)
    pooled.run("%sql rollback")
    assert ask(database, "select count(*) from t") == 0
    pooled.run("%sql select 1")


def test_a_limit_reads_through_a_cursor(pooled):
    reply = pooled.run("%sql --limit 7 df << select i, i::text as t from generate_series(1, 1000000) i")
    assert pooled.ns["df"]["i"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert "more rows exist" in reply.everything
    assert pooled.run("%sql select 1").status == "ok"


@pytest.mark.parametrize("form", ["binary", "text"])
def test_results_in_either_form_among_strangers(pooled, bouncers, database, monkeypatch, form):
    monkeypatch.setenv("TUSK_RESULT_FORMAT", form)
    with strangers(bouncers("transaction"), database, 6):
        for i in range(20):
            df = api.sql("select i, i * 1.5::float8 as f, 'é' || i as t, :k::int as k from generate_series(1, 3000) i", k=i)
            assert len(df) == 3000
            assert (df["k"] == i).all()
            assert df["t"].iloc[-1] == "é3000"


def test_many_sessions_share_few_backends_and_get_their_own_answers(tusk, bouncers, database):
    bouncer = bouncers("transaction", 2)
    names = [f"c{i}" for i in range(8)]
    for name in names:
        api.connect(bouncer.conninfo(database), name=name)

    def work(name):
        for i in range(25):
            frame = api.sql("select :name::text as name, i from generate_series(:a::int, :b::int) i", name, name=name, a=i, b=i + 20)
            assert frame["name"].eq(name).all()
            assert frame["i"].tolist() == list(range(i, i + 21))
        return name

    assert at_one_moment(*[lambda name=name: work(name) for name in names]) == names
    assert ask(database, "select count(*) from pg_stat_activity where datname = current_database()") <= 3


def test_parts_are_read_through_the_pooler(pooled):
    pooled.run("%sql create table big as select i, repeat('x', 20) as t from generate_series(1, 50000) i")
    pooled.run("%sql --parallel 3 df << select * from big")
    assert sorted(pooled.ns["df"]["i"]) == list(range(1, 50001))


def test_a_frame_is_loaded(pooled, database):
    pooled.ns["frame"] = pd.DataFrame({"i": range(5000), "t": [f"row {i}" for i in range(5000)]})
    pooled.run("%tusk load frame --to loaded")
    assert ask(database, "select count(*), sum(i) from loaded") == 5000
    pooled.run("%tusk load frame --to loaded --append")
    assert ask(database, "select sum(i)::bigint from loaded") == 2 * sum(range(5000))


def test_a_refused_load_leaves_nothing(pooled, database):
    pooled.run("%sql create table strict (i int check (i < 100))")
    pooled.ns["frame"] = pd.DataFrame({"i": range(5000)})
    pooled.run("%tusk load frame --to strict --append", ok=False)
    assert ask(database, "select count(*) from strict") == 0
    pooled.run("%sql select 1")


# -- cancel -----------------------------------------------------------------------------------------------------------


def test_a_statement_is_cancelled_and_the_session_goes_on(pooled, tusk, database):
    error = cancelled_when_it_runs(tusk, database, "select 'to be stopped', pg_sleep(50)")
    assert isinstance(error, QueryCancelled)
    assert not isinstance(error, ConnectionLost)
    session = tusk.connections.current.live_session
    assert api.sql("select 5 as i")["i"][0] == 5
    assert tusk.connections.current.live_session is session


def test_a_cancel_inside_a_transaction_keeps_it(pooled, tusk, database):
    pooled.run("%sql begin")
    pooled.run("%sql savepoint here")
    assert isinstance(cancelled_when_it_runs(tusk, database, "select 'to be stopped', pg_sleep(50)"), QueryCancelled)
    assert tusk.connections.current.live_session.transaction_status == "INERROR"
    pooled.run("%sql rollback to here")
    pooled.run("%sql select 1")
    pooled.run("%sql commit")


@pytest.mark.timeout(120)
def test_cancels_hit_nobody_else(tusk, bouncers, database):
    """At any moment of a statement, its end above all, while others' statements run on the same two backends."""
    bouncer = bouncers("transaction", 2)
    session = api.connect(bouncer.conninfo(database), name="db").session()
    moments = random.Random(20)
    outcomes = {"cancelled": 0, "completed": 0}
    with strangers(bouncer, database, 4) as problems:
        for _ in range(40):
            canceller = threading.Timer(moments.uniform(0, 0.03), tusk.queries.cancel_all)
            canceller.start()
            try:
                assert api.sql("select 7 as i from pg_sleep(0.02)")["i"][0] == 7
                outcomes["completed"] += 1
            except QueryCancelled:
                outcomes["cancelled"] += 1
            canceller.join()
            assert api.sql("select 8 as i")["i"][0] == 8
            assert problems == []
    assert min(outcomes.values()) > 0, outcomes
    assert tusk.connections.current.live_session is session


def test_a_cancel_of_what_still_waits_for_the_pooler_ends_in_time(tusk, bouncers, database, monkeypatch):
    monkeypatch.setattr("tusk_jupyter.queries.execution.GIVE_UP_S", 0.5)
    bouncer = bouncers("transaction", 1)
    connection = api.connect(bouncer.conninfo(database), name="db")
    session, outcome = connection.session(), []

    def run():
        try:
            api.sql("create table queued ()")
        except Exception as error:  # noqa: BLE001 - it is what came of it
            outcome.append(error)

    with psycopg.connect(bouncer.conninfo(database)) as other:
        other.execute("select 'holds the only backend'")
        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: any(pool["cl_waiting"] for pool in bouncer.show("pools")))
        assert tusk.queries.cancel_all() == 1
        thread.join()
        assert other.execute("select 'is not hit'").fetchone() == ("is not hit",)
    assert isinstance(outcome[0], (QueryCancelled, ConnectionLost)), outcome
    assert "queued" not in str(ask(database, "select array_agg(relname::text) from pg_class where relname = 'queued'"))
    assert api.sql("select 6 as i")["i"][0] == 6
    assert (connection.live_session is session) is (session.lost is None)


# -- what ends --------------------------------------------------------------------------------------------------------


def test_a_pooler_that_was_started_again_is_used_at_once(tusk, make_pgbouncer, database):
    bouncer = make_pgbouncer("transaction")
    connection = api.connect(bouncer.conninfo(database), name="db")
    with connection.pool.borrow():
        pass
    wait_until(lambda: connection.pool.status().available == 1)
    bouncer.stop()
    wait_until(lambda: connection.pool.status().size == 0)
    bouncer.start()
    with pytest.raises(ConnectionLost):
        api.sql("select 1")
    assert api.sql("select 2 as i")["i"][0] == 2
    with connection.pool.borrow() as conn:
        assert conn.execute("select 3").fetchone() == (3,)
    assert connection.pool.status().size == 2


def test_a_backend_that_ends_in_a_transaction_ends_it(pooled, database):
    pooled.run("%sql begin")
    pooled.run("%sql p << select pg_backend_pid() as p")
    ask(database, "select pg_terminate_backend(%s, 5000)", int(pooled.ns["p"]["p"][0]))
    assert type(pooled.run("%sql select 1", ok=False).exception) is ConnectionLost
    deadline = time.monotonic() + 10
    while pooled.run("%sql select 1", ok=None).status != "ok":
        assert time.monotonic() < deadline


def test_notifications_come_in_session_mode_and_are_refused_where_none_could(pooled, database):
    in_session = api.state().connections.current.server.pooler == "session"
    reply = pooled.run("%sql listen jobs")
    assert ("LISTEN has no effect: it goes through a pooler" in "\n".join(reply.displayed)) is not in_session
    ask(database, "select pg_notify('jobs', 'one')")
    reply = pooled.run("%tusk listen jobs", ok=in_session)
    if in_session:
        assert "one" in reply.value
    else:
        assert "nothing would ever come on 'db'" in reply.error["evalue"]


def test_a_background_query_runs_and_is_stopped_among_strangers(pooled, bouncers, database):
    with strangers(bouncers("transaction"), database, 3):
        job = api.submit("select 'in the background' as said, pg_sleep(60)")
        wait_until(lambda: running(database, "select 'in the background'"))
        assert pooled.run("%sql select 1").status == "ok"
        assert job.cancel()
        assert isinstance(job.exception(20), QueryCancelled)
        wait_until(lambda: not running(database, "select 'in the background'"))
        assert [api.submit("select :n as n", n=n).df(20)["n"].item() for n in range(5)] == list(range(5))
