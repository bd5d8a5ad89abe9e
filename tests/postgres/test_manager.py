"""The connection manager's kernel side against a real server: what its buttons ask for, and all that leaves the kernel."""

from __future__ import annotations

import gc
import itertools
import json
import sys
import threading

import pytest

from tests.fix_postgres import PASSWORD
from tests.waiting import running, wait_until
from tusk_jupyter.connections import conninfo
from tusk_jupyter.connections.saved import Group
from tusk_jupyter.magics import manager, manager_form
from tusk_jupyter.secret import Secret

numbers = itertools.count(1)


class FrontEnd:
    """What a browser is to a manager: it sends messages, and keeps everything that reaches it."""

    def __init__(self, shell) -> None:
        self.outputs = shell.run("%tusk_connect").outputs
        self.shown = manager._desk._shown[-1]
        self.widget = self.shown.widget
        self.received = []
        self.widget.comm.publish_msg = lambda kind, data=None, **_: self.received.append(json.loads(json.dumps(data)))
        self.view = f"view-{next(numbers)}"
        self.ask_oneway("hello")

    @property
    def messages(self):
        return [data["content"] for data in list(self.received) if data.get("method") == "custom"]

    def of(self, request_id, op):
        return [m for m in self.messages if m.get("id") == request_id and m["op"] == op]

    def send(self, op, *, request=None, **content):
        message = {"op": op, "id": request or f"r{next(numbers)}", "view": self.view, **content}
        request_id = message["id"]
        self.widget._handle_msg({"content": {"data": {"method": "custom", "content": message}}, "buffers": []})
        return request_id

    def ask_oneway(self, op):
        assert self.of(self.send(op), "ack")

    def answer(self, request_id):
        return wait_until(lambda: self.of(request_id, "done"))[0]

    def ask(self, op, **content):
        return self.answer(self.send(op, **content))

    def rows(self):
        return {row["name"]: row for row in self.widget.view["connections"]}


@pytest.fixture
def front_end(shell):
    return FrontEnd(shell)


@pytest.fixture
def form(database):
    info = conninfo.parse(database)
    return {"name": "shop", "host": info.host, "port": info.port, "database": info.dbname, "username": info.user}


@pytest.fixture
def guarded(server):
    """The form of a role that needs its password."""
    return {"name": "guarded", "host": "127.0.0.1", "port": str(server.port), "database": "postgres", "username": "secretive"}


def new(front_end, form, **more):
    answer = front_end.ask("save", target="", form=form, **more)
    assert answer["ok"], answer
    return answer["target"]


def test_a_new_connection_is_tested_saved_and_connected(front_end, form, tusk):
    request = front_end.send("test", target="", form=form)
    tested = front_end.answer(request)
    assert tested["ok"]
    assert f"database {form['database']} as tester" in tested["note"]
    told = [m["steps"] for m in front_end.of(request, "steps")]
    assert ["database", "running", ""] in [step for steps in told for step in steps]
    assert {name: state for name, state, _ in tested["steps"]}["database"] == "ok"
    assert tusk.saved.list() == []
    assert tusk.connections.names() == []

    connected = front_end.ask("connect", target="", form=form)
    assert connected["ok"]
    assert "cells run on shop" in connected["note"]
    assert tusk.connections.current.name == "shop"
    row = front_end.rows()["shop"]
    assert (row["state"], row["current"], row["saved"]) == ("connected", True, True)
    assert row["pool"] == {"size": 1, "available": 0, "waiting": 0, "max_size": 5}
    assert "PostgreSQL" in row["server"]


def test_the_form_is_refused_field_by_field(front_end, form, tusk):
    answer = front_end.ask("save", target="", form={**form, "port": "x", "name": ""})
    assert [field for field, _ in answer["problems"]] == ["name", "port"]
    assert tusk.saved.list() == []
    new(front_end, form)
    again = front_end.ask("save", target="", form=form)
    assert again["problems"] == [["name", "there is a connection named 'shop' already"]]


def test_a_wrong_password_is_an_error_and_the_right_one_is_kept(front_end, guarded, tusk):
    wrong = front_end.ask("connect", target="", form=guarded, secrets={"db": "not it"})
    assert not wrong["ok"]
    assert wrong["kind"] == "authentication"
    target = tusk.saved.get("guarded").id
    row = wait_until(lambda: (row := front_end.rows()["guarded"])["state"] == "error" and row)
    assert row["small"] == "login refused"
    assert "authentication" in row["error"]
    assert front_end.ask("secrets", target=target)["kept"] == []

    right = front_end.ask("connect", target=target, secrets={"db": PASSWORD})
    assert right["ok"]
    assert "this kernel's memory" in " ".join(right["warnings"])  # where the tests have no keychain
    assert front_end.ask("secrets", target=target)["kept"] == ["db"]
    assert front_end.ask("disconnect", target=target)["ok"]
    assert front_end.ask("connect", target=target)["ok"]


