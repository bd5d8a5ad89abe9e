"""Where chunks of rows go on their way to a frame: counted, limited, decoded.

pandas and pyarrow are imported with the first chunk, on the worker: a cell that returns no rows never waits for them.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tusk_jupyter.queries import classify

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.execution import Options
    from tusk_jupyter.queries.split import Statement
    from tusk_jupyter.results.decode import Decoder
    from tusk_jupyter.results.types import Column

TYPES_FRESH_S = 30.0


class RowSink:
    """Takes the chunks of one statement's result."""

    def __init__(self, session: Session, limit: int | None) -> None:
        self._session = session
        self._limit = limit
        self._decoder: Decoder | None = None
        self.columns: tuple[Column, ...] = ()
        self.received = 0
        self.kept = 0

    @property
    def truncated(self) -> bool:
        """Whether there were more rows than the limit lets through."""
        return self.received > self.kept

    @staticmethod
    def expects_rows(statement: Statement) -> bool:
        """Tell whether rows will come, before they do."""
        return classify.query_type(statement) == "select"

    @staticmethod
    def warm_up() -> None:
        """Import what decodes rows: 0.4 s once, which is not the statement's and must not stand in its status line."""
        from tusk_jupyter.results import decode, frame  # noqa: F401

    def take(self, chunk: PGresult) -> None:
        """Decode one chunk (on the worker)."""
        if self._decoder is None:
            self._decoder = self._start(chunk)
        take = chunk.ntuples if self._limit is None else min(chunk.ntuples, self._limit - self.kept)
        self.received += chunk.ntuples
        if take > 0:
            self._decoder.append(chunk, rows=take)
            self.kept += take

    def _start(self, chunk: PGresult) -> Decoder:
        from tusk_jupyter.results import decode

        settings = decode.Settings(
            date_style=self._session.parameter("DateStyle") or "ISO, MDY",
            interval_style=self._session.parameter("IntervalStyle") or "postgres",
            time_zone=self._session.parameter("TimeZone") or "UTC",
            encoding=self._session.parameter("client_encoding") or "UTF8",
        )
        self.columns = tuple(decode.columns_of(chunk, settings.encoding))
        return decode.Decoder(self.columns, settings)

    def learn_types(self) -> None:
        """Ask the session what its own types are: it may have made them in the transaction that is still open."""
        if self._decoder is None or not self._decoder.unknown_oids:
            return
        from tusk_jupyter.results import types

        now = time.monotonic()
        missing = [
            oid for oid in self._decoder.unknown_oids if now - self._session.types.get(oid, (0.0,))[0] > TYPES_FRESH_S
        ]
        if missing:
            array = "{" + ",".join(str(oid) for oid in missing) + "}"
            found = types.parse_type_info(self._session.rows(types.TYPE_INFO_SQL, array))
            self._session.types.update({oid: (now, info) for oid, info in found.items()})

    def finish(self, options: Options) -> tuple[Any, tuple[Column, ...], tuple[str, ...]]:
        """Return the frame, its columns and what is to be noted; no frame for a statement without rows."""
        if self._decoder is None:
            return None, (), ()
        from tusk_jupyter.results import frame

        decoded = self._decoder.finish({oid: info for oid, (_, info) in self._session.types.items()})
        if options.format == "pandas":
            made, notes = frame.to_pandas(decoded, options.frame, release=True)
        else:
            make = {"arrow": frame.to_arrow, "polars": frame.to_polars, "rows": frame.to_rows}
            made, notes = make[options.format](decoded, options.frame)
        return made, tuple(decoded.columns), tuple(notes)
