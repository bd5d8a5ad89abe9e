from __future__ import annotations

import os
import re
import socket
import string
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psycopg
import pytest

from tusk_jupyter.connections import diagnoses, diagnoses_login, diagnoses_tls
from tusk_jupyter.connections.conninfo import Conninfo, parse
from tusk_jupyter.connections.failures import (
    check_files,
    connect_error,
    needs_password,
    unready,
    wants_passphrase,
)
from tusk_jupyter.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionTimeout,
    InvalidInput,
    SslError,
    TuskError,
)
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

AT = 'connection to server at "10.0.0.1", port 5432 failed: '
SOCKET = 'connection to server on socket "/tmp/.s.PGSQL.5432" failed: '
HBA = 'FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", '


def pgconn(**facts):
    """What psycopg keeps of a libpq connection that failed."""
    of = {"needs_password": False, "used_password": False, "ssl_in_use": False, "password": b"", "info": []}
    where = {"host": b"db.example.org", "hostaddr": b"10.0.0.1", "port": b"5432", "user": b"u", "db": b"d"}
    return SimpleNamespace(**{**of, **where, **facts})


def failed(text, **facts):
    return psycopg.OperationalError(f"connection failed: {text}", pgconn=pgconn(**facts))


def explained(exc, text="host=db.example.org user=u dbname=d", **kwargs):
    conninfo = parse(text)
    error = connect_error(exc, target=conninfo.redacted(), conninfo=conninfo, **kwargs)
    assert isinstance(error, TuskError)
    assert error.advice
    assert not re.search(r"\{\w+", f"{error} {error.advice}")
    assert error.__cause__ is error.__context__ is error.__traceback__ is None
    return error


