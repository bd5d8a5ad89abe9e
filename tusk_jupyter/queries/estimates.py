"""How many rows the planner expects of a query that is running: asked with EXPLAIN, elsewhere, where it is honest.

The denominator of «412,000 of about 2,000,000 rows» is a guess that must not be a lie. So it is asked once, when a
query has run for half a second and its rows have begun to come (through a cursor, as ``--limit`` has one, they come
all at the end), and taken only if all of these hold:

* it is one SELECT that only reads, outside of a transaction of the user's, whose rows nobody else may see;
* its text says the same here: both have ``standard_conforming_strings``, without which the end of a literal is
  elsewhere, and the rest of it a statement. It is sent by the extended protocol, which takes no second one;
* EXPLAIN names the same tables: their locks here are among those that the running query holds. That is what tells a
  ``search_path``, a role or a temp table of the session, which this connection does not have, from none;
* the rows come from tables that ANALYZE has seen, and not from a function, a recursion or a foreign server, for which
  the planner assumes a number; and no table has row-level security, which depends on who asks.

EXPLAIN does not run a query, but planning one calls functions: immutable ones to fold constants, stable ones to
estimate by (PostgreSQL's ``eval_const_expressions`` and ``estimate_expression_value``). The session's own planning did
so a moment ago; here it happens in a read-only transaction, within a quarter of a second, and not at all when the query
names a function that is not PostgreSQL's own. A view is planned as what it stands for, functions included.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import psycopg

from tusk_jupyter.connections import liveness
from tusk_jupyter.lexer import significant
from tusk_jupyter.queries import classify, looks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tusk_jupyter.connections.wire import Command
    from tusk_jupyter.queries.split import Statement

LIMIT_S: Final = 0.5
LONGEST: Final = 100_000
# the planner assumes a number of rows for these, or asks another server
_GUESSED: Final = frozenset(
    {
        "Function Scan",
        "Table Function Scan",
        "ProjectSet",
        "Recursive Union",
        "Foreign Scan",
        "Custom Scan",
        "Values Scan",
    }
)
_PLAIN: Final = re.compile(r"[a-z_][a-z0-9_$]*")
_BEGIN: Final = """
begin read only; set local statement_timeout = '250ms'; set local lock_timeout = '50ms'; set local jit = off;
select pg_catalog.count(*) from pg_catalog.pg_proc
where proname = any ('{{{names}}}') and pronamespace <> 'pg_catalog'::regnamespace
"""
_SAME: Final = """
select coalesce(pg_catalog.bool_and(l.relation = any (array(
    select relation from pg_catalog.pg_locks where pid = any ({pids}) and relation is not null and granted)
  ) and not c.relrowsecurity and (c.relkind not in ('r', 'm') or c.reltuples > 0)), false)
from pg_catalog.pg_locks l join pg_catalog.pg_class c on c.oid = l.relation
where l.pid = pg_catalog.pg_backend_pid() and l.locktype = 'relation' and c.relkind in ('r', 'm', 'p', 'v', 'f', 't')
  and c.relnamespace <> 'pg_catalog'::regnamespace
"""


def expected_rows(
    conn: psycopg.Connection[Any], statement: Statement, command: Command, pids: Iterable[int]
) -> int | None:
    """Return how many rows the planner expects of a running query, or ``None`` where that would not be honest.

    :param pids: the backends that run it.
    :raises psycopg.Error: when the connection is lost.
    """
    if len(command.text) + sum(map(len, filter(None, command.values))) > LONGEST:
        return None
    if not (statement.standard_conforming_strings and _is_conforming(conn)):
        return None
    if not classify.reads_only_shape(statement) or (names := called(statement)) is None:
        return None
    try:
        return _asked(conn, command, names, pids)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise
        return None
    finally:
        with suppress(psycopg.Error):  # the next look meets a connection that is lost
            liveness.run_within(conn, LIMIT_S, b"rollback")


def _asked(conn: psycopg.Connection[Any], command: Command, names: set[str], pids: Iterable[int]) -> int | None:
    [[strange]] = liveness.ask(conn, LIMIT_S, _BEGIN.format(names=",".join(sorted(names))).encode())
    if strange != "0":
        return None
    lines = liveness.ask(conn, LIMIT_S, b"explain (format json) " + command.text, command)
    plan: Mapping[str, Any] = json.loads("\n".join(line or "" for (line,) in lines))[0]["Plan"]
    if not _GUESSED.isdisjoint(_nodes(plan)):
        return None
    [[same]] = liveness.ask(conn, LIMIT_S, _SAME.format(pids=looks.array(pids)).encode())
    return int(plan["Plan Rows"]) if same == "t" else None


def _is_conforming(conn: psycopg.Connection[Any]) -> bool:
    return conn.pgconn.parameter_status(b"standard_conforming_strings") == b"on"


def called(statement: Statement) -> set[str] | None:
    """Return the names before parentheses, which may be functions; ``None`` when one of them is no plain name."""
    names, last = set(), ""
    for token in significant(statement.text, standard_conforming_strings=statement.standard_conforming_strings):
        word = statement.text[token.start : token.end]
        if word == "(" and (last[:1].isalpha() or last[:1] in {"_", '"'}):
            name = last.strip('"') if last.startswith('"') else last.lower()
            if _PLAIN.fullmatch(name) is None:
                return None
            names.add(name)
        last = word
    return names


def _nodes(plan: Mapping[str, Any]) -> Iterator[str]:
    yield plan["Node Type"]
    for below in plan.get("Plans", ()):
        yield from _nodes(below)
