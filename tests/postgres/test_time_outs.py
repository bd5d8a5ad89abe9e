"""Each time-out of the server's, at each place where it can be set: named, with who set it and how to change it."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager

import psycopg
import pytest

import tusk_jupyter
from tests.waiting import ask, meanwhile, running, wait_until
from tusk_jupyter.connections.time_outs import TimeOut
from tusk_jupyter.errors import ConnectionLost, QueryCancelled, QueryFailed, QueryInterrupted, QueryTimeout

SLEEP = "%sql select pg_sleep(60)"
LOCKED = "%sql select * from held for update"


def admin(conninfo, *statements):
    with psycopg.connect(conninfo, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


def name_of(conninfo):
    return conninfo.rpartition("dbname=")[2]


def failed(cells, cell):
    return cells.run(cell, ok=False).exception


def facts(error):
    return dict(error.facts)


@pytest.fixture
def role(server, database):
    """A role of the test's own; gone, with its settings, afterwards."""
    name = f"sam_{name_of(database)}"
    admin(database, f"create role {name} login")
    yield name
    admin(database, f"drop owned by {name}", f"drop role {name}")


@pytest.fixture
def held(database):
    """A table whose one row somebody else has locked."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("create table held (a int)")
        conn.execute("insert into held values (1)")
        conn.execute("begin")
        conn.execute("select * from held for update")
        yield conn


@pytest.fixture(scope="module")
def alone(make_server):
    """A server whose configuration may be changed: nobody else waits for it."""
    return make_server()


@contextmanager
def configured(server, **settings):
    """Have settings in the server's own configuration."""
    there = server.conninfo()

    def is_there(expected):
        return all(ask(there, f"show {name}") == expected(value) for name, value in settings.items())

    admin(there, *(f"alter system set {name} = '{value}'" for name, value in settings.items()))
    admin(there, "select pg_reload_conf()")
    wait_until(lambda: is_there(lambda value: value))
    yield
    admin(there, "alter system reset all", "select pg_reload_conf()")
    wait_until(lambda: is_there(lambda _: "0"))


# -- statement_timeout, wherever it was set -----------------------------------------------------------------------------


def timed_out(error, setting="statement_timeout", seconds=0.2):
    assert type(error) is QueryTimeout
    assert error.setting == setting
    assert error.duration_s == pytest.approx(seconds)
    assert facts(error)["time-out"] == f"{setting} = {seconds * 1000:g} ms"
    return facts(error)["set by"]


def test_by_set(cells):
    cells.run("%sql set statement_timeout = '200ms'")
    error = failed(cells, SLEEP)
    assert timed_out(error) == "SET in this session"
    assert "SET statement_timeout = '10s'" in error.advice


def test_by_an_option_of_the_connection(cells, database):
    cells.run(f"%tusk_connect {database} --name hasty --statement-timeout 200ms")
    assert timed_out(failed(cells, SLEEP)) == "--statement-timeout of the connection"
    # what a transaction's end makes us look at does not make it another's
    cells.run("%%sql\nbegin; commit")
    error = failed(cells, SLEEP)
    assert timed_out(error) == "--statement-timeout of the connection"
    assert "--statement-timeout" in error.advice
    cells.run("%sql set statement_timeout = '200ms'")
    assert timed_out(failed(cells, SLEEP)) == "SET in this session"


def test_by_alter_role(cells, database, role):
    admin(database, f"alter role {role} set statement_timeout = '200ms'")
    cells.run(f"%tusk_connect {database} user={role} --name theirs")
    error = failed(cells, SLEEP)
    assert timed_out(error) == f"ALTER ROLE {role} SET statement_timeout"
    assert f"ALTER ROLE {role} SET statement_timeout = '10s'" in error.advice


def test_by_alter_database(cells, database):
    admin(database, f"alter database {name_of(database)} set statement_timeout = '200ms'")
    cells.run(f"%tusk_connect {database} --name theirs")
    assert timed_out(failed(cells, SLEEP)) == f"ALTER DATABASE {name_of(database)} SET statement_timeout"


def test_by_alter_role_in_database(cells, database, role):
    there = f"alter role {role} in database {name_of(database)}"
    admin(database, f"{there} set statement_timeout = '200ms'", f"alter role {role} set statement_timeout = '30s'")
    cells.run(f"%tusk_connect {database} user={role} --name theirs")
    said = timed_out(failed(cells, SLEEP))
    assert said == f"ALTER ROLE {role} IN DATABASE {name_of(database)} SET statement_timeout"
    admin(database, f"{there} reset all")


