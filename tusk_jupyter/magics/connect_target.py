"""What ``%tusk_connect`` is to connect to: a saved connection, a URL, parameters, a variable or the embedded server.

The options of the line are laid over what its words lead to. A name that is saved for another place is refused here,
before anybody is asked for a password.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections import conninfo as conninfos
from tusk_jupyter.connections.conninfo import Conninfo
from tusk_jupyter.connections.saved import SshTunnel
from tusk_jupyter.connections.target import Target
from tusk_jupyter.errors import BindingError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tusk_jupyter.magics.connect_line import ConnectRequest
    from tusk_jupyter.secret import Secret
    from tusk_jupyter.tusk import Tusk


def target_of(request: ConnectRequest, *, tusk: Tusk, local_ns: Mapping[str, Any]) -> tuple[str | None, Target]:
    """Return the name (``None``: to be taken from the server) and the target of a request."""
    name, base = _base(request, tusk, local_ns)
    info = base.conninfo.merged(Conninfo(tuple(request.parameters.items())))
    if info.password is None:  # the line's own comes first
        info = replace(info, password=_password(request))
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
    return request.name, _meant(tusk, request.name, info) or Target(info, Settings())


def _meant(tusk: Tusk, name: str | None, info: Conninfo) -> Target | None:
    """Return the saved connection of that name, which stays as read-only and as limited as it was saved.

    :raises InvalidInput: when the parameters lead somewhere else.
    """
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
    target = tusk.saved.target(saved)
    return replace(target, conninfo=target.conninfo.merged(info))


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
