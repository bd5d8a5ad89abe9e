"""``%tusk …``: one subcommand, its arguments, a table or a line."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.options import next_word, unquoted, words
from tusk_jupyter.magics.tusk_connections import ConnectionCommands
from tusk_jupyter.magics.tusk_describe import DescribeCommands
from tusk_jupyter.magics.tusk_history import HistoryCommands
from tusk_jupyter.magics.tusk_listen import ListenCommands
from tusk_jupyter.magics.tusk_load import LoadCommands
from tusk_jupyter.magics.tusk_looking import LookingCommands
from tusk_jupyter.magics.tusk_password import PasswordCommands
from tusk_jupyter.magics.tusk_preferences import PreferenceCommands
from tusk_jupyter.magics.tusk_refresh import RefreshCommands
from tusk_jupyter.magics.tusk_watch import WatchCommands

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.tusk import Tusk

WITH_SQL = ("watch",)
_LISTED = 10


class TuskCommands(
    ConnectionCommands,
    DescribeCommands,
    HistoryCommands,
    ListenCommands,
    LoadCommands,
    LookingCommands,
    PasswordCommands,
    PreferenceCommands,
    RefreshCommands,
    WatchCommands,
):
    """The subcommands; each method ``do_x`` is one, its docstring is its help; ``*words`` takes any number."""

    def __init__(self, tusk: Tusk, output: CellOutput, take_sql: Callable[[], None], shell: Any = None) -> None:
        super().__init__(tusk, output, shell)
        self._take_sql = take_sql

    @property
    def names(self) -> list[str]:
        """Every subcommand as it is typed."""
        return sorted(name[3:].replace("_", "-") for name in dir(self) if name.startswith("do_"))

    def run(self, line: str, body: str | None = None, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run ``%tusk LINE``, or ``%%tusk LINE`` with what stands below it."""
        first, end = next_word(line, 0)
        name = unquoted(first) or "help"
        if body is not None and name not in WITH_SQL:
            raise InvalidInput(
                f"%tusk {name} is a line: nothing goes below it", advice=f"Write %tusk {name}, with one percent sign."
            )
        self._line = line if body is None else f"{line}\n{body}"
        self._local_ns = local_ns or {}
        # SQL is no words of ours: its quotes and dollars mean something else
        arguments = [] if name in WITH_SQL else words(line[end:])
        method = getattr(self, f"do_{name.replace('-', '_')}", None) if name in self.names else None
        if method is None:
            near = difflib.get_close_matches(name, self.names, n=3)
            offer = f"Did you mean %tusk {' or %tusk '.join(near)}?" if near else "%tusk help lists what there is."
            raise InvalidInput(f"%tusk has no subcommand {name!r}", advice=offer)
        return self._call(name, method, arguments)

    def do_help(self) -> None:
        """``%tusk help``: this list."""
        lines = [(getattr(self, f"do_{name.replace('-', '_')}").__doc__ or "").splitlines()[0] for name in self.names]
        self._say("%tusk …", *(line.replace("``", "") for line in lines))

    def do_status(self) -> Any:
        """``%tusk status``: connections, pools, sessions, transactions, servers, TLS."""
        from tusk_jupyter.magics.tables import status_table

        return status_table(self._tusk)

    def do_queries(self) -> Any:
        """``%tusk queries``: what is in flight in this kernel."""
        from tusk_jupyter.magics.tables import queries_table

        return queries_table(self._tusk)

    def do_cancel(self, query: str = "") -> None:
        """``%tusk cancel [ID | --all]``: ask the server to stop a query."""
        if query in {"", "--all"}:
            active = self._tusk.queries.active()
            if not query and len(active) > 1:
                raise InvalidInput(
                    f"{len(active)} queries are in flight: which one?",
                    advice="%tusk queries lists them; %tusk cancel ID stops one, %tusk cancel --all every one.",
                )
            count = self._tusk.queries.cancel_all()
            requested = f"cancel requested for {count} quer{'y' if count == 1 else 'ies'}"
            self._say(requested if count else "nothing is in flight")
        elif query.startswith("-"):
            near = difflib.get_close_matches(query, ["--all"])
            offer = "Did you mean --all?" if near else "It has: --all."
            raise InvalidInput(f"%tusk cancel has no option {query!r}", advice=f"Nothing was cancelled. {offer}")
        elif self._tusk.queries.cancel(query):
            self._say(f"cancel requested for {query}")
        else:
            raise InvalidInput(f"no one query in flight has the id {query!r}", advice=self._in_flight())

    def _in_flight(self) -> str:
        active = self._tusk.queries.active()
        if not active:
            return "Nothing is in flight."
        ids = ", ".join(one.id[:8] for one in active[:_LISTED])
        more = f" and {len(active) - _LISTED} more" if len(active) > _LISTED else ""
        return f"In flight: {ids}{more}. %tusk queries lists what they run."

    def do_errverbose(self) -> None:
        """``%tusk errverbose``: everything that is known of the last error."""
        from tusk_jupyter.widgets.error_panel import everything

        error = self._output.last_error
        if error is None:
            self._say("no error yet")
        else:
            self._output.show(everything(error))

    def do_take_sql(self) -> None:
        """``%tusk take-sql``: make %sql and %%sql ours where another extension has them."""
        self._take_sql()
        self._say("%sql and %%sql are tusk-jupyter's now")

    def do_embedded(self, action: str = "", name: str = "") -> Any:
        """``%tusk embedded [drop NAME]``: the embedded clusters; delete one with its data."""
        from tusk_jupyter.connections import embedded

        if not action:
            from tusk_jupyter.magics.tables import embedded_table

            return embedded_table(self._tusk)
        if action != "drop" or not name or self._tusk.files.directory is None:
            raise InvalidInput(
                f"%tusk embedded {action}: not understood", advice="%tusk embedded, %tusk embedded drop NAME"
            )
        for connection in self._tusk.connections.active():
            if connection.target.embedded == name:
                self._tusk.connections.disconnect(connection.name)
        embedded.drop(name, self._tusk.files.directory / "embedded")
        self._say(f"the embedded cluster {name} and its data are deleted")
        return None
