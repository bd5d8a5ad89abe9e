"""``%tusk watch`` and ``%tusk listen`` in a front end: in place, marked in both themes, ended by the Stop button."""

from __future__ import annotations

import json
import re

import psycopg
import pytest
from playwright.sync_api import expect

from tests.waiting import ask, wait_until

# the second of three rows is another each time
WATCH = """%%tusk watch 0.5
select i as id, 'job ' || i as name, case i when 2 then nextval('s') else 10 * i end as done, 40 as total
from generate_series(1, 3) i order by 1"""
COLOURS = "found => [...found.querySelectorAll('td')].map(cell => getComputedStyle(cell).backgroundColor)"
CONNECT = "%load_ext tusk_jupyter\n%tusk_connect {} --name db"


@pytest.fixture
def notebook(open_notebook, database):
    """A notebook that has connected, and whose kernel has its imports behind it."""
    with psycopg.connect(database, autocommit=True) as conn:
        conn.execute("create sequence s")
    opened = open_notebook(CONNECT.format(database), "%sql select 1", WATCH, "reached = True", "df = %tusk listen jobs --timeout 1h")
    opened.run(0)
    opened.run(1)
    return opened


def stop_of(notebook, cell):
    return notebook.output(cell).locator(".tusk-run .t-one").get_by_role("button", name="Stop", exact=True)


def is_static(file):
    outputs = [cell["outputs"] for cell in file["cells"]]
    kinds = {kind for found in outputs for output in found for kind in output.get("data", {})}
    assert kinds <= {"text/plain", "text/html"}
    return "widget" not in json.dumps(outputs)


def test_a_watch_changes_in_place_and_ends_by_the_button(notebook):
    notebook.start(2)
    result = notebook.output(2)
    expect(result).to_contain_text(re.compile(r"run \d+ · .* · last changed .* · 1 cell changed"))
    # one table in one place, with one cell marked, which is seen in either theme
    expect(result.locator("table")).to_have_count(1)
    marked = result.locator("td:has(b)")
    expect(marked).to_have_count(1)
    pictures = []
    for theme in ("light", "dark"):
        notebook.theme(theme)
        expect(stop_of(notebook, 2)).to_be_visible()
        colours = result.evaluate(COLOURS)
        assert len(colours) == 12
        assert len(set(colours)) == 2
        pictures.append(notebook.screenshot("watch", notebook.cell(2)).read_bytes())
    assert pictures[0] != pictures[1]
    # it is between two runs most of the time
    stop_of(notebook, 2).click()
    notebook.finish(2, ok=None)
    expect(result).to_contain_text("every 0.5 s")
    expect(result).to_contain_text("stopped")
    expect(result.locator("table.dataframe")).to_have_count(1)
    expect(result.locator(".tusk-run .t-one")).to_have_count(0)
    assert not any(output["output_type"] == "error" for output in notebook.outputs(2))
    notebook.screenshot("watched", notebook.cell(2))
    assert is_static(notebook.save())


def test_run_all_does_not_go_on_behind_a_watch_that_was_stopped(notebook):
    notebook.start(2, "notebook:run-all-below")
    expect(notebook.output(2)).to_contain_text("last changed")
    notebook.interrupt()
    notebook.finish(2, ok=None)
    expect(notebook.output(2)).to_contain_text("stopped")
    notebook.wait_idle()
    assert isinstance(notebook.count(2), int)
    assert notebook.count(3) is None


def test_notifications_are_shown_as_they_come_until_the_button(notebook, database):
    notebook.start(4)
    expect(stop_of(notebook, 4)).to_be_visible()
    waits = "select count(*) from pg_stat_activity where state = 'idle' and query like %s"
    wait_until(lambda: ask(database, waits, "%pg_listening_channels%"))
    ask(database, "select pg_notify('jobs', '<b>done</b>')")
    expect(notebook.output(4)).to_contain_text("NOTIFY jobs <b>done</b> (pid ")
    notebook.screenshot("listen", notebook.cell(4))
    stop_of(notebook, 4).click()
    notebook.finish(4, ok=None)
    expect(notebook.output(4)).to_contain_text("1 on jobs · stopped")
    assert is_static(notebook.save())
