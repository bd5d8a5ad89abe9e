"""Connection parameters: parse what a user wrote, merge it, and let no password out.

URLs and ``key=value`` strings are parsed here and not by libpq: its messages quote the password, and it reads a raw
``@`` in a password as its end, so that the tail is looked up in DNS as a host name. The rules are libpq's
(https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING) with one difference: user information ends
at the *last* ``@`` before the first ``/`` or ``?``, and what could be part of a password beyond that is refused, not
guessed. An error names the rule that was broken and never repeats the text; a keyword is named only where it cannot be
the tail of a password. Nothing is raised inside an ``except`` block: ``__context__`` would keep the text within a
debugger's reach.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from tusk_jupyter.connections.keywords import CHOICES, KEYWORDS, REFUSED_KEYWORDS, SECRET_KEYWORDS, is_known, near
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.redaction import redact
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = [
    "Conninfo",
    "is_url",
    "looks_like_conninfo",
    "parse",
    "redact",
]

_DRIVERS = ("psycopg", "psycopg2", "psycopg2cffi", "psycopg_async", "asyncpg", "pg8000")
_URL = re.compile(r"(?:jdbc:)?([a-z][a-z0-9+.\-]*(?:_[a-z]+)?)://", re.IGNORECASE)
_SPACE = " \t\n\v\f\r"  # isspace() in the C locale
_NAME = re.compile(rf"[{_SPACE}]*([^={_SPACE}]*)[{_SPACE}]*=[{_SPACE}]*")
_VALUE = re.compile(rf"'((?:[^'\\]|\\.)*)'|(?!')((?:\\.|\\\Z|[^\\{_SPACE}])*)", re.DOTALL)
_ENCODE = (
    "In a user name or password write % as %25, @ as %40, / as %2F, ? as %3F, # as %23, : as %3A and a blank as %20"
    " (urllib.parse.quote(password, safe='') does it), or leave the password out and use -W to be asked for it."
)
_QUOTE = r"Put a value with blanks in single quotes, and write ' as \' and \ as \\ in it: password='it\'s me'."
_FORMS = "Give a URL (postgresql://user@host/database), keywords (host=… dbname=…) or the name of a connection."


@dataclass(frozen=True, slots=True)
class Conninfo:
    """libpq's keywords as they were given, in libpq's order, and the two secrets apart from them."""

    params: tuple[tuple[str, str], ...] = ()
    password: Secret | None = None
    sslpassword: Secret | None = None

    def __post_init__(self) -> None:
        given = dict(self.params)
        if stray := sorted(given.keys() - set(KEYWORDS)):
            raise ValueError(f"not a keyword of params: {stray[0]!r}")
        object.__setattr__(self, "params", tuple((key, given[key]) for key in KEYWORDS if key in given))

    def get(self, keyword: str) -> str | None:
        """Return the value as given; ``None`` where libpq would take its default, environment or service file."""
        return dict(self.params).get(keyword)

    @property
    def host(self) -> str | None:
        return self.get("host")

    @property
    def port(self) -> str | None:
        return self.get("port")

    @property
    def dbname(self) -> str | None:
        return self.get("dbname")

    @property
    def user(self) -> str | None:
        return self.get("user")

    @property
    def sslmode(self) -> str | None:
        return self.get("sslmode")

    def public(self) -> Conninfo:
        """Return the same without its passwords."""
        return replace(self, password=None, sslpassword=None)

    def merged(self, other: Conninfo) -> Conninfo:
        """Return both; where both say something, ``other`` is right."""
        mine = dict(self.params)
        if other.host is not None:
            # libpq connects to hostaddr and only checks names against host
            mine.pop("hostaddr", None)
        return Conninfo(
            params=(*mine.items(), *other.params),
            password=self.password if other.password is None else other.password,
            sslpassword=self.sslpassword if other.sslpassword is None else other.sslpassword,
        )

    def with_(self, **params: str) -> Conninfo:
        """Return a copy with these keywords, checked as :func:`parse` checks them."""
        return self.merged(_checked((_keyword(key), value) for key, value in params.items()))

    def kwargs(self) -> dict[str, str]:
        """Return keyword arguments for ``psycopg.connect``, without the passwords."""
        return dict(self.params)

    def redacted(self) -> str:
        """Return a URL that :func:`parse` reads as the same parameters, without any password."""
        given = dict(self.params)
        user = f"{quote(given.pop('user'), safe='')}@" if given.get("user") else ""
        hosts = _netloc(given)
        path = f"/{quote(given.pop('dbname'), safe='')}" if given.get("dbname") else ""
        query = "&".join(f"{key}={quote(value, safe='/,:')}" for key, value in given.items())
        # without a path, the ? of the query would follow nothing, which people misread
        return f"postgresql://{user}{hosts}{path or '/'}{f'?{query}' if query else ''}"


def _netloc(given: dict[str, str]) -> str:
    """Take host and port out of ``given`` where a URL's authority shows them well: not for socket directories."""
    hosts, ports = given.get("host", "").split(","), given.get("port", "").split(",")
    if any(host.startswith(("/", "@")) for host in hosts) or (any(ports) and len(hosts) != len(ports)):
        return ""
    if ("host" in given and not given["host"]) or ("port" in given and not given["port"]):
        return ""
    given.pop("host", None)
    ports = given.pop("port", "," * (len(hosts) - 1)).split(",")
    named = (f"[{quote(host, safe=':')}]" if ":" in host else quote(host, safe="") for host in hosts)
    return ",".join(f"{host}:{port}" if port else host for host, port in zip(named, ports, strict=True))


