"""What of a session decides what a query means: its settings, its role, its temp tables. Read there, set elsewhere.

A connection of the pool has none of it, so a query that is run there would be another query: another ``search_path``,
another time zone, another role's rows. The server says which settings were made in a session, save for two kinds: role
and session user are asked for by name, and a setting with a dot (``app.tenant``, which row security likes to ask) is
known only if a statement here has set it. One that a function sets by itself stays unknown.

Values travel as hexadecimal digits, whatever the session's encoding.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tusk_jupyter.connections.wire import Command
from tusk_jupyter.errors import InternalError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.connections.session import Session

_TEXT: Final = "encode(convert_to({0}, 'UTF8'), 'hex')"
_READ: Final = f"""
select 'setting', name, {_TEXT.format("setting")} from pg_catalog.pg_settings
where context in ('user', 'superuser') and (source = 'session' or name in ('statement_timeout', 'lock_timeout'))
  and name not in ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable')
union all
select 'setting', name, {_TEXT.format("current_setting(name, true)")} from json_array_elements_text($1::json) c (name)
where current_setting(name, true) is not null
union all select 'role', 'role', {_TEXT.format("current_setting('role')")}
union all select 'user', 'session_authorization', {_TEXT.format("session_user")}
union all select 'temp', {_TEXT.format("relname")}, '' from pg_catalog.pg_class
  where relnamespace = pg_catalog.pg_my_temp_schema()
union all select 'temp', {_TEXT.format("typname")}, '' from pg_catalog.pg_type
  where typnamespace = pg_catalog.pg_my_temp_schema()
"""
_WHO: Final[tuple[str, ...]] = ("session_authorization", "role")
_APPLY: Final = b"select set_config(s.key, s.value, true) from json_each_text($1::json) s"


@dataclass(frozen=True, slots=True)
class SessionState:
    """The settings to be made elsewhere, in their order, and the names of the session's temp relations and types."""

    settings: dict[str, str]
    temporary: frozenset[str]


def read(session: Session, *, dotted: Iterable[str]) -> SessionState:
    """Ask a session (on its worker).

    :param dotted: names of settings with a dot that may have been made there.
    :raises SessionLostError: when it is gone.
    """
    settings: dict[str, str] = {}
    last: dict[str, str] = {}
    temporary: set[str] = set()
    rows = session.rows(_READ, json.dumps(sorted(dotted)))
    if not rows:
        raise InternalError("the session did not say what is set in it")
    for kind, name, value in rows:
        if kind == "temp":
            temporary.add(_text(name))
        elif kind == "setting":
            settings[name or ""] = _text(value)
        elif (kind == "role" and _text(value) != "none") or (
            kind == "user" and _text(value) != session.adapt.info.user
        ):
            last[name or ""] = _text(value)
    # what only the login role may set comes first, the session user before the role that it takes back
    settings |= {name: last[name] for name in _WHO if name in last}
    return SessionState(settings, frozenset(temporary))


def command(settings: dict[str, str]) -> Command:
    """Return what makes the settings for the transaction that is open."""
    return Command(_APPLY, [json.dumps(settings).encode()], [0], [0])


def _text(digits: str | None) -> str:
    return bytes.fromhex(digits or "").decode()
