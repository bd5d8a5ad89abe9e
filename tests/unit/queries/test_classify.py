from __future__ import annotations

import pytest
from hypothesis import given

from tests.sql_texts import sql_texts
from tusk_jupyter.queries import classify
from tusk_jupyter.queries.split import next_statement, split


def only(text):
    (statement,) = split(text)
    return statement


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("select 1", "select"),
        ("/* insert */ select 1", "select"),
        ("((select 1) union select 2)", "select"),
        ("values (1)", "select"),
        ("table t", "select"),
        ("select 1 into t", "select"),
        ("with a as (select 1) select * from a", "select"),
        ("with recursive a(x) as (select 1), b as materialized (select 2) values (1)", "select"),
        ("with a as (select 1) (select 2)", "select"),
        ("with a as (insert into t values (1) returning 1) select * from a", "select"),
        ("with a as (select 1) insert into t select * from a", "insert"),
        ("with update as (select 1) delete from t using update", "delete"),
        ("with a as (select 1) search depth first by x set o update t set x = 1", "update"),
        ("with a as (select 1) merge into t using a on true when matched then delete", "other"),
        ("insert into t values (1)", "insert"),
        ("update t set a = 1", "update"),
        ("DELETE from t", "delete"),
        ("create table t()", "create"),
        ("alter table t add a int", "alter"),
        ("drop table t", "drop"),
        ("explain delete from t", "other"),
        ("vacuum", "other"),
        ("begin", "other"),
        ("nonsense", "other"),
        ("1", "other"),
        ("with", "other"),
    ],
)
def test_query_type(text, kind):
    assert classify.query_type(only(text)) == kind


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("select 1", True),
        ("(select 1) union (values (2))", True),
        ("table t", True),
        ("with a as (select 1) select * from a order by 1", True),
        ("select 'insert into t', \"for\" as update from x -- for update", True),
        ("select 1 as into, t.into from t", True),
        ("select update, delete from t", True),
        ("select 1 for update", False),
        ("select 1 for no key update", False),
        ("select 1 for share of t", False),
        ("select 1 into t", False),
        ("(select 1 into t)", False),
        ("with a as (delete from t returning *) select * from a", False),
        ("with a as (with b as (select 1) insert into t select * from b returning 1) select 1", False),
        ("with a as materialized (merge into t using s on true when matched then delete returning 1) select 1", False),
        ("with a as (select 1) update t set b = 1", False),
        ("insert into t values (1) returning *", False),
        ("show all", False),
        ("explain select 1", False),
        ("fetch all from c", False),
        ("", None),
    ],
)
def test_reads_only_shape(text, fits):
    assert [classify.reads_only_shape(s) for s in split(text)] == ([] if fits is None else [fits])


@pytest.mark.parametrize(
    ("text", "takes"),
    [
        ("select 1", True),
        ("( select 1)", True),
        ("values (1)", True),
        ("table t limit 1", True),
        ("with a as (select 1) select 1", True),
        ("insert into t values (1)", True),
        ("merge into t using s on true when matched then delete", True),
        ("call p(1)", True),
        ("declare c cursor for select 1", True),
        ("create table t as select 1", True),
        ("create temp table if not exists t(a) with (fillfactor = 50) as values (1)", True),
        ("create table t as execute p", False),
        ("create table t (a int generated always as (1) stored)", False),
        ("create unlogged table t (a int)", False),
        ("create view v as select 1", False),
        ("create materialized view v as select 1", False),
        ("create function f() returns int begin atomic select 1; end", False),
        ("explain select 1", True),
        ("explain analyze verbose insert into t values (1)", True),
        ("explain (costs off, analyze) (select 1)", True),
        ("explain (select 1)", True),
        ("explain ((select 1))", True),
        ("explain (analyze) create table t as select 1", True),
        ("explain execute p(1)", False),
        ("explain (analyze) create materialized view v as select 1", False),
        ("explain explain select 1", True),
        ("copy (select 1) to stdout", False),
        ("prepare p as select 1", False),
        ("execute p(1)", False),
        ("do $$ $$", False),
        ("set a = 1", False),
        ("notify a", False),
        ("fetch 1 from c", False),
        ("selct 1", True),
        ("'a' 1", True),
    ],
)
def test_takes_parameters(text, takes):
    assert classify.takes_parameters(only(text)) is takes


@pytest.mark.parametrize(
    ("text", "direction"),
    [
        ("copy t from stdin", "in"),
        ("COPY public.t (a, b) FROM STDIN WITH (format csv)", "in"),
        ("copy t from stdout", "in"),
        ("copy binary t to stdout", "out"),
        ("copy (select 'x' from stdin) to /* c */ stdout csv", "out"),
        ("copy t from 'stdin'", None),
        ("copy \"from\" to program 'x'", None),
        ("copy t from program 'cat' -- stdin", None),
        ("copy (select 1 from stdin", None),
        ("select 'copy t from stdin'", None),
    ],
)
def test_copies_stdin_or_stdout(text, direction):
    assert classify.copies_stdin_or_stdout(only(text)) == direction


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ("begin", "BEGIN"),
        ("begin isolation level serializable, read only", "BEGIN"),
        ("start transaction read only", "BEGIN"),
        ("commit", "COMMIT"),
        ("commit and chain", "COMMIT"),
        ("end work", "COMMIT"),
        ("rollback", "ROLLBACK"),
        ("abort work and no chain", "ROLLBACK"),
        ("rollback to a", "ROLLBACK TO"),
        ("rollback /* c */ work to savepoint a", "ROLLBACK TO"),
        ('rollback transaction to "a"', "ROLLBACK TO"),
        ("savepoint a", "SAVEPOINT"),
        ("release savepoint a", "RELEASE"),
        ("prepare transaction 'x'", "PREPARE TRANSACTION"),
        ("commit prepared 'x'", "COMMIT PREPARED"),
        ("rollback prepared 'x'", "ROLLBACK PREPARED"),
        ("set transaction isolation level serializable", "SET TRANSACTION"),
        ("set local transaction read write", "SET TRANSACTION"),
        ("set transaction_read_only = off", "SET TRANSACTION"),
        ('set "transaction_isolation" to serializable', "SET TRANSACTION"),
        ("set session characteristics as transaction read only", None),
        ("set search_path = transaction", None),
        ("prepare p as select 1", None),
        ("start", None),
        ("select 'commit'", None),
    ],
)
def test_transaction_control(text, control):
    assert classify.transaction_control(only(text)) == control


