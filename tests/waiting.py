"""Waiting for what must come true, doing things at one moment, and looking at a server from outside meanwhile."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg


def wait_until(condition, *, timeout=10.0, otherwise="the condition did not come true in time"):
    """Return the first true value of ``condition()``; fail, saying ``otherwise``, when there is none in time."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.005)
    return found


def at_one_moment(*calls):
    """Call each in a thread of its own, all beginning together; return what each returned, or raise what one raised."""
    start = threading.Barrier(len(calls))

    def begin(call):
        start.wait(20)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(begin, calls, timeout=50))


@contextmanager
def meanwhile(*steps):
    """Do the steps one after the other on a thread, while a cell runs."""
    failed = []

    def work():
        try:
            for step in steps:
                step()
        except BaseException as error:  # noqa: BLE001 - raised below, where the test is
            failed.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
    if failed:
        raise failed[0]


def ask(conninfo, statement, *values):
    """Return the first column of the first row, read on a session of its own."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        row = conn.execute(statement, values).fetchone()
    return row[0] if row else None


def running(conninfo, fragment):
    """Return the pid of another session that is running a statement with ``fragment`` in it."""
    return ask(
        conninfo,
        "select pid from pg_stat_activity where state = 'active' and query like %s and pid <> pg_backend_pid()",
        f"%{fragment}%",
    )


def backends(conninfo):
    """Return the pids of the other sessions in this database that are a kernel's."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        rows = conn.execute(
            "select pid from pg_stat_activity where datname = current_database() and application_name = 'Tusk'"
        ).fetchall()
    return {pid for (pid,) in rows}


def terminate(conninfo, pid):
    """End a backend and wait until it is gone."""
    ask(conninfo, "select pg_terminate_backend(%s, 5000)", pid)
    wait_until(lambda: not ask(conninfo, "select count(*) from pg_stat_activity where pid = %s", pid))
