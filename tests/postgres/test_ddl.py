r"""``%tusk ddl``: what it writes makes the same relation, by ``\d+``: in an empty database, and in place of each."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests import described, psql
from tests.catalogs import FLIGHTS_SQL
from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.schema.asking import Wanted
from tusk_jupyter.schema.ddl import ddl
from tusk_jupyter.schema.describe import describe

# what comes with a table: its indexes, sequences that it owns, and what keeps its long values
ALONE = """
select c.oid::regclass::text, c.relkind from pg_class c
 where c.relnamespace = $1::regnamespace and c.relkind in ('r', 'p', 'f', 'v', 'm', 'c', 'S')
   and not exists (select 1 from pg_depend d where d.objid = c.oid and c.relkind = 'S'
        and d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i'))
"""
FUNCTIONS = "select p.oid::regprocedure::text from pg_proc p where p.pronamespace = $1::regnamespace"
TYPES = """
select pg_catalog.format_type(t.oid, null) from pg_type t where t.typnamespace = $1::regnamespace and t.typtype in ('e', 'd')
"""


def in_order(conn, scripts):
    """Run scripts, each as soon as what it depends on is there; return those that never could be."""
    waiting = dict.fromkeys(scripts, "")
    while waiting:
        before = len(waiting)
        for script in list(waiting):
            try:
                with conn.transaction():
                    conn.execute(script.encode())
                del waiting[script]
            except psycopg.Error as error:
                waiting[script] = str(error)
        if len(waiting) == before:
            break
    return waiting


def anew(conn, empty, schema):
    """Make a schema's types, functions and relations in a database that has none of them."""
    ask = psql.asking(conn)
    scripts = [ddl(ask, row[0]) for row in [*ask(TYPES, schema), *ask(FUNCTIONS, schema)]]
    scripts += [ddl(ask, name) for name, _ in ask(ALONE, schema)]
    assert in_order(empty, scripts) == {}


def everything(conn, pattern):
    listings = describe(psql.asking(conn), Wanted("d", (pattern,), verbose=True))
    # oids are in the names of what keeps long values, of what belongs to foreign keys, and in how a hash is checked
    return {
        one.title: [re.sub(r"(RI_ConstraintTrigger_._)\d+|'\d+'::oid", r"\1", record) for record in psql.records(one)]
        for one in listings
        if "pg_toast" not in one.title
    }


@pytest.fixture
def conn(database):
    with psycopg.connect(database, autocommit=True) as conn:
        yield conn


@pytest.fixture
def empty(server):
    with psycopg.connect(server.conninfo(), autocommit=True) as maintenance:
        maintenance.execute("create database ddl_empty template template0")
        with psycopg.connect(server.conninfo("ddl_empty"), autocommit=True) as conn:
            yield conn
        maintenance.execute("drop database ddl_empty with (force)")


@pytest.fixture
def hostile(conn):
    """Relations under names that nobody should give, without what knows of others, or cannot be made alone."""
    conn.execute(described.statements(conn.info.server_version) + "reset search_path")
    for name, in conn.execute("select quote_ident(pubname) from pg_publication").fetchall():
        conn.execute(f"drop publication {name}")
    # an index on a partitioned table ONLY is not valid until the partitions have it
    conn.execute(f'drop index {psql.quoted(described.SCHEMA)}."part ed_c_idx"')
    yield conn
    conn.execute(f"drop schema {psql.quoted(described.SCHEMA)} cascade")
    conn.execute(f'drop foreign data wrapper "f d w" cascade;{described.DROP_ROLE}')


def test_an_empty_database_becomes_the_same(hostile, empty):
    empty.execute(f"""
        create schema {psql.quoted(described.SCHEMA)};
        create foreign data wrapper "f d w"; create server "ser ver" foreign data wrapper "f d w";
    """)
    anew(hostile, empty, psql.quoted(described.SCHEMA))
    pattern = f"{psql.quoted(described.SCHEMA)}.*"
    expected, made = everything(hostile, pattern), everything(empty, pattern)
    assert len(expected) > 60
    assert made == expected


def test_the_sample_data_become_the_same(conn, empty):
    conn.execute(FLIGHTS_SQL.read_text(encoding="utf-8"))
    anew(conn, empty, "public")
    expected, made = everything(conn, "public.*"), everything(empty, "public.*")
    assert {'Table "public.flights"', 'Index "public.flights_pkey"'} <= expected.keys()
    assert made == expected


@pytest.mark.parametrize("path", ["public, pg_catalog", "evil, pg_catalog, public", "x"])
def test_a_script_means_the_same_whatever_the_search_path(conn, path):
    conn.execute("""
        create table t (a int default 1, b text collate "C"); create view v as select a, b from t where a > 0;
        create schema evil; create table evil.t (x int); create domain evil.text as int;
        create function evil.seen(int, int) returns bool language sql as 'select true';
        create operator evil.> (leftarg = int, rightarg = int, procedure = evil.seen);
    """)
    plain = [ddl(psql.asking(conn), f"public.{name}") for name in "tv"]
    conn.execute(f"set search_path = {path}")
    assert [ddl(psql.asking(conn), f"public.{name}") for name in "tv"] == plain
    assert conn.execute("show search_path").fetchone()[0] == path
    assert "create view public.v as\nSELECT a,\n    b\n   FROM public.t" in plain[1].replace("t.a", "a").replace("t.b", "b")


def test_names_and_patterns(conn):
    conn.execute("create table trip (a int); create table trap (a int)")
    ask = psql.asking(conn)
    both = ddl(ask, "tr?p")
    one, ask.count = ask.count, 0
    assert both.count("create table public.tr") == 2
    assert ddl(ask, "trip") + "\n" == both.partition("create table public.trip")[1] + both.partition(
        "create table public.trip")[2] + "\n"  # fmt: skip
    assert ask.count == one


def test_functions_types_and_what_has_no_script(conn):
    conn.execute("""
        create function f(a int, b text default 'x;') returns int language sql as 'select 1';
        create function f(a int) returns int language plpgsql as $$begin return 1; end$$;
        create procedure p() language sql as 'select 1';
        create aggregate total(int) (sfunc = int4pl, stype = int);
        comment on function f(int) is 'o''ne';
        create domain positive as int default 3 not null constraint above check (value > 0);
        alter domain positive add constraint below check (value < 9) not valid;
        comment on domain positive is 'of a domain';
        create type mood as enum ('it''s', 'b'); comment on type mood is 'of an enum';
    """)
    ask = psql.asking(conn)
    texts = {name: ddl(ask, name) for name in ("f", "f(int)", "p", "positive", "mood")}
    assert texts["f"].count("CREATE OR REPLACE FUNCTION public.f") == 2
    assert texts["f(int)"].count("CREATE OR REPLACE") == 1
    assert "comment on function public.f(integer) is 'o''ne';" in texts["f(int)"]
    conn.execute("drop function f(int), f(int, text); drop procedure p; drop domain positive; drop type mood")
    conn.execute("".join(texts.values()))
    assert {name: ddl(ask, name) for name in texts} == texts
    with pytest.raises(InvalidInput, match="aggregate"):
        ddl(ask, "total")
    conn.execute("create table long (a text)")
    [[toast]] = ask("select reltoastrelid::regclass::text from pg_class where oid = 'long'::regclass")
    with pytest.raises(InvalidInput, match="is made with it"):
        ddl(ask, toast)
    with pytest.raises(InvalidInput) as caught:
        ddl(ask, "moods")
    assert caught.value.advice


def test_owner_and_privileges_come_when_they_are_asked_for(conn):
    ask = psql.asking(conn)
    conn.execute('create role ddl_owner; create role "ddl ""reader"')
    try:
        conn.execute("""
            create table kept (a int, "b b" text); alter table kept owner to ddl_owner;
            revoke update, truncate on kept from ddl_owner;
            grant select on kept to public; grant insert, delete on kept to "ddl ""reader" with grant option;
            grant update ("b b", a) on kept to "ddl ""reader";
            create sequence counted; grant usage on sequence counted to public;
        """)
        granted = "select relacl::text, relowner::regrole::text from pg_class where relname in ('kept', 'counted')"
        columns = "select attname, attacl::text from pg_attribute where attrelid = 'kept'::regclass and attnum > 0"
        before = sorted(map(sorted_acl, ask(granted))), ask(columns)
        script = ddl(ask, "kept", privileges=True) + ddl(ask, "counted", privileges=True)
        assert "owner" not in ddl(ask, "kept")
        assert "grant" not in ddl(ask, "kept")
        conn.execute("drop table kept; drop sequence counted")
        conn.execute(script)
        assert (sorted(map(sorted_acl, ask(granted))), ask(columns)) == before
    finally:
        conn.execute('drop owned by ddl_owner; drop owned by "ddl ""reader"')
        conn.execute('drop role ddl_owner; drop role "ddl ""reader"')


def sorted_acl(row):
    return sorted((row[0] or "").strip("{}").split(",")), row[1]
