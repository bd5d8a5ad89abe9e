"""Background queries: their states, their results, where they run, and what is left of them."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import weakref

import pandas as pd
import psycopg
import pytest

import tusk_jupyter as tusk_api
from tests.waiting import ask, backends, running, terminate, wait_until
from tusk_jupyter.errors import (
    BindingError,
    ConnectionFailed,
    ConnectionLost,
    InvalidInput,
    PoolTimeout,
    QueryCancelled,
    QueryFailed,
    QueryTimeout,
)
from tusk_jupyter.queries.script import Names
from tusk_jupyter.running import CellOptions

SLEEP = "select pg_sleep(60)"
NOTHING = Names({}.__getitem__, list)


def starts(job):
    """Wait until the job has a statement on the server."""
    wait_until(lambda: job.execution is not None and job.execution.state == "running")


def submit(connection, text, *, names=NOTHING, **options):
    return tusk_api.state().submit(text, names=names, connection=connection, options=CellOptions(**options))


def gone(database, fragment="pg_sleep"):
    wait_until(lambda: not running(database, fragment), otherwise="the statement still runs")


# -- states and results -----------------------------------------------------------------------------------------------


def test_a_job_comes_to_its_result(connection):
    job = tusk_api.submit("select 1 as a union all select 2")
    result = job.result(timeout=20)
    assert job.done()
    assert job.state == job.progress.state == "completed"
    assert (result.command_tag, result.rowcount, result.connection) == ("SELECT 2", 2, "db")
    assert result.to_dict()["rows"] == [[1], [2]]
    assert job.df()["a"].tolist() == [1, 2]
    assert job.df().attrs["tusk"] == result.query_id
    assert job.exception() is None is job.error
    assert not job.cancel()
    assert job.started_at >= job.submitted_at
    assert job.progress.rows == 2
    assert repr(job).startswith(f"<Job {job.id[:8]} on 'db': completed")


def test_submitting_returns_at_once_and_the_session_is_free_meanwhile(database, connection):
    job = tusk_api.submit(SLEEP)
    starts(job)
    assert job.state == "running"
    assert job.progress.state == "running"
    assert tusk_api.sql("select 3 as n")["n"].item() == 3
    assert job.pid == running(database, "pg_sleep") != connection.live_session.backend_pid
    assert job.cancel()
    with pytest.raises(QueryCancelled, match="cancelled after"):
        job.result(timeout=20)
    assert job.state == "cancelled"
    gone(database)


def test_waiting_for_a_time_leaves_the_job_alone(database, connection):
    job = tusk_api.submit(SLEEP)
    with pytest.raises(TimeoutError, match=r"has not ended within 0\.1 s") as caught:
        job.result(timeout=0.1)
    assert caught.value.kind == "query"
    assert caught.value.duration_s == 0.1
    assert "goes on" in caught.value.advice
    starts(job)
    job.cancel()
    assert isinstance(job.exception(20), QueryCancelled)


def test_a_failure_is_the_servers_with_its_place(connection):
    job = tusk_api.submit("select 1;\nselect 1/0")
    error = job.exception(20)
    assert job.state == "failed"
    assert error.sqlstate == "22012"
    assert ("statements", "1 done, 1 failed, 0 not run") in error.facts
    with pytest.raises(QueryFailed, match="division by zero"):
        job.df()
    assert [r.command_tag for r in job.results()] == ["SELECT 1"]


def test_the_deadline_counts_the_statements_time(connection):
    job = submit(connection, SLEEP, timeout_s=0.3)
    error = job.exception(20)
    assert isinstance(error, QueryTimeout)
    assert job.state == "timeout"
    assert error.duration_s == 0.3


def test_a_job_has_what_a_cell_has(connection, tmp_path):
    limited = submit(connection, "select generate_series(1, 100) as n", limit=3, format="rows")
    assert [row.n for row in limited.df(20)] == [1, 2, 3]
    assert limited.result().truncated
    exact = submit(connection, "select 1.10::numeric as n", exact=True)
    assert str(exact.df(20)["n"].item()) == "1.10"
    noticed = tusk_api.submit("do $$ begin raise notice 'here'; end $$")
    assert noticed.result(20).notices[0].message_primary == "here"
    assert noticed.df() is None
    passed = submit(connection, "select 1/0; select 7 as n", on_error="continue")
    assert passed.exception(20).sqlstate == "22012"
    assert passed.results()[0].frame["n"].item() == 7


def test_a_job_writes_history_and_tells_of_itself(tusk, connection):
    heard = []
    unsubscribe = tusk.events.subscribe(heard.append)
    job = tusk_api.submit("select 4 as four")
    query_id = job.result(20).query_id
    wait_until(lambda: [e.status for e in heard if getattr(e, "query_id", "") == query_id] == ["started", "completed"])
    unsubscribe()
    found = "select query_id, rows from history where sql like '%four'"
    kept = tusk.storage.write(lambda conn: conn.execute(found).fetchall()).result(20)
    assert [tuple(row) for row in kept] == [(query_id, 1)]


def test_a_jobs_result_is_not_the_last_one_but_is_known(connection):
    tusk_api.sql("select 'a cell''s' as whose")
    frame = tusk_api.submit("select 'a job''s' as whose").df(20)
    assert tusk_api.last_result().frame["whose"].item() == "a cell's"
    assert tusk_api.result(frame).command_tag == "SELECT 1"


def test_what_nobody_holds_is_let_go(tusk, connection):
    job = tusk_api.submit("select 1 as a")
    frame = weakref.ref(job.df(20))
    handle = weakref.ref(job)
    del job
    wait_until(lambda: gc.collect() is not None and handle() is None, otherwise="the job is still held")
    assert frame() is None
    assert tusk.queries.active() == []


def test_a_job_that_nobody_holds_runs_all_the_same(database, connection):
    tusk_api.sql("create table seen (n int)")
    tusk_api.submit("select pg_sleep(0.2); insert into seen values (1)")
    gc.collect()
    wait_until(lambda: ask(database, "select count(*) from seen") == 1)


# -- its connection ---------------------------------------------------------------------------------------------------


def test_a_job_waits_for_a_connection_and_leaves_the_queue_when_cancelled(tusk, database):
    tusk_api.connect(database, name="small", pool_size=2)
    first = tusk_api.submit(SLEEP)
    starts(first)
    second = tusk_api.submit("select 2 as n")
    third = tusk_api.submit("select 3 as n")
    assert second.state == "waiting"
    assert second.progress.seen.wait.what == "a free connection"
    assert tusk.connections.get().pool.status().waiting == 2
    assert [(q.state, q.pid is None, q.waits_for) for q in tusk.queries.active()] == [
        ("running", False, None), ("waiting", True, "a free connection"), ("waiting", True, "a free connection"),
    ]  # fmt: skip
    assert tusk.queries.cancel(second.id[:8])
    assert isinstance(second.exception(20), QueryCancelled)
    assert "nothing was sent" in second.error.message
    assert second.state == "cancelled"
    first.cancel()
    assert third.df(20)["n"].item() == 3
    assert tusk.queries.active() == []


def test_a_job_that_finds_no_connection_fails_after_the_pools_time(tusk, database):
    tusk_api.connect(database, name="small", pool_size=2, pool_timeout="0.3s")
    first = tusk_api.submit(SLEEP)
    starts(first)
    second = tusk_api.submit("select 2")
    assert isinstance(second.exception(20), PoolTimeout)
    assert second.state == "failed"
    first.cancel()
    first.exception(20)


def test_a_pool_of_five_runs_four_jobs(tusk, database, connection):
    jobs = [tusk_api.submit(SLEEP) for _ in range(5)]
    wait_until(lambda: sum(job.state == "running" for job in jobs) == 4)
    assert [job.state for job in jobs].count("waiting") == 1
    assert len({job.pid for job in jobs if job.pid}) == 4
    assert tusk.queries.cancel_all() == 5
    assert {type(job.exception(20)) for job in jobs} == {QueryCancelled}
    gone(database)
    wait_until(lambda: connection.pool.status().size <= 5 and connection.pool.status().waiting == 0)


def test_one_connection_is_not_enough(database, tusk):
    tusk_api.connect(database, name="one", pool_size=1)
    with pytest.raises(InvalidInput, match="--pool-size 1 leaves none"):
        tusk_api.submit("select 1")


def test_nothing_of_a_job_stays_on_its_connection(connection):
    tusk_api.submit("set work_mem = '7MB'; create temp table mine (n int); listen word").result(20)
    wait_until(lambda: connection.pool.status().available == 1)
    row = tusk_api.submit(
        "select current_setting('work_mem') as m, to_regclass('pg_temp.mine') is null as n, "
        "(select count(*) from pg_listening_channels()) as c"
    ).df(20)
    assert row["m"].item() != "7MB"
    assert row["n"].item()
    assert row["c"].item() == 0


def test_what_the_session_has_a_job_does_not_see_and_says_so(connection):
    tusk_api.sql("create temp table mine as select 1 as n")
    error = tusk_api.submit("select * from mine").exception(20)
    assert error.sqlstate == "42P01"
    assert "'mine' is a temp table of another session" in error.advice
    assert "leave --bg out" in error.advice
    error = tusk_api.submit("begin; select * from mine").exception(20)
    assert "'mine' is a temp table" in error.advice
    assert "was rolled back with the job's connection" in error.transaction
    assert "temp table of another" not in tusk_api.submit("select * from nowhere").exception(20).advice


def test_what_an_open_transaction_made_is_said_to_be_there(connection):
    with tusk_api.transaction():
        tusk_api.sql("create table made (n int)")
        error = tusk_api.submit("select * from made").exception(20)
    assert "open transaction" in error.advice
    assert "before its COMMIT" in error.advice


@pytest.mark.parametrize("last", ["set work_mem = '7MB'", "listen word", "create temp table t (n int)"])
def test_what_ends_with_the_job_is_noted(cells, last):
    cells.run(f"%%sql --bg job <<\nselect 1; {last}")
    assert "ends with the job" in cells.ns["job"].results(20)[-1].notes[-1]
    assert "ends with the job" in cells.run("job").displayed[0]
    cells.run(f"%%sql --bg job <<\n{last}; select 1")
    assert cells.ns["job"].result(20).notes == ()


def test_the_card_says_that_more_rows_exist(cells):
    cells.run("%%sql --bg --limit 3 job <<\nselect generate_series(1, 9) as n")
    cells.ns["job"].wait(20)
    assert "more rows exist than the 3 that are kept" in cells.run("job").displayed[0]


def test_a_transaction_left_open_is_an_error_that_says_it_was_rolled_back(database, connection):
    tusk_api.sql("create table kept (n int)")
    job = tusk_api.submit("begin; insert into kept values (1)")
    error = job.exception(20)
    assert job.state == "failed"
    assert "inside a transaction (1 statement), which was rolled back" in error.message
    assert "COMMIT" in error.advice
    assert ask(database, "select count(*) from kept") == 0
    tusk_api.submit("begin; insert into kept values (1); commit").result(20)
    assert ask(database, "select count(*) from kept") == 1


def test_a_failure_inside_a_transaction_says_what_became_of_it(connection):
    error = tusk_api.submit("begin; select 1/0").exception(20)
    assert "was rolled back with the job's connection" in error.transaction


def test_a_read_only_connection_stays_so(database, tusk):
    reading = tusk_api.connect(database, name="reading", read_only=True)
    error = tusk_api.submit("create table no (n int)").exception(20)
    assert error.sqlstate == "25006"
    with pytest.raises(InvalidInput, match="read-only"):
        tusk_api.submit("begin")
    assert reading.pool.status().waiting == 0


def test_a_killed_backend_is_a_lost_connection(database, connection):
    job = tusk_api.submit(SLEEP)
    starts(job)
    terminate(database, job.pid)
    error = job.exception(20)
    assert isinstance(error, ConnectionLost)
    assert "next cell" not in (error.transaction or "")
    assert tusk_api.submit("select 1 as n").df(20)["n"].item() == 1


def test_disconnecting_cancels_jobs(tusk, database, connection):
    running_one = tusk_api.submit(SLEEP)
    starts(running_one)
    waiting = [tusk_api.submit(SLEEP) for _ in range(6)]
    tusk.connections.disconnect("db")
    assert {job.state for job in (running_one, *waiting)} == {"cancelled"}
    assert {type(job.error) for job in (running_one, *waiting)} == {QueryCancelled}
    wait_until(lambda: backends(database) == set())
    assert tusk.queries.active() == []


def test_a_connection_that_is_closed_takes_no_job(tusk, database, connection):
    tusk.connections.disconnect("db")
    with pytest.raises(ConnectionFailed, match="'db' is disconnected"):
        submit(connection, SLEEP)
    assert tusk.queries.active() == []
    assert backends(database) == set()


def test_jobs_belong_to_the_parent(connection):
    job = tusk_api.submit(SLEEP)
    starts(job)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        said = f"{job.state} {job.done()} {job.cancel()}"
        os.write(writing, said.encode())
        os._exit(0)
    os.close(writing)
    assert os.read(reading, 100) == b"failed True False"
    os.close(reading)
    os.waitpid(child, 0)
    assert job.state == "running"
    job.cancel()
    job.exception(20)


# -- parameters -------------------------------------------------------------------------------------------------------


def test_parameters_are_those_of_the_submission(tusk, database):
    tusk_api.connect(database, name="small", pool_size=2)
    first = tusk_api.submit(SLEEP)
    starts(first)
    space = {"n": 1, "doc": {"a": [1]}, "ids": [1, 2], "s": pd.Series([1, 2])}
    names = Names(space.__getitem__, space.keys)
    connection = tusk.connections.get()
    job = submit(
        connection, "select :n as n, :doc as doc, :ids as ids, :s as s, :doc['a'] as a", names=names
    )
    space["doc"]["a"].append(2)
    space["ids"].append(3)
    space["s"][0] = 9
    space["n"] = 5
    assert job.state == "waiting"
    first.cancel()
    row = job.df(20).iloc[0]
    assert (row["n"], row["doc"], row["ids"], row["s"], row["a"]) == (1, {"a": [1]}, [1, 2], [1, 2], [1])


def test_a_missing_parameter_is_said_where_it_is_submitted(connection):
    with pytest.raises(BindingError, match="'nothing' is not defined") as caught:
        tusk_api.submit("select 1;\nselect :nothing")
    assert caught.value.place.text[caught.value.place.offset :].startswith(":nothing")
    assert tusk_api.state().queries.active() == []


def test_no_statement_and_copy_are_refused_at_once(connection):
    with pytest.raises(InvalidInput, match="no statement to run"):
        tusk_api.submit(" -- nothing")
    with pytest.raises(InvalidInput, match="COPY FROM STDIN"):
        tusk_api.submit("copy t from stdin")


# -- awaiting ---------------------------------------------------------------------------------------------------------


def test_awaiting_gives_frames_side_by_side(connection):
    async def both():
        return await asyncio.gather(tusk_api.sql_async("select 1 as n"), tusk_api.sql_async("select :b as n", b=2))

    one, two = asyncio.run(both())
    assert (one["n"].item(), two["n"].item()) == (1, 2)


def test_a_cancelled_await_cancels_on_the_server(database, connection):
    async def impatient():
        await asyncio.wait_for(tusk_api.sql_async(SLEEP), timeout=0.3)

    with pytest.raises(TimeoutError):
        asyncio.run(impatient())
    gone(database)


def test_an_await_raises_what_went_wrong(connection):
    async def fail():
        await tusk_api.submit("select 1/0")

    with pytest.raises(QueryFailed, match="division by zero"):
        asyncio.run(fail())


def test_results_are_had_from_any_thread(connection):
    job = tusk_api.submit("select pg_sleep(0.2), 1 as n")
    got = []
    threads = [threading.Thread(target=lambda: got.append(job.df(20)["n"].item())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert got == [1, 1, 1]


# -- cells ------------------------------------------------------------------------------------------------------------


def test_the_cell_shows_one_card_and_returns_the_job(cells):
    reply = cells.run("%%sql --bg\nselect 5 as n")
    assert len(reply.outputs) == 1, reply.outputs
    assert "select 5 as n" in reply.displayed[0]
    job = cells.ns["_"]
    assert f"Out[{max(cells.ns['Out'])}].df()" in reply.displayed[0]
    assert "job.df()" not in reply.displayed[0]
    assert job.df(20)["n"].item() == 5
    again = cells.run("job = _\njob")
    assert len(again.outputs) == 1
    assert "completed" in again.displayed[0]
    assert "job.df()" in again.displayed[0]
    assert "1 row" in again.html


def test_a_name_is_given_to_the_job(cells):
    reply = cells.run("%%sql --bg later <<\nselect 6 as n")
    assert cells.ns["later"].df(20)["n"].item() == 6
    assert "later.df()" in reply.displayed[0]
    cells.run("mine = %sql --bg --quiet select 7 as n")
    assert cells.ns["mine"].df(20)["n"].item() == 7


def test_queries_says_what_a_job_waits_for_now(cells, database):
    cells.run("%sql create table held (a int)")
    with psycopg.connect(database) as other:
        other.execute("lock table held")
        cells.run("job = %sql --bg --quiet select * from held")
        wait_until(lambda: ask(database, "select count(*) from pg_locks where not granted and relation = 'held'::regclass"))
        cells.run("q = %tusk queries")
        assert cells.ns["q"]["waits_for"].tolist()[0].startswith("a lock on held, held by pid ")
    assert len(cells.ns["job"].df(20)) == 0


def test_queries_and_cancel_know_jobs(cells, database):
    cells.run("a = %sql --bg --quiet select pg_sleep(60), 'a'\nb = %sql --bg --quiet select pg_sleep(61), 'b'")
    starts(cells.ns["a"])
    starts(cells.ns["b"])
    cells.run("q = %tusk queries")
    table = cells.ns["q"]
    assert table["waits_for"].tolist() == [None, None]
    assert "None" not in repr(table) + table._repr_html_()
    assert list(table.columns) == ["id", "connection", "pid", "sql", "age_s", "rows", "state", "waits_for"]
    assert table["id"].tolist() == [cells.ns["a"].id[:8], cells.ns["b"].id[:8]]
    assert table["sql"].str.contains("pg_sleep").all()
    assert set(table["pid"]) == {cells.ns["a"].pid, cells.ns["b"].pid}
    for wrong, said in [("--al", "Did you mean --all?"), ("--x", "It has: --all."), ("zzz", cells.ns["b"].id[:8])]:
        reply = cells.run(f"%tusk cancel {wrong}", ok=False)
        assert wrong in str(reply.exception)
        assert said in reply.displayed[-1]
    cells.run(f"%tusk cancel {cells.ns['a'].id[:8]}")
    assert isinstance(cells.ns["a"].exception(20), QueryCancelled)
    assert cells.ns["b"].state == "running"
    cells.run("%tusk cancel")
    assert isinstance(cells.ns["b"].exception(20), QueryCancelled)
    assert not tusk_api.state().queries.cancel("no such id")
    wait_until(lambda: not tusk_api.state().queries.active())
    assert "nothing is in flight" in cells.run("%tusk cancel --all").displayed[-1]
    assert "Nothing is in flight." in cells.run("%tusk cancel zzz", ok=False).displayed[-1]


def test_the_card_has_the_notices(cells):
    cells.run("%%sql --bg job <<\ndo $$ begin raise notice 'step %', 1; end $$; do $$ begin raise warning 'slow'; end $$")
    assert cells.ns["job"].wait(20)
    assert cells.run("job").displayed[0].splitlines()[-2:] == ["NOTICE:  step 1", "WARNING:  slow"]


def test_the_card_of_a_failure_says_it(cells):
    cells.run("%%sql --bg bad <<\nselect 1/0")
    cells.ns["bad"].exception(20)
    card = cells.run("bad").displayed[0]
    assert "failed" in card
    assert "division by zero" in card
    assert "select 1/0" in card


@pytest.mark.parametrize("line", ["--bg --parallel 2 select 1", "--bg --persist df", "--bg --close db"])
def test_what_makes_no_sense_together_is_refused(cells, line):
    reply = cells.run(f"%sql {line}", ok=False)
    assert "--bg" in str(reply.exception)


def test_unloading_ends_jobs(bare_shell, database):
    bare_shell.run("%load_ext tusk_jupyter")
    bare_shell.run(f"%tusk_connect {database} --name db")
    bare_shell.run(f"job = %sql --bg {SLEEP}")
    starts(bare_shell.ns["job"])
    bare_shell.run("%unload_ext tusk_jupyter")
    assert bare_shell.ns["job"].state == "cancelled"
    wait_until(lambda: backends(database) == set())
    with psycopg.connect(database) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