@pytest.mark.parametrize(
    ("text", "setting", "changes"),
    [
        ("set work_mem = 1", True, False),
        ("set session statement_timeout = 1", True, True),
        ('set local "Statement_Timeout" = 1', True, True),
        ("reset statement_timeout", True, True),
        ("reset all", True, True),
        ("set role x", True, False),
        ("set transaction read only", False, False),
        ("set constraints all deferred", False, False),
        ("select set_config('statement_timeout', '1', false)", False, True),
        ("rollback", False, True),
        ("commit", False, True),
        ("discard all", False, True),
        ("do $$ $$", False, True),
        ("select 1", False, False),
    ],
)
def test_settings(text, setting, changes):
    assert classify.is_setting(only(text)) is setting
    assert bool(classify.changed_settings(only(text), ["statement_timeout"])) is changes


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("set app.tenant = 7", {"app.tenant"}), ("SET LOCAL App . \"Ten\" /* a.b */ TO 'x.y'", {"app.ten"}),
        ("set session app.x.y = 'q'", {"app.x.y"}), ('set "app.one" = 1', {"app.one"}), ("set work_mem = '1.5MB'", set()),
        ("set time zone 'a.b'", set()), ("select SET_CONFIG('App.x', '1', false)", {"app.x"}),
        ('select pg_catalog."set_config" ( -- so\n \'a.b.c\' , $1, true)', {"a.b.c"}),
        ("select set_config('a.b', 'x', false), set_config('work_mem', '1MB', false)", {"a.b"}),
        ("select set_config('a.b', set_config('c.d', 'x', false), false)", {"a.b", "c.d"}),
        ("select set_config($1, 'x', false)", {"?"}), ("select set_config('app' || '.x', 'x', false)", {"?"}),
        ("select set_config(E'app\\x2ex', 'x', false)", {"?"}), ("select set_config(n, 'x', false) from t", {"?"}),
        ("select 'set_config(x)', set_config from t where proname = 'set_config'", set()),
        ("select set_config('app.'\n'x', '1', false)", {"?"}), ("update t set a.b = 1", set()),
        ("create or replace function my.set_config(text) returns text as ''", set()),
        ("grant execute on function set_config(text, text, boolean) to me", set()),
        ("do $$ begin set app.x.y = 1; perform set_config('c.d', '1', false); end $$", {"app.x.y", "c.d"}),
        ("do $$ begin perform Set_Config('c.' || n, '1', false); end $$", {"?"}), ("do $$ begin null; end $$", set()),
    ],
)  # fmt: skip
def test_settings_with_a_dot(text, names):
    assert classify.dotted_settings(only(text)) == names


def test_what_makes_or_takes_back_types():
    assert [classify.changes_types(only(t)) for t in ("create type a as enum ()", "rollback", "select 1")] == [
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("select", True), ("SELECT 1", True), ("\n select", True), ("(select 1)", True), ("-- hint\nselect", True),
        ("--", True),
        ("/* a */ select", True), ("values(1)", True), ("with\na as", True), ("table t", True), ("commit;", True),
        ("--limit 5 select", False), ("selection", False), ("shop", False), ("select_1", False), ("with$", False),
        ("tableé", False), ("", False), ("1", False), ("'select'", False), ("ınsert", False), ("x << select", False),
    ],
)  # fmt: skip
def test_starts_like_statement(text, sql):
    assert classify.starts_like_statement(text) is sql


@given(sql_texts)
def test_questions_have_an_answer_for_any_text(text):
    statement, _ = next_statement(text)
    if statement is None:
        return
    assert classify.query_type(statement) in {
        "select",
        "insert",
        "update",
        "delete",
        "create",
        "alter",
        "drop",
        "other",
    }
    assert classify.copies_stdin_or_stdout(statement) in {"in", "out", None}
    for question in (classify.reads_only_shape, classify.takes_parameters, classify.is_setting, classify.changes_types):
        assert question(statement) in {True, False}
    assert isinstance(classify.transaction_control(statement), str | None)


def test_deep_and_long_statements():
    deep = only("explain " + "(" * 100_000 + "select 1" + ")" * 100_000)
    assert classify.takes_parameters(deep) is True
    assert classify.takes_parameters(only("explain " * 50_000)) is True
    assert classify.reads_only_shape(only("(" * 100_000 + "select 1 for update" + ")" * 100_000)) is False


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("select 1", True),
        ("insert into t values (1)", False),
        ("insert into t values (1) returning a", True),
        ("with a as (insert into t values (1) returning 1) delete from t", True),
        ("update t set returning_it = 1", False),
        ("create table t as select 1", False),
        ("drop table t", False),
        ("set a = 1", False),
        ("commit", False),
        ("show a", True),
        ("explain delete from t", True),
        ("call p()", True),
        ("fetch 1 from c", True),
        ("merge into t using s on true when matched then delete", True),
    ],
)
def test_may_return_rows(text, may):
    assert classify.may_return_rows(only(text)) is may
