"""``%tusk_connect``: connect, test or save as the line says, and the one line of report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tusk_jupyter.connections import pooler
from tusk_jupyter.errors import InvalidInput, TuskError
from tusk_jupyter.magics.connect_line import ConnectRequest, parse_connect
from tusk_jupyter.magics.connect_target import target_of
from tusk_jupyter.magics.options import words
from tusk_jupyter.magics.prompts import Prompt
from tusk_jupyter.magics.scrubbing import scrub_history
from tusk_jupyter.widgets.result_footer import ConnectReport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tusk_jupyter.connections.connection import Connection
    from tusk_jupyter.magics.output import CellOutput
    from tusk_jupyter.saving import Kept
    from tusk_jupyter.tusk import Tusk

ask = Prompt()


def run(tusk: Tusk, shell: Any, output: CellOutput, *, line: str, local_ns: Mapping[str, Any]) -> None:
    """Run ``%tusk_connect LINE`` and show its report."""
    # before anything can refuse the line: its password is in the history already
    shows_password = scrub_history(shell, line)
    given = words(line)
    if not given:
        from tusk_jupyter.magics import manager

        manager.run(tusk, shell, output)
        return
    if len(given) == 1 and given[0] in tusk.known_names():
        connection = by_name(tusk, given[0])
        output.show(report(connection, *tusk.credentials.take_warnings()))
        return
    request = parse_connect(line)
    if not request.embedded and not request.where:
        raise InvalidInput(
            "there is nothing to connect to on the line",
            advice="%tusk_connect postgresql://user@host/database, or host=… dbname=…, or --embedded",
        )
    if request.test:
        name, target = target_of(request, tusk=tusk, local_ns=local_ns)
        from tusk_jupyter.magics import testing

        testing.run(tusk, output, name, target, ask=ask)
        return
    connection, said = connect(tusk, request, local_ns=local_ns)
    notes = ("the notebook file still shows the password in this cell's source",) if shows_password else ()
    output.show(report(connection, *notes, *said, *tusk.credentials.take_warnings()))


def connect(tusk: Tusk, request: ConnectRequest, *, local_ns: Mapping[str, Any]) -> tuple[Connection, tuple[str, ...]]:
    """Connect as requested, and save it where that was asked for; return what to say of that."""
    name, target = target_of(request, tusk=tusk, local_ns=local_ns)
    if request.save:
        # what can be refused is refused before anything is connected
        tusk.saved.check(name, group=request.group)
    connection = tusk.connections.connect(name, target, ask=ask)
    try:
        return connection, _kept(tusk, connection, request)
    except TuskError as error:
        error.transaction = f"{connection.name} is connected and the current connection; it is not saved"
        raise


def by_name(tusk: Tusk, name: str) -> Connection:
    """Return the connection of that name, connected and made the current one; a saved one is opened."""
    if name not in tusk.connections.names():
        return tusk.connect_saved(name, ask=ask)
    connection = tusk.connections.use(name)
    connection.session(ask)
    return connection


def _kept(tusk: Tusk, connection: Connection, request: ConnectRequest) -> tuple[str, ...]:
    """Save the connection where that was asked for; return what to say of it."""
    if not request.save:
        if request.group or request.color:
            return ("--group and --color are kept with --save only",)
        return ()
    kept = tusk.saved.keep(connection, group=request.group, color=request.color)
    notes = ("what --password-command printed is kept, not the command",) if request.password_command else ()
    return (f"saved as {kept.saved.name}: {opens(tusk, kept, connection)}", *notes, *kept.warnings)


def opens(tusk: Tusk, kept: Kept, connection: Connection) -> str:
    """Return how a saved connection is opened, and where its password is."""
    reach = "every kernel" if tusk.saved.lasting else "this kernel"
    line = f"%tusk_connect {kept.saved.name} opens it in {reach}"
    match kept.where.get("db"):
        case "keychain":
            return f"{line}; its password is in the keychain"
        case "memory":
            return f"{line}; its password is gone when this kernel ends"
    if connection.target.embedded is None and connection.server is not None and connection.server.used_password:
        return f"{line}; its password is not kept: it came from the environment, a service file or ~/.pgpass"
    return line


def report(connection: Connection, *more: str) -> ConnectReport:
    """Return the line that says what is connected."""
    server = connection.server
    read_only = connection.target.settings.read_only
    notes = [
        *connection.target.notes,
        *connection.take_greetings(),
        *more,
        *pooler.notes(server, connection.target.settings),
    ]
    if read_only:
        from tusk_jupyter.connections import powers

        notes.append(f"read-only {powers.warning(server.powers if server is not None else ())}")
    if server is None:
        return ConnectReport(connection.name, "?", "?", "?", None, read_only, tuple(notes))
    if server.encryption.warning is not None:
        notes.append(f"{server.encryption.text}: {server.encryption.warning}")
    if server.in_recovery:
        notes.append("the server is a standby: it accepts no writes")
    return ConnectReport(
        connection.name, server.version, server.dbname, server.user, server.encryption.text, read_only, tuple(notes)
    )
