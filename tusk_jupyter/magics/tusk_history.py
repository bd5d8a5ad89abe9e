"""``%tusk history``, ``rerun``, ``snippets``, ``snippet``: what ran, and what is kept to run again.

What is to run again goes into a new cell and waits there: a statement of last month may be an UPDATE.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.options import Option, Options, quoted, whole_number
from tusk_jupyter.magics.tusk_commands import Commands
from tusk_jupyter.widgets.amounts import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tusk_jupyter.storage.history import History, HistoryRow
    from tusk_jupyter.storage.snippets import Snippet, Snippets

HISTORY_OPTIONS = Options(
    Option(("--failed",), "failed", meaning="only those that failed"),
    Option(("--connection",), "connection", str, meaning="of this connection only", takes="connection"),
    Option(("--limit",), "limit", whole_number, meaning="at most so many"),
    magic="%tusk history",
)
CLEAR_OPTIONS = Options(
    Option(("--connection",), "connection", str, meaning="of this connection only", takes="connection"),
    Option(("--yes",), "yes", meaning="do delete them"),
    magic="%tusk history clear",
)
SAVE_OPTIONS = Options(
    Option(("--replace",), "replace", meaning="in place of the one of that name"), magic="%tusk snippet save"
)
_MASK = "****"


@dataclass(frozen=True, slots=True)
class _Line:
    """The words and the options of a line."""

    words: tuple[str, ...]
    options: dict[str, Any]


class HistoryCommands(Commands):
    """What ran, on any connection, in any kernel of this user."""

    @property
    def _history(self) -> History:
        from tusk_jupyter.storage.history import History

        return History(lambda: self._tusk.files.database)

    @property
    def _snippets(self) -> Snippets:
        from tusk_jupyter.storage.snippets import Snippets

        return Snippets(lambda: self._tusk.files.database)

    def do_history(self, *words: str) -> Any:
        """``%tusk history [WORD …] [--failed] [--connection NAME] [--limit N] | rerun ID | clear``: what ran.

        The newest statements that hold all words, or words that begin so; ``--`` before a word that is a subcommand.
        """
        match words:
            case ("rerun", row_id):
                return self.do_rerun(row_id)
            case ("clear", *rest):
                return self._clear(rest)
        line = _read(words, HISTORY_OPTIONS)
        from tusk_jupyter.magics.history_table import history_table

        return history_table(self._history.search(" ".join(line.words), **line.options))

    def do_rerun(self, history_id: str) -> None:
        """``%tusk rerun ID``: put a statement of the history into a new cell."""
        row = self._row(history_id)
        if row.characters is not None:
            raise InvalidInput(
                f"statement {row.id} was too long to be kept whole: "
                f"the history has the first {len(row.sql):,} of its {row.characters:,} characters",
                advice="Nothing was put into a cell: half of a statement is another one.",
            )
        there = row.connection in self._tusk.connections.names() or self._tusk.saved.find(row.connection) is not None
        self._into_cell(row.sql, row.connection if there else "")
        if not there:
            self._say(f"it ran on {row.connection}, which is not there now: the cell names no connection")

    def do_snippets(self) -> Any:
        """``%tusk snippets``: the SQL that is kept by name."""
        from tusk_jupyter.magics.history_table import snippets_table

        return snippets_table(self._snippets.list())

    def do_snippet(self, *words: str) -> None:
        """``%tusk snippet NAME | save NAME [ID] [--replace] | delete NAME``: put one into a new cell; keep one."""
        match words:
            case ("save", *rest) if rest:
                self._save_snippet(rest)
            case ("delete", name):
                self._snippets.delete(self._snippet(name).id)
                self._say(f"the snippet {name} is deleted")
            case (name,):
                self._into_cell(self._snippet(name).sql, "")
            case _:
                raise InvalidInput(
                    "%tusk snippet: not understood",
                    advice="%tusk snippet NAME, %tusk snippet save NAME [HISTORY_ID], %tusk snippet delete NAME",
                )

    def _clear(self, words: Sequence[str]) -> None:
        line = _read(words, CLEAR_OPTIONS)
        if line.words:
            raise InvalidInput(
                f"%tusk history clear {line.words[0]}: not understood",
                advice="%tusk history clear [--connection NAME] --yes. To search for the word: %tusk history -- clear",
            )
        connection = line.options.get("connection")
        if not line.options.get("yes"):
            count = self._history.count(connection)
            whose = f"of {connection}" if connection else "of every connection and kernel"
            raise InvalidInput(
                f"this deletes {counted(count, 'statement')} {whose}, for good",
                advice=f"Nothing was deleted. Add --yes to do it: %tusk history {' '.join(['clear', *words])} --yes",
            )
        count = self._history.clear(connection)
        self._say(f"{counted(count, 'statement')} of {connection or 'the history'} deleted")

    def _save_snippet(self, words: Sequence[str]) -> None:
        from tusk_jupyter.storage.snippets import Snippet

        line = _read(words, SAVE_OPTIONS)
        name, *ids = line.words or ("",)
        if len(ids) > 1:
            raise InvalidInput("%tusk snippet save takes a name and the id of one statement")
        row = self._row(ids[0]) if ids else self._history.last()
        if row is None:
            raise InvalidInput(
                "no statement of this kernel is in the history", advice="%tusk history has the ids: save NAME ID."
            )
        known = self._snippets.get(name) if line.options.get("replace") else None
        self._snippets.save(Snippet(name, row.sql, id=known.id if known else ""))
        cut = [f"only the first {len(row.sql):,} of {row.characters:,} characters are kept"] if row.characters else []
        self._say(f"statement {row.id} is kept as {name}: %tusk snippet {name} puts it into a new cell", *cut)

    def _row(self, text: str) -> HistoryRow:
        row = self._history.get(whole_number(text))
        if row is None:
            raise InvalidInput(f"the history has no statement {text}", advice="%tusk history shows the ids.")
        return row

    def _snippet(self, name: str) -> Snippet:
        found = self._snippets.get(name)
        if found is not None:
            return found
        near = difflib.get_close_matches(name, [snippet.name for snippet in self._snippets.list()], n=3)
        offer = f"Did you mean {' or '.join(map(repr, near))}?" if near else "%tusk snippets lists what there is."
        raise InvalidInput(f"there is no snippet {name!r}", advice=offer)

    def _into_cell(self, sql: str, connection: str) -> None:
        first = f"%%{self._magic} {connection}".rstrip()
        self._shell.set_next_input(f"{first}\n{sql}")
        if _MASK in sql:
            self._say("a password in it was masked before it was kept: write it anew")

    @property
    def _magic(self) -> str:
        """``sql``, or the name that is always ours where another extension has that."""
        function = self._shell.find_cell_magic("sql")
        return "sql" if getattr(function, "__module__", "").startswith("tusk_jupyter.") else "tsql"


def _read(words: Sequence[str], options: Options) -> _Line:
    """Part the words of a line from its options; behind ``--`` everything is a word."""
    found: list[str] = []
    chosen: dict[str, Any] = {}
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word == "--":
            return _Line((*found, *waiting), chosen)
        if not word.startswith("-") or word == "-":
            found.append(word)
            continue
        name, equals, value = word.partition("=")
        line = f"{name}={quoted(value)}" if equals else name
        following = f" {quoted(waiting[0])}" if waiting and not equals else ""
        option, read, end = options.take(line + following, 0)
        if end > len(line):
            waiting.pop(0)
        chosen[option.field] = read
    return _Line(tuple(found), chosen)
