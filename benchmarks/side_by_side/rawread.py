"""The limit: a result read off the socket and not looked at, in text or in binary.

psycopg connects and authenticates; then a duplicate of its socket is ours. The extended protocol's five messages are
sent by hand and all that comes is received into one buffer of 1 MiB, again and again, until ReadyForQuery. Nothing is
split into messages, so the end is told by the last bytes received: ReadyForQuery right behind CommandComplete, whose
tag must count the rows that were expected.

No program can have a result sooner than its bytes arrive, yet it is not a strict floor: an eager reader makes the
backend wake it for every 8 KiB, and a reader that is a little slower can be done up to a fifth earlier. The processor
time of this program is what the kernel takes for copying out of the socket. It runs as text within ``child.py``.
"""

import os
import socket
import struct

import psycopg

TEXT, BINARY = 0, 1
BUFFER = 1 << 20
TAIL = 64
READY = b"Z\x00\x00\x00\x05I"


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def connected() -> tuple[psycopg.Connection, socket.socket]:
    """Return a connection, which has to be kept, and a socket of our own to it."""
    conn = psycopg.connect(autocommit=True)
    sock = socket.socket(fileno=os.dup(conn.pgconn.socket))
    sock.setblocking(True)
    return conn, sock


def received(sock: socket.socket, sql: str, fmt: int, rows: int) -> int:
    """Run a query, throw its rows away, and return how many bytes came."""
    sock.sendall(
        message(b"P", b"\x00" + sql.encode() + b"\x00" + struct.pack("!h", 0))
        + message(b"B", b"\x00\x00" + struct.pack("!hhhh", 0, 0, 1, fmt))
        + message(b"D", b"P\x00")
        + message(b"E", b"\x00" + struct.pack("!i", 0))
        + message(b"S", b"")
    )
    view = memoryview(bytearray(BUFFER))
    size, tail = 0, b""
    while not tail.endswith(READY):
        count = sock.recv_into(view)
        if not count:
            raise ConnectionError("the server closed the connection")
        size += count
        tail = (tail + bytes(view[max(0, count - TAIL) : count]))[-TAIL:]
    if not tail.endswith(f"SELECT {rows}\0".encode() + READY):
        raise RuntimeError(f"not {rows} rows: {tail!r}")
    return size
