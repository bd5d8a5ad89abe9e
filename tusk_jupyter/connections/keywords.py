"""The words of libpq's connection parameters.

A list of our own, because asking libpq for its (``PQconndefaults``) loads psycopg, 73 ms, for what only reads text; a
test compares the two.
"""

from __future__ import annotations

import difflib

# PQconndefaults() of libpq 18, in its order, without its secrets
# https://www.postgresql.org/docs/18/libpq-connect.html#LIBPQ-PARAMKEYWORDS
KEYWORDS = (
    "service",
    "user",
    "passfile",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "port",
    "client_encoding",
    "options",
    "application_name",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "sslmode",
    "sslnegotiation",
    "sslcompression",
    "sslcert",
    "sslkey",
    "sslcertmode",
    "sslrootcert",
    "sslcrl",
    "sslcrldir",
    "sslsni",
    "requirepeer",
    "require_auth",
    "min_protocol_version",
    "max_protocol_version",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "gssencmode",
    "krbsrvname",
    "gsslib",
    "gssdelegation",
    "replication",
    "target_session_attrs",
    "load_balance_hosts",
    "oauth_issuer",
    "oauth_client_id",
    "oauth_scope",
    "sslkeylogfile",
)
SECRET_KEYWORDS = ("password", "sslpassword")
# secrets that this record has no place for: they may stand in a service file, which libpq reads by itself
REFUSED_KEYWORDS = ("oauth_client_secret", "scram_client_key", "scram_server_key")
CHOICES = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "channel_binding": ("disable", "prefer", "require"),
    "gssencmode": ("disable", "prefer", "require"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "load_balance_hosts": ("disable", "random"),
}
# what other drivers call it
OTHER_NAMES = {
    "username": "user",
    "database": "dbname",
    "db": "dbname",
    "server": "host",
    "hostname": "host",
    "pass": "password",
    "pwd": "password",
    "passwd": "password",
    "timeout": "connect_timeout",
    "ssl": "sslmode",
}


def is_known(keyword: str) -> bool:
    """Return whether the keyword may stand in connection parameters."""
    return keyword in KEYWORDS or keyword in SECRET_KEYWORDS


def near(keyword: str) -> str | None:
    """Return the keyword that was probably meant."""
    close = difflib.get_close_matches(keyword.lower(), (*KEYWORDS, *SECRET_KEYWORDS), n=1, cutoff=0.75)
    return OTHER_NAMES.get(keyword.lower()) or (close[0] if close else None)
