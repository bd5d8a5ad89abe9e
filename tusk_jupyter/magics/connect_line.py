"""The line of ``%tusk_connect`` → what it asks for: its options, and the words that say where to.

Pure, as :mod:`~tusk_jupyter.magics.arguments` is for cells: nothing is looked up, so a line can be refused before
anything was asked, started or saved.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.connections.saved import AUTH_METHODS, COLORS, SSL_MODES, SshTunnel, name_problem
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics.options import Option, Options, next_word, one_of, unquoted, whole_number
from tusk_jupyter.queries.classify import STATEMENT_KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    Option(("-n", "--name", "-A", "--alias"), "name", connection_name, meaning="the name to use in cells"),
    Option(("-W", "--password"), "ask", meaning="ask for the password"),
    Option(
        ("--password-env",),
        "password_env",
        str,
        meaning="the environment variable that holds the password",
        takes="environment",
    ),
    Option(("--password-command",), "password_command", str, meaning="a command that prints the password"),
    Option(("--sslmode",), "sslmode", one_of(*SSL_MODES), meaning="how TLS is used and checked"),
    Option(("--sslrootcert",), "sslrootcert", str, meaning="the CA's certificate file", takes="file"),
    Option(("--sslcert",), "sslcert", str, meaning="the client's certificate file", takes="file"),
    Option(("--sslkey",), "sslkey", str, meaning="the client's key file", takes="file"),
    Option(("--read-only",), "read_only", meaning="nothing but reading"),
    Option(("--statement-timeout",), "statement_timeout", str, meaning="stop statements after: 30s, 5min"),
    Option(("--lock-timeout",), "lock_timeout", str, meaning="give up waiting for a lock after: 5s"),
    Option(("--connect-timeout",), "connect_timeout_s", parse_duration, meaning="bounds the whole attempt: 10s"),
    Option(("--pool-size",), "pool_size", _at_least_one, meaning="connections at most, the session included"),
    Option(("--pool-timeout",), "pool_timeout_s", parse_duration, meaning="wait for a connection of the pool: 30s"),
    Option(("--application-name",), "application_name", str, meaning="what the server calls this client"),
    Option(("--embedded",), "embedded", meaning="a private PostgreSQL of this user, started on demand"),
    Option(("--test",), "test", meaning="try it, report, keep nothing"),
    Option(("--save",), "save", meaning="keep it; the password goes to the keychain"),
    Option(("--group",), "group", str, meaning="the manager's group, by its path", takes="group"),
    Option(("--color",), "color", one_of(*COLORS), meaning="its colour in the manager"),
    Option(("--no-history",), "history", value=False, meaning="keep its statements out of the history"),
    Option(("--ssh",), "ssh", _ssh_address, meaning="reach the server through USER@HOST[:PORT]"),
    Option(("--ssh-auth",), "ssh_auth", one_of(*AUTH_METHODS), meaning="how to log in by SSH"),
    Option(("--ssh-key",), "ssh_key", str, meaning="the SSH key file", takes="file"),
    Option(("--ssh-config",), "ssh_config", str, meaning="a host of ~/.ssh/config", takes="ssh"),
    Option(("--ssh-local-port",), "ssh_local_port", whole_number, meaning="the port of the tunnel on this machine"),
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
