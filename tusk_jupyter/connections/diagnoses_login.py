"""What a server says to who logs in: authentication, pg_hba.conf, the role, the database, room for one more.

Its words are in the language of its ``lc_messages``; the patterns are its English. In any other language the SQLSTATE
decides, and where one has several meanings (28000) the name of the server's routine, which is never translated.
"""

from __future__ import annotations

from tusk_jupyter.connections.diagnosis import Reached, rule
from tusk_jupyter.errors import AuthenticationFailed, ConnectionFailed, InvalidInput, SslError

_NOTHING_SAYS_SO = r"(?!)"

NEEDS_PASSWORD = rule(
    r"no password supplied",
    AuthenticationFailed,
    "the server asks for a password, and none was given",
    "Give it with -W (asks for it), --password-env VAR, --password-command CMD, or a line in ~/.pgpass.",
)

STARTING = rule(
    r"the database system is (?P<doing>starting up|shutting down|in recovery mode|not yet accepting connections)",
    ConnectionFailed,
    None,
    "It was tried {tries}: wait a moment, or allow more with --connect-timeout 1min.",
    codes=("57P03",),
)

LOGIN = (
    rule(
        r"certificate authentication failed",
        AuthenticationFailed,
        None,
        "The certificate's common name must be the role: connect as that user, or have it mapped in pg_ident.conf.",
    ),
    rule(
        r"(?i:peer|ident) authentication failed",
        AuthenticationFailed,
        None,
        "The server lets in the operating system's user only, under the role of the same name. Connect as that role, or"
        " over TCP with host=localhost and a password.",
    ),
    rule(
        r"password authentication failed|SASL authentication failed",
        AuthenticationFailed,
        None,
        "Check user and password; -W asks for it again. The server says the same of a wrong password, an unknown role,"
        " an expired password and a role that has none.",
        codes=("28P01",),
    ),
    rule(
        r"[A-Z]\w{1,9} authentication failed for user|auth failed",
        AuthenticationFailed,
        None,
        "Check user and password; the server asks another service (LDAP, PAM, RADIUS, GSSAPI) whether they are right.",
    ),
    rule(
        r'role "(?P<role>.*)" does not exist|no such user',
        AuthenticationFailed,
        None,
        "Give the role with user=NAME or postgresql://NAME@…; without, it is the operating system's user name.",
    ),
    rule(
        r'role "(?P<role>.*)" is not permitted to log in',
        AuthenticationFailed,
        None,
        'It was made without LOGIN: connect as another role, or have ALTER ROLE "{role}" LOGIN run.',
    ),
    rule(
        r"channel binding required, but SSL not in use",
        AuthenticationFailed,
        None,
        "channel_binding=require binds the password to TLS: use --sslmode require or more, or leave it out.",
    ),
    rule(
        r"channel binding (?:is )?required|channel binding is not supported",
        AuthenticationFailed,
        None,
        "channel_binding=require needs a server that asks for the password by scram-sha-256 over TLS. This one does not"
        " (trust, md5, a certificate, a pooler in between): have pg_hba.conf changed, or leave it out.",
    ),
    rule(
        r"authentication method requirement",
        AuthenticationFailed,
        None,
        "require_auth refuses how this server asks for the password: change it, or the method in its pg_hba.conf.",
    ),
    rule(
        r"requirepeer specifies",
        AuthenticationFailed,
        None,
        "Another operating system user than requirepeer says owns this server: check the socket directory in host.",
        Reached.TCP,
    ),
)

