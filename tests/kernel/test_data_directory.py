"""A data directory that cannot be: each way, in a real kernel, with what still works and the way out."""

from __future__ import annotations

import stat

import pytest

from tests.fix_postgres import PASSWORD
from tests.waiting import wait_until

# root may write everywhere; without these capabilities it is bound by permissions as everybody is (capabilities(7))
AS_EVERYBODY = """
import ctypes, os
if os.geteuid() == 0:
    class Header(ctypes.Structure):
        _fields_ = [('version', ctypes.c_uint32), ('pid', ctypes.c_int)]
    class Data(ctypes.Structure):
        _fields_ = [(name, ctypes.c_uint32) for name in ('effective', 'permitted', 'inheritable')]
    header, data = Header(0x20080522, 0), (Data * 2)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(ctypes.byref(header), data) == 0
    for kind in ('effective', 'permitted'):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        setattr(data[0], kind, getattr(data[0], kind) & ~0b110)
    assert libc.capset(ctypes.byref(header), data) == 0
"""


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def missing_parent(home):
    return "/proc/no-such-directory/tusk", "in '/proc'"


def file_in_the_way(home):
    (home / "taken").write_text("theirs")
    return home / "taken", f"{str(home / 'taken')!r} is not a directory"


def file_among_the_parents(home):
    (home / "taken").write_text("theirs")
    return home / "taken" / "tusk", f"{str(home / 'taken')!r} is not a directory"


def no_permission(home):
    (home / "locked").mkdir(mode=0o500)
    return home / "locked" / "tusk", "permission denied"


def no_permission_in_it(home):
    (home / "locked").mkdir(mode=0o500)
    return home / "locked", "permission denied"


WAYS = [missing_parent, file_in_the_way, file_among_the_parents, no_permission, no_permission_in_it]


@pytest.fixture(params=WAYS, ids=lambda way: way.__name__)
def refused(request, kernels, tmp_path):
    """A kernel whose data directory cannot be: the kernel, the directory, the cause, what the load showed."""
    directory, cause = request.param(tmp_path)
    env = {"TUSK_DATA_DIR": str(directory), "TUSK_LOG_LEVEL": "DEBUG", "HELD_BY_THE_TEST": PASSWORD}
    kernel = kernels(load=False, env=env)
    kernel.run(AS_EVERYBODY)
    yield kernel, directory, cause, kernel.run("%load_ext tusk_jupyter")
    if (tmp_path / "locked").exists():
        (tmp_path / "locked").chmod(0o700)


def test_it_says_so_everything_else_works_and_there_is_a_way_out(refused, database, server, tmp_path):
    kernel, directory, cause, loaded = refused
    said = "\n".join(loaded.displayed)
    for words in (str(directory), cause, "%tusk data-dir PATH", "TUSK_DATA_DIR"):
        assert words in said
    assert said.count("cannot be used") == 1
    assert loaded.stdout == ""

    where = f"host=127.0.0.1 port={server.port} user=secretive dbname={database.rpartition('=')[2]}"
    kernel.run(f"%tusk_connect {where} --name db --password-env HELD_BY_THE_TEST")
    assert "41" in kernel.run("%sql select 41").value
    kernel.run("%sql begin")
    kernel.run("%sql select 1 / 0", ok=False)
    kernel.run("%sql rollback")
    kernel.run("%tusk set limit 7")
    health = kernel.run("%tusk health").value
    assert cause in health
    assert "in memory only" in health
    assert "no file is written" in health
    for command in ("status", "connections", "history", "logs", "get", "data-dir"):
        kernel.run(f"%tusk {command}")
    again = kernel.run(f"%tusk data-dir '{directory}'", ok=False)
    assert again.error["ename"] == "InitializationError"
    assert "%tusk data-dir PATH" in "\n".join(again.displayed)

    out = tmp_path / "way out"
    assert str(out) in "\n".join(kernel.run(f"%tusk data-dir '{out}'").displayed)
    kernel.run("%sql select 42")
    kernel.run("%tusk set limit 8")
    assert "42" in kernel.run("%tusk history 42").everything
    health = kernel.run("%tusk health").value
    assert f"ok: {out}" in health
    assert "cannot be used" not in health
    wait_until(lambda: list((out / "logs").glob(f"*-{kernel.pid}.log")))
    assert mode(out) == mode(out / "logs") == 0o700
    assert {mode(file) for file in [*out.glob("tusk.db*"), *(out / "logs").iterdir()]} == {0o600}
    kernel.run("%tusk set limit default")
    kernel.run("%reload_ext tusk_jupyter")  # for this kernel alone: the environment is as it was
    assert "cannot be used" in kernel.run("%tusk health").value


