"""A look at the database on the session of the cells: what it sees, what it leaves alone, and when it looks aside."""

from __future__ import annotations

import os
import signal

import pytest

import tusk_jupyter
from tests.waiting import meanwhile, running, wait_until
from tusk_jupyter.errors import InvalidInput, QueryFailed, QueryInterrupted, QueryTimeout
from tusk_jupyter.looking import ASIDE, look
from tusk_jupyter.queries.execution import Deadline

NAMES = "select relname from pg_catalog.pg_class where relname like $1"


def names(pattern):
    return lambda ask: [name for [name] in ask(NAMES, pattern)]


@pytest.fixture
def looked(tusk, cells, connection):
    return lambda question: look(tusk, "\\d", question, connection=connection)


def test_it_sees_what_the_open_transaction_has_made(cells, looked):
    cells.run("%%sql\nbegin; create temp table fresh_1 (a int)")
    found = looked(names("fresh%"))
    assert (found.answer, found.notes) == (["fresh_1"], ())


def test_a_question_that_fails_does_not_fail_the_transaction(cells, looked, connection):
    cells.run("%%sql\nbegin; create table kept (a int)")
    with pytest.raises(QueryFailed) as caught:
        looked(lambda ask: ask("select 1 / $1::text::int", "0"))
    assert caught.value.sqlstate == "22012"
    assert connection.live_session.transaction_status == "INTRANS"
    assert connection.live_session.savepoints == []
    cells.run("%sql commit")
    assert looked(names("kept")).answer == ["kept"]


def test_in_a_failed_transaction_another_connection_is_asked(cells, looked):
    cells.run("%sql create table seen_1 (a int)")
    cells.run("%%sql\nbegin; create table seen_2 (a int); select 1 / 0", ok=False)
    found = looked(names("seen%"))
    assert (found.answer, found.notes) == (["seen_1"], (ASIDE,))


@pytest.fixture
def in_failed(cells):
    cells.run("%%sql\nbegin; select 1 / 0", ok=False)


def test_what_fails_beside_a_failed_transaction_is_an_error_of_ours(cells, looked, in_failed):
    with pytest.raises(QueryFailed) as caught:
        looked(lambda ask: ask("select 1 / $1::text::int", "0"))
    assert caught.value.sqlstate == "22012"
    assert isinstance(cells.run("%tusk tables [", ok=False).exception, QueryFailed)


def test_the_cells_time_and_an_interrupt_end_it_beside_a_failed_transaction(tusk, connection, database, in_failed):
    def sleep(seconds, **options):
        look(tusk, "\\d", lambda ask: ask(f"select pg_catalog.pg_sleep({seconds})"), connection=connection, **options)

    with pytest.raises(QueryTimeout) as caught:
        sleep(2, deadline=Deadline.after(0.3))
    assert caught.value.setting == "--timeout"
    with (
        meanwhile(
            lambda: wait_until(lambda: running(database, "pg_sleep(3)")), lambda: os.kill(os.getpid(), signal.SIGINT)
        ),
        pytest.raises(QueryInterrupted),
    ):
        sleep(3)


def test_a_pool_of_one_says_why_nothing_can_be_asked_in_a_failed_transaction(cells, database, tusk):
    only = tusk_jupyter.connect(database, name="only", pool_size=1)
    cells.run("%%sql\nbegin; select 1 / 0", ok=False)
    with pytest.raises(InvalidInput, match="--pool-size is 1"):
        look(tusk, "\\d", names("x"), connection=only)


def test_names_are_read_and_sent_in_the_encoding_of_the_session(cells, looked):
    cells.run('%%sql\ncreate table "größe" (a int); set client_encoding = latin1')
    assert looked(names("größ%")).answer == ["größe"]


def test_it_is_no_statement_of_the_history(cells, looked, tusk):
    looked(names("x"))
    assert tusk.storage.read(lambda db: db.execute("select count(*) from history").fetchone()[0]) == 0
