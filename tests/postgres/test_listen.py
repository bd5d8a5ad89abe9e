"""LISTEN and NOTIFY in cells, and ``%tusk listen``: everything once, in order, as text, and never for ever."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

import tusk_jupyter as api
from tests.waiting import ask, meanwhile, running, terminate, wait_until
from tusk_jupyter.listening import Listen
from tusk_jupyter.magics.live import line_of

HOSTILE = "<img src=x onerror=alert(1)> & \x1b[31m \u202e\n'\"\\ end"


@pytest.fixture
def other(database):
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


def send(conn, channel, *payloads):
    """Notify from outside; when it returns, the server has it for all who listen."""
    with conn.transaction():
        for payload in payloads:
            conn.execute("select pg_notify(%s, %s)", (channel, payload))


def listens(database):
    """Whether the kernel's session waits: it is idle, and has asked what it listens to, which is the last it does."""
    return ask(
        database,
        "select count(*) from pg_stat_activity where state = 'idle' and application_name = 'Tusk' and query like %s",
        "%pg_listening_channels%",
    )


def settled(cells):
    """One round trip on the session: what was sent to it before has arrived when it is over."""
    return cells.run("%sql select 1")


def shown(reply):
    return "\n".join(reply.displayed)


# -- under cells ------------------------------------------------------------------------------------------------------


def test_what_came_while_idle_stands_under_the_next_cell_once(cells, other):
    cells.run("%sql listen jobs")
    send(other, "jobs", "one", "two")
    reply = settled(cells)
    pid = other.info.backend_pid
    assert shown(reply).split("\n")[-2:] == [f"NOTIFY jobs:  one  (pid {pid})", f"NOTIFY jobs:  two  (pid {pid})"]
    assert "NOTIFY" not in shown(settled(cells))
    cells.run("%sql unlisten jobs")
    send(other, "jobs", "three")
    assert "three" not in shown(settled(cells))


def test_own_ones_are_marked_and_stand_in_the_result(cells):
    reply = cells.run("%%sql\nlisten jobs; notify jobs, 'mine'; select 1 as a")
    pid = cells.run("%sql select pg_backend_pid() as pid").value.split()[-1]
    assert f"NOTIFY jobs:  mine  (pid {pid}, this session)" in shown(reply)
    api.sql("notify jobs, 'again'")
    (one,) = api.last_result().notifications
    assert (one.channel, one.payload, one.pid, one.own) == ("jobs", "again", int(pid), True)
    assert abs(datetime.now(UTC) - one.received_at) < timedelta(minutes=5)
    assert api.last_result().to_dict()["notifications"][0]["payload"] == "again"


def test_they_stand_under_a_cell_that_fails_and_a_quiet_one(cells, other):
    cells.run("%sql listen jobs")
    send(other, "jobs", "one")
    assert "NOTIFY jobs:  one" in shown(cells.run("%sql select 1/0", ok=False))
    send(other, "jobs", "two")
    assert "NOTIFY jobs:  two" in shown(cells.run("%sql --quiet select 1"))


def test_those_that_come_while_a_statement_runs(cells, other, database):
    cells.run("%sql listen jobs")
    with meanwhile(
        lambda: wait_until(lambda: running(database, "pg_sleep(0.3)")), lambda: send(other, "jobs", "during")
    ):
        reply = cells.run("%sql select pg_sleep(0.3)")
    assert "NOTIFY jobs:  during" in shown(reply)


def test_without_a_payload_and_with_the_longest(cells, other):
    cells.run("%sql listen jobs")
    other.execute("notify jobs")
    send(other, "jobs", "x" * 7999)
    reply = settled(cells)
    assert f"NOTIFY jobs:    (pid {other.info.backend_pid})" in shown(reply)
    assert "(6,999 more characters)" in shown(reply)
    assert [len(one.payload) for one in api.last_result().notifications] == [0, 7999]


def test_nothing_of_them_is_markup(cells, other):
    channel = "<b>\x1b[1m \u202e"
    cells.run(f'%%sql\nlisten "{channel}"')
    send(other, channel, HOSTILE)
    reply = settled(cells)
    for text in (shown(reply), reply.html):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<img" not in reply.html
    assert "NOTIFY &lt;b&gt;" in reply.html
    assert api.last_result().notifications[0].payload == HOSTILE


