"""Both decoders: a test that asks for ``decoder`` runs with the one in Python, then with the compiled one.

``copy_form`` does the same for the two forms in which a load is sent.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.worlds import missing
from tusk_jupyter.results import copy_binary, native

SOURCES = Path(native.__file__).parent
ENDS_AT_ONCE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]


@pytest.fixture(params=["python", "compiled"])
def decoder(request, monkeypatch):
    if request.param == "compiled" and (why := missing().get("compiled")):
        pytest.skip(f"compiled: {why}")
    monkeypatch.setenv(native.VARIABLE, request.param)
    return request.param


@pytest.fixture(params=["csv", "auto"])
def copy_form(request, monkeypatch):
    """Loads as CSV, then as binary wherever they can be."""
    if request.param == "auto" and (why := missing().get("compiled")):
        pytest.skip(f"compiled: {why}")
    monkeypatch.setenv(copy_binary.VARIABLE, request.param)
    return request.param


@pytest.fixture(scope="session")
def compiled():
    """The compiled decoder's module."""
    from tusk_jupyter.results import _decode

    return _decode


@pytest.fixture(scope="session")
def sanitizing_compiler(tmp_path_factory):
    """Compiles C that ends at the first byte read or written where none is, and at the first undefined operation."""
    directory = tmp_path_factory.mktemp("compiled")

    def build(source: Path, name: str, *flags: str) -> Path:
        command = [
            shutil.which("gcc"), "-g", "-O1", "-Wall", "-Wextra", "-Werror", *ENDS_AT_ONCE, *flags,
            f"-I{SOURCES}", f"-I{sysconfig.get_path('include')}", str(source), "-o", str(directory / name),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return directory / name

    return build


def run_sanitized(command, **environment):
    """Run a program built by ``sanitizing_compiler``; what a sanitizer finds is its exit status and its report."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False,
        env={"UBSAN_OPTIONS": "print_stacktrace=1", "PYTHONDONTWRITEBYTECODE": "1", **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    return done.stdout


def preloaded_sanitizer() -> str:
    """The sanitizer's library, which an interpreter that was not built with it must have from its start."""
    names = ("libasan.so", "libubsan.so")
    return ":".join(
        subprocess.run(["gcc", f"-print-file-name={n}"], capture_output=True, text=True, check=True).stdout.strip()
        for n in names
    )


INTERPRETER = Path(sys.executable)
