"""What every group of ``%tusk`` subcommands has: the state, and a way to say something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.widgets.result_footer import StatusLine

if TYPE_CHECKING:
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.tusk import Tusk


class Commands:
    """A group of subcommands: each method ``do_x`` is one, the first line of its docstring its help."""

    def __init__(self, tusk: Tusk, output: CellOutput) -> None:
        self._tusk = tusk
        self._output = output

    def _say(self, text: str, *notes: str) -> None:
        self._output.show(StatusLine(text, notes))
