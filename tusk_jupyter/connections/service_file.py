"""What a service of ``pg_service.conf`` says of TLS, read before libpq reads it.

libpq reads the file itself and tells what stood there only once it connects, which is too late for what is looked at
before: whether files are there, whether a key is encrypted. Its passphrase may stand there too, and would be lost under
the one that is always given so that libpq never asks on a terminal.
https://www.postgresql.org/docs/current/libpq-pgservice.html
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tusk_jupyter.connections.conninfo import Conninfo


def get(conninfo: Conninfo, keyword: str, environ: Mapping[str, str] | None = None) -> str | None:
    """Return what the service that the parameters or ``PGSERVICE`` name says; ``None`` where it says nothing."""
    environ = os.environ if environ is None else environ
    name = conninfo.get("service") or environ.get("PGSERVICE")
    if not name:
        return None
    for path in _files(environ):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if (found := _section(text, name)) is not None:
            return found.get(keyword)
    return None


def names(environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the services that the files name, each once."""
    found: dict[str, None] = {}
    for path in _files(os.environ if environ is None else environ):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        lines = (raw.strip() for raw in text.splitlines())
        found.update((line[1:-1], None) for line in lines if line.startswith("[") and line.endswith("]"))
    return list(found)


def _files(environ: Mapping[str, str]) -> Iterator[Path]:
    if own := environ.get("PGSERVICEFILE"):
        yield Path(own)
    else:
        home = Path(environ.get("APPDATA", ""), "postgresql") if os.name == "nt" else Path(os.path.expanduser("~"))  # noqa: PTH111 - no exception without a home
        yield home / ".pg_service.conf"
    if shared := environ.get("PGSYSCONFDIR"):
        yield Path(shared, "pg_service.conf")


def _section(text: str, name: str) -> dict[str, str] | None:
    """Return the first section of that name, the first of its values for each keyword, as libpq takes them."""
    found: dict[str, str] | None = None
    for raw in text.splitlines():
        line = raw.strip()
        if line.startswith("["):
            if found is not None:
                return found
            found = {} if line == f"[{name}]" else None
        elif found is not None and not line.startswith("#"):
            keyword, equals, value = line.partition("=")
            if equals:
                found.setdefault(keyword, value)
    return found
