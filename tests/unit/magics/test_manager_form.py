"""The manager's form: every field there and back, every refusal under the name of its field."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.records import FULL, PLAIN
from tusk_jupyter.connections.saved import AUTH_METHODS, COLORS, SSL_MODES, SavedConnection
from tusk_jupyter.magics import manager_form

# what a form does not show: the row's own, and what an embedded server is
NOT_SHOWN = {"id", "embedded", "created_at", "updated_at"}


def read(base=PLAIN, **form):
    return manager_form.read(form, base)


@pytest.mark.parametrize("saved", [PLAIN, FULL, manager_form.blank()])
def test_a_record_comes_back_from_its_form(saved):
    found, _ = manager_form.read(manager_form.shown(saved), replace(manager_form.blank(), id=saved.id))
    assert found == saved


def test_every_field_of_the_record_is_in_the_form():
    form = manager_form.shown(FULL)
    assert set(form) == set(manager_form.FIELDS)
    back, _ = manager_form.read(form, PLAIN)
    for f in fields(SavedConnection):
        if f.name not in NOT_SHOWN | {"name", "host", "database", "username"}:
            assert getattr(back, f.name) == getattr(FULL, f.name) != getattr(PLAIN, f.name), f.name


def test_what_a_form_leaves_out_stays():
    assert read(FULL, name="other")[0] == replace(FULL, name="other")


@pytest.mark.parametrize(
    ("field", "text", "says"),
    [
        ("name", " ", "empty"),
        ("name", "a b", "blank"),
        ("name", "select", "a statement begins with it"),
        ("name", "taken", "already"),
        ("host", "", "empty"),
        ("host", "no host!", "no host name"),
        ("port", "abc", "whole number"),
        ("port", "0", "1 to 65535"),
        ("port", "99999999999", "whole number"),
        ("database", "", "empty"),
        ("username", "", "empty"),
        ("ssl_mode", "maybe", "none of"),
        ("color", "pink", "none of"),
        ("statement_timeout", "soon", "not a duration"),
        ("lock_timeout", "90d", "longer"),
        ("connect_timeout", "0", "between"),
        ("pool_timeout", "2d", "between"),
        ("pool_size", "0", "1 to 1000"),
        ("pool_size", "many", "whole number"),
        ("parameters", "nonsense", ""),
        ("parameters", "no_such_keyword=1", "no_such_keyword"),
        ("parameters", "host=elsewhere", "field of its own"),
        ("parameters", "postgresql://a:canary@b/c", "URL"),
        ("parameters", "password=canary", "a password does not belong here"),
    ],
)
def test_a_refusal_names_its_field(field, text, says):
    _, problems = manager_form.read({field: text}, PLAIN, taken=["taken"])
    assert [problem.field for problem in problems] == [field]
    assert says in problems[0].message
    assert "canary" not in problems[0].message


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ({"ssh": "agent"}, "ssh_host"),
        ({"ssh": "key", "ssh_host": "b"}, "ssh_key_path"),
        ({"ssh": "smoke", "ssh_host": "b"}, "ssh"),
        ({"ssh": "agent", "ssh_host": "b", "ssh_port": "x"}, "ssh_port"),
        ({"ssh": "agent", "ssh_host": "b", "ssh_local_port": "70000"}, "ssh_local_port"),
    ],
)
def test_a_refusal_of_the_tunnel_does_too(form, field):
    _, problems = read(**form)
    assert [problem.field for problem in problems] == [field]


def test_all_refusals_come_at_once_in_the_forms_order():
    _, problems = manager_form.read({"port": "x", "pool_size": "x"}, manager_form.blank())
    assert [problem.field for problem in problems] == ["name", "port", "database", "username", "pool_size"]


TEXT = st.text(max_size=30)
FORM = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(manager_form.FIELDS, TEXT),
        "ssh": st.sampled_from(["", *AUTH_METHODS]) | TEXT,
        "ssl_mode": st.sampled_from(SSL_MODES) | TEXT,
        "color": st.sampled_from(["", *COLORS]) | TEXT,
        "port": st.integers(-10, 70_000).map(str) | TEXT,
    },
)


@given(FORM)
def test_whatever_is_typed_is_a_record_or_has_its_refusals(form):
    found, problems = manager_form.read(form, PLAIN)
    assert {problem.field for problem in problems} <= set(manager_form.FIELDS)
    if not problems:
        assert manager_form.read(manager_form.shown(found), PLAIN) == (found, ())