SAID = [
    # libpq's or the server's text, our class, a word of our message
    (f'{AT}FATAL:  password authentication failed for user "u"', AuthenticationFailed, 'failed for user "u"'),
    (f"{AT}fe_sendauth: no password supplied", AuthenticationFailed, "none was given"),
    (f'{AT}FATAL:  role "u" does not exist', AuthenticationFailed, 'role "u" does not exist'),
    (f'{AT}FATAL:  role "u" is not permitted to log in', AuthenticationFailed, "not permitted"),
    (f'{SOCKET}FATAL:  Peer authentication failed for user "u"', AuthenticationFailed, "Peer"),
    (f'{AT}FATAL:  Ident authentication failed for user "u"', AuthenticationFailed, "Ident"),
    (f'{AT}FATAL:  LDAP authentication failed for user "u"', AuthenticationFailed, "LDAP"),
    (f'{AT}FATAL:  certificate authentication failed for user "u"', AuthenticationFailed, "certificate"),
    (f"{AT}{HBA}SSL encryption", AuthenticationFailed, "pg_hba.conf"),
    (f"{AT}{HBA}no encryption", SslError, "no encryption"),
    (f"{SOCKET}{HBA.replace('10.0.0.1', '[local]')}no encryption", AuthenticationFailed, "[local]"),
    (f'{AT}FATAL:  pg_hba.conf rejects connection for host "x", no encryption', AuthenticationFailed, "rejects"),
    (f"{AT}channel binding required, but SSL not in use", AuthenticationFailed, "channel binding"),
    (f"{AT}channel binding required but not supported by server's", AuthenticationFailed, "not supported by"),
    (f'{AT}authentication method requirement "md5" failed: server requested SASL', AuthenticationFailed, "md5"),
    (f'{SOCKET}requirepeer specifies "a", but actual peer user name is "b"', AuthenticationFailed, "requirepeer"),
    (f"{AT}server does not support SSL, but SSL was required", SslError, "does not offer TLS"),
    (f"{AT}SSL error: certificate verify failed", SslError, "not signed by a CA this machine trusts"),
    (f'{AT}server certificate for "a" does not match host name "b"', SslError, "is for a, not for b"),
    (f'{AT}server certificate for "a" (and 2 other names) does not match host name "b"', SslError, "is for a, not"),
    (f'{AT}root certificate file "/x" does not exist\nEither provide …', SslError, "'/x' does not exist"),
    (f'{AT}could not read root certificate file "/x": no certificate', SslError, "'/x' cannot be read"),
    (f"{AT}FATAL:  connection requires a valid client certificate", SslError, "asks for a client certificate"),
    (f"{AT}SSL error: tlsv13 alert certificate required", SslError, "asks for a client certificate"),
    (f"{AT}SSL error: tlsv1 alert unknown ca", SslError, "does not trust the CA of our client certificate"),
    (f"{AT}SSL error: sslv3 alert certificate revoked", SslError, "revoked by its CA"),
    (f"{AT}SSL error: sslv3 alert bad certificate", SslError, "(bad certificate)"),
    (f"{AT}SSL error: sslv3 alert certificate expired", SslError, "has expired"),
    (f'{AT}private key file "/k" has group or world access; file must', SslError, "others may read"),
    (f'{AT}certificate present, but not private key file "/k"', SslError, "'/k' does not exist"),
    (f'{AT}could not load private key file "/k": key values mismatch', SslError, "does not belong"),
    (f'{AT}could not load private key file "/k": bad decrypt', SslError, "passphrase"),
    (f'{AT}could not load private key file "/k": unsupported', SslError, "cannot be used"),
    (f"{AT}SSL error: tlsv1 alert protocol version", SslError, "no TLS version in common"),
    (f"{AT}SSL error: unexpected eof while reading", SslError, "broke off"),
    (f"{AT}SSL error: something new", SslError, "TLS failed"),
    (f'{AT}FATAL:  database "d" does not exist', ConnectionFailed, 'database "d" does not exist'),
    (f'{AT}FATAL:  database "d" is not currently accepting connections', ConnectionFailed, "not currently"),
    (f'{AT}FATAL:  permission denied for database "d"\nDETAIL:  User …', ConnectionFailed, "permission denied"),
    (f"{AT}FATAL:  sorry, too many clients already", ConnectionFailed, "too many clients"),
    (f"{AT}FATAL:  remaining connection slots are reserved for", ConnectionFailed, "remaining connection slots"),
    (f'{AT}FATAL:  too many connections for role "u"', ConnectionFailed, "too many connections"),
    (f"{AT}FATAL:  the database system is starting up", ConnectionFailed, "starting up"),
    (f"{AT}FATAL:  the database system is not accepting connections\nDETAIL:  x", ConnectionFailed, "not accepting"),
    (f"{AT}server is not in hot standby mode", ConnectionFailed, "hot standby"),
    (f"{AT}session is read-only", ConnectionFailed, "read-only"),
    (f"{AT}FATAL:  unsupported startup parameter: options", InvalidInput, "unsupported startup parameter"),
    (f'{AT}FATAL:  invalid value for parameter "work_mem": "zz"', InvalidInput, "work_mem"),
    (f"{AT}received invalid response to SSL negotiation: H", ConnectionFailed, "not PostgreSQL"),
    (f"{AT}expected authentication request from server, but received H", ConnectionFailed, "not PostgreSQL"),
    (f"{AT}Connection refused\n\tIs the server running?", ConnectionFailed, "nothing listens at db.example.org, port"),
    (f"{AT}Network is unreachable", ConnectionFailed, "no way from here"),
    (f"{SOCKET}No such file or directory\n\tIs the server …", ConnectionFailed, "no server's socket"),
    (f"{SOCKET}Permission denied", ConnectionFailed, "may not use the server's socket"),
    (f"{AT}server closed the connection unexpectedly\n\tThis …", ConnectionFailed, "closed the connection"),
    (f"{AT}server only supports protocol version 3.0, but", ConnectionFailed, "protocol version"),
    ('definition of service "shop" not found', InvalidInput, "no service 'shop'"),
    ('service file "/x" not found', InvalidInput, "/x"),
    ('invalid sslmode value: "full"', InvalidInput, 'sslmode value: "full"'),
    ('could not parse network address "x": Name or service not known', InvalidInput, "hostaddr is no address: 'x'"),
    ("invalid SSL protocol version range", InvalidInput, "is above"),
    ('weak sslmode "prefer" may not be used with sslrootcert=system (use "verify-full")', InvalidInput, "too weak"),
    ("could not match 2 port numbers to 3 hosts", InvalidInput, "not of one length"),
    ('invalid port number: "99999"', InvalidInput, 'port number: "99999"'),
    ("GSSAPI encryption required but no credential cache", ConnectionFailed, "GSSAPI"),
    ("something libpq never said before", ConnectionFailed, "never said before"),
]


