"""Where chunks of rows go on their way to a file: counted, limited, decoded, written, let go.

A file's schema has to be there before its first row, and a column of a user's type says only an OID: so the statement
is described before it is sent, and the session asked about its types while it can still be asked. That costs three
round trips. Learning the types at the end, as a frame does, would mean to hold the rows until then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InternalError, InvalidInput, TuskError
from tusk_jupyter.queries import classify
from tusk_jupyter.queries.rows import RowSink

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.delivery import Options
    from tusk_jupyter.queries.split import Statement
    from tusk_jupyter.results.decode import Decoder, Settings
    from tusk_jupyter.results.files import ResultFile
    from tusk_jupyter.results.types import Column


class FileSink(RowSink):
    """Takes the chunks of one statement's result and writes them; ``discard()`` leaves no trace of them."""

    describes = True

    def __init__(self, session: Session, options: Options) -> None:
        super().__init__(session, options.limit)
        if options.destination is None:
            raise InternalError("there is no file to write to")
        self._options = options
        self._destination = options.destination
        self.needs_text = options.destination.kind == "csv"
        self._file: ResultFile | None = None
        self._how: Settings | None = None
        self._changes_data = False

    @staticmethod
    def warm_up() -> None:
        """Import what decodes and writes rows."""
        from tusk_jupyter.results import files, native  # noqa: F401

    def begin(self, described: PGresult, statement: Statement) -> None:
        """Open the file with the schema of the columns that will come.

        :raises InvalidInput: when there are none, or the file has the rows of another statement already.
        :raises IoError: when the file cannot be made.
        """
        self._changes_data = not classify.reads_only_shape(statement)
        if not described.nfields:
            if classify.reads_only_shape(statement):
                raise self._without_columns("It was not run.")
            return
        if self._destination.written is not None:
            raise InvalidInput(
                f"{self._destination.shown!r} has the rows of an earlier statement, and this one returns some too",
                advice="It was not run. Put it into a cell of its own.",
            )
        from tusk_jupyter.results.files import ResultFile
        from tusk_jupyter.results.types import named

        self._decoder = super()._start(described)
        self.learn_types()
        self.columns = named(self.columns, self._types)
        self._decoder = None
        self._file = ResultFile(
            self._destination.open(),
            self._destination.kind,
            self.columns,
            types=self._decoded_types(),
            settings=self._settings(described),
            options=self._options.frame,
        )

    def take(self, chunk: PGresult) -> None:
        """Decode one chunk, and write what has come together (on the worker).

        :raises ConversionError: for a value that the file cannot hold.
        :raises IoError: when it cannot be written.
        """
        from tusk_jupyter.results import files

        super().take(chunk)
        decoder = self._decoder
        if decoder is not None and (decoder.rowcount >= files.ROWS_AT_ONCE or decoder.nbytes >= files.BYTES_AT_ONCE):
            self._write(decoder)

    def learn_types(self) -> None:
        """Ask once, before the statement: afterwards its rows are written."""
        if self._file is None and self._decoder is not None:
            super().learn_types()

    def finish(self, options: Options) -> tuple[Any, tuple[Column, ...], tuple[str, ...]]:  # noqa: ARG002 - known since begin()
        """Complete the file and put it under its name.

        :raises IoError: when it cannot be.
        """
        file = self._file
        if file is None:
            return None, (), ()
        try:
            if self._decoder is not None:
                self._write(self._decoder)
            file.close()
            self.written = self._destination.finish()
        except OSError as error:
            raise self.after_run(self._destination.failed(error)) from error
        except TuskError as error:
            raise self.after_run(error) from None
        return None, self.columns, file.notes

    def discard(self) -> None:
        """Remove a file that was not finished."""
        if self._file is not None and self.written is None:
            self._file.discard()
        self._file = None
        self._destination.discard()

    def abandon(self) -> None:
        """Let the file not appear when nobody waits for it any more."""
        self._destination.abandon()

    def _start(self, chunk: PGresult) -> Decoder:
        from tusk_jupyter.results import native
        from tusk_jupyter.results.decode import columns_of

        if self._how is None:
            self._how = self._settings(chunk)
            if not chunk.nfields:
                raise self._without_columns("It has run, no file was written.")
            came = [(c.name, c.oid, c.typmod) for c in columns_of(chunk, self._how.encoding)]
            if self._file is None or came != [(c.name, c.oid, c.typmod) for c in self.columns]:
                raise InvalidInput(
                    "the columns that came are not those that the server had announced",
                    advice="No file was written. Was a table or function altered meanwhile? Run the cell again.",
                )
        if self._file is None:
            raise InternalError("rows came before their columns")
        return native.decoder_for(self._file.columns, self._how)

    def _write(self, decoder: Decoder) -> None:
        self._decoder = None
        self._passed_on += decoder.nbytes
        if self._file is None:
            raise InternalError("rows came before their columns")
        try:
            self._file.write(decoder.finish(self._types))
        except OSError as error:
            raise self._destination.failed(error) from error

    def after_run(self, error: TuskError) -> TuskError:
        """Return the error of a file whose statement has run to its end, with what that means."""
        # a reading one is run again without harm, INSERT … RETURNING is not
        if self._changes_data:
            error.advice = f"The statement itself has run. {error.advice}"
        return error

    def _decoded_types(self) -> Any:
        from tusk_jupyter.results.types import BUILTIN

        return {**self._types, **BUILTIN}

    def _without_columns(self, what_now: str) -> InvalidInput:
        return InvalidInput(
            f"the statement returns rows without a column: {self._destination.shown!r} could not hold them",
            advice=f"{what_now} Select at least one column.",
        )
