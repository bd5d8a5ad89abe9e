"""The connection manager's widget: see :mod:`~tusk_jupyter.widgets.one_way` for what it is made of.

A password goes to the kernel as one custom message over Jupyter's websocket, so it is as safe on its way as that
connection is (https, or a server on the user's own machine; the form says so where it is neither), and of a stored one
the browser knows only that there is one.

The static list is an output of its own above the widget, which hides it while it is alive. In one output with it, a
front end would choose the widget wherever it can draw widgets, and JupyterLab then shows «Loading widget...» for ever
in a trusted notebook without a kernel, saved widget state or not (jupyterlab_widgets 3.0). The price is that line below
the list there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tusk_jupyter.widgets import one_way

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def create(view: Mapping[str, Any], *, on_message: Callable[[Any], object]) -> Any:
    """Return the widget, open and ready to be displayed; who cannot draw it has the list above.

    :param view: what ``ConnectionList.as_dict()`` returns; assign ``widget.view`` to change it.
    :param on_message: see :func:`one_way.create`.
    :raises ImportError: without anywidget.
    """
    return one_way.create("connection_manager", view, on_message=on_message)
