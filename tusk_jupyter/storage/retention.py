"""What is older than ``history_days`` leaves the history, once per load, while the kernel does other things.

A thread of its own waits for the batches, not the load (which has 100 ms for everything; the thread begins a second
later) and not the writer, which takes this kernel's rows in between and leaves room for those of others. It stays with
the file it was started on: after ``%tusk data-dir`` another one has other preferences.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from tusk_jupyter import interrupts

if TYPE_CHECKING:
    from concurrent.futures import Future

    from tusk_jupyter.storage.database import Database

logger = logging.getLogger("tusk_jupyter.storage")
DELAY_S = 1.0


def start(database: Database, *, days: int) -> Future[int]:
    """Delete what ran more than ``days`` ago, on a thread; the future is how many rows that were."""

    def forget() -> int:
        time.sleep(DELAY_S)
        from tusk_jupyter.storage.history import History

        try:
            count = History(lambda: database).forget(days)
        except Exception as error:  # noqa: BLE001 - nobody waits for it; the next load tries again
            logger.info("old history could not be removed: %s", error)
            return 0
        if count:
            logger.info("%d statements that ran more than %d days ago were removed from the history", count, days)
        return count

    return interrupts.spawn("retention", forget)
