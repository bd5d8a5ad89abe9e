"""Ports that a wrong address leads to: one that is closed, a web server, one that never says a word."""

from __future__ import annotations

import contextlib
import socket
import threading

_ANSWER = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_READ = 1000


class Closed:
    """A port that is taken and refuses: nobody else can begin to listen there meanwhile."""

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Give the port back."""
        self._socket.close()


class Stranger:
    """A port where something listens that is not PostgreSQL.

    :param answers: as a web server answers to what is no HTTP; otherwise it takes everybody in and is silent.
    """

    def __init__(self, *, answers: bool) -> None:
        self._answers = answers
        self._guests: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="tusk-practice-stranger", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Hang up on everybody, and listen no more; closing twice is fine."""
        with contextlib.suppress(OSError):  # it wakes the thread, where the system allows it
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(1)
        for guest in self._guests:
            guest.close()

    def _serve(self) -> None:
        while True:
            try:
                guest, _ = self._listening.accept()
            except OSError:
                return
            self._guests.append(guest)
            if self._answers:
                with contextlib.suppress(OSError):  # whoever says nothing is told nothing
                    guest.settimeout(1)
                    guest.recv(_READ)
                    guest.sendall(_ANSWER)
                guest.close()
