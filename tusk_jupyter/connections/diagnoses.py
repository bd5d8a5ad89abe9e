"""What libpq and the server say when a connection fails, and what it means: a table, read from the top.

There is no SQLSTATE in psycopg's exception before a session exists (none in 70 failures tried), so text decides.
libpq's own text is English in psycopg's wheels; the server's is in the language of its ``lc_messages``, and then the
SQLSTATE that :mod:`~tusk_jupyter.connections.verbose` has libpq write into its text. The order is by what must not be
taken for something else: ``requires a valid client certificate`` is followed, with ``sslmode=prefer``, by
``no pg_hba.conf entry … no encryption``, which is only its consequence.
"""

from __future__ import annotations

from tusk_jupyter.connections.diagnoses_login import ANY_LANGUAGE, DATABASE, HBA, LOGIN, NEEDS_PASSWORD, STARTING
from tusk_jupyter.connections.diagnoses_tls import TLS, UNTRUSTED, of_certificate
from tusk_jupyter.connections.diagnosis import Reached, Rule, rule
from tusk_jupyter.errors import AuthenticationFailed, ConnectionFailed, ConnectionTimeout, InvalidInput, SslError

__all__ = [
    "NEEDS_PASSWORD",
    "REFUSED",
    "REFUSED_LOGIN",
    "RULES",
    "STARTING",
    "TLS_FAILED",
    "UNKNOWN",
    "UNTRUSTED",
    "Reached",
    "Rule",
    "by_sqlstate",
    "of_certificate",
]

TIMED_OUT = rule(
    r"timeout expired|timed out",
    ConnectionTimeout,
    "no answer{timeout}",
    "Nothing answered at {host}, port {port}: check both, the VPN and firewalls between, or allow more with"
    " --connect-timeout 30s.",
    Reached.RESOLVED,
)
UNRESOLVED = rule(
    r"failed to resolve host (?P<named>'.*?'|\".*?\"):"
    r"|could not translate host name (?P<named2>\".*?\")",
    ConnectionFailed,
    "the host name {named} is not known to DNS",
    "Check its spelling, and the VPN if it is known only inside a network.",
    Reached.NOTHING,
)
REFUSED_LOGIN = rule(
    "",
    AuthenticationFailed,
    "the server refused the login",
    "The detail is what the server said, in its own language: check password (-W asks again), user and database.",
)
REFUSED = rule(
    "",
    ConnectionFailed,
    "the server refused the connection",
    "The detail is what the server said: check user, database and options, or show it to whoever runs the server.",
)
UNKNOWN = rule(
    "",
    ConnectionFailed,
    None,
    "Check host and port, and that the server is running and reachable from this machine.",
    Reached.NOTHING,
)

TLS_FAILED = rule(
    r"SSL error|could not establish SSL connection|could not initiate SSL",
    SslError,
    "TLS failed",
    "The detail is OpenSSL's own text: check --sslmode, --sslrootcert, --sslcert and --sslkey.",
    Reached.TCP,
)

