from __future__ import annotations

import os
import sys

import pytest

from tests.worlds import missing
from tusk_jupyter.demo import lab

nbformat = pytest.importorskip("nbformat")
pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif("kernel" in missing(), reason=missing().get("kernel", "")),
]


def run(directory, *cells):
    shown = []
    code = [nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)}) for source, *tags in cells]
    path = directory / "n.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=code, metadata={"kernelspec": {"name": "elsewhere", "display_name": "E"}}), path
    )
    before = path.read_bytes()
    status = lab.execute(path, directory=directory, env={**os.environ, "ASKED": "yes"}, show=shown.append)
    assert path.read_bytes() == before
    return status, shown


def test_a_notebook_runs_in_this_interpreter_whatever_kernel_it_names(tmp_path, capfd):
    status, shown = run(
        tmp_path,
        ("import os, sys\nprint(sys.executable)\nprint(os.getcwd())\nos.environ['ASKED']",),
        ("1 / 0", "raises-exception"),
        ("'after'",),
    )
    assert status == 0
    assert f"\n{sys.executable}\n{tmp_path}\n'yes'" in shown[0]
    assert shown[1] == "\n>> 1 / 0\nZeroDivisionError: division by zero"
    assert shown[2] == "\n>> 'after'\n'after'"
    assert "WARNING" not in capfd.readouterr().err


def test_a_cell_that_fails_stops_the_run_and_says_so(tmp_path):
    status, shown = run(tmp_path, ("raise ValueError('boom')",), ("'never'",))
    assert status == 1
    assert shown[0].endswith("ValueError: boom")
    assert shown[-1] == "\nFAILED: ValueError: boom"
    assert not any("never" in text for text in shown)


def test_a_kernel_that_dies_is_a_failure(tmp_path):
    status, shown = run(tmp_path, ("import os\nos._exit(3)",))
    assert status == 1
    assert "FAILED: Kernel died" in shown[-1]
