"""Waiting in the main thread so that an interrupt is counted, never thrown into the middle of our own code.

A ``KeyboardInterrupt`` lands between any two bytecodes: raised while a finished result is on its way up it loses the
result (37 of 60 at completion, measured), raised in an ``except`` block it loses the clean-up. While we wait, SIGINT
therefore only counts and wakes the wait, through a ``SimpleQueue``, whose ``put`` is made for signal handlers
(https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put). Outside the main thread there is no SIGINT to
catch, and the loop just waits.

Slices of 50 ms: a signal ends a POSIX wait at once, on Windows only the end of a slice does.
"""

from __future__ import annotations

import contextvars
import queue
import signal
import threading
import time
from _signal import signal as _set_handler  # type: ignore[import-not-found]  # C, 0.3 µs; signal.signal around it 7
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import FrameType

T = TypeVar("T")
SLICE_S = 0.05


@contextmanager
def _counted(wake: queue.SimpleQueue[bool]) -> Iterator[None]:
    """Put ``True`` into ``wake`` for each SIGINT instead of raising it, in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def count(_signum: int, _frame: FrameType | None) -> None:
        wake.put(True)

    before = _set_handler(signal.SIGINT, count)
    try:
        yield
    finally:
        _set_handler(signal.SIGINT, before if before is not None else signal.default_int_handler)


def wait(
    future: Future[Any],
    *,
    on_interrupt: Callable[[int], bool],
    on_tick: Callable[[], bool],
) -> bool:
    """Wait for ``future`` and return whether it is done; its outcome is the caller's to take.

    :param on_interrupt: called with the number of interrupts so far, once for each; returning ``True`` ends the wait.
    :param on_tick: called once per slice (50 ms); returning ``True`` ends the wait.
    """
    return begin(lambda: future, on_interrupt=on_interrupt, on_tick=on_tick)


def begin(
    start: Callable[[], Future[Any]],
    *,
    on_interrupt: Callable[[int], bool],
    on_tick: Callable[[], bool],
) -> bool:
    """Begin what gives a future and wait for it, as :func:`wait` does; an interrupt in between is counted as well.

    The last thing before the wait is to wake the worker, which can go on only when this thread lets go of the
    interpreter: whatever is done in between, the worker wakes twice.
    """
    wake: queue.SimpleQueue[bool] = queue.SimpleQueue()
    with _counted(wake):
        count, done = _watch(start(), wake, on_interrupt, on_tick)
    # those that came when all was over are not lost: the caller has a loop, or a script, to stop
    while not wake.empty():
        if wake.get_nowait():
            count += 1
            on_interrupt(count)
    return done


def _watch(
    future: Future[Any], wake: queue.SimpleQueue[bool], on_interrupt: Callable[[int], bool], on_tick: Callable[[], bool]
) -> tuple[int, bool]:
    """Wait; return how many interrupts there were, and whether the future is done."""
    count = 0

    def ended(_future: Future[Any]) -> None:
        wake.put(False)

    future.add_done_callback(ended)
    try:
        while not future.done():
            try:
                interrupted = wake.get(timeout=SLICE_S)
            except queue.Empty:
                interrupted = False
            if interrupted:
                count += 1
                if on_interrupt(count):
                    break
            elif not future.done() and on_tick():
                break
    finally:
        if not future.done():
            _take_back(future, ended)
    return count, future.done()


def _take_back(future: Future[Any], callback: Callable[[Future[Any]], None]) -> None:
    """Take a callback off a future that goes on: one that is waited for again and again would keep them all.

    There is no public way. What calls them goes through the list after the end, which cannot come while we hold this.
    """
    with future._condition:  # noqa: SLF001
        if not future._state.startswith("CANCELLED") and future._state != "FINISHED":  # noqa: SLF001
            future._done_callbacks.remove(callback)  # type: ignore[attr-defined]  # noqa: SLF001


def spawn(name: str, function: Callable[[], T]) -> Future[T]:
    """Run ``function`` on a daemon thread ``tusk-<name>``, in a copy of the context, and return its future."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 - a future carries whatever happened
            future.set_exception(error)
        else:
            future.set_result(result)

    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(run,), name=f"tusk-{name}", daemon=True).start()
    return future


def side_by_side(calls: Sequence[Callable[[], object]], *, name: str) -> None:
    """Make the calls at once, the first in this thread; return when all have returned."""
    begun = []
    for function in calls[1:]:
        try:
            begun.append(spawn(name, function))
        except RuntimeError:  # the interpreter is shutting down
            function()
    for function in calls[:1]:
        function()
    for future in begun:
        future.result()


def call(
    name: str,
    function: Callable[[], T],
    *,
    timeout: float,
    late: Callable[[T], object] | None = None,
) -> T:
    """Run ``function`` on a worker and return its result; the caller can leave by an interrupt within 50 ms.

    :param timeout: seconds; then ``TimeoutError``.
    :param late: disposes of a result that arrives after the caller has left.
    :raises KeyboardInterrupt: on an interrupt.
    :raises TimeoutError: when the time is over.
    """
    deadline = time.monotonic() + timeout
    interrupted = False
    wake: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def stop(_count: int) -> bool:
        nonlocal interrupted
        interrupted = True
        return True

    with _counted(wake):  # from before the start, or an interrupt in between would leave nobody to dispose of it
        future = spawn(name, function)
        _, done = _watch(future, wake, stop, lambda: time.monotonic() >= deadline)
    if done and not interrupted:
        return future.result()
    if late is not None:
        future.add_done_callback(lambda f: late(f.result()) if f.exception() is None else None)
    if interrupted:
        raise KeyboardInterrupt
    raise TimeoutError(f"{name} took longer than {timeout:g} s")
