"""Why a connection could not be made: psycopg's exception becomes one of ours, and nothing of psycopg's stays in it.

psycopg's exception reaches the password through ``.pgconn``, so it is read and dropped: the error returned here was
never raised, has no cause and no context, and each text in it went through
:func:`~tusk_jupyter.redaction.redact`. Of several addresses the one that came furthest is reported
(``localhost`` refused on ``::1`` says nothing about the wrong password on ``127.0.0.1``); of the two lines that
``sslmode=prefer`` gives, with TLS and without, the first.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg

from tusk_jupyter.connections import diagnoses, verbose
from tusk_jupyter.connections.diagnoses import Reached, Rule
from tusk_jupyter.connections.tls_files import check_files, wants_passphrase
from tusk_jupyter.errors import AuthenticationFailed, ConnectionFailed, ConnectionTimeout, InvalidInput, TuskError
from tusk_jupyter.redaction import redact, unspoken
from tusk_jupyter.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.connections.certificate_look import Certificate
    from tusk_jupyter.connections.conninfo import Conninfo
    from tusk_jupyter.connections.verbose import Said

__all__ = ["check_files", "connect_error", "furthest", "is_untrusted", "needs_password", "unready", "wants_passphrase"]

_ATTEMPTS = "\nMultiple connection attempts failed. All failures were:"
_ATTEMPT = re.compile(r"\n- host: [^\n]*?, hostaddr: (?:'([^\n]*?)'|None): ")
_LINE = re.compile(r'connection to server (?:at|on socket) "[^\n]*?"(?: \([^\n]*?\))?(?:, port \d+)? failed: ')
_CERTIFICATE = (diagnoses.UNTRUSTED, diagnoses.TLS_FAILED)
_STARTING = diagnoses.STARTING
# in whatever language it said more
_NOT_READY = "not ready"
_LONGEST = 2000
_READ = 10_000  # a server may send as much as it likes


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What was said at one address: ``text`` is the whole, ``matched`` the line that ``rule`` was found in."""

    text: str
    rule: Rule
    matched: str
    groups: dict[str, str]
    sqlstate: str = ""


def needs_password(exc: BaseException) -> bool:
    """Return whether the server asked for a password and none was given: the one reason to prompt."""
    pgconn = getattr(exc, "pgconn", None)
    return bool(pgconn is not None and pgconn.needs_password) or "no password supplied" in str(exc)


def unready(exc: BaseException) -> str | None:
    """Return what a server is doing that is about to start or stop, so that trying again makes sense."""
    if getattr(exc, "sqlstate", None) in _STARTING.codes:
        return _NOT_READY
    attempts = _attempts(exc, getattr(exc, "pgconn", None))
    if any(issubclass(attempt.rule.error, AuthenticationFailed) for attempt in attempts):
        return None  # of several hosts one has refused the login: each further attempt would count there
    return next((one.groups.get("doing", _NOT_READY) for one in attempts if one.rule is _STARTING), None)


def is_untrusted(exc: BaseException) -> bool:
    """Return whether the server's certificate was refused, or may have been, for a reason that libpq does not tell."""
    return any(one.rule in _CERTIFICATE for one in _attempts(exc, getattr(exc, "pgconn", None)))


def furthest(exc: BaseException) -> Reached:
    """Return the last step that certainly worked, at the address that came furthest."""
    if getattr(exc, "sqlstate", None):
        return Reached.LOGIN
    try:
        return max(attempt.rule.reached for attempt in _attempts(exc, getattr(exc, "pgconn", None)))
    except Exception:  # noqa: BLE001 - a failure to explain must not hide that the connection failed
        return Reached.NOTHING


def connect_error(
    exc: BaseException,
    *,
    target: str,
    conninfo: Conninfo,
    name: str | None = None,
    secrets: Iterable[Secret] = (),
    timeout_s: float | None = None,
    tries: str | None = None,
    certificate: Certificate | None = None,
) -> TuskError:
    """Return what to raise for ``exc``; it never raises itself.

    :param target: what was to be reached, without a password; the message says ``name`` where there is one.
    :param secrets: masked in every text, besides those of ``conninfo`` and the password that libpq used.
    :param timeout_s: the limit that was set, for a time-out's message and ``duration_s``.
    :param certificate: what was found wrong with the server's, where ``exc`` says only that something is.
    :param tries: how often it was tried («7 times in 9.8 s»), where that was more than once.
    """
    pgconn = getattr(exc, "pgconn", None)
    known = [*secrets, *(s for s in (conninfo.password, conninfo.sslpassword) if s), *_used(pgconn)]
    known = unspoken(known, target)
    label = redact(name or target, known)
    try:
        return _translated(
            exc,
            pgconn,
            label=label,
            target=target,
            conninfo=conninfo,
            secrets=known,
            limit=timeout_s,
            tries=tries,
            certificate=certificate,
        )
    except Exception as error:  # noqa: BLE001 - a failure to explain must not hide that the connection failed
        return ConnectionFailed(f"Cannot connect to {label}", detail=f"{type(exc).__name__}, {type(error).__name__}")


