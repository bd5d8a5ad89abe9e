"""Whether the rows of a statement come in binary, and whether it is worth asking.

libpq has one format for all columns of a result, so it is binary for every column or for none. Measured on the server
(PostgreSQL 15, ns a value, as text and in binary; the client's part shrinks alike):

    int2, int4  43  43      float4       60  43      date         63  45      uuid          143  62
    int8        60  55      float8       69  47      timestamp    75  45      bytea (16)     69  51
    bool        37  42      text, 8 B    53  56      timestamptz 115  45      json           45  54

``numeric`` is slower in binary (a result of TPC-H's lineitem by a seventh), and no type beyond this set could be shown
in binary at all. So a result is binary when all its columns are of the set and what they gain is more than what they
lose (:data:`GAINS`).

That has to be known of the very statement that runs, and before it does: its columns are asked for, in one transaction
of the protocol with its execution (:mod:`~tusk_jupyter.connections.session`). To ask costs 27 µs on a Unix socket and
a round trip elsewhere, more than a small result could gain. Only what reads from something is asked about, so
``select 1`` pays nothing; of that, what gave fewer than 2,000 rows last time is not, what gave more always is, and what
has not run yet in this session is where the server is near. Memory never decides the format, only whether to ask.
The server's ``statement_timeout`` runs on while it waits for the execution, so nothing is asked where the session's is
under 100 ms, or under twenty round trips: the question must not be what stops a statement.

A cursor of ``--limit`` is asked by its FETCH; read-only mode, savepoints and ``--to`` make no difference, except that a
CSV file is PostgreSQL's own text.
``TUSK_RESULT_FORMAT=text`` never asks, and ``binary`` always does and takes binary wherever it can: for tests.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from tusk_jupyter.queries import classify
from tusk_jupyter.results import builtin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from psycopg.pq.abc import PGresult

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.split import Statement

VARIABLE: Final = "TUSK_RESULT_FORMAT"
LARGE: Final = 2_000
REMEMBERED: Final = 512
LEAST_TIMEOUT_MS: Final = 100
LEAST_TIMEOUT_TRIPS: Final = 20

GAINS: Final[Mapping[int, int]] = {
    builtin.INT2: 1,
    builtin.INT4: 1,
    builtin.INT8: 5,
    builtin.OID: 5,
    builtin.FLOAT4: 17,
    builtin.FLOAT8: 22,
    builtin.BOOL: -5,
    builtin.DATE: 18,
    builtin.TIMESTAMP: 30,
    builtin.TIMESTAMPTZ: 70,
    builtin.UUID: 80,
    builtin.BYTEA: 18,
    builtin.TEXT: -5,
    builtin.VARCHAR: -5,
    builtin.BPCHAR: -5,
    builtin.JSON: -9,
}
_MOMENTS: Final = frozenset({builtin.DATE, builtin.TIMESTAMP, builtin.TIMESTAMPTZ})


def chooser(session: Session, statement: Statement, *, most: int | None = None) -> Callable[[PGresult], bool] | None:
    """Return what tells from a statement's columns whether they are to be binary; None for text without asking.

    :param most: how many rows can come at most, where that is known.
    :raises SessionLostError: when the connection breaks while its distance is measured.
    """
    forced = os.environ.get(VARIABLE) or None
    if forced == "text" or (most is not None and most < LARGE and forced is None):
        return None
    known = session.sizes.get(hash(statement.text))
    if forced is None and not _may_be_large(statement, known):
        return None
    if not _is_readable(session) or not classify.reads_only_shape(statement):
        return None
    if forced is None and not ((known is not None or session.is_near()) and _has_time(session)):
        return None

    def choose(columns: PGresult) -> bool:
        oids = [columns.ftype(i) for i in range(columns.nfields)]
        if not oids or not GAINS.keys() >= set(oids):
            return False
        if not _MOMENTS.isdisjoint(oids) and not _can_spell(session, zoned=builtin.TIMESTAMPTZ in oids):
            return False
        return forced == "binary" or sum(GAINS[oid] for oid in oids) > 0

    return choose


def remember(session: Session, statement: Statement, rows: int) -> None:
    """Keep in mind how many rows a statement gave."""
    sizes, key = session.sizes, hash(statement.text)
    sizes.pop(key, None)
    sizes[key] = rows
    if len(sizes) > REMEMBERED:
        del sizes[next(iter(sizes))]


def _is_readable(session: Session) -> bool:
    # floats of days were an option of PostgreSQL's build before 10
    return session.parameter("client_encoding") == "UTF8" and session.parameter("integer_datetimes") == "on"


def _can_spell(session: Session, *, zoned: bool) -> bool:
    """Tell whether PostgreSQL's text of a year that no array holds can be made here as it would be there."""
    from tusk_jupyter.results.zones import session_zone

    if not (session.parameter("DateStyle") or "").startswith("ISO"):
        return False
    return not zoned or session_zone(session.parameter("TimeZone") or "") is not None


def _has_time(session: Session) -> bool:
    limit_ms = session.statement_timeout_ms
    return not limit_ms or limit_ms >= max(LEAST_TIMEOUT_MS, LEAST_TIMEOUT_TRIPS * session.round_trip_s * 1000)


def _may_be_large(statement: Statement, known: int | None) -> bool:
    if known is not None:
        return known >= LARGE
    text = statement.text.lower()
    return "from" in text or "table" in text
