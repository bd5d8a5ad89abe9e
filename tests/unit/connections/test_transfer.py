"""``%tusk connections import`` and ``export`` in a shell, with real files and the real store."""

from __future__ import annotations

import json
import os
import resource
from dataclasses import replace

import pytest

from tests.unit.connections.test_importing import CANARY, JUPYSQL, PGADMIN
from tusk_jupyter.connections.saved import Group
from tusk_jupyter.errors import InvalidInput, IoError
from tusk_jupyter.magics.tusk_transfer import export_connections
from tusk_jupyter.secret import Secret


@pytest.fixture
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def jupysql(tmp_path):
    path = tmp_path / "connections.ini"
    path.write_text(JUPYSQL)
    return path


def said(reply):
    """Every line that a cell showed; never a password."""
    assert CANARY not in f"{reply.outputs}"
    shown = [output["data"]["text/plain"] for output in reply.outputs if "data" in output]
    return "\n".join(shown).split("\n")


def run(shell, line):
    return said(shell.run(f"%tusk connections {line}"))


def fails(shell, line, kind):
    reply = shell.run(f"%tusk connections {line}", ok=False)
    assert CANARY not in f"{reply.outputs}"
    assert type(reply.exception) is kind, reply.exception
    return reply.exception


def test_import_moves_the_passwords_and_says_where_they_still_are(shell, tusk, jupysql):
    lines = run(shell, f"import '{jupysql}'")
    assert lines[0] == f"2 connections imported from {jupysql}"
    assert "note: 1 password went to this kernel's memory only, not to a keychain" in lines
    assert f"note: {jupysql} still holds the passwords: delete them there if no other program needs them" in lines
    assert "note: 1 connection of the file cannot be used: the table says why" in lines
    saved = tusk.saved.get("default")
    assert (saved.host, saved.port, saved.username) == ("db.example.org", 5433, "analyst")
    assert tusk.credentials.get(saved.id, "db") == Secret(CANARY)
    assert not tusk.saved.has_secret(tusk.saved.get("other").id, "db")
    assert jupysql.read_text() == JUPYSQL


def test_no_password_is_in_any_file_of_ours(shell, tusk, jupysql):
    run(shell, f"import '{jupysql}'")
    run(shell, f"export '{jupysql.with_suffix('.json')}'")
    directory = tusk.files.directory
    tusk.close()
    for file in [*directory.rglob("*"), jupysql.with_suffix(".json")]:
        assert file.is_dir() or CANARY.encode() not in file.read_bytes(), file


def test_a_dry_run_saves_nothing(shell, tusk, jupysql):
    lines = run(shell, f"import '{jupysql}' --dry-run")
    assert lines[0] == f"2 connections would be imported from {jupysql} (jupysql); nothing was saved"
    shell.run(f"table = %tusk connections import '{jupysql}' --dry-run")
    table = shell.ns["table"]
    assert list(table.columns) == [
        "name", "from", "host", "port", "database", "user", "sslmode", "ssh", "what", "password", "notes",
    ]  # fmt: skip
    default, mem, other = table.to_dict("records")
    assert (default["host"], default["port"], default["database"], default["user"]) == ("db.example.org", 5433, "shop", "analyst")
    assert (default["what"], default["password"], default["notes"]) == ("new", "this kernel's memory", "")
    assert (mem["name"], mem["from"]) == ("", "mem")
    assert mem["what"] == "refused: it is for another database (duckdb): this is for PostgreSQL only"
    assert (other["sslmode"], other["password"]) == ("require", "none")
    assert "charset" in other["notes"]
    assert tusk.saved.list() == []


def table_of(shell, line):
    shell.run(f"table = %tusk connections import {line}")
    table = shell.ns["table"]
    assert CANARY not in table.to_string() + repr(table) + table._repr_html_()
    return table


def test_the_table_of_many_connections_is_whole(shell, tmp_path):
    path = tmp_path / "pg_service.conf"
    path.write_text("".join(f"[s{n}]\nhost=a,b\nnonsense{n}=1\npassword={CANARY}\n" for n in range(200)))
    for options in ("--dry-run", ""):
        shown = table_of(shell, f"'{path}' {options}")
        text, html = repr(shown), shown._repr_html_()
        for n in range(200):
            assert f"'nonsense{n}' (line" in text
            assert f"nonsense{n}" in html
        assert text.count("of its 2 hosts only the first is kept: a saved connection has one") == 200
        assert "..." not in text


