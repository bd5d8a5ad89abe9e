"""Connections to a real PostgreSQL through a real OpenSSH server: each way in, what ends it, and what comes after."""

from __future__ import annotations

import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.fix_postgres import PASSWORD as DB_PASSWORD
from tests.fix_sshd import PASSPHRASE, PASSWORD, has_namespaces
from tests.waiting import at_one_moment, wait_until
from tusk_jupyter.connections.conninfo import parse
from tusk_jupyter.connections.saved import SshTunnel
from tusk_jupyter.errors import SshError
from tusk_jupyter.secret import Secret

needs_password_login = pytest.mark.skipif(not has_namespaces(), reason="no user with a password can be made up here")


@pytest.fixture
def known(home, sshd):
    """A home that knows the server."""
    home.known_hosts.write_text(sshd.known_hosts_line)
    return home


def key_login(sshd, ssh_keys, key="plain", **more):
    return SshTunnel("127.0.0.1", sshd.port, sshd.user, "key", str(ssh_keys / key), **more)


@contextmanager
def connected(tunnel, sslmode=None, **more):
    """Connect to the database as a connection does."""
    given = {"user": "secretive", "password": DB_PASSWORD, "dbname": "postgres", "connect_timeout": "10"}
    mode = {"sslmode": sslmode} if sslmode else {}
    with psycopg.connect(**given | mode | tunnel.overrides(sslmode) | more, autocommit=True) as conn:
        yield conn


def answer(tunnel, sslmode=None):
    with connected(tunnel, sslmode) as conn:
        return conn.execute("select 42, inet_client_addr() is not null").fetchone()


@pytest.fixture
def tunnel(make_tunnel, sshd, ssh_keys, known, server):
    return make_tunnel(key_login(sshd, ssh_keys), port=server.port)


def test_a_key(tunnel, sshd, server):
    tunnel.open(10)
    assert answer(tunnel) == (42, True)
    assert tunnel.alive
    assert tunnel.problem is None
    assert tunnel.route == f"{sshd.user}@127.0.0.1:{sshd.port} → 127.0.0.1:{server.port}"
    assert tunnel.overrides(None) == tunnel.overrides("verify-full")
    assert len(sshd.sessions()) > 0


def test_an_open_tunnel_is_not_opened_again(tunnel, sshd):
    tunnel.open(10)
    sessions = {p.pid for p in sshd.sessions()}
    port = tunnel.overrides(None)["port"]
    tunnel.open(10)
    assert {p.pid for p in sshd.sessions()} == sessions
    assert tunnel.overrides(None)["port"] == port


def test_a_key_with_a_passphrase(make_tunnel, sshd, ssh_keys, known, server):
    tunnel = make_tunnel(key_login(sshd, ssh_keys, "locked"), port=server.port, passphrase=Secret(PASSPHRASE))
    tunnel.open(10)
    assert answer(tunnel) == (42, True)


def test_a_key_with_a_certificate_beside_it(make_tunnel, sshd, ssh_keys, known, server):
    tunnel = make_tunnel(key_login(sshd, ssh_keys, "certified"), port=server.port)
    tunnel.open(10)
    assert answer(tunnel) == (42, True)


def test_the_agent(make_tunnel, sshd, ssh_keys, known, agent, server):
    agent(ssh_keys / "stranger")
    agent(ssh_keys / "plain")
    tunnel = make_tunnel(SshTunnel("127.0.0.1", sshd.port, sshd.user), port=server.port)
    tunnel.open(10)
    assert answer(tunnel) == (42, True)


def test_a_key_of_ssh_config_comes_before_an_agent_full_of_others(
    make_tunnel, sshd, ssh_keys, known, agent, server, tmp_path
):
    for n in range(7):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / f"k{n}")], check=True)
        agent(tmp_path / f"k{n}")
    agent(ssh_keys / "plain")
    known.config.write_text(f"Host 127.0.0.1\n  IdentityFile {ssh_keys / 'plain'}\n")
    tunnel = make_tunnel(SshTunnel("127.0.0.1", sshd.port, sshd.user), port=server.port)
    tunnel.open(10)
    assert answer(tunnel) == (42, True)
    known.config.unlink()
    tunnel.close()
    with pytest.raises(SshError, match="too many keys") as raised:
        tunnel.open(10)
    assert "IdentitiesOnly" in raised.value.advice


