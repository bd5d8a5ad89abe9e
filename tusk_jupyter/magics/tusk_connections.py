"""``%tusk connections``, ``use``, ``disconnect``: what is connected and what is kept."""

from __future__ import annotations

from typing import Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.tusk_commands import Commands


class ConnectionCommands(Commands):
    """What is connected and what is kept."""

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
