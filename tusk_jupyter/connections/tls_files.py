"""Look at certificate files before libpq does.

libpq leaves out a client certificate that is missing (the server then asks for one as if none had been named), takes
``sslrootcert`` for optional below ``verify-ca``, and asks for the passphrase of an encrypted key on the kernel's
terminal, where nobody sits and no time limit holds. With a wrong one ``sslmode=prefer`` goes on without TLS and without
a word. None of that is left to it.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tusk_jupyter.connections import service_file
from tusk_jupyter.connections.tls_paths import is_no_path
from tusk_jupyter.errors import SslError
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from tusk_jupyter.connections.conninfo import Conninfo

_ENVIRONMENT = {
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "sslcrl": "PGSSLCRL",
    "sslcertmode": "PGSSLCERTMODE",
}
_MUST_ENCRYPT = ("require", "verify-ca", "verify-full")
_HEADER_BYTES = 4096


def check_files(conninfo: Conninfo) -> SslError | None:
    """Return what is wrong with a file that these parameters (or ``PGSSL*``, or libpq's defaults) name, if anything."""
    if _value(conninfo, "sslmode") == "disable" or (conninfo.host or "").startswith("/"):
        return None
    named = ["sslrootcert", "sslcrl"]
    if certified := _value(conninfo, "sslcertmode") != "disable":
        named += ["sslcert", "sslkey"]
    for keyword in named:
        if (value := _value(conninfo, keyword)) and (problem := _unreadable(keyword, value)):
            return problem
    if problem := _no_revocations(_value(conninfo, "sslcrl")):
        return problem
    key = _key(conninfo)
    if not certified or key is None:
        return None
    return _unreadable("sslkey", str(key)) or _open_to_others(key) or _locked(key, conninfo)


def wants_passphrase(conninfo: Conninfo) -> Literal["missing", "wrong"] | None:
    """Return whether the client key is encrypted, and its passphrase is not known or does not open it."""
    key = _key(conninfo)
    if key is None or _unreadable("sslkey", str(key)) or not _is_encrypted(key):
        return None
    # '' is no passphrase to libpq, it would ask; a blank is one
    passphrase = passphrase_of(conninfo)
    if not passphrase:
        return "missing"
    certificate = _value(conninfo, "sslcert") or str(_folder() / "postgresql.crt")
    return None if _opens(certificate, key, passphrase) else "wrong"


def passphrase_of(conninfo: Conninfo) -> Secret | None:
    """Return the passphrase of the client key that was given, or that stands in the service's section."""
    if conninfo.sslpassword is not None:
        return conninfo.sslpassword
    found = service_file.get(conninfo, "sslpassword")
    return Secret(found) if found else None


def key_path(conninfo: Conninfo) -> str:
    """Return the client key's file, as a question names it."""
    return str(_key(conninfo) or "")


def _value(conninfo: Conninfo, keyword: str) -> str | None:
    # in libpq's order
    for said in (conninfo.get(keyword), service_file.get(conninfo, keyword)):
        if said is not None:
            return said
    return os.environ.get(_ENVIRONMENT[keyword])


def _key(conninfo: Conninfo) -> Path | None:
    """Return the key that libpq would open; it looks for one only where there is a certificate."""
    # https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-CLIENTCERT
    certificate, key = _value(conninfo, "sslcert"), _value(conninfo, "sslkey")
    if not (certificate or key) and _value(conninfo, "sslmode") not in _MUST_ENCRYPT:
        # what lies in the default place is no reason to refuse a server that may not even have TLS
        return None
    found = Path(key or _folder() / "postgresql.key")
    there = os.access(certificate or _folder() / "postgresql.crt", os.F_OK) and os.access(found, os.F_OK)
    return found if there else None


def _folder() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", ""), "postgresql")
    return Path(os.path.expanduser("~/.postgresql"))  # noqa: PTH111 - no exception without a home


def _unreadable(keyword: str, value: str) -> SslError | None:
    if is_no_path(keyword, value):
        return None
    try:
        with Path(value).open("rb"):
            return None
    except OSError as error:
        why = error.strerror or type(error).__name__
    home = " In a variable or a service file libpq does not expand '~'." if value.startswith("~") else ""
    option = "sslcrl in the connection parameters" if keyword == "sslcrl" else f"--{keyword}"
    return SslError(
        f"the file of {keyword} cannot be read: {value!r}: {why}",
        advice=f"Check the path and that this user may read it ({option}).{home} libpq would go on without it.",
        facts=(("file", value),),
    )


def _no_revocations(file: str | None) -> SslError | None:
    """Refuse what holds no list: libpq goes on without, and nothing counts as revoked."""
    if not file:
        return None
    import ssl

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:
        return SslError(
            f"the file of sslcrl holds no revocation list: {file!r}",
            advice="It must be in PEM form (-----BEGIN X509 CRL-----): openssl crl -inform der turns the other form"
            " into it. libpq would go on without it.",
            facts=(("file", file),),
        )
    return None


def _open_to_others(key: Path) -> SslError | None:
    """Apply libpq's rule: 0600 for a key of one's own, 0640 for one of root's."""
    if sys.platform == "win32":
        return None
    found = key.stat()
    forbidden = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO if found.st_uid == 0 else stat.S_IRWXG | stat.S_IRWXO
    if not found.st_mode & forbidden:
        return None
    return SslError(
        f"others may read the private key {str(key)!r}, so libpq does not use it",
        advice=f"chmod 600 {key}",
        facts=(("file", f"{key}, mode {stat.S_IMODE(found.st_mode):04o}"),),
    )


def _locked(key: Path, conninfo: Conninfo) -> SslError | None:
    match wants_passphrase(conninfo):
        case "missing":
            return SslError(
                f"the private key {str(key)!r} is encrypted, and no passphrase was given",
                advice="%tusk_connect asks for it where somebody can be asked, and --save keeps it in the keychain; the"
                " connection manager has a field for it, connection parameters the keyword sslpassword.",
                facts=(("file", str(key)),),
            )
        case "wrong":
            return SslError(
                f"the passphrase does not open the private key {str(key)!r}",
                advice=f"Connect again to be asked for it. openssl pkey -noout -in {key} tells whether it is right.",
                facts=(("file", str(key)),),
            )
    return None


def _is_encrypted(key: Path) -> bool:
    with key.open("rb") as file:
        # PKCS#8 says so in its first line, the traditional form in «Proc-Type: 4,ENCRYPTED»
        return b"ENCRYPTED" in file.read(_HEADER_BYTES)


def _opens(certificate: str, key: Path, passphrase: Secret) -> bool:
    """Try a passphrase as OpenSSL will; everything else that may be wrong with the files is left to libpq to say."""
    import ssl

    asked = False

    def answer() -> str:
        nonlocal asked
        asked = True
        return passphrase.reveal()

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, answer)
    except ssl.SSLError as error:
        return not asked or error.reason == "KEY_VALUES_MISMATCH"
    except OSError:
        return True
    except ValueError:  # longer than OpenSSL takes
        return False
    return True
