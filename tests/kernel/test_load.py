"""An interrupt stops a load, leaves nothing of it, and keeps the session."""

from __future__ import annotations

from tests.waiting import ask, running, wait_until


def interrupted(kernel, database, code):
    msg_id = kernel.send(code)
    wait_until(lambda: running(database, "copy "))
    kernel.interrupt()
    reply = kernel.collect(msg_id)
    assert reply.error["ename"] == "QueryInterrupted"
    assert "interrupted after" in reply.displayed[-1]
    return reply


def test_interrupt_while_rows_are_sent(kernel, database):
    kernel.run(
        "import itertools, pyarrow as pa\n"
        "batch = pa.record_batch({'a': range(10_000)})\n"
        "endless = pa.RecordBatchReader.from_batches(batch.schema, itertools.repeat(batch))"
    )
    kernel.run("%%sql\ncreate temp table mine as select 7 as x; begin; create table kept (a int)")
    pid = kernel.run("%sql select pg_backend_pid()").value
    interrupted(kernel, database, "%tusk load endless --to t")
    assert kernel.run("%sql select pg_backend_pid()").value == pid
    kernel.run("%sql commit")
    assert ask(database, "select to_regclass('t')") is None
    assert ask(database, "select to_regclass('kept')") == "kept"
    assert "7" in kernel.run("%sql select x from mine").value


def test_interrupt_while_the_server_is_busy_with_a_row(kernel, database):
    kernel.run(
        "%%sql\ncreate table t (a int);"
        "create function f() returns trigger language plpgsql as $$ begin perform pg_sleep(60); return new; end $$;"
        "create trigger f before insert on t for each row execute function f()"
    )
    kernel.run("df = {'a': list(range(1000))}")
    pid = kernel.run("%sql select pg_backend_pid()").value
    interrupted(kernel, database, "%tusk load df --to t --append")
    assert kernel.run("%sql select count(*) from t").status == "ok"
    assert kernel.run("%sql select pg_backend_pid()").value == pid


def test_interrupt_while_the_rows_do_not_come(kernel, database):
    kernel.run(
        "import pyarrow as pa, threading\n"
        "def batches():\n"
        "    yield pa.record_batch({'a': [1]})\n"
        "    threading.Event().wait()\n"
        "stuck = pa.RecordBatchReader.from_batches(pa.schema({'a': pa.int64()}), batches())"
    )
    pid = kernel.run("%sql select pg_backend_pid()").value
    interrupted(kernel, database, "%tusk load stuck --to t")
    assert kernel.run("%sql select pg_backend_pid()").value == pid
    assert ask(database, "select to_regclass('t')") is None
