"""Migration 2 of ``tusk.db``: connections, groups, preferences, snippets, and the full text index of the history.

No ``STRICT`` tables, no ``json_valid``: RHEL 8 and 9 have Python 3.11 on SQLite 3.26 and 3.34, and a file is shared by
all Pythons of a user. ``CHECK`` constraints keep what matters, and whoever reads a row checks it once more.

The index is FTS5 over a view of ``history``, kept by triggers: external content, so that no text is stored twice. Its
tokenizer is ``unicode61``, which parts words at everything that is no letter or digit, ``_`` and ``.`` included; a
word of the user becomes a phrase of the same parts. So ``dep_delay``, ``dep_d``, ``shop.orders``, ``orders`` and
``delay`` are all found as they were typed. Whole identifiers as tokens (``tokenchars '_.'``) would find neither
``delay`` nor ``orders`` behind its schema. Outcome and connection are columns of the index, so that a filter is an
intersection in it and not a look at every row. ``prefix='1 2'`` has the two shortest prefixes ready (``c*`` in
1,000,000 rows: 0.1 ms in place of 190), for 150 of the index's 260 MB beside 300 MB of rows. FTS5's own
``secure-delete`` is left alone: once used, SQLite before 3.42 cannot read the index, and kernels of several Pythons
share the file.

Where FTS5 is not compiled in, a trigger that needs it would make every row of history fail, so :func:`index_history`
removes the triggers there; a Python that has it finds them missing and builds the index anew.
"""

from __future__ import annotations

import sqlite3

from tusk_jupyter.storage.transaction import transaction

SCHEMA_2: tuple[str, ...] = (
    """
    create table connection_groups (
        id text not null primary key check (id <> ''),
        name text not null check (trim(name) <> ''),
        parent_id text references connection_groups (id) on delete set null check (parent_id <> id),
        sort_order integer not null default 0 check (typeof(sort_order) = 'integer'),
        color text
    )
    """,
    "create unique index connection_groups_name on connection_groups (coalesce(parent_id, ''), name)",
    """
    create table connections (
        id text not null primary key check (id <> ''),
        name text not null unique check (trim(name) <> ''),
        host text not null check (trim(host) <> ''),
        port integer not null default 5432 check (typeof(port) = 'integer' and port between 1 and 65535),
        database text not null check (trim(database) <> ''),
        username text not null check (trim(username) <> ''),
        ssl_mode text not null default 'prefer'
            check (ssl_mode in ('disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full')),
        ssl_ca_cert text,
        ssl_client_cert text,
        ssl_client_key text,
        ssh_tunnel text,
        read_only integer not null default 0 check (read_only in (0, 1)),
        statement_timeout_ms integer check (typeof(statement_timeout_ms) in ('integer', 'null')),
        lock_timeout_ms integer check (typeof(lock_timeout_ms) in ('integer', 'null')),
        connect_timeout_s real check (typeof(connect_timeout_s) in ('real', 'null')),
        pool_timeout_s real check (typeof(pool_timeout_s) in ('real', 'null')),
        application_name text,
        pool_size integer check (typeof(pool_size) in ('integer', 'null')),
        color text,
        group_id text references connection_groups (id) on delete set null,
        history integer not null default 1 check (history in (0, 1)),
        embedded text,
        parameters text not null default '{}',
        created_at text not null,
        updated_at text not null
    )
    """,
    "create index connections_group on connections (group_id)",
    """
    create table preferences (
        key text not null primary key check (key <> ''),
        value text not null,
        updated_at text not null
    )
    """,
    """
    create table snippets (
        id text not null primary key check (id <> ''),
        name text not null unique check (trim(name) <> ''),
        sql text not null,
        created_at text not null,
        updated_at text not null
    )
    """,
    # of a statement that was too long to be kept whole, how long it was
    "alter table history add column characters integer",
    "alter table history add column kernel text",
    "create index history_connection on history (connection)",
    "create index history_failed on history (id) where error is not null",
    "create index history_failed_connection on history (connection) where error is not null",
    """
    create view history_searchable as
    select id, sql, error, case when error is null then 'completed' else 'failed' end as outcome, connection
    from history
    """,
)

INDEX = "history_text"
_COLUMNS = "sql, error, outcome, connection"
_OUTCOME = "case when {row}.error is null then 'completed' else 'failed' end"
_VALUES = f"{{row}}.id, {{row}}.sql, {{row}}.error, {_OUTCOME}, {{row}}.connection"
_TRIGGERS = {
    f"{INDEX}_insert": (
        f"after insert on history begin insert into {INDEX} (rowid, {_COLUMNS})"
        f" values ({_VALUES.format(row='new')}); end"
    ),
    f"{INDEX}_delete": (
        f"after delete on history begin insert into {INDEX} ({INDEX}, rowid, {_COLUMNS})"
        f" values ('delete', {_VALUES.format(row='old')}); end"
    ),
}
_BUILD = (
    f"""
    create virtual table {INDEX} using fts5 (
        {_COLUMNS}, content = 'history_searchable', content_rowid = 'id', columnsize = 0,
        prefix = '1 2', tokenize = 'unicode61'
    )
    """,
    *(f"create trigger {name} {body}" for name, body in _TRIGGERS.items()),
    f"insert into {INDEX} ({INDEX}) values ('rebuild')",
)


def has_fts5(conn: sqlite3.Connection) -> bool:
    """Return whether this SQLite can search full text."""
    try:
        return conn.execute("select 1 from pragma_module_list where name = 'fts5'").fetchone() is not None
    except sqlite3.OperationalError:  # built without that pragma: as good as without the module
        return False


def is_indexed(conn: sqlite3.Connection) -> bool:
    """Return whether the history can be searched through its index, here and now."""
    return has_fts5(conn) and _has_triggers(conn)


def index_history(conn: sqlite3.Connection) -> None:
    """Bring the index into line with this SQLite: there where it has FTS5, out of the way where it has not.

    To be called at every opening, outside a transaction; costs two look-ups when there is nothing to do.
    """
    if has_fts5(conn) == _has_triggers(conn):
        return
    with transaction(conn):
        if has_fts5(conn) and not _has_triggers(conn):  # another kernel may have been faster
            rebuild_index(conn)
        elif not has_fts5(conn):
            _drop_triggers(conn)


def rebuild_index(conn: sqlite3.Connection) -> None:
    """Make the index from the rows, whatever there was of it; inside a transaction of the caller's."""
    _drop_triggers(conn)
    conn.execute(f"drop table if exists {INDEX}")
    for statement in _BUILD:
        conn.execute(statement)


def _has_triggers(conn: sqlite3.Connection) -> bool:
    names = ", ".join(f"'{name}'" for name in _TRIGGERS)
    (found,) = conn.execute(
        f"select count(*) from sqlite_master where type = 'trigger' and name in ({names})"
    ).fetchone()
    return bool(found == len(_TRIGGERS))


def _drop_triggers(conn: sqlite3.Connection) -> None:
    for name in _TRIGGERS:
        conn.execute(f"drop trigger if exists {name}")
