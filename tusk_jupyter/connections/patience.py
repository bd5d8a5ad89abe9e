"""Whether to try again to connect: to a server that is starting up, or stopping to start again, until the time is over.

The first pause is short, because a server that was restarted is back within a second; each is twice the one before, up
to a limit, because one that recovers from a crash may take minutes and has better things to do. A server that was seen
to shut down listens nowhere for a moment, so what nobody answers is tried again then, and only then.
"""

from __future__ import annotations

import logging
import time

from tusk_jupyter.connections import failures
from tusk_jupyter.connections.diagnoses import Reached

log = logging.getLogger("tusk_jupyter.connections")
FIRST_S = 0.1
LONGEST_S = 2.0


class Patience:
    """Of one connection that is being opened: how often it was tried, why again, and when it has been enough."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._began = time.monotonic()
        self._pause = FIRST_S
        self._tries = 1
        self._unready: str | None = None

    def is_worth_more(self, failure: BaseException) -> bool:
        """Wait where another attempt makes sense; ``False``, at once, where none does or no time is left."""
        unready = failures.unready(failure)
        if unready is None and (self._unready is None or failures.furthest(failure) > Reached.TCP):
            return False
        # the first is the cause: who shuts down is starting up later
        self._unready = self._unready or unready
        if self._deadline - time.monotonic() <= self._pause:
            return False
        log.info("the server is %s: another attempt in %.1f s", self._unready, self._pause)
        time.sleep(self._pause)
        self._pause = min(2 * self._pause, LONGEST_S)
        self._tries += 1
        return True

    @property
    def tried(self) -> str | None:
        """How often and how long it was tried, ``None`` for once."""
        return f"{self._tries} times in {self._seconds}" if self._tries > 1 else None

    @property
    def waited(self) -> str | None:
        """What to say of a connection that was made in the end, ``None`` where nothing was waited for."""
        if self._unready is None:
            return None
        return f"the server was {self._unready}: connected at attempt {self._tries}, after {self._seconds}"

    @property
    def _seconds(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"
