"""The pool: its numbers at every moment, what is checked before it is lent, what comes back, and what heals."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, closing

import psycopg
import pytest

import tusk_jupyter
from tests.fix_postgres import PASSWORD
from tests.waiting import ask, backends, terminate, wait_until
from tusk_jupyter import interrupts
from tusk_jupyter.connections import liveness
from tusk_jupyter.connections import pool as pools
from tusk_jupyter.errors import AuthenticationFailed, ConnectionFailed, PoolTimeout


@pytest.fixture(scope="module")
def own_server(make_server):
    """A server that may be stopped."""
    server = make_server()
    yield server
    if not (server.root / "data" / "postmaster.pid").exists():
        server.start()


def numbers(pool):
    status = pool.status()
    return status.size, status.available, status.waiting


def settles(pool, *expected):
    wait_until(lambda: numbers(pool) == expected, otherwise=f"{expected} was expected: {pool.status()}")


def shown(cells):
    cells.run("status = %tusk status")
    row = cells.ns["status"].iloc[0]
    return row["status"], row["pool_size"], row["available"], row["waiting"], row["pid"]


def waiting_for(pool, outcome, timeout_s=20.0):
    """Borrow on a thread, note what came of it, and give back at once."""

    def borrow():
        try:
            with pool.borrow(timeout_s) as conn:
                outcome.append(conn.execute("select 1").fetchone()[0])
        except Exception as error:  # noqa: BLE001 - it is what came of it
            outcome.append(error)

    thread = threading.Thread(target=borrow)
    thread.start()
    return thread


def borrowed(pool, count):
    """Have that many connections lie idle."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(pool.borrow())
    wait_until(lambda: pool.status().available == count)


# -- numbers ----------------------------------------------------------------------------------------------------------


def test_the_session_counts_and_what_is_borrowed_is_not_available(cells, connection):
    pool = connection.pool
    assert shown(cells)[:4] == ("connected", 1, 0, 0)
    with pool.borrow() as one:
        assert numbers(pool) == (2, 0, 0)
        with pool.borrow() as other:
            assert numbers(pool) == (3, 0, 0)
            assert one is not other
    settles(pool, 3, 2, 0)
    assert shown(cells)[1:4] == (3, 2, 0)
    assert pool.status().max_size == 5
    with pool.borrow() as again:
        assert again in {one, other}
        assert numbers(pool) == (3, 1, 0)


def test_whoever_waits_is_counted_and_served_in_turn(database, tusk):
    pool = tusk_jupyter.connect(database, name="small", pool_size=2).pool
    first, second = [], []
    with pool.borrow():
        early = waiting_for(pool, first)
        settles(pool, 2, 0, 1)
        late = waiting_for(pool, second)
        settles(pool, 2, 0, 2)
        assert (first, second) == ([], [])
    early.join()
    late.join()
    assert (first, second) == ([1], [1])
    settles(pool, 2, 1, 0)


def test_a_pool_that_is_used_up_says_so_with_its_time(database, tusk):
    pool = tusk_jupyter.connect(database, name="small", pool_size=2, pool_timeout="50ms").pool
    with pool.borrow(), pytest.raises(PoolTimeout, match=r"'small' became free within 0.05 s \(2 of 2 open") as caught, pool.borrow():
        pass
    assert caught.value.duration_s == 0.05
    assert "--pool-size" in caught.value.advice
    settles(pool, 2, 1, 0)


def test_a_pool_of_one_has_nothing_to_lend(database, tusk):
    connection = tusk_jupyter.connect(database, name="one", pool_size=1)
    with pytest.raises(PoolTimeout, match="1 of 1 open"), connection.pool.borrow():
        pass
    assert len(backends(database)) == 1


def test_the_pool_never_has_more_connections_than_it_may(database, tusk):
    pool = tusk_jupyter.connect(database, name="small", pool_size=3).pool
    outcomes = [[] for _ in range(12)]
    with pool.borrow(), pool.borrow():
        threads = [waiting_for(pool, outcome) for outcome in outcomes]
        settles(pool, 3, 0, 12)
    for thread in threads:
        thread.join()
    assert outcomes == [[1]] * 12
    assert len(backends(database)) == 3


# -- what the server ends ---------------------------------------------------------------------------------------------


def test_connections_that_the_server_ended_are_in_no_number(cells, connection, database):
    pool, session = connection.pool, connection.session()
    borrowed(pool, 3)
    for pid in backends(database) - {session.backend_pid}:
        terminate(database, pid)
    assert numbers(pool) == (1, 0, 0)
    with pool.borrow() as conn:
        assert conn.execute("select 1").fetchone() == (1,)
        terminate(database, conn.pgconn.backend_pid)
        assert numbers(pool) == (1, 0, 0)
    settles(pool, 1, 0, 0)
    terminate(database, session.backend_pid)
    assert numbers(pool) == (0, 0, 0)
    assert shown(cells) == ("session lost", 0, 0, 0, None)
    cells.run("%sql select 1", ok=False)
    cells.run("%sql select 1")
    assert shown(cells) == ("connected", 1, 0, 0, connection.live_session.backend_pid)


