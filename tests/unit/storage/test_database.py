"""The SQLite file of several kernels: real files, real processes, disks that are full and directories that are shut."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import subprocess
import threading
from contextlib import closing

import pytest

from tests.unit.storage.damage import INSERT, ROWS, add, backups, fill, integrity, kept, overwrite, row, saved
from tests.unit.storage.processes import Process, at_once
from tests.waiting import wait_until
from tusk_jupyter.errors import StorageError
from tusk_jupyter.storage import filesystem, handle, opening, writer
from tusk_jupyter.storage.database import Database
from tusk_jupyter.storage.history import record
from tusk_jupyter.storage.migrations import APPLICATION_ID, MIGRATIONS


def versions(path):
    with closing(sqlite3.connect(path)) as conn:
        return [version for (version,) in conn.execute("select version from migrations order by version")]


# -- several kernels ---------------------------------------------------------------------------------------------------

OPEN_AND_WRITE = """
database = Database(path)
add(database, os.getpid() * 100, 1).result(timeout=30)
print(json.dumps([database.in_memory, database.take_notices()]))
database.close()
"""


def first_version(path):
    """Make a file as the first version left it, with a row."""
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        conn.execute("pragma journal_mode = wal")
        conn.execute(f"pragma application_id = {APPLICATION_ID}")
        conn.execute("create table migrations (version integer primary key, applied_at text not null)")
        for statement in MIGRATIONS[0]:
            conn.execute(statement)
        conn.execute("insert into migrations values (1, 'then')")
        conn.execute("pragma user_version = 1")
        conn.execute(INSERT, ("77", "select 77"))


@pytest.mark.parametrize("prepare", [lambda path: None, first_version], ids=["no file", "an older file"])
def test_four_processes_that_start_at_once_migrate_once(path, prepare):
    prepare(path)
    before = len(list(path.parent.glob("tusk.db")))
    lines = at_once(path, OPEN_AND_WRITE, 4)
    assert lines == [["[false, []]"]] * 4
    assert versions(path) == list(range(1, len(MIGRATIONS) + 1))
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("select count(*) from history").fetchone() == (4 + before,)
        assert conn.execute("select count(*) from history_text").fetchone() == (4 + before,)
    assert integrity(path) == "ok"
    assert not [p.name for p in path.parent.iterdir() if ".new-" in p.name or "corrupt" in p.name]


def test_four_processes_that_meet_a_damaged_file_at_once_repair_it_once(path):
    fill(path)
    overwrite(path, 0, b"\0" * 100)
    lines = at_once(path, OPEN_AND_WRITE, 4)
    told = [line for (line,) in lines if "damaged" in line]
    assert len(told) == 1
    assert "3,000 statements of history" in told[0]
    assert all(line.startswith("[false,") for (line,) in lines)
    assert len(backups(path)) == 1
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("select count(*) from history").fetchone() == (ROWS + 4,)


WRITE_1000 = """
database = Database(path)
for n in range(1000):
    record(database, row(query_id=f"{sys.argv[1][-1]}{os.getpid()}-{n}"))
    if n % 125 == 5:
        print("writing", flush=True)
    if n % 125 == 124:
        assert n == 999 or sys.stdin.readline()
database.close()
print(os.getpid())
"""
WRITE_UNTIL_KILLED = """
database = Database(path)
for n in range(10**9):
    add(database, os.getpid() * 10**6 + n, 1).result(timeout=30)
    print(os.getpid() * 10**6 + n, flush=True)
