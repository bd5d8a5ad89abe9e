"""The life behind the connection managers of a kernel: events in, views out, requests done on workers.

One desk serves every manager that is shown, so that all of them show the same. Its thread lives while at least one
front end does: each says that it is there every half a minute, and says good-bye when its output goes; one that does
neither (a browser that was closed) counts as gone after :data:`LEASE_S`. The thread waits for events, and looks by
itself only at what has none (pool numbers, an open transaction's end) and only while something is connected.

A request is answered at once (``ack``) and then done (``done``): a front end repeats it until it is acknowledged,
because the first message of a new subshell may be lost, so the same id is never done twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tusk_jupyter import interrupts
from tusk_jupyter.errors import QueryInterrupted, TuskError
from tusk_jupyter.events import ConnectionEvent, QueryEvent
from tusk_jupyter.magics import manager_actions, manager_hosts, manager_messages, manager_trial
from tusk_jupyter.magics.manager_view import Kept, LastSeen, listed, read_kept

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.events import Event
    from tusk_jupyter.magics.manager_messages import Request
    from tusk_jupyter.tusk import Tusk
    from tusk_jupyter.widgets.connection_list import ConnectionList

    Create = Callable[[dict[str, Any], Callable[[Any], object]], Any]

log = logging.getLogger("tusk_jupyter.manager")
POLL_S = 2.0
LEASE_S = 150.0
_REMEMBERED = 1000
_ACTIONS: dict[str, Callable[[Tusk, Request, Callable[[dict[str, Any]], None]], dict[str, Any]]] = {
    "secrets": manager_actions.secrets,
    "save": manager_actions.save,
    "connect": manager_actions.connect,
    "test": manager_trial.test,
    "disconnect": manager_actions.disconnect,
    "use": manager_actions.use,
    "duplicate": manager_actions.duplicate,
    "delete": manager_actions.delete,
    "group_save": manager_actions.group_save,
    "group_move": manager_actions.group_move,
    "group_delete": manager_actions.group_delete,
}


class Shown:
    """One manager's widget and the front ends that show it."""

    def __init__(self, widget: Any, place: str | None) -> None:
        self.widget = widget
        self.place = place
        self.seen: OrderedDict[str, None] = OrderedDict()
        self.views: dict[str, float] = {}

    def is_new(self, request_id: str) -> bool:
        """Return whether a request has not come before."""
        if request_id in self.seen:
            return False
        self.seen[request_id] = None
        if len(self.seen) > _REMEMBERED:
            self.seen.popitem(last=False)
        return True

    def tell(self, message: dict[str, Any]) -> None:
        """Send a message to the front ends; to a closed widget, to nobody."""
        self.widget.send(message)


