"""JupySQL's ``connections.ini``, ipython-sql's and psqlODBC's ``odbc.ini``, libpq's ``pg_service.conf`` → entries.

Three dialects of one form, each read by the rules of the program that wrote it. Not ``configparser``: its errors quote
the line, password and all, and one bad line loses the whole file; here a bad line costs its entry a note. Its
interpolation (``%%``, ``%(name)s``) is applied where it was used for writing.
"""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tusk_jupyter.connections import conninfo
from tusk_jupyter.connections.importing_entries import Entry, Skipped, sort_out
from tusk_jupyter.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_HEADER = re.compile(r"\[(.+)\]")
_LDAP = re.compile(r"ldap[si]*://", re.IGNORECASE)
_POSTGRES = re.compile(r"postgres|psqlodbc|pgsql|\bedb\b", re.IGNORECASE)
_SHOWN = re.compile(r"[\w+. ()/-]{1,40}")
_TRUE = {"1", "yes", "true", "on"}
_DEPTH = 10
# https://docs.sqlalchemy.org/en/20/core/engines.html#sqlalchemy.engine.URL.create
_SQLALCHEMY = {"username": "user", "password": "password", "host": "host", "port": "port", "database": "dbname"}
# https://odbc.postgresql.org/docs/config-opt.html
_ODBC = {
    "servername": "host",
    "server": "host",
    "host": "host",
    "port": "port",
    "database": "dbname",
    "username": "user",
    "user": "user",
    "uid": "user",
    "password": "password",
    "pwd": "password",
    "sslmode": "sslmode",
}
_ODBC_APART = ("driver", "description", "readonly", "pqopt", "connsettings")
# sections of an odbc.ini that are no data sources
_ODBC_GENERAL = ("odbc data sources", "odbc")


@dataclass(frozen=True, slots=True)
class Line:
    """``key = value`` and where it stands."""

    key: str
    value: str
    number: int


@dataclass(frozen=True, slots=True)
class Section:
    """A section as it was written; ``broken`` are its lines that are no ``key = value``."""

    name: str
    lines: tuple[Line, ...]
    broken: tuple[int, ...] = ()

    def folded(self) -> dict[str, str]:
        """Return key → value, the keys in lower case; the last of a key counts, as in configparser."""
        return {line.key.lower(): line.value for line in self.lines}


def sections(text: str, *, delimiters: str, continued: bool = False) -> tuple[Section, ...]:
    """Return the sections of a file; what stands before the first one is in a section without a name.

    :param continued: whether a line that is indented deeper goes on with the value before it.
    """
    found: list[tuple[str, list[Line], list[int]]] = [("", [], [])]
    indent = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith(("#", ";")):
            continue
        _, lines, broken = found[-1]
        depth = len(raw) - len(raw.lstrip())
        if continued and lines and depth > indent:
            last = lines.pop()
            lines.append(Line(last.key, f"{last.value}\n{line}", last.number))
            continue
        indent = depth
        if header := _HEADER.match(line):
            found.append((header[1], [], []))
            continue
        key, delimiter, value = _parted(line, delimiters)
        if delimiter and key:
            lines.append(Line(key, value, number))
        else:
            broken.append(number)
    return tuple(Section(name, tuple(lines), tuple(broken)) for name, lines, broken in found)


def _parted(line: str, delimiters: str) -> tuple[str, str, str]:
    at = min((place for c in delimiters if (place := line.find(c)) >= 0), default=-1)
    return (line[:at].strip(), line[at], line[at + 1 :].strip()) if at >= 0 else (line, "", "")


def looks_like(text: str) -> str | None:
    """Return which of the three the text is, by the keys that only one of them has."""
    keys = {line.key.lower() for section in sections(text, delimiters="=:") for line in section.lines}
    if "drivername" in keys:
        return "jupysql"
    if keys & {"driver", "servername", "uid", "pwd", "server"}:
        return "odbc"
    return "service" if keys & {"dbname", "host", "hostaddr", "service", "user", "port"} else None


# -- pg_service.conf --------------------------------------------------------------------------------------------------


def services(text: str) -> Iterator[Entry | Skipped]:
    """Read a service file; of two services of one name libpq sees the first."""
    # https://www.postgresql.org/docs/current/libpq-pgservice.html
    seen = set()
    for section in sections(text, delimiters="="):
        if not section.name:
            yield from _before_first(section)
        elif section.name in seen:
            yield Skipped(section.name, "it stands in the file a second time, where libpq does not see it")
        else:
            seen.add(section.name)
            yield _service(section)


def _service(section: Section) -> Entry:
    ldap = [line.number for line in section.lines if _LDAP.match(line.key)]
    notes = [f"line {number} looks the server up in LDAP: left out" for number in ldap]
    pairs = [(line.key, line.value, f"line {line.number}") for line in section.lines if line.number not in ldap]
    found = sort_out(pairs)
    return Entry(section.name, found.params, found.secrets, (*notes, *_broken(section), *found.notes))


def _before_first(section: Section) -> Iterator[Skipped]:
    numbers = sorted([*(line.number for line in section.lines), *section.broken])
    if numbers:
        yield Skipped(f"line {numbers[0]}", "it stands before the first [section]")


def _broken(section: Section) -> list[str]:
    return [f"line {number} is no key=value: left out" for number in section.broken]


# -- connections.ini and odbc.ini -------------------------------------------------------------------------------------


