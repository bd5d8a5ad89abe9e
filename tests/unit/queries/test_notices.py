from __future__ import annotations

from types import SimpleNamespace

from tusk_jupyter.queries.notices import NoticeLog


def notice(number):
    return SimpleNamespace(severity="NOTICE", message_primary=str(number), message_detail="d", context="c")


def test_first_and_last_are_kept_in_order_and_the_rest_counted():
    log = NoticeLog()
    for number in range(10_000):
        log.add(notice(number))
    records = log.records()
    assert [r.message_primary for r in records[:50]] == [str(n) for n in range(50)]
    assert [r.message_primary for r in records[-50:]] == [str(n) for n in range(9_950, 10_000)]
    assert records[50].message_primary == "9,900 notices are not shown"
    assert (len(records), log.count, log.left_out) == (101, 10_000, 9_900)


def test_few_are_kept_whole():
    log = NoticeLog()
    for number in range(100):
        log.add(notice(number))
    assert [r.message_primary for r in log.records()] == [str(n) for n in range(100)]
    assert log.records()[0].context == "c"
    assert log.left_out == 0


def test_while_it_runs_the_first_are_there_and_a_count():
    log = NoticeLog()
    for number in range(50):
        log.add(notice(number))
    assert [r.message_primary for r in log.so_far()] == [str(n) for n in range(50)]
    for number in range(50, 1_300):
        log.add(notice(number))
    assert len(log.so_far()) == 51
    assert log.so_far()[-1].message_primary == "1,250 more notices so far"
