"""``%tusk_connect``: its line → what to connect to, the password prompt, and the one line of report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections import conninfo as conninfos
from tusk_jupyter.connections.connection import Limits, Target
from tusk_jupyter.connections.conninfo import Conninfo, parse_duration
from tusk_jupyter.errors import BindingError, InvalidInput
from tusk_jupyter.magics.options import Option, Options, next_word, one_of, unquoted, whole_number, words
from tusk_jupyter.magics.scrubbing import scrub_history
from tusk_jupyter.queries.classify import STATEMENT_KEYWORDS
from tusk_jupyter.secret import Secret
from tusk_jupyter.widgets.result_footer import ConnectReport, StatusLine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.tusk import Tusk

_SSL = {"sslmode": "sslmode", "sslrootcert": "sslrootcert", "sslcert": "sslcert", "sslkey": "sslkey"}
SSLMODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def _connection_name(text: str) -> str:
    if not text or text.upper() in STATEMENT_KEYWORDS:
        raise InvalidInput(f"{text!r} cannot name a connection: a statement begins with it", advice="Choose another.")
    if (
        text.startswith(("-", "(", ":"))
        or "://" in text
        or "<<" in text
        or "=" in text
        or any(c.isspace() for c in text)
    ):
        raise InvalidInput(f"{text!r} cannot name a connection", advice="Letters, digits, _, -, . and @ will do.")
    return text


def _at_least_one(text: str) -> int:
    number = whole_number(text)
    if number < 1:
        raise InvalidInput("a pool needs at least one connection")
    return number


CONNECT_OPTIONS = Options(
    Option(("-n", "--name", "-A", "--alias"), "name", _connection_name),
    Option(("-W", "--password"), "ask"),
    Option(("--password-env",), "password_env", str),
    Option(("--password-command",), "password_command", str),
    Option(("--sslmode",), "sslmode", one_of(*SSLMODES)),
    Option(("--sslrootcert",), "sslrootcert", str),
    Option(("--sslcert",), "sslcert", str),
    Option(("--sslkey",), "sslkey", str),
    Option(("--read-only",), "read_only"),
    Option(("--statement-timeout",), "statement_timeout", str),
    Option(("--lock-timeout",), "lock_timeout", str),
    Option(("--connect-timeout",), "connect_timeout_s", parse_duration),
    Option(("--pool-size",), "pool_size", _at_least_one),
    Option(("--pool-timeout",), "pool_timeout_s", parse_duration),
    Option(("--application-name",), "application_name", str),
    Option(("--embedded",), "embedded"),
    Option(("--test",), "test"),
    magic="%tusk_connect",
)


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """What the line asks for; ``where`` are its words that are no options."""

    where: tuple[str, ...] = ()
    name: str | None = None
    ask: bool = False
    password_env: str | None = None
    password_command: str | None = None
    embedded: bool = False
    test: bool = False
    read_only: bool = False
    statement_timeout: str | None = None
    lock_timeout: str | None = None
    connect_timeout_s: float | None = None
    pool_size: int | None = None
    pool_timeout_s: float | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_connect(line: str) -> ConnectRequest:
    """Return the request of a ``%tusk_connect`` line.

    :raises InvalidInput: for what is not understood.
    """
    given: dict[str, Any] = {}
    parameters: dict[str, str] = {}
    where: list[str] = []
    position = 0
    while True:
        word, end = next_word(line, position)
        if not word:
            break
        if word.startswith("-"):
            option, value, position = CONNECT_OPTIONS.take(line, position)
            keeps = parameters if option.field in _SSL or option.field == "application_name" else given
            if option.field in keeps:
                raise InvalidInput(f"{option.names[0]} is given twice")
            keeps[option.field] = value
        else:
            # key='a b' keeps its quotes: they are libpq's
            where.append(word if "=" in word else unquoted(word))
            position = end
    for setting in ("statement_timeout", "lock_timeout"):
        if setting in given:
            given[setting] = f"{round(parse_duration(given[setting]) * 1000)}ms"
    return ConnectRequest(where=tuple(where), parameters=parameters, **given)


def target_of(request: ConnectRequest, *, tusk: Tusk, local_ns: Mapping[str, Any]) -> tuple[str | None, Target]:
    """Return the name (``None``: to be taken from the server) and the target of a request."""
    from tusk_jupyter.connections.opening import Settings

    name, embedded = request.name, None
    notes: tuple[str, ...] = ()
    if request.embedded:
        name, embedded, info, notes = _embedded(request, tusk)
    else:
        info = _conninfo(request.where, local_ns)
    info = info.merged(Conninfo(tuple(request.parameters.items())))
    if (password := _password(request)) is not None:
        info = replace(info, password=password)
    limits = Limits(
        **{k: v for k in ("connect_timeout_s", "pool_size", "pool_timeout_s") if (v := getattr(request, k)) is not None}
    )
    settings = Settings(
        statement_timeout=request.statement_timeout, lock_timeout=request.lock_timeout, read_only=request.read_only
    )
    return name, Target(info, settings, limits, embedded=embedded, notes=notes, ask=request.ask)


def _embedded(request: ConnectRequest, tusk: Tusk) -> tuple[str, str, Conninfo, tuple[str, ...]]:
    from tusk_jupyter.connections import embedded

    if len(request.where) > 1:
        raise InvalidInput("--embedded takes one name at most", advice="%tusk_connect --embedded NAME")
    if tusk.files.directory is None:
        raise InvalidInput("there is no data directory to keep an embedded server in")
    server = embedded.start(request.where[0] if request.where else "main", tusk.files.directory / "embedded")
    info = Conninfo(
        (
            ("host", server.host),
            ("port", str(server.port)),
            ("dbname", server.dbname),
            ("user", server.user),
            ("require_auth", "scram-sha-256"),
        ),
        password=server.password,
    )
    notes = (server.note,) if server.note else ()
    return request.name or f"{server.dbname}@embedded", server.name, info, notes


def _conninfo(where: tuple[str, ...], local_ns: Mapping[str, Any]) -> Conninfo:
    if len(where) == 1 and where[0].startswith(":") and where[0][1:].isidentifier():
        return _from_variable(where[0][1:], local_ns)
    text = " ".join(where)
    if conninfos.is_url(text) or "://" in text:
        if len(where) > 1:
            raise InvalidInput(
                "there is something besides the URL", advice="A URL holds no spaces: write %20, or quote the URL."
            )
        return conninfos.parse(text)
    if conninfos.looks_like_conninfo(text):
        return conninfos.parse(text)
    raise InvalidInput(
        f"{where[0]!r} is neither a URL nor key=value, and no connection of that name is open",
        advice="%tusk_connect postgresql://user@host/database, or host=… dbname=…, or service=…",
    )


def _from_variable(name: str, local_ns: Mapping[str, Any]) -> Conninfo:
    if name not in local_ns:
        raise BindingError(f"there is no variable {name!r} to connect to", name=name)
    value = local_ns[name]
    if hasattr(value, "render_as_string"):  # SQLAlchemy's URL, whose str() hides the password
        value = value.render_as_string(hide_password=False)
    if not isinstance(value, str):
        kind = type(value).__name__
        raise BindingError(f"{name!r} must hold a URL or key=value text, and is a {kind}", name=name)
    return conninfos.parse(value)


def _password(request: ConnectRequest) -> Secret | None:
    from tusk_jupyter.connections import credentials

    if request.password_env is not None:
        return credentials.from_env(request.password_env)
    if request.password_command is not None:
        return credentials.from_command(request.password_command)
    return None


def report(connection: Connection, *more: str) -> ConnectReport:
    """Return the line that says what is connected."""
    server = connection.server
    read_only = connection.target.settings.read_only
    notes = [*connection.target.notes, *more]
    if read_only:
        notes.append(
            "read-only protects against mistakes; security against others is a role without write rights"
            + (" (this role is a superuser)" if server is not None and server.superuser else "")
        )
    if server is None:
        return ConnectReport(connection.name, "?", "?", "?", None, read_only, tuple(notes))
    if server.in_recovery:
        notes.append("the server is a standby: it accepts no writes")
    return ConnectReport(
        connection.name, server.version, server.dbname, server.user, server.tls, read_only, tuple(notes)
    )


def ask(text: str) -> Secret | None:
    """Ask for a password: never echoed, never in the notebook; ``None`` where nobody can be asked."""
    import getpass

    try:
        return Secret(getpass.getpass(text))
    except (EOFError, OSError):
        return None
    except Exception as error:  # a kernel without stdin raises its own class; anything else is not ours to hide
        if type(error).__name__ != "StdinNotImplementedError":
            raise
        return None


def run(tusk: Tusk, shell: Any, output: CellOutput, *, line: str, local_ns: Mapping[str, Any]) -> None:
    """Run ``%tusk_connect LINE`` and show its report."""
    # before anything can refuse the line: its password is in the history already
    shows_password = scrub_history(shell, line)
    given = words(line)
    if not given:
        output.show(_nothing_given(tusk))
        return
    if len(given) == 1 and given[0] in tusk.connections.names():
        connection = tusk.connections.use(given[0])
        connection.session(ask)
        output.show(report(connection))
        return
    request = parse_connect(line)
    if not request.embedded and not request.where:
        raise InvalidInput(
            "there is nothing to connect to on the line",
            advice="%tusk_connect postgresql://user@host/database, or host=… dbname=…, or --embedded",
        )
    name, target = target_of(request, tusk=tusk, local_ns=local_ns)
    if request.test:
        connection = tusk.connections.test(name, target, ask=ask)
        output.show(report(connection, "tested: connected and closed again, nothing is kept"))
        return
    connection = tusk.connections.connect(name, target, ask=ask)
    notes = ("the notebook file still shows the password in this cell's source",) if shows_password else ()
    output.show(report(connection, *notes))


def _nothing_given(tusk: Tusk) -> StatusLine:
    names, current = tusk.connections.names(), tusk.connections.current
    head = f"connected: {', '.join(names)}; cells run on {current.name}" if current else "nothing is connected yet"
    ways = (
        "%tusk_connect postgresql://user@host/database",
        "%tusk_connect host=… dbname=… user=…, or service=NAME, or :variable",
        "%tusk_connect --embedded [NAME]",
    )
    return StatusLine(head, ways)
