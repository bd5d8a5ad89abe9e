"""psql's own answers, to compare with: records and fields apart, whatever is in them."""

from __future__ import annotations

import os
import subprocess

RECORD, FIELD, BLOCK = "\x1e", "\x1f", "\x1d"


def answers(server, conninfo: str, commands: list[str]) -> list[list[str]]:
    """Return what psql prints for each command as records: title, headers, rows, footers."""
    script = "".join(f"\\qecho '{BLOCK}'\n{command}\n" for command in commands)
    done = subprocess.run(
        [str(server.bin / "psql"), "-X", "-q", "-A", "-F", FIELD, "-R", RECORD, conninfo],
        input=script, check=True, text=True, capture_output=True, timeout=300,
        env={**os.environ, "PAGER": "", "LC_ALL": "C.UTF-8", "PGCLIENTENCODING": "UTF8"},
    )  # fmt: skip
    assert done.stderr == ""
    blocks = done.stdout.split(f"{BLOCK}\n")[1:]
    assert len(blocks) == len(commands)
    # each table ends with a line break, and an empty line where it has footers
    return [block.rstrip("\n").split(RECORD) for block in blocks]


def records(listing) -> list[str]:
    """Return a listing as psql would print it."""
    rows = (FIELD.join(cell or "" for cell in row) for row in listing.rows)
    return RECORD.join([listing.title, FIELD.join(listing.columns), *rows, *listing.footers]).rstrip("\n").split(RECORD)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def asking(conn):
    """Return what asks a question on a connection of psycopg's; it counts the statements as ``ask.count``."""
    from psycopg import RawCursor

    def ask(statement, *values):
        ask.count += 1
        with RawCursor(conn) as cursor:
            cursor.execute(statement.encode(), values or None)
            found = cursor.pgresult
            cells = [[found.get_value(row, n) for n in range(found.nfields)] for row in range(found.ntuples)]
            return [[None if cell is None else bytes(cell).decode() for cell in row] for row in cells]

    ask.count = 0
    return ask
