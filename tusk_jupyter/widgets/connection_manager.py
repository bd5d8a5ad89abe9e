"""The connection manager's widget: one trait with the view, messages for everything else.

A trait is saved with the notebook where widget state is kept, so the view holds no secret and the browser gets none:
a password goes to the kernel as a custom message, and of a stored one the browser knows only that there is one. The
view is the kernel's word alone: what a front end sends as state is dropped. Messages are delivered while a cell runs,
on the subshell of the front end that sent them; ipykernel 7.4 would hand them to the busy main shell, because the
widget was opened there, unless its routing is switched off.

Beside the widget stand the static twins, for where there is no kernel. The ESM file and the style sheet lie in
``static`` and are sent as they are, without a bundler.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.widgets.markup import Twins

STATIC = Path(__file__).parent / "static"
log = logging.getLogger("tusk_jupyter.widgets")


def create(view: Mapping[str, Any], *, twins: Twins, on_message: Callable[[Any], object]) -> Any:
    """Return the widget, open and ready to be displayed.

    :param view: what ``ConnectionList.as_dict()`` returns; assign ``widget.view`` to change it.
    :param twins: what stands beside the widget for those who cannot draw it.
    :param on_message: is called with each message of a front end, whatever it holds, on the thread that received it.
    :raises ImportError: without anywidget.
    """
    widget = _widget_class()(view=dict(view))
    widget.twins = twins
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
        twins: Twins

        def set_state(self, sync_data: dict[str, Any]) -> None:
            log.debug("the manager ignores state from a front end: %d keys", len(sync_data))

        def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            data, metadata = super()._repr_mimebundle_(**kwargs)
            return data | {"text/plain": self.twins.text(), "text/html": self.twins.html()}, metadata

    return ConnectionManager
