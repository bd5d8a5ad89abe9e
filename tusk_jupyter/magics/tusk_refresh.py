"""``%tusk refresh``: read again what a database holds, now, and wait for it.

On a connection of the pool, as everything that the catalog reads; with a pool of one on the session itself, which is
the only connection then. To stop waiting stops the wait, not the reading: what was read until then is kept either way.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tusk_jupyter import interrupts
from tusk_jupyter.connections.durations import duration
from tusk_jupyter.errors import ConnectionFailed, QueryCancelled, QueryInterrupted
from tusk_jupyter.magics.tusk_commands import Commands

if TYPE_CHECKING:
    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.schema.catalog import Catalog

_LEAST = 2


class RefreshCommands(Commands):
    """What is known of a database."""

    def do_refresh(self, connection: str = "") -> None:
        """``%tusk refresh [CONNECTION]``: reread what the database holds, for completion and advice."""
        from tusk_jupyter.magics import connect

        found = self._tusk.connection(connection or None, connect.ask)
        began = time.monotonic()
        # one that was lost is opened again, by whoever may ask for its password
        found.session(connect.ask)
        catalog = self._read(found)
        took = duration((time.monotonic() - began) * 1000)
        self._say(f"schema of {found.name} reread in {took}: {_counts(catalog)}")

    def _read(self, connection: Connection) -> Catalog:
        if connection.target.limits.pool_size < _LEAST:
            return self._read_on_session(connection)
        future = self._tusk.schemas.refresh(connection)
        if not interrupts.wait(future, on_interrupt=lambda _: True, on_tick=lambda: False):
            raise QueryInterrupted(
                QueryCancelled(
                    "interrupted while the schema was read",
                    advice="It is read to its end in the background; what was known before is still known.",
                )
            )
        if future.cancelled():
            raise ConnectionFailed(f"{connection.name!r} was disconnected", advice="Connect again.")
        if (error := future.exception()) is not None:
            from tusk_jupyter.translate import translate

            raise translate(error, doing="reading the schema")
        return future.result()

    def _read_on_session(self, connection: Connection) -> Catalog:
        from tusk_jupyter import looking
        from tusk_jupyter.magics import connect

        cache = self._tusk.schemas.cache(connection)
        return looking.look(
            self._tusk,
            "%tusk refresh",
            cache.read_with,
            connection=connection,
            ask=connect.ask,
            on_tick=self._output.tick,
        ).answer


def _counts(catalog: Catalog) -> str:
    relations = sum(map(len, catalog.by_schema.values()))
    functions = sum(map(len, catalog.functions_by_name.values()))
    counted = (
        ("schema", len(catalog.schemas)),
        ("relation", relations),
        ("function", functions),
        ("type", len(catalog.types)),
    )
    return ", ".join(f"{count:,} {what}{'' if count == 1 else 's'}" for what, count in counted)
