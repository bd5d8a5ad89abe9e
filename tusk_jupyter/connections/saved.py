"""What a user keeps of a connection: a record that never holds a password, and what makes it usable.

Validation is data: every refusal names its field, so that a form can show it beside the field and a magic can list
them all at once. What is kept is what the server was reached by (host, port, database, user as they were resolved),
not the service name or variable that led there: those change under a saved name's feet. libpq's keywords that have no
column of their own are kept in ``parameters``: a ``target_session_attrs`` that vanished on the way would connect
somewhere else.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from tusk_jupyter.connections.keywords import REFUSED_KEYWORDS, SECRET_KEYWORDS
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.redaction import redact_typed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

AUTH_METHODS = ("agent", "key", "password")
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# a hue each for the manager's list; words, because a hex value says nothing to a person or a screen reader
COLORS = ("red", "orange", "yellow", "green", "blue", "purple", "gray")
_DAY_S = 86_400
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
LONGEST_NAME = 100
_QUOTES = "'\"\\`"
_HOSTNAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?\Z")


@dataclass(frozen=True, slots=True)
class SshTunnel:
    """How to reach the server's network; the password or passphrase is in the keychain, under the connection's id."""

    host: str
    port: int = 22
    username: str | None = None
    auth: Literal["agent", "key", "password"] = "agent"
    key_path: str | None = None
    local_port: int | None = None
    config_alias: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """A folder of the manager's list; ``parent_id`` nests it, ``sort_order`` places it among its siblings."""

    id: str
    name: str
    parent_id: str | None = None
    sort_order: int = 0
    color: str | None = None


