from __future__ import annotations

import ctypes

import psycopg
import pytest

from tusk_jupyter.connections import diagnoses, libpq, verbose
from tusk_jupyter.connections.conninfo import parse
from tusk_jupyter.connections.failures import connect_error, unready
from tusk_jupyter.errors import AuthenticationFailed, ConnectionFailed

LOCATION = "\nLOCATION:  auth_failed, ./build/../src/backend/libpq/auth.c:335"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"FATAL:  28P01: es ging nicht{LOCATION}", ("FATAL:  es ging nicht", "28P01", "auth_failed")),
        ("致命错误:  3D000: 数据库 »x« 不存在\n位置:  InitPostgres, postinit.c:1", ("致命错误:  数据库 »x« 不存在", "3D000", "InitPostgres")),
        ("FATAL:  08P01: no such database: x", ("FATAL:  no such database: x", "08P01", "")),
        ("FATAL:  53300: voll\nDETAIL:  a: b\nLOCATION:  f.c:7", ("FATAL:  voll\nDETAIL:  a: b", "53300", "")),
        ("FATAL:  older servers have no code", ("FATAL:  older servers have no code", "", "")),
        ("Connection refused\n\tIs the server running?", ("Connection refused\n\tIs the server running?", "", "")),
    ],
)
def test_the_code_and_the_place_are_taken_out_of_the_text(line, said):
    assert verbose.read(line) == verbose.Said(*said)


@pytest.mark.parametrize(
    ("sqlstate", "routine", "kind"),
    [
        ("28P01", "auth_failed", AuthenticationFailed),
        ("28000", "InitializeSessionUserId", AuthenticationFailed),
        ("28000", "ClientAuthentication", AuthenticationFailed),
        ("28000", "", AuthenticationFailed),
        ("3D000", "InitPostgres", ConnectionFailed),
        ("57P03", "ProcessStartupPacket", ConnectionFailed),
    ],
)
def test_a_code_is_enough(sqlstate, routine, kind):
    place = f"\nLOCATION:  {routine}, x.c:1" if routine else ""
    text = f'connection to server at "10.0.0.1", port 5432 failed: FATAL:  {sqlstate}: blah{place}'
    exc = psycopg.OperationalError(f"connection failed: {text}")
    error = connect_error(exc, target="t", conninfo=parse("host=10.0.0.1 user=u"))
    assert type(error) is kind
    assert error.sqlstate == sqlstate
    assert error.message == "Cannot connect to t: blah"
    assert error.detail == "FATAL: blah"
    assert unready(exc) == ("not ready" if sqlstate == "57P03" else None)


def test_a_code_that_nobody_knows_has_no_rule():
    assert diagnoses.by_sqlstate("XX000", "whatever") is None
    assert diagnoses.by_sqlstate("", "") is None


def test_psycopgs_libpq_has_the_function():
    call = libpq.function("PQsetErrorVerbosity", ctypes.c_int, ctypes.c_int)
    unconnected = psycopg.pq.PGconn.connect_start(b"service=none")
    # it returns what it was before: PQERRORS_DEFAULT, then what was set
    assert [call(libpq.pointer(unconnected), verbosity) for verbosity in (2, 1)] == [1, 2]
    assert libpq.function("PQsetNothing", ctypes.c_int) is None
