"""What is known and said of a pooler, by its mode, and what is set through it."""

from __future__ import annotations

import psycopg
import pytest

import tusk_jupyter
from tests.waiting import ask, wait_until

SETTINGS = "select current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('default_transaction_read_only'), current_setting('client_connection_check_interval', true)"


def shown(cells):
    cells.run("status = %tusk status")
    return cells.ns["status"].iloc[0]


def left_behind(bouncer, database):
    """What a stranger finds set by us on the backends of a pooler: each of them is looked at."""
    found = set()
    with psycopg.connect(database, autocommit=True) as conn:
        backends = conn.execute("select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()").fetchone()[0]
    held = []
    for _ in range(backends):
        conn = psycopg.connect(bouncer.conninfo(database))
        held.append(conn)
        found.add(conn.execute(SETTINGS).fetchone())
    for conn in held:
        conn.close()
    return found


def test_transaction_mode_is_told_and_nothing_is_set_for_strangers(shell, tusk, bouncers, database, server):
    bouncer = bouncers("transaction")
    reply = shell.run(f"%tusk_connect {bouncer.conninfo(database)} --name db --statement-timeout 90s --read-only")
    [line] = reply.displayed
    assert "through a pooler in transaction mode: session state is not reliable" in line
    assert "statement_timeout is not set, because other clients would get it" in line
    assert "%%sql --timeout" in line
    row = shown(shell)
    assert row["route"] == "direct, through a pooler in transaction mode: session state is not reliable"
    assert row["pid"] is None
    with tusk.connections.current.pool.borrow(), tusk.connections.current.pool.borrow():
        pass
    shell.run("%sql select 1")
    wait_until(lambda: tusk.connections.current.pool.status().available == 2)
    assert left_behind(bouncer, database) == {("0", "0", "off", "0" if server.version >= 14 else None)}


def test_transaction_mode_is_told_where_backends_are_lent_by_turns(shell, make_pgbouncer, database):
    bouncer = make_pgbouncer("transaction", 2, by_turns=True)
    with psycopg.connect(bouncer.conninfo(database)) as one, psycopg.connect(bouncer.conninfo(database)) as other:
        assert len({conn.execute("select pg_backend_pid()").fetchone() for conn in (one, other)}) == 2
    reply = shell.run(f"%tusk_connect {bouncer.conninfo(database)} --name db --statement-timeout 7s")
    assert "through a pooler in transaction mode" in reply.displayed[0]


def test_session_mode_is_as_good_as_none(shell, tusk, bouncers, database, server):
    bouncer = bouncers("session")
    reply = shell.run(f"%tusk_connect {bouncer.conninfo(database)} --name db --statement-timeout 90s --lock-timeout 7s")
    [line] = reply.displayed
    assert "through a pooler in session mode" in line
    assert "reliable" not in line
    assert "not set" not in line
    expected = ("90s", "7s", "off", "2s" if server.version >= 14 else None)
    assert tuple(tusk_jupyter.sql(SETTINGS).iloc[0]) == expected
    pid = int(tusk_jupyter.sql("select pg_backend_pid()").iat[0, 0])
    assert shown(shell)["pid"] == pid
    connection = tusk.connections.current
    assert connection.live_session.statement_timeout_ms == 90_000
    with connection.pool.borrow() as conn:
        conn.execute("set search_path = nowhere")
        mine = conn.execute("select pg_backend_pid()").fetchone()
    with connection.pool.borrow() as conn:
        assert conn.execute("select pg_backend_pid()").fetchone() == mine
        assert conn.execute(SETTINGS).fetchone() == expected
        assert conn.execute("show search_path").fetchone() == ('"$user", public',)


def test_statement_mode_is_told(shell, bouncers, database):
    reply = shell.run(f"%tusk_connect {bouncers('statement').conninfo(database)} --name db")
    assert "through a pooler in statement mode: no transactions" in reply.displayed[0]
    assert shell.run("%sql select 1 as i").status == "ok"


def test_a_mode_that_cannot_be_told_is_not_guessed(shell, bouncers, database):
    """A session pooler with one connection lends no other, and so might a busy one in transaction mode."""
    bouncer = bouncers("session", 1)
    reply = shell.run(f"%tusk_connect {bouncer.conninfo(database)} --name db --lock-timeout 7s")
    assert "through a pooler whose mode cannot be told" in reply.displayed[0]
    assert "lock_timeout is not set" in reply.displayed[0]
    assert tusk_jupyter.sql("show lock_timeout").iat[0, 0] == "0"


def test_without_a_pooler_none_is_mentioned(shell, database, tusk):
    reply = shell.run(f"%tusk_connect {database} --name db")
    assert "pooler" not in reply.displayed[0]
    assert shown(shell)["route"] == "direct"
    assert tusk.connections.current.server.pooler is None


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_read_only_holds(cells, tusk, bouncers, database, mode):
    tusk_jupyter.sql("create table kept as select 1 as i")
    cells.run(f"%tusk_connect {bouncers(mode).conninfo(database)} --name pooled --read-only")
    for statement in ("insert into kept values (2)", "drop table kept", "create table other ()"):
        assert "25006" in cells.run(f"%sql {statement}", ok=False).everything
    cells.run("%sql set default_transaction_read_only = off")
    assert "25006" in cells.run("%sql insert into kept values (2)", ok=False).everything
    assert ask(database, "select count(*) from kept") == 1
    if mode == "transaction":  # what was set there is a stranger's now; it goes with the backend
        ask(database, "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")


def test_tls_to_the_pooler_is_not_that_of_the_server(cells, tusk, bouncers, database):
    cells.run(f"%tusk_connect {bouncers('transaction').conninfo(database)} --name pooled")
    assert not tusk.connections.current.server.encryption.encrypted


def test_a_test_of_the_connection_tells_of_the_pooler(shell, bouncers, database):
    reply = shell.run(f"%tusk_connect {bouncers('transaction').conninfo(database)} --test")
    assert "superuser, through a pooler, reads and writes" in reply.everything
