"""``%tusk_connect``: its line → what to connect to, the password prompt, and the one line of report."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections import conninfo as conninfos
from tusk_jupyter.connections.conninfo import Conninfo
from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.connections.saved import AUTH_METHODS, COLORS, SSL_MODES, SshTunnel, name_problem
from tusk_jupyter.connections.target import Target
from tusk_jupyter.errors import BindingError, InvalidInput
from tusk_jupyter.magics.options import Option, Options, next_word, one_of, unquoted, whole_number, words
from tusk_jupyter.magics.scrubbing import scrub_history
from tusk_jupyter.queries.classify import STATEMENT_KEYWORDS
from tusk_jupyter.secret import Secret
from tusk_jupyter.widgets.result_footer import ConnectReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.tusk import Tusk

_SSL = {"sslmode": "sslmode", "sslrootcert": "sslrootcert", "sslcert": "sslcert", "sslkey": "sslkey"}


def connection_name(text: str) -> str:
    """Return the name if cells can use it; :raises InvalidInput: when a statement could begin with it."""
    if not text or text.upper() in STATEMENT_KEYWORDS:
        raise InvalidInput(f"{text!r} cannot name a connection: a statement begins with it", advice="Choose another.")
    if why := name_problem(text):
        raise InvalidInput(why, advice="Nothing was connected.")
    return text


def _ssh_address(text: str) -> SshTunnel:
    from tusk_jupyter.connections.ssh_address import parse_ssh

    return parse_ssh(text)


def _at_least_one(text: str) -> int:
    number = whole_number(text)
    if number < 1:
        raise InvalidInput("a pool needs at least one connection")
    return number


CONNECT_OPTIONS = Options(
    Option(("-n", "--name", "-A", "--alias"), "name", connection_name),
    Option(("-W", "--password"), "ask"),
    Option(("--password-env",), "password_env", str),
    Option(("--password-command",), "password_command", str),
    Option(("--sslmode",), "sslmode", one_of(*SSL_MODES)),
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
    Option(("--save",), "save"),
    Option(("--group",), "group", str),
    Option(("--color",), "color", one_of(*COLORS)),
    Option(("--no-history",), "history", value=False),
    Option(("--ssh",), "ssh", _ssh_address),
    Option(("--ssh-auth",), "ssh_auth", one_of(*AUTH_METHODS)),
    Option(("--ssh-key",), "ssh_key", str),
    Option(("--ssh-config",), "ssh_config", str),
    Option(("--ssh-local-port",), "ssh_local_port", whole_number),
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
    save: bool = False
    group: str | None = None
    color: str | None = None
    history: bool = True
    ssh: SshTunnel | None = None
    ssh_auth: str | None = None
    ssh_key: str | None = None
    ssh_config: str | None = None
    ssh_local_port: int | None = None
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
    name, base = _base(request, tusk, local_ns)
    info = base.conninfo.merged(Conninfo(tuple(request.parameters.items())))
    if (password := _password(request)) is not None:
        info = replace(info, password=password)
    chosen = {
        k: v for k in ("connect_timeout_s", "pool_size", "pool_timeout_s") if (v := getattr(request, k)) is not None
    }
    settings = {k: v for k in ("statement_timeout", "lock_timeout") if (v := getattr(request, k)) is not None}
    return name, replace(
        base,
        conninfo=info,
        settings=replace(base.settings, read_only=base.settings.read_only or request.read_only, **settings),
        limits=replace(base.limits, **chosen),
        ask=request.ask,
        ssh=_tunnel(request, base.ssh),
        history=base.history and request.history,
    )


def _base(request: ConnectRequest, tusk: Tusk, local_ns: Mapping[str, Any]) -> tuple[str | None, Target]:
    """Return what the words say, before the options: a saved connection, the embedded server, or parameters."""
    from tusk_jupyter.connections.opening import Settings

    if request.embedded:
        return _embedded(request, tusk)
    word = request.where[0]
    if len(request.where) == 1 and not conninfos.looks_like_conninfo(word) and "://" not in word and word[0] != ":":
        saved = tusk.saved.get(word)
        if request.name not in (None, saved.name):
            raise InvalidInput(
                f"the saved connection {saved.name!r} has its name already",
                advice=f"%tusk connections rename {saved.name} {request.name} gives it another.",
            )
        return saved.name, tusk.saved.target(saved)
    info = _conninfo(request.where, local_ns)
    saved_id = _meant(tusk, request.name, info)
    return request.name, Target(info, Settings(), saved_id=saved_id)


def _meant(tusk: Tusk, name: str | None, info: Conninfo) -> str | None:
    """Return the id of the saved connection of that name; :raises InvalidInput: when it leads somewhere else."""
    saved = tusk.saved.find(name) if name is not None else None
    if saved is None or saved.name != name:
        return None
    kept = {"host": saved.host, "port": str(saved.port), "dbname": saved.database, "user": saved.username}
    if any(info.get(key) not in (None, value) for key, value in kept.items()) or info.get("service"):
        place = f"{saved.username}@{saved.host}:{saved.port}/{saved.database}"
        raise InvalidInput(
            f"{name!r} is saved for {place} already",
            advice=f"Choose another --name, or %tusk connections delete {name} first. Nothing was connected.",
        )
    return saved.id


def _tunnel(request: ConnectRequest, known: SshTunnel | None) -> SshTunnel | None:
    given: dict[str, Any] = {
        field: value
        for field, value in (
            ("auth", request.ssh_auth or ("key" if request.ssh_key else None)),
            ("key_path", request.ssh_key),
            ("config_alias", request.ssh_config),
            ("local_port", request.ssh_local_port),
        )
        if value is not None
    }
    base = request.ssh or known or (SshTunnel(host="") if request.ssh_config else None)
    if base is None:
        if given:
            raise InvalidInput(
                "there is nothing to reach by SSH", advice="Add --ssh USER@HOST[:PORT], or --ssh-config ALIAS."
            )
        return None
    return replace(base, **given)


def _embedded(request: ConnectRequest, tusk: Tusk) -> tuple[str, Target]:
    from tusk_jupyter.connections import embedded
    from tusk_jupyter.connections.keeping import embedded_conninfo
    from tusk_jupyter.connections.opening import Settings

    if len(request.where) > 1:
        raise InvalidInput("--embedded takes one name at most", advice="%tusk_connect --embedded NAME")
    if tusk.files.directory is None:
        raise InvalidInput("there is no data directory to keep an embedded server in")
    server = embedded.start(request.where[0] if request.where else "main", tusk.files.directory / "embedded")
    notes = (server.note,) if server.note else ()
    target = Target(embedded_conninfo(server), Settings(), embedded=server.name, notes=notes)
    return request.name or f"{server.dbname}@embedded", target


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
        f"{where[0]!r} is neither a URL nor key=value",
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


class _Prompt:
    """Asks the person at the notebook or the terminal."""

    def __call__(self, text: str) -> Secret | None:
        """Ask for a password: never echoed, never in the notebook; ``None`` where nobody can be asked."""
        import getpass

        answer = _answer(getpass.getpass, text)
        return None if answer is None else Secret(answer)

    def confirm(self, text: str) -> bool:
        """Ask a question that only a full «yes» answers; ``False`` where nobody can be asked."""
        return (_answer(input, text) or "").strip().lower() == "yes"


def _answer(question: Callable[[str], str], text: str) -> str | None:
    try:
        return question(text)
    except (EOFError, OSError):
        return None
    except Exception as error:  # a kernel without stdin raises its own class; anything else is not ours to hide
        if type(error).__name__ != "StdinNotImplementedError":
            raise
        return None


ask = _Prompt()


def run(tusk: Tusk, shell: Any, output: CellOutput, *, line: str, local_ns: Mapping[str, Any]) -> None:
    """Run ``%tusk_connect LINE`` and show its report."""
    # before anything can refuse the line: its password is in the history already
    shows_password = scrub_history(shell, line)
    given = words(line)
    if not given:
        from tusk_jupyter.magics import manager

        manager.run(tusk, shell, output)
        return
    if len(given) == 1 and given[0] in tusk.known_names():
        connection = by_name(tusk, given[0])
        output.show(report(connection, *tusk.credentials.take_warnings()))
        return
    request = parse_connect(line)
    if not request.embedded and not request.where:
        raise InvalidInput(
            "there is nothing to connect to on the line",
            advice="%tusk_connect postgresql://user@host/database, or host=… dbname=…, or --embedded",
        )
    if request.test:
        name, target = target_of(request, tusk=tusk, local_ns=local_ns)
        from tusk_jupyter.magics import testing

        testing.run(tusk, output, name, target, ask=ask)
        return
    connection, said = connect(tusk, request, local_ns=local_ns)
    notes = ("the notebook file still shows the password in this cell's source",) if shows_password else ()
    output.show(report(connection, *notes, *said, *tusk.credentials.take_warnings()))


def connect(tusk: Tusk, request: ConnectRequest, *, local_ns: Mapping[str, Any]) -> tuple[Connection, tuple[str, ...]]:
    """Connect as requested, and save it where that was asked for; return what to say of that."""
    name, target = target_of(request, tusk=tusk, local_ns=local_ns)
    connection = tusk.connections.connect(name, target, ask=ask)
    return connection, _kept(tusk, connection, request)


def by_name(tusk: Tusk, name: str) -> Connection:
    """Return the connection of that name, connected and made the current one; a saved one is opened."""
    if name not in tusk.connections.names():
        return tusk.connect_saved(name, ask=ask)
    connection = tusk.connections.use(name)
    connection.session(ask)
    return connection


def _kept(tusk: Tusk, connection: Connection, request: ConnectRequest) -> tuple[str, ...]:
    """Save the connection where that was asked for; return what to say of it."""
    if not request.save:
        if request.group or request.color:
            return ("--group and --color are kept with --save only",)
        return ()
    kept = tusk.saved.keep(connection, group=request.group, color=request.color)
    place = {"keychain": "its password is in the keychain", "memory": "its password is gone when this kernel ends"}
    where = place.get(kept.where.get("db", ""), "")
    line = f"saved as {kept.saved.name}: %tusk_connect {kept.saved.name} opens it in every kernel"
    return (f"{line}; {where}" if where else line, *kept.warnings)
