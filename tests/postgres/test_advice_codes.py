"""Each SQLSTATE that has advice of its own, provoked on a real server: what the advice says of it."""

from __future__ import annotations

import contextlib

import psycopg
import pytest

from tests.provoked import PROVOKED
from tests.waiting import at_one_moment, meanwhile, wait_until
from tusk_jupyter import translate
from tusk_jupyter.advice.texts import BY_CODE

CONNECTING = "a connection that is refused has no diagnostic; tests/postgres/test_connect_*.py have its advice"
NOT_HERE = {
    "22030": "PostgreSQL 16 has what raises it",
    "25P04": "PostgreSQL 17 has transaction_timeout",
    "28000": CONNECTING,
    "28P01": CONNECTING,
    "42622": "names that are too long are cut, with a notice",
    "53100": "a disk would have to be full",
    "53300": CONNECTING,
    "57P02": "a server process would have to crash, and with it every session of the other tests",
    "57P03": CONNECTING,
    "57P04": "a standby has what raises it",
    "58030": "a disk would have to fail",
    "XX001": "a file of the server would have to be damaged",
    "XX002": "a file of the server would have to be damaged",
}
provoked = {code for code, *_ in PROVOKED}


def provokes(code):
    """Mark the test of a code that takes more than statements."""
    provoked.add(code)
    return lambda test: test


def advised(result, code, part):
    error = translate.query_error(translate.diagnostic(result))
    assert error.sqlstate == code, error.message
    assert part in error.advice


@pytest.fixture(scope="module")
def alone(make_server):
    """A server that may be used up: nobody else waits for it."""
    return make_server()


@pytest.fixture
def pair(place, server):
    """Two connections to the same database, and a table with two rows."""
    with psycopg.connect(server.conninfo(place.dbname), autocommit=True) as other:
        place.execute("create table if not exists public.pair (a int primary key, n int)")
        place.execute("insert into public.pair values (1, 0), (2, 0)")
        yield place, other
        place.rollback()
        place.execute("discard all")
        place.execute("drop table public.pair")


@pytest.fixture
def guest(place, server):
    """A connection that will not outlive its test."""
    conn = psycopg.connect(server.conninfo(place.dbname), autocommit=True)
    yield conn
    conn.close()


def sent(conn, statement):
    return conn.pgconn.exec_params(statement.encode(), None)


@pytest.fixture(scope="module")
def place(server, databases):
    """A connection to a database that these tests share."""
    name = databases.take()
    with psycopg.connect(server.conninfo(name), autocommit=True, prepare_threshold=None) as conn:
        conn.dbname = name
        yield conn
    databases.give_back(name)


def failed(conn, *statements):
    """Send the statements as cells are sent; return the error of the last."""
    for number, statement in enumerate(statements, 1):
        result = conn.pgconn.exec_params(statement.encode(), None)
        error = result.error_message.decode()
        if number < len(statements):
            assert not error or "by zero" in error, (statement, error)
    assert error, f"{statement} did not fail"
    return translate.query_error(translate.diagnostic(result), statement=statement)


@pytest.fixture
def schema(place):
    place.execute("create schema playground; set search_path = playground")
    yield "playground"
    place.rollback()
    place.execute("drop schema if exists tester cascade")
    place.execute("drop schema playground cascade")
    place.execute("discard all")


@pytest.mark.parametrize(
    ("code", "part", "statements"),
    [pytest.param(code, part, statements, id=f"{code} {statements[-1][:60]}") for code, part, *statements in PROVOKED],
)
def test_a_code_and_its_advice(place, schema, code, part, statements):
    named = [
        text.replace("{schema}", schema).replace("{database}", place.dbname).replace("{user}", "tester")
        for text in statements
    ]
    error = failed(place, *named)
    assert error.sqlstate == code, error.message
    assert part in error.advice


