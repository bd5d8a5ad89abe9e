"""A COPY into a server that reads nothing for a while: waited for as long as somebody is there, and no longer.

``tcp_user_timeout`` ends a connection over a dead network in seconds instead of a quarter of an hour, and with it one
whose server is well: Linux counts a closed window against it, however often the peer answers that the window is closed
(https://man7.org/linux/man-pages/man7/tcp.7.html; ``tcp_probe_timer`` in the kernel). A backend that waits for another
transaction, with a row of a COPY in its hand, reads nothing until that one has ended; after 20 s of it the load was
lost. While a COPY is sent the socket's time limit is therefore off, and what it is for is looked at here: a peer that
is there acknowledges every probe, so the kernel's count of what it had to repeat goes back to none; one that is gone
lets it stand, and has been silent for the whole of the limit. Statements are read by the server before anything is
waited for, and keep the socket's own limit.

The alternative, no ``tcp_user_timeout`` at all, leaves a pool's connections hanging in a hole; keepalives do not help,
they are not sent while anything is unacknowledged.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

T = TypeVar("T")
# struct tcp_info of linux/tcp.h, whose beginning never changes: where these are in it, and how much of it that takes
_RETRANSMITS, _PROBES, _LAST_ACK_RECEIVED, _SIZE = 2, 3, 56, 60


class _Peer:
    """Whether the other end of a TCP connection still acknowledges."""

    def __init__(self, handle: socket.socket, limit_s: float) -> None:
        self._handle = handle
        self._limit_s = limit_s
        self._since: float | None = None

    def check(self) -> None:
        """Raise when nothing was acknowledged for the whole of the limit, although it was repeated."""
        info = self._handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
        repeated = info[_RETRANSMITS] + info[_PROBES]
        if not repeated:
            self._since = None
            return
        now = time.monotonic()
        if self._since is None:
            self._since = now
        silent_s = int.from_bytes(info[_LAST_ACK_RECEIVED:_SIZE], sys.byteorder) / 1000
        if min(now - self._since, silent_s) >= self._limit_s:
            raise psycopg.OperationalError(
                f"could not send data to server: nothing was acknowledged for {self._limit_s:g} s"
            )


def watched(steps: Generator[Any, Any, T], fileno: int) -> Generator[Any, Any, T]:
    """Do the ``steps`` of a COPY, without the socket's own time limit and with a look at the peer at each.

    :raises psycopg.OperationalError: when the peer is gone.
    """
    with _without_limit(fileno) as peer:
        try:
            wanted = next(steps)
            while True:
                ready = yield wanted
                if peer is not None:
                    peer.check()
                wanted = steps.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result


@contextmanager
def _without_limit(fileno: int) -> Iterator[_Peer | None]:
    option = getattr(socket, "TCP_USER_TIMEOUT", None)
    if option is None:  # not on this platform
        yield None
        return
    with socket.socket(fileno=os.dup(fileno)) as handle:
        if handle.family not in (socket.AF_INET, socket.AF_INET6):
            yield None
            return
        limit_ms = handle.getsockopt(socket.IPPROTO_TCP, option)
        handle.setsockopt(socket.IPPROTO_TCP, option, 0)
        try:
            yield _Peer(handle, limit_ms / 1000) if limit_ms else None
        finally:
            handle.setsockopt(socket.IPPROTO_TCP, option, limit_ms)
