"""``%tusk watch`` in a real kernel: one output in place, stopped between runs and within one."""

from __future__ import annotations

import pytest

from tests.waiting import ask, running, wait_until


def views(kernel, code, *, stop_at, act):
    """Run ``code``; when a text of it holds ``stop_at``, ``act()`` once; return the reply and every state of the output."""
    states, acted = [], []

    def look(reply):
        text = "\n".join(reply.displayed)
        if text and text not in states:
            states.append(text)
        if not acted and stop_at in text:
            acted.append(True)
            act()

    return kernel.run(code, while_running=look, ok=None), states


def test_an_interrupt_between_runs_ends_it_and_what_is_queued(shared_kernel, database):
    pid = shared_kernel.run("%sql select pg_backend_pid() as pid").value
    shared_kernel.run("%sql create sequence s")
    behind = []

    def act():
        behind.append(shared_kernel.send("ran = True"))
        shared_kernel.await_arrival()
        shared_kernel.interrupt()

    reply, states = views(
        shared_kernel, "df = %tusk watch 0.2 select nextval('s') as n", stop_at="── run 3 · ", act=act
    )
    assert reply.error is None
    assert (reply.status, reply.content["ename"]) == ("error", "QueryInterrupted")
    assert shared_kernel.collect(behind[0]).status == "aborted"
    # in one place, and what is left is one line
    assert len(reply.displayed) == 1
    assert [text.split(" · ")[0] for text in states[:3]] == ["── run 1", "── run 2", "── run 3"]
    assert "stopped" in reply.displayed[0]
    assert "3 runs every 0.2 s" in reply.displayed[0]
    assert shared_kernel.run("print(df.values.tolist())").stdout == "[[3]]\n"
    assert shared_kernel.run("%sql select pg_backend_pid() as pid").value == pid


def test_a_long_wait_is_left_at_once(shared_kernel, database):
    reply, _ = views(
        shared_kernel, "%tusk watch 1h select 7 as n", stop_at="── run 1 · ", act=shared_kernel.interrupt
    )
    assert reply.error is None
    assert reply.value.split() == ["n", "0", "7"]
    assert "1 run every 3600 s · stopped" in reply.displayed[-1]


def test_an_interrupt_within_a_run_gives_the_last_whole_one(shared_kernel, database):
    shared_kernel.run("%sql create sequence s")
    msg = shared_kernel.send(
        "df = %tusk watch 0.1 select nextval('s') as n, pg_sleep(case when currval('s') = 2 then 60 else 0 end)"
    )
    wait_until(lambda: running(database, "currval") and ask(database, "select last_value = 2 from s"))
    shared_kernel.interrupt()
    reply = shared_kernel.collect(msg)
    assert reply.error is None
    assert shared_kernel.run("print(df.n.tolist())").stdout == "[1]\n"
    assert not running(database, "currval")


def test_an_interrupt_of_the_first_run_is_an_error_as_any(shared_kernel, database):
    msg = shared_kernel.send("%tusk watch 1 select pg_sleep(60)")
    wait_until(lambda: running(database, "pg_sleep(60)"))
    shared_kernel.interrupt()
    reply = shared_kernel.collect(msg)
    assert reply.error["ename"] == "QueryInterrupted"
    assert "interrupted after" in reply.displayed[-1]


@pytest.mark.parametrize("bound", [True, False])
def test_where_nobody_can_stop_it_it_has_to_end_by_itself(shared_kernel, bound):
    code = f"%tusk watch 0.1 {'--count 2' if bound else ''} select 1 as a"
    reply = shared_kernel.run(code, ok=bound, allow_stdin=False)
    if bound:
        assert "2 runs" in reply.displayed[-1]
    else:
        assert "nobody can stop it here" in reply.error["evalue"]
        assert "--until EXPR" in reply.displayed[-1]


def test_two_kernels_watch_at_once(kernels, kernel, database):
    other = kernels()
    other.run(f"%tusk_connect {database} --name db")
    kernel.run("%sql create sequence s")
    messages = [
        (one, one.send("df = %tusk watch 0.1 --until 'n >= 6' select nextval('s') as n")) for one in (kernel, other)
    ]
    for one, message in messages:
        assert one.collect(message).status == "ok"
    last = {int(one.run("print(df.n.item())").stdout) for one, _ in messages}
    assert len(last) == 2
    assert min(last) >= 6
