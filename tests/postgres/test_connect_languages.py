"""Failures of a server that speaks German: told apart without a word of it."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess

import psycopg
import pytest

from tests.fix_postgres import PASSWORD
from tests.listening import listener
from tests.waiting import wait_until
from tusk_jupyter.connections import libpq, opening, verbose
from tusk_jupyter.connections.conninfo import Conninfo, parse
from tusk_jupyter.connections.diagnoses import Reached
from tusk_jupyter.connections.opening import Settings
from tusk_jupyter.errors import AuthenticationFailed, ConnectionFailed, InvalidInput
from tusk_jupyter.secret import Secret

SET_UP = """
create role secretive login password {};
create role sleeper nologin password {};
create role crowd login connection limit 0 password {};
create database asleep allow_connections false;
create database members;
revoke connect on database members from public
"""
HBA = """
local all tester trust
local all nobody_here trust
local all sleeper trust
local all others peer
host all all 127.0.0.1/32 scram-sha-256
"""


def start(server):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOCPATH", str(server.root / "locales"))
        server.start()


@pytest.fixture(scope="module")
def german(make_server):
    """A server whose messages are German; the locale is made for it alone."""
    server = make_server()
    locales = server.root / "locales"
    locales.mkdir()
    made = shutil.which("localedef") is not None and subprocess.run(
        ["localedef", "-i", "de_DE", "-f", "UTF-8", str(locales / "de_DE.UTF-8")], capture_output=True, check=False
    )
    if not made or made.returncode:
        pytest.skip("no German locale can be made here: localedef and its sources (Debian: locales) are missing")
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        for statement in SET_UP.split(";"):
            conn.execute(psycopg.sql.SQL(statement).format(*[PASSWORD] * statement.count("{}")))
    server.stop()
    (server.root / "data" / "pg_hba.conf").write_text(HBA)
    with (server.root / "data" / "postgresql.conf").open("a") as file:
        file.write("lc_messages = 'de_DE.UTF-8'\n")
    start(server)
    with psycopg.connect(server.conninfo()) as conn, pytest.raises(psycopg.Error) as caught:
        conn.execute("select nothing")
    if "existiert nicht" not in str(caught.value):
        pytest.skip("this PostgreSQL was built without its translations")
    return server


@pytest.fixture
def over_tcp(german, server):
    del server  # marks the test
    text = f"host=127.0.0.1 port={german.port} dbname=postgres user=secretive sslmode=disable"
    return Conninfo(parse(text).params, Secret(PASSWORD))


@pytest.fixture
def local(german, server):
    del server
    return parse(german.conninfo())


def refused(conninfo, kind, sqlstate, *, reached=Reached.SERVER, timeout_s=10.0):
    outcome = opening.connect(conninfo, password=None, timeout_s=timeout_s, settings=Settings(), name="shop")
    assert isinstance(outcome, opening.Refused)
    error = outcome.error
    assert type(error) is kind, error
    assert error.sqlstate == sqlstate
    assert outcome.reached == reached
    assert "LOCATION" not in error.detail
    assert f"{sqlstate}:" not in error.detail + error.message
    assert PASSWORD not in repr(error.info())
    return error


def test_a_wrong_password(over_tcp):
    error = refused(Conninfo(over_tcp.params, Secret("wrong")), AuthenticationFailed, "28P01")
    assert "Passwort-Authentifizierung für Benutzer »secretive« fehlgeschlagen" in error.message
    assert "expired password" in error.advice


def test_a_wrong_password_is_tried_once(german, over_tcp):
    """Each attempt counts towards a lock-out."""
    came = []

    def relay(client):
        came.append(client)
        with socket.create_connection(("127.0.0.1", german.port)) as upstream:
            while asked := client.recv(10_000):
                upstream.sendall(asked)
                client.sendall(upstream.recv(10_000))

    with listener(relay) as port:
        there = over_tcp.with_(port=str(port)).params
        refused(Conninfo(there, Secret("wrong")), AuthenticationFailed, "28P01")
    assert len(came) == 1


def test_a_database_that_is_missing_behind_a_right_password(over_tcp):
    error = refused(over_tcp.with_(dbname="nowhere"), ConnectionFailed, "3D000", reached=Reached.LOGIN)
    assert "»nowhere« existiert nicht" in error.message
    assert "case-sensitive" in error.advice


def test_databases_that_may_not_be_entered(over_tcp):
    error = refused(over_tcp.with_(dbname="asleep"), ConnectionFailed, "55000", reached=Reached.LOGIN)
    assert "ALLOW_CONNECTIONS" in error.advice
    error = refused(over_tcp.with_(dbname="members"), ConnectionFailed, "42501", reached=Reached.LOGIN)
    assert error.advice == 'Have its owner run: GRANT CONNECT ON DATABASE "members" TO "secretive"'


def test_roles_that_may_not_log_in(local, over_tcp):
    for role, conninfo in (("sleeper", over_tcp.with_(user="sleeper")), ("nobody_here", local.with_(user="nobody_here"))):
        error = refused(conninfo, AuthenticationFailed, "28000")
        assert f'The role "{role}" does not exist or was made without LOGIN' in error.advice


def test_no_room(over_tcp):
    assert "CONNECTION LIMIT" in refused(over_tcp.with_(user="crowd"), ConnectionFailed, "53300").advice


def test_nobody_is_let_in(local):
    assert "pg_hba.conf has no line" in refused(local.with_(user="stranger"), AuthenticationFailed, "28000").advice
    assert "(peer, ident)" in refused(local.with_(user="others"), AuthenticationFailed, "28000").advice


def test_an_option_that_is_refused(local):
    assert "options=" in refused(local.with_(options="-c work_mem=lots"), InvalidInput, "22023").advice


def test_a_server_that_is_shutting_down_is_tried_again(german, local):
    with psycopg.connect(german.conninfo()):
        german.run("pg_ctl", "-D", str(german.root / "data"), "-m", "smart", "-W", "stop")
        wait_until(lambda: "57P03" in attempt(local))
        error = refused(local, ConnectionFailed, "57P03", timeout_s=1)
        assert re.search(r"tried \d+ times in", error.advice)
    wait_until(lambda: not (german.root / "data" / "postmaster.pid").exists(), timeout=20)
    start(german)


def attempt(conninfo):
    try:
        verbose.VerboseConnection.connect(**conninfo.kwargs()).close()
    except psycopg.Error as error:
        return str(error)
    return ""


def test_what_the_session_says_afterwards_is_as_short_as_ever(local):
    conn = verbose.VerboseConnection.connect(**local.kwargs())
    with conn, pytest.raises(psycopg.errors.UndefinedColumn) as caught:
        conn.execute("select nothing")
    assert "LOCATION" not in conn.pgconn.get_error_message()
    assert "42703" not in str(caught.value)


def test_without_the_function_of_libpq_it_connects_and_fails_all_the_same(local, over_tcp, monkeypatch):
    monkeypatch.setattr(libpq, "function", lambda *_: None)
    verbose.VerboseConnection.connect(**local.kwargs()).close()
    outcome = opening.connect(
        over_tcp.with_(dbname="nowhere"), password=None, timeout_s=10, settings=Settings(), name="shop"
    )
    assert type(outcome.error) is AuthenticationFailed
    assert "in its own language" in outcome.error.advice


def test_a_psycopg_that_connects_in_another_way_does_so(server, monkeypatch):
    plain = psycopg.Connection._connect_gen.__func__
    asked = []

    def later(cls, conninfo="", *, more):
        asked.append(more)
        return (yield from plain(cls, conninfo))

    monkeypatch.setattr(psycopg.Connection, "_connect_gen", classmethod(later))
    with psycopg.waiting.wait_conn(verbose.VerboseConnection._connect_gen(server.conninfo(), more=1)) as conn:
        assert type(conn) is verbose.VerboseConnection
        assert conn.execute("select 1").fetchone() == (1,)
    assert asked == [1]
