"""A certificate authority, and a PostgreSQL with TLS whose certificate and ``pg_hba.conf`` tests exchange."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from tests.fix_postgres import PASSWORD, _as_account
from tests.waiting import wait_until

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
BY_PASSWORD = "host all all 127.0.0.1/32 scram-sha-256"


def openssl(*command):
    subprocess.run(["openssl", *command], check=True, capture_output=True)


class Authority:
    """A certificate authority in a directory."""

    def __init__(self, root, name):
        self.root, self.name = root, name
        self.file = root / f"{name}.crt"
        self._new(name, "-x509", "-days", "2", "-out", str(self.file))

    def _new(self, name, *options, rsa=False):
        curve = ("-newkey", "rsa:2048", "-nodes") if rsa else (*EC, "-nodes")
        key = str(self.root / f"{name}.key")
        openssl("req", *curve, "-keyout", key, "-subj", f"/CN={name.split('.', 1)[-1]}", *options)
        Path(key).chmod(0o600)

    def key(self):
        """Return the private key."""
        from cryptography.hazmat.primitives import serialization

        return serialization.load_pem_private_key((self.root / f"{self.name}.key").read_bytes(), None)

    def issue(self, name, days=2, *, rsa=False):
        """Return certificate and key; the common name is what follows the first dot of ``name``."""
        certificate, key, request = (self.root / f"{name}.{end}" for end in ("crt", "key", "csr"))
        self._new(name, "-out", str(request), rsa=rsa)
        signed = ("-CA", str(self.file), "-CAkey", str(self.root / f"{self.name}.key"), "-CAcreateserial")
        openssl("x509", "-req", "-in", str(request), *signed, "-days", str(days), "-out", str(certificate))
        return certificate, key


def dated(authority, name, *, days, itself=False):
    """Return certificate and key valid between two days from now, ``days`` = (-2, -1), signed by itself if so asked."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    _, file = authority.issue(name)
    key = serialization.load_pem_private_key(file.read_bytes(), None)
    ca = x509.load_pem_x509_certificate(authority.file.read_bytes())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name.split(".", 1)[-1])])
    builder = x509.CertificateBuilder(subject if itself else ca.subject, subject, key.public_key())
    before, after = (datetime.now(UTC) + timedelta(days=day) for day in days)
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(before).not_valid_after(after)
    made = builder.sign(key if itself else authority.key(), hashes.SHA256())
    certificate = file.with_suffix(".crt")
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return certificate, file


def revoked(authority, *certificates, days=(-1, 1)):
    """Return the authority's list of revoked certificates, in force between two days from now."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization

    ca = x509.load_pem_x509_certificate(authority.file.read_bytes())
    before, after = (datetime.now(UTC) + timedelta(days=day) for day in days)
    builder = x509.CertificateRevocationListBuilder(ca.subject, before, after)
    for file in certificates:
        serial = x509.load_pem_x509_certificate(file.read_bytes()).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(before).build()
        builder = builder.add_revoked_certificate(entry)
    found = authority.root / f"revoked-{len(list(authority.root.iterdir()))}.crl"
    found.write_bytes(builder.sign(authority.key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return found


def locked(key, passphrase, *, form="pkcs8"):
    """Return a copy of a key that is encrypted, in the form of today or in that of old (``pem``)."""
    file = key.with_suffix(f".{form}")
    if form == "pkcs8":
        openssl("pkcs8", "-topk8", "-in", str(key), "-out", str(file), "-passout", f"pass:{passphrase}")
    else:
        kind = "rsa" if b"RSA" in subprocess.run(
            ["openssl", "pkey", "-in", str(key), "-noout", "-text"], check=True, capture_output=True
        ).stdout else "ec"  # fmt: skip
        openssl(
            kind, "-aes256", "-in", str(key), "-out", str(file), "-passout", f"pass:{passphrase}",
            *(["-traditional"] if kind == "rsa" else []),
        )  # fmt: skip
    file.chmod(0o600)
    return file


class TlsServer:
    """A server with TLS for «localhost» whose ``pg_hba.conf`` and certificate tests exchange."""

    def __init__(self, server, authority):
        self.server, self.port = server, server.port
        certificate, key = authority.issue("server.localhost")
        self.give(authority.file, "root.crt")
        self.give(certificate, "server.crt")
        self.give(key, "server.key")
        with psycopg.connect(server.conninfo(), autocommit=True) as conn:
            conn.execute(psycopg.sql.SQL("create role secretive login password {}").format(PASSWORD))
            conn.execute("alter system set ssl = on")
            conn.execute("alter system set ssl_ca_file = 'root.crt'")
        self.reload(BY_PASSWORD)

    def give(self, file, name):
        there = self.server.root / "data" / name
        shutil.copy(file, there)
        there.chmod(0o600)
        if account := _as_account():
            os.chown(there, account["user"], account["group"])

    def set(self, name, value):
        """Have a setting of its configuration changed, and read."""
        with psycopg.connect(self.server.conninfo(), autocommit=True) as conn:
            conn.execute(psycopg.sql.SQL("alter system set {} = {}").format(psycopg.sql.Identifier(name), value))
        hba = (self.server.root / "data" / "pg_hba.conf").read_text().split("\n", 1)[1]
        self.reload(hba)

    def reload(self, hba):
        (self.server.root / "data" / "pg_hba.conf").write_text(f"local all tester trust\n{hba}\n")
        ask = "select pg_conf_load_time(), current_setting('ssl')"
        with psycopg.connect(self.server.conninfo(), autocommit=True) as conn:
            before, _ = conn.execute(ask).fetchone()
            conn.execute("select pg_reload_conf()")

        def has_read():
            # a new session inherits what the postmaster has read
            with psycopg.connect(self.server.conninfo()) as conn:
                now, ssl_is = conn.execute(ask).fetchone()
            return now > before and ssl_is == "on"

        wait_until(has_read, timeout=20, otherwise="the server did not read its files again")

    @contextmanager
    def showing(self, certificate, key):
        """Have it show another certificate for a while."""
        good = [(self.server.root / "data" / name, name) for name in ("server.crt", "server.key")]
        before = [(file.read_bytes(), file) for file, _ in good]
        hba = (self.server.root / "data" / "pg_hba.conf").read_text().split("\n", 1)[1]
        self.give(certificate, "server.crt")
        self.give(key, "server.key")
        self.reload(hba)
        try:
            yield
        finally:
            for content, file in before:
                file.write_bytes(content)
            self.reload(hba)


@pytest.fixture(scope="module")
def authority(tmp_path_factory) -> Authority:
    """The authority that has signed the server's certificate."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    return Authority(tmp_path_factory.mktemp("ca"), "tusk.test-authority")


@pytest.fixture(scope="module")
def stranger(authority) -> Authority:
    """Another authority, which nobody trusts."""
    return Authority(authority.root, "other.stranger")


@pytest.fixture(scope="module")
def tls_server(make_server, authority) -> TlsServer:
    """A server with TLS, one for all tests of a module, each of which leaves or finds it as it needs."""
    return TlsServer(make_server(), authority)
