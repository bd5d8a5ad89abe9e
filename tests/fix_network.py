"""A network of the test's own in which packets vanish: nobody hears that they did, as behind a firewall that forgot.

A network namespace that only this process and the server in it know: nothing but its own loopback, no name, no mount,
gone with the last of them. A thread enters it, and what it opens and starts from then on is in there, threads and
processes included; Unix sockets are not part of a network, so the server is reached from outside by its own. Entering
is a thread's business, which is why the kernel's state can live in this process as it does in other tests. Needs root
(``CAP_SYS_ADMIN``) and a kernel with nf_tables.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from tests.fix_postgres import Server

CLONE_NEWNET = 0x40000000
# where a packet arrives, so that its sender is told nothing; a rule where it leaves would refuse it
RULES = """
table inet hole {{
  chain input {{
    type filter hook input priority 0;
    tcp dport {port} counter drop
    tcp sport {port} counter drop
  }}
}}
"""


def _call(name: str, *arguments: int) -> None:
    # os.unshare and os.setns are Python 3.12's
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        raise OSError(ctypes.get_errno(), f"{name} is not permitted")


@contextmanager
def _entered(descriptor: int):
    before = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
    try:
        _call("setns", descriptor, CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", before, CLONE_NEWNET)
    finally:
        os.close(before)


class Network:
    """A loopback of its own; ``entered()`` is a thread's way in, ``close()`` gives it up."""

    def __init__(self) -> None:
        self._descriptor = -1
        maker = threading.Thread(target=self._make)
        maker.start()
        maker.join()
        with self.entered():
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    def _make(self) -> None:
        # the thread that leaves the machine's network for good
        _call("unshare", CLONE_NEWNET)
        self._descriptor = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)

    def entered(self):
        """Be in it, this thread and what it starts, for the length of a ``with`` block."""
        return _entered(self._descriptor)

    def filter(self, rules: str) -> str:
        """Give nftables a command; return what it said."""
        with self.entered():
            return subprocess.run(["nft", "-f", "-"], input=rules, text=True, check=True, capture_output=True).stdout

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass
class Hole:
    """The way to one server's port, which can swallow what goes through, in both directions."""

    network: Network
    server: Server
    dbname: str
    is_open: bool = field(default=False, init=False)

    @property
    def near(self) -> str:
        """Conninfo by the Unix socket, which is never in the hole."""
        return self.server.conninfo(self.dbname)

    def far(self, **parameters: object) -> str:
        """Conninfo through the hole, with libpq's keywords for a dead network set to seconds."""
        quick = {"keepalives_idle": 1, "keepalives_interval": 1, "keepalives_count": 2, "tcp_user_timeout": 2000}
        words = {
            "host": "127.0.0.1",
            "port": self.server.port,
            "user": self.server.user,
            "dbname": self.dbname,
            "sslmode": "disable",
            "gssencmode": "disable",
            **quick,
            **parameters,
        }
        return " ".join(f"{keyword}={value}" for keyword, value in words.items())

    def open(self) -> None:
        """From now on every packet vanishes."""
        self.network.filter(RULES.format(port=self.server.port))
        self.is_open = True

    def close(self) -> None:
        """Let packets through again; what vanished has to be sent again."""
        if self.is_open:
            self.network.filter("delete table inet hole")
            self.is_open = False

    def swallowed(self) -> int:
        """How many packets have vanished since it opened."""
        listed = self.network.filter("list table inet hole")
        return sum(int(line.split(" packets ")[1].split()[0]) for line in listed.splitlines() if " packets " in line)


@pytest.fixture(scope="session")
def network(make_server):
    """A loopback of the run's own, and a PostgreSQL that listens there; its private network is its password."""
    network = Network()
    with network.entered():
        server = make_server()
    hba = server.root / "data" / "pg_hba.conf"
    hba.write_text(f"host all all 127.0.0.1/32 trust\n{hba.read_text()}")
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute("select pg_reload_conf()")
    network.server = server
    network.numbers = itertools.count(1)
    yield network
    network.close()


@pytest.fixture
def hole(network):
    """The way to a database of the test's own, closed at first; the test's thread is in its network."""
    name = f"behind_{next(network.numbers)}"
    with psycopg.connect(network.server.conninfo(), autocommit=True) as conn:
        conn.execute(f"create database {name}")
    hole = Hole(network, network.server, name)
    with network.entered():
        yield hole
        hole.close()
    with psycopg.connect(network.server.conninfo(), autocommit=True) as conn:
        conn.execute(f"drop database {name} with (force)")