@pytest.mark.parametrize(("text", "kind", "word"), SAID)
def test_a_text_has_a_class_and_advice_of_its_own(text, kind, word):
    error = explained(failed(text), name="shop")
    assert type(error) is kind
    assert str(error).startswith("Cannot connect to shop: ")
    assert word in str(error)
    # libpq's own second line becomes a second sentence
    assert " ".join(text.split("failed: ", 1)[-1].replace("\n\t", ". ").split()) == error.detail
    assert error.facts[0][0] == "tried"


@pytest.mark.parametrize("rule", diagnoses.RULES, ids=lambda rule: rule.pattern.pattern[:40])
def test_every_rule_is_met_by_a_text_and_can_be_worded(rule):
    texts = [text for text, _, _ in SAID] + [
        f"{AT}timeout expired",
        "failed to resolve host 'nowhere': [Errno -2] Name or service not known",
    ]
    assert any(rule.pattern.search(text) for text in texts)
    known = {"host", "port", "user", "dbname", "sslmode", "timeout", "tries"} | {
        name.rstrip("234") for name in rule.pattern.groupindex
    }
    for text in (rule.message or "", rule.advice):
        assert {field for _, field, _, _ in string.Formatter().parse(text) if field is not None} <= known


def test_every_rule_has_advice_of_its_own():
    rules = [*diagnoses.RULES, *diagnoses_login.ANY_LANGUAGE, *diagnoses_tls.CERTIFICATES, diagnoses.UNKNOWN, diagnoses.REFUSED, diagnoses.REFUSED_LOGIN]
    assert len({rule.advice for rule in rules}) == len(rules)


def test_a_time_out_says_how_long_it_was():
    error = explained(psycopg.errors.ConnectionTimeout("connection timeout expired"), timeout_s=3.0)
    assert type(error) is ConnectionTimeout
    assert error.duration_s == 3.0
    assert "no answer within 3 s" in str(error)
    assert "db.example.org, port 5432" in error.advice
    assert dict(error.facts) == {"tried": "u@db.example.org:5432/d", "reached": "DNS"}


def test_pythons_own_time_out_is_one():
    assert type(explained(TimeoutError())) is ConnectionTimeout


def test_an_unknown_host_reached_nothing():
    exc = psycopg.OperationalError("failed to resolve host 'db.example.org': [Errno -2] Name or service not known")
    error = explained(exc)
    assert "the host name 'db.example.org' is not known to DNS" in str(error)
    assert [label for label, _ in error.facts] == ["tried"]


@pytest.mark.parametrize(
    ("text", "facts", "reached"),
    [
        (f'{AT}FATAL:  password authentication failed for user "u"', {"ssl_in_use": True}, "DNS, TCP, TLS"),
        (f'{AT}FATAL:  password authentication failed for user "u"', {}, "DNS, TCP"),
        (f'{AT}FATAL:  database "d" does not exist', {"ssl_in_use": True}, "DNS, TCP, TLS, login"),
        (f"{AT}SSL error: certificate verify failed", {}, "DNS, TCP"),
        (f"{AT}Connection refused", {}, "DNS"),
    ],
)
def test_only_steps_that_are_certain_were_reached(text, facts, reached):
    assert dict(explained(failed(text, **facts)).facts)["reached"] == reached


def test_an_address_needs_no_dns():
    error = explained(failed(f"{AT}Connection refused"), "host=10.0.0.1 user=u")
    assert "reached" not in dict(error.facts)


