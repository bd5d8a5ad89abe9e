"""Foreign failures → ours: the one boundary for PostgreSQL, the operating system, SQLite, JSON and the keychain.

Branches on SQLSTATE and exception class only: server text is in the server's language. psycopg, sqlite3 and keyring are
looked up in ``sys.modules``: an exception of a module that was never imported cannot be here, and importing psycopg to
translate an ``OSError`` would cost 73 ms. Failures to *connect* have no SQLSTATE; they are told apart in
:mod:`tusk_jupyter.connections.failures`.
"""

from __future__ import annotations

import errno
import json
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tusk_jupyter import errors
from tusk_jupyter.errors import Diagnostic, Place, TuskError
from tusk_jupyter.masking import MASK, masked, password_literals
from tusk_jupyter.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg.pq.abc import PGresult

    from tusk_jupyter import advice
    from tusk_jupyter.errors import Correction
    from tusk_jupyter.secret import Secret

MESSAGE_LIMIT = 10_000
_QUOTED = re.compile(r'"([^"\n]+)"')
_ANOTHER_WAY = "Give the password with -W, --password-env or --password-command."
_UNLOCK = (
    "Unlock it (a desktop's log-in does; without a desktop, gnome-keyring-daemon --unlock) or allow the access, "
    "and try again."
)
_INSTALL = "Install and unlock one (GNOME Keyring, KWallet), or use -W, --password-env or --password-command."
_START = "Start it again (GNOME Keyring, KWallet), or use -W, --password-env or --password-command."
NO_KEYCHAIN = "there is no keychain on this machine"
_LOCKED = "the keychain is locked, or access to it was denied"
# what keyring's backends raise: their own errors, and those of the libraries below them that they let through
_KEYCHAINS = (
    ("keyring.errors", "KeyringError"),
    ("secretstorage.exceptions", "SecretStorageException"),
    ("jeepney", "DBusErrorResponse"),
)
# the first that fits: NoKeyringError is a RuntimeError, a dismissed prompt an item that was not found
_KEYCHAIN_CAUSES = (
    ("keyring.errors", "NoKeyringError", NO_KEYCHAIN, _INSTALL),
    ("keyring.errors", "KeyringLocked", _LOCKED, _UNLOCK),
    ("secretstorage.exceptions", "LockedException", _LOCKED, _UNLOCK),
    ("keyring.errors", "InitError", "the keychain could not be opened", _UNLOCK),
    ("secretstorage.exceptions", "PromptDismissedException", "the keychain could not be opened", _UNLOCK),
    ("secretstorage.exceptions", "SecretServiceNotAvailableException", "the keychain cannot be reached", _START),
    ("secretstorage.exceptions", "ItemNotFoundException", "the keychain was never set up", _UNLOCK),
    ("keyring.errors", "PasswordSetError", "the keychain refused to store the password", _UNLOCK),
    ("keyring.errors", "PasswordDeleteError", "the keychain refused to delete the password", _UNLOCK),
    ("builtins", "UnicodeError", "the password holds a character that the keychain cannot store", _ANOTHER_WAY),
    ("builtins", "RuntimeError", "no keychain can be used here", _INSTALL),
    ("builtins", "ImportError", "no keychain can be used here", _INSTALL),
    ("builtins", "OSError", "the keychain cannot be reached", _START),
)
_NUMBERS = ("statement_position", "internal_position")

# Windows has no quotas
_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def diagnostic(result: PGresult, encoding: str = "utf-8") -> Diagnostic:
    """Return every field of an error result, each cut to 10,000 characters (a server may send 100 MB)."""
    from psycopg.pq import DiagnosticField

    fields: dict[str, Any] = {}
    for name in Diagnostic.__dataclass_fields__:
        raw = result.error_field(DiagnosticField[name.upper()])
        if raw is not None:
            text = bytes(raw[: 4 * MESSAGE_LIMIT]).decode(encoding, "replace")
            fields[name] = int(text) if name in _NUMBERS else _cut(text)
    return Diagnostic(**fields)


def notice(diag: Any) -> Diagnostic:
    """Return psycopg's notice as our record."""
    fields: dict[str, Any] = {}
    for name in Diagnostic.__dataclass_fields__:
        value = getattr(diag, name, None)
        if value is not None:
            fields[name] = int(value) if name in _NUMBERS else _cut(value)
    return Diagnostic(**fields)


def query_error(
    diag: Diagnostic,
    *,
    kind: type[TuskError] | None = None,
    place: Place | None = None,
    statement: str | None = None,
    offset: int | None = None,
) -> TuskError:
    """Return the error for a server's diagnostic: ``kind`` where the caller knows better, else by SQLSTATE.

    :param statement: as it was typed; ``offset`` is where in it the server's position is, if that is another.
    """
    from tusk_jupyter import advice  # 20 ms of tables, for those who err

    diag = _without_passwords(diag, statement or "")
    sqlstate = diag.sqlstate or ""
    chosen = kind or _by_sqlstate(sqlstate)
    typed = diag if offset is None else replace(diag, statement_position=offset + 1)
    # cancels and time-outs have causes that only this side knows, so their class's advice is the better one
    said = advice.advise(diag.sqlstate, typed, statement=statement) if kind is None else None
    return chosen(
        diag.message_primary or "the server gave no message",
        detail=diag.message_detail,
        hint=diag.message_hint,
        advice=said.advice if said is not None else None,
        correction=_correction(said, typed, place),
        sqlstate=diag.sqlstate,
        condition=advice.condition_name(diag.sqlstate) if diag.sqlstate else None,
        position=place.position if place is not None and not place.internal else None,
        place=place,
        diag=diag,
    )


