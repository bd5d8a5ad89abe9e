"""The steps of a test as they stand: each change is told at once, in one thread, and none goes back.

Workers put what they learn into a queue; the thread that waits for them shows it. A step that has ended is not running
again because somebody else comes to it later.
"""

from __future__ import annotations

import logging
import queue
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

log = logging.getLogger("tusk_jupyter.connections")
StepName = Literal["DNS", "TCP", "SSH", "TLS", "authentication", "database"]
NAMES: tuple[StepName, ...] = get_args(StepName)
# how long a finished attempt waits for the scout's last words
_SETTLE_S = 0.2


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it stands; a failed one says why in its text."""

    name: StepName
    state: Literal["running", "ok", "failed", "skipped"]
    text: str = ""


class Board:
    """What is known of each step, and who wants to know it; it holds nothing that needs closing."""

    def __init__(self, on_step: Callable[[Step], None] | None) -> None:
        self._on_step = on_step
        self._steps: dict[StepName, Step] = {}
        self._news: queue.SimpleQueue[Step | None] = queue.SimpleQueue()

    def tell(self, step: Step) -> None:
        """Hand a step over from a worker."""
        self._news.put(step)

    def take(self, step: Step) -> None:
        """Show a step, unless that says nothing new."""
        known = self._steps.get(step.name)
        if known == step or (known is not None and step.state == "running" and known.state != "running"):
            return
        self._steps[step.name] = step
        if self._on_step is not None:
            try:
                self._on_step(step)
            except Exception:  # what is shown meanwhile must not cost the test
                log.exception("whoever watched the test of a connection failed")

    def state(self, name: StepName) -> str:
        """Return the step's state; one that nobody came to yet is running."""
        known = self._steps.get(name)
        return "running" if known is None else known.state

    def arrive(self, name: StepName, *, certain: bool = True) -> None:
        """Close a step that nobody said anything of: it worked, or it was never come to."""
        if self.state(name) == "running":
            self.take(Step(name, "ok" if certain else "skipped"))

    def in_order(self) -> tuple[Step, ...]:
        """Return them all; each has been taken."""
        return tuple(self._steps[name] for name in NAMES)

    def watch(self, job: Future[Any], *, until: float) -> Any:
        """Show what comes in until the job has ended; return its outcome, or the exception it ended with.

        :param until: ``time.monotonic()`` at which the job is left to itself, with a ``TimeoutError``.
        """
        job.add_done_callback(lambda _: self._news.put(None))
        while not (job.done() and self._news.empty() and self.state("DNS") != "running"):
            try:
                news = self._news.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                break
            if news is not None:
                self.take(news)
            else:
                # the scout may still say more than the attempt does
                until = min(until, time.monotonic() + _SETTLE_S)
        if not job.done():
            return TimeoutError()
        return job.exception() or job.result()
