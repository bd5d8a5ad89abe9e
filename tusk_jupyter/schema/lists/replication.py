r"""Logical replication as psql lists it: ``\dRp``, ``\dRp+`` with what each publication publishes, ``\dRs``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tusk_jupyter.schema.lists.answering import Column, List, Matched, answer, ask_qualified, major, owner, words

if TYPE_CHECKING:
    from tusk_jupyter.schema.asking import Ask, Listing, Wanted

_PUBLICATIONS = List(
    "List of publications",
    (
        Column("Name", "p.pubname"),
        owner("p.pubowner"),
        Column("All tables", "p.puballtables"),
        Column("Inserts", "p.pubinsert"),
        Column("Updates", "p.pubupdate"),
        Column("Deletes", "p.pubdelete"),
        Column("Truncates", "p.pubtruncate"),
        Column("Generated columns", words("p.pubgencols", {"n": "none", "s": "stored"}), since=18),
        Column("Via root", "p.pubviaroot", since=13),
    ),
    "pg_catalog.pg_publication p",
    (Matched("p.pubname", parts=1),),
)
# the version that publishes schemas, and of tables columns and rows
_PARTS = 15
_COLUMNS = (
    "case when pr.prattrs is not null then ' (' || pg_catalog.array_to_string(array("
    "select a.attname from pg_catalog.pg_attribute a"
    " where a.attrelid = c.oid and a.attnum = any (pr.prattrs) order by a.attnum), ', ') || ')' else '' end"
)
_ROWS = "coalesce(' WHERE ' || pg_catalog.pg_get_expr(pr.prqual, c.oid), '')"
_TABLES = (
    "select '    \"' || n.nspname || '.' || c.relname || '\"'{more} from pg_catalog.pg_class c"
    " join pg_catalog.pg_namespace n on n.oid = c.relnamespace"
    " join pg_catalog.pg_publication_rel pr on pr.prrelid = c.oid"
    " join pg_catalog.pg_publication p on p.oid = pr.prpubid where p.pubname = $1 order by n.nspname, c.relname"
)
_SCHEMAS = (
    "select '    \"' || n.nspname || '\"' from pg_catalog.pg_namespace n"
    " join pg_catalog.pg_publication_namespace pn on pn.pnnspid = n.oid"
    " join pg_catalog.pg_publication p on p.oid = pn.pnpubid where p.pubname = $1 order by n.nspname"
)


def publications(ask: Ask, wanted: Wanted) -> list[Listing]:
    r"""``\dRp [NAME]``; with a ``+`` the tables and schemas of each."""
    listing = answer(ask, wanted, _PUBLICATIONS)
    if not wanted.verbose:
        return [listing]
    return [
        replace(
            listing,
            title=f"Publication {name}",
            columns=listing.columns[1:],
            rows=((owned, everything, *row),),
            footers=() if everything == "t" else _published(ask, major(wanted), name),
        )
        for name, owned, everything, *row in listing.rows
    ]


def _published(ask: Ask, version: int, name: str | None) -> tuple[str, ...]:
    with_parts = version >= _PARTS
    more = f" || {_COLUMNS} || {_ROWS}" if with_parts else ""
    found = [("Tables:", ask_qualified(ask, _TABLES.format(more=more), name))]
    if with_parts:
        found.append(("Tables from schemas:", ask_qualified(ask, _SCHEMAS, name)))
    return tuple(line for header, rows in found if rows for line in (header, *(row[0] or "" for row in rows)))


_STREAMING = {"f": "off", "t": "on", "p": "parallel"}
SUBSCRIPTIONS = List(
    "List of subscriptions",
    (
        Column("Name", "s.subname"),
        owner("s.subowner"),
        Column("Enabled", "s.subenabled"),
        Column("Publication", "s.subpublications"),
        Column("Binary", "s.subbinary", verbose=True, since=14),
        Column("Streaming", "s.substream", verbose=True, since=14, until=15),
        Column("Streaming", words("s.substream", _STREAMING), verbose=True, since=16),
        Column("Two-phase commit", "s.subtwophasestate", verbose=True, since=15),
        Column("Disable on error", "s.subdisableonerr", verbose=True, since=15),
        Column("Origin", "s.suborigin", verbose=True, since=16),
        Column("Password required", "s.subpasswordrequired", verbose=True, since=16),
        Column("Run as owner?", "s.subrunasowner", verbose=True, since=16),
        Column("Failover", "s.subfailover", verbose=True, since=17),
        Column("Synchronous commit", "s.subsynccommit", verbose=True),
        Column("Conninfo", "s.subconninfo", verbose=True),
        Column("Skip LSN", "s.subskiplsn", verbose=True, since=15),
    ),
    "pg_catalog.pg_subscription s",
    (Matched("s.subname", parts=1),),
    ("s.subdbid = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())",),
)