def test_a_server_that_asks_is_no_failure(front_end, guarded):
    target = new(front_end, guarded)
    answer = front_end.ask("connect", target=target)
    assert answer["asks"]
    assert "error" not in answer
    manager._desk.tusk.events.close()  # everything that was told has arrived
    front_end.ask("secrets", target=target)  # and the list was made again
    assert front_end.rows()["guarded"]["state"] == "disconnected"
    assert front_end.ask("test", target=target, form=guarded)["asks"]
    assert front_end.ask("test", target=target, form=guarded, secrets={"db": "not it"})["kind"] == "authentication"
    assert front_end.ask("test", target=target, form=guarded, secrets={"db": PASSWORD})["ok"]


def test_a_password_for_once_is_not_kept(front_end, guarded):
    target = new(front_end, guarded)
    assert front_end.ask("connect", target=target, secrets={"db": PASSWORD}, keep=False)["ok"]
    assert front_end.ask("secrets", target=target)["kept"] == []


def test_a_kept_password_is_forgotten(front_end, guarded):
    target = new(front_end, guarded, secrets={"db": PASSWORD})
    assert front_end.ask("secrets", target=target)["kept"] == ["db"]
    assert front_end.ask("save", target=target, form=guarded, secrets={"db": None})["ok"]
    assert front_end.ask("secrets", target=target)["kept"] == []


def held():
    """The dictionaries in memory with the password in them, but for those that wait to be collected."""
    gc.collect()
    return [c for c in gc.get_objects() if isinstance(c, dict) and any(isinstance(v, str) and PASSWORD in v for v in list(c.values()))]


def test_no_password_leaves_the_kernel_or_stays_in_a_message(front_end, guarded, tusk, tmp_path):
    before = held()  # the tests' own: modules, fixtures, what another test's report shows
    target = new(front_end, guarded, secrets={"db": PASSWORD})
    for op in ("test", "connect"):
        front_end.ask(op, target=target, form=guarded, secrets={"db": PASSWORD, "sshkey": PASSWORD})
    front_end.ask("secrets", target=target)
    front_end.ask("connect", target="", form={**guarded, "name": "x", "parameters": f"password='{PASSWORD[:10]}'"}, secrets={"db": PASSWORD})
    for everything in (json.dumps(front_end.received), json.dumps(front_end.outputs, default=str), repr(front_end.widget.get_state())):
        assert "canary-Zq7" not in everything
    # what a worker has in its hands while it connects goes with the worker
    wait_until(lambda: all(any(one is known for known in before) for one in held()))
    tusk.close()
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or b"canary-Zq7" not in path.read_bytes(), path


def test_disconnecting_with_an_open_transaction_asks(front_end, form, shell, tusk):
    target = front_end.ask("connect", target="", form=form)["target"]
    shell.run("%%sql\nbegin")
    wait_until(lambda: front_end.rows()["shop"]["transaction"])
    assert front_end.rows()["shop"]["small"] == "in transaction"
    answer = front_end.ask("disconnect", target=target)
    assert answer["confirm"] == "disconnect"
    assert "rolls it back" in answer["text"]
    assert tusk.connections.names() == ["shop"]
    assert front_end.ask("disconnect", target=target, sure=True)["ok"]
    assert tusk.connections.names() == []
    assert front_end.rows()["shop"]["state"] == "disconnected"


def test_disconnecting_below_a_running_statement_asks_and_stops_it(front_end, form, shell, database):
    target = front_end.ask("connect", target="", form=form)["target"]
    answers = []

    def meanwhile():
        wait_until(lambda: running(database, "pg_sleep(50"))
        answers.append(front_end.ask("disconnect", target=target))
        answers.append(front_end.ask("disconnect", target=target, sure=True))

    thread = threading.Thread(target=meanwhile)
    thread.start()
    shell.run("%sql select pg_sleep(50)", ok=False)
    thread.join()
    assert "statement is running" in answers[0]["text"]
    assert answers[1]["ok"]


def test_pool_numbers_follow(front_end, form, tusk):
    front_end.ask("connect", target="", form=form)
    with tusk.connections.get("shop").pool.borrow():
        wait_until(lambda: front_end.rows()["shop"]["pool"]["size"] == 2)
        assert front_end.rows()["shop"]["small"] == "2 of 5"
    wait_until(lambda: front_end.rows()["shop"]["pool"]["available"] == 1)


