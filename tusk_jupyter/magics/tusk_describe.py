r"""``%tusk describe``, ``%tusk ddl``: what ``\d+`` says of a relation, and the script that makes it anew.

A name is read as psql reads one: ``orders``, ``"Order"``, ``app.*``; so it is taken from the line as it was typed,
quotes and all. Both ask on the session of the cells: its temporary tables are there, and its ``search_path`` holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.options import Option, Options, next_word
from tusk_jupyter.magics.tusk_commands import Commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.magics.scripts import SqlText
    from tusk_jupyter.schema.asking import Ask

_CONNECTION = Option(("--connection",), "connection", str, meaning="ask there", takes="connection")
DESCRIBE_OPTIONS = Options(_CONNECTION, magic="%tusk describe")
DDL_OPTIONS = Options(
    Option(("--privileges",), "privileges", meaning="with owner and grants"), _CONNECTION, magic="%tusk ddl"
)


class DescribeCommands(Commands):
    """What a relation is, in full."""

    def do_describe(self, *_words: str) -> Any:
        r"""``%tusk describe NAME … [--connection NAME]``: what psql's \d+ prints; a DataFrame when assigned.

        NAME is a table, view, index, sequence, type, or a pattern of psql's: ``app.*``.
        """
        from tusk_jupyter.magics.listings import show
        from tusk_jupyter.schema.asking import Wanted
        from tusk_jupyter.schema.describe import describe

        names, options = read(self._line, DESCRIBE_OPTIONS)
        wanted = Wanted("d", names, verbose=True)
        return show(self._ask(lambda ask: describe(ask, wanted), options))

    def do_ddl(self, *_words: str) -> SqlText:
        """``%tusk ddl NAME … [--privileges] [--connection NAME]``: a script that makes it anew; a str when assigned.

        NAME is a relation or a pattern; or a function (``f``, ``f(int)``), an enum, a domain.
        """
        from tusk_jupyter.magics.scripts import SqlText
        from tusk_jupyter.schema.ddl import ddl

        names, options = read(self._line, DDL_OPTIONS)
        privileges = bool(options.pop("privileges", False))

        def question(ask: Ask) -> str:
            return "\n".join(ddl(ask, name, privileges=privileges) for name in names)

        return SqlText(self._ask(question, options))

    def _ask(self, question: Callable[[Ask], Any], options: dict[str, Any]) -> Any:
        from tusk_jupyter.looking import look
        from tusk_jupyter.magics import connect

        connection = self._tusk.connection(options.get("connection"), connect.ask)
        try:
            looked = look(
                self._tusk,
                f"%tusk {self._line}",
                question,
                connection=connection,
                ask=connect.ask,
                on_tick=self._output.tick,
            )
        finally:
            self._output.settle(over=True)
        for note in looked.notes:
            self._output.say(note, tone="warn")
        return looked.answer


def read(line: str, options: Options) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the names of ``describe NAME …`` as they were typed, and the options.

    :raises InvalidInput: without a name, or for an option that is none.
    """
    names: list[str] = []
    chosen: dict[str, Any] = {}
    _, position = next_word(line, 0)
    while True:
        word, end = next_word(line, position)
        if not word:
            break
        if word.startswith("--"):
            option, value, position = options.take(line, position)
            chosen[option.field] = value
        else:
            names.append(word.removesuffix(";") or word)
            position = end
    if not names:
        raise InvalidInput(f"{options.magic} takes the name of a relation", advice=f"{options.magic} NAME")
    if any("\0" in name for name in names):
        raise InvalidInput("a name holds no NUL", advice=f"{options.magic} NAME")
    return tuple(names), chosen
