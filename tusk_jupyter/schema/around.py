"""What ``%tusk schemas | tables | functions | indexes`` ask: made to be read, where psql's listings are complete.

A pattern is psql's, but asks in every schema that is not the system's, not on the ``search_path`` alone; when nothing
has that name, the system's schemas are asked, and then the pattern is a word: whatever has it in its name. Sizes are of
everything that belongs to a table, its indexes and its TOAST included.

PostgreSQL takes a lock on a table to say its size or write its indexes' definitions, and would wait for a ``VACUUM
FULL`` next door. So these are not asked of what another session has locked, or waits to lock, and stay empty. The
estimate of ``relpages``, which needs no lock, was refused: it is zero for a table that was just filled.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.schema.lists.answering import Matched, among, ask_qualified, matching, words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.schema.asking import Ask

_NEAR = 3
_CANDIDATES = 20_000
SHOWN_KINDS = {
    "r": "table", "p": "partitioned table", "v": "view", "m": "materialized view", "f": "foreign table",
}  # fmt: skip
OWN = (
    "n.nspname <> 'pg_catalog'", "n.nspname <> 'information_schema'", "n.nspname !~ '^pg_toast'",
    "n.nspname !~ '^pg_temp_'",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """A column: its name, its kind (text, rows, bytes, number, flag, time) and the SQL it comes from."""

    name: str
    kind: str
    sql: str


@dataclass(frozen=True, slots=True)
class Around:
    """An answer: fields, rows of text, and what to say below."""

    fields: tuple[Field, ...]
    rows: tuple[tuple[str | None, ...], ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Question:
    fields: tuple[Field, ...]
    source: str
    matched: Matched
    order: str
    what: str
    where: tuple[str, ...] = ()


# of these another session holds, or waits for, a lock that a size would wait for
_LOCKED = (
    "c.oid = any (array(select coalesce(li.indrelid, l.relation) from pg_catalog.pg_locks l"
    " left join pg_catalog.pg_index li on li.indexrelid = l.relation"
    " where l.mode = 'AccessExclusiveLock' and l.pid <> pg_catalog.pg_backend_pid()"
    " and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())))"
)
_LEAVES = (
    "from pg_catalog.pg_partition_tree(c.oid) p join pg_catalog.pg_class leaf on leaf.oid = p.relid where p.isleaf"
)
_SIZE = (
    f"case when {_LOCKED} then null"
    f" when c.relkind = 'p' then (select pg_catalog.sum(pg_catalog.pg_total_relation_size(p.relid)) {_LEAVES})"
    " when c.relkind = 'r' or c.relkind = 'm' then pg_catalog.pg_total_relation_size(c.oid) end"
)
# never analyzed: -1, and before PostgreSQL 14 zero rows on zero pages
_KNOWN = "({0}.reltuples operator(pg_catalog.>) 0 or ({0}.reltuples = 0 and {0}.relpages operator(pg_catalog.>) 0))"
_ROWS = (
    f"case when {_KNOWN.format('c')} then c.reltuples::pg_catalog.int8"
    f" when c.relkind = 'p' then (select pg_catalog.sum(leaf.reltuples)::pg_catalog.int8 {_LEAVES}"
    f" and {_KNOWN.format('leaf')}) end"
)
_TABLES = _Question(
    (
        Field("schema", "text", "n.nspname"),
        Field("name", "text", "c.relname"),
        Field("kind", "text", words("c.relkind", SHOWN_KINDS)),
        Field("rows", "rows", _ROWS),
        Field("size", "bytes", _SIZE),
        Field("comment", "text", "pg_catalog.obj_description(c.oid, 'pg_class')"),
    ),
    "pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace",
    Matched("c.relname", "n.nspname"),
    "n.nspname, c.relname",
    "table",
    (among("c.relkind", SHOWN_KINDS),),
)
_FUNCTIONS = _Question(
    (
        Field("schema", "text", "n.nspname"),
        Field("name", "text", "p.proname"),
        Field("arguments", "text", "pg_catalog.pg_get_function_arguments(p.oid)"),
        Field("returns", "text", "pg_catalog.pg_get_function_result(p.oid)"),
        Field("kind", "text", words("p.prokind", {"a": "aggregate", "w": "window", "p": "procedure"}, "'function'")),
        Field("language", "text", "l.lanname"),
        Field("comment", "text", "pg_catalog.obj_description(p.oid, 'pg_proc')"),
    ),
    "pg_catalog.pg_proc p join pg_catalog.pg_namespace n on n.oid = p.pronamespace"
    " join pg_catalog.pg_language l on l.oid = p.prolang",
    Matched("p.proname", "n.nspname"),
    "n.nspname, p.proname, 3",
    "function",
)


def tables(ask: Ask, pattern: str | None = None) -> Around:
    """Return tables and views, with the planner's estimate of their rows; :raises InvalidInput: for a bad pattern."""
    return _answer(ask, _TABLES, pattern)


