from __future__ import annotations

from datetime import UTC, datetime

from tests.unit.widgets.seen import words
from tusk_jupyter.notifications import KEEP, Heard, Inbox, Notification, silence
from tusk_jupyter.widgets import heard

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def notification(number):
    return Notification("jobs", str(number), 7, NOW)


def test_the_first_and_the_last_are_kept_and_the_rest_counted():
    inbox = Inbox()
    for number in range(10_000):
        inbox.add(notification(number))
    taken = inbox.take()
    assert [one.payload for one in taken.kept[:KEEP]] == [str(n) for n in range(KEEP)]
    assert [one.payload for one in taken.kept[KEEP:]] == [str(n) for n in range(10_000 - KEEP, 10_000)]
    assert taken.left_out == 10_000 - 2 * KEEP
    assert inbox.take() == Heard()
    inbox.add(notification(1))
    assert inbox.take() == Heard((notification(1),))


def test_as_many_as_fit_are_all_kept():
    inbox = Inbox()
    for number in range(2 * KEEP):
        inbox.add(notification(number))
    assert [one.payload for one in inbox.take().kept] == [str(n) for n in range(2 * KEEP)]


def test_what_a_lost_session_listened_to_is_named_and_bounded():
    assert silence(set()) == ""
    assert silence({"b", "a"}) == " It no longer listens to a, b: LISTEN again."
    assert silence({str(n) for n in range(1000)}).endswith("0, 1, 10, 100, 101 …: LISTEN again.")


def test_both_forms_say_the_same():
    said = Heard((Notification("jobs", "done", 7, NOW), Notification("jobs", "mine", 8, NOW, own=True)), 0)
    assert list(heard.text_lines(said)) == ["NOTIFY jobs:  done  (pid 7)", "NOTIFY jobs:  mine  (pid 8, this session)"]
    assert words("".join(heard.html_lines(said))) == "NOTIFY jobs done (pid 7)NOTIFY jobs mine (pid 8, this session)"


def test_while_they_arrive_the_output_is_bounded():
    arrivals = heard.Arrivals.of([notification(number) for number in range(5_000)])
    lines = arrivals.text().split("\n")
    assert len(lines) == 101
    assert lines[50] == "… 4,900 more notifications"
    assert lines[100] == "NOTIFY jobs:  4999  (pid 7)"
    assert heard.Arrivals.of([notification(1)]).text() == "NOTIFY jobs:  1  (pid 7)"