def test_what_was_tried_is_what_libpq_used():
    option = SimpleNamespace(keyword=b"sslmode", val=b"verify-full")
    exc = failed(f"{AT}SSL error: certificate verify failed", info=[option])
    assert dict(explained(exc, "service=shop").facts)["tried"] == "u@db.example.org:5432/d, sslmode=verify-full"
    exc = failed(f"{SOCKET}No such file or directory", host=b"/tmp")
    assert (
        dict(explained(exc, "host=/tmp user=u dbname=d").facts)["tried"] == "u@/tmp/.s.PGSQL.5432 (socket), database d"
    )


PREFER = [
    (f'{AT}FATAL:  password authentication failed for user "u"\n' * 2, AuthenticationFailed, 1),
    (f"{AT}FATAL:  connection requires a valid client certificate\n{AT}{HBA}no encryption", SslError, 2),
    (f"{AT}{HBA}SSL encryption\n{AT}{HBA}no encryption", AuthenticationFailed, 2),
    (f'{AT}{HBA}SSL encryption\n{AT}FATAL:  role "u" does not exist', AuthenticationFailed, 2),
    (f"{AT}SSL error: unexpected eof while reading\n{AT}expected authentication request from s", ConnectionFailed, 2),
]


@pytest.mark.parametrize(("text", "kind", "lines"), PREFER)
def test_of_the_lines_of_sslmode_prefer_the_cause_is_classified_and_all_are_shown(text, kind, lines):
    error = explained(failed(text))
    assert type(error) is kind
    assert len(error.detail.split("\n")) == lines


def test_a_server_that_takes_the_role_only_without_tls_is_judged_by_what_it_said_then():
    error = explained(failed(f'{AT}{HBA}SSL encryption\n{AT}FATAL:  role "u" does not exist'))
    assert 'role "u" does not exist' in str(error)


@pytest.mark.parametrize("first", ["refused", "password"])
def test_of_several_addresses_the_one_that_came_furthest_is_reported(first):
    texts = {
        "refused": 'connection to server at "::", port 5432 failed: Connection refused\n\tIs the server running?',
        "password": f'{AT}FATAL:  password authentication failed for user "u"',
    }
    order = [first, *(key for key in texts if key != first)]
    lines = [f"connection failed: {texts[order[1]]}", "Multiple connection attempts failed. All failures were:"]
    lines += [f"- host: 'localhost', port: '5432', hostaddr: '::{n}': connection failed: {texts[k]}"
              for n, k in enumerate(order)]  # fmt: skip
    error = explained(psycopg.OperationalError("\n".join(lines), pgconn=pgconn(host=b"localhost")))
    assert type(error) is AuthenticationFailed
    assert "password authentication failed" in str(error)
    assert len(error.detail.split("\n")) == 2
    assert f"::{order.index('refused')}: Connection refused. Is the server running?" in error.detail


def test_a_time_out_at_one_address_does_not_hide_an_answer_at_another():
    lines = ["connection timeout expired", "Multiple connection attempts failed. All failures were:"]
    lines += [
        "- host: 'a', port: None, hostaddr: '10.0.0.1': connection failed: " + AT + 'FATAL:  role "u" does not exist'
    ]
    lines += ["- host: 'b', port: None, hostaddr: '10.0.0.2': connection timeout expired"]
    error = explained(psycopg.errors.ConnectionTimeout("\n".join(lines)), "host=a,b")
    assert type(error) is AuthenticationFailed
    assert error.duration_s is None


@pytest.mark.parametrize(
    ("facts", "kind"),
    [
        ({"needs_password": True}, AuthenticationFailed),
        ({"used_password": True}, AuthenticationFailed),
        ({}, ConnectionFailed),
    ],
)
def test_a_server_that_speaks_another_language_is_quoted(facts, kind):
    text = "FATAL:  Passwort-Authentifizierung für Benutzer »u« fehlgeschlagen"
    error = explained(failed(f"{AT}{text}", **facts))
    assert type(error) is kind
    assert "Passwort-Authentifizierung für Benutzer »u« fehlgeschlagen" in error.detail