def test_a_server_that_was_started_again_is_used_at_once(own_server, tusk):
    connection = tusk_jupyter.connect(own_server.conninfo(), name="db")
    pool = connection.pool
    borrowed(pool, 3)
    own_server.stop()
    assert numbers(pool) == (0, 0, 0)
    own_server.start()
    with pool.borrow() as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    settles(pool, 1, 1, 0)


def test_who_waits_for_a_server_that_is_away_gets_a_connection_when_it_is_back(own_server, tusk):
    pool = tusk_jupyter.connect(own_server.conninfo(), name="db").pool
    own_server.stop()
    outcome = []
    thread = waiting_for(pool, outcome, timeout_s=40)
    try:
        wait_until(lambda: pool._refused)
        assert numbers(pool) == (0, 0, 1)
    finally:
        own_server.start()
    thread.join()
    assert outcome == [1]


def test_what_fails_for_good_is_said_at_once(server, database, tusk, monkeypatch):
    monkeypatch.setenv("CANARY", PASSWORD)
    where = psycopg.conninfo.make_conninfo(database, user="passing", host="127.0.0.1")
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute(psycopg.sql.SQL("create role passing login password {}").format(PASSWORD))
        try:
            connection = tusk_jupyter.connect(where, name="db", password_env="CANARY")
            conn.execute("alter role passing password 'another'")
            with pytest.raises(AuthenticationFailed), connection.pool.borrow(timeout_s=40):
                pass
            assert numbers(connection.pool) == (1, 0, 0)
            tusk.connections.close()
        finally:
            conn.execute("drop role passing")


def test_closing_ends_a_wait(database, tusk):
    connection = tusk_jupyter.connect(database, name="small", pool_size=2)
    outcome = []
    with connection.pool.borrow() as conn:
        thread = waiting_for(connection.pool, outcome)
        settles(connection.pool, 2, 0, 1)
        tusk.connections.disconnect("small")
        thread.join()
    assert isinstance(outcome[0], ConnectionFailed)
    assert conn.closed
    wait_until(lambda: not backends(database))


def test_numbers_hold_while_backends_end_and_everybody_borrows(server, database, tusk):
    connection = tusk_jupyter.connect(database, name="busy", pool_size=4)
    pool, leased = connection.pool, connection.session().backend_pid
    dbname = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    answers, wrong, lost = [], [], []

    def borrow(number):
        for _ in range(30):
            try:
                with pool.borrow() as conn:
                    answers.append(conn.execute("select %s::int", (number,)).fetchone() == (number,))
            except psycopg.OperationalError:
                lost.append(number)
            status = pool.status()
            if not 0 <= status.available <= status.size <= 4 or not 0 <= status.waiting <= 7:
                wrong.append(status)

    borrowers = [threading.Thread(target=borrow, args=(number,), daemon=True) for number in range(8)]
    for thread in borrowers:
        thread.start()
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        for ended in range(20):
            # a backend for every ten answers
            wait_until(lambda ended=ended: len(answers) + len(lost) >= 10 * ended, timeout=30)
            conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> %s order by random() limit 1",
                (dbname, leased),
            )
    for thread in borrowers:
        thread.join(30)
    assert wrong == []
    assert all(answers)
    assert len(answers) + len(lost) == 240
    assert len(lost) <= 20
    wait_until(lambda: pool.status().size == 1 + pool.status().available == len(backends(database)))
    assert connection.session().backend_pid == leased


# -- a server that does not answer ------------------------------------------------------------------------------------


def test_a_frozen_server_costs_no_more_than_the_time_of_the_borrower(proxy, database, tusk, monkeypatch):
    monkeypatch.setattr(pools, "CHECK_TIMEOUT_S", 0.5)
    dbname = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    pool = tusk_jupyter.connect(proxy.conninfo(dbname), name="far").pool
    borrowed(pool, 3)
    proxy.freeze()
    # the first that does not answer takes the other two with it: none is asked after it
    with pytest.raises(PoolTimeout), pool.borrow(timeout_s=0.8):
        pass
    assert numbers(pool) == (1, 0, 0)
    proxy.thaw()
    with pool.borrow() as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_a_check_has_no_more_time_than_the_borrower_and_then_says_nothing_of_the_others(proxy, database, tusk, monkeypatch):
    monkeypatch.setattr(pools, "CHECK_TIMEOUT_S", 3600.0)
    dbname = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    pool = tusk_jupyter.connect(proxy.conninfo(dbname), name="far").pool
    borrowed(pool, 2)
    proxy.freeze()
    with pytest.raises(PoolTimeout), pool.borrow(timeout_s=0.2):
        pass
    assert numbers(pool) == (2, 1, 0)
    proxy.thaw()


