"""The practice servers: they do what the notebook says of them, and leave nothing behind, however their user ends."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.waiting import wait_until
from tests.worlds import missing
from tusk_jupyter.connections.embedded import binaries
from tusk_jupyter.connections.saved import SshTunnel
from tusk_jupyter.connections.tunnel import Tunnel
from tusk_jupyter.demo import practice
from tusk_jupyter.errors import SshError, TuskError

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif("postgres" in missing(), reason=missing().get("postgres", "")),
    pytest.mark.skipif(os.name != "posix", reason="signals and modes of POSIX"),
]

VERIFIED = {"sslmode": "verify-full", "sslrootcert": "ca.crt"}
USER = """
import json, sys
from tusk_jupyter.demo import practice
servers = practice.start()
print(json.dumps({"root": str(servers.home.path.parent), "data": str(servers.database.data)}), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module", params=["any", "wheel"])
def servers(request):
    """The one that is found first, here the system's; that of the demo extra, which was built without TLS."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "wheel":
            patch.setenv("TUSK_POSTGRES_BIN", str(binaries._wheel()[0]))
        with practice.start() as started:
            yield started


@pytest.fixture
def tunnel():
    made = []

    def make(host="db.internal", **login):
        made.append(Tunnel(SshTunnel(host="", config_alias="bastion", **login), host=host, port=5432, name="shop"))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def known(servers):
    """The bastion's key is recorded."""
    Path(".ssh/known_hosts").write_text(servers.bastion.known_hosts_line)


def connect(user, **parameters):
    return psycopg.connect(host="localhost", dbname="shop", user=user, connect_timeout=10, **parameters)


def password(name):
    return Path(f"{name}.password").read_text()


def test_each_role_may_do_what_is_said_of_it(servers):
    with connect("analyst", **VERIFIED) as conn:
        assert conn.execute("update orders set pieces = pieces").rowcount == 3
    with connect("courier", **VERIFIED, sslcert="courier.crt", sslkey="courier.key") as conn:
        assert conn.execute("select count(*) from orders").fetchone() == (3,)
    with connect("owner", password=password("owner"), **VERIFIED) as conn:
        assert conn.execute("select current_setting('is_superuser')").fetchone() == ("on",)
    with connect("reader", password=password("reader"), **VERIFIED) as conn:
        assert conn.execute("select count(*) from orders").fetchone() == (3,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("delete from orders")
    with connect("trainee", password="practice", **VERIFIED) as conn, pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("select * from orders")


def test_nobody_comes_in_without_being_asked(servers):
    Path("no-passwords").touch(mode=0o600)
    for role in ("analyst", "reader", "owner", "trainee", "tusk"):
        with pytest.raises(psycopg.OperationalError):
            connect(role, passfile="no-passwords")
    with pytest.raises(psycopg.OperationalError, match="valid client certificate"):
        connect("courier", **VERIFIED)
    with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry .* no encryption"):
        connect("courier", sslmode="disable")


def test_everything_listens_to_the_loopback_only(servers):
    ports = {servers.database.port, servers.bastion.port}
    processes = [psutil.Process(), *(p for p in psutil.process_iter() if p.pid == postmaster(servers.database.data))]
    assert len(processes) == 2
    listening = [c.laddr for p in processes for c in p.net_connections() if c.status == psutil.CONN_LISTEN]
    assert ports <= {address.port for address in listening}
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_tls_and_its_certificate_can_be_changed(servers):
    servers.database.offer_tls(False)
    try:
        with pytest.raises(psycopg.OperationalError, match="does not support SSL"):
            connect("analyst", sslmode="require")
        with connect("analyst") as conn:
            assert not conn.pgconn.ssl_in_use
    finally:
        servers.database.offer_tls(True)
    servers.database.show_certificate(expired=True)
    try:
        with pytest.raises(psycopg.OperationalError, match="certificate"):
            connect("analyst", **VERIFIED)
    finally:
        servers.database.show_certificate(expired=False)
    connect("analyst", **VERIFIED).close()


def test_the_bastion_leads_to_the_database_and_nowhere_else(servers, known, tunnel):
    through = tunnel()
    through.open(10)
    with psycopg.connect(dbname="shop", user="analyst", **VERIFIED, **through.overrides("verify-full")) as conn:
        assert conn.pgconn.ssl_in_use
    for host in ("localhost", "127.0.0.1", "db.elsewhere"):
        with pytest.raises(SshError, match="cannot reach the database"):
            tunnel(host).open(10)


def test_the_bastion_lets_in_its_user_with_its_key_only(servers, known, tunnel, tmp_path):
    import asyncssh

    with pytest.raises(SshError, match="refused the login"):
        tunnel(username="somebody").open(10)
    stranger = tmp_path / "stranger"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(stranger))
    stranger.chmod(0o600)
    with pytest.raises(SshError, match="refused the login"):
        tunnel(auth="key", key_path=str(stranger)).open(10)


def test_the_bastion_hangs_up_and_lets_in_again(servers, known, tunnel):
    through = tunnel()
    through.open(10)
    servers.bastion.hang_up()
    wait_until(lambda: not through.alive)
    through.open(10)
    assert through.alive


def test_the_bastion_becomes_another(servers, known, tunnel):
    before = servers.bastion.port, servers.bastion.fingerprint
    servers.bastion.renew_host_key()
    assert servers.bastion.port == before[0]
    assert servers.bastion.fingerprint != before[1]
    with pytest.raises(SshError, match="CHANGED"):
        tunnel().open(10)


def test_wrong_addresses_lead_nowhere(servers):
    def at(url):
        return "127.0.0.1", int(url.rpartition(":")[2].partition("/")[0])

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(at(servers.closed))
    with socket.create_connection(at(servers.web)) as guest:
        guest.sendall(b"\0")
        assert guest.recv(1000).startswith(b"HTTP/1.1 400")
    with socket.create_connection(at(servers.silent)) as guest:
        guest.sendall(b"\0")
        guest.settimeout(0.2)
        with pytest.raises(TimeoutError):
            guest.recv(1)


def postmaster(data):
    return int((Path(data) / "postmaster.pid").read_text().split()[0])


def test_the_process_is_at_home_again_and_nothing_is_left(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PGUSER", "somebody")
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    before, where, threads = dict(os.environ), Path.cwd(), set(threading.enumerate())
    servers = practice.start()
    root, pid = servers.home.path.parent, postmaster(servers.database.data)
    assert Path("~").expanduser() == Path.cwd() == servers.home.path
    assert os.environ["PGPORT"] == str(servers.database.port)
    assert "PGUSER" not in os.environ
    os.environ["PGDATABASE"] = "typed while practising"
    servers.close()
    servers.close()
    assert dict(os.environ) == before
    assert Path.cwd() == where
    assert not root.exists()
    assert not servers.database.data.exists()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    wait_until(lambda: not watching(root))
    assert {t for t in threading.enumerate() if t.name.startswith("tusk-practice")} <= threads
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["kill", "interrupt", "stdin"])
def test_whoever_ends_without_a_word_leaves_nothing(how):
    user = subprocess.Popen([sys.executable, "-c", USER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        told = json.loads(user.stdout.readline())
        root, data = Path(told["root"]), Path(told["data"])
        assert watching(root)
        assert data.exists()
        pid = postmaster(data)
        {"kill": user.kill, "interrupt": lambda: user.send_signal(2), "stdin": user.stdin.close}[how]()
        user.wait(20)
    finally:
        user.kill()
        for pipe in (user.stdin, user.stdout):
            pipe.close()
    wait_until(lambda: not root.exists() and not data.exists() and not watching(root), timeout=30)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def watching(root):
    found = psutil.process_iter(["cmdline", "status"])
    return [p.pid for p in found if str(root) in (p.info["cmdline"] or []) and p.info["status"] != psutil.STATUS_ZOMBIE]


def test_a_start_that_fails_changes_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("TUSK_POSTGRES_BIN", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    before, where = dict(os.environ), Path.cwd()
    with pytest.raises(TuskError):
        practice.start()
    assert dict(os.environ) == before
    assert Path.cwd() == where
    wait_until(lambda: list(tmp_path.iterdir()) == [])
