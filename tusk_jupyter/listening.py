"""``LISTEN`` on a connection's session, and what came: a part of the state, beside loads and passwords.

Refused where nothing could come, however long one waits: on a read-only connection, whose transactions are rolled back;
through a pooler that lends another server connection to each transaction; and in an open transaction, until whose end
LISTEN has no effect and the server delivers nothing.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput, QueryInterrupted
from tusk_jupyter.running import CellOptions, begun, delivery_options, ended

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.session import Session
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.listening import Collected
    from tusk_jupyter.queries.script import Step
    from tusk_jupyter.running import Kernel
    from tusk_jupyter.secret import Secret


@dataclass(frozen=True, slots=True)
class Listen:
    """What is listened to: channels by their names, for how long, until how many have come."""

    channels: tuple[str, ...]
    timeout_s: float | None = None
    count: int | None = None

    @property
    def until(self) -> int:
        """How many are waited for: the first, where nothing else was said."""
        if self.count is not None:
            return self.count
        return 1 if self.timeout_s is None else sys.maxsize


@dataclass(frozen=True, slots=True)
class Listened:
    """How it ended: the step, what came, the frame of it, and whether somebody stopped it."""

    step: Step
    collected: Collected
    frame: Any
    stopped: bool


def listen(
    kernel: Kernel,
    wanted: Listen,
    *,
    connection: Connection,
    ask: Callable[[str], Secret | None] | None,
    on_tick: Callable[[Execution, Collected], None] | None,
) -> Listened:
    """Listen, and wait as long as ``wanted`` says; to be stopped is an end like any other.

    :param on_tick: called each 50 ms, and once more when it has failed, with what has come so far.
    :raises InvalidInput: where nothing could come; :raises TuskError: as a cell does.
    """
    from tusk_jupyter.queries.binding import Bound
    from tusk_jupyter.queries.endings import Source
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.listening import Collected, Listening
    from tusk_jupyter.queries.script import Step
    from tusk_jupyter.queries.split import split

    if connection.target.settings.read_only:
        from tusk_jupyter.queries.read_only import LISTEN_ADVICE

        raise InvalidInput(
            f"{connection.name!r} is read-only: LISTEN would vanish with its transactions, which are rolled back",
            advice=LISTEN_ADVICE,
        )
    session = connection.session(ask)
    _refuse_in_vain(session)
    collected = Collected(frozenset(wanted.channels), wanted.until, wanted.timeout_s)
    [statement] = split("listen " + ", ".join(_quoted(name) for name in wanted.channels))
    execution = Execution(
        session,
        statement=statement,
        bound=Bound(statement.text),
        source=Source("", statement.text),
        options=delivery_options(kernel, CellOptions(), connection),
        deliver=partial(Listening, collected=collected),
    )
    execution.doing = f"listens on {', '.join(wanted.channels)}"
    begun(kernel, connection, execution)
    outcome = execution.wait((lambda: on_tick(execution, collected)) if on_tick is not None else None)
    ended(kernel, connection, statement, execution, outcome, history=True)
    if outcome.error is not None:
        if on_tick is not None:
            on_tick(execution, collected)  # what came before it failed
        raise QueryInterrupted(outcome.error) if execution.interrupted else outcome.error
    from tusk_jupyter.results.notified import to_frame

    frame = to_frame(collected.notifications, session.parameter("TimeZone") or "UTC")
    return Listened(Step(statement, execution, outcome, more=False), collected, frame, execution.is_cancelled)


def _refuse_in_vain(session: Session) -> None:
    if session.backend_pid is None:
        from tusk_jupyter.queries.channels import POOLED

        raise InvalidInput(
            f"nothing would ever come on {session.name!r}: {POOLED}",
            advice="Nothing was sent. Connect to the server itself, or through a pooler in session mode.",
        )
    if session.transaction is not None:
        raise InvalidInput(
            f"a transaction is open on {session.name!r}: until it ends, LISTEN has no effect and nothing is delivered",
            advice="Nothing was sent. COMMIT or ROLLBACK first, then run it again.",
        )


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
