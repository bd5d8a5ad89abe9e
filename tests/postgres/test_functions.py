# ruff: noqa: PT012 - what a whole block does is what the tests of transactions are about
"""``import tusk_jupyter as tusk``: the functions, the state behind them, events, threads."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pandas as pd
import pytest

import tusk_jupyter as api
from tests.fix_postgres import PASSWORD
from tests.waiting import ask, backends, running, terminate, wait_until
from tusk_jupyter.errors import (
    BindingError,
    ConnectionLost,
    ConnectionNotFound,
    InvalidInput,
    NoActiveConnection,
    QueryCancelled,
    QueryFailed,
)


def background(function):
    """Run ``function`` in a thread; the returned ``join()`` gives its result or raises what it raised."""
    found = {}

    def run():
        try:
            found["value"] = function()
        except BaseException as error:  # noqa: BLE001 - handed to the test
            found["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join(timeout=15):
        thread.join(timeout)
        assert not thread.is_alive()
        if "error" in found:
            raise found["error"]
        return found["value"]

    return join


# -- sql --------------------------------------------------------------------------------------------------------------


def test_sql_takes_its_keywords_and_nothing_else(connection):
    name = "not looked at"  # noqa: F841 - that is the point
    df = api.sql("select :a + :b as c, :text as t, :connection as d", a=1, b=2, text="x", connection="y")
    assert list(df.iloc[0]) == [3, "x", "y"]
    with pytest.raises(BindingError):
        api.sql("select :name")
    with pytest.raises(BindingError):
        api.sql("select :a", b=1)


def test_sql_returns_the_last_rows_or_none(connection):
    assert api.sql("create temp table t (a int)") is None
    assert api.sql("select 1 as a; select 2 as b; insert into t values (1)")["b"].tolist() == [2]


def test_a_result_that_nobody_holds_is_gone_without_the_collector_of_cycles(connection):
    gc.disable()
    try:
        result = weakref.ref(api.sql("select 1 as a"))
        api.sql("select 2 as a")
        wait_until(lambda: result() is None)
    finally:
        gc.enable()


def test_sql_displays_nothing(shell, connection):
    shell.ns["noisy"] = "do $$ begin raise notice 'n'; end $$; select 1"
    assert shell.run("import tusk_jupyter as tusk\nx = tusk.sql(noisy)").outputs == []


def test_sql_on_a_named_connection(connection, database):
    other = api.connect(database, name="other", application_name="second")
    api.state().connections.use("db")
    assert api.sql("select current_setting('application_name') as a", "other")["a"][0] == "second"
    assert api.state().connections.current is connection
    assert other.name == "other"
    with pytest.raises(ConnectionNotFound) as caught:
        api.sql("select 1", "othr")
    assert "other" in caught.value.advice


def test_without_a_connection(tusk):
    with pytest.raises(NoActiveConnection):
        api.sql("select 1")


def test_errors_are_raised_with_their_facts(connection):
    with pytest.raises(QueryFailed) as caught:
        api.sql("select\n nope")
    assert caught.value.sqlstate == "42703"
    assert caught.value.position == 9
    info = caught.value.info()
    assert json.loads(json.dumps(info.to_dict()))["sqlstate"] == "42703"
    with pytest.raises(FrozenInstanceError):
        info.message = "x"


# -- connect ----------------------------------------------------------------------------------------------------------


def test_connect_returns_a_connection(tusk, database):
    before = datetime.now(UTC)
    connection = api.connect(database, name="shop", statement_timeout="5s", pool_size=3, read_only=False)
    assert isinstance(connection, api.Connection)
    assert (connection.name, connection.status) == ("shop", "connected")
    assert before <= connection.created_at <= connection.last_used
    assert connection is api.connect("shop")
    assert api.sql("show statement_timeout").iat[0, 0] == "5s"


def test_connect_refuses_what_it_does_not_know(tusk, database):
    with pytest.raises(InvalidInput):
        api.connect(database, nonsense=True)
    with pytest.raises(InvalidInput):
        api.connect()
    with pytest.raises(InvalidInput):
        api.connect(database, name="select")
    assert len(tusk.connections) == 0


def test_a_taken_name_with_another_target_is_refused(connection, server):
    with pytest.raises(InvalidInput, match="connected to"):
        api.connect(server.conninfo("postgres"), name="db")
    assert api.connect(api.state().connections.get("db").target.conninfo.redacted(), name="db") is connection


def test_connect_takes_any_text_as_an_option(tusk, database):
    for text in ("it's", 'say "x"', """both ' and " here""", "--limit", "a=b"):
        api.connect(database, name=f"c{len(tusk.connections)}", application_name=text)
        assert api.sql("show application_name").iat[0, 0] == text


