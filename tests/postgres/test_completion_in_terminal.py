"""Tab in IPython's own terminal: a real one, on the other end of a pseudo-terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest

CODE = """
get_ipython().run_line_magic('load_ext', 'tusk_jupyter')
get_ipython().run_line_magic('tusk_connect', {database!r} + ' --name db')
get_ipython().run_line_magic('sql', 'create table travellers (id integer, email text, emission_class text)')
import tusk_jupyter as t
for _ in 1, 2:
    t.state().schemas.cache(t.state().connections.current).read().result(20)
traveller_of_python = 1
print('re' + 'ady')
"""
CLEAR = "\x05\x15"  # to the end of the line, and delete it
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[()].|[=>78])")


class Terminal:
    """What is written to it, and a keyboard."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._written = b""

    def press(self, keys: str) -> None:
        """Press keys; what was written before is forgotten."""
        self._written = b""
        os.write(self._master, keys.encode())

    def wait_for(self, pattern: str, timeout: float = 30) -> str:
        """Return all that was written since, once it has that in it."""
        deadline = time.monotonic() + timeout
        while True:
            shown = _ESCAPES.sub("", self._written.decode(errors="replace"))
            if re.search(pattern, shown):
                return shown
            assert time.monotonic() < deadline, shown
            if select.select([self._master], [], [], 0.2)[0]:
                self._written += os.read(self._master, 65536)

    def read_to_its_end(self) -> None:
        """Return when nobody writes any more."""
        with contextlib.suppress(OSError):  # how Linux says that the other end is closed
            while os.read(self._master, 65536):
                pass


@pytest.fixture
def terminal(database, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "DATABASE_URL"}
    environment |= {
        "TUSK_DATA_DIR": str(tmp_path / "tusk"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "COLUMNS": "120",
        "LINES": "40",
    }
    (tmp_path / "start.py").write_text(CODE.format(database=database))
    master, slave = pty.openpty()
    argv = [sys.executable, "-m", "IPython", "--no-banner", "--no-confirm-exit", "--colors=NoColor", "-i", "start.py"]
    with subprocess.Popen(argv, env=environment, cwd=tmp_path, stdin=slave, stdout=slave, stderr=slave) as process:
        os.close(slave)
        shown = Terminal(master)
        try:
            shown.wait_for(r"ready[\s\S]*In \[\d+\]")
            yield shown
            shown.press(CLEAR + "exit()\r")
            shown.read_to_its_end()
            assert process.wait(30) == 0
        finally:
            process.kill()
            os.close(master)


def test_tab_offers_what_the_database_has_and_nothing_of_python_s(terminal):
    terminal.press("%sql select * from trave\t")
    assert "of_python" not in terminal.wait_for("travellers|llers")
    terminal.press(CLEAR + "%sql select em from travellers" + "\x1b[D" * len(" from travellers") + "\t")
    terminal.wait_for("email[\\s\\S]*emission_class")
    terminal.press(CLEAR + "traveller_of\t")
    terminal.wait_for("_python")
    terminal.press(CLEAR + "%tusk connectio\t")
    terminal.wait_for("ns")
