"""``%tusk health``: every subsystem is a line, whatever is broken."""

from __future__ import annotations

import shutil
import threading

import pytest

from tusk_jupyter import health, log
from tusk_jupyter.errors import KeyringError

PARTS = ["data directory", "storage", "keychain", "logs", "connections"]


def test_what_is_well_is_ok(tusk, tmp_path):
    found = tusk.health()
    assert list(found) == PARTS
    assert all(found[part].startswith("ok") for part in PARTS if part != "keychain")
    assert str(tmp_path / "tusk" / "tusk.db") in found["storage"]
    assert str(log.file()) in found["logs"]


def test_the_table_has_subsystems_and_versions(shell):
    shell.run("table = %tusk health")
    table = shell.ns["table"]
    assert list(table.index[:5]) == PARTS
    assert {"version", "python", "ipython", "psycopg", "libpq"} <= set(table.index)
    assert table["state"].notna().all()


def gone(tusk, tmp_path):
    log.stop()  # which would make it anew for what it has to say
    shutil.rmtree(tmp_path / "tusk")


def unusable(tusk, tmp_path):
    (tmp_path / "taken").write_text("")
    tusk.open_files(tmp_path / "taken")


def silent(tusk, tmp_path):
    log.stop()


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (gone, {"data directory": "not there any more"}),
        (unusable, {"data directory": "is not a directory", "storage": "in memory only", "logs": "no file is written"}),
        (silent, {"logs": "no file is written"}),
    ],
)
def test_what_is_not_is_said_in_its_own_line(tusk, tmp_path, harm, words):
    harm(tusk, tmp_path)
    found = tusk.health()
    assert list(found) == PARTS
    for part, text in words.items():
        assert text in found[part]
    assert found["connections"].startswith("ok")


def test_a_part_that_raises_or_hangs_is_one_line(tusk, monkeypatch):
    release = threading.Event()

    class Hangs:
        def available(self):
            release.wait(30)

    class Raises:
        def available(self):
            raise KeyringError("the keychain is locked")

    class Strange:
        def available(self):
            raise RuntimeError("no such backend")

    monkeypatch.setattr(health, "LIMIT_S", 0.1)
    states = [health.examine(tusk.files, c(), tusk.connections)["keychain"] for c in (Hangs, Raises, Strange)]
    release.set()
    assert "no answer within 0.1 s" in states[0]
    assert "the keychain is locked" in states[1]
    assert "Unlock the keychain" in states[1]
    assert states[2] == "RuntimeError: no such backend"


def test_damage_is_told_with_the_backup(tusk, monkeypatch):
    from tusk_jupyter.storage.integrity import DatabaseHealth

    found = DatabaseHealth(healthy=False, errors=("row 3 missing",), backup_path="/x.corrupt", in_memory=False)
    monkeypatch.setattr(tusk.storage, "health", lambda: found)
    assert tusk.health()["storage"] == "damaged: row 3 missing; what was there before is in /x.corrupt"
