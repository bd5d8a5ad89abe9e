"""A shell that is watched: what it says is kept, and its ``check`` looks for the passwords of the tests everywhere."""

from __future__ import annotations

import pytest


@pytest.fixture
def watched(shell, tusk, tmp_path, monkeypatch):
    from tests import leaks  # what shows tracebacks takes half a second to import
    from tusk_jupyter import log

    monkeypatch.setenv("TUSK_LOG_LEVEL", "DEBUG")
    log.start(tmp_path / "tusk" / "logs")
    leaks.in_debug_mode(monkeypatch)
    with leaks.Logs() as logs:
        watched = leaks.Watched(shell, tusk, logs, tmp_path)
        watched.run("import tusk_jupyter as tusk")
        yield watched
