"""COPY … FROM STDIN: the generator that sends what a source yields, for the session's worker to drive.

libpq says nothing of an error before the data has ended: in COPY IN mode it parses notices only. So whoever just sends
learns after ten million rows that the first was refused. What arrives while we send and does not become a notice within
0.2 s is taken for that error, and the rest is not sent. Should the guess ever be wrong, the COPY fails: it is ended by
``CopyFail``, never as if the data were complete.

A backend that waits for data does not look at a cancel request either, so a cancelled COPY is ended from this side too.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from psycopg.pq.abc import PGconn
    from typing_extensions import Buffer

# libpq moves what is left in its buffer after each write: small pieces, sent at once, keep that cheap
PIECE = 128 * 1024
REFUSED_S = 0.2
_STOPPED = b"stopped by the client"


class CopySource(Protocol):
    """Where the data of a COPY comes from; ``stopped()`` is asked before each chunk."""

    def chunk(self) -> Buffer | None:
        """Return the next bytes, ``None`` at the end."""

    def stopped(self) -> bool:
        """Whether nobody wants the rest."""


class _Ear:
    """Tells the server's error from its notices by what libpq makes of them."""

    def __init__(self, pgconn: PGconn, notices: Callable[[], int]) -> None:
        self._pgconn = pgconn
        self._notices = notices
        self._known = notices()
        self._since: float | None = None

    def listen(self, ready: int) -> None:
        if ready & waiting.Ready.R:
            self._pgconn.consume_input()
            if self._since is None:
                self._since = time.monotonic()

    def refused(self) -> bool:
        count = self._notices()
        if count != self._known:
            self._known, self._since = count, None
        return self._since is not None and time.monotonic() - self._since > REFUSED_S


def send(pgconn: PGconn, source: CopySource, notices: Callable[[], int]) -> Generator[Any, Any, BaseException | None]:
    """Send what ``source`` has, and end the COPY; return what the source failed with.

    :param notices: how many notices have come so far.
    """
    ear = _Ear(pgconn, notices)
    failure: BaseException | None = None
    end: bytes | None = None
    while end is None:
        try:
            chunk = source.chunk()
        except BaseException as error:  # noqa: BLE001 - whatever it was, the COPY is ended first
            failure, end = error, _STOPPED
            break
        if chunk is None:
            break
        yield from _put(pgconn, chunk, ear)
        if source.stopped() or ear.refused():
            end = _STOPPED
    pgconn.put_copy_end(end)
    yield from _flush(pgconn, ear)
    return failure


def _put(pgconn: PGconn, chunk: Buffer, ear: _Ear) -> Generator[Any, Any, None]:
    view = memoryview(chunk)
    for start in range(0, len(view), PIECE):
        while not pgconn.put_copy_data(view[start : start + PIECE]):
            ear.listen((yield waiting.Wait.RW))
            pgconn.flush()
        ear.listen((yield waiting.Wait.RW))
        yield from _flush(pgconn, ear)


def _flush(pgconn: PGconn, ear: _Ear) -> Generator[Any, Any, None]:
    while pgconn.flush():
        ear.listen((yield waiting.Wait.RW))
