"""What the server knows of statements in flight: looked up on one borrowed connection per connection, from 0.5 s on.

One thread and one connection watch all executions of a connection, by their backends' pids, and one look serves them
all (:mod:`~tusk_jupyter.queries.looks`): ten background queries cost the server what one does. A look comes at most
four times a second, once a second for what has run for half a minute, every two seconds after five, and never takes
more than a tenth of the time: a distant or a busy server is asked less often.

The user comes first. The connection comes from the pool only where one is free or fits in, and goes back as soon as
anybody waits for one, before the next look; where the pool has no other than the session, or a pooler in between hides
the backends, there are the counts of this side and nothing else. Nothing here raises: a look that fails is a look that
saw nothing. What a look may take is bounded on both sides, by the server's ``statement_timeout`` and by the thread's
own clock, so a network that swallows everything costs the connection, and the next attempt comes later.

The alternative, asking on the session's own socket, does not exist: it is busy until the statement is over.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final

from tusk_jupyter.connections import forking
from tusk_jupyter.events import QueryEvent
from tusk_jupyter.queries import relief
from tusk_jupyter.queries.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.connections.registry import Connections
    from tusk_jupyter.events import Events
    from tusk_jupyter.queries.execution import Execution
    from tusk_jupyter.queries.progress import Holder, Seen

ANSWER_S: Final = 3.0
FRESH_S: Final = 1.0
TOLD_S: Final = 0.25


class Watching:
    """Watches executions; ``close()`` ends it."""

    def __init__(self, *, connections: Connections, events: Events) -> None:
        self._connections = connections
        self._events = events
        self._lock = threading.Lock()
        self._watches: dict[str, Watch] = {}
        self._told: dict[str, float] = {}
        self._closed = False
        forking.watch(self)

    def watch(self, execution: Execution, connection: Connection) -> None:
        """See to it that a running execution is watched, and tell those who listen how far it is; at every tick."""
        if self._events.are_heard:
            self._tell(execution, connection)
        watch = self._watches.get(connection.id)
        if (watch is None or not watch.has(execution)) and execution.state == "running":
            self._begin(execution, connection)

    def look(self, connection: Connection, executions: Iterable[Execution]) -> dict[str, Seen]:
        """Return what the server says of executions now, by their ids; within a second, else what it said last."""
        executions = list(executions)
        for execution in executions:
            if execution.state == "running":
                self._begin(execution, connection)
        watch = self._watches.get(connection.id)
        if watch is not None:
            watch.ask(watch.look, FRESH_S)
        return {execution.id: execution.seen for execution in executions}

    def relieve(self, execution: Execution, holder: Holder) -> str:
        """Cancel or terminate who stands in the way of an execution, if it is still so; return what came of it.

        From any thread, bounded to a few seconds.
        """
        watch = next((each for each in list(self._watches.values()) if each.has(execution)), None)
        if watch is None or execution.state != "running":
            return "the statement does not wait any more: nothing was done"
        said = watch.ask(lambda conn: watch.relieve(conn, execution, holder), ANSWER_S)
        return said if said is not None else relief.NO_ANSWER

    def close(self) -> None:
        """End every watch; closing twice is fine."""
        with self._lock:
            self._closed = True
            watches = list(self._watches.values())
        for watch in watches:
            watch.close()

    def forget(self) -> list[Any]:
        """Be without watches in a forked child: neither their threads nor their connections are here."""
        self._lock = threading.Lock()
        self._watches = {}
        return []

    def names(self, started: str) -> dict[int, str]:
        """Return the names of this kernel's own connections to one server, by the pids of their backends."""
        same = [c for c in self._connections.active() if c.server is not None and c.server.started == started]
        found: dict[int, str] = {}
        for connection in same:
            watch, session = self._watches.get(connection.id), connection.live_session
            if watch is not None:
                found |= dict.fromkeys(watch.pids, f"{connection.name} (background)")
            if session is not None and session.backend_pid is not None:
                found[session.backend_pid] = connection.name
        return found

    def end(self, watch: Watch) -> bool:
        """Let a watch go that has nothing left to do; return whether it had nothing."""
        with self._lock:
            if watch.is_idle:
                if self._watches.get(watch.connection.id) is watch:
                    del self._watches[watch.connection.id]
                return True
            return False

    def _begin(self, execution: Execution, connection: Connection) -> None:
        server, limits = connection.server, connection.target.limits
        if not execution.backend_pids or limits.pool_size <= 1 or server is None or connection.status != "connected":
            return
        if connection.pool.is_closed:
            return
        with self._lock:
            if self._closed:
                return
            watch = self._watches.get(connection.id)
            if watch is None or watch.is_over:
                watch = self._watches[connection.id] = Watch(connection, server, self)
            watch.add(execution)
        watch.start()

    def _tell(self, execution: Execution, connection: Connection) -> None:
        now = time.monotonic()
        if now - self._told.get(execution.id, 0.0) < TOLD_S:
            return
        self._told = {key: at for key, at in self._told.items() if now - at < 1} | {execution.id: now}
        self._events.emit(QueryEvent("progress", connection.id, execution.id, execution.rows))