def jupysql(text: str) -> Iterator[Entry | Skipped]:
    """Read JupySQL's file (and ipython-sql's): the keys of a SQLAlchemy URL."""
    found = sections(text, delimiters="=:", continued=True)
    defaults = next((section for section in found if section.name == "DEFAULT"), Section("", ()))
    for section in found:
        if not section.name:
            yield from _before_first(section)
        elif section.name != "DEFAULT":
            yield _sqlalchemy(_interpolated(section, defaults))


def odbc(text: str) -> Iterator[Entry | Skipped]:
    """Read an ``odbc.ini``; a section with ``drivername`` is ipython-sql's, the others are psqlODBC's."""
    plain = sections(text, delimiters="=")
    drivers = {
        line.key.lower(): line.value for section in plain for line in section.lines
        if section.name.lower() == "odbc data sources"
    }  # fmt: skip
    of_urls = {
        section.name for section in sections(text, delimiters="=:", continued=True) if "drivername" in section.folded()
    }
    urls = {entry.name: entry for entry in jupysql(text) if entry.name in of_urls or "DEFAULT" in of_urls}
    for section in plain:
        keys = section.folded()
        if not section.name:
            yield from _before_first(section)
        elif section.name in urls:
            yield urls[section.name]
        elif section.name.lower() not in _ODBC_GENERAL and section.name != "DEFAULT":
            yield _data_source(section, keys.get("driver") or drivers.get(section.name.lower(), ""))


def _sqlalchemy(section: Section) -> Entry | Skipped:
    keys = section.folded()
    drivername = keys.get("drivername", "")
    database, _, _ = drivername.partition("+")
    if not drivername:
        return Skipped(section.name, "it has no drivername, so nothing says that it is PostgreSQL's")
    if database not in {"postgresql", "postgres"}:
        return Skipped(section.name, f"it is for another database{_named(database)}: this is for PostgreSQL only")
    query, notes = _query(keys.get("query", ""))
    lines = {line.key.lower(): line for line in section.lines if line.key.lower() not in {"drivername", "query"}}
    pairs = [(_SQLALCHEMY.get(key, key), line.value, f"line {line.number}") for key, line in lines.items()]
    found = sort_out([*pairs, *((key, value, "in query") for key, value in query)])
    return Entry(section.name, found.params, found.secrets, (*notes, *_broken(section), *found.notes))


def _query(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Read the dict literal of a URL's query part."""
    if not text:
        return [], []
    given = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            given = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    if not isinstance(given, dict) or not all(isinstance(key, str) for key in given):
        return [], ["query is no dictionary: left out"]
    pairs = []
    for key, value in given.items():
        joined = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        # asyncpg's name for it
        pairs.append(("sslmode", "require" if joined.lower() == "true" else joined) if key == "ssl" else (key, joined))
    return pairs, []


def _interpolated(section: Section, defaults: Section) -> Section:
    inherited = {line.key.lower() for line in section.lines}
    lines = (*(line for line in defaults.lines if line.key.lower() not in inherited), *section.lines)
    known = Section("", lines).folded()
    return Section(
        section.name, tuple(Line(line.key, _filled(line.value, known), line.number) for line in lines), section.broken
    )


def _filled(value: str, known: dict[str, str], depth: int = _DEPTH) -> str:
    """Replace ``%%`` and ``%(name)s``; what configparser would refuse stays as it is."""

    def replaced(hit: re.Match[str]) -> str:
        if hit[0] == "%%":
            return "%"
        found = known.get(hit[1].lower())
        return hit[0] if found is None or depth == 0 else _filled(found, known, depth - 1)

    return re.sub(r"%%|%\(([^)]+)\)s", replaced, value)


def _data_source(section: Section, driver: str) -> Entry | Skipped:
    keys = section.folded()
    if driver and not _POSTGRES.search(driver):
        return Skipped(section.name, f"it is for another database{_named(driver)}: this is for PostgreSQL only")
    pairs, ignored = [], []
    for line in section.lines:
        key = line.key.lower()
        if (keyword := _ODBC.get(key)) is not None:
            # psqlODBC keeps its password encoded like a form's field
            value = unquote(line.value.replace("+", " ")) if keyword == "password" else line.value
            pairs.append((keyword, value, f"line {line.number}"))
        elif key not in _ODBC_APART:
            ignored.append(line.number)
    if not pairs:
        return Skipped(section.name, "it names neither server nor database")
    more, notes = _pqopt(keys.get("pqopt", ""))
    found = sort_out([*pairs, *more])
    if keys.get("connsettings"):
        notes.append("the statements of ConnSettings are not imported: run them in a cell")
    if ignored:
        notes.append(f"settings of the ODBC driver are left out ({_lines(ignored)})")
    return Entry(
        section.name,
        found.params,
        found.secrets,
        (*notes, *_broken(section), *found.notes),
        read_only=keys.get("readonly", "").lower() in _TRUE,
    )


def _pqopt(text: str) -> tuple[Iterable[tuple[str, str, str]], list[str]]:
    if not text:
        return (), []
    try:
        given = conninfo.parse(text.removeprefix("{").removesuffix("}"))
    except InvalidInput:
        return (), ["pqopt cannot be read: left out"]
    secrets = (("password", given.password), ("sslpassword", given.sslpassword))
    pairs = [*given.params, *((key, secret.reveal()) for key, secret in secrets if secret is not None)]
    return [(key, value, "in pqopt") for key, value in pairs], []


def _named(kind: str) -> str:
    return f" ({kind})" if _SHOWN.fullmatch(kind) else ""


def _lines(numbers: list[int]) -> str:
    return f"line{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