class Desk:
    """Serves the managers of one :class:`Tusk`; ``close()`` ends them."""

    def __init__(self, tusk: Tusk) -> None:
        self.tusk = tusk
        self._lock = threading.Lock()
        self._pushing = threading.Lock()
        self._wake = threading.Event()
        self._thread: Any = None
        self._closed = False
        self._shown: list[Shown] = []
        self._busy: set[tuple[str, str]] = set()
        self._last: dict[str, LastSeen] = {}
        self._asked_at: dict[str, datetime] = {}
        self._kept = Kept()
        self._stale = True
        self._unsubscribe = tusk.events.subscribe(self._on_event)

    # -- managers -----------------------------------------------------------------------------------------------------

    def add(self, create: Create, place: str | None) -> Any:
        """Open a manager's widget and return it; one that stood in the same cell is closed.

        :param create: makes the widget of a view and what is called with its messages.
        """
        self.close_at(place)
        holder: list[Shown] = []
        widget = create(self.now().as_dict(), lambda content: self.receive(holder[0], content))
        holder.append(Shown(widget, place))
        with self._lock:
            self._shown.append(holder[0])
        return widget

    def close_at(self, place: str | None) -> None:
        """Close the manager of a cell that runs again."""
        with self._lock:
            gone = [shown for shown in self._shown if place is not None and shown.place == place]
            self._shown = [shown for shown in self._shown if shown not in gone]
        for shown in gone:
            shown.widget.close()

    def close(self) -> None:
        """Close every manager and end the thread; closing twice is fine."""
        self._unsubscribe()
        with self._lock:
            self._closed = True
            gone, self._shown = self._shown, []
            thread = self._thread
        self._wake.set()
        for shown in gone:
            shown.widget.close()
        if thread is not None and not thread.done():
            interrupts.wait(thread, on_interrupt=lambda _: True, on_tick=lambda: False)

    def now(self) -> ConnectionList:
        """Return the list as it is now, reading what is saved again where it may have changed."""
        if self._stale:
            self._stale = False
            self._kept = read_kept(self.tusk)
        return listed(self.tusk, self._kept, dict(self._last))

    def refresh(self, *, saved: bool = True) -> None:
        """Look again soon; ``saved`` reads the file as well."""
        self._stale = self._stale or saved
        self._wake.set()

    # -- messages -----------------------------------------------------------------------------------------------------

    def receive(self, shown: Shown, content: Any) -> None:
        """Take a message of a front end; whatever it is, this returns at once and raises nothing."""
        request = manager_messages.read(content)
        if request is None or self._closed:
            return
        shown.tell({"op": "ack", "id": request.id})
        if request.view:
            shown.views[request.view] = time.monotonic()
        if not shown.is_new(request.id):
            return
        if request.op == "hello":
            self._start()
            self.refresh()
        elif request.op == "bye":
            shown.views.pop(request.view, None)
            self._wake.set()
        elif request.op == "refresh":
            self.refresh()
        else:
            interrupts.spawn(f"manager-{request.op}", lambda: self._perform(shown, request))

    def _perform(self, shown: Shown, request: Request) -> None:
        answer: dict[str, Any] = {"ok": False, "target": request.target}
        if request.op == "secrets":
            key = ("secrets", request.id)
        else:
            key = ("group" if request.op.startswith("group") else "connection", request.target or request.id)
        with self._lock:
            busy = key in self._busy
            self._busy.add(key)
        if busy:
            note = "wait: something is being done with it already"
            shown.tell({"op": "done", "id": request.id, **answer, "note": note})
            return
        try:
            answer = self._answer(shown, request)
        finally:
            with self._lock:
                self._busy.discard(key)
            # the view first: whoever reads the answer finds it true
            self._stale = True
            self._push_now()
            shown.tell({"op": "done", "id": request.id, **answer})

    def _answer(self, shown: Shown, request: Request) -> dict[str, Any]:
        from tusk_jupyter.magics.output import panel
        from tusk_jupyter.magics.sql import unexpected

        target = request.target

        def tell(message: dict[str, Any]) -> None:
            nonlocal target
            # a new connection is saved before it is tried
            target = message.get("target") or target
            shown.tell({**message, "id": request.id})

        error: TuskError
        try:
            answer = _ACTIONS[request.op](self.tusk, request, tell)
        except TuskError as failure:
            error = failure
        except QueryInterrupted as failure:
            error = failure.error
        except Exception as failure:  # noqa: BLE001 - whatever it is, the form shows it, and the kernel goes on
            error = unexpected(failure)
            # the class alone: a password may be in the frames, or in the words of a foreign exception
            log.warning("the manager could not %s: %s", request.op, type(failure).__name__)
        else:
            if answer.get("asks"):
                self._forget(answer.get("target") or request.target)
            return answer
        if (asked := manager_hosts.question(error)) is not None:
            self._forget(target)
            return {"ok": False, "target": target, **asked}
        return {"ok": False, "target": target, "kind": error.kind, "error": panel(error).html()}

    def _forget(self, connection_id: str) -> None:
        # that a password or a host key is asked about is no failure to show; its event may come later than this
        self._asked_at[connection_id] = datetime.now(UTC)
        self._last.pop(connection_id, None)

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _on_event(self, event: Event) -> None:
        if isinstance(event, ConnectionEvent):
            asked_at = self._asked_at.get(event.connection_id)
            if event.status in {"connecting", "error"} and (asked_at is None or event.at > asked_at):
                self._last[event.connection_id] = LastSeen(event.status, event.error)
            else:
                self._last.pop(event.connection_id, None)
        elif not isinstance(event, QueryEvent) or event.status == "progress":
            return
        self.refresh(saved=isinstance(event, ConnectionEvent))

    def _start(self) -> None:
        with self._lock:
            if not self._closed and (self._thread is None or self._thread.done()):
                self._thread = interrupts.spawn("manager", self._run)

    def _run(self) -> None:
        while True:
            self._wake.wait(POLL_S if len(self.tusk.connections) else LEASE_S / 2)
            self._wake.clear()
            with self._lock:
                if self._closed or not self._has_views():
                    self._thread = None
                    return
            self._push_now()

    def _has_views(self) -> bool:
        limit = time.monotonic() - LEASE_S
        for shown in self._shown:
            shown.views = {view: at for view, at in shown.views.items() if at > limit}
        return any(shown.views for shown in self._shown)

    def _push_now(self) -> None:
        with self._pushing:  # or an older view could overtake a newer one
            try:
                view = self.now().as_dict()
            except Exception as error:  # noqa: BLE001 - a view that cannot be made now is made the next time
                log.warning("the manager's list could not be made: %s", type(error).__name__)
                return
            with self._lock:
                shown = list(self._shown)
            for one in shown:
                if one.widget.view != view:
                    one.widget.view = view