def test_by_the_parameters_of_the_connection(cells, database):
    cells.run(f"%tusk_connect {database} options='-c statement_timeout=200' --name theirs")
    assert timed_out(failed(cells, SLEEP)).startswith("options of the connection's parameters")


def test_by_the_server_s_configuration(shell, alone):
    with configured(alone, statement_timeout="200ms"):
        shell.run(f"%tusk_connect {alone.conninfo()} --name theirs")
        said = timed_out(failed(shell, SLEEP))
    assert said.startswith("the server's configuration (")
    assert "postgresql.auto.conf:" in said


def test_by_the_server_s_configuration_whose_file_is_not_for_everybody(shell, alone):
    admin(alone.conninfo(), "create role plain login")
    with configured(alone, statement_timeout="200ms"):
        shell.run(f"%tusk_connect {alone.conninfo()} user=plain --name theirs")
        assert timed_out(failed(shell, SLEEP)) == "the server's configuration"


def test_by_the_server_s_command_line(shell, alone):
    alone.stop()
    alone.start("-o", "-c statement_timeout=200ms")
    try:
        shell.run(f"%tusk_connect {alone.conninfo()} --name theirs")
        assert timed_out(failed(shell, SLEEP)) == "the server's command line"
    finally:
        shell.run("%tusk disconnect theirs")
        alone.stop()
        alone.start()


def test_by_a_reload_after_the_session_began(shell, alone):
    shell.run(f"%tusk_connect {alone.conninfo()} --name theirs")
    with configured(alone, statement_timeout="200ms"):
        wait_until(lambda: shell.run("x = %sql show statement_timeout") and shell.ns["x"].iat[0, 0] == "200ms")
        error = failed(shell, SLEEP)
    assert type(error) is QueryTimeout
    assert timed_out(error).startswith("the server's configuration (")


def test_by_set_local(cells, connection):
    cells.run("%%sql\nbegin; set local statement_timeout = '200ms'")
    error = failed(cells, SLEEP)
    assert timed_out(error) == "SET LOCAL in this transaction"
    assert "SET LOCAL statement_timeout" in error.advice
    cells.run("%sql rollback")
    assert connection.live_session.statement_timeout_ms == 0


@pytest.mark.parametrize("is_local", ["true", "false"])
def test_by_set_config(cells, is_local):
    cells.run(f"%%sql\nbegin; select set_config('statement_timeout', '200ms', {is_local})")
    assert "SET" in timed_out(failed(cells, SLEEP))


def test_by_a_function_for_what_comes_after_it(cells):
    cells.run("%%sql\ncreate function hasten() returns void language sql as $$ set statement_timeout = '200ms' $$")
    cells.run("%sql select hasten()")
    # no word of it was seen here, and it is no cancel
    error = failed(cells, SLEEP)
    assert type(error) is QueryTimeout
    assert error.setting == "statement_timeout"


# -- it is followed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "limit"),
    [
        ("set statement_timeout = '2min'; reset statement_timeout", 0),
        ("set statement_timeout = '2min'; reset all", 0),
        ("set statement_timeout = '2min'; discard all", 0),
        ("begin; set statement_timeout = '2min'; rollback", 0),
        ("begin; set statement_timeout = '2min'; commit", 120_000),
        ("begin; set local statement_timeout = '2min'; commit", 0),
        ("begin; savepoint a; set statement_timeout = '2min'; rollback to a", 0),
        ("set statement_timeout = '1min'; begin; savepoint a; set statement_timeout = '2min'; rollback to a", 60_000),
        ("begin; savepoint a; set local statement_timeout = '2min'; release a", 120_000),
        ("begin; set local statement_timeout = '2min'; commit and chain", 0),
        ("begin; set statement_timeout = '2min'; rollback and chain", 0),
        ("begin; set statement_timeout = '2min'; commit and chain", 120_000),
        ("do $$ begin perform set_config('statement_timeout', '1500ms', false); end $$", 1_500),
        ("begin; do $$ begin perform set_config('statement_timeout', '1500ms', true); end $$", 1_500),
        ('set session "statement_timeout" to 90000', 90_000),
        ("set statement_timeout = '1d'", 86_400_000),
    ],
)
def test_it_is_known_after_whatever_sets_it(cells, connection, script, limit):
    cells.run(f"%%sql\n{script}")
    assert connection.live_session.statement_timeout_ms == limit
    shown = cells.run("x = %sql select setting from pg_settings where name = 'statement_timeout'")
    assert shown.status == "ok"
    assert int(cells.ns["x"].iat[0, 0]) == limit


