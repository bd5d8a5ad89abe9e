"""TLS for a PostgreSQL that was built without it, as that of the ``demo`` extra's wheel is: a relay that ends TLS.

Such things stand before many databases. What a client sees of TLS (certificate, CA, host name, version) is as real as
with the server's own; the server itself says that there is none. A role with a client certificate is checked here, in
PostgreSQL's words, and let in by the Unix socket; everybody else goes on to the server's own port and its rules.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tusk_jupyter.demo.practice.loop import LoopThread

HOST = "127.0.0.1"
# https://www.postgresql.org/docs/current/protocol-message-formats.html
_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_LONGEST = 10_000
_CHUNK = 1 << 16


class Front:
    """The relay, until ``close()``.

    :param port: the server's own, for those who bring a password; ``socket`` is for those with a certificate.
    :param certified: the roles that need one.
    """

    def __init__(self, loop: LoopThread, *, port: int, socket: str, certified: frozenset[str]) -> None:
        self.port = 0
        self.offers_tls = True
        self._loop = loop
        self._listening: asyncio.Server | None = None
        self._context: ssl.SSLContext | None = None
        self._server_port, self._socket, self._certified = port, socket, certified
        loop.wait(self._listen())

    def show(self, certificate: Path, key: Path, authority: str) -> None:
        """Take another certificate for whoever comes next; the clients' must be signed by ``authority`` (PEM)."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        context.load_verify_locations(cadata=authority)
        context.verify_mode = ssl.CERT_OPTIONAL  # PostgreSQL, too, leaves it to pg_hba.conf who needs one
        self._context = context

    def close(self) -> None:
        """Let nobody else in; who is in stays until the loop is closed. Closing twice is fine."""
        self._loop.wait(self._end())

    async def _listen(self) -> None:
        self._listening = await asyncio.start_server(self._serve, HOST, 0)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._listening is not None:
            self._listening.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, ValueError, asyncio.CancelledError):
            try:
                await self._relay(reader, writer)
            finally:
                await _closed(writer)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packet = await _first_packet(reader)
        while (code := int.from_bytes(packet[4:8])) in {_SSL_REQUEST, _GSS_REQUEST}:
            agreed = code == _SSL_REQUEST and self.offers_tls and self._context is not None
            writer.write(b"S" if agreed else b"N")
            await writer.drain()
            if agreed:
                await writer.start_tls(self._context)  # type: ignore[arg-type]  # agreed says that there is one
            packet = await _first_packet(reader)
        user = _user(packet)
        if user in self._certified and (tls := writer.get_extra_info("ssl_object")) is not None:
            if _common_name(tls.getpeercert()) != user:
                writer.write(_refusal("connection requires a valid client certificate"))
                await writer.drain()
                return
            server = await asyncio.open_unix_connection(self._socket)
        else:
            server = await asyncio.open_connection(HOST, self._server_port)
        try:
            server[1].write(packet)
            await asyncio.gather(_copy(reader, server[1]), _copy(server[0], writer))
        finally:
            await _closed(server[1])


async def _first_packet(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readexactly(4)
    size = int.from_bytes(head)
    if not 8 <= size <= _LONGEST:  # noqa: PLR2004 - a length and a code
        raise ValueError("no packet of PostgreSQL's")
    return head + await reader.readexactly(size - 4)


def _user(packet: bytes) -> str | None:
    words = packet[8:].split(b"\0")
    return dict(zip(words[::2], words[1::2], strict=False)).get(b"user", b"").decode(errors="replace") or None


def _common_name(certificate: object) -> str | None:
    subject = certificate.get("subject", ()) if isinstance(certificate, dict) else ()
    return next((value for part in subject for key, value in part if key == "commonName"), None)


def _refusal(message: str) -> bytes:
    fields = {"S": "FATAL", "V": "FATAL", "C": "28000", "M": message}
    body = b"".join(f"{key}{value}\0".encode() for key, value in fields.items()) + b"\0"
    return b"E" + (len(body) + 4).to_bytes(4) + body


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 1)
