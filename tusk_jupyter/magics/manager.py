"""``%tusk_connect`` alone: the connection manager, as a widget, in a plain terminal as a dialogue.

The desk behind the widgets is one per kernel and is made with the first of them. A cell that runs again replaces its
manager; so does unloading, by :func:`close`. Above the widget stands the static list, for readers without a kernel;
where anywidget is missing it stands alone, with what to install.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.magics.front_end import cell_id
from tusk_jupyter.magics.manager_desk import Desk

if TYPE_CHECKING:
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.tusk import Tusk

_INSTALL = "the connection manager needs anywidget in this kernel's environment: %pip install anywidget"
_READER = "a list as it was: run the cell to connect, test or change one"
_desk: Desk | None = None
_shell: Any = None


def run(tusk: Tusk, shell: Any, output: CellOutput) -> None:
    """Show the manager."""
    if output.terminal:
        from tusk_jupyter.magics import manager_terminal

        manager_terminal.run(tusk)
        return
    desk = _desk_of(tusk, shell)
    now = desk.now()
    try:
        from tusk_jupyter.widgets import connection_manager

        widget = desk.add(
            lambda view, receive: connection_manager.create(view, on_message=receive),
            cell_id(shell),
        )
    except ImportError:
        output.show(replace(now, notes=(*now.notes, _INSTALL)))
        return
    output.show(replace(now, notes=(*now.notes, _READER)))
    output.show(widget)


def close() -> None:
    """Close every manager of this kernel; without any, nothing."""
    global _desk, _shell
    desk, _desk = _desk, None
    shell, _shell = _shell, None
    if desk is not None:
        shell.events.unregister("post_run_cell", _after_cell)
        desk.close()


def _desk_of(tusk: Tusk, shell: Any) -> Desk:
    global _desk, _shell
    if _desk is not None and _desk.tusk is not tusk:
        close()
    if _desk is None:
        _desk, _shell = Desk(tusk), shell
        shell.events.register("post_run_cell", _after_cell)
    return _desk


def _after_cell(_result: Any) -> None:
    # what a cell saved, renamed or began has no event
    if _desk is not None:
        _desk.refresh()
