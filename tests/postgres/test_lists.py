r"""psql's listing commands beside psql itself, field by field: on what PostgreSQL's regression suite leaves, and worse."""

from __future__ import annotations

from collections import Counter
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.listed import FIELD, Asked, difference, ours_prints, psql_prints
from tusk_jupyter.looking import _asked
from tusk_jupyter.schema import around, around_words
from tusk_jupyter.schema.asking import Wanted
from tusk_jupyter.schema.lists import COMMANDS, find

COMBINED = (
    "dtv", "dtvmsiE", "dis", "dsE", "dfa", "dfn", "dfp", "dft", "dfw", "dfnp", "dfat", "dPt", "dPi", "dPn", "dPtn", "dPin",
)  # fmt: skip
PATTERNS = (
    "a*", '"A"*', "pg_catalog.*", "public.t?st*", "*.*", "*", "(a|b|t)[a-e]+.*", '"pg_class"', "regression.public.a*",
    "public.", "INT4", "int*[]", "plpgsql", "x.y.z", "a.b.c.d", "pg_c*+", '"a+"', "temp?*.*",
)  # fmt: skip
SEVERAL = {
    "df": [
        ("*", "int"), ("*", "int4", "-"), ("abs", "*"), ("sub*", "text", "INTEGER"), ("*", "int[]", "-"), ("*", "-"),
        ("*", "pg_catalog.flo*"), ("*", "decimal"),
    ],
    "dfa": [("*", "numeric")],
    "do": [("+", "int", "int"), ("-", "int4"), ("*", "text", "-"), ("=", "decimal", "numeric"), ("*", "-"), ("||",)],
    "dAc": [("btree", "int*"), ("*", "pg_catalog.int4")],
    "dAf": [("btree", "int4"), ("*", "text")],
    "dAo": [("btree", "int*"), ("gin", "*")],
    "dAp": [("btree", "text*"), ("gist", "*")],
    "drds": [("*", "regression"), ("regress*", "*")],
    "dC": [("integer",), ("pg_catalog.int?",)],
    "dT": [("pg_catalog._int4",), ("float",), ("char",), ("int[]",)],
    "dconfig": [("log_*",), ("plpgsql.*",), ("WORK_mem",)],
    "dF": [("english",)],
    "dn": [("public",)],
}  # fmt: skip
# psql takes no S after these, or no +, or no pattern
NO_S = {"l", "list", "z", "lo_list", "dA", "dF", *(name for name in (*COMMANDS, *COMBINED) if name.startswith("dP"))}
NO_PLUS = {"z"}
NO_PATTERN = {"d", "lo_list"}
SINCE = {"drg": 16, "dconfig": 15}


def _comparable(name: str, pattern: str) -> bool:
    r"""Whether psql reads the pattern: for ``\ddp`` it counts the dots as if they parted names, and looks for them in names."""
    return name != "ddp" or pattern.count(".") < 2


def commands(version: int) -> list[Asked]:
    """Return every command, with and without S and +, with every pattern."""
    asked = []
    for name in (*COMMANDS, *COMBINED):
        if SINCE.get(name, 0) > version:
            continue
        flags = [flag for flag in ("", "+", "S", "S+") if not ("S" in flag and name in NO_S)]
        flags = [flag for flag in flags if not ("+" in flag and name in NO_PLUS)]
        asked += [Asked(name, flag) for flag in flags]
        patterns = (
            [] if name in NO_PATTERN else [*((p,) for p in PATTERNS if _comparable(name, p)), *SEVERAL.get(name, [])]
        )
        asked += [Asked(name, flag, pattern) for flag in flags if "S" not in flag for pattern in patterns]
    return asked


def compared(server, database: str, asked: list[Asked], *first: str) -> Counter:
    """Compare all; return how many commands and fields agree, and fail with what does not."""
    ours, psql = (prints(server, database, asked, *first) for prints in (ours_prints, psql_prints))
    wrong = [found for one in zip(asked, ours, psql, strict=True) if (found := difference(*one)) is not None]
    assert wrong == []
    return Counter(
        commands=len(asked),
        with_rows=sum(bool(one.text) for one in ours),
        errors=sum(bool(one.error) for one in ours),
        fields=sum(one.text.count(FIELD) for one in ours),
    )


