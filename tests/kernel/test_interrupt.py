"""An interrupt stops the statement, keeps the session, and fails the cell."""

from __future__ import annotations

import contextlib
import os

import psycopg

from tests.waiting import ask, running, wait_until


def interrupted(kernel, database, code, fragment):
    """Run ``code``, interrupt it once the server is at it, and return the reply: of a session that was not given up."""
    msg_id = kernel.send(code)
    wait_until(lambda: running(database, fragment))
    kernel.interrupt()
    reply = kernel.collect(msg_id)
    assert "given up" not in str(reply.displayed)
    return reply


def test_sleep_ends_at_once_with_one_panel_and_no_traceback(kernel, database):
    reply = interrupted(kernel, database, "%%sql\nselect pg_sleep(60)", "pg_sleep(60)")
    assert reply.status == "error"
    assert reply.error["ename"] == "QueryInterrupted"
    assert len(reply.error["traceback"]) == 1
    assert len(reply.displayed) == 1
    assert "interrupted after" in reply.displayed[0]
    assert not running(database, "pg_sleep(60)")


def test_session_survives_with_temp_table_settings_and_autocommit(kernel, database):
    kernel.run("%%sql\ncreate table kept (a int); create temp table mine as select 7 as x; set work_mem = '7MB'")
    pid = kernel.run("%sql select pg_backend_pid()").value
    interrupted(kernel, database, "%%sql\nselect pg_sleep(60)", "pg_sleep(60)")
    assert "7" in kernel.run("%sql select x from mine").value
    assert "7MB" in kernel.run("%sql show work_mem").value
    assert kernel.run("%sql select pg_backend_pid()").value == pid
    kernel.run("%sql insert into kept values (1)")
    with psycopg.connect(database) as other:
        assert other.execute("select count(*) from kept").fetchone() == (1,)


def test_open_transaction_survives_as_failed(kernel, database):
    kernel.run("%%sql\ncreate table t (a int); begin; insert into t values (1)")
    reply = interrupted(kernel, database, "%%sql\nselect pg_sleep(60)", "pg_sleep(60)")
    assert "transaction (1 statement) is now failed" in reply.displayed[0]
    assert "nothing was saved" in kernel.run("%sql commit").displayed[-1]
    with psycopg.connect(database) as other:
        assert other.execute("select count(*) from t").fetchone() == (0,)


def test_large_fetch(kernel, database):
    pid = kernel.run("%sql select pg_backend_pid()").value
    rows = "select i, repeat('x', 200) from generate_series(1, 50000000) i"
    reply = interrupted(kernel, database, f"%%sql\n{rows}", "generate_series")
    assert reply.error["ename"] == "QueryInterrupted"
    assert not running(database, "generate_series")
    assert kernel.run("%sql select pg_backend_pid()").value == pid


def test_loop_that_catches_exceptions_stops(kernel, database):
    code = (
        "for i in range(100):\n    try:\n        get_ipython().run_cell_magic('sql', '', 'select pg_sleep(30)')\n"
        "    except Exception as error:\n        print('went on')\n"
    )
    reply = interrupted(kernel, database, code, "pg_sleep(30)")
    assert reply.error["ename"] == "QueryInterrupted"
    assert "went on" not in reply.stdout


def test_cells_behind_it_do_not_run(kernel, database):
    first = kernel.send("%%sql\nselect pg_sleep(60)")
    wait_until(lambda: running(database, "pg_sleep(60)"))
    second = kernel.send("ran = True")
    kernel.await_arrival()
    kernel.interrupt()
    assert kernel.collect(first).status == "error"
    assert kernel.collect(second).status == "aborted"


def sizes(folder):
    """The sizes of the files that are being written; one may be gone before it is looked at."""
    for part in folder.glob(".tusk-*.part"):
        with contextlib.suppress(FileNotFoundError):
            yield part.stat().st_size


def test_rows_on_their_way_to_a_file_leave_none(kernel, database, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "out.parquet").write_text("before")
    pid = kernel.run("%sql select pg_backend_pid()").value
    code = f'%%sql --to "{folder}/out.parquet"\nselect i, md5(i::text) as m from (select generate_series(1, 1e10::int8) i) s'
    msg_id = kernel.send(code)
    wait_until(lambda: any(size > 1_000_000 for size in sizes(folder)))
    kernel.interrupt()
    reply = kernel.collect(msg_id)
    assert reply.error["ename"] == "QueryInterrupted"
    assert "interrupted after" in reply.displayed[0]
    assert [path.name for path in folder.iterdir()] == ["out.parquet"]
    assert (folder / "out.parquet").read_text() == "before"
    assert not running(database, "generate_series")
    assert kernel.run("%sql select pg_backend_pid()").value == pid


