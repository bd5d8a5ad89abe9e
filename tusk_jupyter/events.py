"""Signals about connections, queries and schemas: ``Tusk.events``.

Subscribers are the front end's widgets and the user's own callbacks; neither may slow a query down or break it. So
events are frozen records put on a queue, and one daemon thread, started by the first subscriber, calls everybody in
order. A callback that raises is logged and stays subscribed. Without subscribers an event costs one comparison.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.errors import ErrorInfo

log = logging.getLogger("tusk_jupyter.events")


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ConnectionEvent:
    """A connection changed: its id and name, and the error where there is one."""

    status: Literal["connecting", "connected", "disconnected", "error"]
    connection_id: str
    connection: str
    error: ErrorInfo | None = None
    at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True)
class QueryEvent:
    """A query went a step further: ids, rows fetched so far, and how it ended."""

    status: Literal["started", "progress", "completed", "failed", "cancelled"]
    connection_id: str
    query_id: str
    rows_fetched: int = 0
    command_tag: str | None = None
    error: ErrorInfo | None = None
    at: datetime = field(default_factory=_now)


@dataclass(frozen=True, slots=True)
class SchemaEvent:
    """What is known of a database's schema changed."""

    status: Literal["refresh_started", "refresh_completed", "object_created", "object_dropped"]
    connection_id: str
    object_type: str | None = None
    object_name: str | None = None
    at: datetime = field(default_factory=_now)


Event = ConnectionEvent | QueryEvent | SchemaEvent


@dataclass(frozen=True, slots=True, eq=False)
class _Subscriber:
    """One subscription, by identity: the same function may be subscribed twice and taken back once."""

    callback: Callable[[Event], object]


class Events:
    """Where events go out: ``subscribe``, ``emit``, ``close``."""

    def __init__(self) -> None:
        self._subscribers: tuple[_Subscriber, ...] = ()
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def subscribe(self, callback: Callable[[Event], object]) -> Callable[[], None]:
        """Call ``callback(event)`` for every event from now on; return the function that ends it."""
        mine = _Subscriber(callback)
        with self._lock:
            self._subscribers = (*self._subscribers, mine)
            if self._thread is None:
                run = contextvars.copy_context().run
                self._thread = threading.Thread(target=run, args=(self._dispatch,), name="tusk-events", daemon=True)
                self._thread.start()

        def unsubscribe() -> None:
            with self._lock:
                self._subscribers = tuple(s for s in self._subscribers if s is not mine)

        return unsubscribe

    @property
    def are_heard(self) -> bool:
        """Whether anybody has subscribed: else an event need not be made."""
        return bool(self._subscribers)

    def emit(self, event: Event) -> None:
        """Hand ``event`` to the dispatcher; never blocks, never raises."""
        if self._subscribers:
            self._queue.put(event)

    def close(self) -> None:
        """Deliver what is queued and end the dispatcher."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            if thread is not threading.current_thread():
                thread.join(timeout=2)
        self._subscribers = ()

    def _dispatch(self) -> None:
        while (event := self._queue.get()) is not None:
            for subscriber in self._subscribers:
                try:
                    subscriber.callback(event)
                except Exception:  # a subscriber's mistake must not end the others' events
                    log.exception("an event callback failed: %r", subscriber.callback)
