r"""psql's patterns: what its manual says of them, and what follows. On a server: tests/postgres/test_lists.py."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.errors import InvalidInput
from tusk_jupyter.schema.pattern import ANYTHING, Pattern, check_database, condition, read

NAMES = ("foo", "foobar", "FOO", "foo.bar", 'fo"o', "a$b", "int[]", "f(o", "größe")


@pytest.mark.parametrize(
    ("text", "name", "schema"),
    [
        # the examples of psql's manual, «Patterns»
        ("FOO", "^(foo)$", None),
        ('"FOO"', "^(FOO)$", None),
        ('FOO"BAR"BAZ', "^(fooBARbaz)$", None),
        ('"FOO""BAR"', '^(FOO"BAR)$', None),
        ('FOO"FOO""BAR"BAR', '^(fooFOO"BARbar)$', None),
        ("*", ANYTHING, None),
        ("foo*.*bar*", "^(.*bar.*)$", "^(foo.*)$"),
        ("*.*", ANYTHING, ANYTHING),
        ('"FOO.BAR"', r"^(FOO\.BAR)$", None),
        ("foo?", "^(foo.)$", None),
        ("R+|R*", "^(r+|r.*)$", None),
        ("a|b", "^(a|b)$", None),
        ("t[0-9]+", "^(t[0-9]+)$", None),
        ("integer[]", r"^(integer\[])$", None),
        ("a$", r"^(a\$)$", None),
        ('"a*?|$[]"', r"^(a\*\?\|\$\[\])$", None),
        # and what follows from its rules
        ("", "^()$", None),
        ("public.", "^()$", "^(public)$"),
        (".foo", "^(foo)$", "^()$"),
        ('"', "^()$", None),
        ('a"B', "^(aB)$", None),
        ('""""', '^(")$', None),
        ('A""', "^(a)$", None),
        ("ÄÖ", "^(ÄÖ)$", None),
        (r"a\.b", "^(b)$", "^(a\\)$"),
    ],
)
def test_a_pattern_is_read_as_psql_reads_it(text, name, schema):
    assert read(text) == Pattern(text, name, schema)


def test_a_database_is_taken_as_it_stands():
    assert read('My"DB".s*.t*') == Pattern('My"DB".s*.t*', "^(t.*)$", "^(s.*)$", "myDB")
    assert read("db*.pg_*", parts=2) == Pattern("db*.pg_*", "^(pg_.*)$", None, "db*")


@pytest.mark.parametrize(("text", "parts"), [("a.b.c.d", 3), ("a.b.c", 2), ("a.b", 1), ("...", 3)])
def test_too_many_dots_are_psqls_error(text, parts):
    with pytest.raises(InvalidInput, match=re.escape(f"improper qualified name (too many dotted names): {text}")):
        read(text, parts=parts)
    assert read(f'"{text}"', parts=parts).name == f"^({re.escape(text)})$"


def test_another_database_is_psqls_error():
    there = read("other.public.t")
    with pytest.raises(InvalidInput, match=re.escape("cross-database references are not implemented: other.public.t")):
        check_database(there, "shop")
    check_database(there, "other")
    check_database(read("public.t"), "shop")


def test_what_a_pattern_does_not_say_is_no_condition():
    asked = {"name": "c.relname", "schema": "n.nspname", "visible": "visible(c.oid)"}
    for text, expected, bound in [
        (None, ["visible(c.oid)"], []),
        ("*", ["visible(c.oid)"], []),
        ("*.*", [], []),
        ("s.*", ["n.nspname operator(pg_catalog.~) $1::pg_catalog.text collate pg_catalog.default"], ["^(s)$"]),
    ]:
        values = []
        assert condition(read(text) if text else None, values, **asked) == expected
        assert values == bound


def test_values_are_numbered_from_those_that_are_there():
    values = ["first"]
    [either, schema] = condition(read("s.t"), values, name="a", alternative="b", schema="n")
    assert either.count("$2::") == 2
    assert either.startswith("(a ")
    assert " or b " in either
    assert schema.startswith("n operator(pg_catalog.~) $3::")
    assert values == ["first", "^(t)$", "^(s)$"]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30))
def test_a_quoted_name_matches_itself_and_nothing_else(name):
    pattern = read('"' + name.replace('"', '""') + '"')
    assert pattern.schema is None
    matching = re.compile(pattern.name[:-1] + r"\Z")
    assert [other for other in (*NAMES, name) if matching.match(other)] == [n for n in (*NAMES, name) if n == name]


@given(st.lists(st.text('aB.*?$"[]', min_size=0, max_size=6).filter(lambda part: part.count('"') % 2 == 0), max_size=5))
def test_no_text_is_too_odd(parts):
    text = ".".join(parts)
    try:
        pattern = read(text)
    except InvalidInput:
        return
    assert pattern.name.startswith("^(")
    assert pattern.name.endswith(")$")
    values = []
    condition(pattern, values, name="a", schema="b")
    assert all(value in {pattern.name, pattern.schema} for value in values)
