"""An event loop in a thread of its own: what the practice servers answer while a cell waits for them."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

_LIMIT_S = 10.0


class LoopThread:
    """The loop, until ``close()``."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tusk-practice-loop", daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine there to its end."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(_LIMIT_S)

    def close(self) -> None:
        """End what still runs, and the thread; closing twice is fine."""
        if self._loop.is_closed():
            return
        self.wait(_end_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_LIMIT_S)
        if not self._thread.is_alive():
            self._loop.close()


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
