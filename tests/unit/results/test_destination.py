"""Where a file of rows goes: what is refused before anything runs, and that there is a whole file or none."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tusk_jupyter.errors import InvalidInput, IoError
from tusk_jupyter.results.destination import Destination, file_name


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name, data):
    destination = Destination(name)
    destination.check()
    destination.open().write(data)
    return destination.finish()


@pytest.mark.parametrize("name", ["a.parquet", "a.CSV", "b c/ä.arrow", "~/x.csv", "a.b.csv"])
def test_names_that_say_what_to_write(name):
    assert file_name(name) == name


@pytest.mark.parametrize("name", ["", "a", "a.txt", "a.csv.gz", ".csv", "csv", "a.csv\0.csv", "a.feather"])
def test_other_names(name):
    with pytest.raises(InvalidInput) as caught:
        file_name(name)
    assert ".parquet, .csv or .arrow" in caught.value.advice


def test_a_new_file_has_the_usual_mode_and_nothing_beside_it(here):
    previous = os.umask(0o027)
    try:
        written = write("out.csv", b"1\n")
    finally:
        os.umask(previous)
    assert (written.path, written.shown, written.size, written.replaced) == (str(here / "out.csv"), "out.csv", 2, False)
    assert stat.S_IMODE((here / "out.csv").stat().st_mode) == 0o640
    assert [p.name for p in here.iterdir()] == ["out.csv"]


def test_a_file_that_is_there_is_replaced_by_the_finished_one_alone(here):
    out = here / "out.csv"
    out.write_bytes(b"before")
    out.chmod(0o604)
    destination = Destination("out.csv")
    destination.check()
    destination.open().write(b"after")
    assert out.read_bytes() == b"before"
    assert destination.finish().replaced
    assert out.read_bytes() == b"after"
    assert stat.S_IMODE(out.stat().st_mode) == 0o604
    assert list(here.iterdir()) == [out]


def test_what_is_discarded_leaves_nothing_and_what_was_there(here):
    (here / "out.csv").write_bytes(b"before")
    destination = Destination("out.csv")
    destination.open().write(b"after")
    destination.discard()
    destination.discard()
    assert {p.name: p.read_bytes() for p in here.iterdir()} == {"out.csv": b"before"}


def test_nothing_appears_when_nobody_waits_any_more(here):
    destination = Destination("out.csv")
    destination.open().write(b"after")
    destination.abandon()
    assert destination.finish() is None
    assert list(here.iterdir()) == []


def test_the_unfinished_file_is_hidden_and_has_none_of_the_endings(here):
    destination = Destination("out.csv")
    destination.open()
    (name,) = (p.name for p in here.iterdir())
    assert name.startswith(".tusk-")
    assert name.endswith(".part")
    destination.discard()


def test_a_link_is_followed(here):
    (here / "real").mkdir()
    (here / "out.csv").symlink_to(here / "real" / "there.csv")
    write("out.csv", b"x")
    assert (here / "out.csv").is_symlink()
    assert (here / "real" / "there.csv").read_bytes() == b"x"


def test_home_blanks_and_other_alphabets(here, monkeypatch):
    monkeypatch.setenv("HOME", str(here))
    (here / "größe 数").mkdir()
    write("~/größe 数/é \U0001f418.csv", b"x")
    assert (here / "größe 数" / "é \U0001f418.csv").read_bytes() == b"x"


def test_a_name_as_long_as_the_file_system_takes(here):
    name = "x" * 251 + ".csv"
    write(name, b"x")
    assert [p.name for p in here.iterdir()] == [name]


REFUSED = [
    ("nowhere/out.csv", IoError, "there is no folder", "mkdir"),
    ("folder.csv", InvalidInput, "is a folder", "Name a file"),
    ("pipe.csv", InvalidInput, "is no ordinary file", "Name a file"),
    ("file/out.csv", IoError, "there is no folder", "mkdir"),
    ("x" * 300 + ".csv", IoError, "too long", "permissions"),
    ("~nobody-has-this-name/out.csv", InvalidInput, "cannot be used", "Nothing was run"),
    ("\ud800.csv", InvalidInput, "cannot be used", "Nothing was run"),
]


@pytest.mark.parametrize(("name", "kind", "message", "advice"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_known_before_is_said_before(here, name, kind, message, advice):
    (here / "folder.csv").mkdir()
    os.mkfifo(here / "pipe.csv")
    (here / "file").touch()
    before = sorted(here.iterdir())
    with pytest.raises(kind) as caught:
        Destination(name).check()
    assert message in caught.value.message
    assert "Nothing was run" in caught.value.advice
    assert advice in caught.value.advice
    assert sorted(here.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_without_the_right_to_write(here):
    closed = here / "closed"
    closed.mkdir(mode=0o555)
    (here / "mine.csv").write_bytes(b"x")
    (here / "mine.csv").chmod(0o444)
    for name in ("closed/out.csv", "mine.csv"):
        with pytest.raises(IoError) as caught:
            Destination(name).check()
        assert "Nothing was run" in caught.value.advice


def test_a_link_to_itself(here):
    Path("out.csv").symlink_to("out.csv")
    with pytest.raises((InvalidInput, IoError)) as caught:
        Destination("out.csv").check()
    assert "Nothing was run" in caught.value.advice


def test_what_the_operating_system_refuses(here, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(IoError) as caught:
        Destination("out.csv").check()
    assert "permission denied" in caught.value.message
    assert "Nothing was run. Check the path and its permissions" in caught.value.advice
