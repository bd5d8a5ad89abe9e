"""The line of a statement in flight in all its forms: text, one line, static HTML, and what the widget is sent."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from tests.unit.widgets.seen import words
from tusk_jupyter.widgets import progress_line
from tusk_jupyter.widgets.progress import HolderLine, ProgressLine

LINE = ProgressLine("q", "running", 12.44, connection="shop")
ROWS = replace(LINE, rows=412_000, nbytes=61_000_000, expected_rows=1_996_127)
HOLDER = HolderLine(
    4711,
    user="app",
    application="psql",
    state="idle in transaction",
    state_s=180,
    query="update orders\n  set status = 'sent'",
    remedy="terminate",
    backend_start="2026-11-22 01:00:00+00",
)
WAITS = replace(LINE, elapsed_s=8.1, waits_for="a lock on orders", waits_s=7.4, holders=(HOLDER,))
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e\n& 'x'"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (LINE, "12.4 s · runs on shop"),
        (replace(LINE, doing="listens on jobs"), "12.4 s · listens on jobs"),
        (replace(LINE, elapsed_s=-1), "0.0 s · runs on shop"),
        (replace(LINE, elapsed_s=59.94), "59.9 s · runs on shop"),
        (replace(LINE, elapsed_s=59.96), "1 min 00 s · runs on shop"),
        (replace(LINE, state="waiting"), "12.4 s · waits to be sent"),
        (replace(LINE, rows=1), "12.4 s · 1 row"),
        (ROWS, "12.4 s · 412,000 of about 2,000,000 rows · 61 MB"),
        (replace(ROWS, expected_rows=400_000), "12.4 s · 412,000 rows · 61 MB"),
        (replace(LINE, expected_rows=9), "12.4 s · 0 of about 9 rows"),
        (replace(LINE, phase="building index", fraction=0.416), "12.4 s · building index 42%"),
        (replace(LINE, fraction=1.7), "12.4 s · 100%"),
        (replace(WAITS, holders=()), "8.1 s · waits for a lock on orders for 7 s"),
    ],
)
def test_what_is_known_of_it(line, said):
    assert line.text() == said
    assert line.one_line() == said


@pytest.mark.parametrize(
    ("line", "share"),
    [
        (LINE, None),
        (ROWS, 412_000 / 1_996_127),
        (replace(ROWS, fraction=0.5), 0.5),
        (replace(ROWS, fraction=-3), 0),
        (replace(ROWS, expected_rows=400_000), None),
        (replace(LINE, expected_rows=0), None),
    ],
)
def test_the_bar_has_a_length_where_the_share_is_known(line, share):
    assert line.share == share
    assert line.as_dict()["share"] == (None if share is None else round(share, 3))


def test_those_in_the_way_are_named_with_what_they_do():
    said = "held by pid 4711, app (psql), idle in transaction for 3 min 00 s, after update orders set status = 'sent'"
    assert WAITS.text() == f"8.1 s · waits for a lock on orders for 7 s\n  {said}"
    assert WAITS.one_line() == f"8.1 s · waits for a lock on orders for 7 s · {said}"
    assert words(WAITS.html()).replace("\n", " ").endswith(said)


@pytest.mark.parametrize(
    ("holder", "said"),
    [
        (HolderLine(7), "held by pid 7, and what it does is not shown to this role"),
        (HolderLine(7, level=2, query=""), "which waits for pid 7"),
        (HolderLine(7, state="active", query="vacuum"), "held by pid 7, active: vacuum"),
        (HolderLine(7, client="10.0.0.7", query=""), "held by pid 7 (10.0.0.7)"),
        (HolderLine(7, connection="shop", query=""), "held by pid 7, your own connection shop"),
        (
            HolderLine(7, connection="shop", state="idle in transaction", query=""),
            (
                "held by pid 7, your own connection shop, idle in transaction "
                "(COMMIT or ROLLBACK there lets it go; a cell that waits for it has to be stopped first)"
            ),
        ),
        (
            HolderLine(0, user="app", state="prepared transaction 'g1'", transaction_s=180),
            "held by prepared transaction 'g1' of app for 3 min 00 s, which COMMIT PREPARED or ROLLBACK PREPARED ends",
        ),
        (
            HolderLine(7, user="a", state="active", state_s=2, transaction_s=90, query=""),
            "held by pid 7, a, active for 2 s, in a transaction of 1 min 30 s",
        ),
        (HolderLine(7, state="active", state_s=2, transaction_s=2.4, query=""), "held by pid 7, active for 2 s"),
        (HolderLine(7, query="", said="it was asked to stop"), "held by pid 7 (it was asked to stop)"),
    ],
)
def test_a_holder_in_words(holder, said):
    assert holder.text() == said


def test_levels_are_indented_and_many_are_counted():
    chain = tuple(HolderLine(pid, level=pid, query="") for pid in range(1, 20))
    lines = replace(WAITS, holders=chain).text().split("\n")
    assert lines[1:3] == ["  held by pid 1", "    which waits for pid 2"]
    assert lines[-1] == "… 11 more sessions in the way"
    assert len(lines) == 10
    sent = replace(WAITS, holders=chain).as_dict()
    assert (len(sent["holders"]), sent["more"]) == (8, "… 11 more sessions in the way")
    assert max(holder["level"] for holder in sent["holders"]) == 6


def test_texts_of_a_server_are_text_short_and_without_passwords():
    hostile = HolderLine(1, user=HOSTILE, application=HOSTILE, state=HOSTILE, query="x" * 5000 + "\n")
    line = replace(WAITS, phase=HOSTILE, waits_for=HOSTILE, holders=(hostile,))
    for seen in (line.text(), line.one_line(), line.html(), json.dumps(line.as_dict())):
        assert "\x1b" not in seen
        assert "\u202e" not in seen
        assert len(seen) < 1500
    assert "<script>" not in line.html()
    assert "\n" not in line.one_line()
    secret = HolderLine(1, query=f"alter role {'r' * 100} password 'hunter2hunter2'")
    assert "hunter2" not in secret.text() + replace(WAITS, holders=(secret,)).html()
    assert json.loads(json.dumps(line.as_dict())) == line.as_dict()


def test_what_is_said_aloud_holds_no_figure_that_changes():
    assert LINE.as_dict()["aloud"] == "the statement runs"
    assert replace(LINE, doing="listens on jobs", phase="1 so far").as_dict()["aloud"] == "listens on jobs"
    assert WAITS.as_dict()["aloud"] == "waits for a lock on orders, held by pid 4711"
    assert WAITS.as_dict()["aloud"] == replace(WAITS, elapsed_s=99, waits_s=98).as_dict()["aloud"]


def test_the_widget_has_one_trait_ignores_what_a_front_end_sets_and_closes_whole():
    heard = []
    widget = progress_line.create(WAITS, on_message=heard.append)
    assert widget.view == progress_line.view([WAITS])
    assert widget.view["lines"][0]["holders"][0]["how"] == "terminate"
    widget.set_state({"view": {"lines": []}})
    assert widget.view["lines"]
    widget._handle_custom_msg({"op": "stop"}, [])
    assert heard == [{"op": "stop"}]
    layout = widget.layout
    widget.close()
    widget.close()
    assert widget.comm is None
    assert layout.comm is None


def test_a_line_outside_of_a_kernel_imports_none():
    # ipykernel takes over how comms are made when it is imported
    code = (
        "import sys\nfrom tusk_jupyter.widgets import progress_line\nfrom tusk_jupyter.widgets.progress import ProgressLine\n"
        "assert progress_line.view([ProgressLine('1', 'running', 1.0)])['kernel'] == ''\nassert 'ipykernel' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
