r"""Foreign data, extensions, event triggers as psql lists them: ``\dew \des \deu \det \dx \dy``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.schema.asking import Listing
from tusk_jupyter.schema.lists.answering import (
    Column,
    List,
    Matched,
    acl,
    answer,
    ask_qualified,
    comment,
    matching,
    options,
    owner,
    words,
)

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask, Wanted

WRAPPERS = List(
    "List of foreign-data wrappers",
    (
        Column("Name", "w.fdwname"),
        owner("w.fdwowner"),
        Column("Handler", "w.fdwhandler::pg_catalog.regproc"),
        Column("Validator", "w.fdwvalidator::pg_catalog.regproc"),
        *acl("w.fdwacl"),
        options("w.fdwoptions"),
        comment("w.oid", "foreign_data_wrapper"),
    ),
    "pg_catalog.pg_foreign_data_wrapper w",
    (Matched("w.fdwname", parts=1),),
)

SERVERS = List(
    "List of foreign servers",
    (
        Column("Name", "s.srvname"),
        owner("s.srvowner"),
        Column("Foreign-data wrapper", "w.fdwname"),
        *acl("s.srvacl"),
        Column("Type", "s.srvtype", verbose=True),
        Column("Version", "s.srvversion", verbose=True),
        options("s.srvoptions"),
        comment("s.oid", "foreign_server"),
    ),
    "pg_catalog.pg_foreign_server s join pg_catalog.pg_foreign_data_wrapper w on w.oid = s.srvfdw",
    (Matched("s.srvname", parts=1),),
)

USER_MAPPINGS = List(
    "List of user mappings",
    (Column("Server", "um.srvname"), Column("User name", "um.usename"), options("um.umoptions")),
    "pg_catalog.pg_user_mappings um",
    (Matched("um.srvname", alternative="um.usename", parts=1),),
    order="1, 2",
)

FOREIGN_TABLES = List(
    "List of foreign tables",
    (
        Column("Schema", "n.nspname"),
        Column("Table", "c.relname"),
        Column("Server", "s.srvname"),
        options("ft.ftoptions"),
        comment("c.oid", "class"),
    ),
    "pg_catalog.pg_foreign_table ft join pg_catalog.pg_class c on c.oid = ft.ftrelid"
    " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
    " join pg_catalog.pg_foreign_server s on s.oid = ft.ftserver",
    (Matched("c.relname", "n.nspname", visible="pg_catalog.pg_table_is_visible(c.oid)"),),
    order="1, 2",
)

_EXTENSIONS = List(
    "List of installed extensions",
    (
        Column("Name", "e.extname"),
        Column("Version", "e.extversion"),
        Column("Default version", "ae.default_version", since=18),
        Column("Schema", "n.nspname"),
        comment("e.oid", "extension", verbose=False),
    ),
    "pg_catalog.pg_extension e left join pg_catalog.pg_namespace n on n.oid = e.extnamespace"
    " left join pg_catalog.pg_available_extensions() ae(name, default_version, comment) on ae.name = e.extname",
    (Matched("e.extname", parts=1),),
)
_MEMBERS = (
    "select pg_catalog.pg_describe_object(classid, objid, 0) from pg_catalog.pg_depend"
    " where refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass and refobjid = $1::pg_catalog.oid"
    " and deptype = 'e' order by 1"
)


def extensions(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dx [NAME]``; with a ``+`` what belongs to each."""
    if not wanted.verbose:
        return [answer(ask, wanted, _EXTENSIONS)]
    values: list[str | None] = []
    conditions = matching(ask, _EXTENSIONS.matched[0], wanted.arguments[0] if wanted.arguments else None, values)
    where = f" where {' and '.join(conditions)}" if conditions else ""
    found = ask_qualified(ask, f"select e.oid, e.extname from pg_catalog.pg_extension e{where} order by 2", *values)
    return [
        Listing(
            f'Objects in extension "{name}"',
            ("Object description",),
            tuple(map(tuple, ask_qualified(ask, _MEMBERS, oid))),
        )
        for oid, name in found
    ]


EVENT_TRIGGERS = List(
    "List of event triggers",
    (
        Column("Name", "e.evtname"),
        Column("Event", "e.evtevent"),
        owner("e.evtowner"),
        Column("Enabled", words("e.evtenabled", {"O": "enabled", "R": "replica", "A": "always", "D": "disabled"})),
        Column("Function", "e.evtfoid::pg_catalog.regproc"),
        Column("Tags", "pg_catalog.array_to_string(e.evttags, ', ')"),
        comment("e.oid", "event_trigger"),
    ),
    "pg_catalog.pg_event_trigger e",
    (Matched("e.evtname", parts=1),),
)
