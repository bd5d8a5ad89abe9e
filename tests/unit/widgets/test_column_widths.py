"""What may wrap in a table of ours, and what stands to the right."""

from __future__ import annotations

import re

import pytest

from tusk_jupyter.widgets import listing
from tusk_jupyter.widgets.column_widths import width_of
from tusk_jupyter.widgets.sheet import SheetView

LONG = "the customer as the shop knows him, with where he lives and what he likes"


@pytest.mark.parametrize(
    ("header", "cells", "wraps", "right"),
    [
        ("size", ("704 kB", "8192 bytes", ""), False, True),
        ("rows", ("1,000", "-7", ""), False, True),
        ("Stats target", ("",), False, False),
        ("kind", ("materialized view",), False, False),
        ("Name", ("2023", "2024"), False, False),
        ("Role name", ("1",), False, False),
        ("Default", ("0",), False, False),
        ("size", ("12 kB", "unknown"), False, False),
        ("comment", ("who buys",), False, False),
        ("comment", ("the customer as the shop knows him",), True, False),
        ("arguments", ("a integer, b text DEFAULT 'x'::text, c numeric DEFAULT 0.5",), True, False),
        ("Access privileges", ("owner=arwdDxt/owner\nreader=r/owner\nwriter=rw/owner",), False, False),
    ],
)
def test_what_is_long_wraps_and_numbers_stand_to_the_right(header, cells, wraps, right):
    style = width_of(header, cells)
    assert ("pre-wrap;min-width" in style) == wraps
    assert ("text-align:right" in style) == right


def styles(html, cell):
    return re.search(rf'<t[dh] style="([^"]*)">{re.escape(cell)}</t[dh]>', html)[1]


def test_a_listing_and_a_tooltip_are_drawn_so():
    html = listing.html("", ("Name", "Size", "Description"), [("a b", "704 kB", LONG), (None, None, None)])
    view = SheetView("t", columns=("column", "type", "", ""), rows=(("a", "text", "not null", LONG),)).html()
    assert styles(html, "704 kB").endswith("white-space:pre;text-align:right")
    assert styles(html, "Size").endswith("white-space:pre;text-align:right;white-space:normal")
    assert styles(html, "a b").endswith("white-space:pre;text-align:left")
    assert "white-space:pre-wrap;min-width" in styles(html, LONG)
    assert "white-space:pre;" in styles(view, "not null")
    assert "white-space:pre-wrap;min-width" in styles(view, LONG)
