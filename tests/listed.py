"""What psql prints for its listing commands, and the same from ours: as text whose fields and rows cannot be mistaken."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from functools import partial

import psycopg

from tusk_jupyter.errors import TuskError
from tusk_jupyter.looking import _asked
from tusk_jupyter.schema.asking import Listing, Wanted
from tusk_jupyter.schema.lists import find

FIELD, RECORD, COMMAND = "\x1f", "\x1e", "\x1d"
# psql prints no count of rows below these
_UNCOUNTED = ("Text search ", "List of roles")


@dataclass(frozen=True)
class Asked:
    """One command: its letters, its flags (S, +) and its patterns."""

    command: str
    flags: str = ""
    patterns: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([f"\\{self.command}{self.flags}", *self.patterns])


@dataclass(frozen=True)
class Printed:
    """What a command printed, and its last error."""

    text: str
    error: str = ""


def psql_prints(server, database: str, asked: list[Asked], *first: str) -> list[Printed]:
    """Run all commands in one psql; ``first`` runs before them, in each session of a comparison."""
    marked = [f"\\echo -n {COMMAND}\n\\warn -n {COMMAND}\n{one}\n" for one in asked]
    done = subprocess.run(
        [server.bin / "psql", "-X", "-q", "-A", "-F", FIELD, "-R", RECORD, server.conninfo(database)],
        input="".join([*(f"{statement};\n" for statement in first), *marked]),
        text=True, capture_output=True, check=True, timeout=300,
    )  # fmt: skip
    outputs, errors = done.stdout.split(COMMAND)[1:], done.stderr.split(COMMAND)[1:]
    assert len(outputs) == len(errors) == len(asked)
    return [Printed(_same(text.rstrip("\n")), _error(error)) for text, error in zip(outputs, errors, strict=True)]


def ours_prints(server, database: str, asked: list[Asked], *first: str) -> list[Printed]:
    """Run all commands of ours in one session, and print them as psql would."""
    with psycopg.connect(server.conninfo(database), autocommit=True, application_name="psql") as conn:
        for statement in first:
            conn.execute(statement)
        return [_ours(conn, one) for one in asked]


def _ours(conn, one: Asked) -> Printed:
    wanted = Wanted(one.command, one.patterns, "+" in one.flags, "S" in one.flags, conn.info.server_version)
    try:
        listings = find(one.command).list(partial(_asked, conn), wanted)
    except TuskError as error:
        return Printed("", error.message)
    except psycopg.Error as error:
        return Printed("", error.diag.message_primary)
    return Printed(_same(as_psql(listings)))


def as_psql(listings: list[Listing]) -> str:
    """Print listings as ``psql -A`` does: of those without a row, nothing."""
    return "\n".join(_listing(one) for one in listings if one.rows)


def _listing(one: Listing) -> str:
    count = len(one.rows)
    counted = () if one.title.startswith(_UNCOUNTED) else (f"({count} row{'s' if count != 1 else ''})",)
    rows = (FIELD.join("" if cell is None else cell for cell in row) for row in one.rows)
    return RECORD.join([one.title, FIELD.join(one.columns), *rows, *(one.footers or counted)])


def difference(asked: Asked, ours: Printed, psql: Printed) -> str | None:
    """Say where two answers part, or None where they are the same: each field, each title, each error."""
    if ours.error or (psql.error and not psql.error.startswith("Did not find")):
        return None if ours.error == psql.error else f"{asked}: {ours.error!r}, and of psql {psql.error!r}"
    if ours.text == psql.text or (not ours.text and re.search(r"\(0 rows\)$|^List of roles\x1e[^\x1e]*$", psql.text)):
        return None
    for mine, theirs in zip(ours.text.split(RECORD), psql.text.split(RECORD), strict=False):
        if mine != theirs:
            return f"{asked}: {mine!r}, and of psql {theirs!r}"
    return f"{asked}: {ours.text[-200:]!r} ends sooner or later than {psql.text[-200:]!r}"


def _same(text: str) -> str:
    """Return what does not depend on which of the server's slots a session has."""
    return re.sub(r"pg_(toast_)?temp_\d+", r"pg_\1temp_N", text)


def _error(text: str) -> str:
    return text.strip().partition("\n")[0].removeprefix("ERROR:").strip()
