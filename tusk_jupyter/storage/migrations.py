"""How ``tusk.db`` came to be what it is: an ordered list, each applied once, together with the record of it.

The version is checked inside ``BEGIN IMMEDIATE``: four kernels that start at once would otherwise run the same
migration four times (three fail with «table exists»).
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tusk_jupyter.errors import MigrationError

if TYPE_CHECKING:
    import sqlite3

APPLICATION_ID = 0x7475736B  # "tusk"

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """
        create table history (
            id integer primary key,
            query_id text not null,
            connection_id text not null,
            connection text not null,
            database text,
            sql text not null,
            parameters text not null,
            started_at text not null,
            elapsed_ms real,
            rows integer,
            command_tag text,
            sqlstate text,
            error text,
            transaction_status text
        )
        """,
        "create index history_started_at on history (started_at)",
    ),
)


def migrate(conn: sqlite3.Connection) -> None:
    """Bring the file up to date; :raises MigrationError: when it is newer than this version, or not ours."""
    conn.execute("begin immediate")
    try:
        version = _version(conn)
        for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in statements:
                conn.execute(statement)
            conn.execute("insert into migrations values (?, ?)", (number, datetime.now(UTC).isoformat()))
            conn.execute(f"pragma user_version = {number}")
        conn.execute("commit")
    except BaseException:
        if conn.in_transaction:
            conn.execute("rollback")
        raise


def _version(conn: sqlite3.Connection) -> int:
    application = conn.execute("pragma application_id").fetchone()[0]
    tables = conn.execute("select count(*) from sqlite_master").fetchone()[0]
    if application != APPLICATION_ID and tables:
        raise MigrationError("the file is another application's SQLite database")
    if not tables:
        conn.execute(f"pragma application_id = {APPLICATION_ID}")
        conn.execute("create table migrations (version integer primary key, applied_at text not null)")
    version: int = conn.execute("pragma user_version").fetchone()[0]
    if version > len(MIGRATIONS):
        raise MigrationError(f"the file was written by a newer tusk-jupyter (version {version} of its format)")
    return version