def test_the_usual_key_of_ones_home_without_an_agent(make_tunnel, sshd, ssh_keys, known, server):
    (known.path / ".ssh" / "id_ed25519").write_bytes((ssh_keys / "plain").read_bytes())
    (known.path / ".ssh" / "id_ed25519").chmod(0o600)
    tunnel = make_tunnel(SshTunnel("127.0.0.1", sshd.port, sshd.user), port=server.port)
    tunnel.open(10)
    assert answer(tunnel) == (42, True)


@needs_password_login
def test_a_password(make_tunnel, sshd, known, server):
    ssh = SshTunnel("127.0.0.1", sshd.port, sshd.user, "password")
    tunnel = make_tunnel(ssh, port=server.port, password=Secret(PASSWORD))
    tunnel.open(10)
    assert answer(tunnel) == (42, True)


@needs_password_login
@pytest.mark.skipif(not Path("/etc/pam.d/sshd").exists(), reason="sshd asks through PAM only")
def test_a_server_that_asks_for_the_password_by_keyboard_interactive(make_tunnel, make_sshd, home, server):
    sshd = make_sshd("UsePAM yes\nKbdInteractiveAuthentication yes\nAuthenticationMethods keyboard-interactive\n")
    home.known_hosts.write_text(sshd.known_hosts_line)
    ssh = SshTunnel("127.0.0.1", sshd.port, sshd.user, "password")
    tunnel = make_tunnel(ssh, port=server.port, password=Secret(PASSWORD))
    tunnel.open(10)
    assert answer(tunnel) == (42, True)


def test_an_alias_of_ssh_config(make_tunnel, sshd, ssh_keys, home, server):
    other = home.path / "other hosts"
    other.write_text(sshd.known_hosts_line)
    home.config.write_text(
        f'Host bastion\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n'
        f'  IdentityFile {ssh_keys / "plain"}\n  IdentitiesOnly yes\n  UserKnownHostsFile "~/other hosts"\n'
    )
    tunnel = make_tunnel(SshTunnel("", config_alias="bastion"), port=server.port)
    tunnel.open(10)
    assert answer(tunnel) == (42, True)
    # a host name is looked up in the file as well, as ssh does
    same = make_tunnel(SshTunnel("bastion"), port=server.port)
    same.open(10)
    assert same.route == tunnel.route == f"{sshd.user}@127.0.0.1:{sshd.port} → 127.0.0.1:{server.port}"


def test_what_the_tunnel_says_goes_before_its_alias(make_tunnel, sshd, ssh_keys, known, server):
    known.config.write_text("Host bastion\n  HostName nowhere.invalid\n  Port 1\n  User nobody_here\n")
    ssh = SshTunnel("127.0.0.1", sshd.port, sshd.user, "key", str(ssh_keys / "plain"), config_alias="bastion")
    tunnel = make_tunnel(ssh, port=server.port)
    tunnel.open(10)
    assert answer(tunnel) == (42, True)


def test_a_jump_host(make_tunnel, make_sshd, sshd, ssh_keys, known, server):
    second = make_sshd(f"PermitOpen 127.0.0.1:{server.port}\n")
    with known.known_hosts.open("a") as file:
        file.write(second.known_hosts_line)
    known.config.write_text(
        f"Host inner\n  HostName 127.0.0.1\n  Port {second.port}\n  ProxyJump outer\n"
        f"Host outer\n  HostName 127.0.0.1\n  Port {sshd.port}\n"
        f"Host *\n  User {sshd.user}\n  IdentityFile {ssh_keys / 'plain'}\n"
    )
    tunnel = make_tunnel(SshTunnel("inner"), port=server.port)
    tunnel.open(10)
    assert answer(tunnel) == (42, True)
    hops = f"{sshd.user}@127.0.0.1:{sshd.port} → {sshd.user}@127.0.0.1:{second.port}"
    assert tunnel.route == f"{hops} → 127.0.0.1:{server.port}"
    sshd.kill_sessions()
    wait_until(lambda: not tunnel.alive)
    assert isinstance(tunnel.problem, SshError)
    tunnel.open(10)
    assert answer(tunnel) == (42, True)


def test_a_socket_of_the_database_server(make_tunnel, sshd, ssh_keys, known, server):
    tunnel = make_tunnel(key_login(sshd, ssh_keys), host=server.host, port=server.port)
    tunnel.open(10)
    for sslmode in (None, "disable"):
        with connected(tunnel, sslmode, user=server.user) as conn:
            assert conn.execute("select inet_client_addr()").fetchone() == (None,)