def test_only_a_missing_password_is_asked_for():
    assert needs_password(failed(f"{AT}x", needs_password=True))
    assert needs_password(failed(f"{AT}fe_sendauth: no password supplied"))
    assert not needs_password(failed(f'{AT}FATAL:  password authentication failed for user "u"', used_password=True))
    assert not needs_password(psycopg.OperationalError("failed to resolve host 'x': …"))
    assert not needs_password(OSError("x"))


@pytest.mark.parametrize(
    ("text", "starting"),
    [
        ("the database system is starting up", True),
        ("the database system is shutting down", True),
        ("the database system is in recovery mode", True),
        ("the database system is not yet accepting connections", True),
        ("the database system is not accepting connections", False),
        ('database "d" is not currently accepting connections', False),
        ("sorry, too many clients already", False),
    ],
)
def test_only_a_server_that_starts_or_stops_is_tried_again(text, starting):
    assert (unready(failed(f"{AT}FATAL:  {text}")) is not None) is starting


def test_libpqs_text_about_parameters_is_never_shown():
    error = explained(psycopg.ProgrammingError('invalid connection option "hush" in hush'))
    assert type(error) is InvalidInput
    assert "hush" not in repr(error.info())


@pytest.mark.parametrize(
    "exc",
    [
        UnicodeEncodeError("utf-8", "password=hush", 0, 1, "surrogates not allowed"),
        UnicodeError("encoding with 'idna' codec failed (label empty or too long)"),
        ValueError("hush"),
    ],
)
def test_a_text_that_cannot_be_encoded_is_bad_input(exc):
    error = explained(exc)
    assert type(error) is InvalidInput
    assert "hush" not in repr(error.info())


def test_foreign_exceptions_are_classified_too():
    assert "nothing listens" in str(explained(ConnectionRefusedError(111, "Connection refused")))
    assert type(explained(socket.gaierror(-2, "Name or service not known"))) is ConnectionFailed
    assert type(explained(RuntimeError("odd"))) is ConnectionFailed


def test_what_fails_after_the_login_keeps_its_sqlstate():
    error = explained(psycopg.errors.InvalidParameterValue("invalid value"))
    assert type(error) is ConnectionFailed
    assert error.sqlstate == "22023"


def test_a_failure_to_explain_is_still_an_error():
    broken = psycopg.OperationalError("x", pgconn=SimpleNamespace(password=b"", needs_password=False))
    error = connect_error(broken, target="postgresql://u@h/d", conninfo=Conninfo())
    assert type(error) is ConnectionFailed
    assert str(error) == "Cannot connect to postgresql://u@h/d"


def test_every_secret_is_masked_also_the_one_libpq_found_itself():
    exc = failed(f"{AT}odd text with from-url, from-prompt, from-pgpass and from-key", password=b"from-pgpass")
    error = explained(
        exc, "host=h password=from-url sslpassword=from-key user=u", secrets=[Secret("from-prompt")], name="from-url"
    )
    assert "from-" not in repr(error.info()) + str(error) + repr(error.__dict__)
    assert "odd text with ****, ****, **** and ****" in error.detail


def test_masking_does_not_touch_the_advice():
    error = explained(failed(f"{AT}fe_sendauth: no password supplied"), "host=h password=password")
    assert "--password-env" in error.advice


def test_a_long_text_is_cut():
    error = explained(failed(f"{AT}FATAL:  {'x' * 100_000}"))
    assert len(error.detail) < 2_100
    assert error.detail.endswith("x…")


# -- files -----------------------------------------------------------------------------------------------------------

PLAIN = "-----BEGIN PRIVATE KEY-----\nMC4CAQ\n"
ENCRYPTED = {
    "pkcs8": "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIF\n",
    "traditional": "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n",
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path))
    for name in [name for name in os.environ if name.startswith("PGSSL")]:
        monkeypatch.delenv(name)
    return tmp_path


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def pair(home, key=PLAIN, mode=0o600):
    certificate = written(home / "c.crt", "-----BEGIN CERTIFICATE-----\n")
    return Conninfo(
        params=(("host", "h"), ("sslcert", str(certificate)), ("sslkey", str(written(home / "c.key", key, mode))))
    )


