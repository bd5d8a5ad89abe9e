"""The connection manager's widget: one trait with the view, messages for everything else.

A trait is saved with the notebook where widget state is kept, so the view holds no secret and the browser gets none:
a password goes to the kernel as one custom message over Jupyter's websocket, so it is as safe on its way as that
connection is (https, or a server on the user's own machine; the form says so where it is neither), and of a stored one
the browser knows only that there is one. The view is the kernel's word alone: what a front end sends as state is
dropped. Messages are delivered while a cell runs, on the subshell of the front end that sent them; ipykernel 7.4 would
hand them to the busy main shell, because the widget was opened there, unless its routing is switched off.

The static list is an output of its own above the widget, which hides it while it is alive. In one output with it, a
front end would choose the widget wherever it can draw widgets, and JupyterLab then shows «Loading widget...» for ever
in a trusted notebook without a kernel, saved widget state or not (jupyterlab_widgets 3.0). The price is that line below
the list there. The ESM file and the style sheet lie in ``static`` and are sent as they are, without a bundler.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

STATIC = Path(__file__).parent / "static"
log = logging.getLogger("tusk_jupyter.widgets")


def create(view: Mapping[str, Any], *, on_message: Callable[[Any], object]) -> Any:
    """Return the widget, open and ready to be displayed.

    :param view: what ``ConnectionList.as_dict()`` returns; assign ``widget.view`` to change it.
    :param on_message: is called with each message of a front end, whatever it holds, on the thread that received it.
    :raises ImportError: without anywidget.
    """
    widget = _widget_class()(view=dict(view))
    widget.on_msg(lambda _widget, content, _buffers: on_message(content))
    if hasattr(widget.comm, "_reply_subshell_for"):
        widget.comm._reply_subshell_for = None  # noqa: SLF001 - ipykernel 7.4 has no public way
    return widget


@functools.cache
def _widget_class() -> type[Any]:
    import anywidget
    import traitlets

    class ConnectionManager(anywidget.AnyWidget):  # type: ignore[misc]
        """See the module."""

        _esm = STATIC / "connection_manager.js"
        _css = STATIC / "connection_manager.css"
        view = traitlets.Dict().tag(sync=True)

        def set_state(self, sync_data: dict[str, Any]) -> None:
            log.debug("the manager ignores state from a front end: %d keys", len(sync_data))

        def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            data, metadata = super()._repr_mimebundle_(**kwargs)
            # who cannot draw it has the list above
            return data | {"text/plain": ""}, metadata

    return ConnectionManager
