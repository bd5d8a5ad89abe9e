"""Every failure of tusk-jupyter, as one tree.

::

    TuskError
    ├── ConnectionFailed          connection      refused, DNS, unreachable, not PostgreSQL
    │   └── ConnectionTimeout     connection      the whole attempt took longer than allowed
    ├── ConnectionLost            connection      the session is gone, and what went with it
    ├── ConnectionNotFound        connection      no connection of that name
    ├── NoActiveConnection        connection      nothing is connected
    ├── PoolTimeout               connection      every connection of the pool is in use
    ├── AuthenticationFailed      authentication  password, role, pg_hba, certificate
    ├── SslError                  ssl             each TLS failure by its cause
    ├── SshError                  ssh             host key, key, agent, hop, dead tunnel
    ├── QueryFailed               query           any server error, with its SQLSTATE
    │   ├── QueryCancelled        query           Stop, interrupt, cancel
    │   └── QueryTimeout          query           a time-out of the cell, the statement or a lock
    ├── StorageError              storage         the local SQLite file
    │   └── MigrationError        storage
    ├── KeyringError              keyring         the OS keychain
    │   └── CredentialNotFound    keyring
    ├── InitializationError       initialization  data directory, log, state
    ├── InvalidInput              input           options, names, text
    │   └── BindingError          input           a parameter that is missing or unusable
    ├── ConversionError           internal        a value that fits nowhere
    ├── IoError                   internal        files
    └── InternalError             internal        our own mistakes

    KeyboardInterrupt
    └── QueryInterrupted          carries the QueryCancelled as ``.error``

Nothing here imports psycopg: the tree is there within 100 ms of ``%load_ext``, psycopg (73 ms) is not. Foreign
exceptions become members of this tree in :mod:`tusk_jupyter.translate` and nowhere else. A class carries advice of
its own, so that no error is ever without; a specific one is given per instance. ``QueryInterrupted`` is no
``TuskError``: a loop with ``except Exception`` has to stop when its user says stop.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from tusk_jupyter.redaction import redact, redact_typed

if TYPE_CHECKING:
    from collections.abc import Callable


LINE_LIMIT = 300


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A server's whole error or notice, field by field, named as psycopg's ``Diagnostic`` names them.

    Positions are 1-based and count characters, as PostgreSQL counts them, in the text that was *sent*
    (https://www.postgresql.org/docs/current/protocol-error-fields.html).
    """

    severity: str | None = None
    severity_nonlocalized: str | None = None
    sqlstate: str | None = None
    message_primary: str | None = None
    message_detail: str | None = None
    message_hint: str | None = None
    statement_position: int | None = None
    internal_position: int | None = None
    internal_query: str | None = None
    context: str | None = None
    schema_name: str | None = None
    table_name: str | None = None
    column_name: str | None = None
    datatype_name: str | None = None
    constraint_name: str | None = None
    source_file: str | None = None
    source_line: str | None = None
    source_function: str | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a caret goes: a 0-based ``offset`` in ``text``.

    ``text`` is the cell as typed, or, when ``internal``, the query inside a function that the server named.
    ``trimmed`` is how much shorter it is before the offset than what was typed.
    """

    text: str
    offset: int
    internal: bool = False
    trimmed: int = 0

    @property
    def position(self) -> int:
        """The 1-based position in what was typed."""
        return self.offset + self.trimmed + 1


@dataclass(frozen=True, slots=True)
class Correction:
    """The one edit that would correct a statement: ``text[start:end]`` becomes ``replacement``, all on one line.

    ``text`` is that of the error's :class:`Place`. Who knows the statement alone counts in that, and moves it.
    """

    start: int
    end: int
    replacement: str

    def moved(self, by: int) -> Correction:
        """Return it as it is in a text that has ``by`` more characters before it."""
        return Correction(self.start + by, self.end + by, self.replacement)

    def line(self, text: str) -> tuple[int, str, str] | None:
        """Return the 1-based number of the corrected line, and what it reads before and from the replacement on.

        None where the edit is not on one line of ``text``.
        """
        start, end = self.start, self.end
        if not 0 <= start <= end <= len(text) or "\n" in self.replacement or "\n" in text[start:end]:
            return None
        head = text[text.rfind("\n", 0, start) + 1 : start]
        stop = text.find("\n", end)
        tail = text[end : stop if stop >= 0 else None].rstrip("\r")
        return text.count("\n", 0, start) + 1, head, self.replacement + tail


@dataclass(frozen=True, slots=True)
class ErrorInfo:
    """The fields of a :class:`TuskError` as plain data: frozen, and JSON-serialisable through ``to_dict()``."""

    type: str
    kind: str
    message: str
    detail: str | None = None
    hint: str | None = None
    advice: str | None = None
    sqlstate: str | None = None
    condition: str | None = None
    position: int | None = None
    transaction: str | None = None
    facts: tuple[tuple[str, str], ...] = ()
    name: str | None = None
    duration_s: float | None = None
    diag: Diagnostic | None = None
    corrected: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts, lists and scalars that ``json.dumps`` takes."""
        return asdict(self)


