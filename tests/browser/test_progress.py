"""The live line as a user sees it: it comes, moves, stops what runs, names who is in the way, and is gone."""

from __future__ import annotations

import json
import random
import re

import psycopg
import pytest
from playwright.sync_api import expect

from tests.fix_browser import KERNELS
from tests.waiting import running, wait_until

LONG = "%%sql\nselect pg_sleep(600)"
WARM = "%sql select 1 as warm"  # the first statement of a kernel waits for imports
INTERRUPT = re.compile(r"/api/kernels/[^/]+/interrupt")
BUTTON, SERVER = "stopped by the button after", "interrupted after"
TOO_LATE = "the statement had finished; what was to run after this cell does not"
UNHEARD = "use the notebook's own interrupt button"
NO_SUBSHELLS = {KERNELS: {"commsOverSubshells": "disabled"}}
# a click on the first Stop button that comes, a moment after it has come
CLICK = """delay => {
    window.clicks = 0;
    const click = () => { window.clicks += 1; document.querySelector('.tusk-run .t-row button')?.click() };
    const look = () => document.querySelector('.tusk-run .t-row button') && (observer.disconnect(), setTimeout(click, delay));
    const observer = new MutationObserver(look);
    observer.observe(document.body, {childList: true, subtree: true});
}"""
HEIGHT = "cell => document.querySelectorAll('.jp-Cell')[cell].querySelector('.jp-OutputArea').children[0].getBoundingClientRect().height"


def connect(database):
    return f"%load_ext tusk_jupyter\n%tusk_connect {database} --name db"


def line_of(notebook, cell):
    return notebook.output(cell).locator(".tusk-run .t-one")


def stop_of(notebook, cell):
    return line_of(notebook, cell).get_by_role("button", name="Stop", exact=True)


def texts(outputs):
    return ["".join(output["data"]["text/plain"]) for output in outputs if output.get("data")]


def is_static(file):
    kinds = {kind for cell in file["cells"] for output in cell["outputs"] for kind in output.get("data", {})}
    assert kinds <= {"text/plain", "text/html"}
    assert all(saved["state"] == {} for saved in file["metadata"].get("widgets", {}).values())
    return "widget" not in json.dumps([cell["outputs"] for cell in file["cells"]])


@pytest.fixture
def cells(open_notebook, database):
    """Return ``cells(*sources)``: a notebook whose first cell has connected, and whose second has warmed it up."""

    def open_(*sources, **options):
        notebook = open_notebook(connect(database), WARM, *sources, **options)
        notebook.run(0)
        notebook.run(1)
        return notebook

    return open_


@pytest.fixture
def holding(database):
    """Return ``hold(*statements)``: another session that has run them; the last one may still be at it."""
    sessions = []

    def hold(*statements):
        conn = psycopg.connect(database, autocommit=True, application_name="psql")
        sessions.append(conn)
        for statement in statements:
            conn.execute(statement)
        return conn

    yield hold
    for conn in sessions:
        conn.close()


def test_the_line_comes_moves_and_goes(cells):
    notebook = cells("%%sql\nselect i, pg_sleep(0.002) from generate_series(1, 2000) i")
    notebook.start(2)
    line = line_of(notebook, 2)
    expect(stop_of(notebook, 2)).to_be_visible()
    first = line.locator(".t-time").inner_text()
    expect(line.locator(".t-time")).not_to_have_text(first)
    notebook.finish(2)
    expect(line).to_have_count(0)
    gap, value, status = notebook.outputs(2)
    assert gap["data"] == {}
    assert "2000 rows" in "".join(value["data"]["text/plain"])
    assert texts([status])[0].startswith("SELECT 2000")
    assert notebook.page.evaluate(HEIGHT, 2) == 0
    assert is_static(notebook.save())


def test_stop_ends_the_statement_and_keeps_the_session(cells, database):
    notebook = cells("%sql create temp table kept as select 41 as answer", LONG, "%sql select answer from kept")
    notebook.run(2)
    notebook.start(3)
    # by keyboard, as by mouse
    stop_of(notebook, 3).focus()
    notebook.screenshot("line", notebook.cell(3))
    stop_of(notebook, 3).press("Enter")
    notebook.finish(3, ok=False)
    assert BUTTON in texts(notebook.outputs(3))[-1]
    expect(notebook.output(3)).to_contain_text(BUTTON)
    assert not running(database, "pg_sleep(600)")
    notebook.run(4)
    expect(notebook.output(4)).to_contain_text("41")
    assert is_static(notebook.save())


def test_after_a_restart_it_says_so_and_nothing_runs(cells, database):
    notebook = cells(LONG)
    notebook.start(2)
    expect(stop_of(notebook, 2)).to_be_visible()
    line = line_of(notebook, 2)
    expect(line).to_contain_text("runs on db")
    notebook.restart()
    expect(line.locator(".t-note")).to_have_text("The kernel was restarted, or has ended.")
    expect(line).not_to_contain_text("runs on")
    expect(line.get_by_role("button")).to_have_count(0)
    notebook.screenshot("restarted", notebook.cell(2))
    # the front end's word on what the kernel still sends while it ends
    assert all("Comm not found" in problem for problem in notebook.take_problems())


