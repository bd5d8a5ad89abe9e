"""Who reads the outputs of the cell that runs now: a front end that is there, or a file.

A widget in an executed file is junk: nbclient, papermill and nbconvert store its state with the notebook, and nothing
will ever answer it. The protocol has no word for it, but front ends with a notebook document (JupyterLab, Notebook 7,
VS Code) name the cell in each ``execute_request``, and those tools and ``jupyter console`` do not.
"""

from __future__ import annotations

import sys
import threading
from typing import Any


def cell_id(shell: Any) -> str | None:
    """Return the id that the front end gave the cell that runs now, or ``None`` without one."""
    found = _parent(shell).get("metadata", {}).get("cellId")
    return found if isinstance(found, str) else None


def is_live(shell: Any) -> bool:
    """Return whether what is displayed now can be replaced later, and is seen meanwhile.

    Not in ``%%capture``, nor in ``with ipywidgets.Output():``, both of which keep what they are shown first. Not in a
    thread of the user's, whose outputs go to whichever cell ran last.
    """
    if threading.current_thread() is not threading.main_thread() or cell_id(shell) is None:
        return False
    from IPython.core.displaypub import CapturingDisplayPublisher

    return not isinstance(shell.display_pub, CapturingDisplayPublisher) and not _in_output_widget(shell)


def nobody_is_there(shell: Any) -> bool:
    """Return whether nobody could stop the cell: what executes files lets none ask its user, as all others do."""
    kernel = getattr(shell, "kernel", None)
    return kernel is not None and not getattr(kernel, "_allow_stdin", True)


def _in_output_widget(shell: Any) -> bool:
    # one that is entered takes the messages whose parent is this one; nobody has made one without this module
    outputs = sys.modules.get("ipywidgets.widgets.widget_output")
    if outputs is None:
        return False
    from ipywidgets.widgets.widget import _instances

    message = _parent(shell).get("header", {}).get("msg_id")
    return any(isinstance(one, outputs.Output) and one.msg_id == message for one in list(_instances.values()))


def _parent(shell: Any) -> dict[str, Any]:
    kernel = getattr(shell, "kernel", None)
    parent = kernel.get_parent() if kernel is not None and hasattr(kernel, "get_parent") else {}
    return parent if isinstance(parent, dict) else {}
