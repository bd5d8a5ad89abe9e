"""A PostgreSQL with TLS for «localhost» and, behind the bastion, «db.internal»: an embedded cluster with a TCP port.

Roles: ``analyst`` reads and writes, ``reader`` may not write, ``owner`` is a superuser, each with a password;
``courier`` logs in by a client certificate, and ``trainee`` with a password that everybody knows, for it may be typed
into a notebook and has no rights. The embedded cluster's own role sets this up and stays on the socket. Before a
PostgreSQL that was built without TLS stands a relay.
"""

from __future__ import annotations

import os
import secrets
import sys
import time
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections import embedded
from tusk_jupyter.connections.embedded import cluster as clusters
from tusk_jupyter.demo.practice import certificates
from tusk_jupyter.demo.practice.front import Front
from tusk_jupyter.errors import ConnectionTimeout
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

    from tusk_jupyter.demo.practice.loop import LoopThread

NAME = "shop"
HOSTS = ("localhost", "db.internal")
WITH_PASSWORD = ("analyst", "reader", "owner")
KNOWN = "practice"
_LIMIT_S = 20.0
_HBA = f"""\
local all {embedded.ROLE} scram-sha-256
hostssl all courier 127.0.0.1/32 cert
host all {",".join(WITH_PASSWORD)},trainee 127.0.0.1/32 scram-sha-256
"""
# whoever comes by the socket has shown a certificate to the relay; nobody else gets into its 0700 directory
_HBA_BEHIND = f"local {NAME} courier trust\n{_HBA.replace('hostssl', '# hostssl')}"
_SETUP = """
create role courier login;
alter role owner superuser;
grant pg_read_all_data to reader, courier;
create table orders (id int primary key, item text not null, pieces int not null);
insert into orders values (1, 'lantern', 3), (2, 'rope', 12), (3, 'compass', 1);
grant select, insert, update, delete on orders to analyst
"""


class Database:
    """The server; its cluster ends with :func:`~tusk_jupyter.connections.embedded.drop`, what stands before it here.

    :param root: where ``embedded`` goes, and the certificate of a server that cannot do TLS itself.
    """

    def __init__(self, root: Path, authority: certificates.Authority, loop: LoopThread) -> None:
        self._server = embedded.start(NAME, root / "embedded", tcp=True)
        self._cluster = clusters.read(root / "embedded" / NAME)
        self._root, self._authority = root, authority
        self.port, self.data = self._server.port, self._cluster.data
        self.passwords = {role: Secret(secrets.token_urlsafe(12)) for role in WITH_PASSWORD}
        self.passwords["trainee"] = Secret(KNOWN)
        with self._connect() as conn:
            (library,) = conn.execute("select current_setting('ssl_library')").fetchone() or ("",)
            for role, password in self.passwords.items():
                _create(conn, role, password)
            conn.execute(_SETUP)
        self._front = None if library else self._stand_before(loop)
        self._give("root.crt", authority.pem)
        self._give("pg_hba.conf", (_HBA if library else _HBA_BEHIND).encode())
        self._certify(expired=False)
        self.offer_tls(True)

    def _stand_before(self, loop: LoopThread) -> Front:
        socket = f"{self._server.host}/.s.PGSQL.{self._server.port}"
        front = Front(loop, port=self._server.port, socket=socket, certified=frozenset({"courier"}))
        self.port = front.port
        return front

    def close(self) -> None:
        """Close the relay, if there is one; closing twice is fine."""
        if self._front is not None:
            self._front.close()

    def offer_tls(self, offered: bool) -> None:
        """Turn TLS on or off."""
        if self._front is not None:
            self._front.offers_tls = offered
        else:
            with self._connect() as conn:
                conn.execute("alter system set ssl_ca_file = 'root.crt'")
                conn.execute(f"alter system set ssl = {'on' if offered else 'off'}")
        self._reload()

    def show_certificate(self, *, expired: bool) -> None:
        """Show a new certificate, which has run out or not."""
        self._certify(expired=expired)
        self._reload()

    def _certify(self, *, expired: bool) -> None:
        certificate, key = certificates.issue(self._authority, HOSTS[0], hosts=HOSTS, expired=expired)
        if self._front is None:
            self._give("server.crt", certificate)
            self._give("server.key", key)
            return
        files = self._root / "front.crt", self._root / "front.key"
        for path, content in zip(files, (certificate, key), strict=True):
            _write_private(path, content)
        self._front.show(*files, self._authority.pem.decode())

    def _reload(self) -> None:
        """Return when what is written holds for whoever connects next."""
        # a new session inherits what the server's first process has read
        ask = "select pg_conf_load_time()"
        deadline = time.monotonic() + _LIMIT_S
        with self._connect() as conn:
            before = conn.execute(ask).fetchone()
            conn.execute("select pg_reload_conf()")
        while True:
            with self._connect() as conn:
                if conn.execute(ask).fetchone() != before:
                    return
            if time.monotonic() > deadline:
                raise ConnectionTimeout("the practice server does not read its settings again", duration_s=_LIMIT_S)
            time.sleep(0.02)

    def _connect(self) -> psycopg.Connection[Any]:
        import psycopg

        server = self._server
        return psycopg.connect(
            host=server.host, port=server.port, dbname=server.dbname, user=server.user,
            password=server.password.reveal(), sslmode="prefer", connect_timeout=10, autocommit=True,
        )  # fmt: skip

    def _give(self, name: str, content: bytes) -> None:
        """Write a file that the server's OS user alone may read."""
        path = self.data / name
        _write_private(path, content)
        if self._cluster.account is not None and sys.platform != "win32":
            os.chown(path, self._cluster.account.uid, self._cluster.account.gid)


def _write_private(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def _create(conn: psycopg.Connection[Any], role: str, password: Secret) -> None:
    from psycopg import sql

    # as the server keeps it, so that no statement ever holds the password
    encrypted = conn.pgconn.encrypt_password(password.reveal().encode(), role.encode(), b"scram-sha-256").decode()
    conn.execute(sql.SQL("create role {} login password {}").format(sql.Identifier(role), sql.Literal(encrypted)))