def test_an_open_connection_that_is_not_saved_can_be_used_saved_and_disconnected(front_end, shell, guarded, tusk, monkeypatch):
    monkeypatch.setenv("HELD_BY_THE_TEST", PASSWORD)
    shell.run(
        f"%tusk_connect host=127.0.0.1 port={guarded['port']} dbname=postgres user=secretive --name mine "
        "--password-env HELD_BY_THE_TEST --read-only"
    )
    row = wait_until(lambda: front_end.rows().get("mine"))
    assert (row["saved"], row["state"], row["small"]) == (False, "connected", "read-only")
    answer = front_end.ask("save", target=row["id"], form={**row["form"], "color": "blue"})
    assert answer["ok"]
    saved = tusk.saved.get("mine")
    assert (saved.color, saved.read_only, saved.username) == ("blue", True, "secretive")
    row = front_end.rows()["mine"]
    assert (row["saved"], row["state"]) == (True, "connected")
    assert front_end.ask("disconnect", target=row["id"])["ok"]
    monkeypatch.delenv("HELD_BY_THE_TEST")
    assert front_end.ask("use", target=row["id"])["error"]  # it is not open any more


def test_use_makes_it_the_current_one(front_end, form, tusk, connection):
    front_end.ask("connect", target="", form=form)
    assert tusk.connections.current.name == "shop"
    answer = front_end.ask("use", target=connection.id)
    assert answer["note"] == "cells run on db now"
    assert tusk.connections.current is connection
    assert [name for name, row in front_end.rows().items() if row["current"]] == ["db"]


def test_duplicate_rename_and_delete(front_end, form, tusk):
    target = new(front_end, form)
    copy = front_end.ask("duplicate", target=target)
    assert tusk.saved.get(copy["target"]).name == "shop-2"
    assert front_end.ask("save", target=copy["target"], form={"name": "renamed"})["ok"]
    assert {s.name for s in tusk.saved.list()} == {"shop", "renamed"}
    unsure = front_end.ask("delete", target=copy["target"])
    assert unsure["confirm"] == "delete"
    assert "renamed" in unsure["text"]
    assert len(tusk.saved.list()) == 2
    assert front_end.ask("delete", target=copy["target"], sure=True)["ok"]
    assert set(front_end.rows()) == {"shop"}


def test_groups_are_made_nested_ordered_renamed_and_deleted(front_end, form, tusk):
    production, local = (front_end.ask("group_save", target="", form={"name": name})["target"] for name in ("Production", "Local"))
    europe = front_end.ask("group_save", target="", form={"name": "EU", "parent_id": production, "color": "red"})["target"]
    new(front_end, {**form, "group_id": europe})
    assert [(g["name"], g["depth"]) for g in front_end.widget.view["groups"]] == [("Production", 0), ("EU", 1), ("Local", 0)]
    assert front_end.ask("group_move", target=local, direction="up")["ok"]
    assert [g["name"] for g in front_end.widget.view["groups"]] == ["Local", "Production", "EU"]
    assert front_end.ask("group_move", target=local, direction="up")["ok"]  # it is the first already
    assert front_end.ask("group_save", target=local, form={"name": "Here", "color": "blue"})["ok"]
    assert front_end.widget.view["groups"][0]["name"] == "Here"
    for wrong in ({"name": ""}, {"name": "Production"}, {"name": "x", "color": "pink"}, {"name": "x", "parent_id": "?"}):
        assert front_end.ask("group_save", target="", form=wrong)["problems"]
    assert front_end.ask("group_save", target=production, form={"name": "P", "parent_id": europe})["problems"][0][0] == "parent_id"
    assert front_end.ask("group_delete", target=production)["confirm"]
    assert front_end.ask("group_delete", target=production, sure=True)["ok"]
    assert {(g["name"], g["depth"]) for g in front_end.widget.view["groups"]} == {("Here", 0), ("EU", 0)}
    assert tusk.saved.get("shop").group_id == europe


def test_what_a_cell_does_is_shown(front_end, form, shell, tusk):
    new(front_end, {**form, "name": "dead", "port": "1", "host": "127.0.0.1"})
    shell.run("%tusk_connect dead", ok=False)
    row = wait_until(lambda: (row := front_end.rows()["dead"])["state"] == "error" and row)
    assert row["small"] == "unreachable"
    new(front_end, form)
    shell.run("%tusk_connect shop")
    wait_until(lambda: front_end.rows()["shop"]["state"] == "connected")
    shell.run("%tusk disconnect shop")
    wait_until(lambda: front_end.rows()["shop"]["state"] == "disconnected")
    tusk.saved.rename("shop", "other")
    front_end.ask_oneway("refresh")
    wait_until(lambda: "other" in front_end.rows())


