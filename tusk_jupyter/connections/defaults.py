"""What the first cell connects to when nobody said: the environment, as libpq's other clients read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.connections import conninfo
from tusk_jupyter.connections.target import Target
from tusk_jupyter.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

# enough of libpq's variables to say that somebody means a server; PGTZ and its kind alone do not
_MEANT = ("PGSERVICE", "PGHOST", "PGHOSTADDR", "PGDATABASE", "PGUSER", "PGPORT")


def from_environment(environ: Mapping[str, str]) -> Target | None:
    """Return ``$DATABASE_URL``'s target, else that of ``PG*``, else ``None``."""
    from tusk_jupyter.connections.opening import Settings

    if url := environ.get("DATABASE_URL"):
        return Target(_url(url), Settings(), notes=("connected by $DATABASE_URL",))
    given = [name for name in _MEANT if environ.get(name)]
    if given:
        return Target(conninfo.Conninfo(()), Settings(), notes=(f"connected by ${', $'.join(given)}",))
    return None


def _url(url: str) -> conninfo.Conninfo:
    try:
        return conninfo.parse(url)
    except InvalidInput as error:
        refused = error
    del url
    raise InvalidInput(f"$DATABASE_URL: {refused.message}", advice=refused.advice)
