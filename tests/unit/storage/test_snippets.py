"""Snippets: SQL by name, kept until it is deleted, without passwords."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.storage.snippets import Snippet, Snippets

CANARY = "hunter2-kQ9"


@pytest.fixture
def snippets(file):
    return Snippets(lambda: file)


def refused(call):
    with pytest.raises(InvalidInput) as caught:
        call()
    return caught.value.facts[0][0]


@pytest.mark.parametrize("name", ["delays", "o'brien \"x\"", "🦆", "mean delay, by origin", "%_\\", "x" * 200])
def test_what_goes_in_comes_out(snippets, name):
    kept = snippets.save(Snippet(name, "select 1\n-- é 🦆\0"))
    assert kept.id
    assert snippets.get(name) == kept
    changed = snippets.save(replace(kept, sql="select 2"))
    assert (changed.created_at, changed.sql) == (kept.created_at, "select 2")
    assert snippets.list() == [changed]
    assert snippets.delete(kept.id) is True
    assert snippets.delete(kept.id) is False
    assert snippets.get(name) is None


def test_they_are_listed_by_name(snippets):
    for name in ("b", "A", "a", "C"):
        snippets.save(Snippet(name, "select 1"))
    assert [snippet.name for snippet in snippets.list()] == ["A", "a", "b", "C"]


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\0b", "x" * 201, "\ud83e"])
def test_a_name_that_cannot_be(snippets, name):
    assert refused(lambda: snippets.save(Snippet(name, "select 1"))) == "name"


def test_a_taken_name_and_no_sql_are_refused(snippets):
    kept = snippets.save(Snippet("a", "select 1"))
    assert refused(lambda: snippets.save(Snippet("a", "select 2"))) == "name"
    assert refused(lambda: snippets.save(Snippet("b", " \n"))) == "sql"
    assert snippets.list() == [kept]


def test_passwords_are_masked(file, snippets, tmp_path):
    kept = snippets.save(Snippet("role", f"alter role r password '{CANARY}'"))
    assert "****" in kept.sql
    file.close()
    assert CANARY.encode() not in (tmp_path / "tusk.db").read_bytes()
