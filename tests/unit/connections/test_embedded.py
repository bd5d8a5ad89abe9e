from __future__ import annotations

import ast
import os
import stat
import sys
from pathlib import Path

import pytest

from tusk_jupyter.connections import embedded
from tusk_jupyter.connections.embedded import account, binaries, programs, server, users, watchdog
from tusk_jupyter.connections.embedded import cluster as clusters
from tusk_jupyter.errors import ConnectionFailed, ConnectionTimeout, InvalidInput, IoError
from tusk_jupyter.secret import Secret

posix = pytest.mark.skipif(os.name != "posix", reason="modes and links of POSIX")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "a/b", "a\\b", "/tmp/x", "a b", "-x", "ä", "x" * 41, "a\n", "a\0", "postgres", "template1"],
)
@pytest.mark.parametrize("act", [embedded.start, embedded.drop, embedded.leave])
def test_names_that_could_be_anything_else_are_refused(tmp_path, name, act):
    with pytest.raises(InvalidInput) as caught:
        act(name, tmp_path)
    assert "letters, digits" in caught.value.advice
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_ours_is_refused_and_left_alone(tmp_path):
    folder = tmp_path / "main"
    folder.mkdir(mode=0o700)
    (folder / "PG_VERSION").write_text("15\n")
    for act in (embedded.start, embedded.drop):
        with pytest.raises(InvalidInput, match="not a folder that tusk-jupyter made"):
            act("main", tmp_path)
    assert [path.name for path in folder.iterdir()] == ["PG_VERSION"]
    assert embedded.listing(tmp_path) == []


@pytest.mark.parametrize("marker", ["", "{}", "[]", "null", '{"name": "main"}', "{", '{"home": 1, "name": "main"}'])
def test_a_marker_that_cannot_be_read_is_no_marker(tmp_path, marker):
    folder = tmp_path / "main"
    folder.mkdir(mode=0o700)
    (folder / "cluster.json").write_text(marker)
    with pytest.raises(InvalidInput, match="not a folder that tusk-jupyter made"):
        clusters.read(folder)


@posix
def test_a_folder_others_can_enter_or_a_link_is_refused(tmp_path):
    folder = tmp_path / "main"
    folder.mkdir()
    folder.chmod(0o755)
    with pytest.raises(InvalidInput, match="not a private directory"):
        embedded.start("main", tmp_path)
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInput, match="not a private directory"):
        embedded.start("main", tmp_path)