HBA = (
    rule(
        r"pg_hba\.conf rejects connection",
        AuthenticationFailed,
        None,
        "A line of the server's pg_hba.conf rejects this address, user or database: ask whoever runs it.",
    ),
    rule(
        r'no pg_hba\.conf entry .*host "\[local\]"',
        AuthenticationFailed,
        None,
        "pg_hba.conf has no «local» line for this user and database: connect with host=localhost, or have one added.",
    ),
    rule(
        r"no pg_hba\.conf entry .*(?:no encryption|SSL off)",
        SslError,
        None,
        "The server may take this user only with TLS: use --sslmode require. If it has no TLS, its pg_hba.conf lacks a"
        " line for this address, user and database.",
    ),
    rule(
        r"no pg_hba\.conf entry",
        AuthenticationFailed,
        None,
        "pg_hba.conf at the server has no line for this address, user and database with TLS: ask whoever runs it.",
        weak=True,
    ),
)

# what only a code can mean: English has a rule of its own for each of the several things
ANY_LANGUAGE = (
    rule(
        _NOTHING_SAYS_SO,
        AuthenticationFailed,
        None,
        'The role "{user}" does not exist or was made without LOGIN: give another with user=NAME, or have'
        ' ALTER ROLE "{user}" LOGIN run.',
        codes=("28000 InitializeSessionUserId",),
    ),
    rule(
        _NOTHING_SAYS_SO,
        AuthenticationFailed,
        None,
        "The server's pg_hba.conf has no line for this address, user and database, rejects them, or asks for TLS"
        " (--sslmode require) or a client certificate (--sslcert): ask whoever runs it.",
        codes=("28000 ClientAuthentication", "28000"),
        weak=True,
    ),
    rule(
        _NOTHING_SAYS_SO,
        AuthenticationFailed,
        None,
        "The server asks neither for a password nor takes this user without: it knows users by their operating system"
        " (peer, ident), a certificate or another service, and this one is none of them.",
        codes=("28000 auth_failed",),
    ),
)

DATABASE = (
    rule(
        r'database "(?P<missing>.*)" does not exist|no such database',
        ConnectionFailed,
        None,
        "Check the name (it is case-sensitive here); without one, it is the user's name. dbname=postgres exists on most"
        " servers, and \\l there lists the others.",
        Reached.LOGIN,
        codes=("3D000",),
    ),
    rule(
        r"not currently accepting connections",
        ConnectionFailed,
        None,
        "Its owner set ALLOW_CONNECTIONS false: connect to another database, or have ALTER DATABASE … undo it.",
        Reached.LOGIN,
        codes=("55000",),
    ),
    rule(
        r'permission denied for database "(?P<closed>.*)"',
        ConnectionFailed,
        None,
        'Have its owner run: GRANT CONNECT ON DATABASE "{closed}" TO "{user}"',
        Reached.LOGIN,
        codes=("42501 CheckMyDatabase",),
    ),
    rule(
        r"too many clients|remaining connection slots|too many connections for|no more connections allowed",
        ConnectionFailed,
        None,
        "Every connection the server allows is in use: try again later, close other kernels (select * from"
        " pg_stat_activity shows whose they are), or have max_connections or the role's CONNECTION LIMIT raised.",
        codes=("53300",),
    ),
    STARTING,
    rule(
        r"the database system is not accepting connections",
        ConnectionFailed,
        None,
        "It is a standby with hot_standby off: connect to the primary.",
    ),
    rule(
        r"(?:server|session) is (?:not )?(?:in hot standby mode|read-only)",
        ConnectionFailed,
        None,
        "target_session_attrs asks for another kind of server: change it, or name more hosts (host=a,b).",
        Reached.LOGIN,
    ),
    rule(
        r"unsupported startup parameter",
        InvalidInput,
        None,
        "A pooler such as PgBouncer takes no options= at the start: leave it out and SET it in a cell.",
        codes=("08P01",),
    ),
    rule(
        r"invalid value for parameter|unrecognized configuration parameter|requires a value|permission denied to set"
        r" parameter|command-line argument",
        InvalidInput,
        None,
        "Correct options= or client_encoding= (or PGOPTIONS, PGCLIENTENCODING): options=-c\\ work_mem=64MB.",
        codes=("22023", "42704", "42601", "55P02", "42501"),
    ),
)
