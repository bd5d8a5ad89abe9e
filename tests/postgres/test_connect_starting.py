"""A server that is not there yet, or not any more for a moment: waited for within the limit, and said."""

from __future__ import annotations

import re
import threading

import psycopg
import pytest

from tests.waiting import wait_until
from tusk_jupyter.connections import opening
from tusk_jupyter.connections.conninfo import parse
from tusk_jupyter.connections.opening import Settings
from tusk_jupyter.connections.steps import walk
from tusk_jupyter.connections.target import Limits, Target
from tusk_jupyter.errors import ConnectionFailed
from tusk_jupyter.magics.connect import report


@pytest.fixture
def stopped(server, make_server):
    """A server that is down, and that does not leave its start-up before the file ``go`` is there."""
    del server  # marks the test
    found = make_server()
    found.stop()
    wait = f"while [ ! -e {found.root}/data/go ]; do sleep 0.02; done; exit 1"
    with (found.root / "data" / "postgresql.conf").open("a") as file:
        file.write(f"restore_command = '{wait}'\n")
    (found.root / "data" / "recovery.signal").touch()
    yield found
    (found.root / "data" / "go").touch()


def begin(server):
    """Start it without waiting until it takes connections; return what waits for that."""
    thread = threading.Thread(target=server.start, daemon=True)
    thread.start()
    wait_until(lambda: "starting up" in said(server) or "not yet accepting" in said(server), timeout=20)
    return thread


def said(server):
    try:
        psycopg.connect(server.conninfo()).close()
    except psycopg.Error as error:
        return str(error)
    return ""


@pytest.fixture
def attempts(monkeypatch):
    """Every outcome of an attempt, as it comes."""
    outcomes = []
    attempt = opening._attempt

    def watched(*args):
        outcomes.append(attempt(*args))
        return outcomes[-1]

    monkeypatch.setattr(opening, "_attempt", watched)
    return outcomes


def test_a_server_that_is_starting_up_is_waited_for_and_that_is_said_once(stopped, attempts, tusk):
    begun = begin(stopped)
    opener = threading.Thread(target=lambda: wait_until(lambda: len(attempts) >= 3) and (stopped.root / "data" / "go").touch())
    opener.start()
    connection = tusk.connections.connect("shop", Target(parse(stopped.conninfo()), Settings(), Limits(connect_timeout_s=30)))
    opener.join(30)
    begun.join(30)
    assert len(attempts) >= 4
    pattern = r"the server was (starting up|not yet accepting connections|in recovery mode): connected at attempt \d+, after \d+\.\d s"
    first, second = report(connection), report(connection)
    assert re.fullmatch(pattern, first.notes[0])
    assert second.notes == ()
    tusk.connections.close()


def test_a_server_that_does_not_get_ready_is_tried_until_the_limit(stopped, attempts):
    begun = begin(stopped)
    outcome = opening.connect(parse(stopped.conninfo()), password=None, timeout_s=1, settings=Settings(), name="shop")
    assert type(outcome.error) is ConnectionFailed
    assert outcome.error.sqlstate == "57P03"
    assert len(attempts) > 2
    tried = dict(outcome.error.facts)["attempts"]
    assert re.fullmatch(rf"{len(attempts)} times in [01]\.\d s", tried)
    assert tried in outcome.error.advice
    (stopped.root / "data" / "go").touch()
    begun.join(30)


@pytest.mark.timeout(240)  # a machine that is busy takes its time to shut a server down
def test_a_restart_is_waited_for_also_while_nobody_listens(stopped, attempts):
    (stopped.root / "data" / "go").touch()
    stopped.start()
    with psycopg.connect(stopped.conninfo()):
        stopped.run("pg_ctl", "-D", str(stopped.root / "data"), "-m", "smart", "-W", "stop")
        wait_until(lambda: "shutting down" in said(stopped))
        found = []

        def test():
            found.append(walk(Target(parse(stopped.conninfo()), Settings(), Limits(connect_timeout_s=120)), name="shop"))

        tested = threading.Thread(target=test)
        tested.start()
        wait_until(lambda: attempts)
    wait_until(lambda: any("No such file" in str(outcome) for outcome in attempts), timeout=100)
    stopped.start()
    tested.join(120)
    steps = {step.name: step.text for step in found[0].steps}
    assert "; the server was shutting down: connected at attempt " in steps["database"]


def test_a_server_that_is_down_is_not_tried_again(stopped, attempts):
    opening.connect(parse(stopped.conninfo()), password=None, timeout_s=10, settings=Settings(), name="shop")
    assert len(attempts) == 1
