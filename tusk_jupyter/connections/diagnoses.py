"""What libpq and the server say when a connection fails, and what it means: a table, read from the top.

There is no SQLSTATE before a session exists (none in 70 failures tried), so text decides. libpq's own text is English
in psycopg's wheels; the server's is in the language of its ``lc_messages``, and then no rule matches and
:mod:`~tusk_jupyter.connections.failures` falls back to what libpq knows without words. The order is by what must not be
taken for something else: ``requires a valid client certificate`` is followed, with ``sslmode=prefer``, by
``no pg_hba.conf entry … no encryption``, which is only its consequence.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

from tusk_jupyter.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionTimeout,
    InvalidInput,
    SslError,
    TuskError,
)


class Reached(IntEnum):
    """The last step that certainly worked; of several addresses, the one that came furthest is reported."""

    NOTHING = 0
    RESOLVED = 1
    TCP = 2
    SERVER = 3
    LOGIN = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """A text and its meaning; ``message`` is ``None`` where the server's own words are best.

    ``message`` and ``advice`` may name the groups of the pattern and ``{host}``, ``{port}``, ``{user}``, ``{dbname}``,
    ``{sslmode}``, ``{timeout}``. A ``weak`` rule gives way to what a later line says.
    """

    pattern: re.Pattern[str]
    error: type[TuskError]
    message: str | None
    advice: str
    reached: Reached
    weak: bool = False


def _rule(
    pattern: str,
    error: type[TuskError],
    message: str | None,
    advice: str,
    reached: Reached = Reached.SERVER,
    *,
    weak: bool = False,
) -> Rule:
    return Rule(re.compile(pattern), error, message, advice, reached, weak)


NEEDS_PASSWORD = _rule(
    r"no password supplied",
    AuthenticationFailed,
    "the server asks for a password, and none was given",
    "Give it with -W (asks for it), --password-env VAR, --password-command CMD, or a line in ~/.pgpass.",
)
TIMED_OUT = _rule(
    r"timeout expired|timed out",
    ConnectionTimeout,
    "no answer{timeout}",
    "Nothing answered at {host}, port {port}: check both, the VPN and firewalls between, or allow more with"
    " --connect-timeout 30s.",
    Reached.RESOLVED,
)
UNRESOLVED = _rule(
    r"failed to resolve host (?P<named>'.*?'|\".*?\"):"
    r"|could not translate host name (?P<named2>\".*?\")",
    ConnectionFailed,
    "the host name {named} is not known to DNS",
    "Check its spelling, and the VPN if it is known only inside a network.",
    Reached.NOTHING,
)
REFUSED_LOGIN = _rule(
    "",
    AuthenticationFailed,
    "the server refused the login",
    "The detail is what the server said, in its own language: check password (-W asks again), user and database.",
)
REFUSED = _rule(
    "",
    ConnectionFailed,
    "the server refused the connection",
    "The detail is what the server said: check user, database and options, or show it to whoever runs the server.",
)
UNKNOWN = _rule(
    "",
    ConnectionFailed,
    None,
    "Check host and port, and that the server is running and reachable from this machine.",
    Reached.NOTHING,
)

_SETTINGS = (
    _rule(
        r'definition of service "(?P<service>.*)" not found',
        InvalidInput,
        "there is no service {service!r} in pg_service.conf",
        "Services are read from $PGSERVICEFILE or ~/.pg_service.conf, then from pg_service.conf in $PGSYSCONFDIR.",
        Reached.NOTHING,
    ),
    _rule(
        r'service file "(?P<file>.*)" not found|in service file "(?P<file2>.*)"',
        InvalidInput,
        None,
        "Check the file that PGSERVICEFILE names: [NAME], then one keyword=value a line, without blanks around =.",
        Reached.NOTHING,
    ),
    _rule(
        r"invalid \w+ value|connection option \"|invalid port number|could not match \d+ |weak sslmode",
        InvalidInput,
        "a connection parameter has a value that libpq refuses",
        "The detail names it. Look also at the PG* variables and pg_service.conf, if it is not in what you typed.",
        Reached.NOTHING,
    ),
    _rule(
        r"GSSAPI encryption required",
        ConnectionFailed,
        None,
        "Get a Kerberos ticket (kinit), or leave out gssencmode=require.",
        Reached.NOTHING,
    ),
)

_LOGIN = (
    _rule(
        r"certificate authentication failed",
        AuthenticationFailed,
        None,
        "The certificate's common name must be the role: connect as that user, or have it mapped in pg_ident.conf.",
    ),
    _rule(
        r"(?i:peer|ident) authentication failed",
        AuthenticationFailed,
        None,
        "The server lets in the operating system's user only, under the role of the same name. Connect as that role, or"
        " over TCP with host=localhost and a password.",
    ),
    _rule(
        r"password authentication failed|SASL authentication failed",
        AuthenticationFailed,
        None,
        "Check user and password; -W asks for it again. The server says the same of a wrong password, an unknown role,"
        " an expired password and a role that has none.",
    ),
    _rule(
        r"[A-Z]\w{1,9} authentication failed for user|auth failed",
        AuthenticationFailed,
        None,
        "Check user and password; the server asks another service (LDAP, PAM, RADIUS, GSSAPI) whether they are right.",
    ),
    _rule(
        r'role "(?P<role>.*)" does not exist|no such user',
        AuthenticationFailed,
        None,
        "Give the role with user=NAME or postgresql://NAME@…; without, it is the operating system's user name.",
    ),
    _rule(
        r'role "(?P<role>.*)" is not permitted to log in',
        AuthenticationFailed,
        None,
        'It was made without LOGIN: connect as another role, or have ALTER ROLE "{role}" LOGIN run.',
    ),
    _rule(
        r"channel binding (is )?required|channel binding is not supported",
        AuthenticationFailed,
        None,
        "channel_binding=require needs TLS and a SCRAM password at the server: use --sslmode require, or leave it out.",
    ),
    _rule(
        r"authentication method requirement",
        AuthenticationFailed,
        None,
        "require_auth refuses how this server asks for the password: change it, or the method in its pg_hba.conf.",
    ),
    _rule(
        r"requirepeer specifies",
        AuthenticationFailed,
        None,
        "Another operating system user than requirepeer says owns this server: check the socket directory in host.",
        Reached.TCP,
    ),
)

_HBA = (
    _rule(
        r"pg_hba\.conf rejects connection",
        AuthenticationFailed,
        None,
        "A line of the server's pg_hba.conf rejects this address, user or database: ask whoever runs it.",
    ),
    _rule(
        r'no pg_hba\.conf entry .*host "\[local\]"',
        AuthenticationFailed,
        None,
        "pg_hba.conf has no «local» line for this user and database: connect with host=localhost, or have one added.",
    ),
    _rule(
        r"no pg_hba\.conf entry .*(?:no encryption|SSL off)",
        SslError,
        None,
        "The server may take this user only with TLS: use --sslmode require. If it has no TLS, its pg_hba.conf lacks a"
        " line for this address, user and database.",
    ),
    _rule(
        r"no pg_hba\.conf entry",
        AuthenticationFailed,
        None,
        "pg_hba.conf at the server has no line for this address, user and database with TLS: ask whoever runs it.",
        weak=True,
    ),
)

_TLS = (
    _rule(
        r"does not support SSL, but SSL was required",
        SslError,
        "the server does not offer TLS, and sslmode={sslmode} asks for it",
        "Have ssl turned on at the server; --sslmode prefer goes without, if you trust the network in between.",
        Reached.TCP,
    ),
    _rule(
        r"certificate verify failed",
        SslError,
        "the server's certificate is not signed by a CA this machine trusts",
        "Give the CA's file with --sslrootcert ca.pem (it is usually handed out by whoever runs the server); an expired"
        " certificate or a wrong clock reads the same. sslmode=require verifies too where a root certificate is found.",
        Reached.TCP,
    ),
    _rule(
        r'server certificate for "(?P<certified>.*?)".* does not match host name "(?P<asked>.*)"',
        SslError,
        "the server's certificate is for {certified}, not for {asked}",
        "Connect with host={certified}, adding hostaddr=ADDRESS where that name does not resolve; --sslmode verify-ca"
        " accepts every server of that CA.",
        Reached.TCP,
    ),
    _rule(
        r'root certificate file "(?P<file>.*)" does not exist',
        SslError,
        "the CA's certificate file {file!r} does not exist",
        "Give it with --sslrootcert ca.pem, or --sslrootcert system to trust what this machine's browser trusts.",
        Reached.TCP,
    ),
    _rule(
        r'could not read (?P<what>root certificate|certificate|certificate revocation list) file "(?P<file>.*?)"',
        SslError,
        "the {what} file {file!r} cannot be read",
        "It must be a PEM file (-----BEGIN CERTIFICATE-----) that this user may read.",
        Reached.TCP,
    ),
    _rule(
        r"requires a valid client certificate|alert certificate required",
        SslError,
        "the server asks for a client certificate, and none was given",
        "Give it with --sslcert client.crt --sslkey client.key (signed by a CA that the server trusts).",
    ),
    _rule(
        r"alert (?P<why>unknown ca|bad certificate|unsupported certificate|certificate \w+|decrypt error)",
        SslError,
        "the server does not accept our client certificate ({why})",
        "It must be signed by a CA in the server's ssl_ca_file, be in date and not be revoked: check --sslcert.",
        Reached.TCP,
    ),
    _rule(
        r'private key file "(?P<file>.*?)" has group or world access',
        SslError,
        "others may read the private key {file!r}, so libpq does not use it",
        "chmod 600 {file}",
        Reached.TCP,
    ),
    _rule(
        r'certificate present, but not private key file "(?P<file>.*?)"',
        SslError,
        "there is a client certificate, but its private key {file!r} does not exist",
        "Give the key with --sslkey client.key.",
        Reached.TCP,
    ),
    _rule(
        r'private key file "(?P<file>.*?)": key values mismatch|does not match private key file "(?P<file2>.*?)"',
        SslError,
        "the private key does not belong to the client certificate",
        "Give the pair that was made together: --sslcert client.crt --sslkey client.key.",
        Reached.TCP,
    ),
    _rule(
        r'private key file "(?P<file>.*?)": (?P<why>bad decrypt|.*processing error.*|.*password.*)',
        SslError,
        "the passphrase does not open the private key {file!r}",
        "Check the passphrase of --sslkey (sslpassword); openssl pkey -in KEY tells whether it is right.",
        Reached.TCP,
    ),
    _rule(
        r'could not load private key file "(?P<file>.*?)"|private key file "(?P<file2>.*?)" is not a regular file',
        SslError,
        None,
        "--sslkey must be a private key in PEM form that this user alone may read.",
        Reached.TCP,
    ),
    _rule(
        r"alert protocol version|unsupported protocol|no protocols available",
        SslError,
        "the server and this machine have no TLS version in common",
        "Look at ssl_min_protocol_version and ssl_max_protocol_version on both sides.",
        Reached.TCP,
    ),
)

_DATABASE = (
    _rule(
        r'database "(?P<missing>.*)" does not exist|no such database',
        ConnectionFailed,
        None,
        "Check the name (it is case-sensitive here); without one, it is the user's name. dbname=postgres exists on most"
        " servers, and \\l there lists the others.",
        Reached.LOGIN,
    ),
    _rule(
        r"not currently accepting connections",
        ConnectionFailed,
        None,
        "Its owner set ALLOW_CONNECTIONS false: connect to another database, or have ALTER DATABASE … undo it.",
        Reached.LOGIN,
    ),
    _rule(
        r'permission denied for database "(?P<closed>.*)"',
        ConnectionFailed,
        None,
        'Have its owner run: GRANT CONNECT ON DATABASE "{closed}" TO "{user}"',
        Reached.LOGIN,
    ),
    _rule(
        r"too many clients|remaining connection slots|too many connections for|no more connections allowed",
        ConnectionFailed,
        None,
        "Every connection the server allows is in use: try again later, close other kernels (select * from"
        " pg_stat_activity shows whose they are), or have max_connections or the role's CONNECTION LIMIT raised.",
    ),
    _rule(
        r"the database system is (starting up|shutting down|in recovery mode|not yet accepting connections)",
        ConnectionFailed,
        None,
        "It was tried again until the time was over: wait a moment, or allow more with --connect-timeout 1min.",
    ),
    _rule(
        r"the database system is not accepting connections",
        ConnectionFailed,
        None,
        "It is a standby with hot_standby off: connect to the primary.",
    ),
    _rule(
        r"(?:server|session) is (?:not )?(?:in hot standby mode|read-only)",
        ConnectionFailed,
        None,
        "target_session_attrs asks for another kind of server: change it, or name more hosts (host=a,b).",
        Reached.LOGIN,
    ),
    _rule(
        r"unsupported startup parameter",
        InvalidInput,
        None,
        "A pooler such as PgBouncer takes no options= at the start: leave it out and SET it in a cell.",
    ),
    _rule(
        r"invalid value for parameter|unrecognized configuration parameter|requires a value|permission denied to set"
        r" parameter|command-line argument",
        InvalidInput,
        None,
        "Correct options= or client_encoding= (or PGOPTIONS, PGCLIENTENCODING): options=-c\\ work_mem=64MB.",
    ),
)

_NETWORK = (
    _rule(
        r"invalid response to (?:SSL|GSSAPI) negotiation|expected authentication request|wrong version number",
        ConnectionFailed,
        "what answers at {host}, port {port} is not PostgreSQL",
        "Check the port: PostgreSQL's is usually 5432, a pooler's 6432; a web page's address is not the database's.",
        Reached.TCP,
    ),
    _rule(
        r"only supports protocol version|unsupported frontend protocol",
        ConnectionFailed,
        None,
        "Leave out min_protocol_version, or set max_protocol_version=3.0.",
    ),
    _rule(
        r"Connection refused",
        ConnectionFailed,
        "nothing listens at {host}, port {port}",
        "Check host and port, and that the server is running; others reach it only if listen_addresses says so.",
        Reached.RESOLVED,
    ),
    _rule(
        r"(?:Network is unreachable|No route to host|Host is down|unreachable host|unreachable network)",
        ConnectionFailed,
        "there is no way from here to {host}",
        "Check the network and the VPN; an IPv6 address needs IPv6 on this machine.",
        Reached.RESOLVED,
    ),
    _rule(
        r"No such file or directory",
        ConnectionFailed,
        "there is no server's socket in {host}, port {port}",
        "Check that the server is running, unix_socket_directories at the server, and the port; or use host=localhost.",
        Reached.NOTHING,
    ),
    _rule(
        r"Permission denied",
        ConnectionFailed,
        "this user may not use the server's socket in {host}",
        "Connect with host=localhost, or have the rights of the socket directory changed.",
        Reached.NOTHING,
    ),
    _rule(
        r"unexpected eof",
        SslError,
        "the server broke off the TLS handshake",
        "A proxy or a port that is not PostgreSQL's does this: check host and port, and the server's log.",
        Reached.TCP,
        weak=True,
    ),
    _rule(
        r"SSL error|could not establish SSL connection|could not initiate SSL",
        SslError,
        "TLS failed",
        "The detail is OpenSSL's own text: check --sslmode, --sslrootcert, --sslcert and --sslkey.",
        Reached.TCP,
    ),
    _rule(
        r"server closed the connection unexpectedly|Connection reset by peer|could not receive data|could not send",
        ConnectionFailed,
        "the server closed the connection before the login",
        "A crash, a proxy or firewall between, or no PostgreSQL at all: check host, port and the server's log.",
        Reached.TCP,
    ),
)

RULES = (
    TIMED_OUT,
    UNRESOLVED,
    *_SETTINGS,
    NEEDS_PASSWORD,
    *_LOGIN,
    *_HBA,
    *_TLS,
    *_DATABASE,
    *_NETWORK,
)
