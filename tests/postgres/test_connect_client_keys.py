"""Client keys with a passphrase: asked for in the notebook, kept where passwords are, never asked for on a terminal."""

from __future__ import annotations

import psycopg
import pytest

from tests.fix_postgres import PASSWORD
from tests.fix_tls import BY_PASSWORD, locked
from tusk_jupyter.connections.conninfo import Conninfo, parse
from tusk_jupyter.connections.opening import Settings
from tusk_jupyter.connections.target import Limits, Target
from tusk_jupyter.errors import SslError
from tusk_jupyter.magics.manager_terminal import _Asked
from tusk_jupyter.secret import Secret

FORMS = [("pkcs8", False), ("pkcs8", True), ("pem", False), ("pem", True)]


class Answers:
    """Answers what is asked, in order, and then nothing."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def __call__(self, text):
        self.asked.append(text)
        return Secret(self.answers.pop(0)) if self.answers else None


@pytest.fixture
def by_certificate(server, tls_server, authority):
    """Conninfo of a server that lets in who has a certificate, without its key."""
    del server  # marks the test
    tls_server.reload("hostssl all all 127.0.0.1/32 cert")
    keywords = {
        "host": "localhost", "hostaddr": "127.0.0.1", "port": str(tls_server.port), "dbname": "postgres",
        "user": "secretive", "sslmode": "verify-full", "sslrootcert": str(authority.file),
    }  # fmt: skip
    yield Conninfo(tuple(keywords.items()))
    tls_server.reload(BY_PASSWORD)


@pytest.fixture(scope="module")
def pairs(authority):
    """Certificate and encrypted key, in both forms and both kinds."""
    found = {}
    for rsa in (False, True):
        certificate, key = authority.issue(f"{'rsa' if rsa else 'ec'}.secretive", rsa=rsa)
        for form in ("pkcs8", "pem"):
            found[form, rsa] = certificate, locked(key, PASSWORD, form=form)
    return found


def target(conninfo, pair, passphrase=None):
    certificate, key = pair
    params = conninfo.with_(sslcert=str(certificate), sslkey=str(key)).params
    secret = Secret(passphrase) if passphrase is not None else None
    return Target(Conninfo(params, sslpassword=secret), Settings(), Limits(connect_timeout_s=20))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: f"{form[0]}-{'rsa' if form[1] else 'ec'}")
def test_it_is_asked_for_and_asked_again_once(by_certificate, pairs, tusk, form):
    where = target(by_certificate, pairs[form])
    asked = Answers(PASSWORD + "x", PASSWORD)
    connection = tusk.connections.connect("shop", where, ask=asked)
    question = f"Passphrase of the TLS key {pairs[form][1]}"
    assert asked.asked == [f"{question}: ", f"{question} (the last one was wrong): "]
    # the pool's connections need it too
    with connection.pool.borrow(timeout_s=20) as conn:
        assert conn.execute("select current_user").fetchone() == ("secretive",)


def test_two_wrong_ones_are_enough(by_certificate, pairs, tusk):
    asked = Answers("one", "two", "three")
    with pytest.raises(SslError, match="the passphrase does not open the private key") as caught:
        tusk.connections.connect("shop", target(by_certificate, pairs["pkcs8", False]), ask=asked)
    assert len(asked.asked) == 2
    assert "openssl pkey" in caught.value.advice
    again = Answers(PASSWORD)
    tusk.connections.connect("shop", target(by_certificate, pairs["pkcs8", False]), ask=again)
    assert again.asked[0].endswith("pkcs8: ")


@pytest.mark.parametrize("ask", [None, Answers()])
def test_where_nobody_can_be_asked_it_is_said(by_certificate, pairs, tusk, ask):
    with pytest.raises(SslError, match="is encrypted, and no passphrase was given") as caught:
        tusk.connections.connect("shop", target(by_certificate, pairs["pem", True]), ask=ask)
    assert "sslpassword" in caught.value.advice


def test_one_that_was_given_is_used_and_a_wrong_one_asked_for(by_certificate, pairs, tusk):
    where = target(by_certificate, pairs["pkcs8", False], PASSWORD)
    asked = Answers()
    tusk.connections.connect("given", where, ask=asked)
    assert asked.asked == []
    wrong = Answers(PASSWORD)
    tusk.connections.connect("wrong", target(by_certificate, pairs["pem", False], "nonsense"), ask=wrong)
    assert len(wrong.asked) == 1
    assert wrong.asked[0].endswith("(the last one was wrong): ")


@pytest.mark.parametrize("given", [None, PASSWORD])
def test_it_is_kept_with_the_connection_however_it_came(by_certificate, pairs, tusk, given):
    connection = tusk.connections.connect("shop", target(by_certificate, pairs["pkcs8", False], given), ask=Answers(PASSWORD))
    kept = tusk.saved.keep(connection)
    assert "sslkey" in kept.where
    tusk.connections.disconnect("shop")
    asked = Answers()
    tusk.connect_saved("shop", ask=asked)
    assert asked.asked == []


def test_a_key_in_the_default_place_is_asked_about_and_kept_too(by_certificate, pairs, tusk, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".postgresql"
    folder.mkdir()
    for file, name in zip(pairs["pkcs8", False], ("postgresql.crt", "postgresql.key"), strict=True):
        (folder / name).write_bytes(file.read_bytes())
        (folder / name).chmod(0o600)
    asked = Answers(PASSWORD)
    where = Target(by_certificate, Settings())
    connection = tusk.connections.connect("shop", where, ask=asked)
    assert asked.asked == [f"Passphrase of the TLS key {folder / 'postgresql.key'}: "]
    tusk.saved.keep(connection)
    tusk.connections.disconnect("shop")
    tusk.connect_saved("shop", ask=Answers())


def test_a_service_names_the_key_and_may_have_the_passphrase(by_certificate, pairs, tusk, monkeypatch, tmp_path):
    certificate, key = pairs["pkcs8", True]
    lines = [f"{keyword}={value}" for keyword, value in by_certificate.params]
    lines += [f"sslcert={certificate}", f"sslkey={key}"]
    file = tmp_path / "services"
    file.write_text("\n".join(["[asks]", *lines, "[knows]", *lines, f"sslpassword={PASSWORD}", ""]))
    monkeypatch.setenv("PGSERVICEFILE", str(file))
    asked = Answers(PASSWORD)
    tusk.connections.connect("asks", Target(parse("service=asks"), Settings()), ask=asked)
    assert asked.asked == [f"Passphrase of the TLS key {key}: "]
    tusk.connections.connect("knows", Target(parse("service=knows"), Settings()), ask=(none := Answers()))
    assert none.asked == []
    monkeypatch.setenv("PGSERVICE", "knows")
    tusk.connections.connect("default", Target(Conninfo(), Settings()))


def test_a_test_asks_as_connecting_does_and_keeps_nothing(by_certificate, pairs, tusk):
    where = target(by_certificate, pairs["pem", False])
    asked = Answers("wrong", PASSWORD)
    walk = tusk.test("shop", where, ask=asked)
    assert walk.error is None
    assert len(asked.asked) == 2
    asked = Answers("wrong", "wrong", PASSWORD)
    walk = tusk.test("shop", where, ask=asked)
    assert type(walk.error) is SslError
    assert walk.key_asks == "wrong"
    assert len(asked.asked) == 2
    assert {step.name: step.state for step in walk.steps}["TLS"] == "failed"


def test_a_wrong_one_is_no_reason_to_go_without_tls(by_certificate, pairs, tusk, tls_server):
    """libpq would, under sslmode=prefer, and say nothing."""
    tls_server.reload(BY_PASSWORD)
    where = target(by_certificate.with_(sslmode="prefer"), pairs["pkcs8", False], "nonsense")
    params = {**where.conninfo.kwargs(), "password": PASSWORD, "sslpassword": "nonsense"}
    with psycopg.connect(**params) as conn:
        assert not conn.pgconn.ssl_in_use
    with pytest.raises(SslError, match="does not open"):
        tusk.connections.connect("shop", where)


def test_the_manager_in_a_terminal_tells_it_from_the_tunnels_key(monkeypatch):
    asked = _Asked()
    monkeypatch.setattr("getpass.getpass", lambda _: "x")
    asked("Passphrase of the TLS key /k: ")
    assert list(asked.secrets) == ["sslkey"]