def test_without_tls_the_local_end_is_a_private_socket(tunnel, server):
    tunnel.open(10)
    folder = Path(tunnel.overrides("disable")["host"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert tunnel.overrides("disable") == {"host": str(folder), "port": str(server.port)}
    assert answer(tunnel, "disable") == (42, True)
    tunnel.close()
    assert not folder.exists()


def test_a_local_port_that_was_asked_for(make_tunnel, sshd, ssh_keys, known, server):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        tunnel = make_tunnel(key_login(sshd, ssh_keys, local_port=port), port=server.port)
        with pytest.raises(SshError, match=f"local port {port} cannot be used"):
            tunnel.open(10)
        assert not tunnel.alive
    tunnel.open(10)
    assert tunnel.overrides("disable") == {"host": "127.0.0.1", "hostaddr": "127.0.0.1", "port": str(port)}
    assert answer(tunnel, "disable") == (42, True)


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="being another user takes root, on Linux")
@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1"])
def test_another_user_of_this_machine_does_not_get_through(tunnel, server, address):
    tunnel.open(10)
    port = int(tunnel.overrides(None)["port"])
    code = (
        "import socket\n"
        f"s = socket.create_connection(({address!r}, {port}), timeout=10)\n"
        "s.sendall(bytes.fromhex('0000000804d2162f'))\n"
        "try:\n    print(s.recv(1))\nexcept ConnectionError:\n    print(b'')"
    )

    def said(**who):
        return subprocess.run(["python3", "-c", code], text=True, capture_output=True, check=True, **who).stdout.strip()

    assert said() == "b'N'"
    assert said(user=pwd.getpwnam("nobody").pw_uid, cwd="/") == "b''"


def test_a_query_is_cancelled_through_it(tunnel):
    tunnel.open(10)
    with connected(tunnel) as conn:
        done = threading.Event()

        def run():
            with pytest.raises(psycopg.errors.QueryCanceled):
                conn.execute("select pg_sleep(50)")
            done.set()

        thread = threading.Thread(target=run)
        thread.start()
        with connected(tunnel) as other:
            wait_until(
                lambda: other.execute(
                    "select count(*) from pg_stat_activity where state = 'active' and query like '%%sleep(50)'"
                ).fetchone()[0]
            )
        conn.cancel_safe(timeout=10)
        thread.join(10)
        assert done.is_set()


def test_tls_is_verified_against_the_databases_own_name(make_tunnel, sshd, ssh_keys, known, server, tls_server, authority):
    del server  # marks the test
    tunnel = make_tunnel(key_login(sshd, ssh_keys), host="localhost", port=tls_server.port)
    tunnel.open(10)
    verify = {"sslmode": "verify-full", "sslrootcert": str(authority.file)}
    with connected(tunnel, **verify) as conn:
        assert conn.pgconn.ssl_in_use
        assert conn.info.host == "localhost"
        assert conn.info.hostaddr == "127.0.0.1"
    other = make_tunnel(key_login(sshd, ssh_keys), host="127.0.0.1", port=tls_server.port)
    other.open(10)
    with pytest.raises(psycopg.OperationalError, match="does not match host name"), connected(other, **verify):
        pass


def test_a_connection_takes_the_overrides(tunnel, server):
    conninfo = parse(f"host=127.0.0.1 hostaddr=127.0.0.9 port={server.port} user=secretive dbname=postgres")
    tunnel.open(10)
    for sslmode in (None, "disable"):
        routed = conninfo.with_(**tunnel.overrides(sslmode))
        with psycopg.connect(**routed.kwargs(), password=DB_PASSWORD) as conn:
            assert conn.execute("select inet_server_port()").fetchone() == (server.port,)


def test_two_tunnels_are_two(make_tunnel, sshd, ssh_keys, known, server):
    both = [make_tunnel(key_login(sshd, ssh_keys), port=server.port, name=name) for name in ("a", "b")]
    for tunnel in both:
        tunnel.open(10)
    assert both[0].overrides(None) != both[1].overrides(None)
    with connected(both[1]) as conn:
        both[0].close()
        assert conn.execute("select 1").fetchone() == (1,)
    assert both[1].alive
    assert not both[0].alive


def test_threads_that_open_it_at_once_share_one_login(tunnel, sshd):
    before = {p.pid for p in sshd.sessions()}
    at_one_moment(*[lambda: tunnel.open(20)] * 8)
    log = (sshd.root / "log").read_text()
    masters = [p for p in sshd.sessions() if p.pid not in before and p.ppid() == sshd.process.pid]
    assert len(masters) == 1, log


def test_a_dead_tunnel_is_noticed_named_and_opened_again(tunnel, sshd):
    tunnel.open(10)
    port = tunnel.overrides(None)["port"]
    with connected(tunnel) as conn:
        sshd.kill_sessions()
        wait_until(lambda: not tunnel.alive)
        with pytest.raises(psycopg.OperationalError):
            conn.execute("select 1")
    assert "the SSH tunnel of shop is gone" in str(tunnel.problem)
    assert f"127.0.0.1:{sshd.port}" in str(tunnel.problem)
    with pytest.raises(SshError, match="gone"):
        tunnel.overrides(None)
    tunnel.open(10)
    assert tunnel.problem is None
    assert tunnel.overrides(None)["port"] != port
    assert answer(tunnel) == (42, True)


def test_a_server_that_falls_silent_is_found_by_keepalive(tunnel, sshd, monkeypatch):
    from tusk_jupyter.connections import ssh_client

    monkeypatch.setattr(ssh_client, "KEEPALIVE_S", 0.2)
    tunnel.open(10)
    sessions = sshd.sessions()
    try:
        sshd.freeze_sessions()
        wait_until(lambda: not tunnel.alive)
    finally:
        for process in sessions:
            process.resume()
    assert "answers no more" in str(tunnel.problem)


def test_closing_ends_what_is_connected_through_it(tunnel, sshd):
    before = {p.pid for p in sshd.sessions()}
    tunnel.open(10)
    with connected(tunnel) as conn:
        tunnel.close()
        tunnel.close()
        with pytest.raises(psycopg.OperationalError):
            conn.execute("select 1")
    assert not tunnel.alive
    assert tunnel.problem is None
    with pytest.raises(SshError, match="not open"):
        tunnel.overrides(None)
    wait_until(lambda: {p.pid for p in sshd.sessions()} <= before)
    tunnel.open(10)
    assert answer(tunnel) == (42, True)


def test_closing_ends_an_attempt_that_nobody_waits_for(make_tunnel, home):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        tunnel = make_tunnel(SshTunnel("127.0.0.1", silent.getsockname()[1], "ann"))
        failures = []

        def enter():
            try:
                tunnel.open(50)
            except SshError as error:
                failures.append(error)

        thread = threading.Thread(target=enter)
        thread.start()
        client, _ = silent.accept()
        with client:
            tunnel.close()
            thread.join(10)
            assert not thread.is_alive()
            assert "closed while it was being opened" in str(failures[0])
            client.settimeout(10)
            while client.recv(1000):
                pass


def test_a_forked_child_leaves_the_parents_tunnel_alone_and_opens_its_own(tunnel):
    tunnel.open(10)
    with connected(tunnel) as conn:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                assert not tunnel.alive
                signal.alarm(20)
                tunnel.open(10)
                assert answer(tunnel) == (42, True)
                tunnel.close()
                code = 0
            finally:
                os._exit(code)
        _, status = os.waitpid(child, 0)
        assert status == 0
        assert conn.execute("select 1").fetchone() == (1,)
    assert answer(tunnel) == (42, True)


def test_nothing_hangs_or_stays_at_exit(sshd, ssh_keys, known, server):
    code = f"""
import psycopg
from tusk_jupyter.connections.conninfo import parse
from tusk_jupyter.connections.saved import SshTunnel
from tusk_jupyter.connections.tunnel import Tunnel
tunnel = Tunnel(SshTunnel("127.0.0.1", {sshd.port}, {sshd.user!r}, "key", {str(ssh_keys / "plain")!r}),
                host="127.0.0.1", port={server.port}, name="shop")
tunnel.open(10)
print(tunnel.overrides("disable")["host"])
conn = psycopg.connect(user="secretive", password={DB_PASSWORD!r}, dbname="postgres", **tunnel.overrides("disable"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    assert not Path(done.stdout.strip()).exists()


def test_the_thread_is_one_and_asyncssh_says_nothing_to_cells(make_tunnel, sshd, ssh_keys, known, server, caplog):
    with caplog.at_level("DEBUG"):
        for name in ("a", "b"):
            make_tunnel(key_login(sshd, ssh_keys), port=server.port, name=name).open(10)
    assert [thread.name for thread in threading.enumerate()].count("tusk-ssh") == 1
    assert not [record for record in caplog.records if record.name.startswith("asyncssh")]
