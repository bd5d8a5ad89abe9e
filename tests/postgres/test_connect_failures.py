"""Real failures of real servers, each through psycopg and libpq to the error that a user sees."""

from __future__ import annotations

import base64
import socket
import threading
import traceback
from contextlib import contextmanager, suppress
from urllib.parse import quote

import psycopg
import pytest

import tusk_jupyter
from tests.fix_postgres import PASSWORD
from tests.fix_tls import BY_PASSWORD, openssl
from tests.listening import listener, silent, web
from tests.waiting import wait_until
from tusk_jupyter.connections.conninfo import Conninfo, parse
from tusk_jupyter.connections.failures import check_files, connect_error, needs_password, unready
from tusk_jupyter.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionTimeout,
    InvalidInput,
    PoolTimeout,
    SslError,
)
from tusk_jupyter.secret import Secret

CANARIES = (PASSWORD, quote(PASSWORD, safe=""), repr(PASSWORD)[1:-1], base64.b64encode(PASSWORD.encode()).decode())


def attempt(conninfo: Conninfo, timeout_s: float = 10.0) -> psycopg.Error | OSError | ValueError:
    """Return the exception of a connection that must fail."""
    kwargs = {"connect_timeout": str(int(timeout_s)), **conninfo.kwargs()}
    for keyword, secret in (("password", conninfo.password), ("sslpassword", conninfo.sslpassword)):
        if secret is not None:
            kwargs[keyword] = secret.reveal()
    try:
        psycopg.connect(**kwargs).close()
    except (psycopg.Error, OSError, ValueError) as error:
        return error
    raise AssertionError("it connected")


def explained(conninfo: Conninfo, kind: type, *words: str, timeout_s: float = 10.0):
    exc = attempt(conninfo, timeout_s)
    error = connect_error(exc, target=conninfo.redacted(), name="shop", conninfo=conninfo, timeout_s=timeout_s)
    assert type(error) is kind, f"{error} {error.detail}"
    assert str(error).startswith("Cannot connect to shop: ")
    for word in words:
        assert word in str(error)
    assert error.advice
    assert "{" not in f"{error}{error.advice}"
    assert error.facts[0][0] == "tried"
    assert error.__cause__ is error.__context__ is None
    shown = raised(error)
    for canary in CANARIES:
        assert canary not in shown
    assert "canary-" not in shown
    return error


def raised(error):
    """Everything that an error which left a cell shows, frames' variables included."""
    try:
        raise error
    except type(error):
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
    return "\n".join([*told.format(), repr(error), repr(error.info()), repr(error.__dict__)])


@pytest.fixture
def over_tcp(server):
    """The role with a password, over TCP, where the server wants it."""
    return Conninfo(
        params=(("host", "127.0.0.1"), ("port", str(server.port)), ("dbname", "postgres"), ("user", "secretive")),
        password=Secret(PASSWORD),
    )


@pytest.fixture
def local(server):
    return parse(server.conninfo())


@contextmanager
def made(server, *statements, drop):
    """Roles and databases that are there for one test."""
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        for statement in statements:
            conn.execute(statement)
        yield
        for name in drop:
            conn.execute(f"drop {name}")


def with_password(conninfo, password):
    return Conninfo(params=conninfo.params, password=password)


def test_a_wrong_password(over_tcp):
    conninfo = with_password(over_tcp, Secret(PASSWORD + "x"))
    error = explained(conninfo, AuthenticationFailed, 'password authentication failed for user "secretive"')
    assert dict(error.facts) == {
        "tried": f"secretive@127.0.0.1:{over_tcp.port}/postgres, sslmode=prefer",
        "reached": "TCP",
    }
    assert "-W" in error.advice
    assert not needs_password(attempt(conninfo))


def test_no_password(over_tcp):
    conninfo = with_password(over_tcp, None)
    error = explained(conninfo, AuthenticationFailed, "none was given")
    assert "--password-env" in error.advice
    assert needs_password(attempt(conninfo))


