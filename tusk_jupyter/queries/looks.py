"""One look at the server: what our backends do, how far a long command is, what they wait for and who is in the way.

One statement and one round trip, on a borrowed connection, prepared there: planning takes 7 ms, the look itself 0.3.
Everything comes as JSON, a row for each thing seen, because the views of different versions have different columns:
what a version lacks is a key that is not there. Which views there are is what the version decides (``copy`` since 14,
``analyze`` and ``basebackup`` since 13).

What is dear on a busy server is asked only while one of ours waits: ``pg_locks`` copies the whole lock table, and
``pg_blocking_pids`` looks at it under all its latches. The latter follows the chain for five levels and at most twenty
blockers of each, so that a queue of a thousand is not walked again and again; a cycle, a deadlock of the next second,
ends there too. A snapshot is not taken of all this at one moment: who is gone meanwhile is left out.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Found = Mapping[str, list[dict[str, Any]]]

_NAME: Final = "tusk_look"
MOST_LEVELS: Final = 5
MOST_BLOCKERS: Final = 20
_SINCE_13: Final = 130_000
_VIEWS: Final = {
    "vacuum": 0,
    "cluster": 0,
    "create_index": 0,
    "analyze": _SINCE_13,
    "basebackup": _SINCE_13,
    "copy": 140_000,
}

OURS: Final = """
with recursive ours as (
  select a.pid, {root} as root, a.state, a.wait_event_type as type, a.wait_event as event
  from pg_catalog.pg_stat_activity a where {ours}
), chain (root, waiter, pid, level) as (
  select o.root, o.pid, b.pid, 1
  from ours o cross join lateral pg_catalog.unnest(case when o.type = 'Lock' then pg_catalog.pg_blocking_pids(o.pid)
    else pg_catalog.pg_safe_snapshot_blocking_pids(o.pid) end) with ordinality b (pid, number)
  where (o.type = 'Lock' or o.event = 'SafeSnapshot') and b.number <= {most}
  union
  select c.root, c.pid, b.pid, c.level + 1
  from chain c cross join lateral pg_catalog.unnest(pg_catalog.pg_blocking_pids(c.pid)) with ordinality b (pid, number)
  where c.level < {levels} and c.pid <> 0 and b.number <= {most}
), waits (is_any) as (
  select coalesce(pg_catalog.bool_or(type = 'Lock' or event = 'SafeSnapshot'), false) from ours
)
"""
# superusers end everybody, and only they a superuser; others whose role they have, or with pg_signal_backend
_HOLDERS: Final = """
select 'holder', pg_catalog.to_jsonb(h) from (
  select a.pid, a.usename as "user", a.application_name as application, a.backend_type,
    coalesce(pg_catalog.host(a.client_addr), case a.client_port when -1 then 'local socket' end) as client, a.state,
    extract(epoch from pg_catalog.clock_timestamp() - a.state_change)::float8 as state_s,
    extract(epoch from pg_catalog.clock_timestamp() - a.xact_start)::float8 as transaction_s,
    a.query, a.backend_start::text as backend_start, a.query = '<insufficient privilege>' as hidden,
    case when me.rolsuper then true when a.usesysid is null or role.rolsuper then false
      else pg_catalog.pg_has_role(a.usesysid, 'USAGE') or pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')
    end as may_signal
  from pg_catalog.pg_stat_activity a
  left join pg_catalog.pg_roles role on role.oid = a.usesysid
  join pg_catalog.pg_roles me on me.rolname = current_user
  where (select is_any from waits) and a.pid in (select pid from chain)
) h
"""
_LOCKS: Final = """
select 'lock', pg_catalog.to_jsonb(k) from (
  select l.pid, l.locktype, l.granted, l.mode, l.relation::regclass::text as relation, l.virtualxid,
    l.transactionid::text as transactionid, l.classid::int8 as classid, l.objid::int8 as objid, l.objsubid,
    case l.locktype when 'object' then l.classid::regclass::text end as catalog, {described} as described,
    extract(epoch from pg_catalog.clock_timestamp()
      - (pg_catalog.to_jsonb(l) ->> 'waitstart')::timestamptz)::float8 as for_s
  from pg_catalog.pg_locks l
  where (select is_any from waits) and l.pid in (select pid from ours) and (not l.granted or l.locktype = 'tuple')
) k
"""
# they have no process, and pg_blocking_pids says 0: what they are is the one whose lock on its own number goes with it
_PREPARED: Final = """
select 'prepared', pg_catalog.to_jsonb(x) from (
  select distinct w.pid as waiter, p.gid, p.owner,
    extract(epoch from pg_catalog.clock_timestamp() - p.prepared)::float8 as transaction_s
  from pg_catalog.pg_locks w join pg_catalog.pg_locks g on g.pid is null and g.granted
    and (w.locktype, w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid, w.classid, w.objid,
      w.objsubid) is not distinct from (g.locktype, g.database, g.relation, g.page, g.tuple, g.virtualxid,
      g.transactionid, g.classid, g.objid, g.objsubid)
  join pg_catalog.pg_locks t on t.pid is null and t.locktype = 'transactionid'
    and t.virtualtransaction = g.virtualtransaction
  join pg_catalog.pg_prepared_xacts p on p.transaction::text = t.transactionid::text
  where (select is_any from waits) and not w.granted and w.pid in (select waiter from chain where pid = 0)
) x
"""
_VIEW: Final = """
select '{view}', pg_catalog.to_jsonb(p) || pg_catalog.jsonb_build_object('relation', {relation})
from pg_catalog.pg_stat_progress_{view} p where p.pid in (select pid from ours)
"""


def prepare(version_num: int) -> str:
    """Return what prepares the look on a connection to a server of that version: planning it takes longer than it."""
    return f"set plan_cache_mode = force_generic_plan; prepare {_NAME} (int[]) as {_statement(version_num)}"


def execute(pids: Iterable[int]) -> str:
    """Return the look for backends of ours."""
    return f"execute {_NAME} ({array(pids)})"


def array(pids: Iterable[int]) -> str:
    """Return pids as a literal."""
    return f"'{{{','.join(map(str, sorted(pids)))}}}'::int[]"


def _statement(version_num: int) -> str:
    parts = [
        "select 'ours', pg_catalog.to_jsonb(o) from ours o",
        "select 'block', pg_catalog.to_jsonb(c) from chain c",
        _HOLDERS,
        _LOCKS.format(described=_described(version_num)),
        _PREPARED,
    ]
    parts += [
        _VIEW.format(view=view, relation="null" if view == "basebackup" else "nullif(p.relid, 0)::regclass::text")
        for view, since in _VIEWS.items()
        if version_num >= since
    ]
    return chain("$1", version_num) + "\nunion all\n".join(parts)


def chain(pids: str, version_num: int) -> str:
    """Return the beginning of a statement: who we are (``ours``), and who stands in the way (``chain``).

    :param pids: what gives them, an expression.
    """
    ours, root = f"a.pid = any ({pids})", "a.pid"
    if version_num >= _SINCE_13:
        ours += f" or a.leader_pid = any ({pids})"
        root = "coalesce(a.leader_pid, a.pid)"
    return OURS.format(root=root, ours=ours, most=MOST_BLOCKERS, levels=MOST_LEVELS)


def _described(version_num: int) -> str:
    # before 14 it is an error to ask for what is not there, such as what another transaction has not yet committed
    if version_num < _VIEWS["copy"]:
        return "null::text"
    return "case l.locktype when 'object' then pg_catalog.pg_describe_object(l.classid, l.objid, l.objsubid) end"


def found(rows: Sequence[Sequence[str | None]]) -> Found:
    """Return what a look saw, by kind."""
    by_kind: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for kind, thing in rows:
        by_kind[kind or ""].append(json.loads(thing or "{}"))
    return by_kind
