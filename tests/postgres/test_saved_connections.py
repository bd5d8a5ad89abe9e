"""Connections that stay: saved, found again, renamed, deleted, by the magics, on a real server."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

import pytest

import tusk_jupyter
from tests.fix_postgres import PASSWORD
from tusk_jupyter.errors import StorageError
from tusk_jupyter.secret import Secret
from tusk_jupyter.storage.saved_connections import SavedConnections


@pytest.fixture
def kept(shell, database):
    """A shell in which ``shop`` is saved, and nothing is connected."""
    shell.run(f"%tusk_connect {database} --name shop --save --read-only --group Work/EU --color red")
    shell.run("%tusk disconnect shop")
    return shell


def rows(tusk, table="connections"):
    tusk.storage.write(lambda conn: None).result(timeout=10)
    with sqlite3.connect(tusk.files.directory / "tusk.db") as conn:
        conn.row_factory = sqlite3.Row
        found = [dict(row) for row in conn.execute(f"select * from {table}")]
    conn.close()
    return found


def test_what_is_saved_is_what_the_server_was_reached_by(kept, tusk, server):
    (row,) = rows(tusk)
    assert row["name"] == "shop"
    assert (row["host"], row["port"], row["username"]) == (server.host, server.port, server.user)
    assert row["database"]
    assert row["read_only"] == 1
    assert row["color"] == "red"
    assert [group["name"] for group in rows(tusk, "connection_groups")] == ["Work", "EU"]


def test_a_saved_name_connects_with_its_settings_and_id(kept, tusk):
    reply = kept.run("%tusk_connect shop")
    assert "read-only" in reply.displayed[0]
    connection = tusk.connections.current
    assert connection.name == "shop"
    assert connection.id == tusk.saved.get("shop").id
    assert kept.run("%sql select 1 as one").value


def test_options_beside_a_saved_name_hold_for_this_time(kept, tusk):
    kept.run("%tusk_connect shop --statement-timeout 7s")
    assert "7s" in kept.run("%sql show statement_timeout").value
    assert tusk.saved.get("shop").statement_timeout_ms is None


def test_options_with_save_are_kept(kept, tusk):
    kept.run("%tusk_connect shop --statement-timeout 7s --save")
    assert tusk.saved.get("shop").statement_timeout_ms == 7000
    assert tusk.saved.get("shop").read_only
    assert len(tusk.saved.list()) == 1


def test_a_cell_that_names_a_saved_connection_opens_it_and_leaves_the_current_one(kept, tusk, database):
    kept.run(f"%tusk_connect {database} --name other")
    kept.run("%%sql shop\nselect 1")
    assert tusk.connections.names() == ["other", "shop"]
    assert tusk.connections.current.name == "other"


def test_default_is_what_the_first_cell_uses(shell, tusk, database):
    shell.run(f"%tusk_connect {database} --name default --save")
    shell.run("%tusk disconnect default")
    reply = shell.run("%sql select 1 as one")
    assert "saved connection 'default'" in reply.displayed[0]
    assert tusk.connections.current.name == "default"


def test_the_environment_comes_before_default(shell, tusk, database, monkeypatch):
    shell.run(f"%tusk_connect {database} --name default --save")
    shell.run("%tusk disconnect default")
    monkeypatch.setenv("DATABASE_URL", database)
    assert "$DATABASE_URL" in shell.run("%sql select 1 as one").displayed[0]


def test_a_saved_name_is_not_taken_for_another_place(kept, tusk):
    reply = kept.run("%tusk_connect postgresql://somebody@elsewhere.example/db --name shop", ok=False)
    assert "saved for" in str(reply.exception)
    assert tusk.connections.names() == []


def test_a_url_under_its_own_saved_name_is_that_connection(kept, tusk, database):
    kept.run(f"%tusk_connect {database} --name shop")
    assert tusk.connections.current.id == tusk.saved.get("shop").id


def test_near_names_include_what_is_saved(kept):
    reply = kept.run("%%sql shp\nselect 1", ok=False)
    assert "shop" in reply.exception.advice
    reply = kept.run("%tusk_connect shp", ok=False)
    assert "'shop'" in reply.exception.advice


def test_connections_shows_saved_and_open_ones(kept, tusk, database):
    kept.run(f"%tusk_connect {database} --name other")
    table = kept.run("found = %tusk connections") and kept.ns["found"].set_index("name")
    assert list(table.index) == ["other", "shop"]
    assert table.loc["shop", "status"] == "disconnected"
    assert table.loc["shop", "group"] == "Work/EU"
    assert bool(table.loc["other", "saved"]) is False
    assert table.loc["other", "status"] == "connected"


def test_rename_keeps_id_and_open_session(kept, tusk):
    kept.run("%tusk_connect shop")
    before = tusk.saved.get("shop").id
    kept.run("%sql set application_name = 'same session'")
    kept.run("%tusk connections rename shop store")
    assert tusk.saved.get("store").id == before
    assert tusk.connections.current.name == "store"
    assert "same session" in kept.run("%sql show application_name").value
    assert "shop" in str(kept.run("%tusk_connect shop", ok=False).exception)


@pytest.mark.parametrize("new", ["select", "a b", "x=y", "postgresql://h/d"])
def test_a_name_that_cells_cannot_use_is_refused(kept, tusk, new):
    kept.run(f'%tusk connections rename shop "{new}"', ok=False)
    assert [saved.name for saved in tusk.saved.list()] == ["shop"]


def test_a_name_that_is_taken_is_refused(kept, tusk):
    kept.run("%tusk connections duplicate shop spare")
    reply = kept.run("%tusk connections rename spare shop", ok=False)
    assert "already" in str(reply.exception)
    assert [saved.name for saved in tusk.saved.list()] == ["shop", "spare"]


def test_a_statements_first_word_is_no_name_however_it_is_saved(kept, tusk):
    kept.run("%tusk connections duplicate shop Select", ok=False)
    assert [saved.name for saved in tusk.saved.list()] == ["shop"]


def test_duplicate_has_an_id_of_its_own(kept, tusk):
    kept.run("%tusk connections duplicate shop")
    first, second = tusk.saved.list()
    assert (first.name, second.name) == ("shop", "shop-2")
    assert first.id != second.id
    assert (second.host, second.read_only, second.group_id) == (first.host, True, first.group_id)


def test_delete_leaves_the_open_session_and_says_so(kept, tusk):
    kept.run("%tusk_connect shop")
    reply = kept.run("%tusk connections delete shop")
    assert "stays connected" in reply.displayed[0]
    assert tusk.saved.list() == []
    assert kept.run("%sql select 1 as one").value


@pytest.fixture
def guarded(shell, server, monkeypatch):
    """Keywords of a place that wants a password, which ``--password-env SHOP_PASSWORD`` gives."""
    monkeypatch.setenv("SHOP_PASSWORD", PASSWORD)
    return f"host=127.0.0.1 port={server.port} user=secretive dbname=postgres sslmode=disable"


def test_a_saved_password_opens_without_a_prompt(shell, tusk, guarded):
    shell.run(f"%tusk_connect {guarded} --password-env SHOP_PASSWORD --name shop --save")
    opened = tusk.connections.current
    shell.run("%tusk disconnect shop")
    # another kernel's memory knows nothing of the target, only the store does
    tusk.credentials.forget(opened.target.password_key)
    shell.run("%tusk_connect shop")
    assert "secretive" in shell.run("%sql select current_user").value


def test_delete_forgets_the_password(shell, tusk, guarded):
    shell.run(f"%tusk_connect {guarded} --password-env SHOP_PASSWORD --name shop --save")
    saved = tusk.saved.get("shop")
    assert tusk.saved.has_secret(saved.id, "db")
    shell.run("%tusk connections delete shop")
    assert not tusk.saved.has_secret(saved.id, "db")


def test_a_copy_has_no_password(shell, tusk, guarded):
    shell.run(f"%tusk_connect {guarded} --password-env SHOP_PASSWORD --name shop --save")
    shell.run("%tusk connections duplicate shop spare")
    assert not tusk.saved.has_secret(tusk.saved.get("spare").id, "db")


def test_a_stored_password_that_is_refused_says_how_to_replace_it(shell, tusk, guarded, monkeypatch):
    shell.run(f"%tusk_connect {guarded} --password-env SHOP_PASSWORD --name shop --save")
    shell.run("%tusk disconnect shop")
    tusk.credentials.store(tusk.saved.get("shop").id, "db", Secret("no longer right"))
    reply = shell.run("%tusk_connect shop", ok=False)
    assert "%tusk_connect shop -W --save" in reply.exception.advice
    monkeypatch.setattr("tusk_jupyter.magics.connect.ask", lambda text: Secret(PASSWORD))
    shell.run("%tusk_connect shop -W --save")
    shell.run("%tusk disconnect shop")
    shell.run("%tusk_connect shop")
    assert tusk.connections.current.name == "shop"


def test_no_password_in_the_files(shell, tusk, guarded):
    shell.run(f"%tusk_connect {guarded} --password-env SHOP_PASSWORD --name shop --save")
    shell.run("%tusk disconnect shop")
    tusk.files.close()
    for path in tusk.files.directory.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


def test_groups(kept, tusk):
    kept.run("%tusk connections group add Local green")
    kept.run("%tusk connections move shop Local")
    kept.run("%tusk connections group rename Work Jobs")
    kept.run("%tusk connections group move Jobs/EU /")
    kept.run("%tusk connections group order Local 0")
    table = kept.run("found = %tusk connections groups") and kept.ns["found"].set_index("path")
    assert set(table.index) == {"Local", "Jobs", "EU"}
    assert table.loc["Local", "connections"] == 1
    assert table.loc["Local", "color"] == "green"
    kept.run("%tusk connections group delete Local")
    assert tusk.saved.get("shop").group_id is None


@pytest.mark.parametrize(
    "line",
    ["group", "group add", "group paint Work red", "group rename Work", "color shop mauve", "frobnicate", "rename shop"],
)
def test_what_is_not_understood_is_refused_with_the_way_out(kept, line):
    reply = kept.run(f"%tusk connections {line}", ok=False)
    assert reply.exception.advice


def test_group_without_save_is_said(shell, database):
    reply = shell.run(f"%tusk_connect {database} --name shop --group Work")
    assert "--save" in "".join(reply.displayed)


def test_a_failed_connect_saves_nothing(shell, tusk):
    shell.run("%tusk_connect host=localhost port=1 user=u dbname=d --name shop --save", ok=False)
    assert tusk.saved.list() == []


def test_test_shows_the_steps_and_keeps_nothing(kept, tusk):
    reply = kept.run("%tusk connections test shop")
    text = reply.displayed[0]
    for step in ("DNS", "TCP", "TLS", "authentication", "database", "round trip"):
        assert step in text
    assert tusk.connections.names() == []


def test_a_test_that_fails_shows_how_far_it_came(shell):
    reply = shell.run("%tusk_connect host=localhost port=1 user=u dbname=d --test", ok=False)
    assert "✗ TCP" in reply.displayed[0]


def test_python_saves_and_opens_as_the_magic_does(tusk, database):
    connection = tusk_jupyter.connect(database, name="shop", save=True, read_only=True)
    tusk.connections.disconnect("shop")
    again = tusk_jupyter.connect("shop")
    assert again.id == connection.id
    assert again.target.settings.read_only


def test_history_can_be_off_for_a_connection(shell, tusk, database):
    shell.run(f"%tusk_connect {database} --name quiet --save --no-history")
    shell.run("%sql select 'unheard'")
    shell.run("%tusk disconnect quiet")
    shell.run("%tusk_connect quiet")
    shell.run("%sql select 'unheard'")
    assert rows(tusk, "history") == []


def test_parameters_without_a_column_are_kept(shell, tusk, database):
    shell.run(f"%tusk_connect {database} options=-cgeqo=off application_name=reports --name shop --save")
    saved = tusk.saved.get("shop")
    assert saved.parameters["options"] == "-cgeqo=off"
    assert saved.application_name == "reports"
    shell.run("%tusk disconnect shop")
    shell.run("%tusk_connect shop")
    assert "off" in shell.run("%sql show geqo").value


def test_the_record_is_json(kept, tusk):
    assert json.loads(json.dumps(tusk.saved.get("shop").as_dict()))["ssh_tunnel"] is None


@pytest.fixture
def password(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)


def test_a_host_name_is_kept_without_the_address_it_had(shell, tusk, server, password):
    shell.run(f"%tusk_connect host=localhost port={server.port} dbname=postgres user=secretive --password-env DB_PASSWORD --name tcp --save")
    saved = tusk.saved.get("tcp")
    assert saved.host == "localhost"
    assert "hostaddr" not in saved.parameters
    assert "sslcertmode" not in saved.parameters


def test_an_address_that_was_given_is_kept(shell, tusk, server, password):
    where = f"host=db.invalid hostaddr=127.0.0.1 port={server.port} dbname=postgres user=secretive --password-env DB_PASSWORD"
    shell.run(f"%tusk_connect {where} --name tcp --save")
    assert tusk.saved.get("tcp").parameters["hostaddr"] == "127.0.0.1"


def test_a_saved_name_stays_read_only_however_it_is_connected(kept, tusk, database):
    kept.run(f"%tusk_connect {database} --name shop")
    reply = kept.run("%sql create table t ()", ok=False)
    assert reply.exception.sqlstate == "25006"
    kept.run("%tusk disconnect shop")
    kept.run(f"%tusk_connect {database} --name shop --save")
    assert tusk.saved.get("shop").read_only


@pytest.mark.parametrize("options", ["--group /", f"--group {'x' * 300}"])
def test_what_cannot_be_saved_is_refused_before_connecting(shell, tusk, database, options):
    reply = shell.run(f"%tusk_connect {database} --name shop --save {options}", ok=False)
    assert reply.exception.kind == "input"
    assert tusk.connections.names() == []
    assert tusk.saved.groups() == []


def test_a_connection_that_could_not_be_saved_says_that_it_is_open(shell, tusk, database, monkeypatch):
    def full(*_):
        raise StorageError("the disk is full")

    monkeypatch.setattr(tusk.saved._rows, "save", full)
    reply = shell.run(f"%tusk_connect {database} --name shop --save", ok=False)
    assert reply.exception.kind == "storage"
    assert reply.exception.transaction == "shop is connected and the current connection; it is not saved"
    assert tusk.connections.names() == ["shop"]


def test_changes_of_two_kernels_to_one_connection_are_both_kept(kept, tusk):
    stale = tusk.saved.get("shop")
    other = SavedConnections(lambda: tusk.storage)
    assert other.change(stale.id, lambda saved: replace(saved, name="store")).name == "store"
    kept.run("%tusk connections color store blue")
    other.change(stale.id, lambda saved: replace(saved, statement_timeout_ms=5000))
    saved = tusk.saved.get("store")
    assert (saved.color, saved.statement_timeout_ms, saved.read_only) == ("blue", 5000, True)
    assert other.change("no such id", lambda saved: saved) is None


def test_a_row_that_cannot_be_deleted_keeps_its_password(kept, tusk, monkeypatch):
    def full(*_):
        raise StorageError("the disk is full")

    saved = tusk.saved.get("shop")
    tusk.credentials.store(saved.id, "db", Secret("kept"))
    monkeypatch.setattr(tusk.saved._rows, "delete", full)
    kept.run("%tusk connections delete shop", ok=False)
    assert tusk.saved.has_secret(saved.id, "db")


def test_a_deleted_connection_is_forgotten_by_this_kernel_too(shell, tusk, server, password, monkeypatch):
    asked = []
    monkeypatch.setattr("tusk_jupyter.magics.connect.ask", asked.append)
    where = f"host=127.0.0.1 port={server.port} dbname=postgres user=secretive"
    shell.run(f"%tusk_connect {where} --password-env DB_PASSWORD --name shop --save")
    shell.run("%tusk disconnect shop")
    shell.run("%tusk connections delete shop")
    assert shell.run(f"%tusk_connect {where} --name other", ok=False).exception.kind == "authentication"
    assert len(asked) == 1


def test_in_memory_only_nothing_is_promised_and_the_keychain_is_left_alone(shell, tusk, server, password, monkeypatch, tmp_path):
    (tmp_path / "in-the-way").write_text("")
    tusk.files.open(tmp_path / "in-the-way")
    assert not tusk.saved.lasting
    asked = []
    monkeypatch.setattr(tusk.credentials.keychain, "_ask", lambda *_, **__: asked.append(1))
    where = f"host=127.0.0.1 port={server.port} dbname=postgres user=secretive --password-env DB_PASSWORD"
    shown = shell.run(f"%tusk_connect {where} --name shop --save").displayed[0]
    assert "opens it in this kernel" in shown
    assert "gone when the kernel ends" in shown
    shell.run("%tusk disconnect shop")
    tusk.credentials.forget(tusk.saved.target(tusk.saved.get("shop")).password_key)
    shell.run("%tusk_connect shop")
    shell.run("%tusk disconnect shop")
    asked.clear()
    assert "gone when the kernel ends" in "".join(shell.run("%tusk connections delete shop").displayed)
    assert asked == []


def test_what_the_first_cell_cannot_connect_to_is_named(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", "mysql://somewhere/else")
    assert shell.run("%sql select 1", ok=False).exception.message.startswith("$DATABASE_URL: ")
    monkeypatch.setenv("DATABASE_URL", f"postgresql:///shop?host={tmp_path}")
    assert ("named by", "$DATABASE_URL") in shell.run("%sql select 1", ok=False).exception.facts


@pytest.mark.parametrize(
    "line",
    [
        "%tusk use {}", "%tusk disconnect {}", "%tusk connections test {}", "%tusk connections color {} red",
        "%tusk connections rename {} x", "%tusk_connect --name {} host=h", "%tusk connections import {}", "%tusk_connect {}",
    ],
)
@pytest.mark.parametrize("where", ["postgresql://ana:Zq7canary@h.invalid:1/d", "ana:Zq7canary@h.invalid/d", "postgresql:/ana:Zq7canary@h/d"])
def test_a_password_where_a_name_belongs_is_in_no_error_and_no_history(shell, line, where):
    reply = shell.run(line.format(where), ok=False)
    assert "Zq7canary" not in str(reply.exception)
    assert "Zq7canary" not in repr(reply.exception.info())
    assert "Zq7canary" not in "".join(reply.exception._render_traceback_())
    assert "Zq7canary" not in "".join(map(str, reply.displayed))


def test_a_row_that_cannot_be_used_is_named_and_can_be_deleted(kept, tusk):
    tusk.storage.write(lambda conn: conn.execute("update connections set host = 'a b'")).result(timeout=10)
    kept.run("t = %tusk connections")
    assert kept.ns["t"].set_index("name").loc["shop", "status"].startswith("cannot be used: 'a b' is no host name")
    reply = kept.run("%tusk connections color shop red", ok=False)
    assert "'a b' is no host name" in reply.exception.message
    assert "%tusk connections delete shop" in reply.exception.advice
    kept.run("%tusk connections delete shop")
    assert rows(tusk) == []
    kept.run("t = %tusk connections")
    assert "Empty" not in repr(kept.ns["t"]) + kept.ns["t"]._repr_html_()


def test_the_password_of_the_line_comes_first(shell, monkeypatch, server):
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    where = f"postgresql://secretive:wrong@127.0.0.1:{server.port}/postgres"
    reply = shell.run(f"%tusk_connect {where} --password-env DB_PASSWORD --name shop", ok=False)
    assert reply.exception.kind == "authentication"


def test_a_url_with_a_password_behind_tusk_leaves_the_input_history(shell):
    shell.run("%tusk use postgresql://ana:Zq7canary@h.invalid/d", ok=False)
    kept = [*shell.ns["In"], *(value for name, value in shell.ns.items() if name.startswith("_i") and isinstance(value, str))]
    assert any("ana:****@" in text for text in kept)
    assert not any("Zq7canary" in text for text in kept)


def test_a_password_of_the_environment_is_not_kept_and_that_is_said(shell, tusk, server, monkeypatch):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    where = f"host=127.0.0.1 port={server.port} dbname=postgres user=secretive"
    shown = shell.run(f"%tusk_connect {where} --name shop --save").displayed[0]
    assert "its password is not kept: it came from the environment" in shown
    assert not tusk.saved.has_secret(tusk.saved.get("shop").id, "db")
    assert "is not kept" in shell.run("%tusk connections save shop").displayed[0]


def test_of_a_password_command_what_it_printed_is_kept_and_that_is_said(shell, tusk, server, tmp_path):
    (tmp_path / "secret").write_text(PASSWORD)
    where = f"host=127.0.0.1 port={server.port} dbname=postgres user=secretive"
    shown = shell.run(f"%tusk_connect {where} --password-command 'cat {tmp_path}/secret' --name shop --save").displayed[0]
    assert "what --password-command printed is kept, not the command" in shown
    assert tusk.saved.has_secret(tusk.saved.get("shop").id, "db")
