"""``%tusk history``: what ran."""

from __future__ import annotations

from tusk_jupyter.magics.tusk_commands import Commands


class HistoryCommands(Commands):
    """What ran, on any connection, in any kernel of this user."""