def test_more_than_a_thousand_open_files(tusk, database):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1300), hard))
    with contextlib.ExitStack() as files:
        files.callback(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        for _ in range(1100):
            files.enter_context(Path(os.devnull).open())
        api.connect(database, name="db")
        assert api.sql("select 41 as a")["a"][0] == 41
        tusk.connections.disconnect("db")


def test_last_used_moves(connection):
    before = connection.last_used
    api.sql("select 1")
    assert connection.last_used > before


def test_status_follows_the_life(tusk, database):
    seen = []
    tusk.events.subscribe(lambda event: seen.append((event.status, event.connection)))
    connection = api.connect(database, name="x")
    assert connection.status == "connected"
    tusk.connections.disconnect("x")
    assert connection.status == "disconnected"
    wait_until(lambda: len(seen) >= 3)
    assert seen == [("connecting", "x"), ("connected", "x"), ("disconnected", "x")]


def test_a_failed_connect_is_an_error_and_keeps_nothing(tusk, server):
    seen = []
    tusk.events.subscribe(seen.append)
    with pytest.raises(api.errors.TuskError):
        api.connect(server.conninfo("no_such_database"), name="x")
    wait_until(lambda: len(seen) == 2)
    assert [event.status for event in seen] == ["connecting", "error"]
    assert "no_such_database" in seen[1].error.message
    assert tusk.connections.names() == []


def test_disconnect_cancels_what_runs_and_leaves_nothing_on_the_server(connection, database):
    join = background(lambda: api.sql("select pg_sleep(600)"))
    wait_until(lambda: running(database, "pg_sleep(600)"))
    api.state().connections.disconnect("db")
    with pytest.raises((QueryCancelled, ConnectionLost)):
        join()
    wait_until(lambda: not backends(database))


def test_disconnect_runs_nothing_that_was_waiting(connection, database):
    api.sql("create table t (a int)")
    first = background(lambda: api.sql("select pg_sleep(60)"))
    wait_until(lambda: running(database, "pg_sleep(60)"))
    second = background(lambda: api.sql("insert into t values (1)"))
    wait_until(lambda: len(api.state().queries.active()) == 2)
    api.state().connections.disconnect("db")
    for join in (first, second):
        with pytest.raises((QueryCancelled, ConnectionLost)):
            join()
    assert ask(database, "select count(*) from t") == 0


def test_a_closed_connection_object_can_be_looked_at(connection):
    api.state().connections.disconnect()
    assert connection.status == "disconnected"
    assert "disconnected" in repr(connection)
    assert connection.live_session is None
    connection.close()


# -- transaction ------------------------------------------------------------------------------------------------------


@pytest.fixture
def table(connection, database):
    api.sql("create table t (a int)")
    return lambda: ask(database, "select coalesce(array_agg(a order by a), '{}') from t")


def test_transaction_commits(table, connection):
    with api.transaction() as inside:
        assert inside is connection
        api.sql("insert into t values (1)")
        assert table() == []
    assert table() == [1]
    assert connection.live_session.transaction is None


def test_transaction_rolls_back_on_any_error(table, connection):
    for error in (ValueError("mine"), KeyboardInterrupt()):
        with pytest.raises(type(error)), api.transaction("db"):
            api.sql("insert into t values (1)")
            raise error
    with pytest.raises(QueryFailed), api.transaction():
        api.sql("insert into t values (1)")
        api.sql("select nope")
    assert table() == []
    assert connection.live_session.transaction is None


def test_nested_transactions_are_savepoints(table):
    with api.transaction():
        api.sql("insert into t values (1)")
        with pytest.raises(ValueError, match="inner"), api.transaction():
            api.sql("insert into t values (2)")
            raise ValueError("inner")
        with api.transaction():
            api.sql("insert into t values (3)")
            with pytest.raises(QueryFailed), api.transaction():
                api.sql("select nope")
        api.sql("insert into t values (4)")
    assert table() == [1, 3, 4]


def test_a_failure_that_was_swallowed_saves_nothing_and_says_so(table, connection):
    with pytest.raises(QueryFailed, match="nothing was saved"), api.transaction():
        api.sql("insert into t values (1)")
        with pytest.raises(QueryFailed):
            api.sql("select nope")
    assert table() == []
    assert connection.live_session.transaction is None


def test_transaction_inside_the_users_own(table):
    api.sql("begin; insert into t values (1)")
    with pytest.raises(ValueError, match="x"), api.transaction():
        api.sql("insert into t values (2)")
        raise ValueError("x")
    api.sql("commit")
    assert table() == [1]


def test_a_session_lost_within_a_transaction_is_said(table, connection, database):
    with pytest.raises(ConnectionLost), api.transaction():
        api.sql("insert into t values (1)")
        terminate(database, connection.live_session.backend_pid)
    assert table() == []
    assert api.sql("select 1 as a")["a"][0] == 1


def test_a_session_lost_within_a_transaction_never_splits_it(table, connection, database):
    with pytest.raises(ConnectionLost), api.transaction():
        api.sql("insert into t values (1)")
        terminate(database, connection.live_session.backend_pid)
        with pytest.raises(ConnectionLost):
            api.sql("insert into t values (2)")
        api.sql("insert into t values (3)")
    assert table() == []


# -- results ----------------------------------------------------------------------------------------------------------


def test_results(connection):
    api.sql("create temp table t (a int, b text)")
    made = api.last_result()
    assert (made.command_tag, made.query_type, made.rows, made.columns) == ("CREATE TABLE", "create", [], ())
    api.sql("insert into t values (1, 'x'), (2, null)")
    assert (api.last_result().rows_affected, api.last_result().query_type) == (2, "insert")
    df = api.sql("do $$ begin raise notice 'n'; end $$; select a, b from t order by a")
    result = api.result(df)
    assert result.query_id == df.attrs["tusk"] == api.last_result().query_id
    assert [(c.name, c.type, c.oid) for c in result.columns] == [("a", "integer", 23), ("b", "text", 25)]
    assert result.rows == [(1, "x"), (2, None)]
    assert (result.connection, result.query_type, result.truncated, result.rowcount) == ("db", "select", False, 2)
    assert result.elapsed_ms > 0
    json.dumps(result.to_dict())


def test_result_of_what_is_no_result(connection):
    with pytest.raises(InvalidInput):
        api.result(pd.DataFrame())
    with pytest.raises(InvalidInput):
        api.result(None)


def test_notices_stand_in_the_result(connection):
    api.sql("do $$ begin raise notice 'hello' using hint = 'h'; end $$")
    (notice,) = api.last_result().notices
    assert (notice.severity, notice.message_primary, notice.message_hint) == ("NOTICE", "hello", "h")


def test_an_older_result_is_found_by_its_frame(connection):
    first = api.sql("select 1 as a")
    api.sql("select 2 as a")
    assert api.result(first).rows == [(1,)]


def test_json_forces_jsonb(connection):
    assert api.sql("select :v -> 0 as v", v=api.json([1, 2]))["v"][0] == 1


# -- events -----------------------------------------------------------------------------------------------------------


def test_events_in_order_and_by_id(tusk, connection):
    seen = []
    unsubscribe = tusk.events.subscribe(seen.append)
    api.sql("select * from generate_series(1, 3)")
    with pytest.raises(QueryFailed):
        api.sql("select nope")
    wait_until(lambda: len(seen) == 4)
    assert [event.status for event in seen] == ["started", "completed", "started", "failed"]
    assert seen[0].query_id == seen[1].query_id != seen[2].query_id == seen[3].query_id
    assert {event.connection_id for event in seen} == {connection.id}
    assert (seen[1].rows_fetched, seen[1].command_tag) == (3, "SELECT 3")
    assert seen[3].error.sqlstate == "42703"
    with pytest.raises(FrozenInstanceError):
        seen[0].status = "x"
    unsubscribe()
    api.sql("select 1")
    tusk.events.close()
    assert len(seen) == 4


def test_a_callback_that_raises_harms_nothing(tusk, connection):
    seen, threads = [], set()

    def broken(event):
        raise RuntimeError("mine")

    def working(event):
        threads.add(threading.current_thread().name)
        seen.append(event.status)

    tusk.events.subscribe(broken)
    tusk.events.subscribe(working)
    for _ in range(3):
        assert api.sql("select 1 as a")["a"][0] == 1
    wait_until(lambda: len(seen) == 6)
    assert seen == ["started", "completed"] * 3
    assert len(threads) == 1
    assert threading.current_thread().name not in threads


def test_a_slow_callback_delays_no_query(tusk, connection):
    gate, seen = threading.Event(), []
    tusk.events.subscribe(lambda event: (gate.wait(10), seen.append(event.status)))
    api.sql("select 1; select 2")
    assert seen == []
    gate.set()
    wait_until(lambda: len(seen) == 4)


def test_one_callback_may_be_subscribed_twice_and_taken_back_once(tusk, connection):
    seen = []
    callback = seen.append
    first = tusk.events.subscribe(callback)
    tusk.events.subscribe(callback)
    first()
    first()
    api.sql("select 1")
    tusk.events.close()
    assert [event.status for event in seen] == ["started", "completed"]


# -- queries in flight ------------------------------------------------------------------------------------------------


def test_a_password_in_what_is_in_flight_is_masked(tusk, connection, database):
    join = background(lambda: api.sql("select pg_sleep(60), 'host=h password=canary-Zq7 port=1'"))
    wait_until(lambda: running(database, "pg_sleep(60)"))
    (active,) = tusk.queries.active()
    assert active.sql == "select pg_sleep(60), 'host=h password=**** port=1'"
    assert tusk.queries.cancel(active.id)
    with pytest.raises(QueryCancelled):
        join()


def test_active_and_cancel(tusk, connection, database):
    seen = []
    tusk.events.subscribe(lambda event: seen.append(event.status))
    assert tusk.queries.active() == []
    join = background(lambda: api.sql("select pg_sleep(60)"))
    wait_until(lambda: running(database, "pg_sleep(60)"))
    (active,) = tusk.queries.active()
    assert (active.connection, active.sql, active.state) == ("db", "select pg_sleep(60)", "running")
    assert active.pid == connection.live_session.backend_pid
    assert active.age_s > 0
    execution = tusk.queries.get(active.id)
    assert not execution.is_cancelled
    assert tusk.queries.cancel("no such id") is False
    assert tusk.queries.cancel("") is False
    assert tusk.queries.cancel(active.id) is True
    assert execution.is_cancelled
    with pytest.raises(QueryCancelled, match="cancelled after"):
        join()
    assert tusk.queries.active() == []
    assert tusk.queries.cancel(active.id) is False
    assert execution.state == "cancelled"
    wait_until(lambda: seen == ["started", "cancelled"])
    assert api.sql("select pg_backend_pid() as p")["p"][0] == active.pid


def test_a_query_that_waits_for_the_session_is_cancelled_without_being_sent(tusk, connection, database):
    api.sql("create table t (a int)")
    first = background(lambda: api.sql("select pg_sleep(60)"))
    wait_until(lambda: running(database, "pg_sleep(60)"))
    second = background(lambda: api.sql("insert into t values (1)"))
    waiting = wait_until(lambda: next((q for q in tusk.queries.active() if q.state == "waiting"), None))
    assert tusk.queries.cancel(waiting.id)
    assert running(database, "pg_sleep(60)")
    assert tusk.queries.cancel_all() >= 1
    for join in (first, second):
        with pytest.raises(QueryCancelled):
            join()
    assert ask(database, "select count(*) from t") == 0


def test_a_query_that_leaves_the_queue_leaves_the_session_to_the_one_that_runs(tusk, connection, database, monkeypatch):
    monkeypatch.setattr("tusk_jupyter.queries.execution.GIVE_UP_S", 600)  # it is not the limit that ends its wait
    pid = connection.live_session.backend_pid
    first = background(lambda: api.sql("select pg_sleep(60)"))
    wait_until(lambda: running(database, "pg_sleep(60)"))
    second = background(lambda: api.sql("select 'behind'"))
    waiting = wait_until(lambda: next((q for q in tusk.queries.active() if q.state == "waiting"), None))
    assert tusk.queries.cancel(waiting.id)
    with pytest.raises(QueryCancelled, match="before its turn came"):
        second()
    assert running(database, "pg_sleep(60)") == pid
    assert tusk.queries.cancel_all() == 1
    with pytest.raises(QueryCancelled):
        first()
    assert api.sql("select pg_backend_pid()").iat[0, 0] == pid


def test_a_cancel_never_hits_another_statement(tusk, connection):
    survived = 0
    for i in range(40):
        join = background(lambda: api.sql("select pg_sleep(0.01)"))
        if active := tusk.queries.active():
            tusk.queries.cancel(active[0].id)
        with contextlib.suppress(QueryCancelled):
            join()
        assert api.sql("select :i::int as i", i=i)["i"][0] == i
        survived += 1
    assert survived == 40


# -- threads ----------------------------------------------------------------------------------------------------------


def test_ten_threads_on_one_connection_are_served_one_by_one(connection):
    api.sql("create temp table seen (i int, began timestamptz, ended timestamptz)")

    def one(i):
        df = api.sql(
            "insert into seen select :i, clock_timestamp(), s from (select clock_timestamp() s, pg_sleep(0.005)) x "
            "returning i; select :i::int as i, pg_backend_pid() as pid",
            i=i,
        )
        return i, int(df["i"][0]), int(df["pid"][0])

    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(one, range(60)))
    assert all(asked == answered for asked, answered, _ in found)
    assert len({pid for _, _, pid in found}) == 1
    assert api.sql("select count(*) as n from seen")["n"][0] == 60
    assert connection.live_session.transaction_status == "IDLE"
    assert api.state().queries.active() == []


