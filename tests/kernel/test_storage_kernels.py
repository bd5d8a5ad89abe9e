"""Damage to ``tusk.db`` seen from a notebook: one line, and everything works."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.unit.storage.damage import ROWS, backups, fill, integrity, overwrite, root_page, ruin_page
from tests.waiting import wait_until

COUNT = """
import tusk_jupyter
storage = tusk_jupyter.state().storage
storage.flush()
print(storage.read(lambda conn: conn.execute("select count(*) from history").fetchone()[0]))
"""


def texts(reply):
    return "\n".join(reply.displayed)


def test_a_damaged_file_is_one_line_at_the_first_load_and_none_at_the_second(kernels, database, tmp_path):
    path = tmp_path / "tusk" / "tusk.db"
    fill(path)
    overwrite(path, 0, b"\xff" * 100)
    first = kernels(load=False)
    loaded = texts(first.run("%load_ext tusk_jupyter"))
    assert loaded.count("tusk.db was damaged") == 1
    assert "3,000 statements of history, 1 connection kept" in loaded
    (backup,) = backups(path)
    assert str(backup) in loaded
    first.run(f"%tusk_connect {database} --name db")
    assert "41" in first.run("%sql select 41").value
    assert int(first.run(COUNT).stdout) == ROWS + 1
    second = kernels(load=False)
    assert texts(second.run("%load_ext tusk_jupyter")) == ""
    assert int(second.run(COUNT).stdout) == ROWS + 1
    assert len(backups(path)) == 1


def test_damage_that_a_running_kernel_meets_is_told_after_a_cell_and_loses_nothing(kernel, tmp_path):
    path = tmp_path / "tusk" / "tusk.db"
    kernel.run("import tusk_jupyter\nfrom tests.unit.storage.damage import *\nstorage = tusk_jupyter.state().storage\n"
               f"add(storage, 0, {ROWS}).result(20)\n"
               "_ = storage.write(lambda conn: None).result(5)")
    # while the check of the start reads, the log cannot be emptied, and would hide the damage
    kernel.run("storage.read(lambda conn: None)\nimport sqlite3\nfrom tests.waiting import wait_until\n"
               "c = sqlite3.connect(storage.path)\n"
               "wait_until(lambda: c.execute('pragma wal_checkpoint(truncate)').fetchone()[0] == 0)\nc.close()")
    ruin_page(path, root_page(path, "history"))
    said = [texts(kernel.run("%sql select 42"))]
    wait_until(lambda: said.append(texts(kernel.run("%sql select 43"))) or "tusk.db was damaged" in "".join(said), timeout=30)
    assert "".join(said).count("tusk.db was damaged") == 1
    assert int(kernel.run(COUNT).stdout) >= ROWS + len(said)
    kernel.stop()
    assert integrity(path) == "ok"


def test_a_file_of_a_newer_version_costs_no_query_and_keeps_every_byte(kernels, database, tmp_path):
    path = tmp_path / "tusk" / "tusk.db"
    fill(path, rows=3)
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("pragma user_version = 99")
        conn.commit()
    before = path.read_bytes()
    kernel = kernels(load=False)
    loaded = texts(kernel.run("%load_ext tusk_jupyter"))
    assert loaded.count("newer tusk-jupyter (version 99 of its format)") == 1
    kernel.run(f"%tusk_connect {database} --name db")
    assert "41" in kernel.run("%sql select 41").value
    assert int(kernel.run(COUNT).stdout) == 4
    kernel.stop()
    assert path.read_bytes() == before


def test_two_kernels_write_side_by_side_while_a_third_is_killed(kernels, database, tmp_path):
    path = tmp_path / "tusk" / "tusk.db"
    writers = [kernels() for _ in range(2)]
    loop = "for n in range(1000):\n    _ = get_ipython().run_line_magic('sql', f'select {n}')"
    for kernel in writers:
        kernel.run(f"%tusk_connect {database} --name db")
        kernel.run("%config Tusk.quiet = True")
    sent = [kernel.send(loop) for kernel in writers]
    acknowledged = 0
    for _ in range(2):
        victim = kernels()
        victim.run("import tusk_jupyter\nfrom tests.unit.storage.damage import *\nstorage = tusk_jupyter.state().storage")
        victim.run("for n in range(20): add(storage, os.getpid() * 1000 + n, 1).result(20)".replace("os.", "__import__('os')."))
        acknowledged += 20
        victim.send("while True: add(storage, 1, 1)")
        wait_until(lambda: _grows(path))
        victim.kill()
    for kernel, message in zip(writers, sent, strict=True):
        assert kernel.collect(message, timeout=50).status == "ok"
        kernel.run(COUNT)
        kernel.stop()
    with closing(sqlite3.connect(path)) as conn:
        assert conn.execute("select count(*) from history where connection_id <> 'c'").fetchone() == (2000,)
        assert conn.execute("select count(*) from history where connection_id = 'c' and query_id <> '1'").fetchone() == (acknowledged,)
    assert integrity(path) == "ok"
    assert backups(path) == []


def _grows(path):
    with closing(sqlite3.connect(path, timeout=10)) as conn:
        return conn.execute("select 1 from history where query_id = '1'").fetchone()
