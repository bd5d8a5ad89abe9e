"""The log: nobody waits, nothing is lost unseen, nothing secret, nothing where it does not belong."""

from __future__ import annotations

import gc
import logging
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from tests.waiting import wait_until
from tusk_jupyter import log, logsinks

logger = logging.getLogger("tusk_jupyter.test")
SECRET = "hunter2secret"
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}Z (DEBUG|INFO|WARNING|ERROR|CRITICAL) tusk_jupyter\S* \S+: ")


@pytest.fixture(autouse=True)
def started(monkeypatch, tmp_path):
    for name in ("TUSK_LOG_LEVEL", "TUSK_DEV"):
        monkeypatch.delenv(name, raising=False)
    assert log.start(tmp_path / "logs") is None
    yield
    log.stop()


@pytest.fixture
def console(monkeypatch, tmp_path):
    """A pipe that stands for the server's terminal: its reading end. How a kernel finds the real one is tested there."""
    reading, writing = os.pipe()
    monkeypatch.setattr(log, "_console", lambda: writing)
    log.start(tmp_path / "logs")
    yield reading
    log.stop()
    os.close(reading)
    with suppress(OSError):
        os.close(writing)


def written():
    assert log.flush()
    return log.file().read_text()


def lines():
    return written().splitlines()


# -- the queue --------------------------------------------------------------------------------------------------------


def test_every_line_of_many_threads_is_written_in_its_order():
    def talk(number):
        for count in range(200):
            logger.info("thread %d says %d", number, count)

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = written()
    for number in range(8):
        assert [int(n) for n in re.findall(rf"thread {number} says (\d+)", text)] == list(range(200))


def test_a_sink_that_hangs_holds_nobody_up(monkeypatch):
    release = threading.Event()
    write = logsinks.DailyFile.write
    monkeypatch.setattr(logsinks.DailyFile, "write", lambda *a: release.wait(30) and write(*a))
    monkeypatch.setattr(log, "QUEUE_LENGTH", 100)
    monkeypatch.setattr(log, "FLUSH_S", 0.05)
    done = threading.Event()

    def talk():
        for count in range(500):
            logger.info("line %d", count)
        done.set()

    threading.Thread(target=talk).start()
    assert done.wait(20)
    assert log.flush() is False
    assert "lines were lost" in log.state()
    release.set()
    monkeypatch.setattr(log, "FLUSH_S", 10)
    assert log.flush()
    logger.info("after")
    text = written()
    dropped = [int(count) for count in re.findall(r"(\d+) lines were dropped here", text)]
    assert sum(dropped) + len(re.findall(r"line \d+$", text, re.MULTILINE)) == 500
    assert dropped
    assert text.rstrip().endswith("after")


def test_stopping_writes_what_is_queued_and_ends_the_thread(tmp_path):
    file = log.file()
    for count in range(3000):
        logger.info("line %d", count)
    log.stop()
    log.stop()
    assert file.read_text().splitlines()[-1].endswith("line 2999")
    assert not [thread for thread in threading.enumerate() if thread.name == "tusk-log"]
    logger.info("after the end")
    assert "after the end" not in file.read_text()


def test_starting_again_moves_and_doubles_nothing(tmp_path):
    logger.info("first")
    log.start(tmp_path / "other")
    logger.info("second")
    assert [line.rpartition(": ")[2] for line in lines()] == ["second"]
    assert log.file().parent == tmp_path / "other"
    for each in log.LOGGERS:
        assert sum(type(handler).__module__ == "tusk_jupyter.log" for handler in each.handlers) == 2


def test_arguments_are_taken_as_they_were():
    rows = [1]
    gate = threading.Event()
    log._queue._records.put(_Waits(gate))
    logger.info("rows %s", rows)
    rows.append(2)
    gate.set()
    assert "rows [1]" in written()


class _Waits(threading.Event):
    """Stops the writing thread where it is: set() is called by it."""

    def __init__(self, gate):
        super().__init__()
        self._gate = gate

    def set(self):
        self._gate.wait(20)
        super().set()


def test_no_frame_of_an_exception_stays_alive():
    class Held:
        pass

    def fail():
        held = Held()
        raise ValueError(repr(held))

    try:
        fail()
    except ValueError:
        logger.exception("it failed")
    text = written()
    assert "ValueError" in text
    assert "Traceback" in text
    gc.collect()
    assert not [o for o in gc.get_objects() if type(o) is Held]


def test_a_finalizer_that_logs_while_a_record_is_on_its_way_hangs_nothing():
    class Noisy:
        def __del__(self):
            logger.info("gone")

    class Text:
        def __str__(self):
            Noisy()
            return "text"

    logger.info("%s", Text())
    assert "gone" in written()
    assert "text" in written()