"""


def test_nothing_that_was_acknowledged_is_lost_while_a_third_kernel_is_killed_over_and_over(path):
    writers = [Process(path, WRITE_1000) for _ in range(2)]
    for process in writers:
        process.ready()
    acknowledged = []
    for _ in range(8):
        victim = Process(path, WRITE_UNTIL_KILLED)
        victim.ready()
        victim.go()
        first = [victim.line() for _ in range(25)]
        for process in writers:
            process.go()
        assert [process.line() for process in writers] == ["writing"] * 2
        acknowledged += first + victim.kill()
    pids = [process.end()[0] for process in writers]
    with closing(sqlite3.connect(path)) as conn:
        there = {query for (query,) in conn.execute("select query_id from history")}
    assert len(acknowledged) >= 8 * 25
    assert {line for line in acknowledged if line.isdigit()} <= there
    for pid in pids:
        assert {f"b{pid}-{n}" for n in range(1000)} <= there
    assert integrity(path) == "ok"
    assert backups(path) == []


def test_eight_writers_lose_nothing(opened):
    databases = [opened() for _ in range(8)]
    futures = [add(d, n, 1) for n, d in enumerate(databases * 50)]
    assert [f.exception(timeout=20) for f in futures] == [None] * 400
    assert sorted(kept(databases[0])) == list(range(400))


# -- the file changes under a running kernel -----------------------------------------------------------------------------


def test_a_file_that_another_kernel_has_replaced_is_noticed(path, opened):
    fill(path)
    one = opened()
    assert one.read(lambda conn: conn.execute("select count(*) from history").fetchone()) == (ROWS,)
    overwrite(path, 0, b"\0" * 100)
    two = opened()
    assert len(two.take_notices()) == 1
    assert one.read(lambda conn: conn.execute("select count(*) from history").fetchone()) == (ROWS,)
    add(one, ROWS, 1).result(timeout=5)
    add(two, ROWS + 1, 1).result(timeout=5)
    assert one.read(lambda conn: conn.execute("select count(*) from history").fetchone()) == (ROWS + 2,)
    assert sorted(kept(one)) == sorted(kept(two)) == list(range(ROWS + 2))
    assert one.take_notices() == []
    assert len(backups(path)) == 1


def test_a_file_that_is_truncated_under_a_running_kernel_is_repaired(path, opened):
    fill(path, rows=5)
    database = opened()
    os.truncate(path, 0)
    add(database, 5, 1).result(timeout=5)
    assert 5 in kept(database)
    assert "it was empty" in database.take_notices()[0]


@pytest.mark.parametrize("whole_directory", [False, True])
def test_a_file_that_is_deleted_under_a_running_kernel_is_written_again(tmp_path, opened, whole_directory):
    path = tmp_path / "data" / "tusk.db"
    fill(path)
    database = opened(path)
    add(database, ROWS, 1).result(timeout=5)
    for file in path.parent.iterdir() if whole_directory else [path]:
        file.unlink()
    if whole_directory:
        path.parent.rmdir()
    add(database, ROWS + 1, 1).result(timeout=5)
    assert sorted(kept(database)) == list(range(ROWS + 2))
    assert saved(database) == [("shop",)]
    (notice,) = database.take_notices()
    assert "was deleted while it was in use" in notice
    assert not database.in_memory
    database.close()
    assert integrity(path) == "ok"


def test_a_read_notices_that_the_file_is_gone(path, opened):
    fill(path)
    database = opened()
    path.unlink()
    assert database.read(lambda conn: conn.execute("select count(*) from history").fetchone()) == (ROWS,)


# -- reading beside the writer ------------------------------------------------------------------------------------------


def test_a_read_does_not_wait_for_the_writer_nor_the_writer_for_a_read(path, opened):
    database = opened()
    add(database, 1, 1).result(timeout=5)
    written, go_on = threading.Event(), threading.Event()

    def slow(conn):
        conn.execute(INSERT, ("2", "select 2"))
        written.set()
        assert go_on.wait(20)

    future = database.write(slow)
    assert written.wait(10)
    count = "select count(*) from history"
    assert database.read(lambda conn: conn.execute(count).fetchone()) == (1,)
    go_on.set()
    future.result(timeout=5)

    def read(conn):
        before = conn.execute(count).fetchone()
        add(database, 3, 1).result(timeout=5)  # the writer does not wait for this to end
        return before, conn.execute(count).fetchone()

    assert database.read(read) == ((2,), (2,))
    assert database.read(lambda conn: conn.execute(count).fetchone()) == (3,)


def test_flush_makes_rows_that_wait_for_one_another_readable(opened):
    database = opened()
    record(database, row())
    database.flush()
    assert database.read(lambda conn: conn.execute("select count(*) from history").fetchone()) == (1,)


def test_rows_that_are_a_batch_already_wait_for_no_others(opened, monkeypatch):
    monkeypatch.setattr(writer, "BATCH_S", 60.0)
    file, begun, gate = opened(), threading.Event(), threading.Event()
    file.write(lambda _: begun.set() or gate.wait(20))
    assert begun.wait(20)
    rows = [file.write(lambda _: None, soon=False) for _ in range(2 * writer.BATCH_JOBS)]
    gate.set()
    rows[writer.BATCH_JOBS - 1].result(timeout=20)


def test_at_the_end_no_rows_wait_for_others(opened, monkeypatch):
    monkeypatch.setattr(writer, "BATCH_S", 60.0)
    file = opened()
    rows = [file.write(lambda _: None, soon=False) for _ in range(5 * writer.BATCH_JOBS + 50)]
    file.close()
    assert all(one.done() for one in rows)


def test_a_read_cannot_write_and_says_what_failed(opened):
    database = opened()
    with pytest.raises(StorageError, match=r"reading tusk\.db: attempt to write a readonly database"):
        database.read(lambda conn: conn.execute("delete from history"))
    with pytest.raises(StorageError, match="no such table"):
        database.read(lambda conn: conn.execute("select * from nope"))


def test_a_job_that_fails_changes_nothing_and_keeps_its_own_error(opened):
    database = opened()

    def job(conn):
        conn.execute(INSERT, ("1", "x"))
        conn.execute("insert into nope values (1)")

    good = [add(database, n, 1) for n in (2, 3)]
    assert "no such table" in str(database.write(job, soon=False).exception(timeout=5))
    record(database, row(query_id="4"))
    assert sorted(kept(database)) == [2, 3, 4]
    assert all(future.exception(timeout=5) is None for future in good)


def test_a_file_that_stays_locked_is_tried_again(path, opened, monkeypatch):
    monkeypatch.setattr(opening, "BUSY_S", 0.05)
    attempts = []
    within = handle._within
    monkeypatch.setattr(handle, "_within", lambda conn, jobs: attempts.append(1) or within(conn, jobs))
    database = opened()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        future = add(database, 1, 1)
        wait_until(lambda: len(attempts) >= 2)
        other.execute("rollback")
    assert future.exception(timeout=10) is None
    assert kept(database) == [1]


def test_a_file_that_is_locked_for_good_is_an_error_with_a_way_out(path, opened, monkeypatch):
    monkeypatch.setattr(opening, "BUSY_S", 0.01)
    database = opened()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        error = add(database, 1, 1).exception(timeout=20)
    assert isinstance(error, StorageError)
    assert "another program keeps the file locked" in error.message


def test_rows_of_history_wait_for_a_file_that_is_locked_for_long(path, opened, monkeypatch):
    monkeypatch.setattr(opening, "BUSY_S", 0.01)
    monkeypatch.setattr(writer, "RETRY_S", 0.02)
    database = opened()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        record(database, row(query_id="5"))
        wait_until(lambda: database._writer.waiting)
        other.execute("rollback")
    wait_until(lambda: not database._writer.waiting)
    assert kept(database) == [5]
    assert database.take_notices() == []


# -- files that are not for us ------------------------------------------------------------------------------------------


def make_newer(path):
    fill(path, rows=7)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("create table from_the_future (a)")
        conn.execute("insert into connection_groups (id, name, parent_id) values ('b', 'inner', 'a'), ('a', 'outer', null)")
        conn.execute("update connections set group_id = 'b'")
        conn.execute("pragma user_version = 99")
        conn.commit()


def test_a_newer_file_is_left_as_it_is_and_read(path, opened):
    make_newer(path)
    before = path.read_bytes()
    database = opened()
    assert database.in_memory
    (notice,) = database.take_notices()
    assert "tusk.db was written by a newer tusk-jupyter (version 99 of its format)" in notice
    assert "in memory" in notice
    assert "the file is unchanged" in notice
    assert saved(database) == [("shop",)]
    grouped = "select c.name, g.name, h.name from connections c join connection_groups g on g.id = c.group_id join connection_groups h on h.id = g.parent_id"
    assert database.read(lambda conn: conn.execute(grouped).fetchall()) == [("shop", "inner", "outer")]
    add(database, 100, 1).result(timeout=5)
    assert len(kept(database)) == 8
    assert database.read(lambda conn: conn.execute("select count(*) from history").fetchone()) == (8,)
    assert database.health().in_memory
    database.close()
    assert path.read_bytes() == before
    assert backups(path) == []


def test_the_log_of_a_newer_file_is_left_as_it_is_too(path, opened):
    process = Process(path, """
