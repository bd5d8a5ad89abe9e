"""Background queries in a real kernel: cells go on, a wait and an await can be interrupted, nothing is left."""

from __future__ import annotations

import pytest

from tests.waiting import ask, backends, running, wait_until

BG = "job = %sql --bg --quiet select pg_sleep(60)"


IMPORTS = "import asyncio, os, signal, sys, threading, time\nimport tusk_jupyter as tusk"
# interrupts the main thread once it waits in ``job.wait``, where else would be too early
INTERRUPT_THE_WAIT = """
def names(frame):
    while frame is not None:
        yield frame.f_code.co_name
        frame = frame.f_back

def interrupt(main=threading.main_thread().ident):
    while "_watch" not in names(sys._current_frames()[main]):
        time.sleep(0.005)
    os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt).start()
"""


@pytest.fixture
def cells(shared_kernel):
    shared_kernel.run(IMPORTS)
    return shared_kernel


def said(kernel, expression):
    return kernel.run(f"print({expression})").stdout.strip()


def test_the_cell_returns_at_once_and_others_run_meanwhile(cells, database):
    reply = cells.run("%%sql --bg job <<\nselect pg_sleep(60)")
    assert "select pg_sleep(60)" in reply.displayed[0]
    wait_until(lambda: running(database, "pg_sleep(60)"))
    assert "3" in cells.run("%sql select 3 as n").value
    assert "running" in str(cells.run("%tusk queries").outputs)
    assert cells.run("job.cancel()").value == "True"
    assert said(cells, "type(job.exception()).__name__, job.state") == "QueryCancelled cancelled"
    wait_until(lambda: not running(database, "pg_sleep(60)"))
    assert cells.run("%tusk queries").value == "(nothing)"


def test_an_interrupt_ends_the_wait_and_not_the_job(cells, database):
    cells.run(BG)
    wait_until(lambda: running(database, "pg_sleep(60)"))
    reply = cells.run(f"{INTERRUPT_THE_WAIT}\njob.result()", ok=False)
    assert reply.error["ename"] == "QueryInterrupted"
    assert "which goes on" in reply.displayed[0]
    assert "job.cancel() stops it" in reply.displayed[0]
    assert said(cells, "job.state") == "running"
    assert running(database, "pg_sleep(60)")
    cells.run("job.cancel()")


def test_awaiting_in_the_kernels_own_loop(cells):
    code = "a, b = await asyncio.gather(tusk.sql_async('select 1 as n'), tusk.submit('select 2 as n'))"
    cells.run(code)
    assert said(cells, "a.n.item(), b.n.item()") == "1 2"
    cells.run("job = %sql --bg --quiet select 3 as n\nframe = await job")
    assert said(cells, "frame.n.item()") == "3"


def test_an_interrupted_await_stops_the_statement(cells, database):
    msg_id = cells.send(f"{BG}\nawait job")
    wait_until(lambda: running(database, "pg_sleep(60)"))
    cells.interrupt()
    assert cells.collect(msg_id).status == "error"
    wait_until(lambda: not running(database, "pg_sleep(60)"))
    assert said(cells, "type(job.exception(10)).__name__") == "QueryCancelled"


def test_a_cancelled_await_stops_the_statement(cells, database):
    cells.run("task = asyncio.ensure_future(tusk.sql_async('select pg_sleep(60)'))\nawait asyncio.sleep(0)")
    wait_until(lambda: running(database, "pg_sleep(60)"))
    reply = cells.run("task.cancel()\nawait task", ok=False)
    assert reply.error["ename"] == "CancelledError"
    wait_until(lambda: not running(database, "pg_sleep(60)"))


def test_an_error_of_a_job_is_a_panel_where_it_is_asked_for(cells):
    cells.run("job = %sql --bg --quiet select nope")
    reply = cells.run("job.df()", ok=False)
    assert 'column "nope" does not exist' in reply.displayed[0]
    assert "select nope" in reply.displayed[0]
    assert len(reply.error["traceback"]) == 1


def test_a_headless_card_is_static(cells):
    reply = cells.run("%%sql --bg\nselect 1 as n")
    assert [o["output_type"] for o in reply.outputs] == ["display_data"]
    assert set(reply.outputs[0]["data"]) == {"text/plain", "text/html"}
    cells.run("job = _\njob.wait(10)")
    reply = cells.run("job")
    assert set(reply.outputs[0]["data"]) == {"text/plain", "text/html"}
    assert "completed" in reply.displayed[0]


def test_a_headless_card_of_a_job_in_flight_says_nothing_that_passes(cells, database):
    reply = cells.run("job = %sql --bg select pg_sleep(60)")
    assert reply.displayed[0].splitlines()[-1] == "submitted"
    wait_until(lambda: running(database, "pg_sleep(60)"))
    assert cells.run("job").displayed[0].splitlines()[-1] == "submitted"
    cells.run("job.cancel()\njob.wait(20)")
    assert cells.run("job").displayed[0].splitlines()[-1].startswith("cancelled · ")


@pytest.mark.parametrize("end", ["restart", "kill"])
def test_the_end_of_a_kernel_leaves_no_backend(kernel, database, end):
    kernel.run(IMPORTS)
    kernel.run("jobs = [tusk.submit('select pg_sleep(60)') for _ in range(6)]")
    wait_until(lambda: len(backends(database)) == 5)
    getattr(kernel, end)()
    wait_until(lambda: not backends(database), timeout=20)
    assert ask(database, "select 1") == 1


def test_a_disconnect_ends_what_runs_there(cells, database):
    cells.run("jobs = [tusk.submit('select pg_sleep(60)') for _ in range(6)]")
    wait_until(lambda: len(backends(database)) == 5)
    cells.run("%tusk disconnect db")
    assert said(cells, "{job.state for job in jobs}") == "{'cancelled'}"
    wait_until(lambda: not backends(database))
    left = said(cells, "[t.name for t in threading.enumerate() if t.name.startswith('tusk-job')]")
    assert left == "[]"