@dataclass(frozen=True, slots=True)
class SavedConnection:
    """A connection as it is kept; times in the units of their names, ``None`` takes the default of the contract."""

    id: str
    name: str
    host: str
    database: str
    username: str
    port: int = 5432
    ssl_mode: str = "prefer"
    ssl_ca_cert: str | None = None
    ssl_client_cert: str | None = None
    ssl_client_key: str | None = None
    ssh_tunnel: SshTunnel | None = None
    read_only: bool = False
    statement_timeout_ms: int | None = None
    lock_timeout_ms: int | None = None
    connect_timeout_s: float | None = None
    pool_timeout_s: float | None = None
    application_name: str | None = None
    pool_size: int | None = None
    color: str | None = None
    group_id: str | None = None
    history: bool = True
    embedded: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)
    created_at: str = ""
    updated_at: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; there is no secret in it to leave out."""
        return asdict(self) | {"parameters": dict(self.parameters)}


@dataclass(frozen=True, slots=True)
class Problem:
    """One refusal: the field of :class:`SavedConnection` (``ssh_tunnel.host`` for a tunnel's) and what is wrong."""

    field: str
    message: str


def from_dict(given: Mapping[str, Any]) -> SavedConnection:
    """Return the record of a mapping as :meth:`SavedConnection.as_dict` writes it; unknown keys are refused.

    :raises InvalidInput: for a key that is unknown or missing.
    """
    known = {f.name for f in fields(SavedConnection)}
    if unknown := sorted(set(given) - known):
        raise InvalidInput(f"a saved connection has no field {unknown[0]!r}")
    if missing := sorted({"id", "name", "host", "database", "username"} - set(given)):
        raise InvalidInput(f"a saved connection needs {', '.join(missing)}")
    return SavedConnection(**(dict(given) | {"ssh_tunnel": tunnel_from_dict(given.get("ssh_tunnel"))}))


def tunnel_from_dict(given: Any) -> SshTunnel | None:
    """Return the tunnel of a mapping of its fields, ``None`` of ``None``; a tunnel stays as it is.

    :raises InvalidInput: for a key that is unknown or missing, and for what is no mapping.
    """
    if given is None or isinstance(given, SshTunnel):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInput("an SSH tunnel is a mapping of its fields")
    if unknown := sorted(set(given) - {f.name for f in fields(SshTunnel)}, key=str):
        raise InvalidInput(f"an SSH tunnel has no field {unknown[0]!r}")
    if "host" not in given:
        raise InvalidInput("an SSH tunnel needs host")
    return SshTunnel(**given)


def problems(saved: SavedConnection, *, taken: Collection[str] = ()) -> tuple[Problem, ...]:
    """Return what makes the record unusable, field by field; ``taken`` are the names of the others."""
    return tuple(_problems(saved, taken))


def check(saved: SavedConnection, *, taken: Collection[str] = ()) -> None:
    """Refuse an unusable record; :raises InvalidInput: that names every field and what is wrong with it."""
    if found := problems(saved, taken=taken):
        raise InvalidInput(
            "the connection cannot be saved: " + "; ".join(problem.message for problem in found),
            facts=tuple((problem.field, problem.message) for problem in found),
        )


def is_host(text: str) -> bool:
    """Return whether the text is a host name, an address or a socket directory (or ``@`` and an abstract socket)."""
    if text.startswith(("/", "@")):
        return len(text) > 1 and "\0" not in text
    try:
        ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        pass
    else:
        return True
    try:
        ascii_form = text.encode("idna").decode()
    except UnicodeError:
        return False
    return not re.fullmatch(r"[0-9.]+", text) and _HOSTNAME.match(ascii_form) is not None


def _problems(saved: SavedConnection, taken: Collection[str]) -> Iterator[Problem]:
    if wrong := tuple(_type_problems(saved)):
        # a form or a file may bring anything; what has the wrong type cannot be judged further
        yield from wrong
        return
    yield from _name_problems(saved.name, taken)
    for field_name, label in (("database", "the database"), ("username", "the user"), ("host", "the host")):
        if not getattr(saved, field_name).strip():
            yield Problem(field_name, f"{label} is empty")
    if saved.host.strip() and not is_host(saved.host):
        yield Problem("host", f"{saved.host!r} is no host name, address or socket directory")
    yield from _in_range("port", saved.port, 1, 65535, "the port")
    if saved.ssl_mode not in SSL_MODES:
        yield Problem("ssl_mode", f"sslmode {saved.ssl_mode!r} is none of {', '.join(SSL_MODES)}")
    yield from _limits(saved)
    if saved.color is not None and saved.color not in COLORS:
        yield Problem("color", f"the colour {saved.color!r} is none of {', '.join(COLORS)}")
    if found := sorted({*SECRET_KEYWORDS, *REFUSED_KEYWORDS} & {key.lower() for key in saved.parameters}):
        yield Problem("parameters", f"{found[0]} is a secret: the keychain keeps it, never this record")
    if saved.ssh_tunnel is not None:
        yield from _tunnel_problems(saved.ssh_tunnel)


_TEXT, _TEXT_OR_NONE = "a text", "a text or nothing"
_NUMBER, _NUMBER_OR_NONE, _SECONDS = "a whole number", "a whole number or nothing", "a number or nothing"
_FLAG = "true or false"
_TYPES = {
    _TEXT: ("id", "name", "host", "database", "username", "ssl_mode", "created_at", "updated_at"),
    _TEXT_OR_NONE: (
        "ssl_ca_cert", "ssl_client_cert", "ssl_client_key", "application_name", "color", "group_id", "embedded",
    ),
    _NUMBER: ("port",),
    _NUMBER_OR_NONE: ("statement_timeout_ms", "lock_timeout_ms", "pool_size"),
    _SECONDS: ("connect_timeout_s", "pool_timeout_s"),
    _FLAG: ("read_only", "history"),
}  # fmt: skip
_TUNNEL_TYPES = {
    _TEXT: ("host", "auth"),
    _TEXT_OR_NONE: ("username", "key_path", "config_alias"),
    _NUMBER: ("port",),
    _NUMBER_OR_NONE: ("local_port",),
}


def _type_problems(saved: SavedConnection) -> Iterator[Problem]:
    yield from _wrong_types(saved, _TYPES, "")
    tunnel = saved.ssh_tunnel
    if isinstance(tunnel, SshTunnel):
        yield from _wrong_types(tunnel, _TUNNEL_TYPES, "ssh_tunnel.")
    elif tunnel is not None:
        yield Problem("ssh_tunnel", "the SSH tunnel is no tunnel")
    given = saved.parameters
    if not isinstance(given, Mapping) or not all(_is_text(part) for item in given.items() for part in item):
        yield Problem("parameters", "the parameters are not texts by name")


def _wrong_types(record: Any, types: Mapping[str, tuple[str, ...]], prefix: str) -> Iterator[Problem]:
    for wanted, names in types.items():
        for name in names:
            value = getattr(record, name)
            if not _is_a(value, wanted):
                label = name.removesuffix("_ms").removesuffix("_s").replace("_", " ")
                flaw = (
                    _flaw(value) if isinstance(value, str) and wanted in {_TEXT, _TEXT_OR_NONE} else f"is not {wanted}"
                )
                yield Problem(prefix + name, f"the {label} {flaw}")


def _is_a(value: Any, wanted: str) -> bool:
    if value is None:
        return wanted in {_TEXT_OR_NONE, _NUMBER_OR_NONE, _SECONDS}
    if wanted == _FLAG:
        return isinstance(value, bool)
    if wanted == _SECONDS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted in {_NUMBER, _NUMBER_OR_NONE}:
        return isinstance(value, int) and not isinstance(value, bool)
    return _is_text(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not _flaw(value)


def _flaw(text: str) -> str:
    """Return what makes a text one that neither SQLite nor libpq can take, ``""`` where they can."""
    if "\0" in text:
        return "holds a NUL character"
    return "holds half of a character (a lone surrogate)" if any("\ud800" <= c <= "\udfff" for c in text) else ""


def _name_problems(name: str, taken: Collection[str]) -> Iterator[Problem]:
    if not name.strip():
        yield Problem("name", "the name is empty")
    elif name in taken:
        yield Problem("name", f"there is a connection named {name!r} already")
    elif why := name_problem(name):
        yield Problem("name", why)


def name_problem(text: str) -> str | None:
    """Return why cells could not call a connection by this name, ``None`` where they can."""
    if (shown := redact_typed(text)) != text:
        return f"{shown!r} cannot name a connection: it holds a password"
    if text.startswith(("-", "(", ":")) or "://" in text or "<<" in text or "=" in text:
        return f"{text!r} cannot name a connection: letters, digits, _, -, . and @ will do"
    if any(c.isspace() or not c.isprintable() or c in _QUOTES for c in text):
        return f"{text!r} cannot name a connection: it holds a blank, a quote, a backslash or a control character"
    if len(text) > LONGEST_NAME:
        return f"a name of {len(text)} characters cannot name a connection: {LONGEST_NAME} at the most"
    return None


def _limits(saved: SavedConnection) -> Iterator[Problem]:
    for field_name, label in (
        ("statement_timeout_ms", "the statement timeout"),
        ("lock_timeout_ms", "the lock timeout"),
    ):
        yield from _in_range(field_name, getattr(saved, field_name), 0, 2**31 - 1, label)
    for field_name, label in (("connect_timeout_s", "the connect timeout"), ("pool_timeout_s", "the pool timeout")):
        value = getattr(saved, field_name)
        if value is not None and not 0 < value <= _DAY_S:
            yield Problem(field_name, f"{label} is not between 0 and {_DAY_S} s")
    yield from _in_range("pool_size", saved.pool_size, 1, 1000, "the pool size")


def _in_range(field_name: str, value: int | None, least: int, most: int, label: str) -> Iterator[Problem]:
    if value is not None and not least <= value <= most:
        yield Problem(field_name, f"{label} is not a number from {least} to {most}")


def _tunnel_problems(tunnel: SshTunnel) -> Iterator[Problem]:
    if not tunnel.host.strip() and not tunnel.config_alias:
        yield Problem("ssh_tunnel.host", "the SSH host is empty")
    elif tunnel.host and not is_host(tunnel.host):
        yield Problem("ssh_tunnel.host", f"{tunnel.host!r} is no host name or address")
    yield from _in_range("ssh_tunnel.port", tunnel.port, 1, 65535, "the SSH port")
    yield from _in_range("ssh_tunnel.local_port", tunnel.local_port, 1, 65535, "the local port of the tunnel")
    if tunnel.auth not in AUTH_METHODS:
        yield Problem("ssh_tunnel.auth", f"SSH authentication {tunnel.auth!r} is none of {', '.join(AUTH_METHODS)}")
    elif tunnel.auth == "key" and not tunnel.key_path:
        yield Problem("ssh_tunnel.key_path", "the path of the SSH key is empty")
