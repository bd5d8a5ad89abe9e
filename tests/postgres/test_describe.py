r"""``\d NAME`` beside psql's own, on relations of every kind with names that nobody should give."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests import described, psql
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.schema.asking import Wanted
from tusk_jupyter.schema.describe import describe

RELATIONS = """
select n.nspname, c.relname, c.relkind from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname not in ('pg_catalog', 'information_schema') order by 1, 2
"""
KINDS = set("rvmiIStcfp")
# without views and rules: the functions of PostgreSQL that write those call operators by their names alone
OURS = ["Mixed Case", "part 1", "part ed", "chi ld", "for eign", "se q", "u n", "typed", "quiet_key", "hashed_pkey"]


@pytest.fixture(scope="module")
def hostile(server):
    """Conninfo of a database with the relations of described.sql; several tests look at it, none changes it."""
    if not (server.bin / "psql").exists():
        pytest.skip("these binaries have no psql")
    name = "described"
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute(f"create database {name} template template0")
        with psycopg.connect(server.conninfo(name), autocommit=True) as made:
            made.execute(described.statements(made.info.server_version))
        yield server.conninfo(name)
        conn.execute(f"drop database {name} with (force)")
        conn.execute(described.DROP_ROLE)


@pytest.fixture
def conn(hostile):
    with psycopg.connect(hostile, autocommit=True) as conn:
        yield conn


@pytest.fixture
def ask(conn):
    return psql.asking(conn)


def wanted(conn, *patterns, verbose=True, **more):
    return Wanted("d", patterns, verbose=verbose, version=conn.info.server_version, **more)


@pytest.mark.parametrize("verbose", [True, False], ids=["verbose", "short"])
@pytest.mark.parametrize("path", ["", described.SCHEMA], ids=["off the path", "on the path"])
def test_every_field_is_as_psql_has_it(server, hostile, conn, ask, verbose, path):
    found = conn.execute(RELATIONS).fetchall()
    assert {kind for *_, kind in found} == KINDS
    names = [f"{psql.quoted(schema)}.{psql.quoted(name)}" for schema, name, _ in found]
    if path:
        conn.execute(f"set search_path = {psql.quoted(path)}")
    on_path = f"set search_path = {psql.quoted(path)};\n" if path else ""
    theirs = psql.answers(server, hostile, [f"{on_path}\\d{'+' * verbose} {name}" for name in names])
    known = wrong_in_psql_18 if conn.info.server_version >= 180000 else lambda records: records
    for name, expected in zip(names, theirs, strict=True):
        [listing] = describe(ask, wanted(conn, name, verbose=verbose))
        assert known(psql.records(listing)) == expected


def wrong_in_psql_18(records):
    # it has no word for it
    return ["Replica Identity: ???" if record == "Replica Identity: NOTHING" else record for record in records]


def test_many_relations_take_as_many_statements_as_one(conn, ask):
    describe(ask, wanted(conn, f"{psql.quoted(described.SCHEMA)}.refers"))
    one, ask.count = ask.count, 0
    listings = describe(ask, wanted(conn, "*.*"))
    assert len(listings) > 300
    assert ask.count <= one + 8  # those that are asked of kinds that the one table is not of


def test_several_matches_are_in_psqls_order(server, hostile, conn, ask):
    [theirs] = psql.answers(server, hostile, ["\\d *.part*"])
    listings = describe(ask, wanted(conn, "*.part*", verbose=False))
    assert len(listings) > 8
    ours = "\n".join(psql.RECORD.join(psql.records(listing)) for listing in listings)
    assert re.sub(r"\n+", "\n", psql.RECORD.join(theirs)) == ours


@pytest.mark.parametrize(
    ("typed", "offer"),
    [("misst", "mist"), ('"Mist"', "mist"), ("public.mists", "public.mist"), ("hidn", "elsewhere.hidden"),
     ("mixed case", '"Mixed Case"')],
)  # fmt: skip
def test_what_is_not_there_is_said_with_near_names(database, typed, offer):
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute('create table mist (a int); create schema elsewhere; create table elsewhere.hidden (a int);'
                     'create table "Mixed Case" ()')  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            describe(psql.asking(conn), wanted(conn, typed))
    assert repr(typed) in caught.value.message
    assert f"Did you mean {offer}?" in caught.value.advice


def test_a_name_that_is_only_elsewhere_is_offered_from_each_schema_and_nothing_beside_it(database):
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute('create schema one; create table one.trip (id int primary key); create schema two;'
                     'create table two.trip (); create table "Trip" ()')  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            describe(psql.asking(conn), wanted(conn, "trip"))
    assert "Did you mean one.trip or two.trip?" in caught.value.advice


def test_what_is_not_there_and_is_like_nothing_gets_the_way_to_look(conn, ask):
    with pytest.raises(InvalidInput) as caught:
        describe(ask, wanted(conn, "qqqqqqqqqq"))
    assert "\\d lists" in caught.value.advice


def test_a_search_path_of_somebody_else_leads_to_nothing(conn, ask):
    conn.execute("""
        create schema evil;
        create function evil.seen(oid, oid) returns boolean language plpgsql as
            $$begin raise exception 'an operator of mine was called'; end$$;
        create operator evil.= (leftarg = oid, rightarg = oid, procedure = evil.seen);
        create function evil.named(name, name) returns boolean language plpgsql as
            $$begin raise exception 'an operator of mine was called'; end$$;
        create operator evil.= (leftarg = name, rightarg = name, procedure = evil.named);
        create domain evil.oid as text check (false); create domain evil.text as int check (false);
        create view evil.pg_class as select 1 / 0 as oid;
        create function evil.format_type(oid, int) returns text language sql as 'select null::text';
    """)
    mine = [f"{psql.quoted(described.SCHEMA)}.{psql.quoted(name)}" for name in OURS]
    quiet = describe(ask, wanted(conn, *mine))
    conn.execute("set search_path = evil, pg_catalog")
    try:
        listings = describe(ask, wanted(conn, *mine))
        with pytest.raises(InvalidInput):
            describe(ask, wanted(conn, "nothing_of_the_kind"))
    finally:
        conn.execute("reset search_path; drop schema evil cascade")
    # what PostgreSQL writes names what is off the path with its schema
    assert repr(listings).replace("pg_catalog.", "") == repr(quiet).replace("pg_catalog.", "")
