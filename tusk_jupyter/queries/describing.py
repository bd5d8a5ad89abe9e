r"""What columns a statement would return, without running it: psql's ``\gdesc``.

The server parses the statement and describes it, as it does for every statement that is sent; the types are written by
``format_type``, whose second argument has the length of a ``varchar(20)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tusk_jupyter.queries.looking import Looking, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg.pq.abc import PGresult

_TYPES = """
select pg_catalog.format_type(u.type, u.modifier)
from rows from (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.int4[]))
  with ordinality as u (type, modifier, place)
order by u.place
"""


@dataclass(slots=True, kw_only=True)
class Describing(Looking):
    """A statement that is described; ``answers`` gets the names and types of its columns."""

    def run(self) -> None:
        """Ask; :raises InvalidInput, BindingError: for text or values that cannot be sent."""
        self.question = self._columns
        Looking.run(self)  # super() does not find itself in a class with slots

    def _columns(self, ask: Callable[..., list[list[str | None]]]) -> list[tuple[str, str]]:
        self.reply, columns = self.session.describe(self.token, self._command())
        if self.reply.error is not None:
            raise RefusedError
        if columns is None or not columns.nfields:
            return []
        places = range(columns.nfields)
        oids = ",".join(str(columns.ftype(place)) for place in places)
        modifiers = ",".join(str(columns.fmod(place)) for place in places)
        types = [found or "" for [found] in ask(_TYPES, f"{{{oids}}}", f"{{{modifiers}}}")]
        return [(self._name(columns, place), found) for place, found in zip(places, types, strict=True)]

    def _name(self, columns: PGresult, place: int) -> str:
        return (columns.fname(place) or b"").decode(self.session.encoding, "replace")
