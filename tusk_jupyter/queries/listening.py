"""``LISTEN``, and the wait for what comes: on the session's worker, which reads the socket and sends nothing.

The wait is one statement to everybody else: it is listed, and stopped, like any other; but there is nothing to cancel
on the server, and to be stopped is how it ends. What has come on other channels is left for the next cell.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final

from tusk_jupyter.connections.wire import Command, SessionLostError
from tusk_jupyter.errors import ConnectionLost
from tusk_jupyter.notifications import silence
from tusk_jupyter.queries import channels
from tusk_jupyter.queries.delivery import Delivery
from tusk_jupyter.queries.lost import STATE

if TYPE_CHECKING:
    from tusk_jupyter.notifications import Notification

SLICE_S: Final = 0.02
MOST: Final = 100_000
MOST_BYTES: Final = 64 << 20


@dataclass(slots=True)
class Collected:
    """What has come so far: filled by the worker, read by the main thread meanwhile.

    :param until: how many are waited for.
    :param timeout_s: for how long; ``None``: as long as it takes.
    """

    names: frozenset[str]
    until: int
    timeout_s: float | None
    notifications: list[Notification] = field(default_factory=list)
    nbytes: int = 0
    left_out: int = 0  # that came before, and were too many to be kept

    @property
    def is_full(self) -> bool:
        """Whether nothing more is waited for."""
        return len(self.notifications) >= self.until or self.is_too_much

    @property
    def is_too_much(self) -> bool:
        """Whether more is not kept, however many were asked for."""
        return len(self.notifications) >= MOST or self.nbytes >= MOST_BYTES

    def takes(self, notification: Notification) -> bool:
        """Take it, if it is one of those that are waited for."""
        if notification.channel not in self.names or self.is_full:
            return False
        self.nbytes += len(notification.payload)
        self.notifications.append(notification)
        return True


@dataclass(slots=True, kw_only=True)
class Listening(Delivery):
    """``LISTEN`` under way, and then the wait."""

    ends_when_stopped: ClassVar[bool] = True

    collected: Collected

    def run(self) -> None:
        """Listen until enough has come, the time is over, or somebody stops it.

        :raises ConnectionLost: when the session is gone.
        """
        session, collected = self.session, self.collected
        session.on_notification = self._add
        try:
            before = session.inbox.take()
            for notification in before.kept:
                self._add(notification)
            collected.left_out = before.left_out
            if self._listens():
                channels.follow(session, self.statement)
                self._wait()
        except SessionLostError as loss:
            raise self._lost(loss) from None
        finally:
            session.on_notification = session.inbox.add

    def _add(self, notification: Notification) -> None:
        if not self.collected.takes(notification):
            self.session.inbox.add(notification)

    def _listens(self) -> bool:
        for name in sorted(self.collected.names):
            quoted = name.replace('"', '""')
            text = self.session.encode(f'listen "{quoted}"')
            self.reply = self.session.run(self.token, Command(text), on_notice=self.notices.add)
            if self.reply.error is not None:
                return False
        return True

    def _wait(self) -> None:
        collected, began = self.collected, time.monotonic()
        while not (collected.is_full or self.token.requested):
            left = SLICE_S
            if collected.timeout_s is not None:
                left = min(SLICE_S, collected.timeout_s - (time.monotonic() - began))
            self.session.wait_for_notifications(max(0.0, left))
            if left <= 0:
                return

    def _lost(self, loss: SessionLostError) -> ConnectionLost:
        self.session.loss_told = True
        said = (loss.reason.strip() or "closed").splitlines()[0]
        error = ConnectionLost(f"the session of {self.session.name!r} was lost: {said}", name=self.session.name)
        gone = silence(self.session.channels | self.collected.names)
        error.transaction = f"Lost with it: {STATE}.{gone} What is sent meanwhile reaches nobody."
        return error
