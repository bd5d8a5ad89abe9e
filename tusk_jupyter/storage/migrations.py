"""How ``tusk.db`` came to be what it is: an ordered list, each applied once, together with the record of it.

The version is checked inside ``BEGIN IMMEDIATE``: four kernels that start at once would otherwise run the same
migration four times (three fail with «table exists»). A file that is up to date is not locked at all.
"""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tusk_jupyter.errors import MigrationError
from tusk_jupyter.storage.schema import SCHEMA_2
from tusk_jupyter.storage.transaction import transaction

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
    SCHEMA_2,
)
_TABLE = re.compile(r"\s*create\s+(?:virtual\s+)?table\s+(\w+)", re.IGNORECASE)


def migrate(conn: sqlite3.Connection) -> None:
    """Bring the file up to date; :raises MigrationError: when it is newer than this version, or not ours."""
    if application_id(conn) == APPLICATION_ID and version_of(conn) == len(MIGRATIONS):
        return
    with transaction(conn):
        for number, statements in enumerate(MIGRATIONS[_version(conn) :], start=version_of(conn) + 1):
            for statement in statements:
                conn.execute(statement)
            conn.execute("insert into migrations values (?, ?)", (number, datetime.now(UTC).isoformat()))
            conn.execute(f"pragma user_version = {number}")


def application_id(conn: sqlite3.Connection) -> int:
    """Return whose file it is, by its header."""
    found: int = conn.execute("pragma application_id").fetchone()[0]
    return found


def version_of(conn: sqlite3.Connection) -> int:
    """Return the number of the last migration that was applied."""
    found: int = conn.execute("pragma user_version").fetchone()[0]
    return found


def newer(version: int) -> MigrationError:
    """Return the refusal of a file that a later version has written."""
    return MigrationError(f"tusk.db was written by a newer tusk-jupyter (version {version} of its format)")


@functools.cache
def required_tables(version: int) -> frozenset[str]:
    """Return the names of the tables that a file of this version has."""
    made = (_TABLE.match(statement) for statements in MIGRATIONS[:version] for statement in statements)
    return frozenset({"migrations"} | {found[1] for found in made if found})


def added_columns(table: str) -> int:
    """Return how many columns a table was given after it was made: older rows end before them."""
    statements = (statement.strip() for migration in MIGRATIONS for statement in migration)
    return sum(statement.startswith(f"alter table {table} add column") for statement in statements)


def _version(conn: sqlite3.Connection) -> int:
    tables = conn.execute("select count(*) from sqlite_master").fetchone()[0]
    if application_id(conn) != APPLICATION_ID and tables:
        raise MigrationError("tusk.db is another application's SQLite database")
    if not tables:
        conn.execute(f"pragma application_id = {APPLICATION_ID}")
        conn.execute("create table migrations (version integer primary key, applied_at text not null)")
    version = version_of(conn)
    if version > len(MIGRATIONS):
        raise newer(version)
    return version