_SETTINGS = (
    rule(
        r'definition of service "(?P<service>.*)" not found',
        InvalidInput,
        "there is no service {service!r} in pg_service.conf",
        "Services are read from $PGSERVICEFILE or ~/.pg_service.conf, then from pg_service.conf in $PGSYSCONFDIR.",
        Reached.NOTHING,
    ),
    rule(
        r'service file "(?P<file>.*)" not found|in service file "(?P<file2>.*)"',
        InvalidInput,
        None,
        "Check the file that PGSERVICEFILE names: [NAME], then one keyword=value a line, libpq's"
        " keywords only, without blanks around =.",
        Reached.NOTHING,
    ),
    rule(
        r'weak sslmode "(?P<weak>.*?)" may not be used with (?P<what>\S+)',
        InvalidInput,
        "sslmode={weak} is too weak for {what}",
        "sslrootcert=system trusts every public CA, so only --sslmode verify-full means something with it;"
        " sslnegotiation=direct begins with TLS: --sslmode require, verify-ca or verify-full.",
        Reached.NOTHING,
    ),
    rule(
        r"could not match \d+ ",
        InvalidInput,
        "the lists of hosts, addresses and ports are not of one length",
        "Give one port for all hosts or one for each, and as many addresses in hostaddr as hosts: host=a,b port=1,2.",
        Reached.NOTHING,
    ),
    rule(
        r'invalid "?\w+"? value|connection option "|invalid port number',
        InvalidInput,
        None,
        "Correct it where it stands: in what you typed, in a PG* variable, or in pg_service.conf.",
        Reached.NOTHING,
    ),
    rule(
        r'could not parse network address "(?P<named>.*)"',
        InvalidInput,
        "hostaddr is no address: {named!r}",
        "hostaddr takes an IP address (10.1.2.3, fe80::1%eth0) and is looked up nowhere; a name belongs into host.",
        Reached.NOTHING,
    ),
    rule(
        r"invalid SSL protocol version range",
        InvalidInput,
        "ssl_min_protocol_version is above ssl_max_protocol_version",
        "Correct one of them: TLSv1.2 and TLSv1.3 are what servers speak today. Both may come from PG* variables, too.",
        Reached.NOTHING,
    ),
    rule(
        r"GSSAPI encryption required",
        ConnectionFailed,
        None,
        "Get a Kerberos ticket (kinit), or leave out gssencmode=require.",
        Reached.NOTHING,
    ),
)

_NETWORK = (
    rule(
        r"invalid response to (?:SSL|GSSAPI) negotiation|expected authentication request|wrong version number",
        ConnectionFailed,
        "what answers at {host}, port {port} is not PostgreSQL",
        "Check the port: PostgreSQL's is usually 5432, a pooler's 6432; a web page's address is not the database's.",
        Reached.TCP,
    ),
    rule(
        r"only supports protocol version|unsupported frontend protocol",
        ConnectionFailed,
        None,
        "Leave out min_protocol_version, or set max_protocol_version=3.0.",
    ),
    rule(
        r"Connection refused",
        ConnectionFailed,
        "nothing listens at {host}, port {port}",
        "Check host and port, and that the server is running; others reach it only if listen_addresses says so.",
        Reached.RESOLVED,
    ),
    rule(
        r"(?:Network is unreachable|No route to host|Host is down|unreachable host|unreachable network)",
        ConnectionFailed,
        "there is no way from here to {host}",
        "Check the network and the VPN; an IPv6 address needs IPv6 on this machine.",
        Reached.RESOLVED,
    ),
    rule(
        r"No such file or directory",
        ConnectionFailed,
        "there is no server's socket in {host}, port {port}",
        "Check that the server is running, unix_socket_directories at the server, and the port; or use host=localhost.",
        Reached.NOTHING,
    ),
    rule(
        r"Permission denied",
        ConnectionFailed,
        "this user may not use the server's socket in {host}",
        "Connect with host=localhost, or have the rights of the socket directory changed.",
        Reached.NOTHING,
    ),
    rule(
        r"unexpected eof",
        SslError,
        "the server broke off the TLS handshake",
        "A proxy or a port that is not PostgreSQL's does this, and a server before PostgreSQL 17 if it is asked for"
        " sslnegotiation=direct: check host and port, and the server's log.",
        Reached.TCP,
        weak=True,
    ),
    TLS_FAILED,
    rule(
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
    *LOGIN,
    *HBA,
    *TLS,
    *DATABASE,
    *_NETWORK,
)
_BY_CODE = {code: one for one in (*RULES, *ANY_LANGUAGE) for code in one.codes}


def by_sqlstate(sqlstate: str, routine: str) -> Rule | None:
    """Return what a code means wherever the words say nothing, ``None`` for one that is not met when connecting.

    :param routine: the server's function that refused, where it told.
    """
    return _BY_CODE.get(f"{sqlstate} {routine}") or _BY_CODE.get(sqlstate)
