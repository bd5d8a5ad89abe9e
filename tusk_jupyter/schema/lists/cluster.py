r"""What a server has above and beside its relations, as psql lists it: ``\l \db \dn \du \drg \drds \dconfig``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.schema.lists.answering import (
    Column,
    List,
    Matched,
    acl,
    answer,
    ask_qualified,
    comment,
    lines,
    major,
    owner,
    words,
)

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask, Listing, Wanted

# versions that brought publications of schemas, and GRANT … ON PARAMETER
_SCHEMAS_PUBLISHED, _SETTINGS_GRANTED = 15, 15
_PROVIDER = Column("Locale Provider", words("d.datlocprovider", {"b": "builtin", "c": "libc", "i": "icu"}))
DATABASES = List(
    "List of databases",
    (
        Column("Name", "d.datname"),
        owner("d.datdba"),
        Column("Encoding", "pg_catalog.pg_encoding_to_char(d.encoding)"),
        replace(_PROVIDER, since=16),
        Column("Collate", "d.datcollate"),
        Column("Ctype", "d.datctype"),
        Column("ICU Locale", "d.daticulocale", since=15, until=16),
        Column("Locale", "d.datlocale", since=17),
        Column("ICU Rules", "d.daticurules", since=16),
        replace(_PROVIDER, since=15, until=15),
        *acl("d.datacl", verbose=False),
        Column(
            "Size",
            "case when pg_catalog.has_database_privilege(d.datname, 'CONNECT')"
            " then pg_catalog.pg_size_pretty(pg_catalog.pg_database_size(d.datname)) else 'No Access' end",
            verbose=True,
        ),
        Column("Tablespace", "t.spcname", verbose=True),
        comment("d.oid", "database", shared=True),
    ),
    "pg_catalog.pg_database d join pg_catalog.pg_tablespace t on t.oid = d.dattablespace",
    (Matched("d.datname", parts=1),),
)

TABLESPACES = List(
    "List of tablespaces",
    (
        Column("Name", "t.spcname"),
        owner("t.spcowner"),
        Column("Location", "pg_catalog.pg_tablespace_location(t.oid)"),
        *acl("t.spcacl"),
        Column("Options", "t.spcoptions", verbose=True),
        Column("Size", "pg_catalog.pg_size_pretty(pg_catalog.pg_tablespace_size(t.oid))", verbose=True),
        comment("t.oid", "tablespace", shared=True),
    ),
    "pg_catalog.pg_tablespace t",
    (Matched("t.spcname", parts=1),),
)

_SCHEMAS = List(
    "List of schemas",
    (
        Column("Name", "n.nspname"),
        owner("n.nspowner"),
        *acl("n.nspacl"),
        comment("n.oid", "namespace"),
    ),
    "pg_catalog.pg_namespace n",
    (Matched("n.nspname", parts=2),),
    quiet=("n.nspname !~ '^pg_'", "n.nspname <> 'information_schema'"),
)
_PUBLISHED = (
    "select p.pubname from pg_catalog.pg_publication p"
    " join pg_catalog.pg_publication_namespace pn on pn.pnpubid = p.oid"
    " join pg_catalog.pg_namespace n on n.oid = pn.pnnspid where n.nspname = $1 order by 1"
)


def schemas(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dn [NAME]``: with the publications of a schema that is named."""
    listing = answer(ask, wanted, _SCHEMAS)
    if wanted.arguments and major(wanted) >= _SCHEMAS_PUBLISHED:
        published = ask_qualified(ask, _PUBLISHED, wanted.arguments[0])
        if published:
            listing = replace(listing, footers=("Publications:", *(f'    "{name}"' for [name] in published)))
    return [listing]