@pytest.mark.timeout(600)
def test_every_command_answers_as_psql_does_on_the_regression_database(regression_database):
    found = compared(regression_database, "regression", commands(regression_database.version))
    # counted on PostgreSQL 15
    assert found["commands"] > 2000
    assert found["with_rows"] > 700
    assert found["errors"] > 100
    assert found["fields"] > 900_000


HOSTILE = Path(__file__).parents[1] / "listed.sql"
SINCE_15 = """
create publication narrow for table public.plain (a, c) where (a > 1), s1."Same";
create publication wide for table public.plain where (c like '%'), tables in schema s1, s2;
grant set on parameter work_mem to "Ro'le";
"""
PATH = 'set search_path = s2, s1, "Order", public'
TEMPORARY = "create temp table same (c int)"
NAMES = (
    '"Order"', "order", '"Order".*', '"a.b".*', "a.b", '"x""y".*', '"t""t"', "same", '"Same"', "*same*", "s1.*", "S1.S*",
    r'"p*?|$[](\)".*', "*.p*", "a$b", "größe*", "*Größe*", '"r,o le"', '*"M"*', "*.*mood", '"S v"', '"P u"', "narrow",
    "parted", "s1.part*", "*e*", "?", '"I n d e x"', "pg_temp*.*", "hostile.s1.*", '"hostile".*.*',
)  # fmt: skip
SHADOWED = ("name", "oid", '"char"', "text", "int2", "int4", "bool")


@pytest.fixture(scope="module")
def hostile(make_server):
    """A server with a database of names that nobody would choose; of its own, for the roles are the server's."""
    server = make_server()
    if not (server.bin / "psql").exists():
        pytest.skip("these binaries have no psql")
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute("create database hostile template template0")
    with psycopg.connect(server.conninfo("hostile"), autocommit=True) as conn:
        conn.execute(HOSTILE.read_bytes())
        if server.version >= SINCE["dconfig"]:
            conn.execute(SINCE_15)
    return server


def test_names_that_nobody_would_choose_are_found_as_psql_finds_them(hostile):
    plain = [one for one in commands(hostile.version) if not one.patterns]
    named = [
        Asked(one.command, one.flags, (name,))
        for one in plain
        if "S" not in one.flags and one.command not in NO_PATTERN
        for name in NAMES
        if _comparable(one.command, name)
    ]
    asked = [*plain, *named]
    # a session with a temporary table leaves a schema behind, and the next session might see it
    compared(hostile, "hostile", [one for one in asked if one.command == "dn"], PATH)
    found = compared(hostile, "hostile", [one for one in asked if one.command != "dn"], PATH, TEMPORARY)
    assert found["with_rows"] > 400


def _everything(conn) -> int:
    version = conn.info.server_version
    ask = partial(_asked, conn)
    asked = [one for one in commands(version // 10_000) if not one.patterns or one.patterns == ("a*",)]
    asked += [Asked(name, "", patterns) for name, several in SEVERAL.items() for patterns in several]
    for one in asked:
        find(one.command).list(ask, Wanted(one.command, one.patterns, "+" in one.flags, "S" in one.flags, version))
    return len(asked)


def test_operators_of_a_schema_before_pg_catalog_are_not_run(hostile):
    body = "language plpgsql as $$begin raise 'shadowed'; end$$"
    with psycopg.connect(hostile.conninfo("hostile"), autocommit=True) as conn, conn.transaction(force_rollback=True):
        conn.execute("create schema evil")
        for kind in SHADOWED:
            conn.execute(f"create function evil.stop(a {kind}, b {kind}) returns bool {body}")
            for operator in ("=", "<>", "<", ">", "~", "!~", "||"):
                conn.execute(
                    f"create operator evil.{operator} (leftarg = {kind}, rightarg = {kind}, function = evil.stop)"
                )
        conn.execute("set local search_path = evil, pg_catalog, public")
        with pytest.raises(psycopg.errors.RaiseException, match="shadowed"), conn.transaction():
            conn.execute("select 'a'::name = 'b'::name")
        assert _everything(conn) > 200
        ask = partial(_asked, conn)
        assert around.schemas(ask).rows
        assert around.tables(ask, "same").rows
        assert around.tables(ask, "sam").notes
        assert around.functions(ask, "*").rows
        assert around.indexes(ask, '"Order"').rows
        assert around_words.find(ask, "order").rows
        assert around_words.find(ask, "no such word").notes
