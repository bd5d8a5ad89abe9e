"""The live line in IPython's terminal: rewritten in place, wiped before what stays, and nowhere but in a terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios

import pytest

COLUMNS = 40
CODE = """
%load_ext tusk_jupyter
%tusk_connect {database} --name db
%sql do $$ begin perform pg_sleep(0.9); raise notice 'half'; perform pg_sleep(0.9); end $$
"""


@pytest.fixture
def command(database, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
    environment |= {"TUSK_DATA_DIR": str(tmp_path / "tusk"), "IPYTHONDIR": str(tmp_path / "ipython"), "TERM": "dumb"}
    argv = [sys.executable, "-m", "IPython", "--no-banner", "--colors=NoColor", "-c", CODE.format(database=database)]
    return {"args": argv, "env": environment, "cwd": tmp_path}


def in_terminal(command) -> str:
    """Return everything that is written to a terminal of 40 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    with subprocess.Popen(**command, stdin=slave, stdout=slave, stderr=subprocess.DEVNULL) as process:
        os.close(slave)
        written = b""
        try:
            while part := os.read(master, 65536):
                written += part
        except OSError:  # how Linux says that the other end is closed
            pass
        finally:
            os.close(master)
        assert process.wait(30) == 0
    return written.decode().replace("\r\n", "\n")


def seen(written) -> list[str]:
    """Return the lines that stay on the screen."""
    lines = []
    for line in written.split("\n"):
        screen: list[str] = []
        for part in line.split("\r"):
            screen[: len(part)] = part
        lines.append("".join(screen).rstrip())
    return lines


def test_one_line_is_rewritten_and_wiped(command):
    written = in_terminal(command)
    drawn = [part for part in written.replace("\n", "\r").split("\r") if "Ctrl-C stops it" in part]
    assert len(drawn) >= 3
    times = [float(part.partition(" s · runs on db")[0]) for part in drawn]
    assert times == sorted(times)
    assert times[0] >= 0.5
    assert max(map(len, drawn)) < COLUMNS
    assert "\x1b" not in "".join(drawn)
    connected, notice, status = filter(None, seen(written))
    assert connected.startswith("db · ")
    assert notice == "NOTICE:  half"
    assert status.startswith("DO · ")


def test_nothing_is_drawn_into_a_pipe(command):
    done = subprocess.run(**command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert "DO · " in done.stdout
    assert "Ctrl-C" not in done.stdout + done.stderr
    assert "\r" not in done.stdout
