"""What a statement in flight goes through in a real kernel: stop in every phase, silence, death, company."""

from __future__ import annotations

import re

import psycopg
import pytest

from tests.waiting import ask, running, terminate, wait_until


def dbname(database):
    return database.rpartition("=")[2]


def value(kernel, sql):
    """The one value of a query, as text."""
    return kernel.run(f"one = %sql {sql}\nprint(one.iat[0, 0])").stdout.strip()


# -- interrupt --------------------------------------------------------------------------------------------------------


def test_interrupt_while_rows_come_in_keeps_the_session(shared_kernel, database):
    pid = value(shared_kernel, "select pg_backend_pid()")
    msg = shared_kernel.send("%%sql\nselect i, repeat('x', 100) from generate_series(1, 1000000000) i")
    wait_until(lambda: running(database, "repeat('x', 100)"))
    shared_kernel.interrupt()
    reply = shared_kernel.collect(msg)
    assert reply.error["ename"] == "QueryInterrupted"
    assert value(shared_kernel, "select pg_backend_pid()") == pid


ROWS = "select array[i, i + 1, i + 2], jsonb_build_object('a', i) from generate_series(1, 250000) i"


def test_interrupt_during_the_conversion_loses_nothing(shared_kernel, database):
    pid = value(shared_kernel, "select pg_backend_pid()")
    msg = shared_kernel.send(f"%%sql big <<\n{ROWS}")
    # the server has answered, the cell has not: what is left to do is ours
    wait_until(
        lambda: ask(
            database,
            "select count(*) from pg_stat_activity where state = 'idle' and query like %s and pid = %s",
            "%jsonb_build_object%",
            int(pid),
        ),
        timeout=30,
    )
    shared_kernel.interrupt()
    reply = shared_kernel.collect(msg)
    if any("what was to run after this cell does not" in shown for shown in reply.displayed):
        assert shared_kernel.run("print(len(big))").stdout.strip() == "250000"
    else:
        assert reply.error["ename"] in {"QueryInterrupted", "KeyboardInterrupt"}
    assert value(shared_kernel, "select pg_backend_pid()") == pid


HAIL = """
import os, signal, threading
ends = []
for i in range(60):
    timer = threading.Timer(i * 0.0003, os.kill, (os.getpid(), signal.SIGINT))
    try:
        timer.start()
        try:
            row = get_ipython().run_line_magic('sql', f'select {i}, count(*) from generate_series(1, 30000)').iloc[0]
            ends.append('right' if list(row) == [i, 30000] else 'wrong')
        finally:
            timer.join()
    except KeyboardInterrupt:
        ends.append('interrupted')
print(sorted(set(ends)))
"""


# ticks are never less than 50 ms apart: six of them are longer than the patience, however slow the machine
SLOW = """
import threading
from tusk_jupyter.queries import execution, rows
execution.GIVE_UP_S = 0.2
gate, finish, wait = threading.Event(), rows.RowSink.finish, execution.Execution.wait
def held(self, options):
    print('converting', flush=True)
    gate.wait()
    return finish(self, options)
def watched(self, on_tick=None, *, deadline=None):
    since_the_cancel = 0
    def tick():
        nonlocal since_the_cancel
        since_the_cancel += self.is_cancelled
        if since_the_cancel == 6:
            at_the_end_of_patience()
        if on_tick is not None:
            on_tick()
    return wait(self, tick, deadline=deadline)
rows.RowSink.finish, execution.Execution.wait = held, watched
def say_so():
    print('out of patience', flush=True)
"""


@pytest.fixture
def slow_conversion(kernel):
    """A kernel whose conversions last until ``gate.set()``, and whose patience with servers is short."""
    kernel.run("%sql select 1")
    kernel.run(SLOW)
    return kernel


def wait_for(kernel, words):
    """Wait until the running cell has printed ``words``."""
    while (message := kernel.client.get_iopub_msg(timeout=20))["msg_type"] != "stream" or words not in message["content"]["text"]:
        pass


def test_a_long_conversion_is_no_silent_server(slow_conversion):
    kernel = slow_conversion
    pid = value_when_open(kernel)
    msg = kernel.send("gate.clear()\nat_the_end_of_patience = gate.set\n%sql select 41")
    wait_for(kernel, "converting")
    kernel.interrupt()
    reply = kernel.collect(msg)
    assert "41" in reply.value
    assert value_when_open(kernel) == pid


def test_a_second_interrupt_leaves_a_long_conversion_and_keeps_the_session(slow_conversion):
    kernel = slow_conversion
    pid = value_when_open(kernel)
    msg = kernel.send("gate.clear()\nat_the_end_of_patience = say_so\n%sql select 41")
    wait_for(kernel, "converting")
    kernel.interrupt()
    wait_for(kernel, "out of patience")
    kernel.interrupt()
    # the gate is still shut
    reply = kernel.collect(msg)
    assert reply.error["ename"] == "QueryInterrupted"
    assert "converted" in reply.displayed[-1]
    assert value_when_open(kernel) == pid


