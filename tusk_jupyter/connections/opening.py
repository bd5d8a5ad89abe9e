"""Opening one connection to a server: libpq's parameters, time limits, what is asked of the server first.

Runs on a worker thread and *returns* its failure: an exception object that was never raised carries no traceback, and
so no frame in which a debugger or ``%xmode Verbose`` could find the password (psycopg's own exceptions do:
``.pgconn``).

The limit bounds the whole attempt, retries included; libpq's ``connect_timeout`` bounds each address only. Keepalives
and ``tcp_user_timeout`` find a dead network in about 20 s instead of two hours, ``client_connection_check_interval``
lets a server notice within 2 s that this kernel was killed, and free its locks. Settings are made by ``SET`` after
connecting, because PgBouncer refuses a startup packet with ``options``.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg

from tusk_jupyter.connections import failures
from tusk_jupyter.connections.diagnoses import Reached

if TYPE_CHECKING:
    from tusk_jupyter.connections.conninfo import Conninfo
    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.secret import Secret

RETRY_S = 0.3

_SERVER = """
select current_setting('server_version'), current_database(), current_user, current_setting('is_superuser'),
       pg_is_in_recovery()::text, coalesce(s.version, ''), coalesce(s.cipher, ''),
       (select setting from pg_settings where name = 'statement_timeout'),
       current_setting('server_version_num')
from (select 1) one left join pg_stat_ssl s on s.pid = pg_backend_pid() and s.ssl
"""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What the server said of itself and of this connection."""

    version: str
    version_num: int
    dbname: str
    user: str
    superuser: bool
    in_recovery: bool
    tls: str | None
    statement_timeout_ms: int
    backend_pid: int
    host: str
    port: int = 5432
    # every libpq keyword in force that is not its default, from wherever it came; no password is among them
    parameters: tuple[tuple[str, str], ...] = ()
    used_password: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set in every session of a connection, as PostgreSQL writes durations; ``None`` leaves the server's."""

    statement_timeout: str | None = None
    lock_timeout: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A failed attempt; ``asks`` when the server wants a password and none was given, ``reached`` how far it came."""

    error: TuskError
    asks: bool = False
    reached: Reached = Reached.NOTHING


def connect(
    conninfo: Conninfo, *, password: Secret | None, timeout_s: float, settings: Settings, name: str
) -> psycopg.Connection[Any] | Refused:
    """Try until it works, fails for good, or the time is over; servers that are starting up are tried again."""
    deadline = time.monotonic() + timeout_s
    if problem := failures.check_files(conninfo):
        return Refused(problem)
    while True:
        left = deadline - time.monotonic()
        outcome = _attempt(conninfo, password, max(left, 0.1), settings)
        if not isinstance(outcome, BaseException):
            return outcome
        if failures.is_starting(outcome) and deadline - time.monotonic() > RETRY_S:
            time.sleep(RETRY_S)
            continue
        secrets = [s for s in (password, conninfo.password, conninfo.sslpassword) if s is not None]
        error = failures.connect_error(
            outcome, target=conninfo.redacted(), name=name, conninfo=conninfo, secrets=secrets, timeout_s=timeout_s
        )
        asks = password is None and failures.needs_password(outcome)
        return Refused(error, asks=asks, reached=failures.furthest(outcome))


def _attempt(
    conninfo: Conninfo, password: Secret | None, timeout_s: float, settings: Settings
) -> psycopg.Connection[Any] | Exception:
    try:
        conn = psycopg.Connection.connect(
            autocommit=True, prepare_threshold=None, **_parameters(conninfo, password, timeout_s)
        )
    except (psycopg.Error, OSError, ValueError) as error:
        return error
    try:
        _apply(conn, settings)
    except (psycopg.Error, OSError) as error:
        conn.close()
        return error
    return conn


def _parameters(conninfo: Conninfo, password: Secret | None, timeout_s: float) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "fallback_application_name": "Tusk",
        **conninfo.kwargs(),
        # psycopg sends and reads text; whatever PGCLIENTENCODING says, it is UTF-8 between us and libpq
        "client_encoding": "UTF8",
        # libpq takes whole seconds, and 1 means 2 to it
        "connect_timeout": str(max(2, int(timeout_s))),
    }
    if sys.platform.startswith("linux"):
        parameters.setdefault("tcp_user_timeout", "20000")
    if (given := password or conninfo.password) is not None:
        parameters["password"] = given.reveal()
    # without one libpq would ask for an encrypted key's passphrase on the server's terminal, and wait there for ever
    parameters["sslpassword"] = conninfo.sslpassword.reveal() if conninfo.sslpassword is not None else " "
    return parameters


def _apply(conn: psycopg.Connection[Any], settings: Settings) -> None:
    for setting in ("statement_timeout", "lock_timeout"):
        if (value := getattr(settings, setting)) is not None:
            conn.execute("select set_config(%s, %s, false)", (setting, value))
    try:
        conn.execute("set client_connection_check_interval = '2s'")
    except psycopg.Error:  # before PostgreSQL 14, and where the platform cannot
        if conn.closed:
            raise


def server_info(conn: psycopg.Connection[Any]) -> ServerInfo:
    """Ask once, before the connection is handed to its session."""
    row = conn.execute(_SERVER).fetchone()
    if row is None:
        raise psycopg.OperationalError("the server did not describe itself")
    version, dbname, user, superuser, recovery, tls, cipher, timeout, number = row
    return ServerInfo(
        version=version.split()[0],
        version_num=int(number),
        dbname=dbname,
        user=user,
        superuser=superuser == "on",
        in_recovery=recovery == "true",
        tls=f"{tls} ({cipher})" if tls else ("TLS" if conn.pgconn.ssl_in_use else None),
        statement_timeout_ms=int(timeout),
        backend_pid=conn.info.backend_pid,
        host=conn.info.host or "",
        port=conn.info.port,
        parameters=tuple(conn.info.get_parameters().items()),
        used_password=bool(conn.pgconn.used_password),
    )
