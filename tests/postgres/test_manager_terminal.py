"""The connection manager in a plain terminal: a real IPython on a pseudo-terminal, and what a user types there."""

from __future__ import annotations

import json
import os
import sys

import pytest

from tests.fix_postgres import PASSWORD
from tests.fix_sshd import PASSPHRASE


@pytest.fixture
def terminal(tmp_path):
    pexpect = pytest.importorskip("pexpect")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
    environment |= {"TUSK_DATA_DIR": str(tmp_path / "tusk"), "IPYTHONDIR": str(tmp_path / "ipython"), "TERM": "dumb"}
    words = ["-m", "IPython", "--simple-prompt", "--colors=nocolor"]
    child = pexpect.spawn(sys.executable, words, env=environment, encoding="utf8", timeout=20, dimensions=(60, 200))
    child.seen = (tmp_path / "seen").open("w+")
    child.logfile_read = child.seen
    child.expect_exact("In [1]: ")
    child.sendline("%load_ext tusk_jupyter")
    child.expect_exact("In [2]: ")
    child.sendline("%tusk_connect")
    child.expect_exact("connections> ")
    yield child
    child.close(force=True)
    child.seen.close()


def answer(terminal, *pairs):
    for question, text in pairs:
        terminal.expect_exact(question)
        terminal.sendline(text)


def said(terminal):
    terminal.seen.seek(0)
    return terminal.seen.read()


def test_new_connect_and_delete(terminal, server):
    terminal.sendline("n")
    answer(
        terminal,
        ("Name: ", "two words"), ("Host [localhost]: ", "127.0.0.1"), ("Port [5432]: ", str(server.port)),
        ("Database: ", "postgres"), ("User: ", "secretive"), ("[prefer]: ", ""), ("[no]: ", ""),
        ("Production/EU): ", "Here/There"), ("(y/N): ", ""), ("as it is): ", ""),
    )  # fmt: skip
    terminal.expect_exact("it holds a blank")
    answer(terminal, ("Name [two words]: ", "guarded"), ("connections> ", "c1"), ("Password for ", PASSWORD))
    answer(terminal, ("next time? (y/N): ", "y"))
    terminal.expect_exact("connected; cells run on guarded now")
    answer(terminal, ("connections> ", "x1"), ("(y/N): ", "n"))
    terminal.expect_exact("left as it was")
    answer(terminal, ("connections> ", "d1"))
    terminal.expect_exact("guarded is disconnected")
    answer(terminal, ("connections> ", "x1"), ("(y/N): ", "y"))
    terminal.expect_exact("guarded is deleted")
    answer(terminal, ("connections> ", "q"))
    terminal.expect_exact("In [3]: ")
    assert PASSWORD[:10] not in said(terminal)


def interrupt(terminal, words):
    """Press Ctrl-C until it is heard: between the prompt of ``input()`` and its read Python keeps one for later."""
    timeout = pytest.importorskip("pexpect").TIMEOUT
    for _ in range(4):
        terminal.sendintr()
        if terminal.expect_exact([words, timeout], timeout=5) == 0:
            return
    pytest.fail(f"{words!r} never came")


def test_ctrl_c_and_ctrl_d_leave_a_question_then_the_manager(terminal):
    terminal.sendline("n")
    terminal.expect_exact("Name: ")
    interrupt(terminal, "left as it was")
    for word in ("nonsense", "connect", "new", "delete 1", "c1x", "c 1 2 x"):
        answer(terminal, ("connections> ", word))
        terminal.expect_exact("none of the letters")
    answer(terminal, ("connections> ", "c7"))
    terminal.expect_exact("which one?")
    terminal.expect_exact("connections> ")
    terminal.sendeof()
    terminal.expect_exact("In [3]: ")
    terminal.sendline("%tusk_connect")
    terminal.expect_exact("connections> ")
    interrupt(terminal, "In [4]: ")
    assert "Traceback" not in said(terminal)


def test_what_an_ssh_tunnel_wants_is_asked_for(home, sshd, ssh_keys, server, tmp_path, terminal):
    tunnel = {"host": "127.0.0.1", "port": sshd.port, "username": sshd.user, "auth": "key", "key_path": str(ssh_keys / "locked")}
    place = {"host": "127.0.0.1", "port": server.port, "database": "postgres", "username": "secretive", "ssl_mode": "disable"}
    document = {"format": "tusk-jupyter connections", "connections": [{"name": "shop", **place, "ssh_tunnel": tunnel}]}
    (tmp_path / "shop.json").write_text(json.dumps(document))
    terminal.sendline("q")
    answer(terminal, ("In [3]: ", f"%tusk connections import {tmp_path / 'shop.json'}"), ("In [4]: ", "%tusk_connect"))
    secrets = (("Passphrase of the SSH key", PASSPHRASE), ("(yes/no): ", "yes"), ("Password for ", PASSWORD))
    answer(terminal, ("connections> ", "t1"), *secrets)
    terminal.expect_exact("as secretive")
    assert not home.known_hosts.exists()
    answer(terminal, ("connections> ", "c1"), *secrets, ("next time? (y/N): ", "y"))
    terminal.expect_exact("connected; cells run on shop now")
    assert sshd.host_key in home.known_hosts.read_text()
    answer(terminal, ("connections> ", "d1"), ("connections> ", "c1"))
    terminal.expect_exact("connected; cells run on shop now")
    answer(terminal, ("connections> ", "q"))
    terminal.expect_exact("In [5]: ")
    assert PASSWORD[:10] not in said(terminal)
    assert PASSPHRASE[:10] not in said(terminal)
