"""The data directory: which one, every way it can fail, and its permissions."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tusk_jupyter import paths
from tusk_jupyter.errors import InitializationError


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path):
    for name in ("TUSK_DATA_DIR", "TUSK_DEV"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("chosen", "where"),
    [
        ("data", "data"),
        ("./a/../data", "a/../data"),
        ("~/data", "home/data"),
        ("~", "home"),
        (" padded ", "padded"),
        ("дата 🐘", "дата 🐘"),
        ("with space", "with space"),
    ],
)
def test_the_environment_chooses(monkeypatch, here, chosen, where):
    monkeypatch.setenv("TUSK_DATA_DIR", chosen)
    assert paths.data_dir() == here / where
    assert paths.ensure_dir(paths.data_dir()).is_dir()


@pytest.mark.parametrize("nothing", ["", "   "])
def test_an_empty_choice_is_none(monkeypatch, here, nothing):
    monkeypatch.setenv("TUSK_DATA_DIR", nothing)
    monkeypatch.setenv("XDG_DATA_HOME", str(here / "xdg"))
    assert paths.data_dir() == here / "xdg" / "tusk-jupyter"
    monkeypatch.setenv("TUSK_DEV", "1")
    assert paths.data_dir() == here / ".tusk-dev"


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_what_is_made_is_private_whatever_the_umask(here, umask):
    before = os.umask(umask)
    try:
        paths.ensure_dir(here / "data")
    finally:
        os.umask(before)
    assert mode(here / "data") == 0o700


def test_an_existing_directory_is_taken_and_its_mode_left(here):
    (here / "data").mkdir(mode=0o755)
    (here / "data").chmod(0o755)
    assert paths.ensure_dir(here / "data") == here / "data"
    assert mode(here / "data") == 0o755


def test_a_symlink_to_a_directory_is_a_directory(here):
    (here / "real").mkdir()
    (here / "link").symlink_to("real")
    assert paths.ensure_dir(here / "link") == here / "link"
    assert paths.ensure_dir(here / "link" / "deeper").is_dir()


def obstacles(here):
    (here / "file").write_text("")
    (here / "dangling").symlink_to("nowhere")
    (here / "loop").symlink_to("loop")
    return {
        "a file": (here / "file", f"{str(here / 'file')!r} is not a directory"),
        "a file among the parents": (here / "file" / "a" / "b", f"{str(here / 'file')!r} is not a directory"),
        "a dangling link": (here / "dangling", "is a symbolic link to nothing"),
        "a dangling link among the parents": (here / "dangling" / "a", "symbolic link to nothing"),
        "a link to itself": (here / "loop", "loop"),
        "a NUL": (here / "a\0b", "null byte"),
        "a lone surrogate": (here / "a\udfff\ud800", "encode"),
        "a name that is too long": (here / ("x" * 300), "too long"),
        "a parent that cannot be made": (Path("/proc/nowhere/data"), "in '/proc'"),
        "an unknown home": (Path("~nobody-of-that-name/data"), "no home directory is known"),
    }


@pytest.mark.parametrize("which", [
    "a file", "a file among the parents", "a dangling link", "a dangling link among the parents", "a link to itself",
    "a NUL", "a lone surrogate", "a name that is too long", "a parent that cannot be made", "an unknown home",
])
def test_every_failure_names_the_path_the_cause_and_the_way_out(here, which):
    path, cause = obstacles(here)[which]
    with pytest.raises(InitializationError) as caught:
        paths.ensure_dir(path)
    assert repr(str(path)) in caught.value.message
    assert cause in caught.value.message
    assert "%tusk data-dir PATH" in caught.value.advice
    assert "TUSK_DATA_DIR" in caught.value.advice


def test_a_home_that_nobody_knows_makes_no_directory_called_tilde(monkeypatch, here):
    monkeypatch.setenv("TUSK_DATA_DIR", "~nobody-of-that-name/data")
    with pytest.raises(InitializationError, match="no home directory"):
        paths.ensure_dir(paths.data_dir())
    assert not list(here.glob("~*"))


def test_a_working_directory_that_is_gone_is_an_answer_too(monkeypatch, here):
    (here / "gone").mkdir()
    monkeypatch.chdir(here / "gone")
    (here / "gone").rmdir()
    monkeypatch.setenv("TUSK_DATA_DIR", "data")
    with pytest.raises(InitializationError, match="cannot be used"):
        paths.ensure_dir(paths.data_dir())


@pytest.mark.parametrize("names", [[], ["tusk.db", "tusk.db-wal", "tusk.db-shm", "logs", "transactions", "embedded"]])
@pytest.mark.parametrize("bits", [0o755, 0o777, 0o770, 0o701])
def test_a_directory_of_ours_alone_is_closed_to_others(here, names, bits):
    (here / "data").mkdir()
    for name in names:
        (here / "data" / name).touch()
    (here / "data").chmod(bits)
    assert paths.make_private(here / "data") is None
    assert mode(here / "data") == 0o700


@pytest.mark.parametrize(("bits", "word"), [(0o755, "list"), (0o777, "write in"), (0o720, "write in")])
def test_a_directory_with_files_of_others_is_left_and_told_of(here, bits, word):
    (here / "project").mkdir()
    (here / "project" / "notes.ipynb").touch()
    (here / "project" / "tusk.db").touch()
    (here / "project").chmod(bits)
    told = paths.make_private(here / "project")
    assert word in told
    assert f"{bits:04o}" in told
    assert mode(here / "project") == bits
    (here / "project").chmod(0o700)
    assert paths.make_private(here / "project") is None


def test_what_is_not_there_is_not_exposed(here):
    assert paths.make_private(here / "nowhere") is None
    assert paths.exposure(here / "a\0b") is None
    (here / "file").touch()
    (here / "file").chmod(0o666)
    assert paths.make_private(here / "file") is None