def _correction(said: advice.Slip | None, typed: Diagnostic, place: Place | None) -> Correction | None:
    """Return the edit where it stands in the text of the place."""
    if said is None or said.correction is None or place is None or place.internal or not typed.statement_position:
        return None
    return said.correction.moved(place.offset - (typed.statement_position - 1))


def _without_passwords(diag: Diagnostic, statement: str) -> Diagnostic:
    """Mask what the server repeats of a password: a syntax error quotes the token, CONTEXT the whole statement.

    And whatever else it quotes that stood in a password only: libpq, when it cannot read a subscription's conninfo.
    """
    built = diag.internal_query or ""
    literals = sorted({*password_literals(statement), *password_literals(built)}, key=len, reverse=True)
    texts = [(statement, masked(statement)), (built, masked(built))]
    hidden = [(text, shown) for text, shown in texts if text != shown]
    fields: dict[str, Any] = {}
    for name in ("message_primary", "message_detail", "message_hint", "context", "internal_query"):
        text = plain = getattr(diag, name)
        if text is None:
            continue
        for literal in literals:
            text = text.replace(literal, MASK)
        text = redact(masked(_QUOTED.sub(lambda hit: _unless_hidden(hit, hidden), text) if hidden else text))
        if text != plain:
            fields[name] = text
    return replace(diag, **fields) if fields else diag


def _unless_hidden(quoted: re.Match[str], hidden: list[tuple[str, str]]) -> str:
    typed = any(quoted[1] in text for text, _ in hidden)
    return '"****"' if typed and not any(quoted[1] in shown for _, shown in hidden) else quoted[0]


def translate(error: BaseException, *, doing: str = "", path: str | None = None) -> TuskError:
    """Return ``error`` as a member of the tree; one that is already comes back as it is.

    :param doing: what was being done, for the message.
    :param path: the file it was about.
    """
    if isinstance(error, TuskError):
        return error
    if isinstance(error, errors.QueryInterrupted):
        return error.error
    prefix = f"{doing}: " if doing else ""
    if _is(error, "sqlite3", "Error"):
        return errors.StorageError(f"{prefix}{error}", name=path)
    if any(_is(error, module, name) for module, name in _KEYCHAINS):
        return keychain_error(error, prefix=prefix)
    if _is(error, "psycopg", "Error"):
        return _from_psycopg(error, prefix)
    if isinstance(error, OSError):
        where = f" {path!r}" if path else (f" {error.filename!r}" if error.filename else "")
        advice = "Make room on the disk, then do it again." if error.errno in _FULL else None
        return errors.IoError(f"{prefix}{(error.strerror or str(error)).lower()}{where}", name=path, advice=advice)
    if isinstance(error, (json.JSONDecodeError, UnicodeError)):
        return errors.ConversionError(f"{prefix}{error}")
    if isinstance(error, MemoryError):
        return errors.ConversionError(
            f"{prefix}the result does not fit into memory", advice="Ask for fewer rows with --limit, or fewer columns."
        )
    return errors.InternalError(f"{prefix}{type(error).__name__}: {error}")


def keychain_error(error: BaseException, secrets: Iterable[Secret] = (), prefix: str = "") -> errors.KeyringError:
    """Return what a keychain's failure means: the message says which cause it is, the detail what the backend said.

    :param secrets: what the backend was given, masked in its words.
    """
    # what cannot be encoded is named in the error: a character of the password, and where it stands
    said = "" if isinstance(error, UnicodeError) else redact(str(error), secrets).strip()
    if _is(error, "keyring.errors", "InitError") and error.__cause__ is not None:
        error = error.__cause__  # keyring calls every first step that failed so
    message, advice = next(
        (found for module, name, *found in _KEYCHAIN_CAUSES if _is(error, module, name)),
        (f"the keychain failed with {type(error).__name__}", _ANOTHER_WAY),
    )
    return errors.KeyringError(prefix + message, detail=_cut(said) or None, advice=advice)


def _from_psycopg(error: Any, prefix: str) -> TuskError:
    diag = notice(error.diag)
    if diag.sqlstate:
        return query_error(diag)
    if _is(error, "psycopg", "OperationalError"):
        return errors.ConnectionLost(f"{prefix}{_cut(str(error).strip())}")
    return errors.InternalError(f"{prefix}{type(error).__name__}: {_cut(str(error))}")


def _by_sqlstate(sqlstate: str) -> type[TuskError]:
    # 28xxx within a session is SET ROLE and its kind, refused: a matter of who one is
    return errors.AuthenticationFailed if sqlstate.startswith("28") else errors.QueryFailed


def _is(error: BaseException, module: str, name: str) -> bool:
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(error, getattr(loaded, name))


def _cut(text: str) -> str:
    if len(text) <= MESSAGE_LIMIT:
        return text
    return f"{text[:MESSAGE_LIMIT]} … ({len(text) - MESSAGE_LIMIT:,} more characters)"