def test_a_commit_that_fails_takes_set_local_back(cells, connection):
    cells.run("%sql create table d (a int unique deferrable initially deferred)")
    script = "begin; set local statement_timeout = '2min'; insert into d values (1), (1); commit"
    assert failed(cells, f"%%sql\n{script}").sqlstate == "23505"
    assert connection.live_session.statement_timeout_ms == 0


def test_following_is_no_query_of_the_transaction(cells, database):
    cells.run(
        "%%sql\nbegin; set local statement_timeout = '1min'; set transaction isolation level serializable; commit"
    )
    cells.run("%sql create table seen as select 1 as a")
    cells.run(
        "%%sql\nbegin isolation level repeatable read; set local lock_timeout = '1min'; savepoint a; rollback to a"
    )
    admin(database, "insert into seen values (2)")
    cells.run("x = %sql select count(*) from seen")
    assert cells.ns["x"].iat[0, 0] == 2


# -- no time-out ------------------------------------------------------------------------------------------------------


def test_a_cancel_just_where_a_limit_could_have_struck_is_no_time_out(cells, connection, database):
    # as long as that has run, it could have been the limit
    connection.live_session.time_outs["statement_timeout"] = TimeOut("statement_timeout", 1)

    def cancel():
        pid = wait_until(lambda: running(database, "pg_sleep(61)"))
        ask(database, "select pg_cancel_backend(%s)", pid)

    with meanwhile(cancel):
        error = failed(cells, "%sql select pg_sleep(61)")
    assert type(error) is QueryCancelled
    assert "pg_cancel_backend" in error.advice


def test_a_function_that_raises_the_same_code_is_no_time_out(cells, connection):
    connection.live_session.time_outs["statement_timeout"] = TimeOut("statement_timeout", 1)
    raising = "do $$ begin perform pg_sleep(0.01); raise 'enough' using errcode = 'query_canceled'; end $$"
    error = failed(cells, f"%%sql\n{raising}")
    assert type(error) is QueryCancelled
    assert str(error) == "enough (57014)"
    assert "raised this itself" in error.advice


def test_ours_and_the_server_s_at_one_time(cells):
    """Both limits are equal: whichever struck is named, and it is a time-out either way."""
    cells.run("%sql set statement_timeout = '150ms'")
    seen = set()
    for _ in range(6):
        error = failed(cells, "%%sql --timeout 150ms\nselect pg_sleep(60)")
        assert type(error) is QueryTimeout
        assert error.duration_s == pytest.approx(0.15)
        seen.add(error.setting)
    assert seen <= {"--timeout", "statement_timeout"}


def test_the_cell_s_own(cells):
    error = failed(cells, "%%sql --timeout 300ms\nselect pg_sleep(60)")
    assert (type(error), error.setting) == (QueryTimeout, "--timeout")
    assert error.message.startswith("the statement was stopped by --timeout 300 ms, after ")


# -- lock_timeout -----------------------------------------------------------------------------------------------------


def test_lock_timeout_is_a_time_out(cells, held):
    cells.run("%sql set lock_timeout = '200ms'")
    error = failed(cells, LOCKED)
    assert timed_out(error, "lock_timeout") == "SET in this session"
    assert error.sqlstate == "55P03"


def test_lock_timeout_of_the_connection(cells, database, held):
    cells.run(f"%tusk_connect {database} --name hasty --lock-timeout 200ms")
    error = failed(cells, LOCKED)
    assert timed_out(error, "lock_timeout") == "--lock-timeout of the connection"


def test_lock_timeout_of_a_function(cells, held):
    cells.run("%sql set lock_timeout = '30s'")
    body = "as $$ begin perform * from held for update; end $$ language plpgsql"
    cells.run(f"%%sql\ncreate function hasty() returns void {body} set lock_timeout = '200ms'")
    error = failed(cells, "%sql select hasty()")
    assert timed_out(error, "lock_timeout") == "the function's own SET clause (hasty())"
    assert "ALTER FUNCTION hasty() SET lock_timeout = '10s'" in error.advice


@pytest.mark.parametrize("cell", [f"{LOCKED} nowait", "%sql lock table held in access exclusive mode nowait"])
def test_nowait_is_no_time_out(cells, held, cell):
    cells.run("%%sql\nset lock_timeout = '1ms'; begin")
    error = failed(cells, cell)
    assert type(error) is QueryFailed
    assert error.sqlstate == "55P03"
    assert "time-out" not in facts(error)


