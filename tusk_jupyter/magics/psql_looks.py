r"""What psql's backslash commands look up besides lists: sources (``\sf``, ``\sv``), ``\conninfo``, ``\h``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics import listings, psql
from tusk_jupyter.schema import definitions
from tusk_jupyter.schema.asking import Listing

if TYPE_CHECKING:
    from tusk_jupyter.magics.psql import Call
    from tusk_jupyter.schema.asking import Ask
    from tusk_jupyter.schema.definitions import Definition


def source(call: Call, name: str) -> Any:
    r"""Return what ``\sf`` and ``\sv`` show: the source, as text."""
    kind = "function" if call.command.name.startswith("sf") else "view"
    if not name:
        raise InvalidInput(f"\\{call.command.name}: which {kind}?", advice=f"\\{call.command.name} NAME")

    def question(ask: Ask) -> Definition:
        return definitions.function(ask, name) if kind == "function" else definitions.view(ask, name)

    found = psql.look(call, question)
    from tusk_jupyter.magics.definition import Source

    return Source(found.text, found.numbered if call.command.name.endswith("+") else found.text)


def conninfo(call: Call) -> Any:
    r"""Return what ``\conninfo`` shows: the parameters of the connection, as psql 18 has them, and our own."""
    connection = call.cell.connection
    session = connection.session(call.cell.ask)
    server, libpq = connection.server, session.adapt.info
    assert server is not None  # noqa: S101 - it has a session
    host = ("Socket Directory", server.host) if server.host.startswith(("/", "@")) else ("Host", server.host)
    rows = [
        ("Connection", connection.name),
        ("Database", libpq.dbname),
        ("Client User", libpq.user),
        host,
        ("Server Port", str(server.port)),
        ("Options", libpq.options),
        ("Password Used", "true" if server.used_password else "false"),
        ("Backend PID", str(session.backend_pid or "")),
        ("SSL Connection", server.encryption.text),
        ("Superuser", session.parameter("is_superuser") or ""),
        ("Hot Standby", session.parameter("in_hot_standby") or ("on" if server.in_recovery else "off")),
        ("Route", connection.route.text or "direct"),
        ("Server", f"PostgreSQL {server.version}"),
    ]
    return listings.show([Listing("Connection Information", ("Parameter", "Value"), tuple(rows))])


def synopsis(call: Call, words: str) -> None:
    r"""Say where it is written how a statement is written."""
    major = version(call) // 10_000
    what = f"how {words.upper()} is written" if words else "every statement"
    call.cell.output.say(f"{what}: https://www.postgresql.org/docs/{major}/sql-commands.html")


def version(call: Call) -> int:
    """Return the ``server_version_num`` of the cell's connection."""
    call.cell.connection.session(call.cell.ask)
    server = call.cell.connection.server
    return server.version_num if server is not None else 0
