"""Each way in which a tunnel cannot be opened, at real servers: its message, its advice, and no secret in either."""

from __future__ import annotations

import os
import socket
import stat
import struct
import subprocess
import threading
import traceback

import pytest

from tests.fix_sshd import PASSPHRASE, PASSWORD, has_namespaces, keygen
from tests.listening import listener, web
from tusk_jupyter.connections.saved import SshTunnel
from tusk_jupyter.errors import ConnectionTimeout, SshError
from tusk_jupyter.secret import Secret

needs_password_login = pytest.mark.skipif(not has_namespaces(), reason="no user with a password can be made up here")


@pytest.fixture
def known(home, sshd):
    home.known_hosts.write_text(sshd.known_hosts_line)
    return home


def login(sshd, auth="agent", key=None, **more):
    return SshTunnel("127.0.0.1", sshd.port, more.pop("user", sshd.user), auth, str(key) if key else None, **more)


def refused(tunnel, *words, kind=SshError, timeout_s=10):
    """Open what must fail; return the error, which names the connection and holds no secret."""
    with pytest.raises(kind) as raised:
        tunnel.open(timeout_s)
    error = raised.value
    assert type(error) is kind
    assert str(error).startswith("Cannot connect to shop through SSH: ")
    for word in words:
        assert word in str(error), str(error)
    assert error.advice
    assert error.__cause__ is error.__context__ is None
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = "\n".join([*told.format(), repr(error.info()), repr(error.__dict__), repr(tunnel), repr(tunnel.__dict__)])
    assert "canary-" not in shown
    assert not tunnel.alive
    return error


def closed_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_a_host_that_dns_does_not_know(make_tunnel, home):
    error = refused(make_tunnel(SshTunnel("does-not-exist.invalid")), "'does-not-exist.invalid' is not known to DNS")
    assert "~/.ssh/config" in error.advice


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_port_where_nothing_listens(make_tunnel, home, host):
    port = closed_port()
    refused(make_tunnel(SshTunnel(host, port, "ann")), f"no SSH server listens at {host}, port {port}")


def test_a_web_server_on_the_port(make_tunnel, home):
    with listener(web) as port:
        refused(make_tunnel(SshTunnel("127.0.0.1", port, "ann")), f"port {port} is not an SSH server")


def test_postgresql_on_the_port(make_tunnel, home, server):
    refused(make_tunnel(SshTunnel("127.0.0.1", server.port, "ann")), "is not an SSH server")


def test_a_server_that_never_answers(make_tunnel, home):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        tunnel = make_tunnel(SshTunnel("127.0.0.1", port, "ann"))
        error = refused(
            tunnel, f"within 0.5 s while logging in to ann@127.0.0.1:{port}", kind=ConnectionTimeout, timeout_s=0.5
        )
    assert error.duration_s == 0.5


def test_a_database_that_never_answers(make_tunnel, sshd, ssh_keys, known):
    # TEST-NET-1 leads nowhere; where a router says so, the server says it too
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), host="192.0.2.1", port=5432)
    with pytest.raises((SshError, ConnectionTimeout)) as raised:
        tunnel.open(2)
    assert "database at 192.0.2.1:5432" in str(raised.value)


def test_a_host_that_nobody_has_recorded(make_tunnel, sshd, ssh_keys, home):
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"))
    error = refused(tunnel, "is not known yet: ssh-ed25519", sshd.fingerprint)
    assert f"ssh -p {sshd.port} {sshd.user}@127.0.0.1" in error.advice
    assert str(home.known_hosts) in error.advice
    assert ("host key", f"ssh-ed25519 {sshd.fingerprint}") in error.facts
    assert (tunnel.unknown_key.fingerprint, tunnel.unknown_key.key_type) == (sshd.fingerprint, "ssh-ed25519")
    assert not home.known_hosts.exists()


def test_who_is_asked_and_says_yes_has_it_recorded(make_tunnel, sshd, ssh_keys, home, server):
    home.known_hosts.parent.rmdir()
    asked = []

    def confirm(key):
        asked.append((key.fingerprint, key.key_type, key.host, key.port, threading.current_thread()))
        return True

    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port, confirm=confirm)
    tunnel.open(10)
    assert asked == [(sshd.fingerprint, "ssh-ed25519", "127.0.0.1", sshd.port, threading.current_thread())]
    assert home.known_hosts.read_text() == sshd.known_hosts_line
    assert stat.S_IMODE(home.known_hosts.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.known_hosts.parent.stat().st_mode) == 0o700
    assert tunnel.unknown_key is None
    again = make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port)
    again.open(10)


