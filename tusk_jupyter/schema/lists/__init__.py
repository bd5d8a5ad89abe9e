r"""psql's listing commands: each name to what answers it, and one line of help.

A listing has the columns, the order and the title that the psql of the server's own version prints; for servers
before 15 those of psql 15, less what such a server does not know. ``\drg`` and ``\dconfig`` work on all of them. Where
psql says that it did not find anything, there is a listing without rows, or none. One thing is read otherwise:
``\dn DB.NAME`` is refused by psql even for the database that it is connected to.

pgspecial, which pgcli and JupySQL use for this, was measured beside psql 15 on the database that PostgreSQL's
regression suite leaves, and refused: version 2.2.1 has 21 of these 50 commands, and of its 747 answers 371 were psql's,
the empty ones included. 84 had other columns (``\di`` without the table, ``\du`` with the catalog's, nothing of what a
``+`` shows since psql 13), 42 other rows (``\dv *`` has 47 of 122), 123 raised (every ``S``, ``\do``), and 127 were
answers to patterns that psql refuses. It would bring click and sqlparse. Of the commands here 2,551 answers with
1,125,490 fields were compared on PostgreSQL 15 and 2,591 with 1,175,830 on 18, each with its own psql: all are psql's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from tusk_jupyter.schema.lists import (
    access_methods,
    cluster,
    comments,
    foreign,
    functions,
    relations,
    replication,
    text_search,
    types,
)
from tusk_jupyter.schema.lists.answering import answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tusk_jupyter.schema.asking import Ask, Listing, Wanted
    from tusk_jupyter.schema.lists.answering import List


@dataclass(frozen=True, slots=True)
class Command:
    r"""A listing command: what answers it, its arguments and what it lists; ``letters`` may follow its name."""

    list: Callable[[Ask, Wanted], list[Listing]]
    arguments: str
    help: str
    letters: str = ""


def _plain(listed: List) -> Callable[[Ask, Wanted], list[Listing]]:
    return partial(_answer, listed)


def _answer(listed: List, ask: Ask, wanted: Wanted) -> list[Listing]:
    return [answer(ask, wanted, listed)]


_PATTERN = "[PATTERN]"
_RELATIONS = "tvmsiE"
COMMANDS: dict[str, Command] = {
    "d": Command(relations.relations, "", "tables, views, materialized views, sequences and foreign tables"),
    "dt": Command(relations.relations, _PATTERN, "tables", _RELATIONS),
    "dv": Command(relations.relations, _PATTERN, "views", _RELATIONS),
    "dm": Command(relations.relations, _PATTERN, "materialized views", _RELATIONS),
    "ds": Command(relations.relations, _PATTERN, "sequences", _RELATIONS),
    "di": Command(relations.relations, _PATTERN, "indexes", _RELATIONS),
    "dE": Command(relations.relations, _PATTERN, "foreign tables", _RELATIONS),
    "dP": Command(relations.partitioned, _PATTERN, "partitioned tables and indexes; n: nested", "tin"),
    "dp": Command(relations.privileges, _PATTERN, "privileges on tables, views and sequences"),
    "z": Command(relations.privileges, _PATTERN, "privileges, as \\dp"),
    "ddp": Command(_plain(relations.DEFAULT_PRIVILEGES), _PATTERN, "default privileges"),
    "dX": Command(_plain(relations.STATISTICS), _PATTERN, "extended statistics"),
    "dd": Command(comments.comments, _PATTERN, "comments that no other command shows"),
    "df": Command(
        functions.functions,
        "[PATTERN [TYPE …]]",
        "functions; a: aggregates, n: normal, p: procedures, t: triggers, w: windows",
        "anptw",
    ),
    "da": Command(_plain(functions.AGGREGATES), _PATTERN, "aggregates"),
    "do": Command(functions.operators, "[PATTERN [TYPE [TYPE]]]", "operators"),
    "dC": Command(functions.casts, _PATTERN, "casts from and to a type"),
    "dT": Command(types.types, _PATTERN, "data types"),
    "dD": Command(_plain(types.DOMAINS), _PATTERN, "domains"),
    "dO": Command(_plain(types.COLLATIONS), _PATTERN, "collations"),
    "dc": Command(_plain(types.CONVERSIONS), _PATTERN, "conversions between encodings"),
    "dL": Command(_plain(types.LANGUAGES), _PATTERN, "procedural languages"),
    "dA": Command(_plain(access_methods.ACCESS_METHODS), _PATTERN, "access methods"),
    "dAc": Command(_plain(access_methods.OPERATOR_CLASSES), "[METHOD [TYPE]]", "operator classes"),
    "dAf": Command(access_methods.operator_families, "[METHOD [TYPE]]", "operator families"),
    "dAo": Command(_plain(access_methods.FAMILY_OPERATORS), "[METHOD [FAMILY]]", "operators of operator families"),
    "dAp": Command(access_methods.family_functions, "[METHOD [FAMILY]]", "support functions of operator families"),
    "dF": Command(text_search.configurations, _PATTERN, "text search configurations"),
    "dFd": Command(_plain(text_search.DICTIONARIES), _PATTERN, "text search dictionaries"),
    "dFp": Command(text_search.parsers, _PATTERN, "text search parsers"),
    "dFt": Command(_plain(text_search.TEMPLATES), _PATTERN, "text search templates"),
    "des": Command(_plain(foreign.SERVERS), _PATTERN, "foreign servers"),
    "det": Command(_plain(foreign.FOREIGN_TABLES), _PATTERN, "foreign tables with their servers"),
    "deu": Command(_plain(foreign.USER_MAPPINGS), _PATTERN, "user mappings"),
    "dew": Command(_plain(foreign.WRAPPERS), _PATTERN, "foreign-data wrappers"),
    "dx": Command(foreign.extensions, _PATTERN, "extensions; + what belongs to each"),
    "dy": Command(_plain(foreign.EVENT_TRIGGERS), _PATTERN, "event triggers"),
    "dRp": Command(replication.publications, _PATTERN, "publications"),
    "dRs": Command(_plain(replication.SUBSCRIPTIONS), _PATTERN, "subscriptions"),
    "dn": Command(cluster.schemas, _PATTERN, "schemas"),
    "du": Command(_plain(cluster.ROLES), _PATTERN, "roles"),
    "dg": Command(_plain(cluster.ROLES), _PATTERN, "roles, as \\du"),
    "drg": Command(_plain(cluster.GRANTS), _PATTERN, "who is a member of which role"),
    "drds": Command(_plain(cluster.ROLE_SETTINGS), "[ROLE [DATABASE]]", "settings per role and database"),
    "dl": Command(_plain(cluster.LARGE_OBJECTS), "", "large objects"),
    "lo_list": Command(_plain(cluster.LARGE_OBJECTS), "", "large objects, as \\dl"),
    "db": Command(_plain(cluster.TABLESPACES), _PATTERN, "tablespaces"),
    "dconfig": Command(cluster.settings, _PATTERN, "settings; without a pattern those not at their default"),
    "l": Command(_plain(cluster.DATABASES), _PATTERN, "databases"),
    "list": Command(_plain(cluster.DATABASES), _PATTERN, "databases, as \\l"),
}


def find(name: str) -> Command | None:
    r"""Return the command of that name without S and ``+``: also ``dtv`` and ``dfnp``; None where psql has none."""
    if name in COMMANDS:
        return COMMANDS[name]
    command = COMMANDS.get(name[:2])
    return command if command is not None and not set(name[2:]) - set(command.letters) else None
