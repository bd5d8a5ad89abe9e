"""The card of a background query: its line is live while other cells run, its button stops it, and text is what stays."""

from __future__ import annotations

import json

import psycopg
from playwright.sync_api import expect

from tests.waiting import running, wait_until

SLEEP = "select pg_sleep(600)"
STATIC = {"text/plain", "text/html"}


def connect(database):
    return f"%load_ext tusk_jupyter\n%tusk_connect {database} --name db"


def card(notebook, cell):
    return notebook.output(cell).locator(".tusk-run")


def kinds(notebook, cell):
    return {kind for output in notebook.outputs(cell) for kind in output.get("data", {})}


def text(notebook, cell):
    return "\n".join("".join(output["data"]["text/plain"]) for output in notebook.outputs(cell) if output.get("data"))


def test_a_card_lives_while_other_cells_run_and_its_button_stops_the_job(open_notebook, database):
    notebook = open_notebook(
        connect(database), f"%%sql --bg job <<\n{SLEEP}", "%sql select 41 + 1 as answer", "job.state", "job"
    )
    notebook.run(0)
    notebook.run(1)
    line = card(notebook, 1)
    expect(line.get_by_role("button", name="Stop")).to_be_visible()
    expect(notebook.output(1)).to_contain_text(SLEEP)
    elapsed = line.locator(".t-time")
    before = elapsed.inner_text()
    expect(elapsed).not_to_have_text(before)
    notebook.run(2)
    expect(notebook.output(2)).to_contain_text("42")
    assert running(database, "pg_sleep(600)")
    # shown again it is as live, and both end
    notebook.run(4)
    expect(card(notebook, 4).get_by_role("button", name="Stop")).to_be_visible()
    light = notebook.screenshot("job-running", notebook.output(1)).read_bytes()
    notebook.theme("dark")
    assert notebook.screenshot("job-running", notebook.output(1)).read_bytes() != light
    line.get_by_role("button", name="Stop").click()
    for cell in (1, 4):
        expect(notebook.output(cell)).to_contain_text("cancelled")
        expect(card(notebook, cell)).to_have_count(0)
        assert kinds(notebook, cell) == STATIC
    assert not running(database, "pg_sleep(600)")
    assert "cancelled" in "".join(notebook.run(3)[0]["data"]["text/plain"])
    notebook.screenshot("job-stopped", notebook.output(1))
    notebook.theme("light")
    notebook.screenshot("job-stopped", notebook.output(1))
    saved = notebook.save()
    assert all(state["state"] == {} for state in saved["metadata"].get("widgets", {}).values())
    assert "widget-view" not in json.dumps(saved["cells"])


def test_a_job_that_waits_for_a_lock_names_who_holds_it(open_notebook, database):
    notebook = open_notebook(connect(database), "%%sql --bg job <<\nupdate orders set n = 2", "job.df()", "job")
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("create table orders (n int)")
        other.execute("insert into orders values (1)")
        other.execute("begin")
        other.execute("update orders set n = 3")
        notebook.run(0)
        notebook.run(1)
        expect(card(notebook, 1)).to_contain_text(f"pid {other.info.backend_pid}")
        notebook.screenshot("job-locked", notebook.output(1))
        notebook.theme("dark")
        notebook.screenshot("job-locked", notebook.output(1))
        notebook.theme("light")
        other.execute("rollback")
    expect(notebook.output(1)).to_contain_text("completed")
    expect(card(notebook, 1)).to_have_count(0)
    notebook.run(2)
    notebook.run(3)
    assert "completed" in text(notebook, 3)
    assert kinds(notebook, 3) == STATIC


def test_a_job_in_the_queue_is_stopped_by_its_button(open_notebook, database):
    notebook = open_notebook(
        f"%load_ext tusk_jupyter\n%tusk_connect {database} --name db --pool-size 2",
        f"%%sql --bg first <<\n{SLEEP}",
        "%%sql --bg second <<\nselect 'never'",
        "%tusk queries",
        "%tusk cancel --all",
    )
    for cell in range(3):
        notebook.run(cell)
    expect(card(notebook, 2)).to_contain_text("waits for a free connection")
    notebook.run(3)
    expect(notebook.output(3)).to_contain_text("a free connection")
    notebook.screenshot("job-queue", notebook.cell(3))
    card(notebook, 2).get_by_role("button", name="Stop").click()
    expect(notebook.output(2)).to_contain_text("cancelled")
    assert running(database, "pg_sleep(600)")
    notebook.run(4)
    expect(notebook.output(1)).to_contain_text("cancelled")
    wait_until(lambda: not running(database, "pg_sleep(600)"))


def test_a_short_job_and_a_failed_one_are_text(open_notebook, database):
    notebook = open_notebook(connect(database), "%%sql --bg\nselect 7 as n", "%%sql --bg bad <<\nselect nope", "bad.df()")
    for cell in range(3):
        notebook.run(cell)
    expect(notebook.output(1)).to_contain_text("completed")
    expect(notebook.output(2)).to_contain_text('column "nope" does not exist')
    assert kinds(notebook, 1) == kinds(notebook, 2) == STATIC
    notebook.screenshot("job-failed", notebook.output(2))
    notebook.theme("dark")
    notebook.screenshot("job-failed", notebook.output(2))
    notebook.run(3, ok=False)
    expect(notebook.output(3)).to_contain_text("does not exist")