def test_the_table_says_what_became_of_each(shell, tusk, tmp_path, monkeypatch):
    monkeypatch.setenv("PGUSER", "u")
    path = tmp_path / "pg_service.conf"
    path.write_text("[shop]\nhost=a\ndbname=d\n[my db]\nhost=a\ndbname=d\n[bad]\nhost=a b\n")
    table = table_of(shell, f"'{path}'").set_index("from")
    assert dict(table["what"])["shop"] == "new"
    assert (table.loc["my db", "name"], table.loc["my db", "what"]) == ("my-db", "renamed")
    assert table.loc["bad", "what"].startswith("refused: ")
    assert list(table_of(shell, f"'{path}'")["name"]) == ["shop-2", "my-db-2", ""]
    assert list(table_of(shell, f"'{path}' --replace")["what"])[:2] == ["same", "same"]
    path.write_text(f"[shop]\nhost=other\ndbname=d\npassword={CANARY}\n")
    preview = table_of(shell, f"'{path}' --replace --dry-run").to_dict("records")
    assert preview == table_of(shell, f"'{path}' --replace").to_dict("records")
    assert (preview[0]["what"], preview[0]["password"]) == ("replaced", "this kernel's memory")
    assert "passwords that were kept for that are deleted" in preview[0]["notes"]
    # the same file again brings a password, which may be another one
    assert list(table_of(shell, f"'{path}' --replace")["what"]) == ["replaced"]


def test_every_secret_of_a_tunnel_has_its_place(shell, tmp_path):
    path = tmp_path / "servers.json"
    path.write_text(json.dumps(PGADMIN))
    table = table_of(shell, f"'{path}'").set_index("name")
    assert table.loc["by-password", "password"] == "this kernel's memory; SSH password: this kernel's memory"
    assert table.loc["by-password", "ssh"]


def test_without_a_path_jupysqls_file_is_read(shell, tusk, home, jupysql):
    assert "no ~/.jupysql/connections.ini" in str(fails(shell, "import", InvalidInput))
    (home / ".jupysql").mkdir()
    jupysql.rename(home / ".jupysql" / "connections.ini")
    run(shell, "import")
    assert tusk.saved.names() == ["default", "other"]


def test_a_second_import_makes_others_or_replaces_them(shell, tusk, jupysql):
    run(shell, f"import '{jupysql}'")
    before = tusk.saved.get("default")
    run(shell, f"import '{jupysql}'")
    assert tusk.saved.names() == ["default", "default-2", "other", "other-2"]
    jupysql.write_text(JUPYSQL.replace("5433", "6543").replace(CANARY.replace("%", "%%"), CANARY.replace("%", "%%") + "2"))
    run(shell, f"import '{jupysql}' --replace")
    assert tusk.saved.names() == ["default", "default-2", "other", "other-2"]
    after = tusk.saved.get("default")
    assert (after.id, after.port, after.created_at) == (before.id, 6543, before.created_at)
    assert tusk.credentials.get(after.id, "db") == Secret(CANARY + "2")


def test_a_password_does_not_follow_its_name_to_another_server(shell, tusk, tmp_path):
    path = tmp_path / "pg_service.conf"
    path.write_text(f"[shop]\nhost=one\nuser=u\ndbname=d\npassword={CANARY}\n")
    run(shell, f"import '{path}'")
    path.write_text("[shop]\nhost=one\nuser=u\ndbname=d\nsslmode=require\n")
    run(shell, f"import '{path}' --replace")
    assert tusk.saved.has_secret(tusk.saved.get("shop").id, "db")
    path.write_text("[shop]\nhost=two\nuser=u\ndbname=d\n")
    run(shell, f"import '{path}' --replace")
    assert not tusk.saved.has_secret(tusk.saved.get("shop").id, "db")


def test_groups_of_pgadmin_are_made_once(shell, tusk, tmp_path):
    path = tmp_path / "servers.json"
    path.write_text(json.dumps(PGADMIN))
    run(shell, f"import '{path}'")
    run(shell, f"import '{path}' --replace")
    groups = {group.id: group.name for group in tusk.saved.groups()}
    assert sorted(groups.values()) == ["Server Group 1", "Server Group 2"]
    assert groups[tusk.saved.get("full").group_id] == "Server Group 2"
    assert tusk.saved.get("full").color == "orange"
    assert tusk.credentials.get(tusk.saved.get("by-password").id, "ssh") == Secret(CANARY)


