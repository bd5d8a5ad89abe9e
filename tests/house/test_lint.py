"""Types, lint and format, as any editor would show them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--no-cache", "."],
        ["ruff", "format", "--no-cache", "--check", "tusk_jupyter", "benchmarks"],
        ["mypy", "--cache-dir", "{tmp}"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_clean(command, tmp_path):
    words = [word.replace("{tmp}", str(tmp_path)) for word in command]
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