def test_who_is_asked_and_says_no_is_refused(make_tunnel, sshd, ssh_keys, home):
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), confirm=lambda _: False)
    refused(tunnel, "is not known yet")
    assert not home.known_hosts.exists()


def test_a_yes_that_cannot_be_written_down_counts_for_this_tunnel(make_tunnel, sshd, ssh_keys, home, server):
    home.config.write_text("Host *\n  UserKnownHostsFile /dev/null\n")
    times = []
    tunnel = make_tunnel(
        login(sshd, "key", ssh_keys / "plain"), port=server.port, confirm=lambda key: times.append(key) or True
    )
    home.known_hosts.mkdir()
    tunnel.open(10)
    assert len(times) == 1
    tunnel.close()
    tunnel.open(10)
    assert len(times) == 1


def test_a_hashed_entry_of_ssh_itself_counts(make_tunnel, sshd, ssh_keys, known, server):
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(known.known_hosts)], check=True, capture_output=True)
    assert known.known_hosts.read_text().startswith("|1|")
    make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port).open(10)


def test_a_host_certificate_of_a_known_authority_counts(make_tunnel, make_sshd, ssh_keys, home, server):
    sshd = make_sshd()
    public = sshd.root / "host_key.pub"
    command = ["ssh-keygen", "-q", "-s", str(ssh_keys / "authority"), "-h", "-I", "host", "-n", "127.0.0.1", str(public)]
    subprocess.run(command, check=True)
    sshd.options = f"HostCertificate {sshd.root / 'host_key-cert.pub'}\n"
    sshd.stop()
    sshd.start()
    # without the authority it is a host like any other, known by its key
    home.known_hosts.write_text(sshd.known_hosts_line)
    make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port).open(10)
    authority = " ".join((ssh_keys / "authority.pub").read_text().split()[:2])
    home.known_hosts.write_text(f"@cert-authority * {authority}\n")
    make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port).open(10)
    home.known_hosts.write_text("")
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port)
    refused(tunnel, "is not known yet", sshd.fingerprint)
    stranger = " ".join((ssh_keys / "stranger.pub").read_text().split()[:2])
    home.known_hosts.write_text(f"@cert-authority * {stranger}\n")
    refused(make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port), "by an authority that known_hosts")
    home.known_hosts.write_text(f"@cert-authority * {authority}\n@revoked * {sshd.host_key}\n")
    refused(make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port), "is marked as revoked")


def test_a_changed_key_is_refused_whatever_anybody_says(make_tunnel, make_sshd, ssh_keys, home):
    sshd = make_sshd()
    home.known_hosts.write_text("# mine\n" + sshd.known_hosts_line)
    before = sshd.fingerprint
    sshd.renew_host_key()
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), confirm=lambda _: True)
    error = refused(tunnel, "has CHANGED")
    assert tunnel.unknown_key is None
    assert f"({home.known_hosts}, line 2)" in error.advice
    assert f"ssh-keygen -f {home.known_hosts} -R '[127.0.0.1]:{sshd.port}'" in error.advice
    assert {("host key", f"ssh-ed25519 {sshd.fingerprint}"), ("recorded", f"ssh-ed25519 {before}")} <= set(error.facts)
    command = error.advice.partition("with: ")[2]
    subprocess.run(command, shell=True, check=True, capture_output=True)
    refused(make_tunnel(login(sshd, "key", ssh_keys / "plain")), "is not known yet")


def test_a_key_of_another_kind_than_the_recorded_one_is_a_changed_key(make_tunnel, sshd, ssh_keys, home, tmp_path):
    other = keygen(tmp_path / "rsa", kind="rsa").with_suffix(".pub").read_text().split()
    home.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {other[0]} {other[1]}\n")
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), confirm=lambda _: True)
    error = refused(tunnel, "has CHANGED")
    assert "line 1" in error.advice
    assert ("host key", f"ssh-ed25519 {sshd.fingerprint}") in error.facts


