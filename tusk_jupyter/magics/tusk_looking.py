"""``%tusk schemas``, ``tables``, ``functions``, ``indexes``, ``find``: what there is, asked on the cells' session.

The patterns are read from the line as it was typed: ``"Order"`` in double quotes is another name than ``order``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.options import Option, Options, next_word, unquoted
from tusk_jupyter.magics.tusk_commands import Commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.schema.around import Around
    from tusk_jupyter.schema.asking import Ask

LOOK_OPTIONS = Options(
    Option(("--connection",), "connection", str, meaning="look there", takes="connection"), magic="%tusk"
)


class LookingCommands(Commands):
    """A look at what is in the database."""

    def do_schemas(self, *_words: str) -> Any:
        """``%tusk schemas [--connection NAME]``: what each schema holds, how large it is, and your rights there."""
        from tusk_jupyter.schema import around

        _, connection = self._words(at_most=0)
        return self._looked(around.schemas, connection)

    def do_tables(self, *_words: str) -> Any:
        """``%tusk tables [PATTERN] [--connection NAME]``: tables and views, their rows and sizes.

        PATTERN is as psql reads it (``app.*``, ``"Order"``), in all schemas; or a part of a name.
        """
        from tusk_jupyter.schema import around

        words, connection = self._words(at_most=1)
        return self._looked(partial(around.tables, pattern=words[0] if words else None), connection)

    def do_functions(self, *_words: str) -> Any:
        """``%tusk functions [PATTERN] [--connection NAME]``: functions and procedures with their arguments."""
        from tusk_jupyter.schema import around

        words, connection = self._words(at_most=1)
        return self._looked(partial(around.functions, pattern=words[0] if words else None), connection)

    def do_indexes(self, *_words: str) -> Any:
        """``%tusk indexes NAME [--connection NAME]``: a table's indexes, their sizes, how often each was used."""
        from tusk_jupyter.schema import around

        words, connection = self._words(at_most=1)
        if not words:
            raise InvalidInput(
                "%tusk indexes: of which table?", advice="%tusk indexes NAME. %tusk tables lists what there is."
            )
        return self._looked(partial(around.indexes, name=words[0]), connection)

    def do_find(self, *_words: str) -> Any:
        """``%tusk find WORD [--connection NAME]``: tables, columns, functions, types with it in name or comment."""
        from tusk_jupyter.schema import around_words

        words, connection = self._words()
        word = " ".join(map(unquoted, words)).strip()
        if not word:
            raise InvalidInput("%tusk find: which word?", advice="%tusk find WORD looks in all names and comments.")
        return self._looked(partial(around_words.find, word=word), connection)

    def _words(self, at_most: int | None = None) -> tuple[list[str], str | None]:
        """Return the words of the line as they were typed, and the name of the connection."""
        words: list[str] = []
        connection = None
        name, position = next_word(self._line, 0)
        while True:
            word, end = next_word(self._line, position)
            if not word:
                break
            if word.startswith("--"):
                _, connection, position = LOOK_OPTIONS.take(self._line, position)
            else:
                words.append(word)
                position = end
        if at_most is not None and len(words) > at_most:
            usage = (getattr(self, f"do_{name}").__doc__ or "").splitlines()[0].replace("``", "")
            raise InvalidInput(f"%tusk {name} {' '.join(words)}: not understood", advice=usage)
        return words, connection

    def _looked(self, question: Callable[[Ask], Around], name: str | None) -> Any:
        from tusk_jupyter.looking import look
        from tusk_jupyter.magics import connect
        from tusk_jupyter.magics.around_table import show

        looked = look(
            self._tusk,
            f"%tusk {self._line}",
            question,
            connection=self._tusk.connection(name, connect.ask),
            ask=connect.ask,
            on_tick=self._output.tick,
        )
        return show(replace(looked.answer, notes=(*looked.answer.notes, *looked.notes)))
