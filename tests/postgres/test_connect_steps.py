"""Testing a connection step by step, against real servers, real refusals and what is no server at all."""

from __future__ import annotations

import itertools
import socket
import threading

import psycopg
import pytest

from tests.fix_postgres import PASSWORD
from tests.listening import listener, silent, web
from tests.waiting import ask, wait_until
from tusk_jupyter.connections import encryption, findings, tls_paths
from tusk_jupyter.connections.conninfo import Conninfo, parse
from tusk_jupyter.connections.opening import Settings
from tusk_jupyter.connections.steps import NAMES, Step, walk
from tusk_jupyter.connections.target import Limits, Target
from tusk_jupyter.errors import AuthenticationFailed, ConnectionFailed, ConnectionTimeout, InvalidInput, SslError
from tusk_jupyter.magics.connect import report
from tusk_jupyter.magics.tables import status_table
from tusk_jupyter.secret import Secret

NOT_TRIED = ("skipped", "")
_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch, tmp_path):
    import os

    for name in [name for name in os.environ if name.startswith(("PG", "SSL_CERT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def over_tcp(server):
    """The way to the server under a name of the test's own, so that its sessions are told from everybody else's."""
    conninfo = parse(f"host=127.0.0.1 port={server.port} dbname=postgres user=secretive application_name=walk-{next(_numbers)}")
    yield conninfo
    wait_until(lambda: not sessions(server, conninfo), otherwise="a walk left a session behind")


def target(conninfo, *, timeout_s=10.0, **settings):
    return Target(conninfo, Settings(**settings), Limits(connect_timeout_s=timeout_s))


def walked(conninfo, *, password=PASSWORD, timeout_s=10.0, **settings):
    """Walk, and check what is true of every walk: each step told as it goes, in order, and no password anywhere."""
    told = []
    secret = Secret(password) if password is not None else None
    found = walk(target(conninfo, timeout_s=timeout_s, **settings), name="shop", password=secret, on_step=told.append)
    assert [step.name for step in found.steps] == list(NAMES)
    assert {step.name: step for step in told} == {step.name: step for step in found.steps}
    assert len(told) == len(set(told))
    assert all(step.state != "running" for step in found.steps)
    assert PASSWORD not in repr(told) + repr(found)
    if found.error is not None:
        assert [step.state for step in found.steps].count("failed") == 1
        assert PASSWORD not in f"{found.error.info()}"
        assert found.error.__traceback__ is None
    return found


def states(found):
    return {step.name: (step.state, step.text) for step in found.steps}


def failed(found, name, kind, *words):
    """The step that failed; those after it were not tried."""
    assert type(found.error) is kind, found
    steps = states(found)
    state, text = steps[name]
    assert state == "failed", found
    for word in words:
        assert word in text
    assert not text.startswith("Cannot connect")
    for later in NAMES[NAMES.index(name) + 1 :]:
        assert steps[later][0] == "skipped", found
    assert found.server is None
    return steps


def sessions(server, conninfo):
    return ask(server.conninfo(), "select count(*) from pg_stat_activity where application_name = %s", conninfo.get("application_name"))


def test_over_tcp_without_tls(server, over_tcp):
    found = walked(over_tcp)
    assert found.error is None
    assert not found.asks
    assert states(found) == {
        "DNS": ("skipped", "an address needs none"),
        "TCP": ("ok", f"127.0.0.1:{server.port}"),
        "SSH": ("skipped", "no tunnel"),
        "TLS": ("ok", "no TLS (loopback: the server offers none)"),
        "authentication": ("ok", "as secretive, with a password" if server.version < 16 else "as secretive, by scram-sha-256"),
        "database": ("ok", f"postgres on PostgreSQL {found.server.version}, no superuser, reads and writes"),
    }
    assert found.server.user == "secretive"
    assert 0 < found.round_trip_ms < 10_000


def test_the_session_of_a_walk_ends_with_it(server, over_tcp, monkeypatch):
    look_around, counted = findings.ask, []

    def counting(*arguments, **options):
        counted.append(sessions(server, over_tcp))
        return look_around(*arguments, **options)

    monkeypatch.setattr(findings, "ask", counting)
    assert walked(over_tcp).error is None
    assert counted == [1]


def test_a_socket_has_neither_dns_nor_tls(server):
    found = walked(parse(server.conninfo()), password=None)
    steps = states(found)
    assert steps["DNS"] == ("skipped", "a Unix socket needs none")
    assert steps["TCP"] == ("ok", f"{server.host}/.s.PGSQL.{server.port} (Unix socket)")
    assert steps["TLS"] == ("skipped", "a Unix socket has none")
    assert steps["authentication"] == ("ok", "as tester, without a password")
    assert "superuser, reads and writes" in steps["database"][1]


def test_the_steps_are_told_in_their_order(server):
    told = []
    found = walk(target(parse(f"host=localhost port={server.port} user=tester dbname=postgres sslmode=disable")), name="x", on_step=told.append)
    assert type(found.error) is AuthenticationFailed
    assert found.asks
    ended = [step.name for step in told if step.state != "running"]
    assert ended.index("DNS") < ended.index("TCP") < ended.index("authentication")
    assert told[0] == Step("DNS", "running")
    assert Step("authentication", "running") in told


def test_a_name_is_looked_up(server, over_tcp):
    steps = states(walked(over_tcp.with_(host="localhost")))
    state, text = steps["DNS"]
    assert state == "ok"
    assert text.startswith("localhost: ")
    assert "127.0.0.1" in text
    assert steps["TCP"] == ("ok", f"127.0.0.1:{server.port}")


def test_an_address_beside_the_name_needs_no_dns(server, over_tcp):
    steps = states(walked(over_tcp.with_(host="db.invalid", hostaddr="127.0.0.1")))
    assert steps["DNS"] == ("skipped", "an address needs none")
    assert steps["TCP"] == ("ok", f"127.0.0.1:{server.port}")


def test_of_several_hosts_the_one_that_took_us_is_named(server, over_tcp):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        hosts = over_tcp.with_(host="localhost,127.0.0.1", port=f"{taken.getsockname()[1]},{server.port}")
        steps = states(walked(hosts))
    assert steps["DNS"][0] == "ok"
    assert steps["TCP"] == ("ok", f"127.0.0.1:{server.port}")
    assert steps["database"][0] == "ok"


def test_a_service_says_where(server, monkeypatch, tmp_path):
    file = tmp_path / "services"
    file.write_text(f"[shop]\nhost=127.0.0.1\nport={server.port}\ndbname=postgres\nuser=secretive\nsslmode=disable\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    steps = states(walked(parse("service=shop")))
    assert steps["DNS"] == ("skipped", "pg_service.conf says where the server is")
    assert steps["TCP"] == ("ok", f"127.0.0.1:{server.port}")
    assert steps["TLS"] == ("skipped", "sslmode=disable")
    failed(walked(parse("service=nowhere")), "TCP", InvalidInput, "no service 'nowhere'")


def test_the_environment_says_where(server, monkeypatch):
    monkeypatch.setenv("PGHOST", "localhost")
    monkeypatch.setenv("PGPORT", str(server.port))
    monkeypatch.setenv("PGSSLMODE", "disable")
    steps = states(walked(parse("user=secretive dbname=postgres")))
    assert steps["DNS"][0] == "ok"
    assert steps["TCP"][1] == f"127.0.0.1:{server.port}"
    assert steps["TLS"] == ("skipped", "sslmode=disable")


def test_read_only_by_the_server_and_as_asked_for(server, over_tcp):
    assert "read-only, as asked for" in states(walked(over_tcp, read_only=True))["database"][1]
    by_default = over_tcp.with_(options="-c default_transaction_read_only=on")
    assert "read-only by default" in states(walked(by_default))["database"][1]


def test_a_wrong_password(server, over_tcp):
    found = walked(over_tcp, password=PASSWORD + "x")
    steps = failed(found, "authentication", AuthenticationFailed, 'password authentication failed for user "secretive"')
    assert steps["TCP"] == ("ok", f"127.0.0.1:{server.port}")
    assert steps["TLS"] == ("ok", "none agreed on")
    assert not found.asks
    assert "-W" in found.error.advice


def test_a_password_that_is_the_name_of_the_connection(over_tcp):
    failed(walked(over_tcp, password="shop"), "authentication", AuthenticationFailed, "password authentication failed")


def test_no_password(over_tcp):
    found = walked(over_tcp, password=None)
    failed(found, "authentication", AuthenticationFailed, "none was given")
    assert found.asks


def test_an_unknown_role(server):
    conninfo = parse(server.conninfo()).with_(user="nobody_here")
    steps = failed(walked(conninfo, password=None), "authentication", AuthenticationFailed, '"nobody_here" does not exist')
    assert steps["TCP"] == ("ok", "")
    assert steps["TLS"] == ("skipped", "a Unix socket has none")


def test_an_unknown_database(over_tcp):
    steps = failed(walked(over_tcp.with_(dbname="nowhere")), "database", ConnectionFailed, '"nowhere" does not exist')
    assert steps["authentication"][0] == "ok"


def test_no_room_is_not_taken_for_a_tls_failure(server, over_tcp):
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute("create role crowd login connection limit 0 password 'x'")
        try:
            failed(walked(over_tcp.with_(user="crowd"), password="x"), "authentication", ConnectionFailed, "too many")
        finally:
            conn.execute("drop role crowd")


def test_a_setting_that_the_server_refuses(over_tcp):
    found = walked(over_tcp, statement_timeout="soon")
    failed(found, "database", ConnectionFailed, "statement_timeout")


def test_a_refused_port(over_tcp):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        steps = failed(walked(over_tcp.with_(port=port)), "TCP", ConnectionFailed, "nothing listens")
    assert steps["DNS"] == ("skipped", "an address needs none")


def test_a_socket_that_is_not_there(server, tmp_path):
    failed(walked(parse(f"host={tmp_path} user=x dbname=y")), "TCP", ConnectionFailed, "no server's socket")


def test_a_name_that_dns_does_not_know(over_tcp):
    steps = failed(walked(over_tcp.with_(host="no-such-host.invalid")), "DNS", ConnectionFailed, "no-such-host.invalid")
    assert steps["TCP"] == NOT_TRIED


def test_a_name_that_cannot_be_one(over_tcp):
    failed(walked(over_tcp.with_(host="a" * 70 + ".example")), "DNS", InvalidInput)


@pytest.mark.parametrize(("sslmode", "step"), [("prefer", "TLS"), ("disable", "authentication")])
def test_a_port_that_is_not_postgresql(over_tcp, sslmode, step):
    with listener(web) as port:
        steps = failed(walked(over_tcp.with_(port=str(port), sslmode=sslmode)), step, ConnectionFailed, "is not PostgreSQL")
    assert steps["TCP"][0] == "ok"


@pytest.mark.parametrize(("sslmode", "step"), [("prefer", "TLS"), ("disable", "authentication")])
def test_a_server_that_never_answers_ends_at_the_limit(over_tcp, sslmode, step):
    with silent() as port:
        conninfo = over_tcp.with_(host="db.invalid", hostaddr="127.0.0.1", port=str(port), sslmode=sslmode)
        steps = failed(walked(conninfo, timeout_s=2), step, ConnectionTimeout, "no answer within 2 s")
    assert steps["TCP"] == ("ok", f"127.0.0.1:{port}")


def test_the_limit_bounds_all_addresses_together(over_tcp):
    """libpq's limit is for each address: it is still at the second when the walk has ended, and is left to it."""

    def attempts():
        return [thread for thread in threading.enumerate() if thread.name == "tusk-test-connect"]

    with silent() as port:
        found = walked(over_tcp.with_(host="127.0.0.1,127.0.0.1,127.0.0.1", port=str(port)), timeout_s=2)
        assert attempts()
        failed(found, "TLS", ConnectionTimeout, "no answer within 2 s")
    wait_until(lambda: not attempts())


def test_a_line_that_breaks_after_the_login(proxy):
    proxy.cut_answer_to(b"pg_stat_ssl")
    found = walked(parse(proxy.conninfo("postgres")), password=None)
    steps = failed(found, "database", ConnectionFailed)
    assert steps["authentication"] == ("ok", "")


def test_whoever_watches_may_fail(over_tcp):
    def watch(step):
        raise RuntimeError(step.name)

    assert walk(target(over_tcp), name="shop", password=Secret(PASSWORD), on_step=watch).error is None


# -- TLS --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tls(server, tls_server):
    del server  # marks the test
    return Conninfo(
        params=(
            ("host", "localhost"),
            ("hostaddr", "127.0.0.1"),
            ("port", str(tls_server.port)),
            ("dbname", "postgres"),
            ("user", "secretive"),
        )
    )


@pytest.mark.parametrize(
    ("sslmode", "with_ca", "said"),
    [
        ("verify-full", True, ", certificate and host name verified"),
        ("verify-ca", True, ", certificate verified, host name not"),
        ("require", True, ", certificate verified, host name not"),
        ("require", False, ", certificate not checked"),
        ("prefer", False, ", certificate not checked"),
    ],
)
def test_over_tls(tls, authority, sslmode, with_ca, said):
    ca = {"sslrootcert": str(authority.file)} if with_ca else {}
    state, text = states(walked(tls.with_(sslmode=sslmode, **ca)))["TLS"]
    assert state == "ok"
    assert text.startswith("TLSv1.")
    assert text.endswith(said)


def test_the_server_has_tls_and_nobody_wants_it(tls):
    assert states(walked(tls.with_(sslmode="disable")))["TLS"] == ("skipped", "sslmode=disable")
    assert states(walked(tls.with_(sslmode="allow")))["TLS"] == (
        "ok",
        "no TLS (loopback: sslmode=allow asks for it only where the server insists)",
    )


@pytest.mark.parametrize("sslmode", ["prefer", "allow", "disable"])
def test_plain_text_that_others_could_read_is_told(over_tcp, sslmode, monkeypatch):
    monkeypatch.setattr(encryption, "_harmless", lambda *_, **__: None)
    found = walked(over_tcp.with_(sslmode=sslmode))
    said = {
        "prefer": "not encrypted (sslmode=prefer fell back: the server offers none)",
        "allow": "not encrypted (sslmode=allow asks for it only where the server insists)",
        "disable": "not encrypted (sslmode=disable)",
    }[sslmode]
    assert found.server.encryption.text == said
    assert not found.server.encryption.encrypted
    warned = sslmode != "disable"
    assert (found.server.encryption.warning is not None) is warned
    assert ("; what is sent can be read on the way" in states(found)["TLS"][1]) is warned


def test_a_fall_back_because_of_the_certificate_is_told_from_a_server_without_tls(tls, stranger, monkeypatch):
    conninfo = tls.with_(sslmode="prefer", sslrootcert=str(stranger.file))
    said = states(walked(conninfo))["TLS"][1]
    assert said == "no TLS (loopback: the server has it, but none was agreed on)"
    monkeypatch.setattr(encryption, "_harmless", lambda *_, **__: None)
    said = states(walked(conninfo))["TLS"][1]
    assert said.startswith("not encrypted (sslmode=prefer fell back: the server has it, but none was agreed on); ")


def test_protocol_and_cipher_are_those_in_use(tls, tls_server):
    found = walked(tls.with_(ssl_max_protocol_version="TLSv1.2"))
    with psycopg.connect(**tls.with_(ssl_max_protocol_version="TLSv1.2").kwargs(), password=PASSWORD) as conn:
        cipher = conn.execute("select cipher from pg_stat_ssl where pid = pg_backend_pid()").fetchone()[0]
    assert found.server.encryption.text == f"TLSv1.2 ({cipher}), certificate not checked"
    assert found.server.encryption.encrypted


def test_the_connect_line_and_the_status_say_the_same(tls, authority, tusk, monkeypatch):
    verified = Conninfo(tls.with_(sslmode="verify-full", sslrootcert=str(authority.file)).params, Secret(PASSWORD))
    connection = tusk.connections.connect("safe", target(verified))
    text = connection.server.encryption.text
    assert text.startswith("TLSv1.")
    assert text.endswith(", certificate and host name verified")
    monkeypatch.setattr(encryption, "_harmless", lambda *_, **__: None)
    open_to_all = tusk.connections.connect("open", target(Conninfo(tls.with_(sslmode="allow").params, Secret(PASSWORD))))
    assert list(status_table(tusk)["tls"]) == [text, open_to_all.server.encryption.text]
    assert text in report(connection).text().splitlines()[0]
    assert report(connection).notes == ()
    line, note = report(open_to_all).text().splitlines()
    assert "not encrypted (sslmode=allow" in line
    assert "--sslmode require" in note


def test_a_wrong_password_over_tls(tls, authority):
    conninfo = tls.with_(sslmode="verify-full", sslrootcert=str(authority.file))
    steps = failed(walked(conninfo, password="wrong"), "authentication", AuthenticationFailed)
    assert steps["TLS"] == ("ok", "encrypted, certificate and host name verified")


def test_an_authority_that_is_not_trusted(tls, stranger):
    conninfo = tls.with_(sslmode="verify-full", sslrootcert=str(stranger.file))
    steps = failed(walked(conninfo), "TLS", SslError, "signed by CN=test-authority, which this machine does not trust")
    assert steps["TCP"][0] == "ok"
    assert steps["authentication"] == NOT_TRIED


def test_no_tls_at_the_server(over_tcp):
    failed(walked(over_tcp.with_(sslmode="require")), "TLS", SslError, "does not offer TLS")


def test_a_certificate_file_that_is_missing(tls, tmp_path):
    conninfo = tls.with_(sslmode="verify-full", sslrootcert=str(tmp_path / "none.pem"))
    failed(walked(conninfo), "TLS", SslError, "cannot be read")


def test_what_the_system_trusts(tls, authority, stranger, monkeypatch):
    conninfo = tls.with_(sslrootcert="system")
    monkeypatch.setattr(tls_paths, "_BUNDLES", (str(stranger.file),))
    failed(walked(conninfo), "TLS", SslError, "signed by CN=test-authority, which this machine does not trust")
    monkeypatch.setattr(tls_paths, "_BUNDLES", (str(authority.file),))
    assert states(walked(conninfo))["TLS"][1].endswith(", certificate and host name verified")
    error = walked(conninfo.with_(sslmode="require")).error
    assert type(error) is InvalidInput
    assert "sslmode=require is too weak for sslrootcert=system" in error.message


def test_what_was_saved_with_the_systems_certificates_is_so_on_the_next_machine(tls, authority, tusk, monkeypatch):
    monkeypatch.setattr(tls_paths, "_BUNDLES", (str(authority.file),))
    conninfo = Conninfo(tls.with_(sslrootcert="system").params, Secret(PASSWORD))
    kept = tusk.saved.keep(tusk.connections.connect("shop", target(conninfo))).saved
    assert (kept.ssl_ca_cert, kept.ssl_mode) == ("system", "verify-full")


def test_a_path_is_taken_from_where_the_notebook_was(tls, authority, tusk, monkeypatch, tmp_path):
    monkeypatch.chdir(authority.root)
    conninfo = Conninfo(tls.with_(sslmode="verify-full", sslrootcert=authority.file.name).params, Secret(PASSWORD))
    connection = tusk.connections.connect("shop", target(conninfo))
    assert connection.target.conninfo.get("sslrootcert") == str(authority.file)
    assert tusk.connections.connect("shop", target(conninfo)) is connection
    monkeypatch.chdir(tmp_path)
    with connection.pool.borrow(timeout_s=20) as conn:
        assert conn.pgconn.ssl_in_use


def test_a_path_in_the_home_directory(tls, authority):
    import os
    import pathlib

    pathlib.Path(os.environ["HOME"], "ca.pem").write_bytes(authority.file.read_bytes())
    steps = states(walked(tls.with_(sslmode="verify-ca", sslrootcert="~/ca.pem")))
    assert steps["TLS"][1].endswith("certificate verified, host name not")
