r"""``\d`` and ``%tusk ddl`` on what PostgreSQL's own regression suite leaves: 1,800 relations that nobody made for us."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests import psql
from tusk_jupyter.schema import ddl, describe

RELATIONS = """
select c.oid, n.nspname, c.relname, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname !~ '^pg_temp' order by n.nspname, c.relname
"""
KEYWORDS = {"r": "table", "p": "table", "v": "view", "m": "materialized view", "c": "type", "f": "foreign table"}
# of what names and settings are PostgreSQL's own; what another relation says of this one goes when this one does
OTHERS = ("references", "children", "publications")
# what no script of one relation can make: an index that its partitions lack, a constraint that takes the table's rows
NOT_ALONE = re.compile(r"btree \(\w+\) INVALID|check_con_function")
EVERY = 3  # tables there are many alike


@pytest.fixture(scope="module")
def conn(regression_database):
    with psycopg.connect(regression_database.conninfo("regression"), autocommit=True) as conn:
        yield conn


@pytest.mark.timeout(900)
@pytest.mark.parametrize("plus", ["+", ""], ids=["verbose", "short"])
def test_every_field_is_as_psql_has_it(regression_database, conn, plus):
    ask = psql.asking(conn)
    found = ask(RELATIONS)
    names = [f"{psql.quoted(schema)}.{psql.quoted(name)}" for _, schema, name, _ in found]
    theirs = psql.answers(regression_database, regression_database.conninfo("regression"), [f"\\d{plus} {n}" for n in names])
    relations = describe.read(ask, [oid for oid, *_ in found], verbose=bool(plus))
    facts = describe.gather(ask, relations, verbose=bool(plus), version=conn.info.server_version)
    ours = {one.oid: psql.records(describe.listing(one, facts)) for one in relations}
    assert len(found) > 1_500
    wrong = [name for (oid, *_), name, expected in zip(found, names, theirs, strict=True) if ours[oid] != expected]
    assert wrong == []


@pytest.mark.timeout(900)
def test_a_script_in_place_of_a_relation_makes_the_same(conn):
    ask = psql.asking(conn)
    found = [row for row in ask(RELATIONS) if row[3] in KEYWORDS and _of_users(row[1])]
    tables = [row for row in found if row[3] == "r"]
    found = [row for row in found if row[3] != "r"] + tables[::EVERY]
    before = looked(ask, conn, [oid for oid, *_ in found])
    pieces = ddl.gather(ask, [oid for oid, *_ in found], conn.info.server_version)
    scripts = {one.relation.oid: ddl.script(one) for one in pieces}
    wrong, alike = {}, 0
    for oid, schema, name, kind in found:
        with conn.transaction(force_rollback=True):
            full_name = f"{psql.quoted(schema)}.{psql.quoted(name)}"
            conn.execute(f"drop {KEYWORDS[kind]} {full_name} cascade".encode())
            try:
                conn.execute(scripts[oid].encode())
            except psycopg.Error as error:
                wrong[full_name] = f"{error}\n{scripts[oid]}"
                continue
            [[new]] = ask("select $1::regclass::oid", full_name)
            [made] = looked(ask, conn, [new]).values()
            if made != before[oid]:
                wrong[full_name] = f"{made} != {before[oid]}"
        alike += full_name not in wrong
    # an index that is not valid makes ones on the partitions of the copy
    known = [name for name, why in wrong.items() if NOT_ALONE.search(why)]
    assert {name: why for name, why in wrong.items() if name not in known and "idxpart" not in name} == {}
    assert alike > 300


def looked(ask, conn, oids):
    relations = describe.read(ask, oids, verbose=True)
    facts = describe.gather(ask, relations, verbose=True, version=conn.info.server_version)
    for kind in OTHERS:
        facts.rows.pop(kind, None)
    # inherited keys, which the drop took from the table they are of; triggers whose names hold oids
    for rows, keeps in (("foreign keys", lambda row: row[2] == "t"), ("triggers", lambda row: row[2] != "t")):
        for oid, all_rows in facts.rows.get(rows, {}).items():
            facts.rows[rows][oid] = [row for row in all_rows if keeps(row)]
    return {one.oid: psql.records(describe.listing(one, facts)) for one in relations}


def _of_users(schema):
    return schema not in {"pg_catalog", "information_schema", "pg_toast"}
