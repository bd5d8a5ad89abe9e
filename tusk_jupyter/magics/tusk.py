"""``%tusk …``: one subcommand, its arguments, a table or a line."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.options import words
from tusk_jupyter.widgets.result_footer import StatusLine

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.tusk import Tusk


class TuskCommands:
    """The subcommands; each method ``do_x`` is one, its docstring is its help."""

    def __init__(self, tusk: Tusk, output: CellOutput, take_sql: Callable[[], None]) -> None:
        self._tusk = tusk
        self._output = output
        self._take_sql = take_sql

    @property
    def names(self) -> list[str]:
        """Every subcommand as it is typed."""
        return sorted(name[3:].replace("_", "-") for name in dir(self) if name.startswith("do_"))

    def run(self, line: str) -> Any:
        """Run ``%tusk LINE``."""
        name, *arguments = words(line) or ["help"]
        method = getattr(self, f"do_{name.replace('-', '_')}", None) if name in self.names else None
        if method is None:
            near = difflib.get_close_matches(name, self.names, n=3)
            offer = f"Did you mean %tusk {' or %tusk '.join(near)}?" if near else "%tusk help lists what there is."
            raise InvalidInput(f"%tusk has no subcommand {name!r}", advice=offer)
        return method(*self._checked(name, method, arguments))

    def _checked(self, name: str, method: Callable[..., Any], arguments: list[str]) -> list[str]:
        code = method.__func__.__code__  # type: ignore[attr-defined]
        most = code.co_argcount - 1
        least = most - len(method.__func__.__defaults__ or ())  # type: ignore[attr-defined]
        if not least <= len(arguments) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            raise InvalidInput(
                f"%tusk {name} takes {wanted} arguments, not {len(arguments)}",
                advice=(method.__doc__ or "").splitlines()[0],
            )
        return arguments

    def _say(self, text: str, *notes: str) -> None:
        self._output.show(StatusLine(text, notes))

    def do_help(self) -> None:
        """``%tusk help``: this list."""
        lines = [(getattr(self, f"do_{name.replace('-', '_')}").__doc__ or "").splitlines()[0] for name in self.names]
        self._say("%tusk …", *(line.replace("``", "") for line in lines))

    def do_status(self) -> Any:
        """``%tusk status``: connections, pools, sessions, transactions, servers, TLS."""
        from tusk_jupyter.magics.tables import status_table

        return status_table(self._tusk)

    def do_connections(self, action: str = "", name: str = "") -> Any:
        """``%tusk connections [use NAME | disconnect NAME]``: what is connected."""
        if action:
            actions = {"use": self.do_use, "disconnect": self.do_disconnect}
            if action not in actions or not name:
                raise InvalidInput(
                    f"%tusk connections {action}: not understood",
                    advice="%tusk connections, %tusk connections use NAME, %tusk connections disconnect NAME",
                )
            return actions[action](name)
        from tusk_jupyter.magics.tables import connections_table

        return connections_table(self._tusk)

    def do_use(self, name: str) -> None:
        """``%tusk use NAME``: make a connection the current one."""
        self._say(f"cells run on {self._tusk.connections.use(name).name} now")

    def do_disconnect(self, name: str = "") -> None:
        """``%tusk disconnect [NAME]``: cancel what runs there and close it."""
        connection = self._tusk.connections.get(name or None)
        session = connection.live_session
        open_now = session.transaction if session is not None else None
        self._tusk.connections.disconnect(connection.name)
        notes = [f"its open transaction ({open_now.statements} statements) was rolled back"] if open_now else []
        current = self._tusk.connections.current
        self._say(f"{connection.name} is closed; cells run on {current.name if current else 'nothing'} now", *notes)

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
            self._say(f"cancel requested for {count} quer{'y' if count == 1 else 'ies'}")
        elif self._tusk.queries.cancel(query):
            self._say(f"cancel requested for {query}")
        else:
            self._say(f"no query {query} is in flight")

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

    def do_data_dir(self, path: str = "") -> None:
        """``%tusk data-dir [PATH]``: where files are; with PATH, reopen storage and logs there for this kernel."""
        if path:
            problems = self._tusk.files.open(Path(path).expanduser().absolute())
            if problems:
                raise problems[0]
        self._say(f"data directory: {self._tusk.files.directory}")

    def do_health(self) -> Any:
        """``%tusk health``: each subsystem, ``ok`` or what is wrong, and the versions at work."""
        import pandas as pd

        info = self._tusk.app_info()
        versions = {field: getattr(info, field) for field in type(info).__dataclass_fields__}
        rows = {**self._tusk.health(), **{k: v or "not installed" for k, v in versions.items()}}
        return pd.DataFrame({"state": rows})

    def do_logs(self) -> None:
        """``%tusk logs``: where they are, and the last lines of this kernel's."""
        directory = self._tusk.log_directory
        files = (
            sorted(directory.glob("*.log"), key=lambda p: p.stat().st_mtime) if directory and directory.is_dir() else []
        )
        last = files[-1].read_text(errors="replace").splitlines()[-10:] if files else []
        self._say(f"logs: {directory}", *last)

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
