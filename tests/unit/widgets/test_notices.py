from __future__ import annotations

from tests.unit.widgets.seen import words
from tusk_jupyter.errors import Diagnostic
from tusk_jupyter.widgets.notices import NoticeLine, html_lines, text_lines

HOSTILE = "<img src=x onerror=alert(1)> & \x1b[31m \u202e"


def html(*notices):
    return "".join(html_lines(notices))


def weight(level, severity=None):
    """The style that the severity is drawn with."""
    return html(NoticeLine(severity or level, "m", level=level)).partition('<b style="')[2].partition('"')[0]


def test_each_level_has_its_weight():
    quiet, usual, loud = weight("DEBUG1"), weight("NOTICE"), weight("WARNING")
    assert len({quiet, usual, loud}) == 3
    assert {weight("INFO"), weight("LOG")} == {usual}
    assert weight("DEBUG5") == quiet
    assert "font-weight:600" in usual
    assert "font-weight:400" in quiet


def test_the_weight_does_not_depend_on_the_servers_language():
    assert weight("WARNING", "WARNUNG") == weight("WARNING")
    assert words(html(NoticeLine("WARNUNG", "m", level="WARNING"))) == "WARNUNG m"


def test_a_context_is_folded_once_and_left_out_of_the_text():
    loop = [NoticeLine("NOTICE", f"{i}", context="PL/pgSQL function f() line 3 at RAISE") for i in range(50)]
    other = NoticeLine("NOTICE", "last", context="PL/pgSQL function g() line 1 at RAISE")
    shown = html(*loop, other)
    assert shown.count("<details") == 2
    assert shown.count("f() line 3") == 1
    assert shown.index("<details") < shown.index(">1<")
    assert "open" not in shown.partition("<details")[2].partition(">")[0]
    assert "RAISE" not in "\n".join(text_lines((*loop, other)))


def test_what_it_is_about_is_named():
    diag = Diagnostic(
        severity="NOTICE", message_primary="m", message_detail="d", message_hint="h",
        schema_name="public", table_name="t", column_name="c", constraint_name="k", datatype_name="money",
    )  # fmt: skip
    assert [line.strip() for line in "\n".join(text_lines((NoticeLine.of(diag),))).split("\n")] == [
        "NOTICE:  m", "DETAIL: d", "HINT: h", "TABLE: public.t", "COLUMN: c", "CONSTRAINT: k", "TYPE: money",
    ]  # fmt: skip
    assert "SCHEMA: s" in "\n".join(text_lines((NoticeLine.of(Diagnostic(schema_name="s")),)))


def test_nothing_of_it_is_markup():
    about = (("TABLE", HOSTILE),)
    shown = html(NoticeLine(HOSTILE, HOSTILE, HOSTILE, HOSTILE, context=HOSTILE, level=HOSTILE, about=about))
    assert "<img" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert shown.count("&lt;img") == 6


def test_a_long_context_is_cut():
    assert len(html(NoticeLine("NOTICE", "m", context="x" * 100_000))) < 3_000
