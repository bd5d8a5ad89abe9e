r"""A script that makes a relation anew: ``%tusk ddl NAME``.

PostgreSQL writes definitions of indexes, constraints, views, triggers, rules, statistics and functions; of a table it
writes none. pg_dump does, and is refused here: it is a program that may not be installed, must be of the server's
version or later, connects by itself (through no tunnel of ours, with a password that it has to be given), and does not
see what an open transaction has made. What is asked is in :mod:`~tusk_jupyter.schema.ddl_sql`; every name in a script
has its schema, so that it means the same wherever it is run.

What belongs to a relation comes with it: sequences that its columns own, indexes, constraints, triggers, rules,
policies, statistics, comments. Other relations do not, not even partitions: the script of a partition makes a table and
attaches it, as pg_dump's does, which keeps the names of its indexes. Owner and privileges come when they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.schema import ddl_objects, ddl_sql
from tusk_jupyter.schema.ddl_extras import belongings, privileges_of
from tusk_jupyter.schema.ddl_records import Pieces, relation_of
from tusk_jupyter.schema.ddl_relations import made
from tusk_jupyter.schema.describe import find, server_version

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tusk_jupyter.schema.asking import Ask
    from tusk_jupyter.schema.ddl_records import Row


def ddl(ask: Ask, name: str, *, version: int = 0, privileges: bool = False) -> str:
    r"""Return a script that makes what a pattern of ``\d`` matches, or else functions or types of that name.

    :raises InvalidInput: when there is nothing of that name, or nothing that a statement could make.
    """
    version = version or server_version(ask)
    try:
        oids = find(ask, name)
    except InvalidInput:
        texts = ddl_objects.scripts(ask, name)
        if not texts:
            raise
    else:
        texts = [script(pieces, privileges=privileges) for pieces in gather(ask, oids, version)]
    return "\n".join(texts)


def script(pieces: Pieces, *, privileges: bool = False) -> str:
    """Return the script of one relation; :raises InvalidInput: for one that no statement makes."""
    relation = pieces.relation
    if relation.kind == "t":
        raise InvalidInput(
            f"{relation.name} holds the long values of a table, and is made with it",
            advice="%tusk describe names the owning table; %tusk ddl of that makes both.",
        )
    statements = [*made(pieces), *belongings(pieces)]
    if privileges:
        statements += privileges_of(pieces)
    return "".join(f"{statement};\n" for statement in statements)


def gather(ask: Ask, oids: Iterable[str], version: int) -> list[Pieces]:
    """Ask for everything that the scripts of some relations say, in as many statements as for one."""
    found = ddl_sql.ask_pathless(ask, _questions(version), oids)
    relations = [relation_of(row) for row in found.pop("relation")]
    by_oid: dict[str, dict[str, list[Row]]] = {one.oid: {kind: [] for kind in found} for one in relations}
    for kind, rows in found.items():
        for oid, *row in rows:
            if oid in by_oid:
                by_oid[oid][kind].append(row)
    return [Pieces(one, by_oid[one.oid], version) for one in relations]


def _questions(version: int) -> dict[str, str]:
    return {
        "relation": ddl_sql.RELATIONS,
        "columns": ddl_sql.columns(version),
        "inherited": ddl_sql.INHERITED,
        "parents": ddl_sql.PARENTS,
        "sequences": ddl_sql.SEQUENCES,
        "constraints": ddl_sql.CONSTRAINTS,
        "indexes": ddl_sql.INDEXES,
        "statistics": ddl_sql.statistics(version),
        "rules": ddl_sql.RULES,
        "triggers": ddl_sql.triggers(version),
        "disabled keys": ddl_sql.DISABLED,
        "changed copies": ddl_sql.changed_copies(version),
        "policies": ddl_sql.POLICIES,
        "privileges": ddl_sql.PRIVILEGES,
        "column privileges": ddl_sql.COLUMN_PRIVILEGES,
    }
