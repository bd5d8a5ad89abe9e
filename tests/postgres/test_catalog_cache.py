"""The catalog of a connection: read in the background, after everybody else, and gone with the connection."""

from __future__ import annotations

import os
import threading

import psycopg
import pytest

import tusk_jupyter
from tests.waiting import ask, backends, wait_until
from tusk_jupyter.schema.catalog import PARTS, Catalog

pytestmark = pytest.mark.usefixtures("reading")


def do(conninfo, *statements):
    """Do something on a session of its own, as anybody else would."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)


def known(tusk, name="db"):
    return tusk.schemas.catalog(tusk.connections.get(name))


def whole(tusk, name="db"):
    """Wait until everything is known; return it."""
    return wait_until(lambda: (found := known(tusk, name)).loaded == frozenset(PARTS) and found)


def readers():
    return [thread for thread in threading.enumerate() if thread.name.startswith("tusk-schema-")]


def test_it_is_read_after_a_connect(tusk, database):
    do(database, "create table flights (id int)")
    tusk_jupyter.connect(database, name="db")
    catalog = whole(tusk)
    assert catalog.relation("flights").column_names == ("id",)
    assert catalog.search_path == ("pg_catalog", "public")
    wait_until(lambda: not readers())
    # what it borrowed is the pool's again
    wait_until(lambda: tusk.connections.get("db").pool.status().available == 1)


def test_the_same_object_until_something_changes(tusk, database):
    tusk_jupyter.connect(database, name="db")
    whole(tusk)
    wait_until(lambda: not readers())
    assert known(tusk) is known(tusk)


def test_a_pool_of_one_is_left_alone(tusk, database):
    connection = tusk_jupyter.connect(database, name="db", pool_size=1)
    assert not readers()
    assert tusk.schemas.catalog(connection).loaded == frozenset()
    assert len(backends(database)) == 1


def test_nothing_is_known_of_what_was_never_connected():
    assert Catalog().relation("pg_class") is None


def test_who_wants_the_connection_gets_it(tusk, database, monkeypatch):
    from tusk_jupyter.schema import introspect

    names = introspect.names
    monkeypatch.setattr(introspect, "names", lambda ask, temp: (ask("select pg_sleep(60)"), names(ask, temp))[1])
    connection = tusk_jupyter.connect(database, name="db", pool_size=2)
    wait_until(lambda: "functions" in known(tusk).loaded)
    with connection.pool.borrow(10) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
        assert readers()
        monkeypatch.setattr(introspect, "names", names)
    assert whole(tusk).keywords


def test_a_disconnect_ends_the_reading(tusk, database, monkeypatch):
    from tusk_jupyter.schema import introspect

    monkeypatch.setattr(introspect, "names", lambda ask, temp: ask("select pg_sleep(60)"))
    connection = tusk_jupyter.connect(database, name="db")
    wait_until(lambda: "functions" in known(tusk).loaded)
    assert len(readers()) == 1
    tusk.connections.disconnect("db")
    assert tusk.schemas.catalog(connection).loaded == frozenset()
    wait_until(lambda: not readers())
    wait_until(lambda: not backends(database))


def test_the_end_of_the_state_ends_the_reading(tusk, database, monkeypatch):
    from tusk_jupyter.schema import introspect

    monkeypatch.setattr(introspect, "names", lambda ask, temp: ask("select pg_sleep(60)"))
    tusk_jupyter.connect(database, name="db")
    wait_until(lambda: "functions" in known(tusk).loaded)
    tusk.close()
    wait_until(lambda: not readers())
    wait_until(lambda: not backends(database))


def test_a_server_that_refuses_more_connections_is_asked_for_one_once(tusk, database):
    role = "alone_" + database.rpartition("=")[2]
    do(database, f"create role {role} login connection limit 1")
    try:
        connection = tusk_jupyter.connect(f"{database} user={role}", name="db")
        wait_until(lambda: not readers())
        assert tusk.schemas.catalog(connection).loaded == frozenset()
        assert tusk_jupyter.sql("select 1 as one")["one"][0] == 1
    finally:
        tusk.connections.disconnect("db")
        wait_until(lambda: not backends(database))
        do(database, f"drop role {role}")


def test_a_forked_child_knows_nothing_and_the_parent_goes_on(tusk, database):
    connection = tusk_jupyter.connect(database, name="db")
    whole(tusk)
    child = os.fork()
    if child == 0:
        os._exit(7 if tusk.schemas.catalog(connection).loaded == frozenset() and not readers() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert whole(tusk).relation("pg_class").schema == "pg_catalog"
    assert tusk_jupyter.sql("select 1 as one")["one"][0] == 1


@pytest.fixture
def db(tusk, database):
    """A connection whose database is known."""
    connection = tusk_jupyter.connect(database, name="db")
    whole(tusk)
    wait_until(lambda: not readers())
    return connection


def sees(tusk, name, schema=None):
    return lambda: known(tusk).relation(name, schema)


CHANGES = [
    # made before, the statement, and what is true of the catalog then
    ("", "create table t (a int primary key)", lambda c: c.relation("t").column_names == ("a",)),
    ("", "create table t as select 1 as a", lambda c: c.relation("t").column_names == ("a",)),
    ("", "select 1 as a into t", lambda c: c.relation("t").column_names == ("a",)),
    ("create table t (a int)", "alter table t add b text", lambda c: c.relation("t").column_names == ("a", "b")),
    ("create table t (a int)", "alter table t rename to u", lambda c: c.relation("u") and not c.relation("t")),
    ("create table t (a int)", "alter table t rename a to b", lambda c: c.relation("t").column_names == ("b",)),
    ("create table t (a int)", "alter table t alter a set not null", lambda c: c.relation("t").columns[0].not_null),
    (
        "create table t (a int)",
        "alter table t alter a set default 7",
        lambda c: c.relation("t").columns[0].default == "7",
    ),
    (
        "create table t (a int default 7)",
        "alter table t alter a drop default",
        lambda c: c.relation("t").columns[0].default is None,
    ),
    ("create table t (a int, b int)", "alter table t drop column a", lambda c: c.relation("t").column_names == ("b",)),
    ("create table t (a int)", "drop table t", lambda c: not c.relation("t")),
    ("create table t (a int)", "comment on table t is 'x'", lambda c: c.relation("t").comment == "x"),
    (
        "create table t (a int); comment on table t is 'x'",
        "comment on table t is null",
        lambda c: c.relation("t").comment is None,
    ),
    ("create table t (a int)", "comment on column t.a is 'x'", lambda c: c.relation("t").columns[0].comment == "x"),
    ("create table t (a int)", "create index i on t (a)", lambda c: c.relation("i").relkind == "i"),
    (
        "create table t (a int, constraint c unique (a))",
        "alter table t drop constraint c",
        lambda c: not c.keys_of(c.relation("t")),
    ),
    (
        "create table t (a int check (a > 0))",
        "alter table t drop constraint t_a_check",
        lambda c: not c.keys_of(c.relation("t")),
    ),
    (
        "create table t (a int primary key); create table u (b int references t)",
        "alter table t rename to v",
        lambda c: c.keys_of(c.relation("u"))[0].target == "v" and len(c.references_to(c.relation("v"))) == 1,
    ),
    (
        "create table t (a int primary key); create table u (b int references t)",
        "drop table t cascade",
        lambda c: not c.relation("t") and not c.keys_of(c.relation("u")),
    ),
    (
        "create table t (a int); create table u () inherits (t)",
        "alter table t add b int",
        lambda c: c.relation("u").column_names == ("a", "b"),
    ),
    (
        "create schema s; create table s.t ()",
        "alter schema s rename to r",
        lambda c: c.relation("t", "r") and not c.relation("t", "s"),
    ),
    (
        "create schema s; create table s.t ()",
        "drop schema s cascade",
        lambda c: "s" not in c.schemas and not c.relation("t", "s"),
    ),
    ("", "create schema s create table t ()", lambda c: "s" in c.schemas and c.relation("t", "s")),
    ("create type m as enum ('a')", "alter type m add value 'b'", lambda c: c.type("m").labels == ("a", "b")),
    (
        "create type m as enum ('a'); create table t (x m)",
        "alter type m rename to n",
        lambda c: c.relation("t").columns[0].type == "n",
    ),
    ("", "create function f(int) returns int language sql as 'select 1'", lambda c: c.functions("f")),
    ("create function f() returns int language sql as 'select 1'", "drop function f", lambda c: not c.functions("f")),
    (
        "",
        "create extension cube",
        lambda c: "cube" in c.names["extension"] and c.type("cube") and c.functions("cube_dim"),
    ),
    ("", "do $$ begin create table t (a int); end $$", lambda c: c.relation("t")),
    ("create procedure p() language sql as 'create table t (a int)'", "call p()", lambda c: c.relation("t")),
    (
        "create materialized view m as select 1 as a with no data",
        "drop materialized view m",
        lambda c: not c.relation("m"),
    ),
    ("create table t as select generate_series(1, 500) as a", "analyze t", lambda c: c.relation("t").rows == 500),
    (
        "create table t as select generate_series(1, 500) as a; analyze t",
        "truncate t",
        lambda c: c.relation("t").pages == 0,
    ),
    ('create table "T x" (a int)', 'comment on table "T x" is null', lambda c: c.relation("T x")),
]


@pytest.mark.parametrize(("before", "statement", "is_so"), CHANGES, ids=[statement for _, statement, _ in CHANGES])
def test_what_a_cell_changes_is_known_soon(tusk, database, monkeypatch, before, statement, is_so):
    from tusk_jupyter.schema import introspect

    if before:
        do(database, before)
    tusk_jupyter.connect(database, name="db")
    assert not is_so_of(whole(tusk), is_so) or "T x" in statement
    wait_until(lambda: not readers())
    tusk_jupyter.sql(statement)
    wait_until(lambda: is_so_of(known(tusk), is_so), otherwise=f"not known after {statement}")
    wait_until(lambda: not readers())
    # and nothing else is other than it would be read now
    fresh = anew(database, introspect)
    found = known(tusk)
    assert {(r.schema, r.name): r for r in found.relations()} == {(r.schema, r.name): r for r in fresh.relations()}
    assert set(found.keys) == set(fresh.keys)
    assert found.schemas == fresh.schemas


def is_so_of(catalog, is_so):
    try:
        return bool(is_so(catalog))
    except (AttributeError, IndexError):  # what it looks at is not there
        return False


def anew(database, introspect):
    from tests.postgres.test_catalog import read

    return read(database)


def test_only_what_changed_is_read_again(tusk, db, monkeypatch):
    from tusk_jupyter.schema import introspect, sweep

    read = []
    columns = introspect.read_columns
    monkeypatch.setattr(
        introspect, "read_columns", lambda ask, found, only=None: (read.append(only), columns(ask, found, only))[1]
    )
    assert sweep.introspect is introspect
    tusk_jupyter.sql("create table t (a int)")
    wait_until(sees(tusk, "t"))
    oid = known(tusk).relation("t").oid
    assert len(read) == 1
    assert oid in read[0]
    assert len(read[0]) < 5


def test_a_transaction_is_known_when_it_has_ended(tusk, db, database):
    tusk_jupyter.sql("begin")
    tusk_jupyter.sql("create table t (a int)")
    tusk_jupyter.sql("select 1")
    assert not readers()
    tusk_jupyter.sql("commit")
    wait_until(sees(tusk, "t"))


def test_a_block_is_known_when_it_has_ended(tusk, db):
    with tusk_jupyter.transaction():
        tusk_jupyter.sql("create table t (a int)")
        assert not readers()
    wait_until(sees(tusk, "t"))


def test_what_a_job_makes_is_known(tusk, db):
    tusk_jupyter.submit("begin; create table t (a int); commit").result(timeout=20)
    wait_until(sees(tusk, "t"))


def test_what_a_load_makes_is_known(shell, tusk, db):
    shell.run("import pandas as pd\ndf = pd.DataFrame({'a': [1]})\n%tusk load df --to loaded")
    wait_until(sees(tusk, "loaded"))


def test_what_others_change_is_known_after_a_while(tusk, db, database, monkeypatch):
    from tusk_jupyter.schema import cache

    do(database, "create table t (a int)", "create function f() returns int language sql as 'select 1'")
    assert known(tusk).relation("t") is None
    monkeypatch.setattr(cache, "EXPIRY_S", 0.0)
    wait_until(sees(tusk, "t"))
    assert known(tusk).functions("f")


def test_a_statement_that_failed_changes_nothing(tusk, db):
    with pytest.raises(tusk_jupyter.errors.QueryFailed):
        tusk_jupyter.sql("create table t (a nonsense)")
    assert not readers()


# -- where the session looks ------------------------------------------------------------------------------------------


def path(tusk):
    return known(tusk).search_path


def settled(tusk, *schemas):
    wait_until(lambda: path(tusk) == schemas, otherwise=f"the path is {path(tusk)}")


def test_the_path_of_the_session(tusk, database):
    do(database, "create schema app; create schema other; create table app.t (a int); create table other.t (b int)")
    tusk_jupyter.connect(database, name="db")
    whole(tusk)
    tusk_jupyter.sql("set search_path to other, app, missing")
    settled(tusk, "pg_catalog", "other", "app")
    assert known(tusk).relation("t").column_names == ("b",)
    tusk_jupyter.sql("select set_config('search_path', 'app', false)")
    settled(tusk, "pg_catalog", "app")
    tusk_jupyter.sql("reset search_path")
    settled(tusk, "pg_catalog", "public")
    tusk_jupyter.sql("set search_path to public, pg_catalog, later")
    settled(tusk, "public", "pg_catalog")
    tusk_jupyter.sql("create schema later")
    settled(tusk, "public", "pg_catalog", "later")


def test_the_path_in_a_transaction_and_after_it(tusk, database, db):
    tusk_jupyter.sql("create schema app")
    tusk_jupyter.sql("begin")
    tusk_jupyter.sql("set local search_path to app")
    settled(tusk, "pg_catalog", "app")
    # no query was asked: it is not too late for this
    tusk_jupyter.sql("set transaction isolation level serializable")
    tusk_jupyter.sql("commit")
    settled(tusk, "pg_catalog", "public")
    tusk_jupyter.sql("begin; set search_path to app")
    settled(tusk, "pg_catalog", "app")
    with pytest.raises(tusk_jupyter.errors.QueryFailed):
        tusk_jupyter.sql("select 1/0")
    tusk_jupyter.sql("rollback")
    settled(tusk, "pg_catalog", "public")


def test_the_path_of_a_role(tusk, database, db):
    role = "looker_" + database.rpartition("=")[2]
    tusk_jupyter.sql(f"create role {role}; create schema authorization {role}")
    try:
        tusk_jupyter.sql(f"set role {role}")
        settled(tusk, "pg_catalog", role, "public")
        tusk_jupyter.sql("reset role")
        settled(tusk, "pg_catalog", "public")
    finally:
        do(database, f"drop owned by {role}", f"drop role {role}")


def test_temporary_tables_of_the_session_and_of_no_other(tusk, database, db):
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("create temp table theirs (a int)")
        tusk_jupyter.sql("create temp table mine (a int)")
        mine = wait_until(sees(tusk, "mine"))
        assert path(tusk) == (mine.schema, "pg_catalog", "public")
        tusk_jupyter.sql("create temporary table another as select 1 as b")
        assert wait_until(sees(tusk, "another")).column_names == ("b",)
        assert known(tusk).relation("theirs") is None
        assert all(relation.name != "theirs" for relation in known(tusk).relations())
        tusk_jupyter.sql("drop table mine")
        wait_until(lambda: not known(tusk).relation("mine"))
        tusk_jupyter.sql("discard all")
        wait_until(lambda: not known(tusk).relation("another"))


def test_a_select_asks_the_session_nothing(tusk, db, database):
    pid = db.session().backend_pid
    tusk_jupyter.sql("create table t (a int)")
    tusk_jupyter.sql("select 1 /* the last one */ from t")
    wait_until(sees(tusk, "t"))
    last = ask(database, "select query from pg_stat_activity where pid = %s", pid)
    assert "the last one" in last


# -- who is told ------------------------------------------------------------------------------------------------------


def test_who_listens_is_told(tusk, db):
    heard = []
    stop = tusk.events.subscribe(heard.append)
    try:
        tusk_jupyter.sql("create table t (a int primary key)")
        wait_until(lambda: any(getattr(event, "status", "") == "refresh_completed" for event in heard))
        wait_until(lambda: not readers())
        tusk_jupyter.sql("drop table t")
        wait_until(lambda: sum(getattr(event, "status", "") == "refresh_completed" for event in heard) == 2)
    finally:
        stop()
    told = [(e.status, e.object_type, e.object_name) for e in heard if type(e).__name__ == "SchemaEvent"]
    assert told == [
        ("refresh_started", None, None),
        ("object_created", "index", "public.t_pkey"),
        ("object_created", "table", "public.t"),
        ("refresh_completed", None, None),
        ("refresh_started", None, None),
        ("object_dropped", "index", "public.t_pkey"),
        ("object_dropped", "table", "public.t"),
        ("refresh_completed", None, None),
    ]
    assert {e.connection_id for e in heard} == {db.id}