def test_a_move_that_cannot_be_leaves_everything_where_it_is(kernel, tmp_path):
    (tmp_path / "taken").write_text("theirs")
    kernel.run("%tusk set limit 7")
    reply = kernel.run(f"%tusk data-dir {tmp_path / 'taken'}", ok=False)
    assert reply.error["ename"] == "InitializationError"
    assert str(tmp_path / "tusk") in "\n".join(kernel.run("%tusk data-dir").displayed)
    kernel.run("%sql select 42")
    assert "42" in kernel.run("%tusk history 42").everything
    assert f"ok: {tmp_path / 'tusk'}" in kernel.run("%tusk health").value


def test_a_move_takes_an_open_transaction_along(kernels, kernel, tmp_path, database):
    kernel.run("%sql begin")
    kernel.run(f"%tusk data-dir {tmp_path / 'other'}")
    kernel.kill()
    wait_until(lambda: not kernel.manager.is_alive())
    after = kernels(load=False, env={"TUSK_DATA_DIR": str(tmp_path / "other")})
    assert "open transaction on db" in "\n".join(after.run("%load_ext tusk_jupyter").displayed)


def test_a_relative_directory_begins_where_the_kernel_is_and_stays_there(kernels, tmp_path):
    kernel = kernels(env={"TUSK_DATA_DIR": "relative/дата"}, cwd=str(tmp_path))
    kernel.run("%cd -q /")
    kernel.run("%tusk set limit 7")
    assert (tmp_path / "relative" / "дата" / "tusk.db").exists()
    kernel.run("%reload_ext tusk_jupyter")


@pytest.mark.parametrize("bits", [0o755, 0o777])
def test_a_directory_that_was_made_before_is_closed_to_others(kernels, tmp_path, bits):
    (tmp_path / "tusk").mkdir()
    (tmp_path / "tusk").chmod(bits)
    kernels()
    assert mode(tmp_path / "tusk") == 0o700


def test_a_project_directory_is_left_open_and_told_of(kernels, tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    (project / "notes.txt").write_text("")
    project.chmod(0o777)
    kernel = kernels(env={"TUSK_DATA_DIR": str(project)})
    assert mode(project) == 0o777
    assert "other users may write" in kernel.run("%tusk health").value
    assert "other users may write" in kernel.run("%tusk logs").value


def test_a_directory_that_is_gone_later_costs_nothing_but_files(kernel, tmp_path):
    (tmp_path / "tusk").rename(tmp_path / "gone")
    assert "41" in kernel.run("%sql select 41").value
    kernel.run("%tusk health")
    kernel.run("%tusk logs")
    kernel.run(f"%tusk data-dir {tmp_path / 'new'}")
    kernel.run("%sql select 42")
    assert "42" in kernel.run("%tusk history 42").everything


def test_preferences_are_every_later_kernels(kernels, tmp_path):
    first = kernels()
    first.run("%tusk set format rows")
    first.run("%config Tusk.quiet = True")
    later = kernels()
    table = later.run("%tusk get").value
    assert [line.split()[:4] for line in table.splitlines() if line.startswith(("format", "quiet"))] == [
        ["format", "rows", "pandas", "saved"],
        ["quiet", "False", "False", "default"],
    ]
    profile = tmp_path / "ipython" / "profile_default"
    (profile / "ipython_kernel_config.py").write_text("c.Tusk.format = 'polars'\n")
    assert kernels().run("%tusk get format").value == "'polars'"
    (profile / "ipython_kernel_config.py").unlink()
    first.run("%tusk set format default")
    assert kernels().run("%tusk get format").value == "'pandas'"
