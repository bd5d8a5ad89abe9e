"""The manager's list in both static forms, and the widget that carries it: what is synced, and what is not."""

from __future__ import annotations

import json

import pytest

from tests.unit.widgets.seen import words
from tusk_jupyter.widgets import connection_manager, one_way
from tusk_jupyter.widgets.connection_list import ConnectionList, ConnectionRow, GroupRow

LIST = ConnectionList(
    groups=(GroupRow("p", "Production", color="red"), GroupRow("e", "EU", "p", depth=1), GroupRow("l", "Local")),
    connections=(
        ConnectionRow("1", "shop", "analyst@db:5432/shop", group_id="p", read_only=True, color="red"),
        ConnectionRow("2", "crm", "analyst@crm:5432/crm", group_id="e", state="connected", small="1 of 5"),
        ConnectionRow("3", "loose", "me@localhost:5432/me", group_id="gone"),
        ConnectionRow("4", "scratch", "me@localhost:5432/me", saved=False, state="connected", current=True),
    ),
)


def test_the_text_lists_groups_with_their_connections():
    assert LIST.text().splitlines() == [
        "loose    me@localhost:5432/me",
        "Production",
        "  shop     analyst@db:5432/shop · read-only",
        "  EU",
        "    crm      analyst@crm:5432/crm",
        "Local",
        "Open, not saved",
        "  scratch  me@localhost:5432/me",
    ]


def test_the_html_says_the_same_and_neither_says_what_may_change():
    seen = words(LIST.html())
    for name in ("shop", "crm", "loose", "scratch", "Production", "EU", "Local", "analyst@db:5432/shop · read-only"):
        assert name in seen
    assert "connected" not in seen + LIST.text()
    assert "1 of 5" not in seen + LIST.text()


def test_nothing_saved_says_so_and_how():
    empty = ConnectionList(notes=("%tusk_connect --embedded",))
    for seen in (empty.text(), words(empty.html())):
        assert "no connection is saved yet" in seen
        assert "%tusk_connect --embedded" in seen


def test_names_are_text():
    hostile = ConnectionRow("1", "<b>\x1b[31m\u202e", "a'&<script>@h:1/d")
    found = ConnectionList((GroupRow("g", "<i>"),), (hostile,))
    assert "<b>\\x1b[31m\\u202e" in words(found.html())
    assert "\x1b" not in found.text() + found.html()


def test_the_view_is_json():
    assert json.loads(json.dumps(LIST.as_dict()))["connections"][1]["name"] == "crm"


@pytest.fixture
def messages():
    return []


@pytest.fixture
def widget(messages):
    widget = connection_manager.create(LIST.as_dict(), on_message=messages.append)
    yield widget
    widget.close()


def test_who_cannot_draw_the_widget_sees_nothing_of_it(widget):
    data, _ = widget._repr_mimebundle_()
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    assert data["text/plain"] == ""
    assert "text/html" not in data


def test_what_is_synced_is_the_view_and_the_files(widget):
    from ipywidgets import DOMWidget

    ours = set(widget.keys) - set(DOMWidget().keys)
    assert ours == {"view", "_esm", "_css", "_anywidget_id"}
    assert "export default" in widget._esm
    assert ".tusk-mgr" in widget._css


def test_what_a_front_end_sends_as_state_changes_nothing(widget):
    message = {"content": {"data": {"method": "update", "state": {"view": {"connections": []}, "_esm": "x"}}}}
    widget._handle_msg({**message, "buffers": []})
    assert widget.view == LIST.as_dict()
    assert widget._esm != "x"


def test_messages_come_through_whatever_they_hold(widget, messages):
    for content in ({"op": "hello"}, None, 3, "text"):
        widget._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
    assert messages == [{"op": "hello"}, None, 3, "text"]


def test_a_message_is_not_routed_to_the_shell_that_opened_the_widget(widget):
    if not hasattr(type(widget.comm), "_reply_subshell_for"):
        pytest.skip("this comm routes nothing")
    assert widget.comm._reply_subshell_for is None


def test_the_files_ask_for_nothing_from_elsewhere():
    for path in one_way.STATIC.iterdir():
        text = path.read_text()
        assert "http://" not in text, path
        assert "https://" not in text, path
        assert not any(word in text for word in ("import ", "@import", "url(", "eval(")), path
