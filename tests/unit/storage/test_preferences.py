"""The rows of ``preferences``, in a real file."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tusk_jupyter.errors import StorageError
from tusk_jupyter.storage.database import Database
from tusk_jupyter.storage.preferences import Preferences


@pytest.fixture
def database(tmp_path):
    database = Database(tmp_path / "tusk.db")
    yield database
    database.close()


@pytest.fixture
def rows(database):
    return Preferences(lambda: database)


@pytest.mark.parametrize("value", [True, False, 0, 2**31, "text", "", "ümlaut 🐘", None, [1, "a"]])
def test_a_value_comes_back_as_it_was(rows, value):
    rows.set("key", value).result(10)
    assert rows.all() == {"key": value}
    assert type(rows.get("key")) is type(value)


def test_the_last_one_counts_and_unset_takes_it_away(rows, database):
    for value in (1, 2, 3):
        rows.set("limit", value).result(10)
    rows.set("quiet", value=True).result(10)
    assert rows.all() == {"limit": 3, "quiet": True}
    rows.unset("limit").result(10)
    rows.unset("never there").result(10)
    assert rows.all() == {"quiet": True}
    assert rows.get("limit") is None


def test_another_kernel_sees_it(rows, tmp_path):
    rows.set("limit", 5).result(10)
    other = Database(tmp_path / "tusk.db")
    assert Preferences(lambda: other).all() == {"limit": 5}
    other.close()


@pytest.mark.parametrize("text", ["{", "", "nope", "[" * 100_000, b"\xff\x00"])
def test_a_row_that_is_no_json_is_left_out(rows, tmp_path, text):
    rows.set("good", 1).result(10)
    with closing(sqlite3.connect(tmp_path / "tusk.db")) as conn:
        conn.execute("insert into preferences values ('bad', ?, 'now')", (text,))
        conn.commit()
    assert rows.all() == {"good": 1}


def test_every_row_says_when(rows, tmp_path):
    rows.set("limit", 5).result(10)
    with closing(sqlite3.connect(tmp_path / "tusk.db")) as conn:
        ((key, value, when),) = conn.execute("select * from preferences").fetchall()
    assert (key, value) == ("limit", "5")
    assert when.endswith("+00:00")


def test_a_database_that_is_closed_is_an_error_that_names_it(rows, database):
    database.close()
    with pytest.raises(StorageError):
        rows.set("limit", 5).result(10)
