"""PostgreSQL in a notebook: ``%load_ext tusk_jupyter``, ``%tusk_connect``, ``%%sql``.

The public names are resolved when they are asked for (PEP 562): importing this package imports nothing else of it, and
``%load_ext`` stays within 100 ms.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tusk_jupyter.version import __version__

if TYPE_CHECKING:
    from tusk_jupyter.api import connect, last_result, result, sql, sql_async, state, submit, transaction
    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.jobs import Job
    from tusk_jupyter.queries.json_value import json
    from tusk_jupyter.results.result import Result
    from tusk_jupyter.tusk import Tusk

_HOMES = {
    "connect": "tusk_jupyter.api",
    "last_result": "tusk_jupyter.api",
    "result": "tusk_jupyter.api",
    "sql": "tusk_jupyter.api",
    "sql_async": "tusk_jupyter.api",
    "state": "tusk_jupyter.api",
    "submit": "tusk_jupyter.api",
    "transaction": "tusk_jupyter.api",
    "json": "tusk_jupyter.queries.json_value",
    "Connection": "tusk_jupyter.connections.connection",
    "Job": "tusk_jupyter.jobs",
    "Result": "tusk_jupyter.results.result",
    "Tusk": "tusk_jupyter.tusk",
}

__all__ = [
    "Connection",
    "Job",
    "Result",
    "Tusk",
    "__version__",
    "connect",
    "json",
    "last_result",
    "result",
    "sql",
    "sql_async",
    "state",
    "submit",
    "transaction",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tusk_jupyter' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, "errors", "load_ipython_extension", "unload_ipython_extension"})


def load_ipython_extension(shell: Any) -> None:
    """IPython's hook for ``%load_ext tusk_jupyter``."""
    from tusk_jupyter.magics.load import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """IPython's hook for ``%unload_ext tusk_jupyter``."""
    from tusk_jupyter.magics.load import unload

    unload(shell)
