"""How far a long command is: each held in the middle of its way, by a lock that a row of it waits for."""

from __future__ import annotations

import threading

import pytest

import tusk_jupyter
from tests.postgres.test_watching import executions, flight, idle_in, sessions  # noqa: F401
from tests.waiting import wait_until

ROWS, STOP_AT = 40_000, 20_000
WAITING = f"""
create function held(i int) returns int immutable language plpgsql as $$
  begin if i = {STOP_AT} then perform pg_advisory_lock_shared(1); end if; return i; end $$;
create function held_row() returns trigger language plpgsql as $$
  begin new.i := held(new.i); return new; end $$
"""
FILLED = f"select i, repeat('x', 50) as x from generate_series(1, {ROWS}) i"


@pytest.fixture
def gate(sessions):  # noqa: F811
    """A session that holds what a row in the middle waits for; it opens with ``pg_advisory_unlock``."""
    other = sessions()
    other.execute(WAITING)
    other.execute(f"create table things as {FILLED}")
    other.execute("select pg_advisory_lock(1)")
    return other


def seen(execution, phase, *, held=False, counted=False):
    """Return what is seen in a phase, once there is a share of it, or once it is held up."""

    def found():
        now = execution.progress.seen
        there = now.phase is not None and now.phase.startswith(phase)
        return now if there and (now.wait or not held) and (now.fraction is not None or not counted) else None

    return wait_until(found, otherwise=f"{phase!r} was not seen")


def test_an_index_being_built(flight, gate):  # noqa: F811
    execution = flight.run("create index on things (held(i))")

    now = seen(execution, "building index: scanning table", held=True)

    assert 0.4 < now.fraction < 0.6
    assert now.wait.what == "advisory lock 1"
    assert [holder.pid for holder in now.wait.holders] == [gate.info.backend_pid]
    gate.execute("select pg_advisory_unlock(1)")
    wait_until(lambda: execution.results)
    assert execution.results == [None]


def test_the_indexes_of_partitions_are_counted(flight, gate):  # noqa: F811
    gate.execute("create table parted(i int) partition by range (i)")
    for number in range(4):
        low = number * ROWS // 4
        gate.execute(f"create table parted_{number} partition of parted for values from ({low}) to ({low + ROWS // 4})")
    gate.execute(f"insert into parted select i from generate_series(0, {ROWS - 1}) i")

    now = seen(flight.run("create index on parted (held(i))"), "building index: scanning table, partition 3 of 4", held=True)

    assert now.fraction == 0.5


def test_an_index_built_concurrently_waits_for_those_who_write(flight, gate, sessions):  # noqa: F811
    other = sessions()
    pid = idle_in(other, "insert into things values (0, '')")

    execution = flight.run("create index concurrently things_i on things (i)")

    now = seen(execution, "waiting for writers before build, transaction 1 of 1", held=True)
    assert now.fraction is None
    assert now.wait.what == "an older transaction to end"
    assert [holder.pid for holder in now.wait.holders] == [pid]
    other.execute("commit")
    wait_until(lambda: execution.results)
    assert execution.results == [None]


def test_a_file_being_copied(flight, gate, server):  # noqa: F811
    if server.version < 14:
        pytest.skip("the server counts no COPY before 14")
    path = server.root / "s" / "things.csv"
    gate.execute(f"copy ({FILLED}) to '{path}'")
    gate.execute("create table copied (like things)")
    gate.execute("create trigger held before insert on copied for each row execute function held_row()")

    now = seen(flight.run(f"copy copied from '{path}'"), "", held=True)

    assert 0.4 < now.fraction < 0.65
    assert now.phase.endswith(" rows copied")
    assert STOP_AT * 0.9 < int(now.phase.split()[0].replace(",", "")) <= STOP_AT


def test_a_program_being_copied_has_no_total(flight, gate, server):  # noqa: F811
    if server.version < 14:
        pytest.skip("the server counts no COPY before 14")

    execution = flight.run("copy things(i) from program 'echo 1; echo 2; sleep 60'")

    assert seen(execution, "0 rows copied").fraction is None


def test_a_vacuum_and_an_analyze(flight, gate, server):  # noqa: F811
    gate.execute("delete from things where i % 2 = 0")
    tusk_jupyter.sql("set vacuum_cost_delay = 100; set vacuum_cost_limit = 1")

    execution = flight.run("vacuum things")
    assert 0 <= seen(execution, "scanning heap", counted=True).fraction < 1
    flight.stop(execution)

    # which of the tables it is
    execution = flight.run("vacuum")
    assert ": " in seen(execution, "").phase
    flight.stop(execution)

    if server.version >= 13:
        execution = flight.run("analyze things")
        assert 0 <= seen(execution, "acquiring sample rows", counted=True).fraction < 1
        flight.stop(execution)


@pytest.mark.parametrize("statement", ["vacuum full things", "cluster things using things_held"])
def test_a_table_being_rewritten(flight, gate, statement):  # noqa: F811
    gate.execute("select pg_advisory_unlock(1)")
    gate.execute("create index things_held on things (held(i))")
    gate.execute("select pg_advisory_lock(1)")

    now = seen(flight.run(statement), "rebuilding index 1", held=True)

    assert now.fraction is None
    assert now.wait.what == "advisory lock 1"


def test_what_the_parts_of_a_parallel_query_wait_for(flight, gate, cells, executions, tusk):  # noqa: F811
    gate.execute("vacuum analyze things")
    thread = threading.Thread(target=lambda: cells.run("%%sql --parallel 2\nselect held(i) from things", ok=None))
    thread.start()
    execution = wait_until(lambda: executions and executions[-1])
    assert wait_until(lambda: execution.seen.wait).what == "advisory lock 1"
    assert execution.session.backend_pid not in execution.backend_pids
    gate.execute("select pg_advisory_unlock(1)")
    thread.join(20)
    assert execution.rows == ROWS
