"""Each thing that can be wrong with a certificate, of either side, on a real server: what is said, and the advice."""

from __future__ import annotations

import re
import time

import pytest

from tests.fix_postgres import PASSWORD
from tests.fix_tls import BY_PASSWORD, Authority, dated, openssl, revoked
from tests.listening import listener, silent
from tusk_jupyter.connections import certificate_look, opening
from tusk_jupyter.connections.conninfo import Conninfo
from tusk_jupyter.connections.opening import Settings
from tusk_jupyter.errors import AuthenticationFailed, SslError
from tusk_jupyter.secret import Secret

DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"


@pytest.fixture(autouse=True)
def _nothing_at_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def tls(server, tls_server, authority):
    del server  # marks the test
    tls_server.reload(BY_PASSWORD)
    keywords = {
        "host": "localhost", "hostaddr": "127.0.0.1", "port": str(tls_server.port), "dbname": "postgres",
        "user": "secretive", "sslmode": "verify-full", "sslrootcert": str(authority.file),
    }  # fmt: skip
    return Conninfo(tuple(keywords.items()), Secret(PASSWORD))


def connected(conninfo):
    conn = opening.connect(conninfo, password=None, timeout_s=20, settings=Settings(), name="shop")
    assert not isinstance(conn, opening.Refused), conn.error.message
    conn.close()
    return True


def refused(conninfo, pattern, advice, kind=SslError):
    outcome = opening.connect(conninfo, password=None, timeout_s=20, settings=Settings(), name="shop")
    assert isinstance(outcome, opening.Refused)
    error = outcome.error
    assert type(error) is kind, error
    said = error.message.removeprefix("Cannot connect to shop: ")
    assert re.fullmatch(pattern, said), said
    assert advice in error.advice
    assert "{" not in error.message + error.advice
    assert PASSWORD not in repr(error.info())
    return error


# -- the server's -----------------------------------------------------------------------------------------------------


def test_expired(tls, tls_server, authority):
    with tls_server.showing(*dated(authority, "expired.localhost", days=(-3, -1))):
        error = refused(tls, f"the server's certificate expired on {DATE}", "has to renew it")
    shown = dict(error.facts)["certificate"]
    assert shown.startswith("CN=localhost, issued by CN=test-authority, valid ")
    assert re.search(r"SHA-256 ([0-9a-f]{2}:){31}[0-9a-f]{2}$", shown)


def test_not_valid_yet(tls, tls_server, authority):
    with tls_server.showing(*dated(authority, "early.localhost", days=(1, 3))):
        refused(tls, f"the server's certificate is valid only from {DATE} on", "clock says")


def test_signed_by_itself(tls, tls_server, authority):
    pair = dated(authority, "lonely.localhost", days=(-1, 3), itself=True)
    with tls_server.showing(*pair):
        error = refused(tls, "the server's certificate is signed by itself, and this machine does not know it", "Compare")
        assert "SHA-256" in dict(error.facts)["certificate"]
        # what the advice says works
        assert connected(tls.with_(sslrootcert=str(pair[0])))


def test_signed_by_nobody_we_know(tls, stranger):
    pattern = "the server's certificate is signed by CN=test-authority, which this machine does not trust"
    for mode in ("verify-full", "verify-ca", "require"):
        refused(tls.with_(sslrootcert=str(stranger.file), sslmode=mode), pattern, "--sslrootcert ca.pem")


def test_signed_by_another_of_the_same_name(tls, tmp_path):
    impostor = Authority(tmp_path, "tusk.test-authority")
    refused(tls.with_(sslrootcert=str(impostor.file)), ".* though by one of the same name", "made anew")


def test_the_authority_has_expired(tls, tls_server, authority, tmp_path):
    old = Authority(tmp_path, "old.authority")
    openssl("x509", "-in", str(old.file), "-signkey", str(tmp_path / "old.authority.key"), "-days", "-1", "-out", str(old.file))
    with tls_server.showing(*dated(old, "server.localhost", days=(-2, 2))):
        refused(tls.with_(sslrootcert=str(old.file)), "the certificate of the CA .* is out of date", "new certificate")


def test_revoked(tls, tls_server, authority):
    certificate, key = dated(authority, "stolen.localhost", days=(-1, 2))
    with tls_server.showing(certificate, key):
        assert connected(tls.with_(sslcrl=str(revoked(authority))))
        crl = revoked(authority, certificate)
        refused(tls.with_(sslcrl=str(crl)), "the server's certificate was revoked by its CA", "Do not go on")


def test_a_revocation_list_that_is_out_of_date_or_another_authoritys(tls, authority, stranger):
    old = revoked(authority, days=(-3, -1))
    refused(tls.with_(sslcrl=str(old)), "the revocation list cannot be used: CRL has expired", "sslcrl")
    other = revoked(stranger)
    refused(tls.with_(sslcrl=str(other)), "the revocation list cannot be used: unable to get certificate CRL", "sslcrl")


def test_for_another_host(tls):
    pattern = "the server's certificate is for localhost, not for db.example.org"
    refused(tls.with_(host="db.example.org", hostaddr="127.0.0.1"), pattern, "Connect with host=localhost")
    assert connected(tls.with_(host="db.example.org", hostaddr="127.0.0.1", sslmode="verify-ca"))


