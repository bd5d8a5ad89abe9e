"""What a role may do that no read-only transaction holds back: it is said where a read-only connection is made.

Asked of read-only connections only, once each, beside what else the server says of itself. A role that could become
another one (``SET ROLE``) counts as that one. Files that it may only read are left out: reading is what it is for.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

import psycopg

from tusk_jupyter.connections import liveness

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger("tusk_jupyter.connections")
_MAY: Final = {
    "pg_execute_server_program": "run programs of the server (pg_execute_server_program)",
    "pg_write_server_files": "write files of the server (pg_write_server_files)",
    "replication": "make replication slots (REPLICATION)",
    "dblink": "write through dblink, which is installed here",
}
_ASK: Final = """
select r.rolname::text from pg_catalog.pg_roles r
where r.rolname in ('pg_execute_server_program', 'pg_write_server_files')
  and pg_catalog.pg_has_role(session_user, r.oid, 'member')
union all
select case when rolsuper then 'superuser' else 'replication' end from pg_catalog.pg_roles
where rolname = session_user and (rolsuper or rolreplication)
union all
select 'dblink' from pg_catalog.pg_extension where extname = 'dblink'
"""


def ask(conn: psycopg.Connection[Any], limit_s: float) -> tuple[str, ...]:
    """Return what the role may do, by one word each; nothing where the server does not say."""
    try:
        return tuple(power or "" for (power,) in liveness.ask(conn, limit_s, _ASK.encode()))
    except psycopg.Error as error:
        if conn.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            raise
        log.info("what the role may do is not known: %s", error)
        return ()


def warning(powers: Sequence[str]) -> str:
    """Return what is said of read-only, as the rest of a sentence, to a role that has these powers."""
    says = "protects against mistakes; security against others is a role without write rights"
    if "superuser" in powers:
        return f"{says} (this role is a superuser: nothing is closed to it)"
    may = [words for power, words in _MAY.items() if power in powers]
    return f"{says} (this role may {', '.join(may)})" if may else says