def test_every_code_of_the_table_is_provoked():
    assert set(BY_CODE) - provoked == set(NOT_HERE)
    assert len(provoked) > 100
    assert all(NOT_HERE.values())


@provokes("22P04")
def test_a_file_in_another_format(place, schema):
    place.execute("create table t (a int, b int)")
    with pytest.raises(psycopg.Error) as caught, place.cursor().copy("copy t from stdin") as copy:
        copy.write("1\n")
    error = translate.translate(caught.value)
    assert error.sqlstate == "22P04"
    assert "delimiter" in error.advice


@provokes("40001")
def test_two_that_change_one_row(pair):
    ours, theirs = pair
    ours.execute("begin isolation level repeatable read")
    ours.execute("select * from pair")
    theirs.execute("update pair set n = 1 where a = 1")
    advised(sent(ours, "update pair set n = 2 where a = 1"), "40001", "from its `BEGIN`")


@provokes("40P01")
def test_two_that_wait_for_each_other(pair):
    for conn, row in zip(pair, (1, 2), strict=True):
        conn.execute("begin")
        conn.execute("set local deadlock_timeout = '20ms'")
        conn.execute("update pair set n = 1 where a = %s", [row])
    results = at_one_moment(
        lambda: sent(pair[0], "update pair set n = 2 where a = 2"),
        lambda: sent(pair[1], "update pair set n = 2 where a = 1"),
    )
    (failed_one,) = [result for result in results if result.error_message]
    advised(failed_one, "40P01", "same order")
    for conn in pair:
        conn.rollback()


@provokes("55P03")
def test_a_lock_that_is_held(pair):
    ours, theirs = pair
    theirs.execute("begin")
    theirs.execute("select * from pair for update")
    advised(sent(ours, "select * from pair for update nowait"), "55P03", "lock_timeout")
    theirs.rollback()


@provokes("42501")
def test_a_right_that_is_missing(place, schema):
    place.execute("create table t (a int)")
    place.execute("grant usage on schema playground to secretive")
    place.execute("begin")
    place.execute("set local role secretive")
    advised(sent(place, "lock table t"), "42501", "owner")


def last_words(pgconn):
    """Read what came while nobody asked: libpq takes it for a notice."""
    with contextlib.suppress(psycopg.OperationalError):  # the end behind it
        pgconn.consume_input()
    pgconn.is_busy()


@pytest.mark.parametrize(
    ("code", "setting", "part"),
    [
        ("25P03", "idle_in_transaction_session_timeout", "from its `BEGIN`"),
        ("57P05", "idle_session_timeout", "the next cell gets a new one"),
    ],
)
def test_a_session_that_slept(guest, code, setting, part):
    said = []
    guest.add_notice_handler(lambda diag: said.append(translate.notice(diag)))
    guest.execute(f"set {setting} = 10")
    guest.execute("begin" if code == "25P03" else "select 1")
    wait_until(lambda: last_words(guest.pgconn) or said)
    error = translate.query_error(said[0])
    assert error.sqlstate == code
    assert part in error.advice


provoked |= {"25P03", "57P05"}


@provokes("57P01")
def test_a_session_that_was_ended(place, guest):
    pid = guest.info.backend_pid
    ending = "select pg_terminate_backend(pid) from pg_stat_activity where pid = %s and query like '%%pg_sleep%%'"
    with (
        pytest.raises(psycopg.OperationalError) as caught,
        meanwhile(lambda: wait_until(lambda: place.execute(ending, [pid]).fetchone())),
    ):
        guest.execute("select pg_sleep(60)")
    error = translate.translate(caught.value)
    assert error.sqlstate == "57P01"
    assert "administrator" in error.advice


@provokes("53200")
def test_a_server_without_room_for_locks(alone):
    with psycopg.connect(alone.conninfo(), autocommit=True) as conn:
        statement = "select count(pg_advisory_lock(n)) from generate_series(1, 1000000) n"
        advised(sent(conn, statement), "53200", "max_locks_per_transaction")
