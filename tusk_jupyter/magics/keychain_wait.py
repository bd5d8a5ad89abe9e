"""The line that says that a cell waits for the keychain, whose dialog may stand behind the browser.

It comes only when the keychain takes noticeably long, in the cell that waits, and says in the end for how long it was:
an output cannot be taken back without leaving an empty one in the notebook. A terminal's line goes away. The manager
asks the keychain on threads of its own and shows there that it is busy; a line of theirs would land in any cell.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tusk_jupyter.magics.output import CellOutput

_WAITING = "waiting for the keychain: it may be asking for its password"


class KeychainWait:
    """What :class:`~tusk_jupyter.connections.keychain.Keychain` calls when a wait begins to be noticed, and ends."""

    def __init__(self, output: CellOutput) -> None:
        self._output = output
        self._since = 0.0
        self._handle: Any = None

    def __call__(self, waiting: bool) -> None:
        """Show the line, or finish it."""
        if threading.current_thread() is not threading.main_thread():
            return
        if waiting:
            self._since = time.monotonic()
        if self._output.terminal:
            if sys.stderr.isatty():
                sys.stderr.write(_WAITING if waiting else f"\r{' ' * len(_WAITING)}\r")
                sys.stderr.flush()
            return
        from tusk_jupyter.widgets.result_footer import StatusLine

        if waiting:
            self._handle = self._output.show_for_now(StatusLine(_WAITING, tone="warn"))
        elif self._handle is not None:
            from tusk_jupyter.connections.keychain import NOTICEABLE_S
            from tusk_jupyter.widgets.amounts import age

            waited = time.monotonic() - self._since + NOTICEABLE_S
            self._handle.update(StatusLine(f"waited {age(waited)} for the keychain"))
            self._handle = None
