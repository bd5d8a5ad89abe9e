"""What a front end may send: requests, emptied of their passwords; everything else is nothing, and never an exception."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tusk_jupyter.magics import manager_messages
from tusk_jupyter.secret import Secret

CANARY = "canary-Zq7!x'\"@/:%"


def test_a_request():
    form = {"name": "shop", "port": "5432"}
    content = {"id": "1", "op": "save", "view": "v", "target": "t", "form": form, "keep": False, "sure": True}
    found = manager_messages.read(content)
    assert (found.id, found.op, found.view, found.target, found.form) == ("1", "save", "v", "t", form)
    assert (found.keep, found.sure, found.secrets) == (False, True, {})


def test_passwords_are_taken_out_of_the_message():
    given_secrets = {"db": CANARY, "ssh": None}
    content = {"id": "1", "op": "connect", "secrets": given_secrets}
    found = manager_messages.read(content)
    assert found.secrets == {"db": Secret(CANARY), "ssh": None}
    assert CANARY not in repr(content) + repr(given_secrets) + repr(found)


@pytest.mark.parametrize(
    "content",
    [
        None,
        3,
        "hello",
        [],
        {},
        {"op": "hello"},
        {"id": "1"},
        {"id": "", "op": "hello"},
        {"id": 1, "op": "hello"},
        {"id": "1" * 201, "op": "hello"},
        {"id": "1", "op": "drop"},
        {"id": "1", "op": "__init__"},
        {"id": "1", "op": "save", "target": ["x"]},
        {"id": "1", "op": "save", "sure": "yes"},
        {"id": "1", "op": "save", "form": []},
        {"id": "1", "op": "save", "form": {"name": 1}},
        {"id": "1", "op": "save", "form": {"embedded": "main"}},
        {"id": "1", "op": "save", "form": {"name": "x" * 20_001}},
        {"id": "1", "op": "save", "secrets": CANARY},
        {"id": "1", "op": "save", "secrets": {"db": [CANARY]}},
        {"id": "1", "op": "save", "secrets": {"db": CANARY, "other": CANARY}},
        {"id": "1", "op": "save", "secrets": {"db": CANARY * 2000}},
        {"id": "1", "op": CANARY, "secrets": {"db": CANARY}},
    ],
    ids=lambda content: repr(content)[:60],
)
def test_what_is_no_request_is_ignored_with_a_line_that_repeats_nothing(content, caplog):
    with caplog.at_level(logging.DEBUG):
        assert manager_messages.read(content) is None
    assert len(caplog.records) == 1
    assert "canary" not in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MESSAGE = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=5) | JSON,
        "op": st.sampled_from(sorted(manager_messages.OPERATIONS)) | JSON,
        "form": st.dictionaries(st.sampled_from(["name", "port", "nope"]), st.text(max_size=5) | JSON) | JSON,
        "secrets": st.dictionaries(st.sampled_from(["db", "ssh", "nope"]), st.text(max_size=5) | JSON) | JSON,
        "sure": JSON,
        "target": JSON,
    },
)


@given(MESSAGE | JSON)
def test_no_message_raises(content):
    found = manager_messages.read(content)
    assert found is None or found.op in manager_messages.OPERATIONS
    if isinstance(content, dict):
        assert "secrets" not in content
