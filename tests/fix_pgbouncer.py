"""PgBouncers of the test run's own, on loopback, in front of its PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.fix_postgres import Server, _as_account, _free_port
from tests.waiting import wait_until
from tests.worlds import pgbouncer_path

CONFIG = """
[databases]
* = host={server.host} port={server.port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {root}/users
admin_users = {server.user}
logfile = {root}/log
pool_mode = {mode}
default_pool_size = {size}
server_round_robin = {by_turns:d}
"""


# reads until the run, killed or not, is gone; then nobody else would stop the pooler
UNTIL_WE_END = '"$@" & cat >/dev/null; kill $!; wait'


@dataclass
class PgBouncer:
    """One pooler: where it listens, in what mode, with how many connections for each database and user."""

    root: Path
    port: int
    server: Server
    process: subprocess.Popen | None = None

    def conninfo(self, database: str) -> str:
        """Return the way through it to the database of another conninfo."""
        dbname = psycopg.conninfo.conninfo_to_dict(database)["dbname"]
        return f"host=127.0.0.1 port={self.port} user={self.server.user} dbname={dbname} sslmode=disable"

    def show(self, what: str) -> list[dict[str, object]]:
        """Return the rows of a SHOW of its administration."""
        with psycopg.connect(
            self.conninfo("dbname=pgbouncer"), autocommit=True, cursor_factory=psycopg.ClientCursor,
            row_factory=psycopg.rows.dict_row,
        ) as conn:  # fmt: skip
            return conn.execute(f"show {what}").fetchall()

    def start(self) -> None:
        account = _as_account()
        command = ["sh", "-c", UNTIL_WE_END, "sh", pgbouncer_path(), "-q", str(self.root / "ini")]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **account
        )
        wait_until(self._listens)

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)

    def _listens(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError):
            return bool(self.show("version"))
        return False


@pytest.fixture(scope="session")
def make_pgbouncer(server):
    """Start as many as tests need; all are stopped when the run ends."""
    started = []

    def make(mode: str, size: int = 5, *, by_turns: bool = False) -> PgBouncer:
        root = Path(tempfile.mkdtemp(prefix="tusk-pgbouncer-"))
        bouncer = PgBouncer(root, _free_port(), server)
        given = {"mode": mode, "size": size, "by_turns": by_turns}
        (root / "ini").write_text(CONFIG.format(server=server, root=root, port=bouncer.port, **given))
        (root / "users").write_text(f'"{server.user}" ""\n')
        if account := _as_account():
            for path in (root, *root.iterdir()):
                os.chown(path, account["user"], account["group"])
        started.append(bouncer)
        bouncer.start()
        return bouncer

    yield make
    for bouncer in started:
        bouncer.stop()
        shutil.rmtree(bouncer.root)


@pytest.fixture(scope="session")
def bouncers(make_pgbouncer):
    """Return the pooler of a mode and size, the same one for all who ask."""
    made = {}

    def get(mode: str, size: int = 5) -> PgBouncer:
        if (mode, size) not in made:
            made[mode, size] = make_pgbouncer(mode, size)
        return made[mode, size]

    return get