@posix
def test_new_directories_of_the_way_are_private(tmp_path, monkeypatch):
    monkeypatch.setenv(binaries.OVERRIDE, str(tmp_path))
    monkeypatch.setattr(account, "is_root", lambda: False)
    with pytest.raises(ConnectionFailed, match="does not hold initdb and postgres"):
        embedded.start("main", tmp_path / "share" / "tusk" / "embedded")
    for path in (tmp_path / "share", tmp_path / "share" / "tusk", tmp_path / "share" / "tusk" / "embedded"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root can write everywhere")
def test_a_directory_that_cannot_be_written_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(IoError, match="permission denied"):
        embedded.start("main", tmp_path / "embedded")


def test_a_file_in_the_way_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(IoError, match="file"):
        embedded.start("main", tmp_path / "file" / "embedded")


def test_the_password_is_not_in_the_repr():
    record = embedded.EmbeddedServer("main", "/s", 5432, "main", "tusk", Secret("canary"), "18.1")
    assert "canary" not in repr(record)


def install(directory, *names):
    directory.mkdir(parents=True)
    for name in names:
        (directory / f"{name}{binaries._SUFFIX}").write_text("")
    return directory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine on which PostgreSQL is only where the test puts it."""
    monkeypatch.delenv(binaries.OVERRIDE, raising=False)
    monkeypatch.setattr(binaries.shutil, "which", lambda _: None)
    monkeypatch.setattr(binaries, "_wheel", list)
    monkeypatch.setattr(binaries, "_PATTERNS", {sys.platform: (f"{tmp_path}/lib/postgresql/*/bin",)})
    return tmp_path


def test_the_newest_system_binaries_come_first_by_number(machine):
    for major in ("9.6", "15", "17"):
        install(machine / "lib/postgresql" / major / "bin", "initdb", "postgres")
    assert [path.parent.name for path in binaries.candidates()] == ["17", "15", "9.6"]


def test_path_comes_before_the_usual_places_and_the_wheel_last(machine, monkeypatch):
    usual = install(machine / "lib/postgresql/17/bin", "initdb", "postgres")
    mine = install(machine / "mine", "initdb", "postgres")
    wheel = install(machine / "wheel", "initdb", "postgres")
    monkeypatch.setattr(binaries.shutil, "which", lambda name: str(mine / name))
    monkeypatch.setattr(binaries, "_wheel", lambda: [wheel])
    assert list(binaries.candidates()) == [mine, usual, wheel]


def test_a_directory_without_the_server_itself_does_not_count(machine, monkeypatch):
    wrappers = install(machine / "wrappers", "initdb", "pg_ctl")
    monkeypatch.setattr(binaries.shutil, "which", lambda name: str(wrappers / name))
    assert list(binaries.candidates()) == []


@posix
def test_a_link_on_path_leads_to_where_its_server_is(machine, monkeypatch):
    real = install(machine / "real", "initdb", "postgres")
    links = machine / "links"
    links.mkdir()
    (links / "initdb").symlink_to(real / "initdb")
    monkeypatch.setattr(binaries.shutil, "which", lambda name: str(links / "initdb") if name == "initdb" else None)
    assert list(binaries.candidates()) == [real]


def test_without_any_the_advice_says_how_to_get_one(machine):
    with pytest.raises(ConnectionFailed) as caught:
        binaries.find(account=None, base=machine)
    assert 'pip install "tusk-jupyter[demo]"' in caught.value.advice
    assert "apt-get install postgresql" in caught.value.advice


def test_the_override_is_the_only_candidate(machine, monkeypatch):
    install(machine / "lib/postgresql/17/bin", "initdb", "postgres")
    chosen = install(machine / "chosen", "initdb", "postgres")
    monkeypatch.setenv(binaries.OVERRIDE, str(chosen))
    assert list(binaries.candidates()) == [chosen]


@pytest.mark.parametrize(("version", "major"), [("15.18", 15), ("18beta1", 18), ("19devel", 19), ("13", 13)])
def test_the_major_is_what_a_data_directory_is_bound_to(version, major):
    assert binaries.Binaries(Path(), version).major == major


def test_data_of_a_major_get_binaries_of_that_major_or_an_error_that_lists_what_is_here(machine, monkeypatch):
    seen = [binaries.Binaries(machine / v, v) for v in ("17.2", "15.8")]
    monkeypatch.setattr(binaries, "available", lambda **_: iter(seen))
    assert binaries.find(account=None, base=machine).version == "17.2"
    assert binaries.find(account=None, base=machine, major=15).version == "15.8"
    with pytest.raises(ConnectionFailed, match="made by PostgreSQL 14") as caught:
        binaries.find(account=None, base=machine, major=14)
    assert caught.value.detail == "PostgreSQL found: 15.8, 17.2"


def known(monkeypatch, *names, unused=True):
    monkeypatch.setattr(account, "is_root", lambda: True)
    monkeypatch.setattr(account, "_unused", lambda _: unused)
    monkeypatch.setattr(
        account, "_lookup", lambda name: account.Account(name, 1000 + len(name), 1000) if name in names else None
    )


def test_an_ordinary_user_runs_the_server_itself(monkeypatch):
    monkeypatch.setattr(account, "is_root", lambda: False)
    assert account.choose() is None
    assert account.note(None, Path("/x")) is None


@pytest.mark.parametrize(
    ("names", "unused", "chosen"),
    [(("postgres", "nobody"), True, "postgres"), (("nobody",), True, "nobody"), (("postgres",), False, "postgres")],
)
def test_root_takes_postgres_else_an_unused_nobody(monkeypatch, names, unused, chosen):
    known(monkeypatch, *names, unused=unused)
    found = account.choose()
    assert found.name == chosen
    assert chosen in account.note(found, Path("/x"))


@pytest.mark.parametrize("names", [(), ("nobody",)])
def test_root_without_an_account_is_told_the_way_out(monkeypatch, names):
    known(monkeypatch, *names, unused=False)
    with pytest.raises(ConnectionFailed) as caught:
        account.choose()
    assert "apt-get install postgresql" in caught.value.advice


def test_a_nobody_in_use_can_be_attached_to_but_not_started_as(monkeypatch):
    known(monkeypatch, "nobody", unused=False)
    found = account.recorded("nobody")
    with pytest.raises(ConnectionFailed) as caught:
        account.check_unused(found)
    assert "other processes" in caught.value.detail
    with pytest.raises(ConnectionFailed):
        account.recorded("postgres")
    known(monkeypatch, "nobody", unused=True)
    account.check_unused(found)


def place(tmp_path, name="main"):
    folder = tmp_path / name
    folder.mkdir(mode=0o700)
    (folder / "server").mkdir(mode=0o700)
    return clusters.Cluster("main", folder, folder / "server", "token", None)


@posix
def test_a_socket_that_fits_lies_in_the_cluster(tmp_path):
    cluster = place(tmp_path)
    found = server.socket_directory(cluster, limit=1000)
    assert found == cluster.home / "s"
    assert stat.S_IMODE(found.stat().st_mode) == 0o700


@posix
def test_a_socket_that_does_not_fit_gets_a_short_private_directory_that_is_remembered(tmp_path, monkeypatch):
    cluster, short = place(tmp_path, "a" * 40), tmp_path / "t"
    short.mkdir()
    monkeypatch.setattr(server.tempfile, "gettempdir", lambda: str(short))
    monkeypatch.setattr(server.tempfile, "tempdir", str(short))
    limit = len(str(short / "tusk-12345678" / ".s.PGSQL.5432"))
    assert len(str(cluster.home / "s" / ".s.PGSQL.5432")) > limit
    found = server.socket_directory(cluster, limit=limit)
    assert found.parent == short
    assert stat.S_IMODE(found.stat().st_mode) == 0o700
    assert server.socket_directory(cluster, limit=limit) == found
    # somebody else's directory of that name is never used
    found.rmdir()
    (tmp_path / "trap").mkdir(mode=0o700)
    found.symlink_to(tmp_path / "trap")
    second = server.socket_directory(cluster, limit=limit)
    assert second != found
    second.chmod(0o777)
    assert server.socket_directory(cluster, limit=limit) not in {found, second}


@posix
def test_a_path_with_quotes_and_commas_is_one_directory_in_the_settings(tmp_path):
    words = server._settings(place(tmp_path), '/a, "b"', 5432, tcp=False)
    assert 'unix_socket_directories="/a, ""b"""' in words
    assert "listen_addresses=" in words


def test_a_lock_file_keeps_all_but_the_process_id(tmp_path):
    cluster = place(tmp_path)
    cluster.data.mkdir()
    lock = cluster.data / "postmaster.pid"
    assert not server._defuse(cluster)
    lock.write_text("123456\n/data\n1700000000\n5432\n/s\n\n  2147410        15\nready   \n")
    assert server._defuse(cluster)
    assert lock.read_text().splitlines() == [
        str(watchdog.NO_PROCESS), *["/data", "1700000000", "5432", "/s", "", "  2147410        15", "ready   "]
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "\n", "x\n", "-\n", f"{2**31 - 2}\n/data\n", "1\n/data\n"])
def test_a_lock_file_of_no_server_of_ours_names_no_process(tmp_path, text):
    (tmp_path / "postmaster.pid").write_text(text)
    assert watchdog.postmaster(str(tmp_path)) is None


