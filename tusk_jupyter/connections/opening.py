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

import os
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import psycopg
from psycopg import sql

from tusk_jupyter.connections import (
    encryption,
    failures,
    liveness,
    powers,
    service_file,
    time_outs,
    tls_files,
    tls_paths,
)
from tusk_jupyter.connections.diagnoses import Reached
from tusk_jupyter.connections.keywords import KEYWORDS
from tusk_jupyter.connections.patience import Patience
from tusk_jupyter.connections.verbose import VerboseConnection

if TYPE_CHECKING:
    from tusk_jupyter.connections.certificate_look import Certificate
    from tusk_jupyter.connections.conninfo import Conninfo
    from tusk_jupyter.connections.encryption import Encryption
    from tusk_jupyter.connections.pooler import PoolerMode
    from tusk_jupyter.connections.time_outs import TimeOut
    from tusk_jupyter.errors import TuskError
    from tusk_jupyter.secret import Secret

CHECK_INTERVAL = "2s"
# asks for the backend as well: through a pooler it is another one than the pooler said, and a setting would be a leak
_CHECK_CLIENTS = """
select pg_catalog.pg_backend_pid(), (
  select pg_catalog.set_config(name, '2s', false) from pg_catalog.pg_settings
  where name = 'client_connection_check_interval' and pg_catalog.pg_backend_pid() = {pid}
)
"""

_SERVER = f"""
select current_setting('server_version'), current_database(), current_user, current_setting('is_superuser'),
       pg_is_in_recovery()::text, coalesce(s.version, ''), coalesce(s.cipher, ''),
       ({time_outs.READ})::text,
       current_setting('server_version_num'), coalesce((select setting from pg_settings where name = 'ssl'), 'off'),
       pg_backend_pid(), current_setting('client_connection_check_interval', true),
       extract(epoch from pg_postmaster_start_time())::text
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
    encryption: Encryption
    time_outs: dict[str, TimeOut]
    backend_pid: int
    host: str
    port: int = 5432
    # every libpq keyword in force that is not its default, from wherever it came; no password is among them
    parameters: tuple[tuple[str, str], ...] = ()
    used_password: bool = False
    # the server can look whether its client is there, and does
    checks_clients: bool = False
    # that the server was starting up, where it let us wait
    waited: str | None = None
    # its notices at the login
    greeted: tuple[str, ...] = ()
    # of a read-only connection's role: what no read-only transaction holds back
    powers: tuple[str, ...] = ()
    # how the pooler in between lends its connections, as far as that is known
    pooler: PoolerMode | None = None
    # when the server was started: whoever has the same is the same server, whatever way leads there
    started: str = ""

    @property
    def keeps_sessions(self) -> bool:
        """Whether what is set in a session stays there, and reaches nobody else."""
        return self.pooler in {None, "session"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What is set in every session of a connection, as PostgreSQL writes durations; ``None`` leaves the server's."""

    statement_timeout: str | None = None
    lock_timeout: str | None = None
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """A failed attempt, and how far it came.

    ``asks`` when the server wants a password and none was given, ``passphrase`` when the client key wants one, or
    another.
    """

    error: TuskError
    asks: bool = False
    reached: Reached = Reached.NOTHING
    passphrase: Literal["missing", "wrong"] | None = None


def connect(
    conninfo: Conninfo, *, password: Secret | None, timeout_s: float, settings: Settings, name: str
) -> VerboseConnection | Refused:
    """Try until it works, fails for good, or the time is over; servers that are starting up are tried again."""
    deadline = time.monotonic() + timeout_s
    if problem := failures.check_files(conninfo):
        return Refused(problem, passphrase=failures.wants_passphrase(conninfo))
    patience = Patience(deadline)
    while True:
        outcome = _attempt(conninfo, password, max(deadline - time.monotonic(), 0.1), settings)
        if not isinstance(outcome, BaseException):
            outcome.waited = patience.waited
            return outcome
        if patience.is_worth_more(outcome):
            continue
        secrets = [s for s in (password, conninfo.password, tls_files.passphrase_of(conninfo)) if s is not None]
        error = failures.connect_error(
            outcome,
            target=conninfo.redacted(),
            name=name,
            conninfo=conninfo,
            secrets=secrets,
            timeout_s=timeout_s,
            tries=patience.tried,
            certificate=_certificate(outcome, deadline),
        )
        asks = password is None and failures.needs_password(outcome)
        return Refused(error, asks=asks, reached=failures.furthest(outcome))


def _certificate(failure: BaseException, deadline: float) -> Certificate | None:
    """Look at a certificate that libpq refused without saying why."""
    pgconn = getattr(failure, "pgconn", None)
    if pgconn is None or not failures.is_untrusted(failure):
        return None
    from tusk_jupyter.connections import certificate_look

    return certificate_look.look(pgconn, until=deadline)


def _attempt(
    conninfo: Conninfo, password: Secret | None, timeout_s: float, settings: Settings
) -> VerboseConnection | Exception:
    deadline = time.monotonic() + timeout_s
    conn = log_in(conninfo, password, timeout_s)
    if isinstance(conn, Exception):
        return conn
    try:
        _apply(conn, settings, max(deadline - time.monotonic(), 0.1))
    except (psycopg.Error, OSError) as error:
        conn.close()
        return error
    return conn


def log_in(conninfo: Conninfo, password: Secret | None, timeout_s: float) -> VerboseConnection | Exception:
    """Open a connection on which nothing is said yet, or return why not."""
    try:
        return VerboseConnection.connect(
            autocommit=True, prepare_threshold=None, **_parameters(conninfo, password, timeout_s)
        )
    except (psycopg.Error, OSError, ValueError) as error:
        return error