def test_files_that_are_right_are_no_problem(home):
    assert check_files(pair(home)) is None
    assert check_files(Conninfo()) is None
    assert check_files(parse("host=h sslmode=verify-full sslrootcert=system")) is None


@pytest.mark.parametrize("keyword", ["sslrootcert", "sslcert", "sslkey", "sslcrl"])
def test_a_missing_file_is_named_before_libpq_ignores_it(keyword, home):
    error = check_files(parse("host=h").with_(**{keyword: str(home / "nowhere.pem")}))
    assert type(error) is SslError
    assert keyword in str(error)
    assert "nowhere.pem" in str(error)
    assert (f"--{keyword}" if keyword != "sslcrl" else "sslcrl in") in error.advice


def test_a_file_named_by_the_environment_counts(home, monkeypatch):
    monkeypatch.setenv("PGSSLCERT", str(home / "nowhere.crt"))
    assert "nowhere.crt" in str(check_files(parse("host=h")))
    assert check_files(parse("host=h sslcert=")) is None


def test_a_tilde_is_explained():
    assert "'~'" in check_files(parse("host=h sslrootcert=~/ca.pem")).advice


def test_a_directory_is_no_file(home):
    assert type(check_files(parse("host=h").with_(sslrootcert=str(home)))) is SslError


@pytest.mark.parametrize("text", ["host=h sslmode=disable sslcert=/no", "host=/tmp sslcert=/no"])
def test_without_tls_no_file_matters(text):
    assert check_files(parse(text)) is None


def test_without_client_certificates_theirs_do_not_matter():
    assert check_files(parse("host=h sslcertmode=disable sslcert=/no sslkey=/no")) is None


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o660, 0o620])
def test_a_key_that_others_may_read_or_write_is_refused(home, mode):
    error = check_files(pair(home, mode=mode))
    assert type(error) is SslError
    assert error.advice == f"chmod 600 {home / 'c.key'}"


def test_a_key_in_hardware_is_no_file(home):
    assert check_files(pair(home).with_(sslkey="pkcs11:token=x")) is None


@pytest.mark.parametrize("text", ENCRYPTED.values(), ids=ENCRYPTED.keys())
def test_an_encrypted_key_needs_its_passphrase_here_and_not_on_the_terminal(home, text):
    conninfo = pair(home, text)
    error = check_files(conninfo)
    assert type(error) is SslError
    assert "encrypted" in str(error)
    assert wants_passphrase(conninfo)
    assert type(check_files(conninfo.with_(sslpassword=""))) is SslError
    given = conninfo.with_(sslpassword="open sesame")
    assert check_files(given) is None
    assert wants_passphrase(given) is None


@pytest.mark.parametrize(("mode", "refused"), [("require", True), ("prefer", False)])
def test_a_key_in_the_default_place_matters_where_tls_must_be(home, mode, refused):
    folder = home / (".postgresql" if os.name == "posix" else "postgresql")
    folder.mkdir()
    written(folder / "postgresql.crt", "-----BEGIN CERTIFICATE-----\n")
    written(folder / "postgresql.key", ENCRYPTED["pkcs8"])
    assert (check_files(parse(f"host=h sslmode={mode}")) is not None) is refused


def test_a_host_that_refused_the_login_is_not_asked_again_because_another_one_is_starting():
    text = (
        f"{AT}FATAL:  the database system is starting up\nMultiple connection attempts failed. All failures were:\n"
        f"- host: a, port: '5432', hostaddr: '10.0.0.1': {AT}FATAL:  the database system is starting up\n"
        f"- host: b, port: '5432', hostaddr: '10.0.0.2': {AT}FATAL:  password authentication failed for user \"u\""
    )
    assert unready(failed(text.partition("\nMultiple")[0])) == "starting up"
    assert unready(failed(text)) is None