def functions(ask: Ask, pattern: str | None = None) -> Around:
    """Return functions, procedures and aggregates; :raises InvalidInput: for a bad pattern."""
    return _answer(ask, _FUNCTIONS, pattern)


def _answer(ask: Ask, question: _Question, pattern: str | None) -> Around:
    if pattern is None:
        rows = _select(ask, question, OWN)
        empty = f"there is no {question.what} outside of the system's schemas"
        return Around(question.fields, tuples(rows), () if rows else (empty,))
    values: list[str | None] = []
    compared = matching(ask, question.matched, pattern, values)
    rows = _select(ask, question, [*compared, *OWN], *values) or _select(ask, question, compared, *values)
    if rows:
        return Around(question.fields, tuples(rows))
    word = pattern.strip('"')
    rows = _select(ask, question, [has_word(question.matched.name, "$1"), *OWN], word)
    note = f"nothing is called {pattern}: these have it in their name"
    if not rows:
        note = f"no {question.what} is called {pattern}, or has that in its name; {_next(ask, question, word)}"
    return Around(question.fields, tuples(rows), (note,))


def _select(ask: Ask, question: _Question, conditions: Iterable[str], *values: str | None) -> list[list[str | None]]:
    where = " and ".join([*question.where, *conditions])
    fields = ", ".join(field.sql for field in question.fields)
    return ask_qualified(
        ask, f"select {fields} from {question.source} where {where} order by {question.order}", *values
    )


def has_word(name: str, bound: str) -> str:
    """Return the condition that a text has a word in it, in whatever case."""
    return (
        f"pg_catalog.strpos(pg_catalog.lower({name}::pg_catalog.text), pg_catalog.lower({bound}::pg_catalog.text))"
        " operator(pg_catalog.>) 0"
    )


def tuples(rows: list[list[str | None]]) -> tuple[tuple[str | None, ...], ...]:
    """Return rows that do not change any more."""
    return tuple(map(tuple, rows))


def _next(ask: Ask, question: _Question, word: str) -> str:
    where = " and ".join([*question.where, *OWN])
    names = ask_qualified(
        ask, f"select distinct {question.matched.name} from {question.source} where {where} limit {_CANDIDATES}"
    )
    near = near_names(word, [name for [name] in names if name is not None])
    tried = f"did you mean {near}? " if near else ""
    return f"{tried}%tusk find {word} looks at columns and comments, too"


def near_names(word: str, names: list[str]) -> str:
    """Return the names that are spelt nearly so, to be offered; ``""`` where none is."""
    by_lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower().rpartition(".")[2], by_lower, n=_NEAR)
    return " or ".join(by_lower[name] for name in near)


_SCHEMAS = (
    Field("name", "text", "n.nspname"),
    Field("owner", "text", "pg_catalog.pg_get_userbyid(n.nspowner)"),
    Field("relations", "number", f"pg_catalog.count(*) filter (where {among('c.relkind', SHOWN_KINDS)})"),
    Field(
        "size",
        "bytes",
        f"coalesce(pg_catalog.sum(case when not {_LOCKED} and (c.relkind = 'r' or c.relkind = 'm')"
        " then pg_catalog.pg_total_relation_size(c.oid) end), 0)",
    ),
    Field(
        "rights",
        "text",
        "pg_catalog.concat_ws(', ', case when pg_catalog.has_schema_privilege(n.oid, 'USAGE') then 'usage' end,"
        " case when pg_catalog.has_schema_privilege(n.oid, 'CREATE') then 'create' end)",
    ),
    Field("comment", "text", "pg_catalog.obj_description(n.oid, 'pg_namespace')"),
)


