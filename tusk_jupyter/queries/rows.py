"""Where chunks of rows go on their way to a frame: counted, limited, decoded.

pandas and pyarrow are imported with the first chunk, on the worker: a cell that returns no rows never waits for them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.pq import Format

from tusk_jupyter.queries import classify

if TYPE_CHECKING:
    from collections.abc import Callable

    from psycopg.pq.abc import PGresult

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.queries.delivery import Options
    from tusk_jupyter.queries.memory import Guard, Overflow
    from tusk_jupyter.queries.split import Statement
    from tusk_jupyter.results.decode import Decoded, Decoder, Settings
    from tusk_jupyter.results.destination import Written
    from tusk_jupyter.results.types import Column, TypeInfo


class RowSink:
    """Takes the chunks of one statement's result."""

    describes = False  # whether it has to know the columns before the statement is sent
    needs_text = False  # whether it wants what PostgreSQL writes, not what that stands for
    written: Written | None = None

    def __init__(
        self,
        session: Session,
        limit: int | None,
        *,
        guard: Guard | None = None,
        stop: Callable[[], object] | None = None,
        is_exact: bool = False,
    ) -> None:
        self._session = session
        self._limit = limit
        self._guard = guard
        self._stop = stop
        self._is_exact = is_exact
        self._objects = 0.0
        self.overflow: Overflow | None = None
        self._decoder: Decoder | None = None
        self._types: dict[int, TypeInfo] = {}
        self.columns: tuple[Column, ...] = ()
        self.received = 0
        self.kept = 0
        self.nbytes = 0  # of the rows that are in memory, or have gone to a file
        self._passed_on = 0  # those of them that have

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
        from tusk_jupyter.results import frame, native  # noqa: F401

    def take(self, chunk: PGresult) -> None:
        """Decode one chunk (on the worker); what follows an overflow is let go, and ``stop`` called once."""
        if self.overflow is not None:
            return
        if self._decoder is None:
            self._decoder = self._start(chunk)
        take = chunk.ntuples if self._limit is None else min(chunk.ntuples, self._limit - self.kept)
        self.received += chunk.ntuples
        if take > 0:
            self._decoder.append(chunk, rows=take)
            self.kept += take
            self.nbytes = self._passed_on + self._decoder.nbytes
            self._look(self.nbytes)

    def _look(self, nbytes: int) -> None:
        """Stop the statement where its result would not fit into memory, and let go of what there is of it."""
        if self._guard is None:
            return
        self.overflow = self._guard.overflow(nbytes, rows=self.kept, objects=self._objects)
        if self.overflow is not None:
            self._decoder = None
            if self._stop is not None:
                self._stop()

    def _start(self, chunk: PGresult) -> Decoder:
        from tusk_jupyter.results import decode, native

        settings = self._settings(chunk)
        self.columns = tuple(decode.columns_of(chunk, settings.encoding))
        objects = sum(not decode.is_compact(c.oid, exact=self._is_exact) for c in self.columns)
        self._objects = objects / max(len(self.columns), 1)
        return native.decoder_for(self.columns, settings)

    def _settings(self, chunk: PGresult) -> Settings:
        from tusk_jupyter.results.decode import Settings

        return Settings(
            binary=chunk.nfields > 0 and chunk.fformat(0) == Format.BINARY,
            date_style=self._session.parameter("DateStyle") or "ISO, MDY",
            interval_style=self._session.parameter("IntervalStyle") or "postgres",
            time_zone=self._session.parameter("TimeZone") or "UTC",
            encoding=self._session.parameter("client_encoding") or "UTF8",
        )

    def begin(self, described: PGresult, statement: Statement) -> None:
        """Take note of the columns that will come, where ``describes`` asks for them."""

    def discard(self) -> None:
        """Leave nothing behind of rows that nobody will get; doing it twice is fine."""
        # what it stops holds it: neither, nor the frame, would go before Python looks for cycles
        self._decoder = self._stop = None

    def after_run(self, error: TuskError) -> TuskError:
        """Return the error with which rows were refused of a statement that ran to its end all the same."""
        return error

    def abandon(self) -> None:
        """Know that nobody waits any more (called by who waited)."""

    def learn_types(self) -> None:
        """Ask the session what its own types are: it may have made them in the transaction that is still open.

        Enums and composites are asked for each time, because others may alter them; base types (PostGIS, pgvector)
        never change, and are remembered.
        """
        if self._decoder is None:
            return
        self._types = {oid: self._session.types[oid] for oid in self._decoder.unknown_oids & self._session.types.keys()}
        missing = self._decoder.unknown_oids - self._types.keys()
        if missing:
            from tusk_jupyter.results.types import TYPE_INFO_SQL, oid_array, parse_type_info

            found = parse_type_info(self._session.rows(TYPE_INFO_SQL, oid_array(missing)))
            self._types |= found
            self._session.types |= {oid: info for oid, info in found.items() if info.kind == "b" and not info.element}

    def finish(self, options: Options) -> tuple[Any, tuple[Column, ...], tuple[str, ...]]:
        """Return the frame, its columns and what is to be noted; no frame for a statement without rows."""
        decoded = self.decoded()
        return (None, (), ()) if decoded is None else framed(decoded, options)

    def decoded(self) -> Decoded | None:
        """Return what was collected; ``None`` for a statement without rows."""
        return self._decoder.finish(self._types) if self._decoder is not None else None


def framed(decoded: Decoded, options: Options) -> tuple[Any, tuple[Column, ...], tuple[str, ...]]:
    """Return a result as what was asked for, its columns and what is to be noted."""
    from tusk_jupyter.results import frame

    if options.format == "pandas":
        made, notes = frame.to_pandas(decoded, options.frame, release=True)
    else:
        make = {"arrow": frame.to_arrow, "polars": frame.to_polars, "rows": frame.to_rows}
        made, notes = make[options.format](decoded, options.frame)
    return made, tuple(decoded.columns), tuple(notes)