def test_the_key_of_the_same_host_at_port_22_neither_warns_nor_hides(make_tunnel, sshd, ssh_keys, home, tmp_path):
    other = keygen(tmp_path / "k").with_suffix(".pub").read_text().split()
    home.known_hosts.write_text(f"127.0.0.1 {other[0]} {other[1]}\n")
    refused(make_tunnel(login(sshd, "key", ssh_keys / "plain")), "is not known yet")
    home.known_hosts.write_text(f"127.0.0.1 {sshd.host_key}\n")
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=closed_port())
    refused(tunnel, "cannot reach the database")


def test_a_known_hosts_file_with_nonsense_in_it(make_tunnel, sshd, ssh_keys, home, server):
    home.known_hosts.write_bytes(b"\xff\xfe nonsense\n@wrong a b c\nhost ssh-rsa !!!\n|1|x|y z z\n" + sshd.known_hosts_line.encode())
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port)
    tunnel.open(10)
    assert tunnel.alive


def test_a_key_that_the_server_does_not_let_in(make_tunnel, sshd, ssh_keys, known):
    error = refused(make_tunnel(login(sshd, "key", ssh_keys / "stranger")), "refused the login", "it offers publickey")
    assert "authorized_keys" in error.advice
    assert dict(error.facts)["tried"].endswith("stranger")


def test_a_user_who_is_not_there(make_tunnel, sshd, ssh_keys, known):
    refused(make_tunnel(login(sshd, "key", ssh_keys / "plain", user="nobody_here")), "as nobody_here")


def test_a_key_file_that_is_not_there(make_tunnel, sshd, known):
    refused(make_tunnel(login(sshd, "key", known.path / "gone")), "gone' does not exist")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_key_file_that_may_not_be_read(make_tunnel, sshd, ssh_keys, known):
    key = known.path / "key"
    key.write_bytes((ssh_keys / "plain").read_bytes())
    key.chmod(0)
    refused(make_tunnel(login(sshd, "key", key)), "cannot be read: permission denied")


def test_a_directory_for_a_key(make_tunnel, sshd, known):
    refused(make_tunnel(login(sshd, "key", known.path)), "cannot be read: is a directory")


def test_a_key_file_that_others_may_read(make_tunnel, sshd, ssh_keys, known):
    key = known.path / "key"
    key.write_bytes((ssh_keys / "plain").read_bytes())
    key.chmod(0o644)
    assert refused(make_tunnel(login(sshd, "key", key)), "others may read").advice == f"chmod 600 {key}"


def test_the_public_half_for_a_key(make_tunnel, sshd, ssh_keys, known):
    key = known.path / "key"
    key.write_bytes((ssh_keys / "plain.pub").read_bytes())
    key.chmod(0o600)
    assert "not its .pub half" in refused(make_tunnel(login(sshd, "key", key)), "is not a private SSH key").advice


def test_an_encrypted_key_without_a_passphrase(make_tunnel, sshd, ssh_keys, known, server):
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "locked"), port=server.port)
    refused(tunnel, "is encrypted, and no passphrase was given")
    assert tunnel.asks == "passphrase"
    tunnel.set_secrets(passphrase=Secret(PASSPHRASE))
    tunnel.open(10)
    assert tunnel.asks is None


@pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
def test_a_wrong_passphrase(make_tunnel, sshd, known, tmp_path, form):
    key = tmp_path / "key"
    kind = "ed25519" if form == "RFC4716" else "rsa"
    command = ["ssh-keygen", "-q", "-t", kind, "-m", form, "-N", PASSPHRASE, "-f", str(key)]
    subprocess.run(command, check=True)
    tunnel = make_tunnel(login(sshd, "key", key), passphrase=Secret(PASSPHRASE + "x"))
    refused(tunnel, "the passphrase does not open")
    assert tunnel.asks is None
    no_passphrase = make_tunnel(login(sshd, "key", key))
    refused(no_passphrase, "no passphrase was given")
    # the right one opens it, and then it is a key that the server does not know
    refused(make_tunnel(login(sshd, "key", key), passphrase=Secret(PASSPHRASE)), "refused the login")


def test_no_agent(make_tunnel, sshd, known):
    error = refused(make_tunnel(login(sshd)), "no SSH agent is running", "it offers publickey")
    assert "ssh-add" in error.advice


