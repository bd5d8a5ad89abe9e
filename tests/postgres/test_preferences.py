"""What preferences do to a cell."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid

import pandas as pd
import pyarrow as pa
import pytest

from tusk_jupyter.preferences import PREFERENCES

SQL = """%%sql
select 1.25::numeric as n, date '2026-01-02' as d, gen_random_uuid() as u from generate_series(1, 3)"""
# preference → a value that is not the default, and what a cell is then
EFFECTS = {
    "format": ("rows", lambda value: isinstance(value, list)),
    "numeric": ("decimal", lambda value: value["n"].iat[0] == decimal.Decimal("1.25") and value["n"].dtype == object),
    "uuid": ("object", lambda value: isinstance(value["u"].iat[0], uuid.UUID)),
    "dates": ("object", lambda value: type(value["d"].iat[0]) is dt.date),
    "limit": (2, lambda value: len(value) == 2),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_a_preference_changes_the_next_cell(cells, tusk, name):
    other, has_effect = EFFECTS[name]
    for value, expected in ((PREFERENCES[name].default, False), (other, True)):
        cells.run(f"%tusk set {name} {value}")
        cells.run(SQL)
        assert bool(has_effect(cells.ns["_"])) is expected
    tusk.preferences.reset(name)
    cells.run(SQL)
    assert isinstance(cells.ns["_"], pd.DataFrame)
    assert not has_effect(cells.ns["_"])


def test_arrow_numeric(cells, tusk):
    tusk.set_preference("format", "arrow")
    for value, kind in (("text", pa.string()), ("double", pa.float64())):
        tusk.set_preference("arrow_numeric", value)
        cells.run("%sql select 1.5::numeric as n")
        assert cells.ns["_"].schema.field("n").type in {kind, pa.large_string() if value == "text" else kind}


def test_quiet(cells, tusk):
    assert "SELECT 1" in "\n".join(cells.run("%sql select 1").displayed)
    tusk.set_preference("quiet", value=True)
    assert "SELECT 1" not in "\n".join(cells.run("%sql select 1").displayed)


def test_no_history_is_kept_where_it_is_off(cells, tusk):
    cells.run("%sql select 1")
    tusk.set_preference("history", value=False)
    cells.run("%sql select 2")
    tusk.set_preference("history", value=True)
    cells.run("%sql select 3")
    rows = tusk.storage.write(lambda conn: conn.execute("select sql from history").fetchall()).result(10)
    assert rows == [("select 1",), ("select 3",)]