def test_a_signal_handler_may_log():
    before = signal.signal(signal.SIGALRM, lambda *_: logger.info("signal"))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        for count in range(3000):
            logger.info("line %d", count)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    text = written()
    assert len(re.findall(r"line \d+$", text, re.MULTILINE)) == 3000
    assert "signal" in text


# -- what a line is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "arguments"),
    [("%d rows", ("many",)), ("%s and %s", ("one",)), ("%(name)s", ({},)), ("100%", (1,))],
)
def test_a_record_that_cannot_be_formatted_is_still_a_line_and_prints_nothing(capfd, message, arguments):
    logger.warning(message, *arguments)
    assert message in written()
    assert capfd.readouterr() == ("", "")


def test_what_raises_when_it_is_shown_is_still_a_line(capfd):
    class Rude:
        def __str__(self):
            raise RuntimeError(SECRET)

    class RudeError(Exception):
        def __str__(self):
            raise RecursionError

    logger.warning("%s", Rude())
    fail(RudeError())
    text = written()
    assert "RuntimeError" in text
    assert "it failed" in text
    assert SECRET not in text
    assert capfd.readouterr() == ("", "")


def test_there_is_no_colour_and_no_control_character_in_the_file():
    logger.info("\x1b[31mred\x1b[0m \x1b]8;;http://x\x07link \x07 \x00 \x85 \r\n\ttab\x1b")
    text = written()
    assert ": red link \\x07 \\x00" in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", text)


def test_text_cannot_look_like_a_record_of_its_own():
    logger.info("harmless\n2026-01-01 00:00:00.000Z ERROR tusk_jupyter MainThread: forged\r2026\u2028x")
    assert [bool(LINE.match(line)) for line in lines()] == [True, False]


def test_what_is_no_utf8_is_written_too():
    logger.info("lone \ud800 surrogate, %s", "日本語 🐘")
    assert "\\ud800 surrogate, 日本語 🐘" in written()


PLACES = [
    lambda: logger.warning("to %s", f"postgresql://u:{SECRET}@h/db"),
    lambda: logger.warning("password='" + SECRET + "'"),  # noqa: G003 - in the text itself
    lambda: logger.warning("alter role u password '%s'", SECRET),
    lambda: logger.warning("%s", {"password": SECRET}),
    lambda: logging.getLogger("psycopg.pool").warning("conninfo password=%s", SECRET),
]


def fail(error=None):
    try:
        raise error or ValueError(f"password={SECRET}")  # noqa: TRY301
    except Exception:
        logger.exception("it failed")


@pytest.mark.parametrize("say", [*PLACES, fail], ids=range(len(PLACES) + 1))
def test_no_handler_sees_a_password(say, tmp_path):
    """Ours, and one that a user adds to our logger."""
    seen = []

    class Theirs(logging.Handler):
        def emit(self, record):
            seen.append(self.format(record) + repr(record.__dict__))

    theirs = Theirs()
    for each in log.LOGGERS:
        each.addHandler(theirs)
    say()
    text = written() + "".join(seen)
    for each in log.LOGGERS:
        each.removeHandler(theirs)
    assert seen
    assert SECRET not in text
    assert "****" in text


# -- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_files_are_private_whatever_the_umask(tmp_path, umask):
    before = os.umask(umask)
    try:
        log.start(tmp_path / f"logs{umask}")
    finally:
        os.umask(before)
    logger.info("x")
    assert "x" in written()
    assert stat.S_IMODE(log.file().stat().st_mode) == 0o600
    assert stat.S_IMODE(log.file().parent.stat().st_mode) == 0o700


def test_a_file_that_cannot_be_opened_is_one_warning_on_the_console(console, tmp_path, capfd):
    (tmp_path / "taken").write_text("x")
    problem = log.start(tmp_path / "taken")
    assert str(tmp_path / "taken") in problem.message
    logger.info("still said")
    log.flush()
    said = os.read(console, 10_000).decode()
    assert said.count("cannot be used") == 1
    assert "still said" in said
    assert log.file() is None
    assert "no file is written" in log.state()
    assert capfd.readouterr() == ("", "")


def test_a_symlink_in_the_way_is_not_followed(tmp_path):
    target = tmp_path / "precious"
    target.write_text("")
    (tmp_path / "trap").mkdir()
    (tmp_path / "trap" / log.file().name).symlink_to(target)
    assert str(tmp_path / "trap") in log.start(tmp_path / "trap").message
    assert log.file() is None
    logger.info("x")
    log.stop()
    assert target.read_text() == ""


def test_a_directory_that_vanishes_comes_back_with_the_next_line(capfd):
    logger.info("before")
    log.flush()
    shutil.rmtree(log.file().parent)
    logger.info("after")
    assert [line.rpartition(": ")[2] for line in lines()] == ["after"]
    assert stat.S_IMODE(log.file().parent.stat().st_mode) == 0o700
    assert capfd.readouterr() == ("", "")


