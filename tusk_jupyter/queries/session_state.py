"""What of a session decides what a query means: its settings, its role, its temp tables. Read there, set elsewhere.

A connection of the pool has none of it, so a query that is run there would be another query: another ``search_path``,
another time zone, another role's rows. What was set in the session is set there too; of all other settings those that
differ are, because ALTER ROLE and ALTER DATABASE reach only connections that begin later (those that only a superuser
may set, logs and the like, are left to others as they are). The server lists neither
role and session user, which are asked for by name, nor settings with a dot (``app.tenant``, which row security likes
to ask): those are known if a statement here has set them, or if the role or database has them now. One that a function
sets by itself stays unknown.

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

_TEXT: Final = "pg_catalog.encode(pg_catalog.convert_to({0}, 'UTF8'), 'hex')"
_NAMED: Final = "pg_catalog.current_setting(name, true)"
_READ: Final = f"""
select case when source = 'session' or name in ('statement_timeout', 'lock_timeout') then 'set' else 'found' end,
  name, {_TEXT.format("setting")} from pg_catalog.pg_settings
where context in ('user', 'superuser') and setting is not null
  and name not in ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable')
union all
select case when {_NAMED} is null then 'unset' else 'set' end, name, {_TEXT.format(f"coalesce({_NAMED}, '')")} from (
  select name, false as made from pg_catalog.json_array_elements_text($1::pg_catalog.json) c (name)
  union
  select pg_catalog.lower(pg_catalog.split_part(made, '=', 1)), true
  from pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) made
  where setdatabase in (0, (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database()))
    and setrole in (0, (select oid from pg_catalog.pg_roles where rolname = $2))
    and pg_catalog.strpos(pg_catalog.split_part(made, '=', 1), '.') > 0
) known where made or {_NAMED} is not null
union all select 'role', 'role', {_TEXT.format("pg_catalog.current_setting('role')")}
union all select 'user', 'session_authorization', {_TEXT.format("session_user")}
union all select 'temp', {_TEXT.format("relname")}, '' from pg_catalog.pg_class
  where relnamespace = pg_catalog.pg_my_temp_schema()
union all select 'temp', {_TEXT.format("typname")}, '' from pg_catalog.pg_type
  where typnamespace = pg_catalog.pg_my_temp_schema()
"""
_WHO: Final[tuple[str, ...]] = ("session_authorization", "role")
_LOGIN: Final = b"select pg_catalog.set_config('role', 'none', true) union all"
_APPLY: Final = b"""
select pg_catalog.set_config(f.key, f.value, true) from pg_catalog.json_each_text($2::pg_catalog.json) f
join pg_catalog.pg_settings s on s.name = f.key where s.setting <> f.value
  and (s.context = 'user' or pg_catalog.current_setting('is_superuser') = 'on')
union all
select pg_catalog.set_config(s.key, s.value, true) from pg_catalog.json_each_text($1::pg_catalog.json) s
"""


@dataclass(frozen=True, slots=True)
class SessionState:
    """What a session has: settings to be made elsewhere, in their order, and the names of temp relations and types.

    ``found`` are settings that nobody made in it, to be made where they differ; ``unset`` are names of settings that it
    has not, and connections that begin now have.
    """

    settings: dict[str, str]
    temporary: frozenset[str]
    found: dict[str, str]
    unset: frozenset[str]


def read(session: Session, *, dotted: Iterable[str]) -> SessionState:
    """Ask a session (on its worker).

    :param dotted: names of settings with a dot that may have been made there.
    :raises SessionLostError: when it is gone.
    """
    settings: dict[str, str] = {}
    found: dict[str, str] = {}
    last: dict[str, str] = {}
    temporary: set[str] = set()
    unset: set[str] = set()
    login = session.adapt.info.user
    rows = session.rows(_READ, json.dumps(sorted(dotted)), login)
    if not rows:
        raise InternalError("the session did not say what is set in it")
    for kind, name, value in rows:
        if kind == "temp":
            temporary.add(_text(name))
        elif kind == "unset":
            unset.add(name or "")
        elif kind in {"set", "found"}:
            (settings if kind == "set" else found)[name or ""] = _text(value)
        elif kind == "role" or (kind == "user" and _text(value) != login):
            last[name or ""] = _text(value)
    # what only the login role may set comes first, the session user before the role that it takes back
    settings |= {name: last[name] for name in _WHO if name in last}
    return SessionState(settings, frozenset(temporary), found, frozenset(unset))


def command(settings: dict[str, str], found: dict[str, str] | None = None) -> Command:
    """Return what makes the settings for the transaction that is open, those ``found`` before and where they differ."""
    # a role that a connection begins with (ALTER ROLE … SET role) may not set what its login role may
    first = _LOGIN if "role" in settings else b""
    values = [json.dumps(settings).encode(), json.dumps(found or {}).encode()]
    return Command(first + _APPLY, values, [0, 0], [0, 0])


def _text(digits: str | None) -> str:
    return bytes.fromhex(digits or "").decode()
