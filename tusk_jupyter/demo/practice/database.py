"""A PostgreSQL with TLS for «localhost» and, behind the bastion, «db.internal»: an embedded cluster with a TCP port.

Roles: ``analyst`` reads and writes, ``reader`` may not write, ``owner`` is a superuser, each with a password;
``courier`` logs in by a client certificate, and ``trainee`` with a password that everybody knows, for it may be typed
into a notebook and has no rights. The embedded cluster's own role sets this up and stays on the socket.
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
from tusk_jupyter.errors import ConnectionTimeout
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

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
_SETUP = """
create role courier login;
alter role owner superuser;
grant pg_read_all_data to reader, courier;
create table orders (id int primary key, item text not null, pieces int not null);
insert into orders values (1, 'lantern', 3), (2, 'rope', 12), (3, 'compass', 1);
grant select, insert, update, delete on orders to analyst
"""


class Database:
    """The server; it ends with :func:`~tusk_jupyter.connections.embedded.drop`."""

    def __init__(self, directory: Path, authority: certificates.Authority) -> None:
        self._server = embedded.start(NAME, directory, tcp=True)
        self._cluster = clusters.read(directory / NAME)
        self.port, self.data = self._server.port, self._cluster.data
        self.passwords = {role: Secret(secrets.token_urlsafe(12)) for role in WITH_PASSWORD}
        self.passwords["trainee"] = Secret(KNOWN)
        self._authority = authority
        self._give("root.crt", authority.pem)
        self._give("pg_hba.conf", _HBA.encode())
        self._certify(expired=False)
        with self._connect() as conn:
            for role, password in self.passwords.items():
                _create(conn, role, password)
            conn.execute(_SETUP)
            conn.execute("alter system set ssl_ca_file = 'root.crt'")
        self.offer_tls(True)

    def offer_tls(self, offered: bool) -> None:
        """Turn the server's TLS on or off."""
        with self._connect() as conn:
            conn.execute(f"alter system set ssl = {'on' if offered else 'off'}")
        self._reload()

    def show_certificate(self, *, expired: bool) -> None:
        """Have the server show a new certificate, which has run out or not."""
        self._certify(expired=expired)
        self._reload()

    def _certify(self, *, expired: bool) -> None:
        certificate, key = certificates.issue(self._authority, HOSTS[0], hosts=HOSTS, expired=expired)
        self._give("server.crt", certificate)
        self._give("server.key", key)

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
        path = self._cluster.data / name
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
        if self._cluster.account is not None and sys.platform != "win32":
            os.chown(path, self._cluster.account.uid, self._cluster.account.gid)


def _create(conn: psycopg.Connection[Any], role: str, password: Secret) -> None:
    from psycopg import sql

    # as the server keeps it, so that no statement ever holds the password
    encrypted = conn.pgconn.encrypt_password(password.reveal().encode(), role.encode(), b"scram-sha-256").decode()
    conn.execute(sql.SQL("create role {} login password {}").format(sql.Identifier(role), sql.Literal(encrypted)))