def _translated(
    exc: BaseException,
    pgconn: Any,
    *,
    label: str,
    target: str,
    conninfo: Conninfo,
    secrets: list[Secret],
    limit: float | None,
    tries: str | None,
    certificate: Certificate | None,
) -> TuskError:
    if isinstance(exc, psycopg.ProgrammingError | ValueError) and getattr(exc, "sqlstate", None) is None:
        return _unusable(exc, label)
    if getattr(exc, "sqlstate", None):
        return _after_login(exc, label, secrets)
    attempts = _attempts(exc, pgconn)
    best = max(reversed(attempts), key=lambda attempt: attempt.rule.reached)
    where = _where(pgconn, conninfo)
    secrets = unspoken(secrets, *where.values())
    words = {
        # a rule that was found by its code has no words to take names from
        "role": where["user"],
        "closed": where["dbname"],
        **{key: redact(value, secrets) for key, value in {**where, **best.groups}.items()},
        "timeout": f" within {limit:g} s" if limit is not None else "",
        "tries": tries or "once",
    }
    rule = best.rule
    if rule in _CERTIFICATE and certificate is not None:
        rule, more = diagnoses.of_certificate(certificate, datetime.now(UTC))
        words |= more
    said = redact(_primary(best.matched), secrets)
    reached = _reached(rule.reached, where, tls=best is attempts[-1] and bool(pgconn is not None and pgconn.ssl_in_use))
    facts = tuple(
        (label, fact)
        for label, fact in (
            ("tried", redact(_tried(where, target), secrets)),
            ("attempts", tries),
            ("reached", reached),
            ("certificate", certificate.described() if certificate is not None else ""),
        )
        if fact
    )
    return rule.error(
        f"Cannot connect to {label}: {rule.message.format_map(words) if rule.message else said}",
        detail=_cut(redact("\n".join(attempt.text for attempt in attempts), secrets)) or None,
        advice=rule.advice.format_map(words),
        facts=facts,
        sqlstate=best.sqlstate or None,
        duration_s=limit if rule.error is ConnectionTimeout else None,
    )


def _used(pgconn: Any) -> list[Secret]:
    """Return the password that libpq took from ``~/.pgpass``, ``PGPASSWORD`` or a service file."""
    raw = pgconn.password if pgconn is not None else b""
    return [Secret(raw.decode(errors="replace"))] if raw else []


def _unusable(exc: BaseException, label: str) -> InvalidInput:
    # the text of these quotes the parameters, and UnicodeEncodeError.object holds them all
    if isinstance(exc, UnicodeError):
        return InvalidInput(
            f"Cannot connect to {label}: a name in the connection parameters cannot be encoded",
            advice="Check the host: each part of its name has 1 to 63 characters, and none may be a lone surrogate.",
        )
    return InvalidInput(
        f"Cannot connect to {label}: a connection parameter is not valid",
        advice="Check keywords and values; PG* variables and pg_service.conf count too.",
    )


def _after_login(exc: Any, label: str, secrets: list[Secret]) -> ConnectionFailed:
    """Translate what the server refused once it had let us in: a setting, the first question."""
    texts = (exc.diag.message_primary or "", exc.diag.message_detail or "", exc.diag.message_hint or "")
    primary, detail, hint = (_cut(redact(text, secrets)) for text in texts)
    return ConnectionFailed(
        f"Cannot connect to {label}: {primary}",
        detail=detail or None,
        hint=hint or None,
        sqlstate=exc.sqlstate,
        advice="The login worked, but what is set or asked first did not: check the options of the connection.",
    )


def _attempts(exc: BaseException, pgconn: Any) -> list[_Attempt]:
    """Return what was said at each address, in the order they were tried."""
    text = str(exc)[:_READ]
    if isinstance(exc, TimeoutError) and not isinstance(exc, psycopg.Error):
        text = "timeout expired"
    _, several, listed = text.partition(_ATTEMPTS)
    if not several:
        return [_diagnosed(text, pgconn)]
    # the connection that psycopg keeps is the last one's
    _, *parts = _ATTEMPT.split(listed)
    tried = list(zip(parts[::2], parts[1::2], strict=True))
    return [_diagnosed(part, pgconn if n == len(tried) else None, at=at) for n, (at, part) in enumerate(tried, 1)]


