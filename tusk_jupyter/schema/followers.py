"""The keywords that may stand in a place of a query, the likeliest first; what is written together is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def listed(text: str) -> tuple[str, ...]:
    """Return the keywords of a text that divides them by commas."""
    return tuple(" ".join(part.split()) for part in text.split(","))


STATEMENTS = listed("""
    select, with, insert into, update, delete from, create table, create view, create index, alter table, drop table,
    explain, explain analyze, truncate, begin, commit, rollback, set, show, copy, values, table, merge into, call, do,
    create or replace function, create or replace view, create materialized view, create schema, create extension,
    create type, create role, create sequence, create function, create procedure, create trigger, create temp table,
    create unique index, create index concurrently, create database, create domain, create policy, create user,
    refresh materialized view, grant, revoke, vacuum, analyze, comment on, reset, reindex, lock table, drop view,
    drop index, drop schema, drop function, drop materialized view, drop type, drop sequence, drop extension, drop role,
    drop database, alter column, alter view, alter index, alter schema, alter function, alter type, alter sequence,
    alter role, alter database, alter system set, alter default privileges, alter materialized view, savepoint,
    release savepoint, rollback to savepoint, start transaction, prepare, execute, deallocate, declare, fetch, close,
    listen, notify, unlisten, cluster, checkpoint, discard all, reassign owned by, import foreign schema, end, abort
