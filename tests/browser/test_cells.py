"""Cells as a user sees them: in JupyterLab and in Notebook 7, with a kernel, and in the saved file without one."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.waiting import running, wait_until

WRONG = "%%sql\nselect 1 as one,\n       nope"


def connect(database):
    return f"%load_ext tusk_jupyter\n%tusk_connect {database} --name db"


def texts(outputs):
    """The text twins of what is displayed."""
    return ["".join(output["data"]["text/plain"]) for output in outputs if output.get("data")]


def panel_of(notebook, cell):
    """What is shown below a cell that failed, in place of its value."""
    return notebook.output(cell).locator(".jp-RenderedHTMLCommon[data-mime-type='text/html']")


def is_static(file):
    """Nothing in the file could be executed, restored or fetched by who opens it."""
    kinds = {kind for cell in file["cells"] for output in cell["outputs"] for kind in output.get("data", {})}
    assert kinds <= {"text/plain", "text/html"}
    assert set(file["metadata"]) == {"kernelspec", "language_info", "widgets"}
    # the front ends were told to save the state of all that lives
    assert all(saved["state"] == {} for saved in file["metadata"]["widgets"].values())
    text = json.dumps([cell["outputs"] for cell in file["cells"]]).lower()
    return not any(part in text for part in ("<script", "widget", "javascript:", " src=", "http://", "https://"))


def test_a_result_with_its_status_line(open_notebook, database):
    notebook = open_notebook(connect(database), "%%sql\nselect n, n * n as square from generate_series(1, 3) n")
    (connected,) = texts(notebook.run(0))
    assert connected.startswith("db ")
    notebook.run(1)
    result = notebook.output(1)
    expect(result.locator("table.dataframe tbody tr")).to_have_count(3)
    expect(result.get_by_role("columnheader", name="square")).to_be_visible()
    expect(result).to_contain_text("SELECT 3")
    light = notebook.screenshot("result", result).read_bytes()
    notebook.theme("dark")
    assert notebook.screenshot("result", result).read_bytes() != light


def test_an_error_is_one_panel_and_stops_run_all(open_notebook, database):
    notebook = open_notebook(connect(database), WRONG, "reached = True", "%sql select 2 as two")
    notebook.run_all(ok=False)
    (panel,) = texts(notebook.outputs(1))
    assert panel.startswith('ERROR:  column "nope" does not exist  (42703 undefined_column)')
    expect(panel_of(notebook, 1)).to_have_count(1)
    message, code = (panel_of(notebook, 1).locator(part) for part in ("b", "pre >> nth=0"))
    expect(message).to_have_text('ERROR: column "nope" does not exist')
    # the caret: under the character, and the same place underlined
    *_, line, caret = code.inner_text().splitlines()
    assert caret.index("^") == line.index("nope")
    expect(code.locator("u")).to_have_text("nope")
    notebook.screenshot("error", panel_of(notebook, 1))
    assert [notebook.count(cell) for cell in range(4)] == [1, 2, None, None]
    assert notebook.outputs(2) == notebook.outputs(3) == []
    notebook.write(1, "%%sql\nselect 1 as one")
    notebook.run_all()
    expect(notebook.output(3)).to_contain_text("two")
    expect(panel_of(notebook, 1)).to_have_count(2)  # the frame and its status line; the panel is gone
    expect(notebook.output(1)).not_to_contain_text("nope")


def test_interrupt_and_reload_keep_the_session_and_a_restart_does_not(open_notebook, database):
    notebook = open_notebook(
        connect(database),
        "%sql create temp table kept as select 41 as answer",
        "%%sql\nselect pg_sleep(600)",
        "%sql select answer + 1 as answer from kept",
    )
    notebook.run(0)
    notebook.run(1)
    notebook.start(2)
    wait_until(lambda: running(database, "pg_sleep(600)"), timeout=30)
    notebook.interrupt()
    notebook.finish(2, ok=False)
    (panel,) = texts(notebook.outputs(2))
    assert "57014" in panel
    expect(panel_of(notebook, 2)).to_contain_text("57014 query_canceled")
    assert not running(database, "pg_sleep(600)")
    notebook.reload()
    notebook.run(3)
    expect(notebook.output(3).locator("table.dataframe td")).to_have_text("42")
    notebook.restart()
    notebook.run(0)
    notebook.run(3, ok=False)
    expect(panel_of(notebook, 3)).to_contain_text("42P01 undefined_table")


def test_the_saved_file_is_static_and_reads_the_same_without_a_kernel(open_notebook, database):
    notebook = open_notebook(
        connect(database), "%sql select 'abc' as word", WRONG, "%%sql\nselect 7 as slow from pg_sleep(1.2)"
    )
    notebook.run(0)
    notebook.run(1)
    notebook.run(2, ok=False)
    shown = panel_of(notebook, 2).inner_text()
    # long enough for a progress line, of which nothing is left
    notebook.run(3)
    file = notebook.save()
    assert is_static(file)
    notebook.open_without_kernel()
    assert notebook.is_trusted(2)
    assert panel_of(notebook, 2).inner_text() == shown
    expect(panel_of(notebook, 2).locator("b")).to_have_text('ERROR: column "nope" does not exist')
    expect(notebook.output(1).locator("table.dataframe td")).to_have_text("abc")
    expect(notebook.output(3).locator("table.dataframe td")).to_have_text("7")
    # the front ends take more out of a notebook that was not executed here
    file["cells"][2]["source"] += "\n-- changed on the way"
    notebook.path.write_text(json.dumps(file))
    notebook.open_without_kernel()
    expect(notebook.cell(2)).to_contain_text("changed on the way")
    assert not notebook.is_trusted(2)
    assert panel_of(notebook, 2).inner_text() == shown
