"""``%tusk refresh``: what it says, what it waits for, and how one leaves it."""

from __future__ import annotations

import os
import signal
import threading

import pytest

import tusk_jupyter
from tests.postgres.test_catalog_cache import do, known, readers, whole
from tests.waiting import backends, meanwhile, running, terminate, wait_until


@pytest.fixture
def db(reading, shell, database):
    """A shell with a connection whose database is known."""
    tusk_jupyter.connect(database, name="db")
    whole(tusk_jupyter.state())
    wait_until(lambda: not readers())
    return shell


def test_it_says_what_it_has_read(db, tusk, database):
    do(database, "create table t (a int primary key); create schema app")
    reply = db.run("%tusk refresh")
    assert known(tusk).relation("t").column_names == ("a",)
    said = reply.everything
    assert "schema of db reread in " in said
    assert "4 schemas, " in said  # public, app, pg_catalog, information_schema
    relations = sum(1 for _ in known(tusk).relations())
    assert f"{relations:,} relations" in said


def test_another_connection_by_name(db, tusk, database):
    tusk_jupyter.connect(f"{database} application_name=other", name="other")
    do(database, "create table t (a int)")
    assert "schema of db reread" in db.run("%tusk refresh db").everything
    assert known(tusk).relation("t").column_names == ("a",)
    assert db.run("%tusk refresh nowhere", ok=False).error["ename"] == "ConnectionNotFound"


def test_a_pool_of_one_reads_on_the_session(reading, shell, tusk, database):
    do(database, "create table t (a int)")
    tusk_jupyter.connect(database, name="one", pool_size=1)
    shell.run("%%sql\nbegin; create temp table mine (b int); create table u (a int)")
    assert "schema of one reread" in shell.run("%tusk refresh").everything
    assert known(tusk, "one").relation("t").column_names == ("a",)
    # what the transaction has made is seen there, and it is still open
    assert known(tusk, "one").relation("u").column_names == ("a",)
    assert tusk.connections.get("one").session().transaction.state == "open"
    assert len(backends(database)) == 1
    shell.run("%sql rollback")


def test_an_interrupt_leaves_it_and_the_session_is_fine(db, tusk, database, monkeypatch):
    from tusk_jupyter.schema import introspect

    names, asked = introspect.names, threading.Event()

    def slow(ask, temp):
        asked.set()
        ask("select pg_sleep(60)")
        return names(ask, temp)

    monkeypatch.setattr(introspect, "names", slow)
    with meanwhile(lambda: asked.wait(20), lambda: os.kill(os.getpid(), signal.SIGINT)):
        reply = db.run("%tusk refresh", ok=False)
    assert reply.error["ename"] == "QueryInterrupted"
    monkeypatch.setattr(introspect, "names", names)
    assert db.run("%sql select 1 as one").status == "ok"
    assert known(tusk).relation("pg_class").schema == "pg_catalog"
    tusk.connections.disconnect("db")
    wait_until(lambda: not readers())
    wait_until(lambda: not backends(database))


def test_a_disconnect_meanwhile_ends_it(db, tusk, monkeypatch):
    from tusk_jupyter.schema import introspect

    asked = threading.Event()
    monkeypatch.setattr(introspect, "names", lambda ask, temp: (asked.set(), ask("select pg_sleep(60)")))
    with meanwhile(lambda: asked.wait(20), lambda: tusk.connections.disconnect("db")):
        reply = db.run("%tusk refresh", ok=False)
    assert reply.error["ename"] == "ConnectionFailed"


def test_what_the_server_refuses_is_said(db, database, monkeypatch):
    from tusk_jupyter.schema import introspect

    monkeypatch.setattr(introspect, "names", lambda ask, temp: ask("select 1/0"))
    reply = db.run("%tusk refresh", ok=False)
    assert reply.error["ename"] == "QueryFailed"
    assert "division by zero" in reply.everything


def test_a_reader_that_the_server_ended_leaves_what_is_known(db, tusk, database, monkeypatch):
    from tusk_jupyter.schema import introspect

    names = introspect.names
    monkeypatch.setattr(introspect, "names", lambda ask, temp: ask("select pg_sleep(60)"))

    def end():
        terminate(database, wait_until(lambda: running(database, "pg_sleep(60)")))

    with meanwhile(end):
        reply = db.run("%tusk refresh", ok=False)
    assert reply.error["ename"] in {"ConnectionLost", "QueryFailed"}
    assert known(tusk).relation("pg_class").schema == "pg_catalog"
    monkeypatch.setattr(introspect, "names", names)
    assert "schema of db reread" in db.run("%tusk refresh").everything