def test_a_request_that_comes_twice_is_done_once(front_end, form, tusk):
    request = front_end.send("save", target="", form=form, request="same")
    front_end.answer(request)
    front_end.send("save", target="", form={**form, "name": "again"}, request="same")
    assert len(front_end.of("same", "ack")) == 2
    assert [s.name for s in tusk.saved.list()] == ["shop"]


def test_a_second_click_while_the_first_is_at_work_is_told_so(front_end, form, proxy, tusk):
    target = new(front_end, {**form, "host": "127.0.0.1", "port": str(proxy.port), "connect_timeout": "5s"})
    proxy.freeze()
    first = front_end.send("connect", target=target)
    wait_until(lambda: front_end.rows()["shop"]["state"] == "connecting")
    second = front_end.ask("connect", target=target)
    assert second["note"].startswith("wait")
    assert not second["ok"]
    # nothing else waits for it
    assert front_end.ask("secrets", target=target)["ok"]
    proxy.thaw()
    front_end.answer(first)


@pytest.mark.parametrize("op", ["connect", "disconnect", "use", "duplicate", "delete", "group_move", "group_delete", "save", "test"])
def test_what_is_gone_is_a_panel_and_no_more(front_end, op):
    answer = front_end.ask(op, target="nothing of that id", form={} if op in {"save", "test"} else None)
    assert not answer["ok"]
    assert answer["error"].startswith("<div")


@pytest.mark.parametrize("content", [None, 3, {"op": "drop tables", "id": "1"}, {"op": "save", "id": "1", "form": {"name": 3}}])
def test_what_is_no_request_is_ignored(front_end, content):
    before = len(front_end.received)
    front_end.widget._handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
    assert len(front_end.received) == before


def test_several_managers_show_the_same(front_end, shell, form):
    other = FrontEnd(shell)
    new(front_end, form)
    assert set(other.rows()) == {"shop"}
    other.ask("connect", target=other.rows()["shop"]["id"])
    assert front_end.rows() == other.rows()


def test_nothing_is_sent_when_nothing_changed(front_end, form):
    front_end.ask("connect", target="", form=form)
    wait_until(lambda: not manager._desk._wake.is_set())
    before = sum(data.get("method") == "update" for data in front_end.received)
    manager._desk._push_now()
    assert sum(data.get("method") == "update" for data in front_end.received) == before


def threads():
    return [t for t in threading.enumerate() if t.name == "tusk-manager"]


def test_the_thread_lives_while_somebody_looks(front_end, tusk):
    wait_until(threads)
    front_end.ask_oneway("bye")
    wait_until(lambda: not threads())
    front_end.ask_oneway("hello")
    wait_until(threads)
    tusk.saved.save_group(Group("", "G"))
    front_end.ask_oneway("refresh")
    wait_until(lambda: front_end.widget.view["groups"])


def test_unloading_ends_it(front_end, shell):
    wait_until(threads)
    shell.run("%unload_ext tusk_jupyter")
    wait_until(lambda: not threads())
    assert front_end.widget.comm is None
    assert manager._desk is None


def test_a_cell_that_runs_again_replaces_its_manager(tusk, shell):
    desk = manager.Desk(tusk)
    try:
        made = []

        class Widget:
            def __init__(self, view):
                self.view, self.closed = view, False
                made.append(self)

            def close(self):
                self.closed = True

        for place in ("cell-1", "cell-2", "cell-1", None, None):
            desk.add(lambda view, _receive: Widget(view), place)
        assert [widget.closed for widget in made] == [True, False, False, False, False]
    finally:
        desk.close()


def test_without_anywidget_the_list_says_what_to_install(shell, form, tusk, monkeypatch):
    from tusk_jupyter.widgets import one_way

    tusk.saved.save(manager_form.read(form, manager_form.blank())[0])
    monkeypatch.setitem(sys.modules, "anywidget", None)
    one_way.widget_class.cache_clear()
    shown = shell.run("%tusk_connect").displayed[0]
    assert "shop" in shown
    assert "pip install anywidget" in shown


def test_the_typed_password_is_tried_before_the_kept_one(front_end, guarded, tusk):
    target = new(front_end, guarded, secrets={"db": "an old one"})
    assert front_end.ask("connect", target=target, secrets={"db": PASSWORD})["ok"]
    assert tusk.credentials.find(target, "db") == Secret(PASSWORD)