def _diagnosed(text: str, pgconn: Any, *, at: str | None = None) -> _Attempt:
    text = re.sub(r"^connection (?:failed|is bad): ", "", text.strip())
    said = [verbose.read(line.strip()) for line in _LINE.split(text) if line.strip()] or [verbose.read(text)]
    lines = [one.text for one in said]
    shown = f"{at}: {_joined(lines)}" if at else _joined(lines)
    if pgconn is not None and pgconn.needs_password:
        return _Attempt(shown, diagnoses.NEEDS_PASSWORD, lines[-1], {})
    found = [(hit, one) for one in said if (hit := _matched(one)) is not None]
    strong = next((each for each in found if not each[0][0].weak), None)
    if found and (strong is None or (found[0][0][0].weak and "pg_hba.conf" in strong[1].text)):
        strong = found[0]
    if strong is None:
        return _Attempt(shown, _wordless(lines, pgconn), lines[0], {}, said[0].sqlstate)
    (rule, groups), one = strong
    return _Attempt(shown, rule, one.text, groups, one.sqlstate)


def _matched(said: Said) -> tuple[Rule, dict[str, str]] | None:
    for rule in diagnoses.RULES:
        if hit := rule.pattern.search(said.text):
            # alternatives of a pattern have the same group with a number behind it
            return rule, {k.rstrip("234"): v for k, v in hit.groupdict().items() if v is not None}
    rule_of_code = diagnoses.by_sqlstate(said.sqlstate, said.routine)
    return (rule_of_code, {}) if rule_of_code is not None else None


def _wordless(lines: list[str], pgconn: Any) -> Rule:
    """Choose by what libpq knows without words: the text may be in any language."""
    if pgconn is None or not re.match(r"\w+: {2}", lines[0]):
        return diagnoses.UNKNOWN
    return diagnoses.REFUSED_LOGIN if pgconn.used_password else diagnoses.REFUSED


def _joined(lines: list[str]) -> str:
    # libpq asks its questions on a line of their own: «Connection refused», «Is the server running …?»
    shown = dict.fromkeys(" ".join(re.sub(r"(?<=\w)\n\t(?=[A-Z])", ". ", line).split()) for line in lines)
    return "\n".join(shown)


def _primary(line: str) -> str:
    """Return the message without its severity (``FATAL:  ``, in whatever language) and what follows it."""
    return re.sub(r"^\w+: {2}", "", line.split("\n", 1)[0]).strip() or "no reason was given"


def _where(pgconn: Any, conninfo: Conninfo) -> dict[str, str]:
    """Return what libpq used in the end; what was typed, as far as it did not come to that."""
    options = {} if pgconn is None else {o.keyword.decode(): (o.val or b"").decode() for o in pgconn.info}
    found = {key: conninfo.get(key) or options.get(key) or "" for key in ("host", "port", "user", "dbname", "sslmode")}
    if pgconn is not None:
        found["user"] = found["user"] or pgconn.user.decode()
        found["dbname"] = found["dbname"] or pgconn.db.decode()
        found["host"] = found["host"] or pgconn.host.decode()
    found["host"] = found["host"] or conninfo.get("hostaddr") or "localhost"
    found["port"] = found["port"] or "5432"
    return found


def _tried(where: dict[str, str], target: str) -> str:
    user = f"{where['user']}@" if where["user"] else ""
    if where["host"].startswith("/"):
        database = f", database {where['dbname']}" if where["dbname"] else ""
        return f"{user}{where['host']}/.s.PGSQL.{where['port']} (socket){database}"
    if not user and not where["dbname"]:
        return target
    host = f"[{where['host']}]" if ":" in where["host"] else where["host"]
    mode = f", sslmode={where['sslmode']}" if where["sslmode"] else ""
    return f"{user}{host}:{where['port']}/{where['dbname']}{mode}"


def _reached(last: Reached, where: dict[str, str], *, tls: bool) -> str:
    """Return the steps that certainly worked."""
    socket = where["host"].startswith("/")
    steps = []
    if last >= Reached.RESOLVED and not socket and not all(_is_address(host) for host in where["host"].split(",")):
        steps.append("DNS")
    if last >= Reached.TCP:
        steps.append("socket" if socket else "TCP")
    if tls:
        steps.append("TLS")
    if last >= Reached.LOGIN:
        steps.append("login")
    return ", ".join(steps)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
