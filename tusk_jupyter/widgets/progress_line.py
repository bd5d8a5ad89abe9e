"""The live line's widget: one trait with the lines, messages of its buttons, and nothing left when it is closed.

One widget draws any number of lines, in a cell those of its statement, in a card that of its job: the view is
``{"lines": [ProgressLine.as_dict(), …], "kernel": id}``. A button answers with the id of its line's query, so that a
message which comes late means a query that is gone, and nothing else. That a message comes at all while a cell runs is
not certain (ipykernel 6 has no subshells, a hub may switch them off): the browser repeats it, and asks the notebook
server to interrupt the kernel when the state has not changed after 1.2 s; ``kernel`` is whom that is about. No single
one of these ways is enough in both JupyterLab and Notebook 7 on ipykernel 6.31, 7.3 and 7.4.

ipykernel 7.4 would hand a message to the shell that opened the widget, which is busy with the cell: that routing is
switched off. What a front end sends as state is dropped, as the connection manager's is.
"""

from __future__ import annotations

import functools
import logging
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tusk_jupyter.widgets.connection_manager import STATIC

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
    widget = _widget_class()(view=view([]))
    widget.on_msg(lambda _widget, content, _buffers: on_message(content))
    if hasattr(widget.comm, "_reply_subshell_for"):
        widget.comm._reply_subshell_for = None  # noqa: SLF001 - ipykernel 7.4 has no public way
    widget.view = view(lines)  # only now: what is answered to it is heard
    return widget


def load() -> None:
    """Import what a widget needs."""
    _widget_class()


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


@functools.cache
def _widget_class() -> type[Any]:
    import anywidget
    import traitlets

    class ProgressLines(anywidget.AnyWidget):  # type: ignore[misc]
        """See the module."""

        _esm = STATIC / "progress.js"
        _css = STATIC / "progress.css"
        view = traitlets.Dict().tag(sync=True)

        def set_state(self, sync_data: dict[str, Any]) -> None:
            log.debug("the progress line ignores state from a front end: %d keys", len(sync_data))

        def close(self) -> None:
            # ipywidgets leaves the layout that it made with the widget; it would be saved with the notebook
            layout, is_open = self.layout, self.comm is not None
            super().close()
            if is_open:
                layout.close()

        def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            data, metadata = super()._repr_mimebundle_(**kwargs)
            return data | {"text/plain": SAVED}, metadata

    return ProgressLines