""")
QUERY = ("select", "with", "values", "table")
EXPRESSION = listed("""
    case, not, null, true, false, exists (, cast (, coalesce (, nullif (, greatest (, least (, extract (, array [,
    current_date, current_timestamp, interval, date, timestamp, substring (, position (, trim (, overlay (, row (,
    current_time, current_user, localtimestamp, localtime, session_user, current_schema, current_catalog, current_role,
    grouping (, default, any (, all (, some (, xmlelement (, user
""")
OPERATORS = listed("""
    and, or, is null, is not null, in (, not in (, between, like, ilike, not like, not ilike, is distinct from,
    is not distinct from, not between, is true, is false, is not true, is not false, is unknown, similar to,
    not similar to, at time zone, collate, overlaps, isnull, notnull, operator (, is json
""")
CASE_START = ("when",)
CASE_WHEN = ("then",)
CASE_THEN = ("when", "else", "end")
CASE_ELSE = ("end",)
_COMBINE = ("union", "union all", "except", "intersect", "except all", "intersect all")
_LIMITS = ("limit", "offset", "fetch first", "for update", "for share", "for no key update", "for key share")
_JOINS = listed("""
    join, left join, inner join, right join, full join, cross join, join lateral, left join lateral, cross join lateral,
    natural join, natural left join
""")
_AFTER_TABLE = ("where", *_JOINS[:3], "group by", "order by", "limit", *_JOINS[3:])
AFTER: dict[str, tuple[str, ...]] = {
    "SELECT": ("from", "as", "where", "group by", "order by", "limit", "into", *_COMBINE),
    "FROM": (*_AFTER_TABLE, "as", "having", "window", "tablesample", *_COMBINE, *_LIMITS[1:]),
    "JOIN": ("on", "using (", "as", *_JOINS, "tablesample"),
    "ON": ("and", "or", *_AFTER_TABLE, *_COMBINE, *_LIMITS[1:]),
    "USING": (*_AFTER_TABLE, "as", *_COMBINE, *_LIMITS[1:]),
    "WHERE": ("and", "or", "group by", "order by", "limit", "having", "window", *_COMBINE, *_LIMITS[1:]),
    "GROUP BY": ("having", "order by", "limit", "window", *_COMBINE, *_LIMITS[1:]),
    "HAVING": ("and", "or", "order by", "limit", "window", *_COMBINE, *_LIMITS[1:]),
    "WINDOW": ("order by", "limit", *_COMBINE, *_LIMITS[1:]),
    "ORDER BY": ("desc", "asc", "limit", "nulls last", "nulls first", "offset", "using", *_LIMITS[2:]),
    "LIMIT": ("offset", *_LIMITS[3:]),
    "OFFSET": ("limit", "rows", *_LIMITS[2:]),
    "FETCH": ("row only", "rows only", "rows with ties", "offset", *_LIMITS[3:]),
    "FOR": ("of", "nowait", "skip locked"),
    "VALUES": ("on conflict", "on conflict do nothing", "returning"),
    "WRITTEN WHERE": ("and", "or", "returning"),
    "SORTED": ("limit", "nulls last", "nulls first", "offset", *_LIMITS[2:]),
    "SET": ("where", "from", "returning"),
    "RETURNING": ("as", "into"),
    "UPDATE": ("set", "as"),
    "DELETE": ("where", "using", "returning", "as"),
    "INTO": ("values", "select", "(", "default values", "as", "overriding system value", "overriding user value"),
    "COLUMNS": ("values", "select", "with", "overriding system value", "overriding user value", "default values"),
    "MERGE": ("using", "as"),
    "MERGE ON": ("and", "or", "when matched then", "when not matched then", "when not matched by source then"),
    "WHEN": ("then", "and", "or"),
    "PARTITION BY": ("order by", "rows between", "range between", "groups between"),
    "WINDOW ORDER": ("desc", "asc", "nulls first", "nulls last", "rows between", "range between", "groups between"),
    "TABLE": ("order by", "limit", *_COMBINE, *_LIMITS[1:]),
}
_FRAME = listed("unbounded preceding, current row, unbounded following")
_JOINED = ("join", "outer join", "join lateral")
# behind words that are not all of what is written together
CONTINUED: dict[tuple[str, ...], tuple[str, ...]] = {
    ("GROUP",): ("by",),
    ("ORDER",): ("by",),
    ("PARTITION",): ("by",),
    ("LEFT",): _JOINED,
    ("RIGHT",): _JOINED,
    ("FULL",): _JOINED,
    ("OUTER",): ("join", "join lateral"),
    ("INNER",): ("join", "join lateral"),
    ("CROSS",): ("join", "join lateral"),
    ("NATURAL",): ("join", "left join", "right join", "full join", "inner join"),
    ("IS",): listed(
        "null, not null, true, false, not true, not false, distinct from, not distinct from, unknown, not unknown, json"
    ),
    ("IS", "NOT"): ("null", "true", "false", "distinct from", "unknown", "json"),
    ("IS", "DISTINCT"): ("from",),
    ("NULLS",): ("last", "first"),
    ("SIMILAR",): ("to",),
    ("AT",): ("time zone",),
    ("AT", "TIME"): ("zone",),
    ("WITHIN",): ("group (order by",),
    ("TABLESAMPLE",): ("bernoulli (", "system ("),
    ("SKIP",): ("locked",),
    ("ROWS",): ("between", *_FRAME),
    ("RANGE",): ("between", *_FRAME),
    ("GROUPS",): ("between", *_FRAME),
    ("ROWS", "BETWEEN"): _FRAME,
    ("RANGE", "BETWEEN"): _FRAME,
    ("GROUPS", "BETWEEN"): _FRAME,
    ("PRECEDING",): ("and", "and current row", "and unbounded following"),
    ("UNBOUNDED",): ("preceding", "following"),
}
NOT = ("in (", "like", "ilike", "between", "similar to")


def continued(words: Sequence[str]) -> tuple[str, ...]:
    """Return what completes the words before the cursor, the last two at most; nothing where they are complete."""
    return CONTINUED.get(tuple(words[-2:])) or CONTINUED.get(tuple(words[-1:])) or ()


FIELDS = listed("""
    epoch, year, month, day, hour, minute, second, dow, doy, week, quarter, isodow, isoyear, century, decade,
    millennium, milliseconds, microseconds, timezone, timezone_hour, timezone_minute, julian
""")
WINDOW_FUNCTIONS = frozenset(
    listed(
        "ROW_NUMBER, RANK, DENSE_RANK, PERCENT_RANK, CUME_DIST, NTILE, LAG, LEAD, FIRST_VALUE, LAST_VALUE, NTH_VALUE"
    )
)
