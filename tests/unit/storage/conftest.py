"""A ``tusk.db`` of the test's own, by its path and opened, once or as often as kernels would."""

from __future__ import annotations

from contextlib import closing

import pytest

from tusk_jupyter.storage.database import Database


@pytest.fixture
def path(tmp_path):
    """Where the file is, or will be."""
    return tmp_path / "tusk.db"


@pytest.fixture
def file(path):
    """One open database."""
    with closing(Database(path)) as opened:
        yield opened


@pytest.fixture
def opened(path):
    """Open databases that are closed at the end."""
    made = []

    def open_one(where=path):
        made.append(Database(where))
        return made[-1]

    yield open_one
    for database in made:
        database.close()
