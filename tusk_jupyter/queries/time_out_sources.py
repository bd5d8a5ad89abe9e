"""What only the catalog knows of a time-out that struck: a function's SET clause, a configuration that was reloaded.

Asked on another connection and within a second, after the error is there with what this side knows of it. A SET clause
reaches lock_timeout alone: the time of a statement is measured by what was set when it began.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from tusk_jupyter import interrupts
from tusk_jupyter.connections import time_outs
from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.connections.time_outs import TimeOut
from tusk_jupyter.errors import ConnectionLost, QueryTimeout
from tusk_jupyter.queries import struck

if TYPE_CHECKING:
    import psycopg

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.errors import TuskError

PATIENCE_S = 1.0
_FUNCTIONS = """
select p.oid::pg_catalog.regprocedure::text, p.proname, pg_catalog.split_part(made, '=', 2)
from pg_catalog.pg_proc p, pg_catalog.unnest(p.proconfig) made where made like 'lock\\_timeout=%'
"""
_CONFIGURED = {"configuration file", "command line"}


def resolve(error: TuskError, connection: Connection) -> None:
    """Complete an error about a time-out whose value or source may be another than the session's.

    :raises KeyboardInterrupt: to an interrupt, which is the cell's.
    """
    if not isinstance(error, (QueryTimeout, ConnectionLost)) or error.setting not in time_outs.NAMES:
        return
    context = error.diag.context if error.diag is not None and error.setting == struck.LOCK else None
    if not context and error.duration_s is not None:
        return
    name = error.setting

    def look() -> TimeOut | None:
        with connection.pool.borrow_spare(PATIENCE_S) as conn:
            return (_of_function(conn, context) if context else None) or _configured(conn, name)

    try:
        found = interrupts.call("time-out", look, timeout=PATIENCE_S)
    except Exception:  # noqa: BLE001 - what this side knows has been said
        return
    if found is not None and (found.source == "function" or error.duration_s is None):
        struck.explain(error, found)


def _of_function(conn: psycopg.Connection[Any], context: str) -> TimeOut | None:
    """Return the SET clause of the innermost function that the server's CONTEXT names, whatever its language."""
    rows = conn.execute(_FUNCTIONS).fetchall()
    named = [(at, row) for row in rows if (at := _place(row[1], context)) is not None]
    if not named:
        return None
    _, (signature, _, value) = min(named)
    seconds = float(value) / 1000 if value.isdigit() else parse_duration(value)
    return TimeOut(struck.LOCK, round(seconds * 1000), "function", signature)


def _place(name: str, context: str) -> int | None:
    found = re.search(rf"(?<!\w){re.escape(name)}(?!\w)", context)
    return found.start() if found else None


def _configured(conn: psycopg.Connection[Any], name: str) -> TimeOut | None:
    row = conn.execute(f"select ({time_outs.READ})::text").fetchone()
    found = time_outs.parse(row[0] if row else None).get(name)
    return found if found is not None and found.ms and found.source in _CONFIGURED else None
