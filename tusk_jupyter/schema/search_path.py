"""Where a session looks for a name: its setting ``search_path``, resolved by what the Catalog knows of the schemas.

What ``current_schemas(true)`` would say, without asking: the setting comes to us by itself from PostgreSQL 18 on
(ParameterStatus), and before that ``SHOW`` tells it in any transaction, where a query would take the snapshot that
``SET TRANSACTION`` has to come before. And a schema that is made later is found without another question.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tusk_jupyter.schema.catalog import Schema

_ENTRY = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^",\s]+))\s*(?:,|$)')


def entries(setting: str) -> Iterator[str]:
    """Yield the names in a ``search_path`` as PostgreSQL reads them."""
    for found in _ENTRY.finditer(setting):
        quoted, plain = found["quoted"], found["plain"]
        if quoted is not None:
            yield quoted.replace('""', '"')
        else:
            yield "".join(c.lower() if c.isascii() else c for c in plain)


def resolve(setting: str, *, user: str, schemas: Mapping[str, Schema], temp: str | None) -> tuple[str, ...]:
    """Return the schemas that are searched, in their order; those that are missing or closed to the user left out.

    :param temp: the schema of the session's temporary tables, if it has any.
    """
    path: dict[str, None] = {}
    for entry in entries(setting):
        name = user if entry == "$user" else temp if entry == "pg_temp" else entry
        known = schemas.get(name) if name is not None else None
        if name is not None and (name == temp or (known is not None and known.usage)):
            path[name] = None
    first = [name for name in (temp, "pg_catalog") if name is not None and name not in path]
    return (*first, *path)
