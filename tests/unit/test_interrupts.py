"""Work on a worker that an interrupt leaves."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import Future

import pytest

from tests.waiting import wait_until
from tusk_jupyter import interrupts


def test_what_arrives_after_an_interrupt_at_the_start_is_disposed_of(monkeypatch):
    go_on, late, spawn = threading.Event(), [], interrupts.spawn

    def interrupted(name, function):
        future = spawn(name, function)
        signal.raise_signal(signal.SIGINT)
        return future

    monkeypatch.setattr(interrupts, "spawn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        interrupts.call("test", lambda: go_on.wait(10) and "opened", timeout=30, late=late.append)
    go_on.set()
    wait_until(lambda: late == ["opened"])


def test_what_arrives_after_the_time_is_over_is_disposed_of():
    go_on, late = threading.Event(), []
    with pytest.raises(TimeoutError, match="took longer than 0"):
        interrupts.call("test", lambda: go_on.wait(10) and "opened", timeout=0, late=late.append)
    go_on.set()
    wait_until(lambda: late == ["opened"])


def test_what_is_in_time_is_returned():
    assert interrupts.call("test", lambda: "opened", timeout=30, late=[].append) == "opened"


def test_an_interrupt_while_something_begins_is_counted():
    counts = []

    def start():
        signal.raise_signal(signal.SIGINT)
        return Future()

    def interrupted(count):
        counts.append(count)
        return True

    is_done = interrupts.begin(start, on_interrupt=interrupted, on_tick=lambda: False)
    assert (is_done, counts) == (False, [1])


def test_the_handler_that_was_there_is_there_again():
    before = signal.getsignal(signal.SIGINT)
    future = Future()
    future.set_result(None)
    assert interrupts.wait(future, on_interrupt=lambda _: True, on_tick=lambda: False)
    assert signal.getsignal(signal.SIGINT) is before


def test_an_interrupt_when_all_is_over_is_counted_too():
    counts = []

    def start():
        future = Future()
        future.set_result("there")
        signal.raise_signal(signal.SIGINT)
        return future

    assert interrupts.begin(start, on_interrupt=counts.append, on_tick=lambda: False)
    assert counts == [1]


def test_a_future_that_is_waited_for_again_and_again_keeps_nothing_of_it():
    future = Future()
    for _ in range(3):
        assert not interrupts.wait(future, on_interrupt=lambda _count: True, on_tick=lambda: True)
    assert future._done_callbacks == []
