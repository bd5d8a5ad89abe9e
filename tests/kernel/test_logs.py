"""The log of a real kernel: in its file and on the server's console at once, and never in a cell."""

from __future__ import annotations

import os
import re
from contextlib import suppress

import psycopg
import pytest

from tests.waiting import wait_until

SAY = "import logging; logging.getLogger('tusk_jupyter.test')"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z [A-Z]+ \S+ \S+: ")


@pytest.fixture
def watched(kernels, tmp_path):
    """A kernel, its log file and what the server's terminal shows."""

    def start(**env):
        with (tmp_path / "console").open("w") as console:
            kernel = kernels(stderr=console, env=env)
        (file,) = (tmp_path / "tusk" / "logs").glob(f"*-{kernel.pid}.log")
        return kernel, file, tmp_path / "console"

    return start


def test_both_sinks_have_a_line_while_its_cell_still_runs(watched, tmp_path):
    kernel, file, console = watched()
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    cell = kernel.send(f"{SAY}.warning('a line')\nprint(open({str(gate)!r}).read())")
    wait_until(lambda: all("a line" in sink.read_text() for sink in (file, console)))
    gate.write_text("the cell was still running")
    assert kernel.collect(cell).stdout == "the cell was still running\n"
    same = [line for line in file.read_text().splitlines() if "a line" in line]
    assert same == [line for line in console.read_text().splitlines() if "a line" in line]
    assert LINE.match(same[0])


def test_nothing_is_ever_in_a_cell(watched, database):
    kernel, file, _ = watched(TUSK_LOG_LEVEL="DEBUG")
    replies = [
        kernel.run(f"{SAY}.error('to the log alone')"),
        kernel.run(f"{SAY}.error('%d', 'no number')"),
        kernel.run("try:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.getLogger('tusk_jupyter.x').exception('caught')"),
        kernel.run("logging.getLogger('psycopg.pool').warning('of the pool')"),
        kernel.run("import warnings; logging.captureWarnings(False)"),
        kernel.run(f"%tusk_connect {database} --name db"),
        kernel.run("%sql select 1"),
    ]
    assert not [o for reply in replies for o in reply.outputs if o["output_type"] == "stream"]
    kernel.run("%tusk logs")
    text = file.read_text()
    for words in ("to the log alone", "cannot be shown", "ZeroDivisionError", "of the pool"):
        assert words in text


def test_nothing_is_in_a_cell_while_the_server_goes_away(watched, database):
    kernel, _, _ = watched()
    kernel.run(f"%tusk_connect {database} --name db")
    kernel.run("%sql select 1")
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'Tusk'")
    reply = kernel.run("%sql select 1", ok=None)
    assert not [o for o in reply.outputs if o["output_type"] == "stream"]


@pytest.mark.parametrize(("env", "level"), [({}, "INFO"), ({"TUSK_LOG_LEVEL": "debug"}, "DEBUG"), ({"TUSK_DEV": "1"}, "DEBUG"),
                                            ({"TUSK_LOG_LEVEL": "loud"}, "INFO")])
def test_the_level_is_the_environments(watched, env, level):
    kernel, file, _ = watched(**env)
    assert f"level {level}" in kernel.run("%tusk health").value
    assert file.read_text().count("TUSK_LOG_LEVEL") == ("loud" in env.values())


def test_logs_shows_where_they_are_and_the_last_lines(watched):
    kernel, file, _ = watched()
    kernel.run("import logging\nfor n in range(30): logging.getLogger('tusk_jupyter.test').info('line %d\\nand more', n)")
    reply = kernel.run("%tusk logs")
    assert str(file) in reply.displayed[0]
    assert re.findall(r"line (\d+)", reply.value) == [str(n) for n in range(20, 30)]
    assert re.findall(r"line (\d+)", kernel.run("%tusk logs 3").value) == ["27", "28", "29"]
    kernel.run("last = %tusk logs 2")
    assert kernel.run("list(last.columns)").value == "['time', 'level', 'logger', 'message']"
    assert kernel.run("last['message'].iat[1]").value == "'MainThread: line 29\\nand more'"
    assert kernel.run("%tusk logs many", ok=False).error["ename"] == "InvalidInput"


def test_a_directory_that_is_deleted_comes_back(watched):
    kernel, file, _ = watched()
    kernel.run(f"import shutil; shutil.rmtree({str(file.parent)!r})")
    assert kernel.run(f"{SAY}.info('after')").outputs == []
    assert "after" in kernel.run("%tusk logs").value
    assert "after" in file.read_text()


def test_the_last_words_of_a_kernel_are_written(watched):
    kernel, file, _ = watched()
    kernel.run("import logging, atexit\nfrom tusk_jupyter import Tusk, log\n"
               "atexit.register(lambda: [logging.getLogger('tusk_jupyter.test').info('last %d', n) for n in range(500)])")
    kernel.manager.shutdown_kernel()
    wait_until(lambda: "last 499" in file.read_text())


def test_a_process_forked_by_the_user_does_not_hang_and_writes_its_own(watched):
    kernel, file, _ = watched()
    reply = kernel.run(
        "import logging, multiprocessing\n"
        "def work(n):\n    logging.getLogger('tusk_jupyter.test').info('child %d', n)\n"
        "    import os\n    os._exit(0)\n"
        "children = [multiprocessing.get_context('fork').Process(target=work, args=(n,)) for n in range(5)]\n"
        "for c in children: c.start()\nfor c in children: c.join(20)\nprint([c.exitcode for c in children])"
    )
    assert reply.stdout.strip() == "[0, 0, 0, 0, 0]"
    assert "child" not in file.read_text()
    others = [other.read_text() for other in file.parent.iterdir() if other != file]
    assert sorted(re.findall(r"child \d", "".join(others))) == [f"child {n}" for n in range(5)]


def test_a_console_that_nobody_reads_stops_no_cell(kernels, tmp_path):
    """A server whose terminal is stopped with ^S, or whose pipe is full."""
    reading, writing = os.pipe()
    kernel = kernels(stderr=writing)
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 4096)
    os.set_blocking(writing, True)
    os.close(writing)
    kernel.run("import logging\nfor n in range(300): logging.getLogger('tusk_jupyter.test').info('line %d', n)")
    assert "line 299" in kernel.run("%tusk logs").value
    os.close(reading)