def test_threads_that_find_a_lost_session_share_one_new_one(connection, database):
    old = connection.live_session.backend_pid
    terminate(database, old)
    with pytest.raises(ConnectionLost):
        api.sql("select 1")
    with ThreadPoolExecutor(8) as pool:
        pids = set(pool.map(lambda _: int(api.sql("select pg_backend_pid() as p")["p"][0]), range(16)))
    assert len(pids) == 1
    assert pids != {old}
    assert len(backends(database)) == 1


def test_two_connections_run_at_the_same_time(connection, database):
    api.connect(database, name="other")
    joins = [background(lambda name=name: api.sql("select pg_sleep(60)", name)) for name in ("db", "other")]
    wait_until(
        lambda: (
            ask(
                database,
                "select count(*) from pg_stat_activity where query = 'select pg_sleep(60)' and state = 'active'",
            )
            == 2
        )
    )
    (mine,) = [q for q in api.state().queries.active() if q.connection == "db"]
    api.state().queries.cancel(mine.id)
    with pytest.raises(QueryCancelled):
        joins[0]()
    assert [q.connection for q in api.state().queries.active()] == ["other"]
    assert running(database, "pg_sleep(60)")
    api.state().queries.cancel_all()
    with pytest.raises(QueryCancelled):
        joins[1]()