def value_when_open(kernel):
    return kernel.run("gate.set()\none = %sql select pg_backend_pid()\nprint('pid', one.iat[0, 0])").stdout.split()[-1]


def test_interrupts_at_any_moment_harm_no_session_and_no_result(shared_kernel):
    pid = value(shared_kernel, "select pg_backend_pid()")
    ends = shared_kernel.run(HAIL).stdout.strip()
    assert "wrong" not in ends
    assert "interrupted" in ends
    assert value(shared_kernel, "select pg_backend_pid()") == pid


def test_interrupt_of_a_script_stops_it_and_says_how_far_it_came(shared_kernel, database):
    msg = shared_kernel.send(
        "%%sql --on-error continue\ncreate table t (a int); insert into t values (1);\n"
        "select pg_sleep(60); insert into t values (2)"
    )
    wait_until(lambda: running(database, "pg_sleep(60)"))
    shared_kernel.interrupt()
    reply = shared_kernel.collect(msg)
    assert "2 done, 1 failed, 1 " in reply.displayed[-1]
    assert ask(database, "select count(*) from t") == 1


def test_interrupt_while_waiting_for_a_lock(shared_kernel, database):
    shared_kernel.run("%sql create table t (a int)")
    pid = value(shared_kernel, "select pg_backend_pid()")
    with psycopg.connect(database) as blocker:
        blocker.execute("lock table t")
        msg = shared_kernel.send("%sql insert into t values (1)")
        wait_until(lambda: ask(database, "select count(*) from pg_locks where not granted"))
        shared_kernel.interrupt()
        reply = shared_kernel.collect(msg)
        assert reply.error["ename"] == "QueryInterrupted"
        assert "given up" not in reply.displayed[-1]
        assert value(shared_kernel, "select pg_backend_pid()") == pid


def test_a_function_that_swallows_the_cancel_counts_as_completed(shared_kernel, database):
    shared_kernel.run(
        "%%sql\ncreate function stubborn() returns text language plpgsql as $$\n"
        "begin perform pg_sleep(60); return 'slept'; exception when query_canceled then return 'went on'; end $$"
    )
    msg = shared_kernel.send("%sql select stubborn()")
    wait_until(lambda: running(database, "stubborn"))
    shared_kernel.interrupt()
    reply = shared_kernel.collect(msg)
    assert "went on" in reply.value
    assert "it had finished before the cancel request arrived" in "\n".join(reply.displayed)
    assert "what was to run after this cell does not" in reply.displayed[-1]


def test_interrupt_leaves_a_connect_that_nobody_answers(shared_kernel, proxy, database):
    proxy.freeze()
    far = f"{proxy.conninfo(dbname(database))} --name far --connect-timeout 120s"
    msg = shared_kernel.send(f"%tusk_connect {far}")
    assert proxy.accepted.wait(20)
    shared_kernel.interrupt()
    # not the reply alone: a kernel aborts what reaches it between the reply of a failed cell and its being idle
    reply = shared_kernel.collect(msg)
    assert reply.error["ename"] == "QueryInterrupted"
    assert "was interrupted" in reply.displayed[-1]
    assert "far" not in shared_kernel.run("%tusk connections").value
    assert value(shared_kernel, "select 41") == "41"


# -- a server that does not answer ------------------------------------------------------------------------------------


def far(kernel, proxy, database):
    kernel.run(f"%tusk_connect {proxy.conninfo(dbname(database))} --name far")
    return value(kernel, "select pg_backend_pid()")


def given_up(reply):
    assert reply.error["ename"] == "QueryInterrupted"
    (panel,) = reply.displayed
    assert "given up after" in panel
    assert "temp tables" in panel
    assert "new session" in panel
    return True


PATIENT = """
from tusk_jupyter.queries import execution
kept = execution.GIVE_UP_S, execution.Execution.cancel
def cancel(self, reason='cancel'):
    print('asked to stop', flush=True)
    return kept[1](self, reason)
execution.GIVE_UP_S, execution.Execution.cancel = 600, cancel
"""


@pytest.fixture
def patient_kernel(shared_kernel):
    """The module's kernel: it says when it has taken an interrupt, and silence alone makes it give up nothing."""
    shared_kernel.run(PATIENT)
    yield shared_kernel
    shared_kernel.run("execution.GIVE_UP_S, execution.Execution.cancel = kept")


