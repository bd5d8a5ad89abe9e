"""Connections of other programs: the text of a file → drafts of saved connections, with their passwords apart.

Everything is read that can be: an entry that is broken, or of another database, is named with its reason and stops no
other. What a file leaves open is filled with what libpq would take, and said. Nothing here touches a disk, a keychain
or a server, and no note or error repeats a value, which could be a password; the drafts' own fields can be shown.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from tusk_jupyter.connections import importing_ini, importing_json
from tusk_jupyter.connections.exporting import secret_field
from tusk_jupyter.connections.importing_entries import Entry, Skipped
from tusk_jupyter.connections.keywords import CHOICES
from tusk_jupyter.connections.saved import Group, SavedConnection, name_problem, problems
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from tusk_jupyter.connections.credentials import Kind
    from tusk_jupyter.secret import Secret

Format = Literal["jupysql", "odbc", "service", "pgadmin", "tusk"]
FORMATS: tuple[Format, ...] = get_args(Format)
_BY_NAME: tuple[tuple[str, Format], ...] = (
    (r"\.?pg_service\.conf(\.sample)?", "service"),
    (r"\.?odbc\.ini", "odbc"),
    (r"connections\.ini", "jupysql"),
)
# columns of their own, in libpq's spelling
_COLUMNS = {
    "sslrootcert": "ssl_ca_cert",
    "sslcert": "ssl_client_cert",
    "sslkey": "ssl_client_key",
    "application_name": "application_name",
}
# resolved into other fields, or set by us whatever a file says
_DROPPED = ("host", "hostaddr", "port", "user", "dbname", "sslmode", "connect_timeout", "client_encoding",
            "fallback_application_name")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Defaults:
    """What libpq takes where a file says nothing."""

    host: str = "localhost"
    username: str = "postgres"


@dataclass(frozen=True, slots=True)
class Draft:
    """A connection to be saved: its id is empty, its group one of :attr:`Imported.groups`, ``given`` its old name."""

    saved: SavedConnection
    secrets: Mapping[Kind, Secret] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    given: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file came to, in its order; ``groups`` have the file's ids, parents before their children."""

    format: Format
    entries: tuple[Draft | Skipped, ...]
    groups: tuple[Group, ...] = ()

    @property
    def drafts(self) -> tuple[Draft, ...]:
        """What can be saved."""
        return tuple(entry for entry in self.entries if isinstance(entry, Draft))

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What cannot."""
        return tuple(entry for entry in self.entries if isinstance(entry, Skipped))


def read(
    text: str,
    *,
    filename: str = "",
    format: Format | None = None,  # noqa: A002 - the option's name
    taken: Collection[str] = (),
    replacing: bool = False,
    reserved: Collection[str] = (),
    defaults: Defaults | None = None,
) -> Imported:
    """Read a file's text.

    :param taken: names that are saved already: another is made, unless it is ``replacing``.
    :param reserved: words, in upper case, that cannot name a connection.
    :raises InvalidInput: when the text is none of the formats.
    """
    text = text.removeprefix("\ufeff")
    document: Any = importing_json.loaded(text) if text.lstrip().startswith("{") else None
    found = format or _recognised(text, document, filename)
    if (found in {"pgadmin", "tusk"}) is not isinstance(document, dict):
        raise InvalidInput(f"the file is not what --format {found} reads", advice=_offer())
    groups: tuple[Group, ...] = ()
    entries: Iterable[Entry | Skipped | Draft]
    if found == "tusk":
        groups, records = importing_json.connections(document)
        entries = [one if isinstance(one, Skipped) else Draft(*one) for one in records]
    elif found == "pgadmin":
        groups, entries = importing_json.servers(document)
    else:
        entries = {"jupysql": importing_ini.jupysql, "odbc": importing_ini.odbc, "service": importing_ini.services}[
            found
        ](text)
    return _gathered(found, entries, groups, _Names(taken, replacing, reserved), defaults or Defaults())


def _recognised(text: str, document: object, filename: str) -> Format:
    """Return the format by the content, and by the name where that could be several."""
    if document is not None:
        found = importing_json.looks_like(document)
    else:
        base = re.split(r"[/\\]", filename)[-1].lower()
        by_name = next((kind for pattern, kind in _BY_NAME if re.fullmatch(pattern, base)), None)
        found = by_name or importing_ini.looks_like(text)
    if found is None:
        raise InvalidInput("the file is none that connections can be imported from", advice=_offer())
    return next(kind for kind in FORMATS if kind == found)


def _offer() -> str:
    return (
        "JupySQL's connections.ini, odbc.ini, pg_service.conf, pgAdmin's JSON and our own export can be read;"
        f" --format {'|'.join(FORMATS)} says which it is."
    )


def _gathered(
    found: Format,
    entries: Iterable[Entry | Skipped | Draft],
    groups: tuple[Group, ...],
    names: _Names,
    defaults: Defaults,
) -> Imported:
    gathered: list[Draft | Skipped] = []
    for entry in entries:
        if isinstance(entry, Skipped):
            gathered.append(replace(entry, name=redact(entry.name)))
            continue
        draft = _draft(entry, defaults) if isinstance(entry, Entry) else entry
        why = draft if isinstance(draft, str) else _unusable(draft.saved)
        if isinstance(draft, str) or why is not None:
            name = entry.name if isinstance(entry, Entry) else entry.saved.name
            gathered.append(Skipped(redact(name), redact(why or "", entry.secrets.values())))
        else:
            gathered.append(names.named(draft))
    return Imported(found, tuple(gathered), groups)


def _unusable(saved: SavedConnection) -> str | None:
    """Return what is wrong with a draft, its name apart; a value is repeated only where no password can be in it."""
    found = [problem for problem in problems(saved) if problem.field != "name"]
    if found:
        return "; ".join(
            f"{problem.field} cannot be used" if "host" in problem.field and "@" in problem.message else problem.message
            for problem in found
        )
    where = secret_field(replace(saved, name="x"))
    return f"{where} looks as if it held a password" if where is not None else None


# -- an entry's parameters → a record ---------------------------------------------------------------------------------


def _draft(entry: Entry, defaults: Defaults) -> Draft | str:
    params, notes = dict(entry.params), list(entry.notes)
    hosts, addresses, ports = (params.get(key, "").split(",") for key in ("host", "hostaddr", "port"))
    if (count := max(len(hosts), len(addresses))) > 1:
        # the contract's: what is saved is one host, the one that a connection came to
        notes.append(f"of its {count} hosts only the first is kept: a saved connection has one")
    host, port = hosts[0] or addresses[0], ports[0] or "5432"
    if not (port.isascii() and port.isdigit()):
        return "the port is no number"
    if not host:
        host = "localhost" if entry.ssh else defaults.host
        notes.append(f"it names no host: {host}, as libpq has it")
    username = params.get("user") or defaults.username
    if "user" not in params:
        notes.append(f"it names no user: {username}, as libpq has it")
    if "dbname" not in params:
        notes.append("it names no database: the one of the user's name, as libpq has it")
    for keyword in [key for key in params if key in CHOICES and key != "sslmode" and params[key] not in CHOICES[key]]:
        del params[keyword]
        notes.append(f"{keyword} has a value that libpq does not know: left out")
    timeout = params.get("connect_timeout", "0").strip()
    saved = SavedConnection(
        id="",
        name=entry.name,
        host=host,
        port=int(port[:9]),
        database=params.get("dbname") or username,
        username=username,
        ssl_mode=params.get("sslmode") or "prefer",
        ssh_tunnel=entry.ssh,
        read_only=entry.read_only,
        # none or less is no limit to libpq
        connect_timeout_s=float(timeout) if re.fullmatch(r"[1-9][0-9]{0,4}", timeout) else None,
        color=entry.color,
        group_id=entry.group_id,
        parameters={
            **({"hostaddr": addresses[0]} if addresses[0] and hosts[0] else {}),
            **{key: value for key, value in params.items() if key not in _DROPPED and key not in _COLUMNS},
        },
        **{column: params.get(key) for key, column in _COLUMNS.items()},  # type: ignore[arg-type]
    )
    return Draft(saved, entry.secrets, tuple(redact(note, entry.secrets.values()) for note in notes))


# -- names ------------------------------------------------------------------------------------------------------------


class _Names:
    """Gives each draft a name that cells can use and nobody else has."""

    def __init__(self, taken: Collection[str], replacing: bool, reserved: Collection[str]) -> None:
        self._given: set[str] = set()
        self._taken, self._replacing, self._reserved = set(taken), replacing, reserved

    def named(self, draft: Draft) -> Draft:
        given, notes = draft.saved.name, list(draft.notes)
        name = usable_name(given, self._reserved)
        if name != given:
            notes.append(f"cells cannot call it {redact(given)!r}: it is {name}")
        if name in self._given or (name in self._taken and not self._replacing):
            used = self._given | self._taken
            free = next(f"{name}-{n}" for n in range(2, len(used) + 3) if f"{name}-{n}" not in used)
            notes.append(f"{name} is taken: it is {free}")
            name = free
        self._given.add(name)
        return replace(draft, saved=replace(draft.saved, name=name), notes=tuple(notes), given=redact(given))


def usable_name(given: str, reserved: Collection[str] = ()) -> str:
    """Return the name, or one like it that cells can call; ``reserved`` are words in upper case."""
    name = given.strip()
    if not name or name_problem(name) is not None:
        words = re.sub(r"[^\w.@-]+", "-", redact(name))
        name = "".join(c for c in words if c.isprintable()).strip("-.") or "connection"
    return f"{name}-db" if name.upper() in reserved else name