# -- about ------------------------------------------------------------------------------------------------------------


def test_app_info_and_health(tusk, connection):
    info = tusk.app_info()
    assert info.name == "tusk-jupyter"
    assert all((info.version, info.python, info.ipython, info.ipykernel, info.psycopg, info.libpq))
    health = tusk.health()
    assert all(state.startswith("ok") for part, state in health.items() if part != "keychain")  # not on every machine
    assert tusk.log_directory.is_dir()
    mode = tusk.log_directory.parent.stat().st_mode & 0o777
    assert mode == 0o700
    assert (tusk.log_directory.parent / "tusk.db").stat().st_mode & 0o777 == 0o600


def test_closing_twice_is_fine(tusk, connection, database):
    tusk.close()
    tusk.close()
    wait_until(lambda: not backends(database))


def test_a_password_typed_in_python_leaves_the_history_and_is_out_of_reach(cells, server):
    typed = quote(PASSWORD, safe="")
    url = f"postgresql://secretive:{typed}@127.0.0.1:{server.port}/postgres"
    cells.run(f"import tusk_jupyter\nheld = tusk_jupyter.connect({url!r}, name='typed')")
    history = cells.ip.history_manager
    assert "secretive" in repr(history.input_hist_raw)
    for kept in (history.input_hist_raw, history.input_hist_parsed, history.db_input_cache):
        assert typed not in repr(kept)
    held = cells.ip.user_ns["held"]
    assert held.target.conninfo.password is None
    # and it still opens a session with it
    held.live_session.abandon("for the test")
    with pytest.raises(ConnectionLost, match="for the test"):
        held.session()
    assert held.session().lost is None