def schemas(ask: Ask) -> Around:
    """Return the schemas that are not the system's: what is in them, how large, and what the role may do there."""
    fields = ", ".join(field.sql for field in _SCHEMAS)
    rows = ask_qualified(
        ask,
        f"select {fields} from pg_catalog.pg_namespace n"
        f" left join pg_catalog.pg_class c on c.relnamespace = n.oid"
        f" where {' and '.join(OWN)} group by n.oid, n.nspname, n.nspowner order by n.nspname",
    )
    return Around(_SCHEMAS, tuples(rows))


_INDEXES = (
    Field("schema", "text", "n.nspname"),
    Field("table", "text", "c.relname"),
    Field("name", "text", "x.relname"),
    Field(
        "columns",
        "text",
        "(select pg_catalog.string_agg("
        f"case when {_LOCKED} then a.attname else pg_catalog.pg_get_indexdef(i.indexrelid, k, true) end"
        " || case when (i.indoption[k operator(pg_catalog.-) 1] operator(pg_catalog.&) 1::pg_catalog.int2) = 1"
        " then ' DESC' else '' end, ', ' order by k) from pg_catalog.generate_series(1, i.indnkeyatts) k"
        " join pg_catalog.pg_attribute a on a.attrelid = i.indexrelid and a.attnum = k)",
    ),
    Field("method", "text", "am.amname"),
    Field("unique", "flag", "i.indisunique"),
    Field("primary", "flag", "i.indisprimary"),
    Field("valid", "flag", "i.indisvalid"),
    Field("size", "bytes", f"case when not {_LOCKED} then pg_catalog.pg_relation_size(x.oid) end"),
    Field("scans", "number", "s.idx_scan"),
)
# statistics have it since PostgreSQL 16
_LAST_USED = Field(
    "last_used", "time", "pg_catalog.to_char(s.last_idx_scan at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
)
_LAST_USED_SINCE = 160_000
_DEFINITION = Field("definition", "text", f"case when not {_LOCKED} then pg_catalog.pg_get_indexdef(i.indexrelid) end")
_INDEXED = (
    "pg_catalog.pg_index i join pg_catalog.pg_class c on c.oid = i.indrelid"
    " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
    " join pg_catalog.pg_class x on x.oid = i.indexrelid join pg_catalog.pg_am am on am.oid = x.relam"
    " left join pg_catalog.pg_stat_all_indexes s on s.indexrelid = x.oid"
)


def indexes(ask: Ask, name: str) -> Around:
    """Return the indexes of a table, or the one of that name, and how often each was used since statistics began."""
    [[version]] = ask("select pg_catalog.current_setting('server_version_num')")
    used = (_LAST_USED,) if int(version or 0) >= _LAST_USED_SINCE else ()
    matched = Matched("c.relname", "n.nspname", alternative="x.relname")
    fields = (*_INDEXES, *used, _DEFINITION)
    question = _Question(fields, _INDEXED, matched, "n.nspname, c.relname, x.relname", "table or index")
    values: list[str | None] = []
    compared = matching(ask, matched, name, values)
    rows = _select(ask, question, [*compared, *OWN], *values) or _select(ask, question, compared, *values)
    return Around(fields, tuples(rows), () if rows else (_no_index(ask, name),))


def _no_index(ask: Ask, name: str) -> str:
    found = tables(ask, name)
    if not found.notes:
        return f"{name} has no index"
    near = f": did you mean {' or '.join(dict.fromkeys(f'{r[0]}.{r[1]}' for r in found.rows[:_NEAR]))}?"
    return f"no table or index is called {name}{near}" if found.rows else found.notes[0]