make = sqlite3.connect(path, isolation_level=None)
make.execute("pragma journal_mode = wal")
make.execute("pragma application_id = 0x7475736B")
make.execute("create table history (id integer primary key, sql text)")
make.execute("pragma user_version = 99")
print("made", flush=True)
sys.stdin.read()
""")
    process.ready()
    process.go()
    assert process.line() == "made"
    process.kill()
    log = path.with_name("tusk.db-wal")
    before = path.read_bytes(), log.read_bytes()
    assert before[1]
    database = opened()
    assert database.in_memory
    assert "newer" in database.take_notices()[0]
    database.close()
    assert (path.read_bytes(), log.read_bytes()) == before


# -- directories that are shut, disks that are full ------------------------------------------------------------------------


def can_mount():
    made = subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False)
    return made.returncode == 0


@pytest.fixture
def mounted():
    """The beginning of a command line whose rest runs where ``mount`` has been done, and nowhere else."""
    try:
        if not can_mount():
            pytest.skip("mounting is not permitted here")
    except OSError:
        pytest.skip("there is no unshare here")
    return lambda script: ["unshare", "-m", "sh", "-c", f'{script} && exec "$@"', "sh"]


READ_ONLY = """
database = Database(path)
print(json.dumps([database.in_memory, sorted(kept(database)) == list(range(int(sys.stdin.readline()))), saved(database)]))
notices = database.take_notices()
print(len(notices), notices[0])
add(database, 10**6, 1).result(timeout=10)
print(database.read(lambda conn: conn.execute("select max(id) from history").fetchone()[0]) > 3000)
database.close()
"""


@pytest.mark.parametrize("with_log", [False, True])
def test_a_read_only_directory_is_read_into_memory(path, mounted, with_log):
    fill(path)
    if with_log:
        victim = Process(path, WRITE_UNTIL_KILLED.replace("os.getpid() * 10**6", str(ROWS)))
        victim.ready()
        victim.go()
        assert [victim.line() for _ in range(10)][-1] == str(ROWS + 9)
        victim.kill()
        path.with_name("tusk.db-shm").unlink()  # with it SQLite could read the log where it lies
    here = path.parent
    names = sorted(here.iterdir())
    process = Process(path, READ_ONLY, before=mounted(f"mount --bind {here} {here} && mount -o remount,ro,bind {here}"))
    process.ready()
    process.go()
    with closing(sqlite3.connect(here / "elsewhere.db")) as conn:
        for end in ("", "-wal"):
            with contextlib.suppress(FileNotFoundError):
                (here / f"elsewhere.db{end}").write_bytes((here / f"tusk.db{end}").read_bytes())
        count = conn.execute("select count(*) from history").fetchone()[0]
    process.popen.stdin.write(f"{count}\n")
    process.popen.stdin.flush()
    first, second, third = process.end()
    assert first == '[true, true, [["shop"]]]'
    assert second.startswith("1 ")
    assert f"{str(here)!r} cannot be used" in second
    assert "what could be read of the file is there" in second
    assert "kept in memory" in second
    assert third == "True"
    assert set(names) <= set(here.iterdir())


FULL = """
database = Database(path)
filler = path.with_name("filler")
with suppress(OSError), filler.open("wb", buffering=0) as file:
    while True:
        file.write(bytes(4096))
