"""A certificate authority and what it signs: EC keys of P-256, made in 1 ms each, valid for two days.

By the package ``cryptography``, which asyncssh needs anyway: an ``openssl`` program is not on every machine.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Authority:
    """Who signs, and the certificate by which that can be checked."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate, as ``sslrootcert`` wants it."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def authority(name: str) -> Authority:
    """Return a new authority, which has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, name, key).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return Authority(builder.sign(key, hashes.SHA256()), key)


def issue(signer: Authority, name: str, *, hosts: Sequence[str] = (), expired: bool = False) -> tuple[bytes, bytes]:
    """Return a certificate and its private key, both PEM.

    :param name: the common name, which PostgreSQL takes for the role of a client certificate.
    :param hosts: the host names of a server's certificate.
    """
    issuer = signer.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(name, str(issuer), key, ends_in=-_DAY / 2 if expired else 2 * _DAY)
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(h) for h in hosts]), critical=False)
    certificate = builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    plain = serialization.NoEncryption()
    return certificate, key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)


def _builder(
    name: str, issuer: str, key: ec.EllipticCurvePrivateKey, ends_in: dt.timedelta = 2 * _DAY
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)  # a clock that is behind has to find it valid
        .not_valid_after(now + ends_in)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