def test_second_interrupt_gives_up_a_deaf_session(patient_kernel, proxy, database):
    pid = far(patient_kernel, proxy, database)
    msg = patient_kernel.send("%sql select pg_sleep(61)")
    wait_until(lambda: running(database, "pg_sleep(61)"))
    proxy.freeze()
    patient_kernel.interrupt()
    wait_for(patient_kernel, "asked to stop")
    patient_kernel.interrupt()
    assert given_up(patient_kernel.collect(msg))
    proxy.thaw()
    assert value(patient_kernel, "select pg_backend_pid()") != pid


def test_five_seconds_of_silence_give_up_a_deaf_session(shared_kernel, proxy, database):
    pid = far(shared_kernel, proxy, database)
    shared_kernel.run("%%sql\nbegin; create table t (a int)")
    msg = shared_kernel.send("%sql select pg_sleep(62)")
    wait_until(lambda: running(database, "pg_sleep(62)"))
    proxy.freeze()
    shared_kernel.interrupt()
    reply = shared_kernel.collect(msg)
    assert given_up(reply)
    assert float(re.search(r"given up after ([\d.]+) s", reply.displayed[0])[1]) >= 5
    assert "open transaction (1 statement)" in reply.displayed[0]
    proxy.thaw()
    assert value(shared_kernel, "select pg_backend_pid()") != pid


# -- death ------------------------------------------------------------------------------------------------------------


def test_a_killed_backend_is_said_and_the_next_cell_goes_on(shared_kernel, database):
    pid = int(value(shared_kernel, "select pg_backend_pid()"))
    shared_kernel.run("%%sql\ncreate temp table mine (a int); begin; insert into mine values (1)")
    msg = shared_kernel.send("%sql select pg_sleep(63)")
    wait_until(lambda: running(database, "pg_sleep(63)"))
    terminate(database, pid)
    reply = shared_kernel.collect(msg)
    assert reply.error["ename"] == "ConnectionLost"
    (panel,) = reply.displayed
    assert "57P01" in panel
    assert "open transaction (1 statement)" in panel
    assert "temp tables" in panel
    after = shared_kernel.run("%sql select pg_backend_pid() as p, to_regclass('mine') as m")
    assert "transaction" not in after.displayed[-1]
    assert str(pid) not in after.value


# -- company ----------------------------------------------------------------------------------------------------------

THREAD = """
import threading
import tusk_jupyter as tusk
ended = {{}}
def work(name, sql):
    try:
        ended[name] = tusk.sql(sql, name).iat[0, 0]
    except BaseException as error:
        ended[name] = type(error).__name__
threads = [threading.Thread(target=work, args=a) for a in {work!r}]
for t in threads: t.start()
"""


GATE = "pg_advisory_lock(1)"


@pytest.fixture
def gate(database):
    """A session that has the lock that ``pg_advisory_lock(1)`` waits for; ``open_gate(gate)`` gives it up."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute(f"select {GATE}")
        yield conn


def open_gate(gate):
    assert gate.execute("select pg_advisory_unlock(1)").fetchone() == (True,)


def two(kernel, database):
    kernel.run(f"%tusk_connect {database} --name other")
    kernel.run("%tusk use db")


def test_a_connection_goes_on_while_another_ones_backend_is_killed(shared_kernel, database):
    two(shared_kernel, database)
    other = int(value(shared_kernel, "other select pg_backend_pid()"))
    mine = value(shared_kernel, "select pg_backend_pid()")
    shared_kernel.run(THREAD.format(work=[("other", "select pg_sleep(64)")]))
    wait_until(lambda: running(database, "pg_sleep(64)"))
    assert value(shared_kernel, "select 41") == "41"
    terminate(database, other)
    assert shared_kernel.run("threads[0].join(10); print(ended)").stdout.strip() == "{'other': 'ConnectionLost'}"
    assert value(shared_kernel, "select pg_backend_pid()") == mine
    assert value(shared_kernel, "other select 42") == "42"


def test_an_interrupt_hits_the_cell_and_not_the_other_connection(shared_kernel, database, gate):
    two(shared_kernel, database)
    shared_kernel.run(THREAD.format(work=[("other", f"select 'survived' from {GATE}")]))
    msg = shared_kernel.send("%sql select pg_sleep(65)")
    wait_until(lambda: running(database, "pg_sleep(65)") and running(database, "survived"))
    shared_kernel.interrupt()
    assert shared_kernel.collect(msg).error["ename"] == "QueryInterrupted"
    open_gate(gate)
    assert shared_kernel.run("threads[0].join(10); print(ended)").stdout.strip() == "{'other': 'survived'}"


def test_a_cancel_by_command_hits_one(shared_kernel, database, gate):
    two(shared_kernel, database)
    shared_kernel.run(THREAD.format(work=[("other", "select pg_sleep(66)"), ("db", f"select 'kept' from {GATE}")]))
    wait_until(lambda: running(database, "pg_sleep(66)") and running(database, "kept"))
    shared_kernel.run("q = %tusk queries\nvictim = q.loc[q.connection == 'other', 'id'].item()")
    shared_kernel.run("get_ipython().run_line_magic('tusk', f'cancel {victim}')\nthreads[0].join(10)")
    open_gate(gate)
    assert shared_kernel.run("for t in threads: t.join(10)\nprint(ended['other'], ended['db'])").stdout.split() == [
        "QueryCancelled",
        "kept",
    ]


# -- while it runs ----------------------------------------------------------------------------------------------------


def test_notices_come_while_the_statement_runs(shared_kernel, database, gate):
    seen = []

    def look(reply):
        if not seen and any("early" in text for text in reply.displayed) and running(database, "late"):
            seen.append(True)
            open_gate(gate)

    reply = shared_kernel.run(
        f"%%sql\ndo $$ begin raise notice 'early'; perform {GATE}; raise notice 'late'; end $$",
        while_running=look,
    )
    assert seen
    text = "\n".join(reply.displayed)
    assert (text.count("NOTICE:  early"), text.count("NOTICE:  late")) == (1, 1)


NOISY = """%%sql
do $$ begin
  raise info 'first';
  for i in 1..10000 loop raise notice 'n%', i; end loop;
  perform {gate};
  raise warning 'last';
