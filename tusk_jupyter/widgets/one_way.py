"""Widgets that only the kernel changes: one trait with the view, messages for everything else.

A trait is saved with the notebook where widget state is kept, so a view holds no secret, and what a front end sends as
state is dropped: the view is the kernel's word alone. Messages are delivered while a cell runs, on the subshell of the
front end that sent them; ipykernel 7.4 would hand them to the shell that opened the widget, which is busy with the
cell: that routing is switched off. The ESM file and the style sheet lie in ``static`` and are sent as they are, without
a bundler.
"""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

log = logging.getLogger("tusk_jupyter.widgets")
STATIC = Path(__file__).parent / "static"


def create(name: str, view: Mapping[str, Any], *, on_message: Callable[[Any], object], text: str = "") -> Any:
    """Return the widget that ``static/name.js`` draws, open and ready to be shown; assign its ``view`` to change it.

    :param on_message: is called with each message of a front end, whatever it holds, on the thread that received it.
    :param text: stands in its place where it cannot be drawn.
    :raises ImportError: without anywidget.
    """
    widget = widget_class(name, text)(view=dict(view))
    widget.on_msg(lambda _widget, content, _buffers: on_message(content))
    if hasattr(widget.comm, "_reply_subshell_for"):
        widget.comm._reply_subshell_for = None  # noqa: SLF001 - ipykernel 7.4 has no public way
    return widget


@functools.cache
def widget_class(name: str, text: str = "") -> type[Any]:
    """Return the class of such a widget, made with what it has to import."""
    import anywidget
    import traitlets

    class OneWay(anywidget.AnyWidget):  # type: ignore[misc]
        """See the module."""

        _esm = STATIC / f"{name}.js"
        _css = STATIC / f"{name}.css"
        view = traitlets.Dict().tag(sync=True)

        def set_state(self, sync_data: dict[str, Any]) -> None:
            log.debug("%s ignores state from a front end: %d keys", name, len(sync_data))

        def close(self) -> None:
            # ipywidgets leaves the layout that it made with the widget; it would be saved with the notebook
            layout, is_open = self.layout, self.comm is not None
            super().close()
            if is_open:
                layout.close()

        def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
            data, metadata = super()._repr_mimebundle_(**kwargs)
            return data | {"text/plain": text}, metadata

    return OneWay
