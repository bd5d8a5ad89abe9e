"""The thread ``tusk-ssh``: one event loop for every tunnel of this process.

A loop of our own, because a kernel's main loop stands still while a cell runs. Daemon threads throughout, the
executor's too (asyncio resolves names there): a resolver that hangs must not keep the interpreter from ending, which
``ThreadPoolExecutor``'s own threads would. A forked child has the objects but no thread: it forgets the loop without
closing it, because the sockets are its parent's, and makes one of its own when it needs one.

asyncssh's records of this thread go to our log, which masks and keeps away from cells; those of other threads belong to
the user's own use of asyncssh and are left alone.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import logging
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from tusk_jupyter import interrupts

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    T = TypeVar("T")

log = logging.getLogger("tusk_jupyter.connections.ssh")
THREAD = "tusk-ssh"
_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None
# what a forked child inherited: kept, because collecting it would close it
_inherited: list[Any] = []
_at_exit: list[Callable[[], None]] = []


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Run ``coroutine`` on the loop, which is started where there is none."""
    return asyncio.run_coroutine_threadsafe(coroutine, _running())


def keep(*objects: object) -> None:
    """Keep what a forked child inherited from being collected, which would close it."""
    _inherited.extend(objects)


def when_ending(function: Callable[[], None]) -> None:
    """Call ``function`` once, at the interpreter's exit and before the loop's thread stops."""
    _at_exit.append(function)


def _running() -> asyncio.AbstractEventLoop:
    global _loop  # noqa: PLW0603 - one loop for the process is the purpose
    with _lock:
        if _loop is None or _loop.is_closed():
            loop = asyncio.new_event_loop()
            loop.set_default_executor(_DaemonThreads())
            _redirect_log()
            interrupts.spawn(THREAD.removeprefix("tusk-"), functools.partial(_serve, loop))
            _loop = loop
        return _loop


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


class _DaemonThreads(ThreadPoolExecutor):
    """A thread for each call, none of which anybody has to wait for; asyncio takes nothing but a subclass."""

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            # asyncio cancels the future of a wait that was given up; the name is looked up all the same
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = fn(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - a future carries whatever happened
                future.set_exception(error)
            else:
                future.set_result(result)

        interrupts.spawn("ssh-worker", run)
        return future


class _Redirect(logging.Filter):
    """Takes the records of our threads out of asyncssh's logger and into ours, without dumps of packets."""

    def filter(self, record: logging.LogRecord) -> bool:
        if not (record.threadName or "").startswith(THREAD):
            return True
        if record.levelno >= logging.INFO:
            log.log(logging.DEBUG if record.levelno < logging.WARNING else record.levelno, "%s", record.getMessage())
        return False


def _redirect_log() -> None:
    for name in ("asyncssh", "asyncio"):
        logger = logging.getLogger(name)
        if not any(isinstance(one, _Redirect) for one in logger.filters):
            logger.addFilter(_Redirect())


def _end() -> None:
    while _at_exit:
        _at_exit.pop()()


def _forget() -> None:
    global _loop, _lock
    _inherited.append(_loop)
    _at_exit.clear()
    _loop, _lock = None, threading.Lock()


atexit.register(_end)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
