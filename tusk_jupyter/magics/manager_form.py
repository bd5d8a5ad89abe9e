"""The connection manager's form ↔ the saved record: text both ways, every refusal under the name of its field.

A form is a flat mapping of texts, because that is what a person types and what a terminal and a browser both have.
What cannot be read (a port of «abc») is a refusal like those of :func:`connections.saved.problems`; the record then
keeps what it had there, so that the other fields are judged all the same. No text of the parameters field is repeated
in a refusal: it may hold a password, which belongs in the password field and is refused here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections import conninfo as conninfos
from tusk_jupyter.connections.durations import parse_duration
from tusk_jupyter.connections.saved import Problem, SavedConnection, SshTunnel, problems
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.queries.classify import STATEMENT_KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FIELDS = (
    "name", "host", "port", "database", "username", "ssl_mode", "read_only", "group_id", "color",
    "ssl_ca_cert", "ssl_client_cert", "ssl_client_key",
    "ssh", "ssh_host", "ssh_port", "ssh_username", "ssh_key_path", "ssh_local_port", "ssh_config_alias",
    "statement_timeout", "lock_timeout", "connect_timeout", "pool_timeout", "pool_size",
    "application_name", "history", "parameters",
)  # fmt: skip
SECRETS = ("db", "ssh", "sshkey", "sslkey")
_FORM_FIELD = {
    "statement_timeout_ms": "statement_timeout",
    "lock_timeout_ms": "lock_timeout",
    "connect_timeout_s": "connect_timeout",
    "pool_timeout_s": "pool_timeout",
    "ssh_tunnel.auth": "ssh",
}
_TEXTS = ("name", "host", "database", "username")
_OPTIONAL = ("ssl_ca_cert", "ssl_client_cert", "ssl_client_key", "application_name", "color", "group_id")
# each has a field of its own, and two places for one thing is one too many
_ELSEWHERE = {
    "host", "port", "dbname", "user", "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name",
    "connect_timeout", "service",
}  # fmt: skip
_NEEDS_QUOTES = re.compile(r"[\s'\\]|\A\Z")
_MS_PER_S = 1000


def blank() -> SavedConnection:
    """Return the record that the form of a new connection starts from."""
    return SavedConnection(id="", name="", host="localhost", database="", username="")


def shown(saved: SavedConnection) -> dict[str, str]:
    """Return the record as the texts of its form; there is no secret in it to leave out."""
    ssh = saved.ssh_tunnel
    return {
        **{name: getattr(saved, name) or "" for name in (*_TEXTS, *_OPTIONAL)},
        "port": str(saved.port),
        "ssl_mode": saved.ssl_mode,
        "read_only": _yes(saved.read_only),
        "history": _yes(saved.history),
        "statement_timeout": _duration_text(saved.statement_timeout_ms, _MS_PER_S),
        "lock_timeout": _duration_text(saved.lock_timeout_ms, _MS_PER_S),
        "connect_timeout": _duration_text(saved.connect_timeout_s, 1),
        "pool_timeout": _duration_text(saved.pool_timeout_s, 1),
        "pool_size": _number_text(saved.pool_size),
        "parameters": "\n".join(f"{key}={_quoted(value)}" for key, value in saved.parameters.items()),
        "ssh": ssh.auth if ssh else "",
        "ssh_host": ssh.host if ssh else "",
        "ssh_port": str(ssh.port) if ssh else "22",
        "ssh_username": (ssh.username or "") if ssh else "",
        "ssh_key_path": (ssh.key_path or "") if ssh else "",
        "ssh_local_port": _number_text(ssh.local_port if ssh else None),
        "ssh_config_alias": (ssh.config_alias or "") if ssh else "",
    }


def read(
    form: Mapping[str, str], base: SavedConnection, *, taken: Sequence[str] = ()
) -> tuple[SavedConnection, tuple[Problem, ...]]:
    """Return the record that a form describes, and what makes it unusable, under the form's names of the fields.

    :param base: what stays where the form says nothing, or nothing readable.
    :param taken: the names of the other connections.
    """
    reading = _Reading({**shown(base), **form})
    texts: dict[str, Any] = {name: reading.text(name) for name in _TEXTS}
    texts |= {name: reading.text(name) or None for name in _OPTIONAL}
    saved = replace(
        base,
        **texts,
        **_limits(reading, base),
        port=reading.number("port", "the port", empty=5432, before=base.port),
        ssl_mode=reading.text("ssl_mode"),
        read_only=reading.text("read_only") == "yes",
        history=reading.text("history") != "no",
        parameters=reading.take("parameters", _parameters, {}, dict(base.parameters)),
        ssh_tunnel=_tunnel(reading),
    )
    unreadable = {problem.field for problem in reading.problems}
    judged = [Problem(_form_field(p.field), p.message) for p in problems(saved, taken=taken)]
    if saved.name.upper() in STATEMENT_KEYWORDS:
        judged.append(Problem("name", f"{saved.name!r} cannot name a connection: a statement begins with it"))
    found = [*reading.problems, *(p for p in judged if p.field not in unreadable)]
    return saved, tuple(sorted(found, key=lambda p: FIELDS.index(p.field) if p.field in FIELDS else len(FIELDS)))


class _Reading:
    """Texts on their way into a record; what cannot be read is noted and replaced by what was there."""

    def __init__(self, form: Mapping[str, str]) -> None:
        self._form = form
        self.problems: list[Problem] = []

    def text(self, name: str) -> str:
        return self._form[name].strip()

    def take(self, name: str, read_one: Callable[[str], Any], empty: Any, before: Any) -> Any:
        text = self.text(name)
        if not text:
            return empty
        try:
            return read_one(text)
        except InvalidInput as error:
            self.problems.append(Problem(name, error.message))
        return before

    def number(self, name: str, label: str, *, empty: Any, before: Any) -> Any:
        def whole(text: str) -> int:
            if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
                raise InvalidInput(f"{label} is not a whole number")
            return int(text)

        return self.take(name, whole, empty, before)


def _limits(reading: _Reading, base: SavedConnection) -> dict[str, Any]:
    def milliseconds(text: str) -> int:
        return round(parse_duration(text) * _MS_PER_S)

    return {
        "statement_timeout_ms": reading.take("statement_timeout", milliseconds, None, base.statement_timeout_ms),
        "lock_timeout_ms": reading.take("lock_timeout", milliseconds, None, base.lock_timeout_ms),
        "connect_timeout_s": reading.take("connect_timeout", parse_duration, None, base.connect_timeout_s),
        "pool_timeout_s": reading.take("pool_timeout", parse_duration, None, base.pool_timeout_s),
        "pool_size": reading.number("pool_size", "the pool size", empty=None, before=base.pool_size),
    }


def _tunnel(reading: _Reading) -> SshTunnel | None:
    auth: Any = reading.text("ssh")
    if not auth:
        return None
    return SshTunnel(
        host=reading.text("ssh_host"),
        port=reading.number("ssh_port", "the SSH port", empty=22, before=22),
        username=reading.text("ssh_username") or None,
        auth=auth,
        key_path=reading.text("ssh_key_path") or None,
        local_port=reading.number("ssh_local_port", "the local port", empty=None, before=None),
        config_alias=reading.text("ssh_config_alias") or None,
    )


def _parameters(text: str) -> dict[str, str]:
    if "://" in text.partition("=")[0]:
        raise InvalidInput("write keyword=value, one a line, not a URL")
    info = conninfos.parse(text)
    if info.password is not None or info.sslpassword is not None:
        raise InvalidInput("a password does not belong here: its own field keeps it in the keychain")
    given = info.kwargs()
    if stray := sorted(given.keys() & _ELSEWHERE):
        raise InvalidInput(f"{stray[0]} has a field of its own")
    return given


def _form_field(name: str) -> str:
    return _FORM_FIELD.get(name, name.replace("ssh_tunnel.", "ssh_"))


def _duration_text(value: float | None, per_second: int) -> str:
    if value is None:
        return ""
    seconds = value / per_second
    return f"{seconds:g}s" if seconds >= 1 or seconds == 0 else f"{seconds * _MS_PER_S:g}ms"


def _number_text(value: int | None) -> str:
    return "" if value is None else str(value)


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _quoted(value: str) -> str:
    if not _NEEDS_QUOTES.search(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
