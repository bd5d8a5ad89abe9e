from __future__ import annotations

import logging
import threading

import pytest

from tusk_jupyter.events import ConnectionEvent, Events, QueryEvent


@pytest.fixture
def events():
    events = Events()
    yield events
    events.close()


def test_events_arrive_in_order_on_one_thread_until_unsubscribed(events):
    seen, threads, all_there = [], set(), threading.Event()

    def callback(event):
        seen.append(event.query_id)
        threads.add(threading.current_thread().name)
        if event.query_id == "99":
            all_there.set()

    unsubscribe = events.subscribe(callback)
    for i in range(100):
        events.emit(QueryEvent("progress", "c", str(i)))
    assert all_there.wait(5)
    assert seen == [str(i) for i in range(100)]
    assert threads == {"tusk-events"}
    unsubscribe()
    events.emit(QueryEvent("progress", "c", "100"))
    events.close()
    assert len(seen) == 100


def test_a_callback_that_raises_is_logged_and_harms_nobody(events, caplog):
    seen = []

    def broken(event):
        raise RuntimeError("mine")

    events.subscribe(broken)
    events.subscribe(seen.append)
    event = ConnectionEvent("connected", "id", "shop")
    logger = logging.getLogger("tusk_jupyter")
    logger.addHandler(caplog.handler)
    events.emit(event)
    events.emit(event)
    events.close()
    logger.removeHandler(caplog.handler)
    assert seen == [event, event]
    assert "mine" in caplog.text


def test_events_are_frozen():
    with pytest.raises(AttributeError):
        QueryEvent("started", "c", "q").status = "failed"


def test_without_subscribers_nothing_is_kept_and_no_thread_runs(events):
    events.emit(QueryEvent("started", "c", "q"))
    assert events._queue.empty()
    assert "tusk-events" not in {t.name for t in threading.enumerate()}