@pytest.mark.parametrize("given", ["''", "' '", "None"])
def test_an_empty_password_leaves_the_history_as_it_is(shell, given):
    cell = f"import tusk_jupyter\nempty = '', ' ', 'None'\ntusk_jupyter.connect('', password={given})"
    shell.run(cell, ok=False)
    assert shell.ip.history_manager.input_hist_raw[-1] == cell


def test_what_a_history_keeps_of_a_line(shell):
    conditions = ["passengers = 3", "passed = true", "pw=1", "passport = 'X'", "pass_rate = 0.5"]
    statements = [f"select id from trips where {each} and url like 'https://%' order by id" for each in conditions]
    lines = {
        **{statement: statement for statement in statements},
        **{f"{before}{statements[2]}": f"{before}{statements[2]}" for before in ("shop ", "--limit 5 ", "found << ")},
        f"--to file:///tmp/x.csv {statements[2]}": f"--to file:///tmp/x.csv {statements[2]}",
        "update t set a = 'https://h', " + "b = 1, " * 150_000 + "-W": None,  # quadratic time would not end
        "postgresql://me:hush@h/db select pw = 1": "postgresql://me:****@h/db select pw = ****",
        "postgresql://me:my select hush@h/db": "postgresql://me:****@h/db",
        "host=h password=my select 'http://h'": "host=h password=****",
        "select dblink('postgresql://me:hush@h/db')": "select dblink('postgresql://me:****@h/db')",
        "shop pw=hush select 'http://h'": "shop pw=**** select 'http://h'",
    }
    history = shell.ip.history_manager
    for line, kept in lines.items():
        shell.run(f"%sql {line}", ok=False)
        assert history.input_hist_raw[-1] == f"%sql {kept or line}"
