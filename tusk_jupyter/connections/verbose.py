"""Connections that fail with an SQLSTATE: libpq writes it into the text of its error when it is asked to.

What a server says before a session exists is in its own language, and psycopg's exception has no SQLSTATE for it. libpq
has one, and tells it under ``PQERRORS_VERBOSE``, with the name of the server's routine. psycopg has no way to set that
before the connection is made, so the steps of its generator are taken here, with one call more. A second attempt after
a failed one, only to hear the code, was refused: without the code nobody knows whether the password was wrong, and each
wrong one counts towards a lock-out.

Where libpq's function is not found, see :mod:`~tusk_jupyter.connections.libpq`, everything works, without the codes.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import pq, waiting
from psycopg.errors import finish_pgconn

from tusk_jupyter.connections import libpq

if TYPE_CHECKING:
    from typing import Self

    from psycopg.abc import PQGenConn
    from psycopg.pq.abc import PGconn, PGresult

GREETINGS = 10
# https://www.postgresql.org/docs/current/libpq-control.html#LIBPQ-PQSETERRORVERBOSITY
_DEFAULT, _VERBOSE = 1, 2
# the severity and «LOCATION» may be in any language; severity, colon and two blanks are libpq's
_CODE = re.compile(r"\A([^\n:]{1,30}: {2})([0-9A-Z]{5}): ")
_LOCATION = re.compile(r"\n[^\n:]{1,30}: {2}(?:(\w+), )?[^\n:]*:\d+\s*\Z")


@dataclass(frozen=True, slots=True)
class Said:
    """What a server said: its words as they are without verbosity, and the two things that are never translated."""

    text: str
    sqlstate: str = ""
    routine: str = ""


def read(line: str) -> Said:
    """Take the code and the place out of what libpq wrote; a text without them is returned as it is."""
    if (code := _CODE.match(line)) is None:
        return Said(line)
    place = _LOCATION.search(line)
    words = line[code.end() : place.start() if place else None]
    return Said(f"{code[1]}{words}", code[2], (place[1] or "") if place else "")


class VerboseConnection(psycopg.Connection[Any]):
    """A connection like any other of psycopg's once it is made; ``waited`` says why that took longer, if it did."""

    waited: str | None = None
    greeted: tuple[str, ...] = ()  # the server's notices at the login

    @classmethod
    def _connect_gen(cls, conninfo: str = "", **more: Any) -> PQGenConn[Self]:
        if more:  # of a psycopg that does it in another way: it connects all the same, and tells no codes
            return (yield from super()._connect_gen(conninfo, **more))
        # as psycopg.generators._connect, whose connection nobody else gets hold of before it has failed
        pgconn = pq.PGconn.connect_start(conninfo.encode())
        _set_verbosity(pgconn, _VERBOSE)
        greeted: list[str] = []
        pgconn.notice_handler = lambda result: _hear(greeted, result)
        while True:
            if pgconn.status == pq.ConnStatus.BAD:
                raise psycopg.OperationalError(f"connection is bad: {_message(pgconn)}", pgconn=pgconn)
            status = pgconn.connect_poll()
            if status == pq.PollingStatus.OK:
                break
            if status not in {pq.PollingStatus.READING, pq.PollingStatus.WRITING}:
                text = f"connection failed: {_message(pgconn)}"
                raise psycopg.OperationalError(text, pgconn=finish_pgconn(pgconn))
            wait = waiting.Wait.R if status == pq.PollingStatus.READING else waiting.Wait.W
            while not (yield pgconn.socket, wait):
                pass
        pgconn.nonblocking = 1
        _set_verbosity(pgconn, _DEFAULT)
        conn = cls(pgconn)
        conn.greeted = tuple(greeted)
        return conn


def _hear(greeted: list[str], result: PGresult) -> None:
    fields = (pq.DiagnosticField.SEVERITY, pq.DiagnosticField.MESSAGE_PRIMARY, pq.DiagnosticField.MESSAGE_HINT)
    severity, message, hint = ((result.error_field(field) or b"").decode(errors="replace") for field in fields)
    if len(greeted) < GREETINGS:
        greeted.append(f"{severity}:  {message}" + (f" (HINT: {hint})" if hint else ""))


def _message(pgconn: PGconn) -> str:
    # before the login a server writes in its own locale's encoding, whatever ours is
    return pgconn.get_error_message("utf-8")


def _set_verbosity(pgconn: PGconn, verbosity: int) -> None:
    call, pointer = libpq.function("PQsetErrorVerbosity", ctypes.c_int, ctypes.c_int), libpq.pointer(pgconn)
    if call is not None and pointer is not None:
        call(pointer, verbosity)
