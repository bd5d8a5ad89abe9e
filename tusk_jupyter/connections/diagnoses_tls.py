"""What goes wrong with TLS: certificates of either side, their files, versions.

libpq and OpenSSL say it in English; where the certificate of the server is what is wrong, they say only that
(``certificate verify failed``), and why is found out by :mod:`~tusk_jupyter.connections.certificate_look`.
"""

from __future__ import annotations

from tusk_jupyter.connections.diagnosis import Reached, rule
from tusk_jupyter.errors import SslError

TLS = (
    rule(
        r"does not support SSL, but SSL was required",
        SslError,
        "the server does not offer TLS, and sslmode={sslmode} asks for it",
        "Have ssl turned on at the server; --sslmode prefer goes without, if you trust the network in between.",
        Reached.TCP,
    ),
    rule(
        r"certificate verify failed",
        SslError,
        "the server's certificate is not signed by a CA this machine trusts",
        "Give the CA's file with --sslrootcert ca.pem (it is usually handed out by whoever runs the server); an expired"
        " certificate or a wrong clock reads the same. sslmode=require verifies too where a root certificate is found.",
        Reached.TCP,
    ),
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
        r'could not read (?P<what>root certificate|certificate|certificate revocation list) file "(?P<file>.*?)"',
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
        r"alert (?P<why>unknown ca|bad certificate|unsupported certificate|certificate \w+|decrypt error)",
        SslError,
        "the server does not accept our client certificate ({why})",
        "It must be signed by a CA in the server's ssl_ca_file, be in date and not be revoked: check --sslcert.",
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
        None,
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
