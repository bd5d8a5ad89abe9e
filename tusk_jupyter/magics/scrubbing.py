"""Taking a typed password out of IPython's input history: ``In``, ``_i…`` and ``history.sqlite`` (mode 0644).

IPython stores a cell before it runs it. Its in-memory lists are replaced at once; the row for its SQLite file is
still in a cache then, written later by a thread of its own, so replacing it there keeps it off the disk. The notebook
file is the front end's: nothing here can reach it, and the user is told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tusk_jupyter.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable


def scrub_history(shell: Any, line: str) -> bool:
    """Replace a password in ``line`` wherever IPython keeps the cell; return whether there was one."""
    clean = redact(line)
    if clean == line:
        return False
    history = getattr(shell, "history_manager", None)
    if history is not None:
        _scrub_memory(shell, history, lambda text: text.replace(line, clean))
    return True


def _scrub_memory(shell: Any, history: Any, replace: Callable[[str], str]) -> None:
    for name in ("input_hist_parsed", "input_hist_raw"):
        kept = getattr(history, name, [])
        kept[:] = [replace(text) for text in kept]
    cache = getattr(history, "db_input_cache", [])
    cache[:] = [tuple(replace(v) if isinstance(v, str) else v for v in row) for row in cache]
    for name, value in list(shell.user_ns.items()):
        if name.startswith("_i") and isinstance(value, str):
            shell.user_ns[name] = replace(value)
    for name in ("_i", "_ii", "_iii", "_i00"):
        if isinstance(getattr(history, name, None), str):
            setattr(history, name, replace(getattr(history, name)))
