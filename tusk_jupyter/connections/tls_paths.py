"""Paths of certificate files as people write them, and the certificates that «system» means.

libpq expands no ``~`` and takes a relative path from wherever the process is at the moment, so a ``%cd`` in between
would break the next connection of the pool: both are made whole once, when a target is first used.

``sslrootcert=system`` asks OpenSSL for its own directory, and the one inside psycopg's wheels has a directory that
exists nowhere (``/usr/lib/psycopg-openssl``): no certificate could ever be verified. There the bundle of this machine
is named instead, with the ``sslmode=verify-full`` that «system» implies. https://github.com/psycopg/psycopg builds it
so because no single path fits every Linux.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tusk_jupyter.connections import service_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tusk_jupyter.connections.conninfo import Conninfo

FILES = ("sslcert", "sslkey", "sslrootcert", "sslcrl", "sslcrldir")
# Debian, Alpine, Arch; Fedora and its kin; SUSE; macOS, the BSDs
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def resolved(conninfo: Conninfo) -> Conninfo:
    """Return the parameters with whole paths; what is no path (``system``, a key in hardware) stays as it is."""
    given = {key: value for key in FILES if (value := conninfo.get(key)) and not is_no_path(key, value)}
    whole = {key: _whole(value) for key, value in given.items()}
    return conninfo.with_(**whole) if whole != given else conninfo


def is_no_path(keyword: str, value: str) -> bool:
    """Return whether the value names something else than a file: «engine:key» is a key in hardware."""
    if keyword == "sslkey":
        return ":" in value and sys.platform != "win32"
    return keyword == "sslrootcert" and value == "system"


def _whole(path: str) -> str:
    try:
        return str(Path(path).expanduser().absolute())
    except (RuntimeError, OSError):  # a user that is not there, a working directory that was removed
        return path


def _in_force(conninfo: Conninfo, keyword: str, environ: Mapping[str, str]) -> str | None:
    """Return what libpq would take, in its order: parameters, service, environment."""
    given = conninfo.get(keyword) or service_file.get(conninfo, keyword, environ)
    return given or environ.get(f"PG{keyword.upper()}")


def system_roots(conninfo: Conninfo, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the keywords that stand for ``sslrootcert=system`` where libpq's OpenSSL could not know what it means."""
    from psycopg import pq

    environ = os.environ if environ is None else environ
    wanted = _in_force(conninfo, "sslrootcert", environ)
    mode = _in_force(conninfo, "sslmode", environ) or "verify-full"
    # a weaker mode is refused by libpq, in words that say why
    if wanted != "system" or mode != "verify-full" or pq.__impl__ != "binary":
        return {}
    if environ.get("SSL_CERT_FILE") or environ.get("SSL_CERT_DIR"):
        return {}
    found = next((path for path in _BUNDLES if os.access(path, os.R_OK)), None)
    return {"sslrootcert": found, "sslmode": mode} if found is not None else {}
