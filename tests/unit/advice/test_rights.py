from __future__ import annotations

import pytest

from tusk_jupyter.advice.rights import is_for_owners, wanted_on_relation, wanted_on_schema
from tusk_jupyter.advice.targets import written


@pytest.mark.parametrize(
    ("statement", "target"),
    [
        ("insert into t values (1)", (None, "t")),
        ('INSERT INTO "Sales" . "T""1" (a) values (1)', ("Sales", 'T"1')),
        ("update only Sales.T set a = 1", ("sales", "t")),
        ("delete from t where a = 1", (None, "t")),
        ("truncate table t, u", (None, "t")),
        ("copy t (a) from stdin", (None, "t")),
        ("copy (select 1) to stdout", None),
        ("merge into t using u on true", (None, "t")),
        ("update t x set a = 1", (None, "t")),
        ("insert into a.b.c values (1)", None),
        ("select 1", None),
        ("insert into", None),
        ("", None),
    ],
)
def test_the_table_that_is_written(statement, target):
    assert written(statement) == target


@pytest.mark.parametrize(
    ("statement", "is_target", "rights"),
    [
        ("select * from t", False, ["SELECT"]),
        ("select * from t for update", False, ["SELECT", "UPDATE"]),
        ("insert into t select * from u", True, ["INSERT"]),
        ("insert into t select * from u", False, ["SELECT"]),
        ("insert into t values (1) on conflict (a) do update set b = 1", True, ["INSERT", "UPDATE", "SELECT"]),
        ("update t set a = 1", True, ["UPDATE"]),
        ("update t set a = 1 where b = 2", True, ["UPDATE", "SELECT"]),
        ("update t set a = b + 1", True, ["UPDATE", "SELECT"]),
        ("delete from t", True, ["DELETE"]),
        ("delete from t where a = 1", True, ["DELETE", "SELECT"]),
        ("truncate t", True, ["TRUNCATE"]),
        ("copy t from stdin", True, ["INSERT"]),
        ("copy t to stdout", True, ["SELECT"]),
    ],
)
def test_privileges_on_a_table(statement, is_target, rights):
    assert wanted_on_relation(statement, is_target=is_target) == rights


def test_privileges_on_a_schema():
    assert wanted_on_schema("create table s.t ()") == "create"
    assert wanted_on_schema("select * from s.t") == "usage"


@pytest.mark.parametrize("statement", ["drop table t", "ALTER TABLE t ADD a int", "create unique index on t (a)"])
def test_what_is_for_owners(statement):
    assert is_for_owners(statement)


@pytest.mark.parametrize("statement", ["select 1", "create table t ()", "truncate t", ""])
def test_what_is_not(statement):
    assert not is_for_owners(statement)