def is_url(text: str) -> bool:
    """Return whether the text is a URL, of whatever database: :func:`parse` says which ones can be used."""
    return _URL.match(text.lstrip()) is not None


def looks_like_conninfo(text: str) -> bool:
    """Return whether the text begins with a keyword of libpq, rightly spelt or nearly so, and ``=``."""
    found = _NAME.match(text)
    return found is not None and not is_url(text) and (is_known(found[1]) or near(found[1]) is not None)


def parse(text: str) -> Conninfo:
    """Read a URL or a ``key=value`` string; :raises InvalidInput: never with a part of the text that may be secret."""
    parsed = _parsed(text)
    del text  # a debugger sees the variables of every frame that an error went through
    if isinstance(parsed, InvalidInput):
        raise parsed
    return parsed


def _parsed(text: str) -> Conninfo | InvalidInput:
    try:
        return _checked(_pairs(text))
    except InvalidInput as error:
        return error.with_traceback(None)


def _pairs(text: str) -> Iterable[tuple[str, str]]:
    if "\0" in text:
        raise InvalidInput("a NUL byte cannot be part of connection parameters", advice=_FORMS)
    if any("\ud800" <= c <= "\udfff" for c in text):
        raise InvalidInput("connection parameters contain a lone surrogate, which is no character", advice=_FORMS)
    if is_url(text):
        return _url_pairs(text.strip(_SPACE))
    if "=" not in text:
        raise InvalidInput("neither a URL nor keywords of a connection", advice=_FORMS)
    return _keyword_pairs(text)


def _url_pairs(text: str) -> list[tuple[str, str]]:
    scheme, _, rest = text.partition("://")
    foreign_spelling = _check_scheme(scheme.lower())
    authority = re.split("[/?]", rest, maxsplit=1)[0]
    path, _, query = rest[len(authority) :].partition("?")
    if "@" in path or ("@" in query and ":" in authority):
        raise InvalidInput("a raw '@' stands where no user name or password can end", advice=_ENCODE)
    userinfo, _, netloc = authority.rpartition("@")
    user, _, password = userinfo.partition(":")
    host, port = _hosts(netloc)
    pairs = [("user", user), ("password", password), ("host", host), ("port", port), ("dbname", path[1:])]
    # an empty part is a part not given: libpq then asks PGHOST, PGUSER, PGDATABASE
    found = [(key, _decoded(value)) for key, value in pairs if value]
    _check_port(dict(found).get("port", ""))
    return [*found, *_query_pairs(query, plus_is_blank=foreign_spelling)] if query else found


def _check_scheme(scheme: str) -> bool:
    """Return whether the URL is spelt for SQLAlchemy; refuse what is not PostgreSQL's."""
    if scheme.startswith("jdbc:"):
        raise InvalidInput("a JDBC URL cannot be used as it stands", advice=f"Leave out 'jdbc:'. {_FORMS}")
    database, _, driver = scheme.partition("+")
    if database not in {"postgresql", "postgres"}:
        raise InvalidInput(f"PostgreSQL only: {database!r} is another kind of URL", advice=_FORMS)
    if driver and driver not in _DRIVERS:
        raise InvalidInput(f"unknown driver {driver!r} in the URL", advice="Write postgresql:// without a driver.")
    return bool(driver)


def _hosts(netloc: str) -> tuple[str, str]:
    """Split ``h1:5432,[::1]:5433`` into libpq's two lists; the ports are empty where none was given."""
    hosts, ports = [], []
    for part in netloc.split(","):
        found = re.fullmatch(r"(?:\[([^\]]+)\]|([^:\[\]]*))(?::(.*))?", part, re.DOTALL)
        if found is None:
            raise InvalidInput(
                "the host of the URL cannot be read", advice=f"Write an IPv6 address as [::1]:5432. {_ENCODE}"
            )
        hosts.append(found[1] or found[2])
        ports.append(found[3] or "")
    return ",".join(hosts), ",".join(ports)


