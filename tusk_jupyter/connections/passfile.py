r"""The line of ``~/.pgpass`` for a server behind a tunnel, where libpq looks for the tunnel's port and finds none.

libpq reads the file itself for every other connection. The rules here are its own
(https://www.postgresql.org/docs/current/libpq-pgpass.html): the first line whose host, port, database and user fit,
``*`` fits anything, ``\`` takes the next character as it is, a file that others may read counts for nothing.
"""

from __future__ import annotations

import getpass
import os
import re
import stat
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tusk_jupyter.connections.conninfo import Conninfo

_FIELD = re.compile(r"((?:\\.|[^\\:])*):", re.DOTALL)


def applied(conninfo: Conninfo, environ: Mapping[str, str] | None = None) -> Conninfo:
    """Return the parameters with the file's password in them, unless they or the environment have one already."""
    environ = os.environ if environ is None else environ
    if conninfo.password is not None or environ.get("PGPASSWORD"):
        return conninfo
    found = find(conninfo, environ)
    return conninfo if found is None else replace(conninfo, password=found)


def find(conninfo: Conninfo, environ: Mapping[str, str]) -> Secret | None:
    """Return the password of the first line that fits; ``None`` where there is no such line or no such file."""
    path = _path(conninfo, environ)
    wanted = _wanted(conninfo, environ)
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) or (sys.platform != "win32" and mode & (stat.S_IRWXG | stat.S_IRWXO)):
            return None
        text = path.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    for line in (each.rstrip("\r") for each in text.split("\n")):
        found = None if line.startswith("#") else _fits(line, wanted)
        if found is not None:
            return found
    return None


def _path(conninfo: Conninfo, environ: Mapping[str, str]) -> Path:
    given = conninfo.get("passfile") or environ.get("PGPASSFILE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        return Path(environ.get("APPDATA", ""), "postgresql", "pgpass.conf")
    return Path(environ.get("HOME") or Path.home(), ".pgpass")


def _wanted(conninfo: Conninfo, environ: Mapping[str, str]) -> tuple[str, ...]:
    host = (conninfo.host or environ.get("PGHOST") or "localhost").split(",")[0]
    port = (conninfo.port or environ.get("PGPORT") or "5432").split(",")[0]
    user = conninfo.user or environ.get("PGUSER") or getpass.getuser()
    return host or "localhost", port or "5432", conninfo.dbname or environ.get("PGDATABASE") or user, user


def _fits(line: str, wanted: tuple[str, ...]) -> Secret | None:
    at = 0
    for value in wanted:
        field = _FIELD.match(line, at)
        if field is None or (field[1] != "*" and _plain(field[1]) != value):
            return None
        at = field.end()
    password = _plain(line[at:])
    return Secret(password) if password else None


def _plain(text: str) -> str:
    return re.sub(r"\\(.?)", r"\1", text)