def test_a_kernel_that_is_killed_leaves_no_file_under_the_name(kernels, kernel, database, tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    code = (
        f'%%sql --to "{folder}/out.csv"\nselect i, md5(i::text) as m from (select generate_series(1, 1e10::int8) i) s'
    )
    kernel.send(code)
    wait_until(lambda: any(part.stat().st_size > 1_000_000 for part in folder.glob(".tusk-*.part")))
    kernel.kill()
    wait_until(lambda: not kernel.manager.is_alive())
    assert not (folder / "out.csv").exists()
    wait_until(lambda: not running(database, "generate_series"))
    after = kernels()
    after.run(f"%tusk_connect {database} --name again")
    after.run(f'%sql --to "{folder}/out.csv" select 1 as a')
    assert (folder / "out.csv").read_text() == "a\n1\n"
    # what it left goes with the next file, when it can be nobody's any more
    (left,) = folder.glob(".tusk-*.part")
    os.utime(left, (1, 1))
    after.run(f'%sql --to "{folder}/out.csv" select 2 as a')
    assert [path.name for path in folder.iterdir()] == ["out.csv"]


def test_all_parts_of_a_parallel_query_stop_and_the_session_stays(kernel, database):
    kernel.run("%%sql\ncreate table many as select generate_series(1, 3000) i; create temp table mine as select 7 as x")
    pid = kernel.run("%sql select pg_backend_pid()").value
    reply = interrupted(kernel, database, "%%sql --parallel 3\nselect i, pg_sleep(60) from many", "pg_sleep(60)")
    assert reply.error["ename"] == "QueryInterrupted"
    assert "interrupted after" in reply.displayed[0]
    wait_until(lambda: not running(database, "pg_sleep(60)"))
    assert kernel.run("%sql select pg_backend_pid()").value == pid
    assert "7" in kernel.run("%sql select x from mine").value
    assert "3000" in kernel.run("%%sql --parallel 3 frame <<\nselect i from many").displayed[-1]


def test_a_loop_of_short_statements_ends_whatever_is_faster(kernel, database):
    for body in (
        "    %sql --quiet select 1",
        "    try:\n        %sql --quiet select 1\n    except Exception:\n        pass",
    ):
        kernel.run("i = 0")
        msg_id = kernel.send(f"for i in range(10_000_000):\n{body}")
        wait_until(
            lambda: (
                running(database, "select 1")
                or ask(database, "select count(*) from pg_stat_activity where query = 'select 1'")
            )
        )
        kernel.interrupt()
        reply = kernel.collect(msg_id)
        assert reply.error["ename"] in {"QueryInterrupted", "KeyboardInterrupt"}
        assert "41" in kernel.run("%sql select 41 as a").value


def test_a_script_of_short_statements_ends_and_says_how_far_it_came(kernel, database):
    kernel.run("%sql create table rows (a int)")
    script = "insert into rows values (1); select pg_sleep(0.005);\n" * 2000
    msg_id = kernel.send(f"%%sql --quiet\n{script}")
    wait_until(lambda: ask(database, "select count(*) from rows") > 5)
    kernel.interrupt()
    reply = kernel.collect(msg_id)
    assert reply.error["ename"] == "QueryInterrupted"
    assert ask(database, "select count(*) from rows") < 2000


def test_what_is_queued_behind_a_statement_that_was_faster_does_not_run(kernel):
    # as if the signal came when the statement had ended
    kernel.run(
        "import signal\nfrom tusk_jupyter.queries.execution import Execution\nwait = Execution.wait\n"
        "def late(self, *args, **more):\n"
        "    outcome = wait(self, *args, **more)\n    self._heard_interrupt = True\n    return outcome\n"
        "Execution.wait = late"
    )
    first = kernel.send("%sql select 41 as a")
    second = kernel.send("reached = True")
    reply = kernel.collect(first)
    assert "41" in reply.value
    assert "what was to run after this cell does not" in "\n".join(reply.displayed)
    assert kernel.collect(second).status == "aborted"
    kernel.run("Execution.wait = wait")
    assert "41" in kernel.run("%sql select 41 as a").value