long = "x" * 200_000
waiting = [database.write(lambda conn, n=n: conn.execute(INSERT, (str(n), long)) and None, soon=False) for n in range(5)]
error = database.write(lambda conn: conn.execute(INSERT, ("99", long))).exception(timeout=20)
print(type(error).__name__, error.message, error.advice)
print([future.done() for future in waiting])
notices = database.take_notices()
print(len(notices), notices[0])
filler.unlink()
for future in waiting:
    future.result(timeout=30)
database.close()
print(integrity(path), sorted(kept(Database(path))))
"""


def test_rows_of_history_wait_until_a_full_disk_has_room(tmp_path, mounted):
    where = tmp_path / "small"
    where.mkdir()
    process = Process(where / "tusk.db", FULL.replace("database =", "from contextlib import suppress\n"
                      "from tusk_jupyter.storage import writer\nwriter.RETRY_S = 0.05\ndatabase =", 1),
                      before=mounted(f"mount -t tmpfs -o size=3m tmpfs {where}"))
    process.ready()
    process.go()
    error, done, told, end = process.end()
    assert error.startswith("StorageError writing tusk.db: there is no room on the disk Free some space")
    assert "%tusk data-dir" in error
    assert done == str([False] * 5)
    assert told.startswith("1 there is no room on the disk")
    assert end == "ok [0, 1, 2, 3, 4]"


START_FULL = """
from contextlib import suppress
fill(path, rows=50)
with suppress(OSError), path.with_name("filler").open("wb", buffering=0) as file:
    while True:
        file.write(bytes(512))
