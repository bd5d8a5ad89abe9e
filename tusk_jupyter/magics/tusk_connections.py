"""``%tusk connections``, ``use``, ``disconnect``: what is connected and what is kept.

One table for both, because a user asks «which names can I use»; the verbs of the manager are its subcommands, so that
nothing needs a widget. Groups are named by their path (``Production/EU``), as in the table.
"""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections.saved import COLORS
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.options import whole_number
from tusk_jupyter.magics.tusk_commands import Commands

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.connection import Connection

ACTIONS = """
use NAME · disconnect [NAME] · test NAME · save [NAME] · rename NAME NEW · duplicate NAME [NEW] · delete NAME ·
color NAME COLOR|none · move NAME GROUP|/ · groups · group add|rename|move|order|color|delete PATH … ·
import PATH · export PATH
"""


class ConnectionCommands(Commands):
    """What is connected and what is kept."""

    def do_connections(self, action: str = "", *words: str) -> Any:
        """``%tusk connections [ACTION …]``: what is saved and connected; test, save, rename, delete, import, export."""
        if not action:
            from tusk_jupyter.magics.tables import connections_table

            return connections_table(self._tusk)
        actions: dict[str, Callable[..., Any]] = {
            name.removeprefix("_on_"): getattr(self, name) for name in dir(self) if name.startswith("_on_")
        }
        if action not in actions:
            near = difflib.get_close_matches(action, actions, n=1)
            offer = f"Did you mean {near[0]}? " if near else ""
            raise InvalidInput(
                f"%tusk connections {action}: not understood", advice=f"{offer}There are: {' '.join(ACTIONS.split())}"
            )
        return self._call(f"connections {action}", actions[action], list(words))

    def do_use(self, name: str) -> None:
        """``%tusk use NAME``: make a connection the current one; a saved one is opened."""
        from tusk_jupyter.magics.connect import by_name, report

        if name in self._tusk.connections.names():
            self._say(f"cells run on {self._tusk.connections.use(name).name} now")
            return
        connection = by_name(self._tusk, name)
        self._output.show(report(connection, *self._tusk.credentials.take_warnings()))

    def do_disconnect(self, name: str = "") -> None:
        """``%tusk disconnect [NAME]``: cancel what runs there and close it."""
        connection = self._tusk.connections.get(name or None)
        notes = _rolled_back(connection)
        self._tusk.connections.disconnect(connection.name)
        current = self._tusk.connections.current
        self._say(f"{connection.name} is closed; cells run on {current.name if current else 'nothing'} now", *notes)

    def _on_use(self, name: str) -> None:
        self.do_use(name)

    def _on_disconnect(self, name: str = "") -> None:
        self.do_disconnect(name)

    def _on_test(self, name: str) -> None:
        from tusk_jupyter.magics import connect, testing

        saved = self._tusk.saved.find(name)
        target = self._tusk.saved.target(saved) if saved is not None else self._tusk.connections.get(name).target
        testing.run(self._tusk, self._output, name, target, ask=connect.ask)

    def _on_save(self, name: str = "") -> None:
        from tusk_jupyter.magics.connect import opens

        connection = self._tusk.connections.get(name or None)
        kept = self._tusk.saved.keep(connection)
        self._say(f"{kept.saved.name} is saved: {opens(self._tusk, kept, connection)}", *kept.warnings)

    def _on_rename(self, name: str, new: str) -> None:
        from tusk_jupyter.magics.connect_line import connection_name

        self._tusk.rename_connection(name, connection_name(new))
        self._say(f"{name} is called {new} now")

    def _on_duplicate(self, name: str, new: str = "") -> None:
        copy = self._tusk.saved.duplicate(name, new or None)
        self._say(f"{copy.name} is a copy of {name}", "its password is not copied: it is asked for once")

    def _on_delete(self, name: str) -> None:
        self._tusk.delete_saved(name)
        still = "it stays connected in this kernel until %tusk disconnect" if self._is_open(name) else ""
        self._say(f"{name} is deleted, with its passwords", *filter(None, [still]))

    def _on_color(self, name: str, color: str) -> None:
        self._tusk.saved.change(name, color=_color(color))
        self._say(f"{name} is {color} now" if color != "none" else f"{name} has no colour now")

    def _on_move(self, name: str, path: str) -> None:
        group = None if path == "/" else self._tusk.saved.group_at(path)
        self._tusk.saved.change(name, group_id=group.id if group else None)
        self._say(f"{name} is in {path} now" if group else f"{name} is in no group now")

    def _on_groups(self) -> Any:
        from tusk_jupyter.magics.tables import groups_table

        return groups_table(self._tusk)

    def _on_group(self, action: str, path: str, value: str = "") -> None:
        saved = self._tusk.saved
        if action == "add":
            self._add_group(path, value)
            return
        group = saved.group_at(path, create=False)
        if action == "delete":
            saved.delete_group(group.id)
            self._say(f"the group {path} is deleted; what was in it moved up")
            return
        parent = saved.group_at(value) if action == "move" and value not in {"", "/"} else None
        changes: dict[str, Callable[[], dict[str, Any]]] = {
            "rename": lambda: {"name": value},
            "move": lambda: {"parent_id": parent.id if parent else None},
            "order": lambda: {"sort_order": whole_number(value)},
            "color": lambda: {"color": _color(value)},
        }
        if action not in changes or not value:
            raise InvalidInput(
                f"%tusk connections group {action}: not understood",
                advice="group add PATH [COLOR], rename PATH NEW, move PATH PARENT|/, order PATH NUMBER, "
                "color PATH COLOR|none, delete PATH",
            )
        saved.save_group(replace(group, **changes[action]()))
        self._say(f"group {path}: {action} {value}")

    def _add_group(self, path: str, color: str) -> None:
        group = self._tusk.saved.group_at(path)
        if color:
            self._tusk.saved.save_group(replace(group, color=_color(color)))
        self._say(f"there is a group {path}")

    def _on_import(self, *words: str) -> Any:
        from tusk_jupyter.magics.tusk_transfer import import_connections

        said, table = import_connections(self._tusk, list(words))
        self._output.show(said)
        return table

    def _on_export(self, *words: str) -> Any:
        from tusk_jupyter.magics.tusk_transfer import export_connections

        return self._output.show(export_connections(self._tusk, list(words)))

    def _is_open(self, name: str) -> bool:
        return name in self._tusk.connections.names()


def _color(text: str) -> str | None:
    if text == "none":
        return None
    if text not in COLORS:
        raise InvalidInput(f"{text!r} is none of {', '.join(COLORS)}", advice="Or none, for no colour.")
    return text


def _rolled_back(connection: Connection) -> list[str]:
    session = connection.live_session
    open_now = session.transaction if session is not None else None
    return [f"its open transaction ({open_now.statements} statements) was rolled back"] if open_now else []