def test_what_comes_back_to_a_frozen_server_does_not_stay_in_the_numbers(proxy, database, tusk, monkeypatch):
    monkeypatch.setattr(pools, "RESET_TIMEOUT_S", 0.3)
    dbname = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    pool = tusk_jupyter.connect(proxy.conninfo(dbname), name="far", pool_size=3).pool
    with pool.borrow(), pool.borrow():
        proxy.freeze()
    settles(pool, 1, 0, 0)
    proxy.thaw()
    with pool.borrow(), pool.borrow():
        assert numbers(pool) == (3, 0, 0)


def test_a_machine_without_threads_for_a_moment_does_not_use_the_pool_up(database, tusk, monkeypatch):
    pool = tusk_jupyter.connect(database, name="db").pool

    def none(*_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(interrupts, "spawn", none)
        for _ in range(pool.max_size):
            with pytest.raises(PoolTimeout), pool.borrow(timeout_s=0.01):
                pass
    with pool.borrow(timeout_s=20) as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_a_server_that_talks_for_ever_does_not_hold_a_check_up(database):
    with closing(psycopg.connect(database, autocommit=True)) as conn:
        talk = b"do $$ begin loop raise notice 'x'; perform pg_sleep(0.005); end loop; end $$"
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            liveness.run_within(conn, 0.3, talk)


def test_a_check_starts_no_thread(connection):
    pool = connection.pool
    borrowed(pool, 1)
    wait_until(lambda: not any(t.name in {"tusk-pool-return", "tusk-pool-open"} for t in threading.enumerate()))
    before = set(threading.enumerate())
    with pool.borrow():
        assert set(threading.enumerate()) <= before


# -- what comes back --------------------------------------------------------------------------------------------------

MADE = ("statement_timeout", "lock_timeout", "default_transaction_read_only", "client_connection_check_interval")


def settings(conn):
    return [conn.execute("select current_setting(%s, true)", (name,)).fetchone()[0] for name in MADE]


def test_what_comes_back_is_as_new_and_keeps_the_settings_of_the_connection(server, database, tusk):
    connection = tusk_jupyter.connect(
        database, name="careful", read_only=True, statement_timeout="90s", lock_timeout="7s", pool_size=2
    )
    interval = "2s" if server.version >= 14 else None
    with connection.pool.borrow() as conn:
        pid = conn.pgconn.backend_pid
        assert settings(conn) == ["90s", "7s", "on", interval]
        for name in MADE[:3]:
            conn.execute(f"reset {name}")
        conn.execute("select pg_advisory_lock(5)")
        conn.execute("set search_path = nowhere")
        conn.execute("set default_transaction_read_only = off")
        conn.execute("create temp table left_behind ()")
        conn.execute("begin")
    with connection.pool.borrow() as conn:
        assert conn.pgconn.backend_pid == pid
        assert settings(conn) == ["90s", "7s", "on", interval]
        assert conn.execute("show search_path").fetchone() == ('"$user", public',)
        assert conn.execute("select to_regclass('left_behind')").fetchone() == (None,)
        assert conn.execute("select count(*) from pg_locks where locktype = 'advisory' and pid = %s", (pid,)).fetchone() == (0,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            conn.execute("create table written ()")
    assert tusk_jupyter.sql("show default_transaction_read_only").iat[0, 0] == "on"
    assert tusk_jupyter.sql("show lock_timeout").iat[0, 0] == "7s"


def test_a_setting_is_quoted(connection, tusk, database):
    from tusk_jupyter.connections.opening import Settings, session_settings

    odd = "it's\\odd"
    [statement] = session_settings(Settings(statement_timeout=odd), checks_clients=False)
    assert ask(database, "select " + statement.decode()[len("select ") :].replace("statement_timeout", "my.own")) == odd


# -- what libpq and the server are told -------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has these options")
def test_dead_networks_are_noticed_by_session_and_pool(proxy, server, database, tusk):
    dbname = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
    connection = tusk_jupyter.connect(proxy.conninfo(dbname), name="far")
    with connection.pool.borrow() as lent:
        for conn in (connection.session()._conn, lent):
            end = socket.fromfd(conn.pgconn.socket, socket.AF_INET, socket.SOCK_STREAM)
            with end:
                tcp = [end.getsockopt(socket.IPPROTO_TCP, option) for option in (
                    socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT
                )]  # fmt: skip
                assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            assert tcp == [10, 5, 3, 20000]
        if server.version >= 14:
            assert lent.execute("show client_connection_check_interval").fetchone() == ("2s",)
    if server.version >= 14:
        assert tusk_jupyter.sql("show client_connection_check_interval").iat[0, 0] == "2s"
