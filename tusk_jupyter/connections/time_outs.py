"""The time-outs that the server keeps: what each is in a session, and who made it so.

``pg_settings`` tells where a value comes from (``source``), and a session is asked once, when it begins, in the query
that asks for its version: when one of them strikes nothing has to be looked up, and a session that it ended could not
be asked any more. What follows in the session is followed (:mod:`~tusk_jupyter.queries.time_outs`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

# transaction_timeout since 17, idle_session_timeout since 14
NAMES: Final = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
)
# file and line are for superusers and pg_read_all_settings; null for others. The login role is who has ALTER ROLE's
READ: Final = """
select pg_catalog.json_agg(pg_catalog.json_build_array(name, setting, source, sourcefile, sourceline,
         session_user, pg_catalog.current_database()))
from pg_catalog.pg_settings where name in ({})
""".format(", ".join(f"'{name}'" for name in NAMES)).strip()
NOBODY: Final = "default"


@dataclass(frozen=True, slots=True)
class TimeOut:
    """A time-out in milliseconds (0: none).

    ``source`` is that of ``pg_settings``, or what this side knows better: ``connection`` (an option of the
    connection's), ``local`` (SET LOCAL), ``function`` (the SET clause of a function). ``place`` is a file and line, or
    the function.
    """

    name: str
    ms: int = 0
    source: str = NOBODY
    place: str | None = None
    role: str | None = None
    database: str | None = None


def parse(answer: str | None) -> dict[str, TimeOut]:
    """Return the time-outs in what :data:`READ` gave, by name."""
    found = {}
    for name, setting, source, file, line, role, database in json.loads(answer or "[]") or []:
        place = f"{file}:{line}" if file and line else file or None
        found[name] = TimeOut(name, int(setting), source, place, role, database)
    return found
