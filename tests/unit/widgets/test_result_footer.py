from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.widgets.seen import first, tree, words
from tusk_jupyter.widgets.notices import NoticeLine
from tusk_jupyter.widgets.result_footer import ConnectReport, Footer, Lines, StatusLine, TransactionNote

FOOTER = Footer("SELECT 3", 41.2, "flights@embedded")
OPEN = TransactionNote("open", 2, datetime(2026, 11, 21, 14, 2), 48)  # noqa: DTZ001 the kernel's own clock is meant
HOSTILE = "<script>alert(1)</script> & \x1b[31m \u202e"


def test_the_line():
    assert FOOTER.text() == "SELECT 3 · 41 ms · flights@embedded"
    assert words(FOOTER.html()) == FOOTER.text()
    assert first(FOOTER.html(), "b") == "SELECT 3"


def test_what_was_left_out_stands_in_the_line_and_notes_below_it():
    footer = Footer("SELECT 500", 210, "shop", parts=("more rows exist (--limit 500)",), notes=("a: rounded",))
    assert footer.text() == "SELECT 500 · more rows exist (--limit 500) · 210 ms · shop\nnote: a: rounded"
    assert "a: rounded" in words(footer.html())


def test_without_a_command_tag_the_line_begins_with_the_time():
    assert Footer(None, 3, "shop").text() == "3 ms · shop"


def test_an_open_transaction_has_its_age():
    footer = Footer("UPDATE 12", 3, "shop", transaction=OPEN)
    assert footer.text() == "UPDATE 12 · 3 ms · shop · transaction open · 2 statements · 14:02 (48 s)"
    assert words(footer.html()) == footer.text()


def test_a_failed_transaction_says_what_ends_it_in_another_colour():
    failed = Footer("SELECT 1", 3, "shop", transaction=replace(OPEN, state="failed", statements=1))
    assert failed.text().endswith("transaction failed · 1 statement · 14:02 (48 s) · ROLLBACK ends it")
    assert "--jp-error-color1" in failed.html()
    assert "--jp-error-color1" not in Footer("SELECT 1", 3, "shop", transaction=OPEN).html()


def test_a_failed_transaction_with_a_savepoint_has_two_ways_out():
    failed = replace(OPEN, state="failed", savepoint='"a\x1b"')
    assert str(failed).endswith('ROLLBACK ends it, ROLLBACK TO "a\\x1b" goes on from there')


@pytest.mark.parametrize(("seconds", "said"), [(9, ""), (31, " · idle 31 s"), (90, " · idle 1 min 30 s")])
def test_idle_time_is_said_where_it_is_worth_a_word(seconds, said):
    assert str(replace(OPEN, idle_s=seconds)) == f"transaction open · 2 statements · 14:02 (48 s){said}"


def test_an_alarm_is_red_and_comes_before_all_notes():
    footer = replace(FOOTER, alarm="nothing was saved: <b>", notes=("a note",))
    assert footer.text().split("\n")[1:] == ["WARNING:  nothing was saved: <b>", "note: a note"]
    html = footer.html()
    assert "nothing was saved: &lt;b&gt;" in html
    assert html.index("--jp-error-color1") < html.index("nothing was saved") < html.index("a note")


def test_a_transaction_older_than_a_day_has_its_date():
    assert str(replace(OPEN, age_s=90_000)) == "transaction open · 2 statements · 2026-11-21 14:02 (1 d 01 h)"


def test_notices_have_their_severity():
    notices = (NoticeLine("NOTICE", "first\nsecond", hint="a hint"), NoticeLine("WARNUNG", "dritte"))
    footer = replace(FOOTER, notices=notices)
    assert footer.text().split("\n")[1:] == [
        "NOTICE:  first",
        "         second",
        "         HINT: a hint",
        "WARNUNG:  dritte",
    ]
    assert "WARNUNG dritte" in words(footer.html())


def test_of_very_many_notices_the_first_and_last_are_shown_with_a_count():
    footer = replace(FOOTER, notices=tuple(NoticeLine("NOTICE", f"{i} " + "x" * 10_000) for i in range(10_000)))
    lines = footer.text().split("\n")
    assert len(lines) == 1 + 101
    assert lines[1].startswith("NOTICE:  0 xxx")
    assert lines[50].startswith("NOTICE:  49 ")
    assert lines[51] == "… 9,900 more notices"
    assert lines[101].startswith("NOTICE:  9999 ")
    assert "9,900 more notices" in words(footer.html())
    assert len(footer.html()) < 150_000


def test_a_hundred_notices_are_all_shown():
    text = replace(FOOTER, notices=tuple(NoticeLine("NOTICE", str(i)) for i in range(100))).text()
    assert [line.removeprefix("NOTICE:  ") for line in text.split("\n")[1:]] == [str(i) for i in range(100)]


def test_notes_are_bounded_too():
    text = replace(FOOTER, notes=tuple(f"column c{i} is text" for i in range(1_600))).text()
    assert text.split("\n")[-1] == "note: … 1,580 more notes"


@pytest.mark.parametrize(
    "line",
    [
        Footer(HOSTILE, 1, HOSTILE, (HOSTILE,), (HOSTILE,), OPEN, (NoticeLine(HOSTILE, HOSTILE, HOSTILE),)),
        StatusLine(HOSTILE, (HOSTILE,), "bad"),
        ConnectReport(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, read_only=True, notes=(HOSTILE,)),
    ],
)
def test_markup_and_control_characters_stay_text(line):
    seen = words(line.html())
    assert "<script>alert(1)</script> & \\x1b[31m \\u202e" in seen
    assert "\x1b" not in line.text()


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=60))
def test_any_name_makes_a_line(name):
    line = Footer("SELECT 1", 1, name)
    assert words(line.html()) == line.text()


def test_what_tusk_connect_prints():
    report = ConnectReport("shop", "15.18", "sales", "analyst", "TLSv1.3", read_only=True, notes=("a note",))
    assert report.text() == "shop · PostgreSQL 15.18 · database sales as analyst · TLSv1.3 · read-only\nnote: a note"
    assert words(report.html()).startswith("shop · PostgreSQL 15.18 · database sales as analyst · TLSv1.3 · read-only")
    plain = ConnectReport("shop", "18.1", "sales", "analyst", None, read_only=False)
    assert plain.text() == "shop · PostgreSQL 18.1 · database sales as analyst · no TLS · read-write"


def test_a_loop_s_lines_are_the_first_and_last_with_a_count():
    lines = Lines()
    for i in range(1_000):
        lines = lines.add(Footer(f"INSERT 0 {i}", 1, "shop"))
    shown = lines.text().split("\n")
    assert [line.split(" · ")[0] for line in shown] == [
        *(f"INSERT 0 {i}" for i in range(5)),
        "… 990 more statements",
        *(f"INSERT 0 {i}" for i in range(995, 1_000)),
    ]
    assert shown[5].endswith("990 ms")
    assert "990 more statements" in words(lines.html())


@pytest.mark.parametrize("count", [0, 1, 5, 6, 10])
def test_few_lines_are_all_shown(count):
    lines = Lines()
    for i in range(count):
        lines = lines.add(Footer(f"INSERT 0 {i}", 1, "shop"))
    assert [w.split(" · ")[0] for w in lines.text().splitlines()] == [f"INSERT 0 {i}" for i in range(count)]
    tree(lines.html())


def test_ipython_gets_both_twins_and_print_the_text():
    for line in (FOOTER, StatusLine("left"), Lines().add(FOOTER)):
        assert line._repr_mimebundle_() == {"text/plain": line.text(), "text/html": line.html()}
        assert str(line) == line.text()
