"""What every group of ``%tusk`` subcommands has: the state, and a way to say something."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.widgets.result_footer import StatusLine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.tusk import Tusk


class Commands:
    """A group of subcommands: each method ``do_x`` is one, the first line of its docstring its help."""

    def __init__(self, tusk: Tusk, output: CellOutput, shell: Any = None) -> None:
        self._tusk = tusk
        self._output = output
        self._shell = shell
        # as it was typed: the words that a subcommand gets have lost their quotes
        self._line = ""
        # the names of the function that the magic stands in
        self._local_ns: Mapping[str, Any] = {}

    def _say(self, text: str, *notes: str) -> None:
        self._output.show(StatusLine(text, notes))

    def _call(self, name: str, method: Callable[..., Any], words: list[str]) -> Any:
        """Run a subcommand with the words that follow it; :raises InvalidInput: when they are too many or too few."""
        parameters = inspect.signature(method).parameters.values()
        most = len(words) if any(p.kind is p.VAR_POSITIONAL for p in parameters) else len(parameters)
        least = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in parameters)
        if not least <= len(words) <= most:
            wanted = str(least) if least == most else f"{least} to {most}"
            names = " ".join(p.name.upper() if p.default is p.empty else f"[{p.name.upper()}]" for p in parameters)
            raise InvalidInput(
                f"%tusk {name} takes {wanted} arguments, not {len(words)}",
                advice=(method.__doc__ or f"%tusk {name} {names}").splitlines()[0],
            )
        return method(*words)
