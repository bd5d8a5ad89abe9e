"""A server on loopback that is none of those that are expected: it says what a test wants, or nothing."""

from __future__ import annotations

import socket
import threading
from contextlib import ExitStack, contextmanager


@contextmanager
def listener(answer, *, hangs_up=True):
    """Do ``answer(client)`` to each who comes to the port that is given, then hang up, or else at the end."""
    with socket.create_server(("127.0.0.1", 0)) as listening, ExitStack() as clients:

        def serve():
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                clients.enter_context(client)
                answer(client)
                if hangs_up:
                    client.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def silent():
    """Let everybody in, and never say a word."""
    return listener(lambda _: None, hangs_up=False)


def web(client):
    """Answer as a web server answers to what is no HTTP."""
    client.recv(1000)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