class TuskError(Exception):
    """The root of the tree.

    :param message: what went wrong, in the server's words where it has some.
    :param detail: the server's DETAIL.
    :param hint: the server's HINT.
    :param advice: ours; the class's own where none is given.
    :param sqlstate: five characters, where the server sent them.
    :param condition: the SQLSTATE's name in PostgreSQL's appendix A (``undefined_column``).
    :param position: 1-based character in the cell as typed.
    :param place: the text and offset that the panel's caret points at.
    :param correction: the edit in the text of ``place`` that would correct it.
    :param diag: the whole server diagnostic.
    :param transaction: one sentence on what the transaction or session is now.
    :param facts: further rows of the panel, as (label, text).
    """

    kind: ClassVar[str] = "internal"
    default_advice: ClassVar[str] = "Run %tusk errverbose to see everything that is known about it."
    # whether its words repeat what was typed for a connection
    typed: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        hint: str | None = None,
        advice: str | None = None,
        sqlstate: str | None = None,
        condition: str | None = None,
        position: int | None = None,
        place: Place | None = None,
        correction: Correction | None = None,
        diag: Diagnostic | None = None,
        transaction: str | None = None,
        facts: tuple[tuple[str, str], ...] = (),
        name: str | None = None,
        duration_s: float | None = None,
    ) -> None:
        # whoever built the text from what a user typed or a server said: no password stands in a traceback
        clean = redact_typed if self.typed else redact
        message = clean(message)
        super().__init__(message)
        self.message = message
        self.detail = detail and redact(detail)
        self.hint = hint and redact(hint)
        self.advice = advice or self.default_advice
        self.sqlstate = sqlstate
        self.condition = condition
        self.position = position
        self.place = place
        self.correction = correction
        self.diag = diag
        self.transaction = transaction
        self.facts = tuple((label, clean(text)) for label, text in facts)
        self.name = name and clean(name)
        self.duration_s = duration_s

    def __str__(self) -> str:
        return f"{self.message} ({self.sqlstate})" if self.sqlstate else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        fields = {k: v for k, v in self.__dict__.items() if k != "message" and not k.startswith("_")}
        return _rebuild, (type(self), self.message, fields)

    @property
    def corrected(self) -> str | None:
        """The line of the cell as it would read with the correction, or None where there is none."""
        if self.correction is None or self.place is None or self.place.internal:
            return None
        line = self.correction.line(self.place.text)
        return line and f"{line[1]}{line[2]}"

    def info(self) -> ErrorInfo:
        """Return the error as a frozen record, for events, the history and the front end."""
        return ErrorInfo(
            type=type(self).__name__,
            kind=self.kind,
            message=self.message,
            detail=self.detail,
            hint=self.hint,
            advice=self.advice,
            sqlstate=self.sqlstate,
            condition=self.condition,
            position=self.position,
            transaction=self.transaction,
            facts=self.facts,
            name=self.name,
            duration_s=self.duration_s,
            diag=self.diag,
            corrected=self.corrected,
        )

    def _render_traceback_(self) -> list[str]:
        # IPython's hook: the panel is the report, so the traceback is one line (and fails the cell all the same).
        return _traceback_lines(self)


def one_line(error: BaseException) -> str:
    """Return ``Class: message`` on a single printable line of at most 300 characters."""
    text = " ".join(str(error).split())
    text = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return f"{type(error).__name__}: {text[: LINE_LIMIT - 1] + '…' if len(text) > LINE_LIMIT else text}"


def _rebuild(cls: type[TuskError], message: str, fields: dict[str, Any]) -> TuskError:
    error = cls(message)
    error.__dict__.update(fields)
    return error


class ConnectionFailed(TuskError):
    """The server could not be reached."""

    kind = "connection"
    default_advice = "Check host and port, and that the server is running and reachable from this machine."


class ConnectionTimeout(ConnectionFailed):
    """Connecting took longer than the connect timeout."""

    default_advice = (
        "Nothing answered in time: check host and port, VPN and firewall, or allow more with --connect-timeout."
    )


class ConnectionLost(TuskError):
    """The session ended while it was in use; ``setting`` names the time-out of the server's that ended it."""

    kind = "connection"
    setting: str | None = None
    default_advice = "The next cell gets a new session. Run again what the lost one held: temp tables, SETs, BEGIN."


