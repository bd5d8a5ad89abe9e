r"""Variables of the notebook that a command sets: ``\gset``'s are named by the columns of a result, so by the server.

What a result is called must not take the place of what the notebook runs: ``pd`` where that is a module, whatever can
be called, IPython's own names are refused (psql had such a hole, CVE-2020-25696). A name that only Python itself has is
taken, as an assignment would: half of all tables have an ``id``. The values are data, whatever their names.
"""

from __future__ import annotations

import keyword
import types
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping


def assign(shell: Any, values: Mapping[str, Any], *, command: str) -> None:
    """Set variables of the notebook, all or none.

    :raises InvalidInput: for a name that is none of a variable, or that of something which is no data.
    """
    for name in values:
        if (reason := _refusal(shell, name)) is not None:
            raise InvalidInput(
                f"{command}: {name!r} {reason}",
                advice="No variable was set. Call the column something else (… as name), or give a prefix.",
                name=name,
            )
    shell.user_ns.update(values)


def _refusal(shell: Any, name: str) -> str | None:
    if not name.isidentifier() or keyword.iskeyword(name):
        return "is not the name of a variable"
    if name.startswith("_") or name in getattr(shell, "user_ns_hidden", {}):
        return "is a name of IPython's"
    there = shell.user_ns.get(name)
    # callable() looks at the type alone: nothing of the user's is run
    if isinstance(there, types.ModuleType) or callable(there):
        return f"is a {type(there).__name__} in this notebook"
    return None
