"""A relay on loopback between client and server that can go deaf, or cut the line at a chosen moment."""

from __future__ import annotations

import contextlib
import socket
import threading


class Proxy:
    """Relays to the server's socket until told otherwise; ``close()`` ends every connection."""

    def __init__(self, server) -> None:
        self._target = f"{server.host}/.s.PGSQL.{server.port}"
        self._flows = threading.Event()
        self._flows.set()
        self._closed = False
        self._lock = threading.Lock()
        self._cut_after: bytes | None = None
        self._cut_before: bytes | None = None
        self._sockets: list[socket.socket] = []
        self.accepted = threading.Event()
        self.cut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def conninfo(self, dbname: str, user: str = "tester") -> str:
        return f"host=127.0.0.1 port={self.port} user={user} dbname={dbname} sslmode=disable gssencmode=disable"

    def freeze(self) -> None:
        """Stop forwarding, in both directions, new connections too; nobody is told."""
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    def cut_answer_to(self, fragment: bytes) -> None:
        """Forward the message that holds ``fragment``, wait for its answer, and hang up instead of passing it on."""
        self._cut_after = fragment

    def cut_before(self, fragment: bytes) -> None:
        """Hang up on both sides when a message that holds ``fragment`` comes, which never arrives."""
        self._cut_before = fragment

    def close(self) -> None:
        self._flows.set()
        with self._lock:
            self._closed = True
        # wakes the accept, which closing the listener alone does not
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        self._accepting.join(timeout=5)
        self._listener.close()
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            with self._lock:
                if self._closed:
                    client.close()
                    return
                upstream = socket.socket(socket.AF_UNIX)
                self._sockets += [client, upstream]
            self.accepted.set()
            threading.Thread(target=self._connect, args=(client, upstream), daemon=True).start()

    def _connect(self, client, upstream) -> None:
        self._flows.wait()
        armed = threading.Event()
        try:
            upstream.connect(self._target)
        except OSError:
            client.close()
            return
        threading.Thread(target=self._relay, args=(client, upstream, armed, True), daemon=True).start()
        threading.Thread(target=self._relay, args=(upstream, client, armed, False), daemon=True).start()

    def _relay(self, source, sink, armed, to_server: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                if to_server and self._cut_before is not None and self._cut_before in data.lower():
                    self._cut_before = None
                    self.cut.set()
                    break
                if to_server and self._cut_after is not None and self._cut_after in data.lower():
                    self._cut_after = None
                    armed.set()
                elif not to_server and armed.is_set():
                    self.cut.set()
                    break
                sink.sendall(data)
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