class ConnectionNotFound(TuskError):
    """There is no connection of that name."""

    kind = "connection"
    typed = True
    default_advice = "%tusk connections lists what there is; %tusk_connect adds one."


class NoActiveConnection(TuskError):
    """A cell ran before anything was connected."""

    kind = "connection"
    default_advice = (
        "Connect first, with one of:\n"
        "  %tusk_connect postgresql://user@host/database\n"
        "  %tusk_connect service=NAME\n"
        "  %tusk_connect --embedded"
    )


class PoolTimeout(TuskError):
    """No connection of the pool became free in time."""

    kind = "connection"
    default_advice = "Wait for what runs (%tusk status), cancel it, or connect with a larger --pool-size."


class AuthenticationFailed(TuskError):
    """The server refused who asked."""

    kind = "authentication"
    default_advice = "Check user name and password; -W asks for the password again."


class SslError(TuskError):
    """TLS could not be set up as asked."""

    kind = "ssl"
    default_advice = "Check the certificate configuration: --sslmode, --sslrootcert, --sslcert, --sslkey."


class SshError(TuskError):
    """The SSH tunnel could not be set up, or died."""

    kind = "ssh"
    default_advice = "Check the tunnel configuration: --ssh USER@HOST, --ssh-auth, --ssh-key, and known_hosts."


class QueryFailed(TuskError):
    """The server refused or failed a statement."""

    kind = "query"
    default_advice = "The server's message names the cause; %tusk errverbose shows everything it said."


class QueryCancelled(QueryFailed):
    """The statement was stopped because somebody asked for it."""

    default_advice = "It was stopped on request; the session, its settings and temp tables are still there."


class QueryTimeout(QueryFailed):
    """The statement was stopped because it ran, or waited, for too long.

    ``setting`` names the time-out: ``statement_timeout``, ``lock_timeout``, or ``--timeout``, the cell's own.
    """

    setting: str | None = None
    default_advice = "Allow more with --timeout (this cell) or SET statement_timeout (the session), or do less."


class StorageError(TuskError):
    """The local SQLite file could not be read or written."""

    kind = "storage"
    default_advice = "Cells still run; history and preferences are not kept. %tusk health shows the state of the file."


class MigrationError(StorageError):
    """The local SQLite file could not be brought up to date."""

    default_advice = "The file is unchanged. Update tusk-jupyter if it was written by a newer version."


class KeyringError(TuskError):
    """The OS keychain did not answer or refused."""

    kind = "keyring"
    default_advice = "Unlock the keychain, or give the password with -W, --password-env or --password-command."


class CredentialNotFound(KeyringError):
    """No password is stored for this connection."""

    default_advice = "Connect with -W to be asked for it."


class InitializationError(TuskError):
    """Data directory, log or state could not be set up."""

    kind = "initialization"
    default_advice = "Choose another directory: %tusk data-dir PATH, or set TUSK_DATA_DIR before the kernel starts."


class InvalidInput(TuskError):
    """An option, a name or a text cannot be used as it stands."""

    kind = "input"
    typed = True
    default_advice = "Nothing was run. Correct the line and run the cell again."


class BindingError(InvalidInput):
    """A parameter is missing, or has a value PostgreSQL has no type for."""

    default_advice = "Nothing was run. Define the variable in the notebook, or pass it with --params."


class ConversionError(TuskError):
    """A value cannot be held in the form asked for."""

    default_advice = "Cast the column in SQL (column::text), or ask for another --format."


class IoError(TuskError):
    """A file could not be read or written."""

    typed = True
    default_advice = "Check the path and its permissions."


class InternalError(TuskError):
    """A mistake of ours."""

    default_advice = "This is a bug: please report it with what %tusk errverbose and %tusk logs show."


class QueryInterrupted(KeyboardInterrupt):
    """A kernel interrupt that stopped a statement; ``error`` says what became of it."""

    def __init__(self, error: TuskError) -> None:
        super().__init__(str(error))
        self.error = error

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.error,)

    def _render_traceback_(self) -> list[str]:
        return _traceback_lines(self)


def _traceback_lines(error: TuskError | QueryInterrupted) -> list[str]:
    return _panel_lines(error) if _panel_lines is not None else [one_line(error)]


_panel_lines: Callable[[TuskError | QueryInterrupted], list[str]] | None = None


def use_panels_as_tracebacks(lines: Callable[[TuskError | QueryInterrupted], list[str]] | None) -> None:
    """In a terminal the traceback is where the panel goes: show ``lines(error)`` in its place; ``None`` ends that."""
    global _panel_lines  # noqa: PLW0603 - IPython's hook is a method without arguments
    _panel_lines = lines
