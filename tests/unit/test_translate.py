from __future__ import annotations

import json
import sqlite3

import pytest

from tusk_jupyter import errors
from tusk_jupyter.errors import Diagnostic, Place
from tusk_jupyter.translate import query_error, translate


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("create user u password 'hunter2", "unterminated quoted string at or near \"'hunter2\""),
        ("create user u 'hunter2'", "syntax error at or near \"'hunter2'\""),
        ("alter role u with passwrd E'hunter2'", "syntax error at or near \"E'hunter2'\""),
        ("alter role u with pasword $$hunter2$$", 'syntax error at or near "$$hunter2$$"'),
        ("do $$ begin execute 'alter role u password hunter2'; end $$", 'syntax error at or near "hunter2"'),
        ("create subscription s connection 'postgresql://u:hunter2%zz@h' publication p", 'invalid token: "hunter2%zz"'),
        ("create subscription s connection 'host=h password=my hunter2' publication p", 'missing "=" after "hunter2"'),
        ("select f()", "the conninfo is host=h password=hunter2"),
        ("select f()", "it is postgresql://u:hunter2@h/d"),
    ],
)
def test_no_error_repeats_a_password(statement, message):
    diag = Diagnostic(severity="ERROR", sqlstate="42601", message_primary=message, context=f'SQL statement "{statement}"')
    error = query_error(diag, statement=statement)
    assert "hunter2" not in str(error) + json.dumps(error.info().to_dict())
    assert "****" in error.message


def test_no_error_repeats_what_a_function_has_put_together():
    built = "alter role u password 'hunter2' nonsense"
    diag = Diagnostic(sqlstate="42601", message_primary="near \"'hunter2'\"", internal_query=built, message_hint=built)
    error = query_error(diag, statement="select f()")
    assert "hunter2" not in repr(error.diag) + str(error) + error.hint


def test_other_literals_stay_in_the_message():
    diag = Diagnostic(sqlstate="22P02", message_primary='invalid input syntax for type integer: "seven"')
    error = query_error(diag, statement="select 'seven'::int", place=Place("%%sql\nselect 'seven'::int", 13))
    assert error.message == 'invalid input syntax for type integer: "seven"'
    assert (error.position, error.sqlstate, error.condition) == (14, "22P02", "invalid_text_representation")
    assert type(error) is errors.QueryFailed


def test_a_position_within_a_function_is_no_position_in_the_cell():
    error = query_error(Diagnostic(sqlstate="42703"), place=Place("select nothing", 7, internal=True))
    assert error.position is None
    assert error.place.internal


@pytest.mark.parametrize(
    ("foreign", "cls"),
    [
        (sqlite3.OperationalError("disk I/O error"), errors.StorageError),
        (FileNotFoundError(2, "No such file or directory", "x.sql"), errors.IoError),
        (json.JSONDecodeError("bad", "{", 0), errors.ConversionError),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), errors.ConversionError),
        (MemoryError(), errors.ConversionError),
        (ZeroDivisionError("division by zero"), errors.InternalError),
    ],
)
def test_foreign_errors_become_ours(foreign, cls):
    error = translate(foreign, doing="reading the script")
    assert type(error) is cls
    assert error.message.startswith("reading the script: ")
    assert error.advice


def test_our_own_come_back_as_they_are():
    own = errors.InvalidInput("x")
    assert translate(own) is own
    assert translate(errors.QueryInterrupted(own)) is own
