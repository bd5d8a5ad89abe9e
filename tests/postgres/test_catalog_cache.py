"""The catalog of a connection: read in the background, after everybody else, and gone with the connection."""

from __future__ import annotations

import os
import threading

import psycopg
import pytest

import tusk_jupyter
from tests.waiting import backends, wait_until
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
    assert whole(tusk).relation("pg_class") is not None
    assert tusk_jupyter.sql("select 1 as one")["one"][0] == 1
