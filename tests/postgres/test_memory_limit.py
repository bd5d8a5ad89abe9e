"""A result that would not fit into memory is stopped on a real server, and the session goes on."""

from __future__ import annotations

import pytest

from tests.waiting import running, wait_until
from tusk_jupyter.queries import memory

# in FROM the server would make all of them before it sends the first
ENDLESS = "select repeat('x', 1000) as x, generate_series(1, 2000000000) as i"


@pytest.fixture
def cells(shell, database):
    shell.run(f"%tusk_connect {database} --name db")
    return shell


def frame(cells, sql, options=""):
    cells.run(f"%%sql {options} found <<\n{sql}")
    return cells.ns["found"]


def refused(cells, sql):
    return cells.run(f"%%sql\n{sql}", ok=False).exception


def test_the_users_own_limit_stops_the_statement_and_keeps_the_session(cells, tusk, database):
    cells.run("%tusk set memory_limit_mb 2")
    cells.run("%%sql\ncreate temp table here (i int)")
    error = refused(cells, ENDLESS)
    assert "memory_limit_mb = 2" in error.message
    assert "--limit" in error.advice
    wait_until(lambda: not running(database, "generate_series"))
    assert frame(cells, "select count(*) from here").iloc[0, 0] == 0
    assert tusk.queries.active() == []
    assert len(frame(cells, ENDLESS, "--limit 10")) == 10


def test_what_is_free_is_the_limit_without_one(cells, monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: memory.RESERVE)
    assert "would not fit into the memory that is free" in refused(cells, ENDLESS).message
    assert len(frame(cells, "select repeat('x', 1000) as x from generate_series(1, 5000)")) == 5000


def test_within_a_transaction_it_is_failed_and_that_is_said(cells):
    cells.run("%tusk set memory_limit_mb 1")
    cells.run("%%sql\nbegin")
    assert "failed" in refused(cells, ENDLESS).transaction
    cells.run("%%sql\nrollback")
    assert frame(cells, "select 1 as one").iloc[0, 0] == 1


def test_a_result_that_ends_as_it_overflows_is_an_error_too(cells):
    cells.run("%tusk set memory_limit_mb 1")
    for rows in (1100, 3000):
        error = refused(cells, f"select repeat('x', 1000) as x from generate_series(1, {rows})")
        assert error.kind == "query"


def test_numbers_that_become_objects_want_their_room(cells, monkeypatch):
    # half as much again is enough for floats
    monkeypatch.setattr(memory, "available", lambda: memory.RESERVE + 50 * memory.MB)
    sql = "select i::numeric(20, 2) as n from generate_series(1, 2500000) i"
    assert len(frame(cells, sql)) == 2_500_000
    error = cells.run(f"%%sql --exact found <<\n{sql}", ok=False).exception
    assert "would not fit into the memory that is free" in error.message