def test_ten_thousand_are_bounded_and_counted(cells, other):
    cells.run("%sql listen jobs")
    other.execute("select pg_notify('jobs', i || repeat('x', 2000)) from generate_series(1, 10000) i")
    reply = settled(cells)
    lines = shown(reply).split("\n")
    said = [line for line in lines if line.startswith("NOTIFY")]
    assert len(said) == 100
    assert "… 9,900 more notifications" in lines
    assert said[0].startswith("NOTIFY jobs:  1xxx")
    assert said[99].startswith("NOTIFY jobs:  10000x")
    assert len(reply.html) < 200_000
    kept = api.last_result().notifications
    assert len(kept) == 1000
    assert (kept[499].payload[:4], kept[500].payload[:5]) == ("500x", "9501x")


def test_in_a_transaction_it_is_said_when_they_come(cells, other):
    cells.run("%sql begin")
    assert "LISTEN takes effect at COMMIT" in shown(cells.run("%sql listen jobs"))
    assert "NOTIFY takes effect at COMMIT" in shown(cells.run("%sql notify jobs, 'own'"))
    reply = cells.run("%sql commit")
    assert "NOTIFY jobs:  own" in shown(reply)
    assert "takes effect" not in shown(reply)


def test_a_lost_session_names_what_it_listened_to(cells, database, server):
    cells.run('%%sql\nlisten jobs; listen "Odd one"; listen gone; unlisten gone')
    terminate(server.conninfo(), cells.run("%sql select pg_backend_pid() as pid").value.split()[-1])
    reply = cells.run("%sql select 1", ok=False)
    assert "It no longer listens to Odd one, jobs: LISTEN again." in shown(reply)


# -- %tusk listen -----------------------------------------------------------------------------------------------------


def test_it_waits_for_the_first(cells, other, database):
    with meanwhile(lambda: wait_until(lambda: listens(database)), lambda: send(other, "jobs", "one")):
        reply = cells.run("df = %tusk listen jobs")
    df = cells.ns["df"]
    assert df[["channel", "payload", "pid"]].values.tolist() == [["jobs", "one", other.info.backend_pid]]
    assert {name: str(dtype) for name, dtype in df.dtypes.items()} == {
        "channel": "str", "payload": "str", "pid": "int64", "received_at": "datetime64[us, UTC]",
    }  # fmt: skip
    assert "1 on jobs" in shown(reply)
    # the session goes on listening
    send(other, "jobs", "two")
    assert "NOTIFY jobs:  two" in shown(settled(cells))


def test_what_came_before_is_enough_and_is_given_once(cells, other):
    cells.run("%sql listen jobs")
    send(other, "jobs", "one", "two")
    cells.run("df = %tusk listen jobs --count 2")
    assert cells.ns["df"]["payload"].tolist() == ["one", "two"]
    assert "NOTIFY" not in shown(settled(cells))


def test_with_a_time_it_collects_and_none_is_no_error(cells, other):
    cells.run("df = %tusk listen jobs --timeout 50ms")
    df = cells.ns["df"]
    assert len(df) == 0
    assert [str(dtype) for dtype in df.dtypes] == ["str", "str", "int64", "datetime64[us, UTC]"]
    send(other, "jobs", "one", "two")
    cells.run("df = %tusk listen jobs --timeout 0.2s")
    assert cells.ns["df"]["payload"].tolist() == ["one", "two"]


def test_the_count_leaves_the_rest_for_later(cells, other):
    cells.run("%sql listen jobs")
    send(other, "jobs", "one", "two", "three")
    assert cells.run("%tusk listen jobs --count 2").value.count("jobs") == 2
    assert "NOTIFY jobs:  three" in shown(settled(cells))


def test_others_stay_for_the_next_cell(cells, other):
    cells.run("%%sql\nlisten jobs; listen news")
    send(other, "news", "extra")
    send(other, "jobs", "one")
    assert "news" not in shown(cells.run("df = %tusk listen jobs"))
    assert cells.ns["df"]["payload"].tolist() == ["one"]
    assert "NOTIFY news:  extra" in shown(settled(cells))


def test_names_are_sql_s(cells, other):
    cells.run('%tusk listen Jobs "Mixed ""case""" --timeout 10ms')
    send(other, "jobs", "a")
    send(other, 'Mixed "case"', "b")
    cells.run('df = %tusk listen JOBS "Mixed ""case""" --count 2')
    assert cells.ns["df"]["channel"].tolist() == ["jobs", 'Mixed "case"']


