"""How far a statement in flight has come, and what it waits for: records for the line, the card and the table.

Two sides know parts of it. This one counts rows and bytes as they arrive; the server knows the phase of a long
command, what a backend waits for and who holds it. What the server says is looked up on a borrowed connection, from
half a second on (:mod:`~tusk_jupyter.queries.watching`), and laid beside the counts: one record, :class:`Progress`,
for whoever draws.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Holder:
    """A session in the way: at ``level`` 1 it holds what the statement waits for, at 2 what that one waits for.

    ``query`` is its current or last statement, passwords masked, cut; ``None`` is what this role may not see.
    """

    pid: int
    level: int
    user: str | None = None
    application: str | None = None
    client: str | None = None
    state: str | None = None  # pg_stat_activity's: active, idle in transaction, …
    state_s: float | None = None
    transaction_s: float | None = None
    query: str | None = None
    connection: str | None = None  # the name of this kernel's own connection, where it is one
    remedy: str | None = None  # "cancel" (it runs a statement), "terminate" (it is idle in a transaction), if permitted
    backend_start: str | None = None  # with the pid: the one that was seen, whoever has the number later


@dataclass(frozen=True, slots=True)
class Wait:
    """What a statement waits for, in words («a lock on orders»), for how long, and who stands in the way."""

    what: str
    for_s: float | None = None
    holders: tuple[Holder, ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What the server said of a statement when it was last asked; ``fraction`` is 0 to 1.

    ``until`` is how long it may be believed, by ``time.monotonic()``: the next looks should have come by then.
    """

    fraction: float | None = None
    phase: str | None = None
    wait: Wait | None = None
    expected_rows: int | None = None
    until: float = field(default=math.inf, compare=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """A statement now: its state, seconds since it began, rows and bytes received, and what the server said last."""

    state: str
    elapsed_s: float
    rows: int = 0
    nbytes: int = 0
    seen: Seen = Seen()
