"""``%tusk listen`` in a real kernel: what comes is shown as it comes, and stopping it is how one ends it."""

from __future__ import annotations

import psycopg

from tests.waiting import ask, wait_until


def listening(database):
    """Whether the kernel's session waits: it is idle, and has asked what it listens to, which is the last it does."""
    return ask(
        database,
        "select count(*) from pg_stat_activity where state = 'idle' and application_name = 'Tusk' and query like %s",
        "%pg_listening_channels%",
    )


def test_an_interrupt_ends_it_with_what_came_and_stops_what_is_queued(shared_kernel, database):
    pid = shared_kernel.run("%sql select pg_backend_pid() as pid").value
    first = shared_kernel.send("df = %tusk listen jobs --timeout 1h")
    wait_until(lambda: listening(database))
    second = shared_kernel.send("ran = True")
    shared_kernel.await_arrival()
    stopped = []

    def look(reply):
        if not stopped and "NOTIFY jobs:  one" in "\n".join(reply.displayed):
            stopped.append(True)
            shared_kernel.interrupt()

    ask(database, "select pg_notify('jobs', 'one')")
    reply = shared_kernel.collect(first, while_running=look)
    assert reply.error is None
    assert "1 on jobs · stopped" in "\n".join(reply.displayed)
    assert (reply.status, reply.content["ename"]) == ("error", "QueryInterrupted")
    assert shared_kernel.collect(second).status == "aborted"
    assert shared_kernel.run("print(df.payload.tolist())").stdout == "['one']\n"
    assert shared_kernel.run("%sql select pg_backend_pid() as pid").value == pid


def test_what_comes_is_shown_while_it_waits(shared_kernel, database):
    seen = []

    def look(reply):
        text = "\n".join(reply.displayed)
        for number in range(1, 4):
            if f"n{number}" in text and number not in seen:
                seen.append(number)
                if number < 3:
                    notify(f"n{number + 1}")

    def notify(payload):
        with psycopg.connect(database, autocommit=True) as conn:
            conn.execute("select pg_notify('jobs', %s)", (payload,))

    msg = shared_kernel.send("df = %tusk listen jobs --count 3")
    wait_until(lambda: listening(database))
    notify("n1")
    reply = shared_kernel.collect(msg, while_running=look)
    assert seen[:2] == [1, 2]
    assert reply.status == "ok"
    assert "3 on jobs" in "\n".join(reply.displayed)
    assert shared_kernel.run("print(df.payload.tolist())").stdout == "['n1', 'n2', 'n3']\n"


def test_where_nobody_can_stop_it_it_has_to_have_an_end(shared_kernel):
    reply = shared_kernel.run("%tusk listen jobs", ok=False, allow_stdin=False)
    assert "nobody can stop it here" in reply.error["evalue"]
    assert "--timeout 30s" in reply.displayed[-1]
    assert "0 on jobs" in shared_kernel.run("%tusk listen jobs --timeout 100ms", allow_stdin=False).displayed[-1]


def test_two_kernels_hear_the_same(kernels, kernel, database):
    other = kernels()
    other.run(f"%tusk_connect {database} --name db")
    for one in (kernel, other):
        one.run("%sql listen jobs")
    kernel.run("%sql notify jobs, 'both'")
    assert "NOTIFY jobs:  both" in "\n".join(other.run("%sql select 1").displayed)