def test_a_word_that_begins_a_statement_is_no_name(shell, tusk, tmp_path):
    path = tmp_path / "pg_service.conf"
    path.write_text("[select]\nhost=db\nuser=u\ndbname=d\n")
    run(shell, f"import '{path}'")
    assert tusk.saved.names() == ["select-db"]


def test_what_a_file_leaves_open_is_taken_from_libpqs_environment(shell, tusk, tmp_path, monkeypatch):
    monkeypatch.setenv("PGHOST", "from.environment")
    monkeypatch.setenv("PGUSER", "somebody")
    path = tmp_path / "pg_service.conf"
    path.write_text("[shop]\nsslmode=require\n")
    run(shell, f"import '{path}'")
    saved = tusk.saved.get("shop")
    assert (saved.host, saved.username, saved.database) == ("from.environment", "somebody", "somebody")


@pytest.fixture
def here(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("line", "kind", "words"),
    [
        ("import nowhere.ini", IoError, "no such file"),
        ("import .", IoError, "directory"),
        ("import a.ini b.ini", InvalidInput, "takes one file"),
        ("import a.ini --frobnicate", InvalidInput, "no option '--frobnicate'"),
        ("import a.ini --format xml", InvalidInput, "none of jupysql"),
        ("export", InvalidInput, "no file to export to"),
        ("export no/such/directory/file.json", IoError, "no such file"),
    ],
)
def test_refusals(shell, here, line, kind, words):
    assert words in str(fails(shell, line, kind))


def test_what_is_no_text_is_refused(shell, tmp_path):
    (tmp_path / "odbc.ini").write_bytes(b"[a]\npassword=\xff" + CANARY.encode())
    assert "UTF-8" in str(fails(shell, f"import '{tmp_path / 'odbc.ini'}'", IoError))
    (tmp_path / "odbc.ini").write_bytes(b"#" * 10_000_001)
    assert "too large" in str(fails(shell, f"import '{tmp_path / 'odbc.ini'}'", IoError))


def test_export_and_import_elsewhere(shell, tusk, jupysql, tmp_path):
    run(shell, f"import '{jupysql}'")
    group = tusk.saved.group_at("Production/EU")
    tusk.saved.save_group(Group("", "empty", None, 7))
    tusk.saved.save(replace(tusk.saved.get("default"), group_id=group.id))
    before = tusk.saved.get("default")
    path = tmp_path / "a file.json"
    assert run(shell, f"export '{path}'") == [f"2 connections exported to {path}, no password among them"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert before.id not in path.read_text()
    for name in tusk.saved.names():
        tusk.saved.delete(name)
    for one in reversed(tusk.saved.groups()):
        tusk.saved.delete_group(one.id)
    run(shell, f"import '{path}'")
    after = tusk.saved.get("default")
    assert tusk.saved.group_paths()[after.group_id] == "Production/EU"
    assert "empty" in tusk.saved.group_paths().values()
    same = {"id": "", "group_id": None, "created_at": "", "updated_at": ""}
    assert replace(after, **same) == replace(before, **same)


def test_export_into_the_cell(shell, jupysql):
    run(shell, f"import '{jupysql}'")
    reply = shell.run("%tusk connections export -")
    (text,) = [output["text"] for output in reply.outputs if output["output_type"] == "stream"]
    assert [record["name"] for record in json.loads(text)["connections"]] == ["default", "other"]
    assert said(reply) == ["2 connections, no password among them"]


def test_a_file_is_not_overwritten_unless_asked(shell, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text("precious")
    assert "already" in str(fails(shell, f"export '{path}'", InvalidInput))
    assert path.read_text() == "precious"
    run(shell, f"export '{path}' --force")
    assert json.loads(path.read_text())["connections"] == []
    assert not list(tmp_path.glob(".mine.json*"))


def test_a_file_that_cannot_be_written_whole_leaves_the_one_before_it(tusk, tmp_path):
    path = tmp_path / "mine.json"
    path.write_text("precious")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limits[1]))
    try:
        with pytest.raises(IoError, match="file too large"):
            export_connections(tusk, [str(path), "--force"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "precious"
    assert not list(tmp_path.glob(".mine.json*"))


def test_what_is_no_ordinary_file_is_never_replaced(shell, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place in (pipe, tmp_path):
        assert "no ordinary file" in fails(shell, f"export '{place}' --force", InvalidInput).message
    assert pipe.is_fifo()


@pytest.mark.parametrize("line", ["import x\0", "export x\0"])
def test_a_path_with_a_nul_is_refused(shell, line):
    assert fails(shell, line, InvalidInput).message == "a path holds no NUL"
