r"""What psql's backslash commands look up besides lists: sources (``\sf``, ``\sv``), ``\conninfo``, ``\h``."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.magics import listings, psql
from tusk_jupyter.schema import definitions
from tusk_jupyter.schema.asking import Listing
from tusk_jupyter.schema.synopses import SYNOPSES

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


def synopsis(call: Call, words: str) -> Any:
    r"""Return how statements that begin with ``words`` are written; of one, say it in a line."""
    wanted = " ".join(words.upper().split()).removesuffix("*").rstrip()
    found = {name: text for name, text in SYNOPSES.items() if f"{name} ".startswith(f"{wanted} " if wanted else "")}
    found = found or {name: text for name, text in SYNOPSES.items() if name.startswith(wanted)}
    where = f"https://www.postgresql.org/docs/{version(call) // 10_000}/sql-commands.html"
    if not found:
        near = difflib.get_close_matches(wanted, SYNOPSES, n=3)
        offer = f"Did you mean {' or '.join(near)}? " if near else ""
        raise InvalidInput(f"there is no statement {wanted!r}", advice=f"{offer}All are at {where}.")
    if len(found) > 1:
        rows = tuple(found.items())
        return listings.show([Listing("", ("Statement", "Synopsis"), rows, (f"More of each: {where}",))])
    call.cell.output.say(*found.values(), where)
    return None


def version(call: Call) -> int:
    """Return the ``server_version_num`` of the cell's connection."""
    call.cell.connection.session(call.cell.ask)
    server = call.cell.connection.server
    return server.version_num if server is not None else 0