def test_this_process_is_a_user_from_join_to_leave(tmp_path):
    assert users.using(tmp_path) == []
    users.join(tmp_path)
    users.join(tmp_path)
    assert users.using(tmp_path) == [os.getpid()]
    assert len(list((tmp_path / "users").iterdir())) == 1
    users.leave(tmp_path)
    users.leave(tmp_path)
    assert users.using(tmp_path) == []
    assert list((tmp_path / "users").iterdir()) == []


def test_files_of_dead_users_count_for_nothing_and_are_cleared(tmp_path):
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "4242-abcd").write_text("")
    assert users.others(tmp_path) == []
    watchdog.wait_for_users(str(tmp_path))
    assert list((tmp_path / "users").iterdir()) == []


def test_waiting_for_a_turn_has_an_end(tmp_path, monkeypatch):
    monkeypatch.setattr(users, "TURN_LIMIT_S", -1.0)
    monkeypatch.setattr(watchdog, "try_lock", lambda _: False)
    with pytest.raises(ConnectionTimeout, match="too long"), users.turn(tmp_path / ".main.lock"):
        pass


def test_the_watchdog_imports_nothing_but_small_parts_of_the_standard_library():
    tree = ast.parse(Path(watchdog.__file__).read_text())
    names = set()
    for node in tree.body:
        for inner in [
            node,
            *(getattr(node, "body", []) if isinstance(node, ast.If) else []),
            *getattr(node, "orelse", []),
        ]:
            if isinstance(inner, ast.Import):
                names |= {alias.name for alias in inner.names}
            elif isinstance(inner, ast.ImportFrom):
                names.add(inner.module)
    assert names == {"__future__", "contextlib", "os", "signal", "sys", "time", "msvcrt", "fcntl"}


def test_the_environment_of_postgresqls_programs_is_chosen(monkeypatch):
    monkeypatch.setenv("PGDATA", "/elsewhere")
    monkeypatch.setenv("PGPASSWORD", "canary")
    monkeypatch.setenv("API_TOKEN", "canary")
    env = programs._options(None)["env"]
    assert not {"PGDATA", "PGPASSWORD", "API_TOKEN"} & set(env)
    assert env["LC_ALL"] == "C"
    assert env["PATH"] == os.environ["PATH"]


def test_a_program_that_cannot_be_run_is_an_error_of_ours(tmp_path):
    with pytest.raises(ConnectionFailed, match="cannot be run"):
        programs.run(tmp_path / "missing", account=None)