def test_a_server_that_stops_answering_is_not_looked_at_for_long(authority):
    def breaks_off(client):
        client.recv(100)
        client.sendall(b"S")

    info = [_Option(b"sslrootcert", str(authority.file).encode())]
    with listener(breaks_off) as port, silent() as mute:
        for at in (port, mute):
            until = time.monotonic() + 0.3
            assert certificate_look.look(_Failed(info, b"127.0.0.1", str(at).encode()), until=until) is None


class _Option:
    def __init__(self, keyword, val):
        self.keyword, self.val = keyword, val


class _Failed:
    host = b"localhost"

    def __init__(self, info, hostaddr, port):
        self.info, self.hostaddr, self.port = info, hostaddr, port


# -- ours -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def by_certificate(tls, tls_server):
    tls_server.reload("hostssl all all 127.0.0.1/32 cert")
    yield tls
    tls_server.reload(BY_PASSWORD)


def certified(conninfo, pair):
    certificate, key = pair
    return conninfo.with_(sslcert=str(certificate), sslkey=str(key))


def test_a_good_one(by_certificate, authority):
    assert connected(certified(by_certificate, authority.issue("good.secretive")))


def test_none_though_one_is_asked_for(by_certificate):
    refused(by_certificate, "the server asks for a client certificate, and none was given", "--sslcert client.crt")


def test_ours_has_expired(by_certificate, authority):
    pair = dated(authority, "past.secretive", days=(-3, -1))
    refused(certified(by_certificate, pair), "our client certificate has expired", "Get a new one")


def test_ours_was_revoked(by_certificate, authority, tls_server):
    pair = authority.issue("fired.secretive")
    tls_server.give(revoked(authority, pair[0]), "root.crl")
    tls_server.set("ssl_crl_file", "root.crl")
    try:
        refused(certified(by_certificate, pair), "our client certificate was revoked by its CA", "Get a new one")
    finally:
        tls_server.set("ssl_crl_file", "")


def test_ours_is_of_an_authority_that_the_server_does_not_trust(by_certificate, stranger):
    pair = stranger.issue("stray.secretive")
    refused(certified(by_certificate, pair), "the server does not trust the CA of our client certificate", "ssl_ca_file")


def test_ours_is_anothers(by_certificate, authority):
    pair = authority.issue("client.somebody")
    refused(
        certified(by_certificate, pair), 'certificate authentication failed for user "secretive"', "common name",
        AuthenticationFailed,
    )  # fmt: skip


# -- files ------------------------------------------------------------------------------------------------------------


def test_files_that_hold_something_else(by_certificate, authority, tmp_path):
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("nothing of that kind")
    garbage.chmod(0o600)
    certificate, key = authority.issue("files.secretive")
    pattern = rf"the {{}} file '{garbage}' cannot be read"
    refused(by_certificate.with_(sslrootcert=str(garbage)), pattern.format("root certificate"), "PEM file")
    refused(certified(by_certificate, (garbage, key)), pattern.format("certificate"), "PEM file")
    refused(certified(by_certificate, (certificate, garbage)), f"the private key file '{garbage}' cannot be used", "--sslkey")
    # libpq goes on without a list that it cannot read, and says nothing
    refused(
        by_certificate.with_(sslcrl=str(garbage)), f"the file of sslcrl holds no revocation list: '{garbage}'", "X509 CRL"
    )


def test_files_that_are_not_there_or_are_directories(by_certificate, authority, tmp_path):
    certificate, key = authority.issue("dirs.secretive")
    for path, why in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        for keyword in ("sslrootcert", "sslcert", "sslkey", "sslcrl"):
            conninfo = certified(by_certificate, (certificate, key)).with_(**{keyword: str(path)})
            refused(conninfo, f"the file of {keyword} cannot be read: '{path}': {why}", "sslcrl in" if keyword == "sslcrl" else f"--{keyword}")


def test_a_key_of_another_certificate_or_one_that_others_may_read(by_certificate, authority):
    certificate, key = authority.issue("one.secretive")
    _, other = authority.issue("two.secretive")
    refused(certified(by_certificate, (certificate, other)), "the private key does not belong to .*", "made together")
    key.chmod(0o644)
    refused(certified(by_certificate, (certificate, key)), "others may read the private key .*", f"chmod 600 {key}")


# -- channel binding, versions, negotiation ---------------------------------------------------------------------------


def test_channel_binding(tls, tls_server):
    assert connected(tls.with_(channel_binding="require"))
    refused(
        tls.with_(channel_binding="require", sslmode="disable"), "channel binding required, but SSL not in use",
        "--sslmode require", AuthenticationFailed,
    )  # fmt: skip
    tls_server.reload("host all all 127.0.0.1/32 trust")
    refused(
        tls.with_(channel_binding="require"),
        "channel binding required, but server authenticated client without channel binding",
        "scram-sha-256", AuthenticationFailed,
    )  # fmt: skip


def test_versions_of_tls(tls):
    assert connected(tls.with_(ssl_min_protocol_version="TLSv1.3"))
    assert connected(tls.with_(ssl_max_protocol_version="TLSv1.2"))
    conninfo = tls.with_(ssl_min_protocol_version="TLSv1.3", ssl_max_protocol_version="TLSv1.3")
    assert connected(conninfo)


def test_tls_from_the_first_byte(tls, tls_server):
    direct = tls.with_(sslnegotiation="direct")
    if tls_server.server.version >= 17:
        assert connected(direct)
    else:
        refused(direct, "the server broke off the TLS handshake", "sslnegotiation=direct")