def _parameters(conninfo: Conninfo, password: Secret | None, timeout_s: float) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "3",
        "fallback_application_name": "Tusk",
        **conninfo.kwargs(),
        **tls_paths.system_roots(conninfo),
        # psycopg sends and reads text; whatever PGCLIENTENCODING says, it is UTF-8 between us and libpq
        "client_encoding": "UTF8",
        # libpq takes whole seconds, and 1 means 2 to it; a silent host is to leave time for the others
        "connect_timeout": str(max(2, int(timeout_s / _hosts(conninfo)))),
    }
    if sys.platform.startswith("linux"):
        parameters.setdefault("tcp_user_timeout", "20000")
    if (given := password or conninfo.password) is not None:
        parameters["password"] = given.reveal()
    # without one libpq would ask for an encrypted key's passphrase on the server's terminal, and wait there for ever
    passphrase = tls_files.passphrase_of(conninfo)
    parameters["sslpassword"] = passphrase.reveal() if passphrase is not None else " "
    return parameters


def _hosts(conninfo: Conninfo) -> int:
    named = (
        conninfo.get("hostaddr")
        or conninfo.host
        or service_file.get(conninfo, "host")
        or os.environ.get("PGHOSTADDR")
        or os.environ.get("PGHOST")
    )
    return (named or "").count(",") + 1


def _apply(conn: psycopg.Connection[Any], settings: Settings, limit_s: float) -> None:
    """Make the settings, unless there is a pooler in between: then whoever knows its mode makes them, or nobody."""
    pid = conn.pgconn.backend_pid
    if _check_clients(conn, limit_s, only_on=str(pid)) == pid:
        _make(conn, settings, limit_s)


def apply_through_pooler(conn: psycopg.Connection[Any], settings: Settings, limit_s: float) -> None:
    """Make the settings all the same; :raises psycopg.Error: when the server refuses."""
    _check_clients(conn, limit_s, only_on="pg_catalog.pg_backend_pid()")
    _make(conn, settings, limit_s)


def _check_clients(conn: psycopg.Connection[Any], limit_s: float, *, only_on: str) -> int:
    """Have the server look whether we are there, if it is that backend; return which one it is."""
    try:
        found = liveness.run_within(conn, limit_s, _CHECK_CLIENTS.format(pid=only_on).encode())
    except psycopg.Error:  # where the server's platform cannot
        if conn.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            raise
        found = liveness.run_within(conn, limit_s, b"select pg_catalog.pg_backend_pid()")
    return int((found.get_value(0, 0) if found is not None else None) or 0)


def _make(conn: psycopg.Connection[Any], settings: Settings, limit_s: float) -> None:
    liveness.run_within(conn, limit_s, *session_settings(settings, checks_clients=False))


def session_settings(settings: Settings, *, checks_clients: bool) -> tuple[bytes, ...]:
    """Return the statements that make a session what it is to be: when it begins, and after each DISCARD ALL.

    :param checks_clients: the server has ``client_connection_check_interval``, and can.
    """
    values = {
        "statement_timeout": settings.statement_timeout,
        "lock_timeout": settings.lock_timeout,
        # the second line of defence: the first is each statement's own transaction, which no SET undoes
        "default_transaction_read_only": "on" if settings.read_only else None,
        "client_connection_check_interval": CHECK_INTERVAL if checks_clients else None,
    }
    made = [
        sql.SQL("pg_catalog.set_config({}, {}, false)").format(name, value)
        for name, value in values.items()
        if value is not None
    ]
    return (sql.SQL("select {}").format(sql.SQL(", ").join(made)).as_bytes(),) if made else ()


def server_info(
    conn: psycopg.Connection[Any], *, deadline: float, read_only: bool, tunnelled: bool = False
) -> ServerInfo:
    """Ask once, before the connection is handed to its session.

    :param deadline: by ``time.monotonic()``; a server that says nothing until then is a ``ConnectionTimeout``.
    """
    rows = liveness.ask(conn, max(deadline - time.monotonic(), 0.1), _SERVER.encode())
    version, dbname, user, superuser, recovery, tls, cipher, limits, number, ssl, backend, interval, started = (
        value or "" for value in rows[0]
    )
    pid = int(backend)
    pooled = pid != conn.pgconn.backend_pid
    return ServerInfo(
        version=version.split()[0],
        version_num=int(number),
        dbname=dbname,
        user=user,
        superuser=superuser == "on",
        in_recovery=recovery == "true",
        encryption=encryption.of(
            conn,
            offered=ssl == "on",
            tunnelled=tunnelled,
            # a pooler's way to the server is another one than ours to the pooler
            seen_by_server=f"{tls} ({cipher})" if tls and not pooled else None,
        ),
        time_outs=time_outs.parse(limits),
        backend_pid=pid,
        host=conn.info.host or "",
        port=conn.info.port,
        # psycopg leaves out the password, and neither the passphrase of a key nor what a newer libpq has for secrets
        parameters=tuple((key, value) for key, value in conn.info.get_parameters().items() if key in KEYWORDS),
        used_password=bool(conn.pgconn.used_password),
        checks_clients=interval == CHECK_INTERVAL,
        pooler="unknown" if pooled else None,
        waited=getattr(conn, "waited", None),
        greeted=getattr(conn, "greeted", ()),
        started=started,
        powers=powers.ask(conn, max(deadline - time.monotonic(), 0.1)) if read_only else (),
    )
