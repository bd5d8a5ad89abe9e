from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.widgets.seen import words
from tusk_jupyter.widgets.markup import escape, masked, shown, tag, visible, with_code, without_code


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\x00b\x7f\x9b", "a\\x00b\\x7f\\x9b"),
        ("x\r", "x\\x0d"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2066b\u2069c\u200ed", "a\\u2066b\\u2069c\\u200ed"),
        ("lone \ud800", "lone \\ud800"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("tab\tand\nline stay", "tab\tand\nline stay"),
        ("é 漢字 👩‍👧 ا‌ب", "é 漢字 👩‍👧 ا‌ب"),
    ],
)
def test_what_acts_or_hides_is_spelt_out(text, expected):
    assert shown(text) == expected


@given(st.text(alphabet=st.characters(codec=None, exclude_categories=())))
def test_any_text_can_be_sent_and_parsed(text):
    safe = visible(text, 1_000)
    safe.encode("utf-8")
    assert "\x1b" not in safe
    assert "\u202e" not in safe
    assert words(tag("b", escape(safe))) == safe.replace("\r\n", "\n")


def test_a_long_text_says_how_much_is_missing():
    assert visible("a" * 12_345, 10) == "aaaaaaaaaa … (12,335 more characters)"
    assert visible("a" * 10, 10) == "a" * 10


def test_a_huge_text_is_cut_before_it_is_looked_at():
    huge = "\x1b<" * 25_000_000
    safe = visible(huge, 2_000)
    assert len(safe) < 10_000


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("create user u password 'hunter2'", "hunter2"),
        ("alter role u with encrypted PASSWORD\n  'hunter2' valid until '2027-01-01'", "hunter2"),
        ("alter role u password E'hunt\\'er2' login", "er2"),
        ("alter role u password 'hunt''er2'", "er2"),
        ("alter role u password $x$hunter2$x$", "hunter2"),
        ("alter role u password /* new */ 'hunter2'", "hunter2"),
        ("alter role u password 'hunter2", "hunter2"),
        ("do $$ begin execute 'alter role u password ''hunter2'' login'; end $$", "hunter2"),
        ("create subscription s connection 'host=h password=hunter2 user=u' publication p", "hunter2"),
        ("create subscription s connection 'host=h password = ''hunter2'' user=u'", "hunter2"),
        ("select dblink('postgresql://u:hunter2@h/d', 'select 1')", "hunter2"),
        ("select dblink('postgresql://u:o''hunter2@h/d', 'select 1')", "hunter2"),
        ("create subscription s connection E'host=h password=\\'a hunter2\\' user=u' publication p", "hunter2"),
        ("create user mapping for u server s options (sslpassword 'hunter2')", "hunter2"),
        ("create user u password 'it's-hunter2' login", "hunter2"),
    ],
)
def test_a_password_literal_is_starred_in_place(text, gone):
    safe = masked(text)
    assert gone not in safe
    assert len(safe) == len(text)
    assert sum(a != b for a, b in zip(safe, text, strict=True)) == safe.count("*") - text.count("*")


def test_what_is_no_password_literal_stays():
    text = "select password, 'x' from users where password = 'y' -- password\n and z = 'z' and password=lower(p)"
    assert masked(text) == text


@pytest.mark.parametrize(
    "piece", ["password", "password '", "password ''", "'password=", "://a:", "password $a$", "password /*"]
)
def test_masking_a_hostile_text_takes_no_time(piece):
    assert len(masked(piece * 1_500)) == len(piece) * 1_500


def test_advice_shows_what_can_be_typed_as_code():
    advice = "Write `a < b`, not <b>bold</b>."
    assert "<code" in with_code(advice)
    assert words(with_code(advice)) == "Write a < b, not <b>bold</b>."
    assert without_code(advice) == "Write a < b, not <b>bold</b>."


def test_a_lone_backtick_is_text():
    assert without_code("a ` b\n` c") == "a ` b\n` c"
