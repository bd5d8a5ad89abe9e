"""What is wrong with a server's certificate, where libpq says only that it is (``certificate verify failed``).

libpq drops OpenSSL's verdict, so the certificate is looked at once more, with Python's own OpenSSL and the files and
rules that libpq used: a handshake for the verdict and one that takes any certificate, to read whose it is and how long
it holds. Nobody logs in, so it counts towards no lock-out, and it takes a few milliseconds of the time that is left.
What is found out is told and decides nothing: the connection failed already.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT_S = 3.0
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_ASKED = ("host", "sslrootcert", "sslcrl", "sslcrldir", "sslnegotiation")
_ALPN = "postgresql"  # what a server that is spoken to without a request for TLS wants to hear


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate and OpenSSL's verdict on it (``X509_V_ERR_…``, 0 for a good one) with its words."""

    verdict: int
    words: str
    subject: str = ""
    issuer: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    fingerprint: str = ""

    def described(self) -> str:
        """Return whose it is, who signed it, and how long it holds, ``""`` where it could not be read."""
        if self.not_before is None or self.not_after is None:
            return ""
        dates = f"{self.not_before:%Y-%m-%d} to {self.not_after:%Y-%m-%d}"
        return f"{self.subject}, issued by {self.issuer}, valid {dates}, SHA-256 {self.fingerprint}"


def look(pgconn: Any, *, until: float) -> Certificate | None:
    """Return what is wrong with the certificate of the server that a failed connection was made to.

    :param pgconn: what psycopg keeps of that connection.
    :param until: ``time.monotonic()`` at which nobody waits any longer.
    """
    options = {
        keyword: (option.val or b"").decode()
        for option in pgconn.info
        if (keyword := option.keyword.decode()) in _ASKED
    }
    host = pgconn.hostaddr.decode() or pgconn.host.decode()
    if not host or host.startswith(("/", "@")):
        return None
    until = min(until, time.monotonic() + LIMIT_S)
    try:
        context = _context(options)
        verdict = _verdict(context, options, (host, int(pgconn.port or b"5432")), until)
        if verdict is None:
            return None
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with contextlib.closing(_handshake(context, options, (host, int(pgconn.port or b"5432")), until)) as line:
            read = _read(line.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError):  # ssl.SSLError is one
        return None
    return Certificate(*verdict, **read)


def _context(options: Mapping[str, str]) -> ssl.SSLContext:
    """Return the rules that libpq goes by: the root certificates, the revocation lists, the whole chain checked."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    root = options.get("sslrootcert") or os.path.expanduser("~/.postgresql/root.crt")  # noqa: PTH111 - no exception
    if root == "system":
        context.set_default_verify_paths()
    else:
        context.load_verify_locations(root)
    crl, crls = options.get("sslcrl"), options.get("sslcrldir")
    if crl or crls:
        context.load_verify_locations(crl or None, crls or None)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    if options.get("sslnegotiation") == "direct":
        context.set_alpn_protocols([_ALPN])
    return context


def _verdict(
    context: ssl.SSLContext, options: Mapping[str, str], address: tuple[str, int], until: float
) -> tuple[int, str] | None:
    try:
        _handshake(context, options, address, until).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_code, error.verify_message
    return None


def _handshake(
    context: ssl.SSLContext, options: Mapping[str, str], address: tuple[str, int], until: float
) -> ssl.SSLSocket:
    with contextlib.ExitStack() as failing:
        line = failing.enter_context(socket.create_connection(address, timeout=max(until - time.monotonic(), 0.01)))
        if options.get("sslnegotiation") != "direct":
            line.sendall(_SSL_REQUEST)
            if line.recv(1) != b"S":
                raise OSError("no TLS")
        line.settimeout(max(until - time.monotonic(), 0.01))
        wrapped = context.wrap_socket(line, server_hostname=options.get("host") or None)
        failing.pop_all()
    return wrapped


def _read(der: bytes) -> dict[str, Any]:
    # asyncssh stands on it, so it is there; a certificate that it cannot read is described by the verdict alone
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    try:
        found = x509.load_der_x509_certificate(der)
        return {
            "subject": found.subject.rfc4514_string(),
            "issuer": found.issuer.rfc4514_string(),
            # the attributes with a zone came with cryptography 42
            "not_before": found.not_valid_before_utc.astimezone(UTC),
            "not_after": found.not_valid_after_utc.astimezone(UTC),
            "fingerprint": found.fingerprint(hashes.SHA256()).hex(":"),
        }
    except (ValueError, AttributeError):
        return {}
