"""A tooltip: two twins that say the same, whatever is in a name."""

from __future__ import annotations

from tusk_jupyter.widgets.sheet import SheetView

HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e"


def test_both_twins_say_everything():
    view = SheetView("flights", "table", ("about 5 rows",), (("unique", "(a, b)"),), ("column", "type"), (("id", "integer"),), "and 3 more")
    text, html = view.text(), view.html()
    assert text.splitlines() == ["table flights", "about 5 rows", "unique  (a, b)", "", "column  type", "id      integer", "and 3 more"]
    for part in ("flights", "table", "about 5 rows", "unique", "(a, b)", "column", "type", "id", "integer", "and 3 more"):
        assert part in html


def test_nothing_of_a_server_s_acts():
    view = SheetView(HOSTILE, HOSTILE, (HOSTILE,), (("label", HOSTILE),), ("a",), ((HOSTILE,),))
    html = view.html()
    assert "<script" not in html
    assert html.count("&lt;script&gt;") == 5
    assert "\x1b" not in html + view.text()
    assert "\u202e" not in html + view.text()


def test_a_password_in_a_comment_is_starred():
    view = SheetView("r", "", ("set by alter role r password 'hunter2'",))
    assert "hunter2" not in view.text() + view.html()


def test_a_long_comment_is_cut():
    assert len(SheetView("t", "", ("x" * 100_000,)).html()) < 2000