_ATTRIBUTES = (
    ("r.rolsuper", "Superuser"), ("not r.rolinherit", "No inheritance"), ("r.rolcreaterole", "Create role"),
    ("r.rolcreatedb", "Create DB"), ("not r.rolcanlogin", "Cannot login"), ("r.rolreplication", "Replication"),
    ("r.rolbypassrls", "Bypass RLS"),
)  # fmt: skip
_CONNECTIONS = (
    "case when r.rolconnlimit = 0 then 'No connections' when r.rolconnlimit = 1 then '1 connection'"
    " when r.rolconnlimit operator(pg_catalog.>) 1 then r.rolconnlimit || ' connections' end"
)
_LISTED = ", ".join(f"case when {condition} then '{name}' end" for condition, name in _ATTRIBUTES)
_ANY = " or ".join(condition for condition, _ in _ATTRIBUTES)
_ATTRIBUTE_TEXT = (
    f"pg_catalog.concat_ws(E'\\n', case when {_ANY} then pg_catalog.concat_ws(', ', {_LISTED}) end,"
    f" {_CONNECTIONS}, 'Password valid until ' || r.rolvaliduntil)"
)
ROLES = List(
    "List of roles",
    (
        Column("Role name", "r.rolname"),
        Column("Attributes", _ATTRIBUTE_TEXT),
        Column(
            "Member of",
            "array(select b.rolname from pg_catalog.pg_auth_members m join pg_catalog.pg_roles b on b.oid = m.roleid"
            " where m.member = r.oid)",
            until=15,
        ),
        comment("r.oid", "authid", shared=True),
    ),
    "pg_catalog.pg_roles r",
    (Matched("r.rolname", parts=1),),
    quiet=("r.rolname !~ '^pg_'",),
)

GRANTS = List(
    "List of role grants",
    (
        Column("Role name", "m.rolname"),
        Column("Member of", "r.rolname"),
        Column(
            "Options",
            "pg_catalog.concat_ws(', ', case when a.admin_option then 'ADMIN' end,"
            " case when m.rolinherit then 'INHERIT' end, 'SET')",
            until=15,
        ),
        Column(
            "Options",
            "pg_catalog.concat_ws(', ', case when a.admin_option then 'ADMIN' end,"
            " case when a.inherit_option then 'INHERIT' end, case when a.set_option then 'SET' end)",
            since=16,
        ),
        Column("Grantor", "g.rolname"),
    ),
    "pg_catalog.pg_roles m join pg_catalog.pg_auth_members a on a.member = m.oid"
    " left join pg_catalog.pg_roles r on r.oid = a.roleid left join pg_catalog.pg_roles g on g.oid = a.grantor",
    (Matched("m.rolname", parts=1),),
    quiet=("m.rolname !~ '^pg_'",),
    order="1, 2, 4",
)

ROLE_SETTINGS = List(
    "List of settings",
    (
        Column("Role", "r.rolname"),
        Column("Database", "d.datname"),
        Column("Settings", lines("s.setconfig")),
    ),
    "pg_catalog.pg_db_role_setting s left join pg_catalog.pg_database d on d.oid = s.setdatabase"
    " left join pg_catalog.pg_roles r on r.oid = s.setrole",
    (Matched("r.rolname", parts=1), Matched("d.datname", parts=1)),
    order="1, 2",
)

LARGE_OBJECTS = List(
    "Large objects",
    (
        Column("ID", "l.oid"),
        owner("l.lomowner"),
        *acl("l.lomacl"),
        comment("l.oid", "largeobject", verbose=False),
    ),
    "pg_catalog.pg_largeobject_metadata l",
    order="l.oid",
)

_SETTINGS = List(
    "List of configuration parameters",
    (
        Column("Parameter", "s.name"),
        Column("Value", "pg_catalog.current_setting(s.name)"),
        Column("Type", "s.vartype", verbose=True),
        Column("Context", "s.context", verbose=True),
        *acl("p.paracl"),
    ),
    "pg_catalog.pg_settings s",
    (Matched("pg_catalog.lower(s.name)", parts=0),),
)


def settings(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dconfig [NAME]``: without a name those that are not at their default."""
    listed = _SETTINGS
    if major(wanted) >= _SETTINGS_GRANTED:
        acls = " left join pg_catalog.pg_parameter_acl p on pg_catalog.lower(s.name) = p.parname"
        listed = replace(listed, source=listed.source + acls)
    else:
        listed = replace(listed, columns=listed.columns[:4])
    if not wanted.arguments:
        listed = replace(
            listed,
            title="List of non-default configuration parameters",
            where=("s.source <> 'default'", "(s.setting <> s.boot_val or (s.setting is null) <> (s.boot_val is null))"),
        )
    return [answer(ask, wanted, listed)]