database = Database(path)
print(len(kept(database)), saved(database))
record(database, row(query_id="1000"))
print(len(database.take_notices()))
database.close()
"""


def test_a_kernel_starts_on_a_full_disk(tmp_path, mounted):
    where = tmp_path / "small"
    where.mkdir()
    process = Process(where / "tusk.db", START_FULL, before=mounted(f"mount -t tmpfs -o size=2m tmpfs {where}"))
    process.ready()
    process.go()
    assert process.end() == ["50 [('shop',)]", "1"]


def limit(database, pages):
    """Let the file have so many pages more; SQLite says then what it says when the disk is full."""
    def job(conn):
        conn.execute(f"pragma max_page_count = {conn.execute('pragma page_count').fetchone()[0] + pages}")

    database.write(job).result(timeout=5)


LONG = "x" * 100_000


def test_what_waits_for_room_is_bounded_and_what_was_dropped_is_told(opened, monkeypatch):
    monkeypatch.setattr(writer, "WAITING_JOBS", 3)
    monkeypatch.setattr(writer, "RETRY_S", 0.02)
    database = opened()
    limit(database, 2)
    futures = [database.write(lambda conn, n=n: conn.execute(INSERT, (str(n), LONG)) and None, soon=False) for n in range(5)]
    error = database.write(lambda conn: conn.execute(INSERT, ("9", LONG))).exception(timeout=5)
    assert "no room" in error.message
    assert [future.done() for future in futures] == [True, True, False, False, False]
    assert isinstance(futures[0].exception(timeout=0), StorageError)
    assert len(database.take_notices()) == 1
    limit(database, 10_000)
    assert [future.exception(timeout=10) for future in futures[2:]] == [None] * 3
    assert sorted(kept(database)) == [2, 3, 4]
    (notice,) = wait_until(database.take_notices)
    assert "2 rows of history could not be written" in notice


def test_what_still_waits_at_the_end_is_tried_once_more(opened, path):
    database = opened()
    limit(database, 2)
    future = database.write(lambda conn: conn.execute(INSERT, ("1", LONG)) and None, soon=False)
    wait_until(lambda: database._writer.waiting)
    database.close()
    assert isinstance(future.exception(timeout=0), StorageError)
    assert integrity(path) == "ok"


# -- memory, network, locks ----------------------------------------------------------------------------------------------


def test_a_database_in_memory_does_all_that_a_file_does():
    database = Database.memory()
    add(database, 1, 3).result(timeout=5)
    record(database, row(query_id="7"))
    database.flush()
    assert database.read(lambda conn: conn.execute("select count(*) from history").fetchone()) == (4,)
    assert database.health() == type(database.health())(healthy=True, errors=(), backup_path=None, in_memory=True)
    assert database.take_notices() == []
    database.close()
    database.close()
    assert isinstance(add(database, 1, 1).exception(timeout=0), StorageError)


def test_a_path_that_is_a_directory_is_one_line_and_memory(path, opened):
    path.mkdir()
    database = opened()
    assert database.in_memory
    assert len(database.take_notices()) == 1
    add(database, 1, 1).result(timeout=5)


def test_references_between_tables_are_kept_by_sqlite(opened):
    for database in (opened(), Database.memory()):
        assert database.write(lambda conn: conn.execute("pragma foreign_keys").fetchone()).result(timeout=5) == (1,)
        database.close()


def test_a_network_file_system_gets_no_wal(path, opened, monkeypatch):
    fill(path, rows=3)
    monkeypatch.setattr(filesystem, "is_network", lambda where: True)
    one, two = opened(), opened()
    for n in range(20):
        add(one, 100 + n, 1).result(timeout=10)
        add(two, 200 + n, 1).result(timeout=10)
    assert one.write(lambda conn: conn.execute("pragma journal_mode").fetchone()).result(timeout=5) == ("truncate",)
    assert one.read(lambda conn: conn.execute("select count(*) from history").fetchone()) == (43,)
    assert one.health().healthy


MOUNTS = """disk-a / ext4 rw 0 0
server:/far /far nfs4 rw 0 0
disk-b /far/local xfs rw 0 0
//nas/share /with\\040space cifs rw 0 0
user@host: /far/remote fuse.sshfs rw 0 0
"""


@pytest.mark.parametrize(
    ("where", "kind"),
    [("/near/x", "ext4"), ("/far/x", "nfs4"), ("/far", "nfs4"), ("/farther/x", "ext4"), ("/far/local/x", "xfs"),
     ("/with space/x", "cifs"), ("/far/remote/x", "fuse.sshfs")],
)
def test_which_file_system_a_path_is_on(where, kind):
    assert filesystem.mounted_as(where, MOUNTS) == kind


def test_the_table_of_mounts_decides(tmp_path, monkeypatch):
    table = tmp_path / "mounts"
    monkeypatch.setattr(filesystem, "MOUNTS", str(table))
    assert not filesystem.is_network(tmp_path)
    for kind, network in {"ext4": False, "nfs4": True, "fuse.sshfs": True, "fuseblk": False, "cifs": True}.items():
        table.write_text(f"a / {kind} rw 0 0\n")
        assert filesystem.is_network(tmp_path) is network


def test_a_file_system_without_locks_is_used_all_the_same(path, opened, monkeypatch):
    def none(fd, operation):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(filesystem.fcntl, "flock", none)
    database = opened()
    add(database, 1, 1).result(timeout=5)
    assert kept(database) == [1]
    assert database.take_notices() == []


def test_the_lock_is_shared_by_writers_and_alone_for_whoever_repairs(path):
    def held(*, shared):
        try:
            with filesystem.locked(path, shared=shared, timeout_s=0.01):
                return False
        except TimeoutError:
            return True

    with filesystem.locked(path, shared=True):
        assert not held(shared=True)
        assert held(shared=False)
    with filesystem.locked(path, shared=False):
        assert held(shared=True)
        assert held(shared=False)
    assert not held(shared=False)
