"""What goes wrong with TLS: certificates of either side, their files, versions.

libpq and OpenSSL say it in English; where the certificate of the server is what is wrong, they say only that
(``certificate verify failed``), and why is found out by :mod:`~tusk_jupyter.connections.certificate_look`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.connections.diagnosis import Reached, Rule, rule
from tusk_jupyter.errors import SslError

if TYPE_CHECKING:
    from datetime import datetime

    from tusk_jupyter.connections.certificate_look import Certificate

UNTRUSTED = rule(
    r"certificate verify failed",
    SslError,
    "the server's certificate is not signed by a CA this machine trusts",
    "Give the CA's file with --sslrootcert ca.pem (it is usually handed out by whoever runs the server); an expired"
    " certificate or a wrong clock reads the same. sslmode=require verifies too where a root certificate is found.",
    Reached.TCP,
)


def _certificate(verdicts: tuple[int, ...], message: str, advice: str) -> dict[int, Rule]:
    return dict.fromkeys(verdicts, rule(r"(?!)", SslError, message, advice, Reached.TCP))


_CHAIN_EXPIRED = rule(
    r"(?!)",
    SslError,
    "the certificate of the CA that signed the server's is out of date",
    "Get the CA's new certificate from whoever runs the server and give it with --sslrootcert ca.pem; if the date"
    " {now} is wrong, set this machine's clock.",
    Reached.TCP,
)
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_VERDICTS = {
    **_certificate(
        (10,),
        "the server's certificate expired on {not_after}",
        "Whoever runs the server has to renew it. If the date {now} is wrong, set this machine's clock.",
    ),
    **_certificate(
        (9,),
        "the server's certificate is valid only from {not_before} on",
        "This machine's clock says {now}: if that is right, whoever runs the server made the certificate too early.",
    ),
    **_certificate(
        (18,),
        "the server's certificate is signed by itself, and this machine does not know it",
        "Compare its fingerprint, among the details, with what whoever runs the server says; if it is the right one,"
        " get it as a file and give that with --sslrootcert server.crt.",
    ),
    **_certificate(
        (2, 19, 20, 21),
        "the server's certificate is signed by {issuer}, which this machine does not trust",
        "Give that CA's file with --sslrootcert ca.pem (it is usually handed out by whoever runs the server), or"
        " --sslrootcert system for a public one. sslmode=require verifies too where a root certificate is found.",
    ),
    **_certificate(
        (7,),
        "the server's certificate is not signed by the CA of this machine, though by one of the same name",
        "Get the CA's present certificate from whoever runs the server (--sslrootcert ca.pem): it was made anew, or"
        " this is another server.",
    ),
    **_certificate(
        (23,),
        "the server's certificate was revoked by its CA",
        "Do not go on without asking whoever runs the server: its key may be in other hands.",
    ),
    **_certificate(
        (3, 4, 6, 8, 11, 12, 13, 14, 15, 16),
        "the revocation list cannot be used: {verdict}",
        "Get a current one of the same CA for sslcrl (or sslcrldir), or leave it out.",
    ),
}
_UNUSUAL = rule(
    r"(?!)",
    SslError,
    "the server's certificate cannot be trusted: {verdict}",
    "That is OpenSSL's own verdict: show it to whoever runs the server, with the certificate among the details.",
    Reached.TCP,
)
CERTIFICATES = (*{id(one): one for one in _VERDICTS.values()}.values(), _CHAIN_EXPIRED, _UNUSUAL)


def of_certificate(certificate: Certificate, now: datetime) -> tuple[Rule, dict[str, str]]:
    """Return what a verdict on a server's certificate means, with the words that its sentences need."""
    after, before = certificate.not_after, certificate.not_before
    words = {
        "verdict": certificate.words,
        "issuer": certificate.issuer or "a CA",
        "now": f"{now:%Y-%m-%d %H:%M} UTC",
        "not_after": f"{after:%Y-%m-%d %H:%M} UTC" if after else "some day",
        "not_before": f"{before:%Y-%m-%d %H:%M} UTC" if before else "some day",
    }
    in_date = (after is None or now <= after) and (before is None or now >= before)
    if certificate.verdict in {9, 10} and in_date:
        return _CHAIN_EXPIRED, words
    return _VERDICTS.get(certificate.verdict, _UNUSUAL), words


