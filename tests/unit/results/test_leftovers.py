"""Files of killed kernels: removed, and nobody else's are."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tusk_jupyter.results import dataset, leftovers

pytest.importorskip("fcntl")

FOLDER = """
import pathlib, sys
from tusk_jupyter.results import dataset
folder = dataset.Folder(sys.argv[1])
folder.check()
for file in folder.files(2):
    file.open().write(b"rows")
folder._files[0].finish()
print("writing", flush=True)
input()
"""
WRITER = """
import os, sys
from tusk_jupyter.results import leftovers
handle = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
leftovers.hold(handle)
print("held", flush=True)
input()
"""


@pytest.fixture
def old(tmp_path):
    def make(name: str):
        path = tmp_path / name
        path.write_bytes(b"rows")
        os.utime(path, (1, 1))
        return path

    return make


def names(folder):
    return {path.name for path in folder.iterdir()}


def test_what_nobody_writes_goes(tmp_path, old):
    old(leftovers.temporary_name())
    leftovers.sweep(tmp_path)
    assert names(tmp_path) == set()


def test_what_another_process_writes_stays_until_it_is_gone(tmp_path, old):
    path = old(leftovers.temporary_name())
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout.readline() == "held\n"
    leftovers.sweep(tmp_path)
    assert path.exists()
    writer.kill()
    writer.communicate()
    leftovers.sweep(tmp_path)
    assert not path.exists()


def test_a_folder_that_another_process_writes_stays_until_it_is_gone(tmp_path):
    writer = subprocess.Popen(
        [sys.executable, "-c", FOLDER, f"{tmp_path}/out/"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout.readline() == "writing\n"
    [folder] = tmp_path.iterdir()
    os.utime(folder, (1, 1))
    dataset.Folder(f"{tmp_path}/other/").check()
    assert len(names(folder)) == 2
    writer.kill()
    writer.communicate()
    (folder / "mine").touch()
    os.utime(folder, (1, 1))
    dataset.Folder(f"{tmp_path}/other/").check()
    assert "mine" in names(folder)
    (folder / "mine").unlink()
    os.utime(folder, (1, 1))
    dataset.Folder(f"{tmp_path}/other/").check()
    assert names(tmp_path) == set()


def test_a_folder_is_held_no_longer_than_it_is_written(tmp_path):
    folder = dataset.Folder(f"{tmp_path}/out/")
    for finished in (True, False):
        [file] = folder.files(1)
        file.open().write(b"rows")
        held = folder._held
        os.fstat(held)
        if finished:
            file.finish()
            folder.finish()
        else:
            folder.discard()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(held)
    assert names(tmp_path) == {"out"}


def test_what_was_written_just_now_stays(tmp_path):
    path = tmp_path / leftovers.temporary_name()
    path.touch()
    leftovers.sweep(tmp_path)
    assert path.exists()


def test_other_files_folders_and_links_stay(tmp_path, old):
    old("a.part")
    old(".tusk-notes")
    target = old("target")
    (tmp_path / ".tusk-1-link.part").symlink_to(target)
    (tmp_path / ".tusk-1-folder.part").mkdir()
    os.utime(tmp_path / ".tusk-1-folder.part", (1, 1))
    before = names(tmp_path)
    leftovers.sweep(tmp_path)
    assert names(tmp_path) == before


def test_a_folder_that_cannot_be_read_is_nothing(tmp_path):
    leftovers.sweep(tmp_path / "gone")
    assert names(tmp_path) == set()