@pytest.mark.parametrize("line", ["", "a-b", "a,b", "1a", '""', "x" * 64, "jobs --count 0", "jobs --timeout soon", "--what"])
def test_what_is_not_understood_sends_nothing(cells, line):
    reply = cells.run(f"%tusk listen {line}", ok=False)
    assert reply.error["ename"] == "InvalidInput"
    assert cells.run("%sql select count(*) as n from pg_listening_channels()").value.split()[-1] == "0"


def test_ten_thousand_all_come(cells, other, database):
    many = "select pg_notify('jobs', i::text) from generate_series(1, 10000) i"
    with meanwhile(lambda: wait_until(lambda: listens(database)), lambda: other.execute(many)):
        reply = cells.run("df = %tusk listen jobs --count 10000")
    assert cells.ns["df"]["payload"].tolist() == [str(i) for i in range(1, 10_001)]
    assert len(reply.everything) < 100_000


def test_a_read_only_connection_gets_the_same_advice_twice(shell, database):
    shell.run(f"%tusk_connect {database} --name ro --read-only")
    for line in ("%sql listen jobs", "%tusk listen jobs"):
        reply = shell.run(line, ok=False)
        assert "read-only" in reply.error["evalue"]
        assert "connect once more without --read-only" in shown(reply)


@pytest.mark.parametrize("failed", [False, True])
def test_in_a_transaction_it_does_not_wait_for_ever(cells, failed):
    cells.run("%sql begin")
    if failed:
        cells.run("%sql select 1/0", ok=False)
    reply = cells.run("%tusk listen jobs", ok=False)
    assert "a transaction is open on 'db'" in reply.error["evalue"]
    assert "COMMIT or ROLLBACK first" in shown(reply)


def test_a_session_that_is_lost_meanwhile(cells, other, database, server):
    cells.run("%sql listen news")
    pid = cells.run("%sql select pg_backend_pid() as pid").value.split()[-1]
    with meanwhile(
        lambda: wait_until(lambda: listens(database)),
        lambda: send(other, "jobs", "one"),
        lambda: terminate(server.conninfo(), pid),
    ):
        reply = cells.run("%tusk listen jobs --count 2", ok=False)
    assert reply.error["ename"] == "ConnectionLost"
    assert "It no longer listens to jobs, news: LISTEN again." in shown(reply)
    assert "NOTIFY jobs:  one" in shown(reply)
    assert cells.run("%sql select 1 as one").value


def test_two_connections_at_once(cells, other, database):
    cells.run(f"%tusk_connect {database} --name second")
    cells.run("%%sql db\nlisten jobs")
    cells.run("%%sql second\nlisten jobs")
    send(other, "jobs", "both")
    assert "NOTIFY jobs:  both" in shown(cells.run("%sql db select 1"))
    assert "NOTIFY jobs:  both" in shown(cells.run("%sql second select 1"))
    cells.run("%sql db notify jobs, 'from db'")
    assert "this session" not in shown(cells.run("%tusk listen jobs --connection second"))


def test_no_server_s_encoding_hides_one(cells, other):
    cells.run("%%sql\nset client_encoding = 'LATIN1'; listen jobs")
    send(other, "jobs", "grün")
    assert "NOTIFY jobs:  grün" in shown(settled(cells))


def test_it_is_listed_and_stopped_like_any_other(cells, tusk, database):
    with meanwhile(lambda: wait_until(lambda: listens(database)), tusk.queries.cancel_all):
        reply = cells.run("df = %tusk listen jobs", ok=None)
    assert len(cells.ns["df"]) == 0
    assert "stopped" in shown(reply)
    assert cells.run("%sql select 1 as one").value


def test_hostile_names_and_payloads_in_the_frame(cells, other):
    channel = '<b>"; drop table x; --'
    quoted = channel.replace('"', '""')
    cells.run(f'%tusk listen "{quoted}" --timeout 1ms')
    send(other, channel, HOSTILE)
    reply = cells.run(f'df = %tusk listen "{quoted}"')
    assert cells.ns["df"].loc[0, "payload"] == HOSTILE
    assert "<b>" not in reply.html.replace("<b style", "")


def test_the_live_line_says_that_it_listens(connection):
    said = []
    wanted = Listen(("jobs",), timeout_s=0.3)
    api.state().listen(wanted, connection=connection, ask=None, on_tick=lambda e, _: said.append(line_of(e).words()))
    assert set(said) == {"listens on jobs"}