def test_a_password_that_libpq_found_is_masked_as_well(over_tcp, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    explained(with_password(over_tcp, None).with_(dbname="nowhere"), ConnectionFailed, "does not exist")


def test_the_right_password_connects(over_tcp):
    with pytest.raises(AssertionError, match="it connected"):
        attempt(over_tcp)


def test_an_unknown_role_and_one_without_login(server, local):
    explained(local.with_(user="nobody_here"), AuthenticationFailed, 'role "nobody_here" does not exist')
    with made(server, "create role sleeper nologin", drop=["role sleeper"]):
        error = explained(local.with_(user="sleeper"), AuthenticationFailed, "not permitted to log in")
    assert 'ALTER ROLE "sleeper" LOGIN' in error.advice


def test_an_unknown_database(over_tcp):
    error = explained(over_tcp.with_(dbname="nowhere"), ConnectionFailed, 'database "nowhere" does not exist')
    assert dict(error.facts)["reached"] == "TCP, login"


def test_a_database_that_may_not_be_entered(server, local):
    create = (
        "create role outsider login",
        "create database members",
        "revoke connect on database members from public",
        "create database asleep allow_connections false",
    )
    with made(server, *create, drop=["database asleep", "database members", "role outsider"]):
        error = explained(local.with_(user="outsider", dbname="members"), ConnectionFailed, "permission denied")
        explained(local.with_(dbname="asleep"), ConnectionFailed, "not currently accepting connections")
    assert error.advice.endswith('GRANT CONNECT ON DATABASE "members" TO "outsider"')


def test_too_many_connections(server, local):
    with made(server, "create role crowd login connection limit 0", drop=["role crowd"]):
        error = explained(local.with_(user="crowd"), ConnectionFailed, "too many connections")
    assert "CONNECTION LIMIT" in error.advice


def test_a_pool_that_cannot_grow_says_why(server, database, tusk):
    with made(server, "create role crowd login connection limit 1", drop=["role crowd"]):
        pool = tusk_jupyter.connect(psycopg.conninfo.make_conninfo(database, user="crowd"), pool_size=2).pool
        with pytest.raises(PoolTimeout, match=r"attempt to open another one failed: .*too many connections") as caught, pool.borrow(
            timeout_s=20, until=lambda: pool._refused
        ):
            pass
        assert "fewer" in caught.value.advice
        with psycopg.connect(server.conninfo(), autocommit=True) as conn:
            conn.execute("alter role crowd connection limit 2")
        with pool.borrow(timeout_s=20), pytest.raises(PoolTimeout) as caught, pool.borrow(timeout_s=0.05):
            pass
        assert "too many" not in caught.value.message
        tusk.connections.close()


def test_an_option_that_the_server_refuses(local):
    explained(local.with_(options="-c work_mem=lots"), InvalidInput, "work_mem")


def test_another_kind_of_server_was_asked_for(local):
    explained(local.with_(target_session_attrs="standby"), ConnectionFailed, "hot standby")


def test_no_tls_at_the_server(over_tcp):
    error = explained(
        over_tcp.with_(sslmode="require"), SslError, "does not offer TLS, and sslmode=require asks for it"
    )
    assert dict(error.facts)["reached"] == "TCP"


def test_a_refused_port(over_tcp):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        error = explained(over_tcp.with_(port=str(port)), ConnectionFailed, f"nothing listens at 127.0.0.1, port {port}")
    assert "reached" not in dict(error.facts)


def test_of_two_hosts_the_one_that_answered_is_reported(over_tcp):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        hosts = over_tcp.with_(host="127.0.0.1,127.0.0.1", port=f"{over_tcp.port},{taken.getsockname()[1]}")
        error = explained(with_password(hosts, Secret("wrong")), AuthenticationFailed, "password authentication failed")
    assert "Connection refused" in error.detail


def test_a_socket_directory_without_a_server(local, tmp_path):
    explained(local.with_(host=str(tmp_path)), ConnectionFailed, f"no server's socket in {tmp_path}")


def test_a_host_that_dns_does_not_know(over_tcp):
    error = explained(over_tcp.with_(host="does-not-exist.invalid"), ConnectionFailed, "does-not-exist.invalid")
    assert [label for label, _ in error.facts] == ["tried"]


def test_a_host_name_that_cannot_be_one(over_tcp):
    explained_input = connect_error(
        attempt(over_tcp.with_(host="a" * 70 + ".example")), target="t", name="shop", conninfo=over_tcp
    )
    assert type(explained_input) is InvalidInput


def test_a_service_that_is_not_defined():
    explained(parse("service=nowhere_defined"), InvalidInput, "no service 'nowhere_defined'")


def ssh(client):
    client.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    client.recv(1000)
    # who closes before everything is read resets the line, and the banner may be lost with it
    client.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        while client.recv(1000):
            pass


def hang_up(client):
    client.recv(1000)


@pytest.mark.parametrize("answer", [web, ssh])
@pytest.mark.parametrize("sslmode", ["prefer", "disable"])
def test_what_is_not_postgresql_is_told(over_tcp, answer, sslmode):
    with listener(answer) as port:
        error = explained(over_tcp.with_(port=str(port), sslmode=sslmode), ConnectionFailed, "is not PostgreSQL")
    assert str(port) in str(error)


def test_a_server_that_hangs_up(over_tcp):
    with listener(hang_up) as port:
        explained(over_tcp.with_(port=str(port)), ConnectionFailed, "closed the connection before the login")


def test_a_server_that_never_answers(over_tcp):
    with silent() as port:
        error = explained(over_tcp.with_(port=str(port)), ConnectionTimeout, "no answer within 2 s", timeout_s=2)
    assert error.duration_s == 2
    assert f"port {port}" in error.advice


def test_a_server_that_shuts_down_and_one_that_is_down(server, make_server):
    server = make_server()
    conninfo = parse(server.conninfo())
    with psycopg.connect(server.conninfo()):
        stopping = threading.Thread(target=server.stop, args=("smart",), daemon=True)
        stopping.start()
        exc = wait_until(lambda: unready(found := _outcome(conninfo)) and found, timeout=20)
        error = connect_error(exc, target="t", conninfo=conninfo)
        assert type(error) is ConnectionFailed
        assert "shutting down" in str(error)
    stopping.join(30)
    explained(conninfo, ConnectionFailed, "no server's socket")


def _outcome(conninfo):
    try:
        psycopg.connect(**conninfo.kwargs()).close()
    except psycopg.Error as error:
        return error
    return RuntimeError("it still takes connections")


def test_a_server_that_speaks_another_language(over_tcp):
    with listener(lambda client: _relay(client, int(over_tcp.port))) as port:
        conninfo = with_password(over_tcp.with_(port=str(port), sslmode="disable"), Secret(PASSWORD + "x"))
        error = explained(conninfo, AuthenticationFailed, "the server refused the login")
    assert "FATAL: Passwort-Authentifizierung für Benutzer »secretive« fehlgeschlagen" in error.detail


def _relay(client, port):
    """Pass everything on, but say the server's error in German: no locale need be installed for it."""
    fields = "SFATAL\0VFATAL\0C28P01\0MPasswort-Authentifizierung für Benutzer »secretive« fehlgeschlagen\0\0".encode()
    german = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields
    with socket.create_connection(("127.0.0.1", port)) as upstream:
        while (asked := client.recv(10_000)) and (said := _receive(upstream, asked)):
            client.sendall(german if said.startswith(b"E") else said)


def _receive(upstream, asked):
    upstream.sendall(asked)
    return upstream.recv(10_000)


# -- TLS with a CA of its own ----------------------------------------------------------------------------------------


@pytest.fixture
def tls(server, tls_server, authority, monkeypatch, tmp_path):
    """Conninfo of a TLS server for «localhost», which asks for a password; its parameters verify it fully."""
    del server  # marks the test
    monkeypatch.setenv("HOME", str(tmp_path))
    tls_server.reload(BY_PASSWORD)
    return Conninfo(
        params=tuple(
            {
                "host": "localhost",
                "hostaddr": "127.0.0.1",
                "port": str(tls_server.port),
                "dbname": "postgres",
                "user": "secretive",
                "sslmode": "verify-full",
                "sslrootcert": str(authority.file),
            }.items()
        ),
        password=Secret(PASSWORD),
    )


def test_a_server_that_can_be_verified(tls):
    with pytest.raises(AssertionError, match="it connected"):
        attempt(tls)


def test_a_refused_password_over_tls_says_that_tls_worked(tls):
    error = explained(with_password(tls, Secret("wrong")), AuthenticationFailed, "password authentication failed")
    assert dict(error.facts) == {
        "tried": f"secretive@localhost:{tls.port}/postgres, sslmode=verify-full",
        "reached": "DNS, TCP, TLS",
    }


@pytest.mark.parametrize("sslmode", ["verify-full", "require"])
def test_an_unknown_authority(tls, stranger, sslmode):
    conninfo = tls.with_(sslrootcert=str(stranger.file), sslmode=sslmode)
    error = explained(conninfo, SslError, "not signed by a CA this machine trusts")
    assert "--sslrootcert" in error.advice
    assert "TLS" not in dict(error.facts)["reached"]


def test_an_expired_certificate(tls, tls_server, authority):
    good = {
        name: (authority.root / f"server.localhost.{end}")
        for name, end in (("server.crt", "crt"), ("server.key", "key"))
    }
    certificate, key = authority.issue("expired.localhost", days=-1)
    tls_server.give(certificate, "server.crt")
    tls_server.give(key, "server.key")
    tls_server.reload(BY_PASSWORD)
    try:
        assert "expired" in explained(tls, SslError).advice
    finally:
        for name, file in good.items():
            tls_server.give(file, name)
        tls_server.reload(BY_PASSWORD)


def test_another_host_name(tls):
    error = explained(tls.with_(host="127.0.0.1"), SslError, "is for localhost, not for 127.0.0.1")
    assert "host=localhost" in error.advice


def test_a_file_that_holds_no_certificate(tls, tmp_path):
    (tmp_path / "ca.pem").write_text("nothing")
    conninfo = tls.with_(sslrootcert=str(tmp_path / "ca.pem"))
    assert check_files(conninfo) is None
    explained(conninfo, SslError, "root certificate", "cannot be read")


def test_a_certificate_file_that_does_not_exist(tls, tmp_path):
    conninfo = tls.with_(sslrootcert=str(tmp_path / "ca.pem"))
    explained(conninfo, SslError, "does not exist")
    assert type(check_files(conninfo)) is SslError


def test_a_client_certificate_is_required(tls, tls_server, tmp_path):
    tls_server.reload("hostssl all all 127.0.0.1/32 scram-sha-256 clientcert=verify-full")
    error = explained(tls, SslError, "asks for a client certificate")
    assert "--sslcert" in error.advice
    error = explained(tls.with_(sslmode="prefer"), SslError, "asks for a client certificate")
    assert "no encryption" in error.detail
    # libpq ignores a file that is not there: only looking first can tell
    missing = tls.with_(sslcert=str(tmp_path / "me.crt"), sslkey=str(tmp_path / "me.key"))
    explained(missing, SslError, "asks for a client certificate")
    assert "me.crt" in str(check_files(missing))


def certified(conninfo, pair):
    certificate, key = pair
    return conninfo.with_(sslcert=str(certificate), sslkey=str(key))


def test_a_client_certificate_of_another_role(tls, tls_server, authority):
    tls_server.reload("hostssl all all 127.0.0.1/32 cert")
    explained(certified(tls, authority.issue("client.somebody")), AuthenticationFailed, "certificate authentication")


def test_a_client_certificate_that_the_server_does_not_trust(tls, stranger):
    explained(certified(tls, stranger.issue("stray.secretive")), SslError, "does not trust the CA of our client certificate")


def test_a_key_that_does_not_belong_or_that_others_may_read(tls, authority):
    certificate, key = authority.issue("first.secretive")
    _, other = authority.issue("second.secretive")
    explained(certified(tls, (certificate, other)), SslError, "does not belong")
    explained(certified(tls, (certificate, certificate.with_suffix(".none"))), SslError, "does not exist")
    key.chmod(0o644)
    error = explained(certified(tls, (certificate, key)), SslError, "others may read")
    assert error.advice == f"chmod 600 {key}" == check_files(certified(tls, (certificate, key))).advice


def test_an_encrypted_key(tls, authority):
    certificate, key = authority.issue("locked.secretive")
    locked = key.with_suffix(".locked")
    openssl("pkcs8", "-topk8", "-in", str(key), "-out", str(locked), "-passout", f"pass:{PASSWORD}")
    locked.chmod(0o600)
    conninfo = certified(tls, (certificate, locked))
    assert "encrypted" in str(check_files(conninfo))
    for passphrase in (" ", PASSWORD + "x"):
        given = conninfo.with_(sslpassword=passphrase)
        assert "does not open" in str(check_files(given))
        explained(given, SslError, "the passphrase does not open the private key")
    with pytest.raises(AssertionError, match="it connected"):
        attempt(conninfo.with_(sslpassword=PASSWORD))


def test_no_pg_hba_entry(tls, tls_server):
    tls_server.reload("")
    explained(tls.with_(sslmode="disable"), SslError, "no encryption")
    explained(tls.with_(sslmode="require"), AuthenticationFailed, "SSL encryption")
    error = explained(tls.with_(sslmode="prefer"), AuthenticationFailed, "no pg_hba.conf entry")
    assert len(error.detail.split("\n")) == 2


def test_pg_hba_rejects(tls, tls_server):
    tls_server.reload("host all all 127.0.0.1/32 reject")
    explained(tls, AuthenticationFailed, "pg_hba.conf rejects")