# -- what ends the session --------------------------------------------------------------------------------------------


def gone(cells, database):
    """Wait until the server has ended the session of the cells."""
    wait_until(
        lambda: (
            not ask(
                database,
                "select count(*) from pg_stat_activity where application_name = 'Tusk' and datname = current_database()",
            )
        )
    )


def test_idle_in_transaction(cells, database):
    cells.run("%sql create table t (a int)")
    cells.run("%%sql\nset idle_in_transaction_session_timeout = '150ms'; begin; insert into t values (1)")
    gone(cells, database)
    reply = cells.run("%sql insert into t values (2)", ok=False)
    error = reply.exception
    assert isinstance(error, ConnectionLost)
    assert (error.sqlstate, error.setting) == ("25P03", "idle_in_transaction_session_timeout")
    assert error.duration_s == pytest.approx(0.15)
    assert facts(error) == {
        "time-out": "idle_in_transaction_session_timeout = 150 ms",
        "set by": "SET in this session",
    }
    text = reply.displayed[-1]
    assert "open transaction (1 statement), which the server rolls back" in text
    assert "The statement was not sent" in text
    assert "SET idle_in_transaction_session_timeout" in text
    cells.run("%sql insert into t values (3)")
    assert ask(database, "select array_agg(a) from t") == [3]


def test_idle_in_transaction_at_the_commit(cells, database):
    cells.run("%sql create table t (a int)")
    cells.run("%%sql\nset idle_in_transaction_session_timeout = '150ms'; begin; insert into t values (1)")
    gone(cells, database)
    reply = cells.run("%sql commit", ok=False)
    assert reply.exception.setting == "idle_in_transaction_session_timeout"
    assert "unknown" not in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 0


def test_idle_in_a_block(cells, database, tusk):
    cells.run("%sql set idle_in_transaction_session_timeout = '150ms'")

    def run():
        with tusk_jupyter.transaction("db"):
            tusk_jupyter.sql("create table t (a int)", connection="db")
            gone(cells, database)

    with pytest.raises(ConnectionLost) as caught:
        run()
    assert caught.value.setting == "idle_in_transaction_session_timeout"


def test_idle_session(cells, database, server):
    if server.version < 14:
        pytest.skip("idle_session_timeout came with 14")
    cells.run("%sql create temp table mine as select 1 as a")
    cells.run("%sql set idle_session_timeout = '150ms'")
    gone(cells, database)
    reply = cells.run("%sql select * from mine", ok=False)
    assert (reply.exception.sqlstate, reply.exception.setting) == ("57P05", "idle_session_timeout")
    assert "temp tables" in reply.displayed[-1]
    assert cells.run("%sql select 1").status == "ok"


@pytest.mark.parametrize("words", ["insert into t values (1)", "commit"])
def test_idle_for_too_long_while_the_next_one_is_on_its_way(cells, connection, database, words, monkeypatch):
    """It went out before the server's last word was read, and the server has not read it."""
    cells.run("%sql create table t (a int)")
    cells.run("%%sql\nset idle_in_transaction_session_timeout = '150ms'; begin; insert into t values (0)")
    gone(cells, database)
    monkeypatch.setattr(connection.live_session, "_check_alive", lambda: None)
    reply = cells.run(f"%sql {words}", ok=False)
    assert reply.exception.setting == "idle_in_transaction_session_timeout"
    assert "unknown" not in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 0


def test_an_interrupt_is_no_time_out(cells, database):
    def interrupt():
        wait_until(lambda: running(database, "pg_sleep(62)"))
        os.kill(os.getpid(), signal.SIGINT)

    cells.run("%sql set statement_timeout = '1h'")
    with meanwhile(interrupt):
        error = failed(cells, "%sql select pg_sleep(62)")
    assert isinstance(error, QueryInterrupted)
    assert type(error.error) is QueryCancelled


def test_a_cells_time_is_over_between_statements_that_are_all_short(cells, database):
    cells.run("%sql create table rows (a int)")
    script = "insert into rows values (1); select pg_sleep(0.02);\n" * 200
    reply = cells.run(f"%%sql --timeout 300ms\n{script}", ok=False)
    assert type(reply.exception) is QueryTimeout
    assert reply.exception.setting == "--timeout"
    done = ask(database, "select count(*) from rows")
    assert 0 < done < 200
    assert any("not run" in value for name, value in reply.exception.facts if name == "statements")