def test_an_agent_that_is_gone(make_tunnel, sshd, known, monkeypatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", str(known.path / "gone"))
    refused(make_tunnel(login(sshd)), "does not answer")


def test_an_agent_without_keys(make_tunnel, sshd, known, agent):
    refused(make_tunnel(login(sshd)), "the SSH agent has no keys")


def test_an_agent_with_the_wrong_key(make_tunnel, sshd, ssh_keys, known, agent):
    agent(ssh_keys / "stranger")
    error = refused(make_tunnel(login(sshd)), f"refused the login as {sshd.user}")
    assert dict(error.facts)["tried"] == "agent: tusk"


def test_a_key_of_ssh_config_that_is_passed_over_is_named(make_tunnel, sshd, ssh_keys, known):
    known.config.write_text(f"Host *\n  IdentityFile {ssh_keys / 'locked'}\n")
    error = refused(make_tunnel(login(sshd)), "refused the login")
    assert "no passphrase was given" in dict(error.facts)["passed over"]


@needs_password_login
def test_a_wrong_password(make_tunnel, sshd, known):
    tunnel = make_tunnel(login(sshd, "password"), password=Secret(PASSWORD + "x"))
    error = refused(tunnel, f"refused the password of {sshd.user}", "it offers", "password")
    assert "not the database's" in error.advice
    assert tunnel.asks is None


@needs_password_login
def test_no_password(make_tunnel, sshd, known, server):
    tunnel = make_tunnel(login(sshd, "password"), port=server.port)
    refused(tunnel, "asks for a password, and none was given")
    assert tunnel.asks == "password"
    tunnel.set_secrets(password=Secret(PASSWORD))
    tunnel.open(10)


def test_a_server_that_takes_no_password(make_tunnel, make_sshd, home):
    sshd = make_sshd("PasswordAuthentication no\n")
    home.known_hosts.write_text(sshd.known_hosts_line)
    tunnel = make_tunnel(login(sshd, "password"), password=Secret(PASSWORD))
    refused(tunnel, "takes no password", "it offers publickey")
    assert tunnel.asks is None


@needs_password_login
def test_a_server_that_asks_for_a_second_factor(make_tunnel, make_sshd, ssh_keys, home):
    sshd = make_sshd("AuthenticationMethods publickey,password\n")
    home.known_hosts.write_text(sshd.known_hosts_line)
    error = refused(make_tunnel(login(sshd, "key", ssh_keys / "plain")), "refused the login")
    assert "password" in dict(error.facts)["offered"]


def test_a_database_that_refuses_behind_the_tunnel(make_tunnel, sshd, ssh_keys, known):
    port = closed_port()
    error = refused(
        make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=port),
        f"{sshd.user}@127.0.0.1:{sshd.port} cannot reach the database at 127.0.0.1:{port}",
        "Connection refused",
    )
    assert "as seen from there" in error.advice


def test_a_database_whose_name_the_server_does_not_know(make_tunnel, sshd, ssh_keys, known):
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), host="does-not-exist.invalid")
    refused(tunnel, "cannot reach the database at does-not-exist.invalid:5432")


def test_a_database_socket_that_is_not_there(make_tunnel, sshd, ssh_keys, known):
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), host="/nowhere")
    refused(tunnel, "cannot reach the database at /nowhere")


@pytest.mark.parametrize("option", ["AllowTcpForwarding no", "PermitOpen 127.0.0.1:1", "DisableForwarding yes"])
def test_a_server_that_does_not_forward(make_tunnel, make_sshd, ssh_keys, home, server, option):
    sshd = make_sshd(option + "\n")
    home.known_hosts.write_text(sshd.known_hosts_line)
    error = refused(
        make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port),
        f"does not allow to forward to 127.0.0.1:{server.port}",
    )
    assert "AllowTcpForwarding" in error.advice


def jumping(home, sshd, ssh_keys, inner, user=None):
    home.config.write_text(
        f"Host inner\n  HostName 127.0.0.1\n  Port {inner}\n  ProxyJump outer\n"
        f"Host outer\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {user or sshd.user}\n"
        f"Host *\n  User {sshd.user}\n  IdentityFile {ssh_keys / 'plain'}\n"
    )
    return SshTunnel("inner")