def _query_pairs(query: str, *, plus_is_blank: bool) -> Iterator[tuple[str, str]]:
    hide = False
    for part in query.split("&"):
        key, equals, value = part.partition("=")
        if not equals:
            raise InvalidInput("a parameter after '?' in the URL has no '='", advice=_ENCODE)
        name, text = _decoded(key), _decoded(value.replace("+", " ") if plus_is_blank else value, blanks=plus_is_blank)
        if name == "ssl" and text in {"true", *CHOICES["sslmode"]}:
            # libpq takes ssl=true from JDBC's users, asyncpg gives ssl the values of sslmode
            name, text = "sslmode", "require" if text == "true" else text
        # what follows a password may be the rest of it; the one before the host ended at its @
        hide = hide or name in SECRET_KEYWORDS
        yield _keyword(name, hide=hide), text


def _decoded(part: str, *, blanks: bool = False) -> str:
    if re.search(r"%(?![0-9a-fA-F]{2})", part):
        raise InvalidInput("a '%' in the URL is not followed by two hexadecimal digits", advice=_ENCODE)
    if not blanks and any(c in _SPACE for c in part):
        raise InvalidInput("a raw blank stands in the URL", advice=_ENCODE)
    raw = unquote_to_bytes(part)
    if b"\0" in raw:
        raise InvalidInput("%00 cannot be part of a URL", advice=_ENCODE)
    text = raw.decode(errors="replace")
    if text.encode() != raw:
        raise InvalidInput("the percent-encoded bytes of the URL are not UTF-8", advice=_ENCODE)
    return text


def _keyword_pairs(text: str) -> Iterator[tuple[str, str]]:
    at, hide = 0, False
    while text[at:].strip(_SPACE):
        name = _NAME.match(text, at)
        if name is None:
            raise InvalidInput("'=' is missing after a word of the connection parameters", advice=_QUOTE)
        value = _VALUE.match(text, name.end())
        if value is None:
            raise InvalidInput("a single quote in the connection parameters is not closed", advice=_QUOTE)
        quoted = value[1] if value[1] is not None else value[2]
        keyword = _keyword(name[1], hide=hide)
        if keyword not in SECRET_KEYWORDS and value[1] is None and re.search(r";\s*\w+\s*=", quoted):
            raise InvalidInput(
                "a ';' stands between connection parameters", advice="Part them by blanks: host=… port=…"
            )
        hide = hide or keyword in SECRET_KEYWORDS
        yield keyword, re.sub(r"\\(.?)", r"\1", quoted, flags=re.DOTALL)
        at = value.end()


def _checked(pairs: Iterable[tuple[str, str]]) -> Conninfo:
    """Refuse what libpq would refuse; a keyword given twice has its last value, as in libpq."""
    given = dict(pairs)
    secrets = {key: Secret(given.pop(key)) for key in SECRET_KEYWORDS if key in given}
    for key, allowed in CHOICES.items():
        if given.get(key, allowed[0]) not in allowed:
            raise InvalidInput(f"{key} must be one of {', '.join(allowed)}", advice=f"Correct the value of {key}.")
    if not re.fullmatch(r"\s*-?\d+\s*", given.get("connect_timeout", "0")):
        raise InvalidInput("connect_timeout is not a whole number of seconds", advice="Or use --connect-timeout 10s.")
    _check_port(given.get("port", ""), advice="The usual port is 5432; several hosts may have one each: 5432,5433.")
    return Conninfo(params=tuple(given.items()), **secrets)


def _check_port(port: str, *, advice: str = f"The usual port is 5432. {_ENCODE}") -> None:
    for one in port.split(","):
        if one and not (re.fullmatch(r"[0-9]{1,9}", one) and 0 < int(one) < 2**16):
            raise InvalidInput("the port is not a number from 1 to 65535", advice=advice)


def _keyword(word: str, *, hide: bool = False) -> str:
    """Return the word if libpq knows it; after a password an unknown one is not named, it may be the rest of it."""
    if is_known(word):
        return word
    if hide:
        raise InvalidInput("an unknown keyword follows the password", advice=f"{_QUOTE} {_ENCODE}")
    if word in REFUSED_KEYWORDS:
        raise InvalidInput(
            f"{word} is a secret and cannot stand in connection parameters",
            advice="Put it into an entry of pg_service.conf and connect with service=NAME.",
        )
    meant = near(word)
    raise InvalidInput(
        f"unknown keyword {word!r} in the connection parameters",
        advice=f"Did you mean {meant}?" if meant else "The keywords are libpq's: host, port, dbname, user, sslmode, …",
    )