TLS = (
    rule(
        r"does not support SSL, but SSL was required",
        SslError,
        "the server does not offer TLS, and sslmode={sslmode} asks for it",
        "Have ssl turned on at the server; --sslmode prefer goes without, if you trust the network in between.",
        Reached.TCP,
    ),
    UNTRUSTED,
    rule(
        r'server certificate for "(?P<certified>.*?)".* does not match host name "(?P<asked>.*)"',
        SslError,
        "the server's certificate is for {certified}, not for {asked}",
        "Connect with host={certified}, adding hostaddr=ADDRESS where that name does not resolve; --sslmode verify-ca"
        " accepts every server of that CA.",
        Reached.TCP,
    ),
    rule(
        r'root certificate file "(?P<file>.*)" does not exist',
        SslError,
        "the CA's certificate file {file!r} does not exist",
        "Give it with --sslrootcert ca.pem, or --sslrootcert system to trust what this machine's browser trusts.",
        Reached.TCP,
    ),
    rule(
        r'could not (?:read|open) (?P<what>root certificate|certificate) file "(?P<file>.*?)"',
        SslError,
        "the {what} file {file!r} cannot be read",
        "It must be a PEM file (-----BEGIN CERTIFICATE-----) that this user may read.",
        Reached.TCP,
    ),
    rule(
        r"requires a valid client certificate|alert certificate required",
        SslError,
        "the server asks for a client certificate, and none was given",
        "Give it with --sslcert client.crt --sslkey client.key (signed by a CA that the server trusts).",
    ),
    rule(
        r"alert certificate expired",
        SslError,
        "our client certificate has expired",
        "Get a new one from whoever made it and give it with --sslcert and --sslkey; openssl x509 -noout -dates -in"
        " CERTIFICATE shows how long one holds.",
        Reached.TCP,
    ),
    rule(
        r"alert certificate revoked",
        SslError,
        "our client certificate was revoked by its CA",
        "Get a new one, with a new key, from whoever made it (--sslcert, --sslkey).",
        Reached.TCP,
    ),
    rule(
        r"alert unknown ca",
        SslError,
        "the server does not trust the CA of our client certificate",
        "--sslcert must be signed by a CA in the server's ssl_ca_file: ask whoever runs the server for one that is.",
        Reached.TCP,
    ),
    rule(
        r"alert (?P<why>bad certificate|unsupported certificate|certificate \w+|decrypt error)",
        SslError,
        "the server does not accept our client certificate ({why})",
        "The server's log says why: check --sslcert, and that it was made for clients.",
        Reached.TCP,
    ),
    rule(
        r'private key file "(?P<file>.*?)" has group or world access',
        SslError,
        "others may read the private key {file!r}, so libpq does not use it",
        "chmod 600 {file}",
        Reached.TCP,
    ),
    rule(
        r'certificate present, but not private key file "(?P<file>.*?)"',
        SslError,
        "there is a client certificate, but its private key {file!r} does not exist",
        "Give the key with --sslkey client.key.",
        Reached.TCP,
    ),
    rule(
        r'private key file "(?P<file>.*?)": key values mismatch|does not match private key file "(?P<file2>.*?)"',
        SslError,
        "the private key does not belong to the client certificate",
        "Give the pair that was made together: --sslcert client.crt --sslkey client.key.",
        Reached.TCP,
    ),
    rule(
        r'private key file "(?P<file>.*?)": (?P<why>bad decrypt|.*processing error.*|.*password.*)',
        SslError,
        "the passphrase does not open the private key {file!r}",
        "Check the passphrase of --sslkey (sslpassword); openssl pkey -in KEY tells whether it is right.",
        Reached.TCP,
    ),
    rule(
        r'could not load private key file "(?P<file>.*?)"|private key file "(?P<file2>.*?)" is not a regular file',
        SslError,
        "the private key file {file!r} cannot be used",
        "--sslkey must be a private key in PEM form that this user alone may read.",
        Reached.TCP,
    ),
    rule(
        r"alert protocol version|unsupported protocol|no protocols available",
        SslError,
        "the server and this machine have no TLS version in common",
        "Look at ssl_min_protocol_version and ssl_max_protocol_version on both sides.",
        Reached.TCP,
    ),
)
