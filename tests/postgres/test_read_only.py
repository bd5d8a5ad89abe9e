"""A read-only connection: what would write is refused by the server, what would undo the protection by us."""

from __future__ import annotations

import psycopg
import pytest

import tusk_jupyter
from tusk_jupyter.errors import InvalidInput, QueryFailed


@pytest.fixture
def only(tusk, database):
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("create table kept as select 1 as a")
        conn.execute("create sequence numbers")
        conn.execute("create function writes() returns int language sql as 'insert into kept values (2) returning a'")
        conn.execute(
            "create procedure commits() language plpgsql as "
            "'begin commit; set transaction read write; insert into kept values (3); end'"
        )
    return tusk_jupyter.connect(database, name="only", read_only=True)


def rows(database):
    with psycopg.connect(database, autocommit=True) as conn:
        return [a for (a,) in conn.execute("select a from kept order by a").fetchall()]


REFUSED_BY_THE_SERVER = [
    "insert into kept values (2)",
    "with x as (insert into kept values (2) returning a) select * from x",
    "update kept set a = 2",
    "explain analyze delete from kept",
    "select writes()",
    "select nextval('numbers')",
    "select * from kept for update",
    "create temp table t (a int)",
    "truncate kept",
    "call commits()",
    "do $$ begin commit; set transaction read write; insert into kept values (3); end $$",
    "do $$ begin set transaction read write; insert into kept values (3); end $$",
    "vacuum kept",
    "alter system set work_mem = '5MB'",
]
REFUSED_BY_US = [
    "begin", "start transaction read write", "commit", "rollback", "abort", "end", "savepoint s",
    "set transaction read write", "set local transaction_read_only = off", "prepare transaction 'x'",
    "listen c", "select set_config('default_transaction_read_only', 'off', false)",
]  # fmt: skip


@pytest.mark.parametrize("statement", REFUSED_BY_THE_SERVER)
def test_the_server_refuses(only, database, statement):
    with pytest.raises(QueryFailed) as caught:
        tusk_jupyter.sql(statement)
    assert caught.value.sqlstate in {"25006", "25001", "2D000", "0A000"}
    assert rows(database) == [1]
    assert only.live_session.transaction_status == "IDLE"


@pytest.mark.parametrize("statement", REFUSED_BY_US)
def test_we_refuse_before_anything_is_sent(only, database, statement):
    with pytest.raises(InvalidInput, match="read-only"):
        tusk_jupyter.sql(f"{statement}; insert into kept values (9)")
    assert rows(database) == [1]


@pytest.mark.parametrize(
    "statement",
    [
        "set default_transaction_read_only = off",
        "set session characteristics as transaction read write",
        "set session_replication_role = replica",
    ],
)
def test_a_setting_does_not_open_the_door_for_the_next_statement(only, database, statement):
    tusk_jupyter.sql(statement)
    with pytest.raises(QueryFailed):
        tusk_jupyter.sql("insert into kept values (2)")
    assert rows(database) == [1]


def test_reading_and_settings_work_as_ever(only):
    assert tusk_jupyter.sql("select a from kept")["a"].tolist() == [1]
    tusk_jupyter.sql("set work_mem = '7MB'")
    assert tusk_jupyter.sql("show work_mem").iat[0, 0] == "7MB"
    assert tusk_jupyter.sql("select a from kept where a = :a", a=1)["a"].tolist() == [1]


def test_large_objects_and_notifications_are_taken_back(only, database):
    tusk_jupyter.sql("select lo_create(0)")
    tusk_jupyter.sql("notify c")
    with psycopg.connect(database, autocommit=True) as conn:
        assert conn.execute("select count(*) from pg_largeobject_metadata").fetchone() == (0,)


def test_the_report_says_what_it_is(cells, database):
    reply = cells.run(f"%tusk_connect {database} --name only --read-only")
    assert "read-only" in reply.displayed[0]
    assert "protects against mistakes" in reply.displayed[0]
    assert "superuser" in reply.displayed[0]
