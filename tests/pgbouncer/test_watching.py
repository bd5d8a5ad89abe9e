"""What is seen of a statement through a pooler: all of it where its sessions are ours, else what this side counts."""

from __future__ import annotations

import threading

import psycopg
import pytest

import tusk_jupyter
from tests.waiting import wait_until
from tusk_jupyter import running
from tusk_jupyter.errors import QueryCancelled


@pytest.mark.parametrize("mode", ["session", "transaction"])
def test_a_lock_is_seen_where_the_backend_is_known(tusk, bouncers, database, monkeypatch, mode):
    monkeypatch.setattr(running, "WATCHED_FROM_MS", 0)
    tusk_jupyter.connect(bouncers(mode).conninfo(database), name="db")
    with psycopg.connect(database) as other:
        other.execute("create table orders()")
        other.commit()
        other.execute("lock table orders")
        failed = []

        def work():
            try:
                tusk_jupyter.sql("select from orders")
            except QueryCancelled as error:
                failed.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        [active] = wait_until(tusk.queries.active)
        execution = tusk.queries.get(active.id)
        if mode == "session":
            wait = wait_until(lambda: execution.seen.wait)
            assert [holder.pid for holder in wait.holders] == [other.info.backend_pid]
        else:
            wait_until(lambda: execution.elapsed_ms > 500)
            assert execution.seen.wait is None
            assert tusk.connections.get("db").pool.status().size == 1
        tusk.queries.cancel_all()
        thread.join(20)
    assert failed