def test_which_hop_failed(make_tunnel, make_sshd, sshd, ssh_keys, known):
    first = f"{sshd.user}@127.0.0.1:{sshd.port}"
    port = closed_port()
    error = refused(make_tunnel(jumping(known, sshd, ssh_keys, port)), f"the jump host {first} cannot reach")
    assert f"127.0.0.1:{port}" in str(error)
    error = refused(make_tunnel(jumping(known, sshd, ssh_keys, port, "nobody_here")), "refused the login as nobody_here")
    assert ("jump host", f"nobody_here@127.0.0.1:{sshd.port}") in error.facts
    second = make_sshd()
    tunnel = make_tunnel(jumping(known, sshd, ssh_keys, second.port))
    error = refused(tunnel, f"{sshd.user}@127.0.0.1:{second.port} is not known yet")
    assert tunnel.unknown_key.via == first
    assert f"-J {first}" in error.advice
    known.known_hosts.write_text(second.known_hosts_line)
    refused(make_tunnel(jumping(known, sshd, ssh_keys, second.port)), f"{first} is not known yet")


@needs_password_login
def test_the_password_of_the_last_host_is_not_given_to_a_jump_host(make_tunnel, make_sshd, sshd, ssh_keys, known):
    second = make_sshd()
    known.known_hosts.write_text(sshd.known_hosts_line + second.known_hosts_line)
    ssh = jumping(known, second, ssh_keys, sshd.port)
    known.config.write_text(known.config.read_text().replace("IdentityFile", "# IdentityFile"))
    tunnel = make_tunnel(SshTunnel(ssh.host, auth="password"), password=Secret(PASSWORD))
    error = refused(tunnel, "refused the login: no SSH agent is running")
    assert ("jump host", f"{sshd.user}@127.0.0.1:{second.port}") in error.facts
    assert "Failed password" not in (second.root / "log").read_text()


def test_a_jump_in_circles(make_tunnel, home):
    home.config.write_text("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    refused(make_tunnel(SshTunnel("a")), "goes in circles")


@pytest.mark.parametrize(
    ("text", "word"), [("Port many\n", "Invalid Port"), ('User "a\n', "quotation")]
)
def test_a_configuration_that_cannot_be_used(make_tunnel, home, text, word):
    home.config.write_text(f"Host *\n  {text}")
    error = refused(make_tunnel(SshTunnel("127.0.0.1")), "configuration", word)
    assert "~/.ssh/config" in error.advice


def test_a_proxy_command(make_tunnel, sshd, ssh_keys, known, server):
    relay = known.path / "relay.py"
    relay.write_text(
        "import os, socket, sys, threading\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n    while data := os.read(0, 65536):\n        s.sendall(data)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := s.recv(65536):\n    os.write(1, data)\n"
    )
    known.config.write_text(
        f"Host behind\n  HostName 127.0.0.1\n  Port {sshd.port}\n  User {sshd.user}\n"
        f"  ProxyCommand python3 {relay} %h %p\n"
    )
    tunnel = make_tunnel(SshTunnel("behind", auth="key", key_path=str(ssh_keys / "plain")), port=server.port)
    tunnel.open(10)
    assert tunnel.alive


def test_a_server_that_hangs_up_at_once(make_tunnel, home):
    def reset(client):
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    for answer in (reset, lambda _: None):
        with listener(answer) as port:
            error = refused(make_tunnel(SshTunnel("127.0.0.1", port, "ann")), "or it hung up at once")
            assert "bans addresses" in error.advice


def test_a_server_that_hangs_up_in_the_middle_of_the_login(make_tunnel, home):
    def greet(client):
        client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        client.recv(1000)

    with listener(greet) as port:
        error = refused(make_tunnel(SshTunnel("127.0.0.1", port, "ann")), f"ann@127.0.0.1:{port} ended the login")
        assert f"ssh -v -p {port} ann@127.0.0.1" in error.advice


def test_of_several_host_keys_the_recorded_kind_is_asked_for(make_tunnel, make_sshd, ssh_keys, home, server, tmp_path):
    second = keygen(tmp_path / "rsa", kind="rsa")
    sshd = make_sshd(f"HostKey {second}\n")
    kind, key = second.with_suffix(".pub").read_text().split()[:2]
    for recorded in (f"{kind} {key}", sshd.host_key):
        home.known_hosts.write_text(f"[127.0.0.1]:{sshd.port} {recorded}\n")
        tunnel = make_tunnel(login(sshd, "key", ssh_keys / "plain"), port=server.port)
        tunnel.open(10)
        assert tunnel.alive


@needs_password_login
def test_a_password_is_not_sent_where_a_key_was_asked_for(make_tunnel, sshd, ssh_keys, known):
    tunnel = make_tunnel(login(sshd, "key", ssh_keys / "stranger"), password=Secret(PASSWORD))
    refused(tunnel, f"refused the login as {sshd.user}")
