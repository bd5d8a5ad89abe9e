"""The setting ``search_path`` as PostgreSQL reads it, and what a statement may have changed."""

from __future__ import annotations

import pytest

from tusk_jupyter.queries.split import next_statement
from tusk_jupyter.schema import changes
from tusk_jupyter.schema.catalog import Schema
from tusk_jupyter.schema.search_path import entries, resolve


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ('"$user", public', ["$user", "public"]),
        ("", []),
        ('""', [""]),
        ('App,"App" , "we""ird, one"', ["app", "App", 'we"ird, one']),
        ("ÄPP", ["Äpp"]),
    ],
)
def test_entries(setting, names):
    assert list(entries(setting)) == names


@pytest.mark.parametrize(
    ("setting", "temp", "path"),
    [
        ('"$user", public', None, ("pg_catalog", "me", "public")),
        ("public, closed, missing", None, ("pg_catalog", "public")),
        ("public, pg_catalog", None, ("public", "pg_catalog")),
        ("public, public", "pg_temp_3", ("pg_temp_3", "pg_catalog", "public")),
        ("public, pg_temp", "pg_temp_3", ("pg_catalog", "public", "pg_temp_3")),
        ("public, pg_temp", None, ("pg_catalog", "public")),
        ("", None, ("pg_catalog",)),
    ],
)
def test_what_is_searched(setting, temp, path):
    schemas = {name: Schema(name) for name in ("public", "me", "pg_catalog")} | {
        "closed": Schema("closed", usage=False)
    }
    assert resolve(setting, user="me", schemas=schemas, temp=temp) == path


def found(text, tag=""):
    statement, _ = next_statement(text)
    return changes.of(statement.words, statement.text, tag)


@pytest.mark.parametrize(
    "text", ["select 1", "insert into t values (1)", "update t set a = 1", "begin", "commit", "show work_mem"]
)
def test_most_statements_change_nothing(text):
    assert found(text, text.partition(" ")[0].upper()) == changes.NOTHING


@pytest.mark.parametrize(
    ("text", "parts", "whole"),
    [
        ("create table t (a int)", {"relations"}, False),
        ("create or replace temp view v as select 1", {"relations"}, False),
        ("create unique index on t (a)", {"relations"}, False),
        ("create or replace function f() returns int language sql as 'select 1'", {"functions"}, False),
        ("create type m as enum ('a')", {"types", "relations"}, False),
        ("alter type m rename to n", {"types", "relations"}, True),
        ("alter schema s rename to t", {"schemas", "relations"}, True),
        ("drop schema s cascade", changes.EVERYTHING, False),
        ("drop table t cascade", changes.EVERYTHING, False),
        ("create extension cube", changes.EVERYTHING, False),
        ("create role r", {"names"}, False),
        ("create event trigger e on ddl_command_end execute function f()", {"names"}, False),
        ("comment on table t is 'x'", {"relations"}, False),
        ("grant select on t to r", {"schemas", "relations"}, False),
        ("grant r to s", {"schemas", "relations"}, True),
        ("do $$ begin end $$", changes.EVERYTHING, False),
        ("refresh materialized view m", {"relations"}, False),
    ],
)
def test_what_a_statement_may_have_changed(text, parts, whole):
    assert (found(text).parts, found(text).whole) == (parts, whole)


def test_select_into_and_where_a_session_looks():
    assert found("select 1 as a into t", "SELECT 1").parts == {"relations"}
    assert found("set search_path to app").looks
    assert found("discard all").looks
    assert found("select set_config('search_path', 'app', false)", "SELECT 1").looks
    assert found("create temp table t ()").temp
    assert not found("create table t ()").temp


def test_names_are_as_postgresql_keeps_them():
    names = found('drop table App."Mixed ""Case"""').names
    assert {"app", 'Mixed "Case"'} <= names