def test_a_data_directory_that_vanishes_comes_back_for_nobody_else(tmp_path):
    log.start(tmp_path / "data" / "logs")
    logger.info("before")
    log.flush()
    shutil.rmtree(tmp_path / "data")
    logger.info("after")
    log.flush()
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data", tmp_path / "data" / "logs")} == {0o700}


def test_a_directory_that_vanishes_for_good_harms_nothing(capfd, tmp_path):
    log.flush()
    shutil.rmtree(tmp_path / "logs")
    (tmp_path / "logs").write_text("in the way")
    logger.info("after")
    assert log.flush()
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_costs_lines_and_says_how_many(capfd):
    """RLIMIT_FSIZE stands for the disk: a write beyond it is cut, the next one fails (SIGXFSZ is ignored by Python)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    log.flush()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        for count in range(100):
            logger.info("line %d", count)
        log.flush()
        assert "lines were lost" in log.state()
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        logger.info("room again")
        found = lines()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert found[-1].endswith("room again")
    assert LINE.match(found[-1])
    whole = sum(bool(re.search(r": line \d+$", line)) for line in found)
    assert 0 < whole < 100
    assert re.search(r"^(\d+) lines were lost", log.state())[1] in {str(100 - whole), str(101 - whole)}
    assert capfd.readouterr() == ("", "")


# -- console ----------------------------------------------------------------------------------------------------------


def test_the_console_gets_the_same_lines(console):
    logger.info("to both %s", "x" * 2000)
    text = written()
    assert os.read(console, 10_000).decode() == text


def test_a_console_that_nobody_reads_does_not_hold_up_the_file(console):
    for count in range(400):
        logger.info("line %d %s", count, "x" * 1000)
    assert len(lines()) == 400


def test_a_console_that_is_gone_harms_nothing(console, capfd):
    os.close(log._console())
    for count in range(3):
        logger.info("line %d", count)
    assert len(lines()) == 3
    assert capfd.readouterr() == ("", "")


# -- level ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "dev", "effective"),
    [
        ("", "", "INFO"),
        ("", "1", "DEBUG"),
        ("warning", "1", "WARNING"),
        (" Error ", "", "ERROR"),
        ("loud", "", "INFO"),
        ("loud", "1", "INFO"),
        ("NOTSET", "", "INFO"),
        ("10", "", "INFO"),
    ],
)
def test_the_level_is_the_environments(monkeypatch, tmp_path, level, dev, effective):
    monkeypatch.setenv("TUSK_LOG_LEVEL", level)
    monkeypatch.setenv("TUSK_DEV", dev)
    log.start(tmp_path / "level")
    assert logging.getLevelName(log.ROOT.level) == effective
    assert f"level {effective}" in log.state()
    wrong = level in {"loud", "NOTSET", "10"}
    assert written().count("TUSK_LOG_LEVEL") == wrong


# -- processes --------------------------------------------------------------------------------------------------------


def test_a_forked_child_writes_a_file_of_its_own_and_ends(tmp_path):
    gate = threading.Event()
    log._queue._records.put(_Waits(gate))
    logger.info("of the parent")
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            logger.info("of the child")
            log.flush()
            log.stop()
            os._exit(0)
        os._exit(1)
    status = wait_until(lambda: (found := os.waitpid(child, os.WNOHANG))[0] and found)[1]
    assert os.waitstatus_to_exitcode(status) == 0
    gate.set()
    parent = written()
    assert parent.count("of the parent") == 1
    assert "of the child" not in parent
    (other,) = (tmp_path / "logs").glob(f"*-{child}.log")
    assert [line.rpartition(": ")[2] for line in other.read_text().splitlines()] == ["of the child"]


def test_children_forked_while_threads_log_never_hang():
    stop, talking = threading.Event(), threading.Barrier(4)

    def talk():
        logger.info("talk")
        talking.wait(20)
        while not stop.is_set():
            logger.info("talk")
            os.sched_yield()  # the forking thread has its turn too

    threads = [threading.Thread(target=talk) for _ in range(3)]
    for thread in threads:
        thread.start()
    talking.wait(20)
    codes = []
    try:
        for _ in range(20):
            child = os.fork()
            if child == 0:
                with suppress(BaseException):
                    logger.info("of the child")
                    os._exit(0)
                os._exit(1)
            status = wait_until(lambda pid=child: (found := os.waitpid(pid, os.WNOHANG))[0] and found)[1]
            codes.append(os.waitstatus_to_exitcode(status))
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert codes == [0] * 20


def test_the_last_words_of_a_process_are_written(tmp_path):
    code = (
        "import logging, pathlib, sys; from tusk_jupyter import log; log.start(pathlib.Path(sys.argv[1]))\n"
        "for n in range(2000): logging.getLogger('tusk_jupyter.x').info('line %d', n)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "last")], check=False, capture_output=True, timeout=50)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    (file,) = (tmp_path / "last").iterdir()
    assert file.read_text().splitlines()[-1].endswith("line 1999")
