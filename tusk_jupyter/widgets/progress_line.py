"""The live line's widget (:mod:`~tusk_jupyter.widgets.one_way`): nothing of it is left when it is closed.

One widget draws any number of lines, in a cell those of its statement, in a card that of its job: the view is
``{"lines": [ProgressLine.as_dict(), …], "kernel": id}``. A button answers with the id of its line's query, so that a
message which comes late means a query that is gone, and nothing else. That a message comes at all while a cell runs is
not certain (ipykernel 6 has no subshells, a hub may switch them off): the browser repeats it, and asks the notebook
server to interrupt the kernel when the state has not changed after 1.2 s; ``kernel`` is whom that is about. No single
one of these ways is enough in both JupyterLab and Notebook 7 on ipykernel 6.31, 7.3 and 7.4.
"""

from __future__ import annotations

import functools
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tusk_jupyter.widgets import one_way

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tusk_jupyter.widgets.progress import ProgressLine

log = logging.getLogger("tusk_jupyter.widgets")
SAVED = "a statement was running here when this notebook was saved"
_KERNEL = re.compile(r"kernel-([\w-]{8,64})\.json")


def create(*lines: ProgressLine, on_message: Callable[[Any], object]) -> Any:
    """Return the widget, open and ready to be displayed; assign ``view(…)`` to its ``view`` to change it.

    :param on_message: is called with each message of a front end, whatever it holds, on the thread that received it.
    :raises ImportError: without anywidget.
    """
    widget = one_way.create("progress", view([]), on_message=on_message, text=SAVED)
    widget.view = view(lines)  # only now: what is answered to it is heard
    return widget


def load() -> None:
    """Import what a widget needs."""
    one_way.widget_class("progress", SAVED)


def view(lines: Sequence[ProgressLine]) -> dict[str, Any]:
    """Return what the widget draws."""
    return {"lines": [line.as_dict() for line in lines], "kernel": _kernel_id()}


@functools.cache
def _kernel_id() -> str:
    """Return the id that the notebook server knows this kernel by; empty where it has none.

    A process that is no kernel does not become half of one: ipykernel, imported, takes over how comms are made.
    """
    app = sys.modules.get("ipykernel.kernelapp")
    if app is None or not app.IPKernelApp.initialized():
        return ""
    try:
        from ipykernel.connect import get_connection_file

        found = _KERNEL.fullmatch(Path(get_connection_file()).name)
    except Exception as error:  # noqa: BLE001 - then there is no kernel of a server's
        log.debug("no connection file: %s", type(error).__name__)
        return ""
    return found[1] if found else ""
