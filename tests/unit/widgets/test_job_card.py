from __future__ import annotations

from dataclasses import replace

import pytest

from tusk_jupyter.errors import QueryCancelled, QueryFailed
from tusk_jupyter.widgets.job_card import JobCard, JobHead, JobState
from tusk_jupyter.widgets.notices import NoticeLine

HEAD = JobHead("1a2b3c4d-0000", "select *\n  from orders", "shop")


def test_a_card_reads_on_its_own():
    card = JobCard(HEAD, JobState("completed", 12.44, rows=400, nbytes=61_000))
    assert card.text().splitlines() == [
        "job 1a2b3c4d · shop",
        "select * from orders",
        "job.df() gives its frame, job.cancel() stops it",
        "completed · 12.4 s · 400 rows · 61 kB",
    ]
    for part in ("1a2b3c4d", "select * from orders", "shop", "completed", "400 rows", "<code"):
        assert part in card.html()


def test_its_variable_is_named():
    assert "late.df()" in JobHead("1", "select 1", "shop", "late").text()


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (JobState("submitted"), "submitted"),
        (JobState("completed", 0.01), "completed · 10 ms · 0 rows"),
        (JobState("completed", 0.01, done="UPDATE 1"), "completed · 10 ms · UPDATE 1"),
        (JobState("running", 2, phase="building index"), "running · 2.00 s · building index"),
        (JobState("waiting", 2, waits_for="a free connection"), "waiting · 2.00 s · waits for a free connection"),
        (JobState("cancelled", 2, error=QueryCancelled("cancelled after 2.0 s")), "cancelled · 2.00 s"),
        (JobState("failed", 2, error=QueryFailed("no", sqlstate="42703")), "failed · 2.00 s\nno (42703)"),
    ],
)
def test_a_state_says_what_is_known(state, words):
    assert state.text() == words


def test_notices_stand_below_it_and_many_are_counted():
    said = tuple(NoticeLine("NOTICE", f"step {step} <b>") for step in range(200))
    state = JobState("completed", 1, notices=said[:2])
    assert state.text().splitlines()[1:] == ["NOTICE:  step 0 <b>", "NOTICE:  step 1 <b>"]
    assert "step 1 &lt;b&gt;" in state.html()
    assert len(replace(state, notices=said).text().splitlines()) == 1 + 50 + 1 + 50


def test_what_a_server_says_is_escaped_and_cut():
    state = JobState("failed", 1, error=QueryFailed("<b>\x1b[31m" + "x" * 10_000))
    head = JobHead("1", "select '<script>'" + "x" * 10_000, "<i>")
    for text in (state.html(), head.html()):
        assert "<script>" not in text
        assert "<i>" not in text
        assert "<b>\x1b" not in text
        assert len(text) < 3_000
    assert "\x1b" not in state.text()


def test_a_password_in_the_statement_is_starred():
    head = JobHead("1", "alter role r password 'secret'", "shop")
    assert "secret" not in head.text() + head.html()
