"""Tab and Shift-Tab as a user presses them: the menu and the tooltip, in JupyterLab and in Notebook 7."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

MADE = """%%sql
create type cabin as enum ('economy', 'business', 'first');
create table airports (faa text primary key, name text not null, altitude integer);
create table flights (id integer primary key generated always as identity, origin text not null references airports,
                      dep_delay integer, price numeric(8, 2) not null default 0, cabin cabin);
comment on table flights is 'every departure <b>of the year</b>';
comment on column flights.dep_delay is 'minutes late';
"""
READ = "import tusk_jupyter as t\nfor _ in 1, 2:\n    t.state().schemas.cache(t.state().connections.current).read().result(20)"
QUERY = "%%sql\nselect '🐘', f.\nfrom flights f"


@pytest.fixture
def notebook(open_notebook, database):
    # what Python's completer, jedi, takes for its first answer on a busy machine
    patient = {"@jupyterlab/completer-extension/manager": {"providerTimeout": 20_000}}
    notebook = open_notebook(
        f"%load_ext tusk_jupyter\n%tusk_connect {database} --name db", MADE, READ, QUERY, "%%sql\nselect * from flights", "import string\nstring.ascii_", settings=patient
    )
    for cell in range(3):
        notebook.run(cell)
    return notebook


def put_cursor(notebook, cell, before):
    """Click into a cell and put the cursor behind a text of it, with the keyboard's help."""
    source = notebook.page.evaluate(
        "cell => window.jupyterapp.shell.currentWidget.content.widgets[cell].model.sharedModel.getSource()", cell
    )
    content = notebook.cell(cell).locator(".cm-content")
    content.click()
    content.press("Control+Home")
    for _ in source[: source.index(before) + len(before)]:
        content.press("ArrowRight")
    return content


def test_tab_shows_the_columns_of_the_table(notebook):
    content = put_cursor(notebook, 3, "f.")
    content.press("Tab")
    menu = notebook.page.locator(".jp-Completer:visible")
    expect(menu.locator(".jp-Completer-match").first).to_have_text("id")
    shown = menu.locator(".jp-Completer-match").all_inner_texts()
    assert shown[:5] == ["id", "origin", "dep_delay", "price", "cabin"]
    assert not {"string", "In", "Out", "t"} & set(shown)
    expect(menu.locator(".jp-Completer-typeExtended").first).to_have_text("column")
    light = notebook.screenshot("completion").read_bytes()
    notebook.page.keyboard.type("dep")
    expect(menu.locator(".jp-Completer-match")).to_have_count(1)
    notebook.page.keyboard.press("Enter")
    expect(menu).to_have_count(0)
    expect(content).to_contain_text("select '🐘', f.dep_delay")
    notebook.theme("dark")
    content = put_cursor(notebook, 4, "select ")
    content.press("Tab")
    expect(menu.locator(".jp-Completer-match").first).to_be_visible()
    assert notebook.screenshot("completion").read_bytes() != light


def test_tab_in_python_is_python_s(notebook):
    content = put_cursor(notebook, 5, "string.ascii_")
    content.press("Tab")
    expect(notebook.page.locator(".jp-Completer-match", has_text="ascii_lowercase")).to_be_visible(timeout=20_000)


def test_shift_tab_shows_what_the_table_is(notebook):
    content = put_cursor(notebook, 4, "from flights")
    content.press("Shift+Tab")
    tooltip = notebook.page.locator(".jp-Tooltip")
    expect(tooltip.locator("table tbody tr", has_text="dep_delay")).to_contain_text("minutes late")
    expect(tooltip).to_contain_text("every departure <b>of the year</b>")
    expect(tooltip.locator("tr", has_text="origin")).to_contain_text("→ airports (faa)")
    light = notebook.screenshot("inspection").read_bytes()
    content.press("Escape")
    expect(tooltip).to_have_count(0)
    notebook.theme("dark")
    put_cursor(notebook, 4, "from flights").press("Shift+Tab")
    expect(tooltip.locator("table tbody tr", has_text="dep_delay")).to_be_visible()
    assert notebook.screenshot("inspection").read_bytes() != light
