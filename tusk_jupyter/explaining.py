"""What is added to an error of a statement before it is shown: what this kernel knows, then what a server is asked.

A part of :mod:`~tusk_jupyter.running`, imported by the first error. What this side knows (whose lock it waited for, why
the tunnel broke, which name is meant) is there at once, also for those who hear of the error by an event; what has to
be asked is asked on another connection, within a second, and can be interrupted.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from tusk_jupyter.errors import ConnectionLost, QueryCancelled, QueryTimeout

if TYPE_CHECKING:
    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.errors import SshError, TuskError
    from tusk_jupyter.queries.causes import Origin
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.progress import Wait
    from tusk_jupyter.queries.registry import Queries
    from tusk_jupyter.schema.registry import Schemas

_LOCK_TIMEOUT = "55P03"


class Known(Protocol):
    """What is used of the state."""

    queries: Queries

    @property
    def schemas(self) -> Schemas: ...


def tell(kernel: Known, connection: Connection, error: TuskError, execution: Execution | None) -> None:
    """Complete an error with what this kernel knows."""
    if isinstance(error, ConnectionLost) and (broken := connection.route.problem) is not None:
        _name_tunnel(error, connection.name, broken)
    if execution is not None:
        seen = execution.seen
        if seen.wait is not None and time.monotonic() <= seen.until:
            _name_wait(error, seen.wait)
        _suggest(kernel, connection, error, execution)


def look_up(kernel: Known, connection: Connection, error: TuskError, execution: Execution | None) -> None:
    """Complete the error of a cell with what the server knows; an interrupt ends that, and the cell."""
    try:
        resolve(error, connection, came_from(kernel, connection, execution) if execution is not None else None)
    except KeyboardInterrupt:
        if execution is None:
            raise
        execution.hear_interrupt()  # what this side knows of the error is said; nothing more of the cell runs


def came_from(kernel: Known, connection: Connection, execution: Execution) -> Origin:
    """Return where an error of a statement comes from, as it is now, before its session is used again."""
    from tusk_jupyter.queries import causes

    doubtful = kernel.schemas.doubtful(execution.session, connection)
    user = kernel.schemas.user(execution.session, connection)
    found = causes.origin(execution.session, execution.statement.text, doubtful, user)
    own = {
        one.pid: f"{one.connection} (query {one.id[:8]} of this kernel): {one.sql}"
        for one in kernel.queries.active()
        if one.pid is not None and one.pid != found.backend_pid
    }
    return replace(found, own=own, at=time.monotonic())


def resolve(error: TuskError, connection: Connection, origin: Origin | None) -> None:
    """Complete an error with what only the server knows by now, asked on another connection."""
    from tusk_jupyter.queries import causes, commit, time_out_sources

    commit.resolve(error, connection)
    time_out_sources.resolve(error, connection)
    causes.resolve(error, connection, origin)


def _suggest(kernel: Known, connection: Connection, error: TuskError, execution: Execution) -> None:
    from tusk_jupyter import did_you_mean

    known, doubtful = kernel.schemas.catalog(connection), kernel.schemas.doubtful(execution.session, connection)
    did_you_mean.complete(error, execution, known, doubtful)


def _name_wait(error: TuskError, wait: Wait) -> None:
    """Say what a statement that was stopped had waited for; who was in a deadlock the server says itself."""
    if isinstance(error, QueryCancelled | QueryTimeout) or error.sqlstate == _LOCK_TIMEOUT:
        from tusk_jupyter.waits import waited

        error.facts = (*error.facts, ("waited for", waited(wait)))


def _name_tunnel(error: ConnectionLost, name: str, broken: SshError) -> None:
    # libpq only saw its peer go away; the tunnel knows why
    said = error.message.partition("was lost: ")[2]
    error.detail = "\n".join(filter(None, (said, error.detail))) or None
    error.message = f"the session of {name!r} was lost: {broken.message}"