def test_a_click_at_any_moment_stops_its_own_statement(cells, database):
    notebook = cells(LONG, "%sql select pg_backend_pid() as pid")
    notebook.run(3)
    (pid, _) = texts(notebook.outputs(3))
    for delay in (0, 0, *(random.randint(1, 600) for _ in range(4))):
        notebook.page.evaluate(CLICK, delay)
        notebook.start(2)
        notebook.finish(2, ok=False)
        said = texts(notebook.outputs(2))[-1]
        assert BUTTON in said or SERVER in said, delay
        assert notebook.page.evaluate("window.clicks") == 1
    assert not running(database, "pg_sleep(600)")
    notebook.run(3)
    assert texts(notebook.outputs(3))[0] == pid


def test_a_late_click_stops_no_other_statement(cells):
    notebook = cells("%%sql\nselect 1 as first from pg_sleep(0.9)", "%%sql\nselect 2 as second from pg_sleep(1.5)")
    for delay in (250, 300, 330, 360, 400, 450):
        notebook.command("notebook:clear-all-cell-outputs")
        notebook.page.evaluate(CLICK, delay)
        notebook.start(2, "notebook:run-all-below")
        notebook.finish(2, ok=None)
        notebook.wait_idle()
        first, second = " ".join(texts(notebook.outputs(2))), texts(notebook.outputs(3))
        if BUTTON in first or TOO_LATE in first:
            assert second == [], delay
        else:
            assert "2" in second[0], delay
            assert len(second) == 2
        assert BUTTON in first or "SELECT 1" in first


@pytest.mark.parametrize("version", ["6.31.0", "7.3.0"])
def test_the_button_works_on_older_kernels(cells, install_ipykernel, database, version):
    notebook = cells(
        f"import ipykernel; assert ipykernel.__version__ == {version!r}", LONG, "%sql select 41 as answer",
        env=install_ipykernel(version),
    )  # fmt: skip
    notebook.run(2)
    notebook.start(3)
    stop_of(notebook, 3).click()
    notebook.finish(3, ok=False)
    # 6 hears no message while a cell runs: there it is the notebook server that interrupts
    said = texts(notebook.outputs(3))[-1]
    assert SERVER in said if version.startswith("6.") else BUTTON in said or SERVER in said
    assert not running(database, "pg_sleep(600)")
    notebook.run(4)
    expect(notebook.output(4)).to_contain_text("41")
    assert is_static(notebook.save())


def test_without_subshells_the_server_interrupts_and_without_it_there_are_words(cells, front_end, install_ipykernel, database):
    # Notebook 7 takes no notice of the setting
    env = None if front_end.name == "lab" else install_ipykernel("6.31.0")
    notebook = cells(LONG, LONG, "%sql select 41 as answer", settings=NO_SUBSHELLS, env=env)
    notebook.start(2)
    stop_of(notebook, 2).click()
    expect(line_of(notebook, 2).get_by_role("button", name="Stopping…")).to_be_visible()
    notebook.finish(2, ok=False)
    assert SERVER in texts(notebook.outputs(2))[-1]
    notebook.page.route(INTERRUPT, lambda route: route.abort())
    notebook.start(3)
    stop_of(notebook, 3).click()
    expect(line_of(notebook, 3)).to_contain_text(UNHEARD, timeout=15_000)
    expect(stop_of(notebook, 3)).to_be_visible()
    notebook.screenshot("unheard", notebook.cell(3))
    assert running(database, "pg_sleep(600)")
    notebook.page.unroute(INTERRUPT)
    notebook.interrupt()
    notebook.finish(3, ok=False)
    assert all("interrupt" in problem for problem in notebook.take_problems())
    # the messages that waited arrive now, and mean a query that is gone
    notebook.run(4)
    expect(notebook.output(4)).to_contain_text("41")


def test_a_lock_names_its_holders_and_they_can_be_ended(cells, holding, database):
    holding("create table orders (id int, status text)", "insert into orders values (1, 'new')")
    first = holding("begin", "update orders set status = 'sent' where id = 1")
    notebook = cells("%%sql\nupdate orders set status = 'paid'", "%sql table orders")
    notebook.start(2)
    line = line_of(notebook, 2)
    expect(line).to_contain_text("waits for")
    way = line.get_by_role("list", name="who is in the way")
    expect(way).to_contain_text(f"held by pid {first.info.backend_pid}")
    expect(way).to_contain_text("psql")
    expect(way).to_contain_text("idle in transaction")
    expect(way.locator("code")).to_contain_text("update orders set status = 'sent'")
    notebook.screenshot("lock", notebook.cell(2))
    notebook.theme("dark")
    notebook.screenshot("lock", notebook.cell(2))
    notebook.theme("light")
    way.get_by_role("button", name="End theirs").click()
    sure = way.get_by_role("button", name="its transaction is rolled back")
    notebook.screenshot("lock-sure", notebook.cell(2))
    sure.press("Escape")
    expect(sure).to_have_count(0)
    way.get_by_role("button", name="End theirs").click()
    wait_until(lambda: sure.click() or sure.count() == 0)  # not by a double click
    notebook.finish(2)
    assert first.closed or wait_until(lambda: is_gone(first))
    notebook.run(3)
    expect(notebook.output(3)).to_contain_text("paid")
    assert is_static(notebook.save())


def is_gone(conn):
    try:
        conn.execute("select 1")
    except psycopg.Error:
        return True
    return False
