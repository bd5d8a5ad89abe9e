"""``%tusk load``: a DataFrame, an Arrow table or a file into a table, by COPY, all rows or none."""

from __future__ import annotations

from tusk_jupyter.magics.tusk_commands import Commands


class LoadCommands(Commands):
    """Data on its way in."""

    def do_load(self, *_words: str) -> None:
        """``%tusk load NAME|FILE --to TABLE [--append|--replace|--upsert KEY] [--connection NAME]``: fill a table.

        A variable's name, or a file: .parquet, .csv, .arrow. Without an option the table is made; ``--replace`` empties
        the one that is there; ``--upsert KEY[,KEY]`` updates the rows whose key is there and inserts the others.
        """
        from tusk_jupyter.magics import connect, loading

        wanted, name = loading.read(self._line, self._shell.user_ns if self._shell is not None else {})
        connection = self._tusk.connection(name, connect.ask)
        loading.run(self._tusk, self._output, wanted, connection=connection, ask=connect.ask)