end $$"""


def test_of_a_loop_of_notices_the_first_come_live_then_a_count_then_the_last(shared_kernel, database, gate):
    seen = []

    def look(reply):
        text = "\n".join(reply.displayed)
        if not seen and "9,951 more notices so far" in text and running(database, "raise warning"):
            seen.append(text)
            open_gate(gate)

    reply = shared_kernel.run(NOISY.format(gate=GATE), while_running=look)
    (live,) = seen
    lines = live.split("\n")
    assert [line for line in lines if line.startswith(("INFO", "NOTICE"))] == [
        "INFO:  first", *(f"NOTICE:  n{i}" for i in range(1, 50)),
    ]  # fmt: skip
    assert "last" not in live
    ended = "\n".join(reply.displayed).split("\n")
    at = ended.index("INFO:  first")
    assert ended[at + 49 : at + 53] == ["NOTICE:  n49", "NOTE:  9,902 notices are not shown", "NOTICE:  n9952", "NOTICE:  n9953"]
    assert ended[at + 100] == "WARNING:  last"
    assert len(ended) == at + 102
    assert len(reply.html) < 100_000


def test_notices_of_a_script_stay_with_their_statements(shared_kernel, database, gate):
    say = "do $$ begin raise notice '{0}'; perform {1}; raise notice '{0} again'; end $$"
    code = f"%%sql\n{say.format('one', GATE)}; select 1 as a; {say.format('two', 'pg_sleep(0)')}; select 2 as b"
    seen = []

    def look(reply):
        if not seen and any("NOTICE:  one" in text for text in reply.displayed) and running(database, "one again"):
            seen.append(True)
            open_gate(gate)

    reply = shared_kernel.run(code, while_running=look)
    assert seen
    lines = "\n".join(reply.displayed).split("\n")
    said = [line for line in lines if line.startswith(("NOTICE", "DO", "SELECT", "   a"))]
    assert [line.partition(" ·")[0] for line in said] == [
        "NOTICE:  one", "NOTICE:  one again", "DO", "   a", "SELECT 1", "DO", "NOTICE:  two", "NOTICE:  two again", "SELECT 1",
    ]  # fmt: skip


def test_a_failed_cell_stops_what_is_queued_behind_it(shared_kernel, database, gate):
    first = shared_kernel.send(f"%sql do $$ begin perform {GATE}; raise exception 'no'; end $$")
    second = shared_kernel.send("%sql create table never ()")
    shared_kernel.await_arrival()
    open_gate(gate)
    assert shared_kernel.collect(first).error["ename"] == "QueryFailed"
    assert shared_kernel.collect(second).status == "aborted"
    assert ask(database, "select to_regclass('never')") is None


def test_outputs_are_static_and_saved_without_widgets(shared_kernel):
    reply = shared_kernel.run("%%sql\nselect 1 as a; select 2 as b")
    kinds = {kind for o in reply.outputs for kind in o.get("data", {})}
    assert kinds <= {"text/plain", "text/html"}
    assert "<script" not in reply.html


def test_the_value_and_its_status_line_stand_in_their_order(shared_kernel):
    reply = shared_kernel.run("%%sql\nselect 'first' as a; select 'second' as b")
    assert [o["output_type"] for o in reply.outputs] == [
        "display_data",
        "display_data",
        "execute_result",
        "display_data",
    ]
    assert shared_kernel.run("print(_.iat[0, 0])").stdout.strip() == "second"
