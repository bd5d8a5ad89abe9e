"""What the open transaction of a session keeps from others: locks, who waits for them, and dead rows from VACUUM.

Asked on another connection, because the session is in that transaction: a statement there would be one of the user's,
and end the idle time that the server counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter import interrupts

if TYPE_CHECKING:
    from tusk_jupyter.connections.connection import Connection

PATIENCE_S = 1.0
# those that only read come last: they are in the way of DDL alone
_ASK = """
select (select pg_catalog.array_agg(name order by is_read, name) from (
    select c.oid::pg_catalog.regclass::text as name, pg_catalog.bool_and(l.mode = 'AccessShareLock') as is_read
    from pg_catalog.pg_locks l join pg_catalog.pg_class c on c.oid = l.relation
    where l.pid = %(pid)s and l.granted and c.relkind in ('r', 'p', 'm', 'f', 'v', 'S')
      and l.database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())
      and c.relnamespace <> 'pg_catalog'::pg_catalog.regnamespace
    group by c.oid) held),
  (select count(*) from pg_catalog.pg_stat_activity
    where wait_event_type = 'Lock' and %(pid)s = any (pg_catalog.pg_blocking_pids(pid))),
  (select backend_xid is not null or backend_xmin is not null from pg_catalog.pg_stat_activity where pid = %(pid)s)
"""


@dataclass(frozen=True, slots=True)
class Held:
    """Tables that are locked, how many sessions wait, and whether VACUUM has to keep what died since."""

    tables: tuple[str, ...]
    waiting: int
    keeps_dead_rows: bool


def ask(connection: Connection, pid: int) -> Held | None:
    """Return what a backend holds, ``None`` where that cannot be told within a second."""

    def look() -> Held | None:
        with connection.pool.borrow(timeout_s=PATIENCE_S) as conn:
            row = conn.execute(_ASK, {"pid": pid}).fetchone()
        return Held(tuple(row[0] or ()), row[1], bool(row[2])) if row is not None else None

    try:
        return interrupts.call("held", look, timeout=PATIENCE_S)
    except (Exception, KeyboardInterrupt):  # noqa: BLE001 - it is said in general words then
        return None
